//! Static websites: which documents and redirects a bucket serves.

use aws_core::Result;

use super::{Config, Removable, Root, Settable, check_count};
use crate::idempotency::{self, Row};

document! {
    /// The setting for [static websites](https://docs.aws.amazon.com/AmazonS3/latest/userguide/WebsiteHosting.html) says how
    /// a bucket is shown as a website.
    pub struct Website {
        /// The host that all requests are sent on to. Nothing else may be set then.
        opt redirect_all: RedirectAll = "RedirectAllRequestsTo",
        /// The document that is shown for a folder.
        opt index_document: IndexDocument = "IndexDocument",
        /// The document that is shown in place of an error.
        opt error_document: ErrorDocument = "ErrorDocument",
        /// The redirections, up to 50 of them; the first whose condition holds counts.
        some routing_rules + routing_rule: RoutingRule = "RoutingRules" / "RoutingRule",
    }

    /// A host that all requests are sent on to.
    pub struct RedirectAll {
        /// The name of the host.
        must host_name: String = "HostName",
        /// The protocol: `http` or `https`. Defaults to that of the request.
        opt protocol: String = "Protocol",
    }

    /// The document that is shown for a folder.
    pub struct IndexDocument {
        /// What is added to the key of a folder, for example `index.html`. It has no slash.
        must suffix: String = "Suffix",
    }

    /// The document that is shown in place of an error.
    pub struct ErrorDocument {
        /// The key of the object that is shown.
        must key: String = "Key",
    }

    /// A redirection sends some requests on to another place.
    pub struct RoutingRule {
        /// The condition on which requests are sent on. Defaults to always.
        opt condition: RoutingCondition = "Condition",
        /// The place that they are sent on to.
        opt redirect: Redirect = "Redirect",
    }

    /// The condition of a redirection: all that is set must hold.
    pub struct RoutingCondition {
        /// The request would otherwise be answered with this HTTP status.
        val http_error_code_returned_equals: u16 = "HttpErrorCodeReturnedEquals",
        /// The key of the request begins with this.
        opt key_prefix_equals: String = "KeyPrefixEquals",
    }

    /// The place that a redirection leads to. What is not set stays as it was asked for.
    pub struct Redirect {
        /// The name of the host.
        opt host_name: String = "HostName",
        /// The HTTP status of the redirection, 301 to 399. Defaults to 301.
        val http_redirect_code: u16 = "HttpRedirectCode",
        /// The protocol: `http` or `https`.
        opt protocol: String = "Protocol",
        /// What comes in place of the prefix of the condition. It cannot stand together with a whole key.
        opt replace_key_prefix_with: String = "ReplaceKeyPrefixWith",
        /// The whole key that is asked for instead.
        opt replace_key_with: String = "ReplaceKeyWith",
    }
}

impl Root for Website {
    const ROOT: &'static str = "WebsiteConfiguration";
    const QUERY: &'static str = "website";

    fn check(&self) -> Result<()> {
        check_count("routing rules", self.routing_rules.len(), 50)
    }
}

impl Config for Website {
    const GET: Row = idempotency::GET_BUCKET_WEBSITE;
}

impl Settable for Website {
    const PUT: Row = idempotency::PUT_BUCKET_WEBSITE;
}

impl Removable for Website {
    const DELETE: Row = idempotency::DELETE_BUCKET_WEBSITE;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::documents::{reads, round_trips};

    #[test]
    fn amazons_example_is_read() {
        let website: Website = reads(
            "<WebsiteConfiguration><IndexDocument><Suffix>index.html</Suffix></IndexDocument><ErrorDocument>\
             <Key>Error.html</Key></ErrorDocument><RoutingRules><RoutingRule><Condition><KeyPrefixEquals>docs/\
             </KeyPrefixEquals><HttpErrorCodeReturnedEquals>404</HttpErrorCodeReturnedEquals></Condition><Redirect>\
             <Protocol>https</Protocol><HostName>h</HostName><ReplaceKeyPrefixWith>documents/</ReplaceKeyPrefixWith>\
             <HttpRedirectCode>302</HttpRedirectCode></Redirect></RoutingRule></RoutingRules></WebsiteConfiguration>",
        );
        let rule = &website.routing_rules[0];
        let condition = rule.condition.as_ref().unwrap();
        assert_eq!(condition.http_error_code_returned_equals, Some(404));
        assert_eq!(
            rule.redirect.as_ref().unwrap().http_redirect_code,
            Some(302)
        );
        assert_eq!(website.index_document.unwrap().suffix, "index.html");
        let all: Website = reads(
            "<WebsiteConfiguration><RedirectAllRequestsTo><HostName>h</HostName></RedirectAllRequestsTo>\
             </WebsiteConfiguration>",
        );
        assert!(!all.encode().unwrap().contains("RoutingRules"));
        assert_eq!(all.redirect_all.unwrap().host_name, "h");
        round_trips::<Website>();
    }

    #[test]
    fn limits() {
        let mut website = Website::new();
        website.routing_rules = vec![RoutingRule::new(); 51];
        assert!(website.encode().unwrap_err().to_string().contains("51"));
    }
}
