//! What a server says of the signature that it wants, and the memory of it.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use aws_core::ErrorBody;
use aws_core::v4::Scope;
use pipeline_pool::Head;

use crate::signature::{Signer, is_region};

/// Buckets that are remembered; a client that meets more of them forgets all and learns again.
const MOST: usize = 10_000;
/// Regions whose keys are kept; Amazon has some forty.
const REGIONS: usize = 100;

/// How buckets want their requests signed, where that differs from the client's way.
#[derive(Debug, Default)]
pub(crate) struct Memory(RwLock<Known>);

#[derive(Debug, Default)]
struct Known {
    /// Requests about no bucket have an empty name.
    buckets: HashMap<Arc<str>, Signer>,
    /// Buckets of one region share its keys.
    regions: Vec<Scope>,
}

impl Memory {
    /// How requests about this bucket are to be signed, if that is known.
    pub(crate) fn signer(&self, bucket: Option<&Arc<str>>) -> Option<Signer> {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        if known.buckets.is_empty() {
            return None;
        }
        known.buckets.get(bucket.map_or("", |b| b)).cloned()
    }

    /// Remembers that requests about this bucket are to be signed by Version 4 in this region, and returns the
    /// signer.
    pub(crate) fn learn(&self, bucket: Option<&Arc<str>>, region: &str) -> Signer {
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let scope = match known.regions.iter().find(|s| s.region() == region) {
            Some(scope) => scope.clone(),
            None => {
                let scope = Scope::s3(region);
                if known.regions.len() >= REGIONS {
                    known.regions.clear();
                }
                known.regions.push(scope.clone());
                scope
            }
        };
        if known.buckets.len() >= MOST {
            known.buckets.clear();
            known.regions.clear();
        }
        let name = bucket.cloned().unwrap_or_else(|| "".into());
        known.buckets.insert(name, Signer::V4(scope.clone()));
        Signer::V4(scope)
    }
}

/// What a server wants, read from an error.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Wanted<'a> {
    /// The region, if it was said.
    pub(crate) region: Option<&'a str>,
}

/// What the error says of the signature, if that is what it is about.
pub(crate) fn wanted<'a>(head: &'a Head, error: &'a ErrorBody) -> Option<Wanted<'a>> {
    let region = error
        .detail("Region")
        .or_else(|| head.header("x-amz-bucket-region"))
        .filter(|name| is_region(name));
    let message = error.message.as_deref().unwrap_or_default();
    let about_it = match error.code.as_deref() {
        Some("InvalidRequest" | "InvalidArgument") => message.contains("AWS4-HMAC-SHA256"),
        Some("AuthorizationHeaderMalformed" | "AuthorizationQueryParametersError") => {
            region.is_some()
        }
        Some("PermanentRedirect" | "TemporaryRedirect" | "IncorrectEndpoint") => region.is_some(),
        // The answer to HEAD has no body.
        None => matches!(head.status(), 301 | 307 | 400 | 403) && region.is_some(),
        _ => false,
    };
    about_it.then_some(Wanted { region })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(status: u16, region: Option<&str>) -> Head {
        let field = region.map(|r| ("x-amz-bucket-region", r.as_bytes()));
        Head::new(status, field)
    }

    fn error(xml: &str) -> ErrorBody {
        ErrorBody::parse(xml.as_bytes(), &["Region"]).unwrap_or_default()
    }

    #[test]
    fn a_server_that_names_ever_other_regions_fills_no_memory() {
        let memory = Memory::default();
        let bucket: Arc<str> = "photos".into();
        for i in 0..2 * REGIONS {
            memory.learn(Some(&bucket), &format!("region-{i}"));
        }
        let known = memory.0.read().unwrap();
        assert!(known.regions.len() <= REGIONS && known.buckets.len() == 1);
    }

    #[test]
    fn servers_say_what_they_want() {
        let v4 = "<Error><Code>InvalidRequest</Code><Message>The authorization mechanism you have provided is not \
                  supported. Please use AWS4-HMAC-SHA256.</Message></Error>";
        let other = "<Error><Code>InvalidRequest</Code><Message>Missing part</Message></Error>";
        let region = "<Error><Code>AuthorizationHeaderMalformed</Code><Message>the region 'us-east-1' is wrong; \
                      expecting 'eu-west-1'</Message><Region>eu-west-1</Region></Error>";
        let malformed =
            "<Error><Code>AuthorizationHeaderMalformed</Code><Message>m</Message></Error>";
        let moved = "<Error><Code>PermanentRedirect</Code><Endpoint>b.s3.eu-west-1.amazonaws.com</Endpoint></Error>";
        let evil =
            "<Error><Code>AuthorizationHeaderMalformed</Code><Region>eu west/1</Region></Error>";
        let missing = "<Error><Code>NoSuchKey</Code></Error>";
        for (xml, status, field, expected) in [
            (v4, 400, None, Some(None)),
            (v4, 400, Some("eu-west-1"), Some(Some("eu-west-1"))),
            (other, 400, Some("eu-west-1"), None),
            (region, 400, None, Some(Some("eu-west-1"))),
            (malformed, 400, None, None),
            (moved, 301, None, None),
            (moved, 301, Some("eu-west-1"), Some(Some("eu-west-1"))),
            (evil, 400, None, None),
            (missing, 404, Some("eu-west-1"), None),
            ("", 301, Some("eu-west-1"), Some(Some("eu-west-1"))),
            ("", 400, Some("eu-west-1"), Some(Some("eu-west-1"))),
            ("", 404, Some("eu-west-1"), None),
            ("", 400, None, None),
        ] {
            let (head, error) = (head(status, field), error(xml));
            let found = wanted(&head, &error).map(|wanted| wanted.region);
            assert_eq!(found, expected, "{status} {field:?} {xml}");
        }
    }

    #[test]
    fn the_memory_is_per_bucket_and_bounded() {
        let memory = Memory::default();
        let (a, b): (Arc<str>, Arc<str>) = ("aaa".into(), "bbb".into());
        assert_eq!(memory.signer(Some(&a)), None);
        let signer = memory.learn(Some(&a), "eu-west-1");
        assert_eq!(memory.signer(Some(&a)), Some(signer));
        assert_eq!((memory.signer(Some(&b)), memory.signer(None)), (None, None));
        for i in 0..MOST {
            memory.learn(Some(&format!("b{i}").into()), "us-east-1");
        }
        let known = memory.0.read().unwrap();
        assert!(known.buckets.len() <= MOST && known.regions.len() <= 2);
    }
}
