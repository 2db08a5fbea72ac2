//! The forms of bucket configurations, from Amazon's documents.
//!
//! A form is what may be in an element: names, each with how often (`?` at most once, `*` any number, `+` at
//! least once, else once), and for text a type behind a colon. A name without a form of its own is text.

use quick_xml::events::{BytesStart, Event};
use quick_xml::{Reader, XmlVersion};

use crate::xml;

/// How deeply elements may be nested.
const DEPTH_MAX: usize = 16;

/// An element as it was sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::s3) struct Node {
    pub(in crate::s3) name: String,
    /// As sent, with prefixes; namespaces of elements aside.
    attributes: Vec<(String, String)>,
    pub(in crate::s3) text: String,
    pub(in crate::s3) children: Vec<Self>,
}

impl Node {
    pub(in crate::s3) fn new(name: &str, text: &str) -> Self {
        Self {
            name: name.to_owned(),
            text: text.to_owned(),
            ..Self::default()
        }
    }

    pub(in crate::s3) fn of(name: &str, children: Vec<Self>) -> Self {
        Self {
            name: name.to_owned(),
            children,
            ..Self::default()
        }
    }

    pub(in crate::s3) fn with_attribute(mut self, name: &str, value: &str) -> Self {
        self.attributes.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Nothing if the text is not one well-formed element.
    pub(in crate::s3) fn parse(text: &[u8]) -> Option<Self> {
        let mut reader = Reader::from_str(std::str::from_utf8(text).ok()?);
        let mut open: Vec<Self> = Vec::new();
        let mut root = None;
        loop {
            let closed = match reader.read_event().ok()? {
                Event::Start(tag) => {
                    if root.is_some() || open.len() == DEPTH_MAX {
                        return None;
                    }
                    open.push(Self::begin(&tag)?);
                    None
                }
                Event::Empty(tag) => Some(Self::begin(&tag)?),
                Event::End(_) => Some(open.pop()?),
                Event::Text(text) => {
                    match open.last_mut() {
                        Some(node) => node.text.push_str(&text.xml10_content()),
                        None if text.trim_ascii().is_empty() => {}
                        None => return None,
                    }
                    None
                }
                Event::CData(text) => {
                    open.last_mut()?.text.push_str(&text);
                    None
                }
                Event::GeneralRef(entity) => {
                    let node = open.last_mut()?;
                    match entity.resolve_char_ref().ok()? {
                        Some(c) => node.text.push(c),
                        None => node
                            .text
                            .push_str(quick_xml::escape::resolve_xml_entity(&entity)?),
                    }
                    None
                }
                Event::Eof => return root.filter(|_| open.is_empty()),
                Event::DocType(_) => return None,
                _ => None,
            };
            let Some(mut closed) = closed else { continue };
            if !closed.children.is_empty() {
                if !closed.text.trim_ascii().is_empty() {
                    return None;
                }
                closed.text.clear();
            }
            match open.last_mut() {
                Some(parent) => parent.children.push(closed),
                None if root.is_none() => root = Some(closed),
                None => return None,
            }
        }
    }

    fn begin(tag: &BytesStart<'_>) -> Option<Self> {
        let full = tag.name().0;
        let mut node = Self::new(full.rsplit_once(':').map_or(full, |(_, local)| local), "");
        for attribute in tag.attributes() {
            let attribute = attribute.ok()?;
            let value = attribute.normalized_value(XmlVersion::Implicit1_0).ok()?;
            if attribute.key.0 != "xmlns" {
                node.attributes
                    .push((attribute.key.0.to_owned(), value.into_owned()));
            }
        }
        Some(node)
    }

    pub(in crate::s3) fn child(&self, name: &str) -> Option<&Self> {
        self.children.iter().find(|child| child.name == name)
    }

    pub(in crate::s3) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Self> {
        self.children.iter().filter(move |child| child.name == name)
    }

    /// The text of a child, or none.
    pub(in crate::s3) fn text_of(&self, name: &str) -> &str {
        self.child(name).map_or("", |child| child.text.as_str())
    }

    /// The document of it.
    pub(in crate::s3) fn document(&self) -> String {
        let mut out = String::from(xml::DECLARATION);
        let root = self
            .clone()
            .with_attribute("xmlns", "http://s3.amazonaws.com/doc/2006-03-01/");
        root.write(&mut out);
        out
    }

    fn write(&self, out: &mut String) {
        out.push('<');
        out.push_str(&self.name);
        for (name, value) in &self.attributes {
            out.push(' ');
            out.push_str(name);
            out.push_str("=\"");
            xml::escape(out, value);
            out.push('"');
        }
        out.push('>');
        xml::escape(out, &self.text);
        for child in &self.children {
            child.write(out);
        }
        out.push_str("</");
        out.push_str(&self.name);
        out.push('>');
    }

    /// Whether it and all in it have the form that the table says; `form` is its own.
    pub(in crate::s3) fn fits(&self, form: &str, table: &[(&str, &str)]) -> bool {
        let mut known = 0;
        for item in form.split_whitespace() {
            let (item, kind) = item.split_once(':').unwrap_or((item, "text"));
            let (name, most, least) = match item.as_bytes().last() {
                Some(b'?') => (&item[..item.len() - 1], 1, 0),
                Some(b'*') => (&item[..item.len() - 1], usize::MAX, 0),
                Some(b'+') => (&item[..item.len() - 1], usize::MAX, 1),
                _ => (item, 1, 1),
            };
            let count = self.all(name).count();
            if count < least || count > most {
                return false;
            }
            known += count;
            let inner = table.iter().find(|(known, _)| *known == name);
            let fits = |child: &Self| match inner {
                Some((_, form)) => child.text.trim_ascii().is_empty() && child.fits(form, table),
                None => child.children.is_empty() && child.is(kind),
            };
            if !self.all(name).all(fits) {
                return false;
            }
        }
        known == self.children.len()
    }

    fn is(&self, kind: &str) -> bool {
        let text = self.text.trim_ascii();
        match kind {
            "int" => text.parse::<u64>().is_ok(),
            "bool" => matches!(text, "true" | "false"),
            "time" => crate::clock::parse_iso8601(text).is_some(),
            "text" => true,
            words => words.split('|').any(|word| word == text),
        }
    }
}

/// The form of each document, by the name of its root, and of what is in it.
pub(in crate::s3) fn forms(root: &str) -> Option<&'static [(&'static str, &'static str)]> {
    FORMS.iter().find(|forms| forms[0].0 == root).copied()
}

const GRANTS: (&str, &str) = (
    "Grant",
    "Grantee Permission:FULL_CONTROL|READ|WRITE|READ_ACP|WRITE_ACP",
);
const GRANTEE: (&str, &str) = ("Grantee", "ID? DisplayName? URI? EmailAddress?");
const TAG: (&str, &str) = ("Tag", "Key Value");

const FORMS: &[&[(&str, &str)]] = &[
    &[
        ("AccessControlPolicy", "Owner AccessControlList"),
        ("Owner", "ID DisplayName?"),
        ("AccessControlList", "Grant*"),
        GRANTS,
        GRANTEE,
    ],
    &[
        ("CORSConfiguration", "CORSRule+"),
        (
            "CORSRule",
            "ID? AllowedHeader* AllowedMethod+ AllowedOrigin+ ExposeHeader* MaxAgeSeconds?:int",
        ),
    ],
    &[
        ("LifecycleConfiguration", "Rule+"),
        (
            "Rule",
            "ID? Filter? Prefix? Status:Enabled|Disabled Transition* Expiration? \
             NoncurrentVersionTransition* NoncurrentVersionExpiration? \
             AbortIncompleteMultipartUpload?",
        ),
        (
            "Filter",
            "Prefix? Tag? ObjectSizeGreaterThan?:int ObjectSizeLessThan?:int And?",
        ),
        (
            "And",
            "Prefix? Tag* ObjectSizeGreaterThan?:int ObjectSizeLessThan?:int",
        ),
        TAG,
        ("Transition", "Date?:time Days?:int StorageClass"),
        (
            "Expiration",
            "Date?:time Days?:int ExpiredObjectDeleteMarker?:bool",
        ),
        (
            "NoncurrentVersionTransition",
            "NoncurrentDays?:int StorageClass NewerNoncurrentVersions?:int",
        ),
        (
            "NoncurrentVersionExpiration",
            "NoncurrentDays?:int NewerNoncurrentVersions?:int",
        ),
        ("AbortIncompleteMultipartUpload", "DaysAfterInitiation:int"),
    ],
    &[("Tagging", "TagSet"), ("TagSet", "Tag*"), TAG],
    &[
        (
            "WebsiteConfiguration",
            "RedirectAllRequestsTo? IndexDocument? ErrorDocument? RoutingRules?",
        ),
        ("RedirectAllRequestsTo", "HostName Protocol?:http|https"),
        ("IndexDocument", "Suffix"),
        ("ErrorDocument", "Key"),
        ("RoutingRules", "RoutingRule+"),
        ("RoutingRule", "Condition? Redirect"),
        (
            "Condition",
            "HttpErrorCodeReturnedEquals?:int KeyPrefixEquals?",
        ),
        (
            "Redirect",
            "HostName? HttpRedirectCode?:int Protocol?:http|https ReplaceKeyPrefixWith? \
             ReplaceKeyWith?",
        ),
    ],
    &[
        ("ServerSideEncryptionConfiguration", "Rule+"),
        (
            "Rule",
            "ApplyServerSideEncryptionByDefault? BucketKeyEnabled?:bool BlockedEncryptionTypes?",
        ),
        (
            "ApplyServerSideEncryptionByDefault",
            "SSEAlgorithm:AES256|aws:kms|aws:kms:dsse KMSMasterKeyID?",
        ),
        ("BlockedEncryptionTypes", "EncryptionType*"),
    ],
    &[(
        "PublicAccessBlockConfiguration",
        "BlockPublicAcls?:bool IgnorePublicAcls?:bool BlockPublicPolicy?:bool \
         RestrictPublicBuckets?:bool",
    )],
    &[
        ("OwnershipControls", "Rule"),
        (
            "Rule",
            "ObjectOwnership:BucketOwnerEnforced|BucketOwnerPreferred|ObjectWriter",
        ),
    ],
    &[
        ("BucketLoggingStatus", "LoggingEnabled?"),
        (
            "LoggingEnabled",
            "TargetBucket TargetPrefix TargetGrants? TargetObjectKeyFormat?",
        ),
        ("TargetGrants", "Grant*"),
        GRANTS,
        GRANTEE,
        ("TargetObjectKeyFormat", "SimplePrefix? PartitionedPrefix?"),
        ("SimplePrefix", ""),
        (
            "PartitionedPrefix",
            "PartitionDateSource?:EventTime|DeliveryTime",
        ),
    ],
    &[
        (
            "NotificationConfiguration",
            "TopicConfiguration* QueueConfiguration* CloudFunctionConfiguration* \
             EventBridgeConfiguration?",
        ),
        ("TopicConfiguration", "Id? Topic Event+ Filter?"),
        ("QueueConfiguration", "Id? Queue Event+ Filter?"),
        (
            "CloudFunctionConfiguration",
            "Id? CloudFunction Event+ Filter?",
        ),
        ("EventBridgeConfiguration", ""),
        ("Filter", "S3Key?"),
        ("S3Key", "FilterRule*"),
        ("FilterRule", "Name:prefix|suffix|Prefix|Suffix Value"),
    ],
    &[("RequestPaymentConfiguration", "Payer:BucketOwner|Requester")],
    &[("AccelerateConfiguration", "Status:Enabled|Suspended")],
    &[
        ("ObjectLockConfiguration", "ObjectLockEnabled:Enabled Rule?"),
        ("Rule", "DefaultRetention"),
        (
            "DefaultRetention",
            "Mode:GOVERNANCE|COMPLIANCE Days?:int Years?:int",
        ),
    ],
    &[
        ("ReplicationConfiguration", "Role Rule+"),
        (
            "Rule",
            "ID? Priority?:int Prefix? Filter? Status:Enabled|Disabled SourceSelectionCriteria? \
             ExistingObjectReplication? Destination DeleteMarkerReplication?",
        ),
        ("Filter", "Prefix? Tag? And?"),
        ("And", "Prefix? Tag*"),
        TAG,
        (
            "SourceSelectionCriteria",
            "SseKmsEncryptedObjects? ReplicaModifications?",
        ),
        ("SseKmsEncryptedObjects", "Status:Enabled|Disabled"),
        ("ReplicaModifications", "Status:Enabled|Disabled"),
        ("ExistingObjectReplication", "Status:Enabled|Disabled"),
        ("DeleteMarkerReplication", "Status?:Enabled|Disabled"),
        (
            "Destination",
            "Bucket Account? StorageClass? AccessControlTranslation? EncryptionConfiguration? \
             ReplicationTime? Metrics?",
        ),
        ("AccessControlTranslation", "Owner:Destination"),
        ("EncryptionConfiguration", "ReplicaKmsKeyID?"),
        ("ReplicationTime", "Status:Enabled|Disabled Time"),
        ("Time", "Minutes:int"),
        ("Metrics", "Status:Enabled|Disabled EventThreshold?"),
        ("EventThreshold", "Minutes:int"),
    ],
];

#[cfg(test)]
mod tests {
    use super::*;

    fn fits(text: &str) -> bool {
        let Some(node) = Node::parse(text.as_bytes()) else {
            return false;
        };
        let forms = forms(&node.name).unwrap();
        node.fits(forms[0].1, forms)
    }

    #[test]
    fn forms_are_kept() {
        for text in [
            "<Tagging><TagSet/></Tagging>",
            "<Tagging xmlns='u'><TagSet><Tag><Key>a</Key><Value/></Tag></TagSet></Tagging>",
            "<CORSConfiguration><CORSRule><AllowedOrigin>*</AllowedOrigin><AllowedMethod>GET</AllowedMethod>\
             <MaxAgeSeconds> 5 </MaxAgeSeconds></CORSRule></CORSConfiguration>",
            "<AccelerateConfiguration><Status>Enabled</Status></AccelerateConfiguration>",
        ] {
            assert!(fits(text), "{text}");
        }
        for text in [
            "<Tagging/>",
            "<Tagging><TagSet/><TagSet/></Tagging>",
            "<Tagging>x<TagSet/></Tagging>",
            "<Tagging><TagSet>x</TagSet></Tagging>",
            "<Tagging><TagSet><Tag><Key>a</Key></Tag></TagSet></Tagging>",
            "<Tagging><TagSet><Tag><Key><b/></Key><Value/></Tag></TagSet></Tagging>",
            "<Tagging><TagSet/><Odd/></Tagging>",
            "<CORSConfiguration/>",
            "<AccelerateConfiguration><Status>On</Status></AccelerateConfiguration>",
            "<Tagging><TagSet/>",
            "<Tagging><TagSet/></Tagging><Tagging/>",
            "<!DOCTYPE x><Tagging><TagSet/></Tagging>",
        ] {
            assert!(!fits(text), "{text}");
        }
        let deep = "<a>".repeat(100) + &"</a>".repeat(100);
        assert_eq!(Node::parse(deep.as_bytes()), None);
    }

    #[test]
    fn documents_are_written_as_read() {
        let text = "<a xmlns='u' xmlns:i='v' i:type='T'> <b>1 &lt;&#13;</b><c/></a>";
        let node = Node::parse(text.as_bytes()).unwrap();
        let document = node.document();
        assert!(
            document.ends_with(
                "<a xmlns:i=\"v\" i:type=\"T\" xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">\
                 <b>1 &lt;&#13;</b><c></c></a>"
            ),
            "{document}"
        );
        assert_eq!(Node::parse(document.as_bytes()), Some(node));
    }
}
