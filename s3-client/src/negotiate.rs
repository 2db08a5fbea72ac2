//! What a server says of the signature that it wants.
//!
//! *Problem:* A store may demand another signature version or region than the one that was configured. *Decision:* What
//! a store says about them is read in this one place. It is remembered for each bucket only if `negotiate` was set;
//! otherwise the error names the setting that helps. A region that a server names is checked before it becomes part of
//! a signature. *Cost:* The first request to a bucket may be refused once.

use aws_core::ErrorBody;
use pipeline_pool::Head;

use crate::signature::is_region;

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
}
