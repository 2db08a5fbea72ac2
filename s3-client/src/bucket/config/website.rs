use aws_core::Result;

use super::{Root, check_count};

document! {
    /// How a bucket is [a website](https://docs.aws.amazon.com/AmazonS3/latest/userguide/WebsiteHosting.html).
    pub struct Website {
        /// Another host that gets all requests; then nothing else may be set.
        opt redirect_all: RedirectAll = "RedirectAllRequestsTo",
        /// What is shown for a folder.
        opt index_document: IndexDocument = "IndexDocument",
        /// What is shown in place of an error.
        opt error_document: ErrorDocument = "ErrorDocument",
        /// Redirections, up to 50; the first whose condition holds counts.
        some routing_rules + routing_rule: RoutingRule = "RoutingRules" / "RoutingRule",
    }

    /// A host that gets all requests.
    pub struct RedirectAll {
        /// The host.
        must host_name: String = "HostName",
        /// `http` or `https`. Defaults to that of the request.
        opt protocol: String = "Protocol",
    }

    /// What is shown for a folder.
    pub struct IndexDocument {
        /// What is added to the key of a folder, for example `index.html`; it has no slash.
        must suffix: String = "Suffix",
    }

    /// What is shown in place of an error.
    pub struct ErrorDocument {
        /// The key of an object.
        must key: String = "Key",
    }

    /// A redirection.
    pub struct RoutingRule {
        /// When. Defaults to always.
        opt condition: RoutingCondition = "Condition",
        /// Where to.
        opt redirect: Redirect = "Redirect",
    }

    /// When a redirection is followed: all that is set must hold.
    pub struct RoutingCondition {
        /// The request would be answered with this status.
        val http_error_code_returned_equals: u16 = "HttpErrorCodeReturnedEquals",
        /// The key begins with this.
        opt key_prefix_equals: String = "KeyPrefixEquals",
    }

    /// Where a redirection leads; what is not set stays as it was asked for.
    pub struct Redirect {
        /// The host.
        opt host_name: String = "HostName",
        /// The status, 3xx. Defaults to 301.
        val http_redirect_code: u16 = "HttpRedirectCode",
        /// `http` or `https`.
        opt protocol: String = "Protocol",
        /// What comes in place of the prefix of the condition; not together with a whole key.
        opt replace_key_prefix_with: String = "ReplaceKeyPrefixWith",
        /// The whole key.
        opt replace_key_with: String = "ReplaceKeyWith",
    }
}

impl Root for Website {
    const ROOT: &'static str = "WebsiteConfiguration";

    fn check(&self) -> Result<()> {
        check_count("routing rules", self.routing_rules.len(), 50)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::testing::{reads, round_trips};

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
