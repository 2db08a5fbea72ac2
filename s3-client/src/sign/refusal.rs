//! Refusals of a request for how it was signed: the words that stores have for them.
//!
//! *Problem:* No code of S3's says that a signature is of the wrong version, and each store has words of its own for
//! it. Some of these words name the version that is not taken, others the one that is. *Decision:* One table has the
//! words of each store, and a test for each row has the store's own document. What is not in the table is no such
//! refusal: a wrong key must not look like one, and a guess would send a request again for nothing. *Cost:* A store
//! with other words needs [`S3Builder::signature`](crate::S3Builder::signature).

use aws_core::ErrorBody;
use pipeline_pool::Head;

use super::signature::is_region;

/// Which version a store wants instead of the one that it has refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    V2,
    V4,
    /// The words do not say which, only that it is not the one of the request.
    Other,
}

/// A refusal of a request for how it was signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal<'a> {
    /// The version was wrong.
    Version {
        wanted: Wanted,
        /// The region to sign for, if the answer names it.
        region: Option<&'a str>,
    },
    /// Version 4 is wanted, for this region.
    Region(&'a str),
    /// The bucket is in this region, which is all that is said: Version 4 has to be for it, and Version 2 has no region.
    Place(&'a str),
}

/// What a store says of a version: its code, and a part of its message in lower case.
struct Words {
    code: &'static str,
    part: &'static str,
    wanted: Wanted,
}

const fn words(code: &'static str, part: &'static str, wanted: Wanted) -> Words {
    Words { code, part, wanted }
}

/// The words of the stores. The test has each document whole, with its source.
#[rustfmt::skip]
const WORDS: &[Words] = &[
    // Amazon, MinIO, SeaweedFS, Versity, NetApp ONTAP; in other words Backblaze B2 and Cloudflare R2.
    words("InvalidRequest", "please use aws4-hmac-sha256", Wanted::V4),
    words("InvalidArgument", "please use aws4-hmac-sha256", Wanted::V4),
    // Cloudflare R2.
    words("Unauthorized", "please use sigv4", Wanted::V4),
    // Apache Ozone.
    words("InvalidRequest", "may not be signed using aws v4", Wanted::V4),
    // Garage.
    words("InvalidRequest", "unsupported authorization method", Wanted::Other),
    // Supabase.
    words("InvalidSignature", "unsupported authorization type", Wanted::Other),
    // Amazon, for what is neither; s3rver, and others after it.
    words("InvalidArgument", "unsupported authorization type", Wanted::Other),
    // Riak CS, where Version 4 is not turned on.
    words("InvalidRequest", "(aws4-hmac-sha256) is not supported", Wanted::V2),
    // Amazon's for a header of Version 2 that is none, in servers that take nothing else for one.
    words("InvalidArgument", "expected awsaccesskeyid:signature", Wanted::V2),
];

/// What an error says of the signature, if that is what it is about.
pub(crate) fn refusal<'a>(head: &'a Head, error: &'a ErrorBody) -> Option<Refusal<'a>> {
    let message = error.message.as_deref().unwrap_or_default();
    let Some(code) = error.code.as_deref() else {
        // The answer to HEAD has no body. Some stores name the region in every answer, also in one that denies access.
        let region = region(head, error, "")?;
        return match head.status() {
            400 => Some(Refusal::Region(region)),
            301 | 307 | 403 => Some(Refusal::Place(region)),
            _ => None,
        };
    };
    let lower = message.to_ascii_lowercase();
    if let Some(words) = WORDS
        .iter()
        .find(|words| words.code == code && lower.contains(words.part))
    {
        return Some(Refusal::Version {
            wanted: words.wanted,
            region: region(head, error, message),
        });
    }
    match code {
        "AuthorizationHeaderMalformed" | "AuthorizationQueryParametersError" => {
            region(head, error, message).map(Refusal::Region)
        }
        "PermanentRedirect" | "TemporaryRedirect" | "IncorrectEndpoint" => {
            region(head, error, "").map(Refusal::Place)
        }
        // R2: "The region name 'x' is not valid. Must be one of: wnam, enam, weur, eeur, apac, oc, auto"
        "InvalidRegionName" => {
            let (_, list) = message.rsplit_once(": ")?;
            let takes_auto = list
                .split(", ")
                .any(|name| name.trim_end_matches('.') == "auto");
            takes_auto.then_some(Refusal::Region("auto"))
        }
        _ => None,
    }
}

/// The region that an answer names: in an element of its own, in a field, or in the message.
fn region<'a>(head: &'a Head, error: &'a ErrorBody, message: &'a str) -> Option<&'a str> {
    error
        .detail("Region")
        .or_else(|| head.header("x-amz-bucket-region"))
        .or_else(|| expected(message))
        .filter(|name| is_region(name))
}

/// The name in "the region is wrong; expecting 'x'", in quotes of either form.
fn expected(message: &str) -> Option<&str> {
    let (_, rest) = message.split_once("expecting ")?;
    let quote = rest.chars().next().filter(|c| matches!(c, '\'' | '"'))?;
    rest[1..].split(quote).next()
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

    #[track_caller]
    fn says(status: u16, xml: &str, expected: Option<Refusal<'_>>) {
        let (head, error) = (head(status, None), error(xml));
        assert!(error.code.is_some(), "it is a document: {xml}");
        assert_eq!(refusal(&head, &error), expected, "{xml}");
    }

    fn version(wanted: Wanted, region: Option<&str>) -> Option<Refusal<'_>> {
        Some(Refusal::Version { wanted, region })
    }

    /// <https://github.com/saltstack/salt/issues/26028> has the whole answer, with the field.
    #[test]
    fn amazon() {
        let xml = "<Error><Code>InvalidRequest</Code><Message>The authorization mechanism you have provided is not \
                   supported. Please use AWS4-HMAC-SHA256.</Message></Error>";
        says(400, xml, version(Wanted::V4, None));
        let (head, error) = (head(400, Some("eu-central-1")), error(xml));
        assert_eq!(
            refusal(&head, &error),
            version(Wanted::V4, Some("eu-central-1"))
        );
        let xml = "<Error><Code>AuthorizationHeaderMalformed</Code><Message>The authorization header is malformed; the \
                   region 'us-east-1' is wrong; expecting 'eu-west-1'</Message><Region>eu-west-1</Region></Error>";
        says(400, xml, Some(Refusal::Region("eu-west-1")));
    }

    /// <https://github.com/vastsa/FileCodeBox/issues/95>; Cloudflare's own emulator of R2 says the second
    /// (cloudflare/workers-sdk, the tests of miniflare's S3); the third is
    /// <https://developers.cloudflare.com/r2/api/error-codes/>.
    #[test]
    fn cloudflare_r2() {
        let xml = "<Error><Code>Unauthorized</Code><Message>SigV2 authorization is not supported. Please use SigV4 \
                   instead.</Message></Error>";
        says(401, xml, version(Wanted::V4, None));
        let xml = "<Error><Code>InvalidRequest</Code><Message>Please use AWS4-HMAC-SHA256</Message></Error>";
        says(400, xml, version(Wanted::V4, None));
        let xml = "<Error><Code>InvalidRegionName</Code><Message>The region name 'us-west-9' is not valid. Must be one \
                   of: wnam, enam, weur, eeur, apac, oc, auto</Message></Error>";
        says(400, xml, Some(Refusal::Region("auto")));
        let others = xml.replace(", auto", ", automatic");
        says(400, &others, None);
        let xml = "<Error><Code>Unauthorized</Code><Message>Unauthorized</Message></Error>";
        says(401, xml, None);
    }

    /// <https://github.com/nfrastack/db-backup/issues/57>
    #[test]
    fn backblaze_b2() {
        let xml = "<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"yes\"?>\n<Error>\n    \
                   <Code>InvalidRequest</Code>\n    <Message>The V2 signature authorization mechanism you have provided \
                   is not supported. Please use AWS4-HMAC-SHA256</Message>\n</Error>";
        says(400, xml, version(Wanted::V4, None));
    }

    /// deuxfleurs-org/garage: `src/api/common/signature/payload.rs`, `src/api/s3/error.rs`.
    #[test]
    fn garage() {
        let xml = "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Error><Code>InvalidRequest</Code><Message>Bad request: \
                   Unsupported authorization method</Message><Resource>/photos/</Resource><Region>garage</Region></Error>";
        says(400, xml, version(Wanted::Other, Some("garage")));
        let xml = "<Error><Code>AuthorizationHeaderMalformed</Code><Message>Authorization header malformed, unexpected \
                   scope: 20260101/us-east-1/s3/aws4_request</Message><Resource>/photos/</Resource>\
                   <Region>garage</Region></Error>";
        says(400, xml, Some(Refusal::Region("garage")));
        // All of its errors name the region.
        let xml = "<Error><Code>NoSuchKey</Code><Message>Key not found</Message><Region>garage</Region></Error>";
        says(404, xml, None);
    }

    /// minio/minio: `cmd/api-errors.go` and `cmd/api-response.go`. It takes both versions, so that it is the region
    /// that it refuses; what is neither gets Amazon's words.
    #[test]
    fn minio() {
        let xml = "<Error><Code>AuthorizationHeaderMalformed</Code><Message>The authorization header is malformed; the \
                   region is wrong; expecting 'eu-west-1'.</Message><Region>eu-west-1</Region></Error>";
        says(400, xml, Some(Refusal::Region("eu-west-1")));
        let older = xml.replace("<Region>eu-west-1</Region>", "");
        says(400, &older, Some(Refusal::Region("eu-west-1")));
    }

    /// Google takes both versions, and any region: <https://cloud.google.com/storage/docs/aws-simple-migration>. So
    /// its refusals are of keys: <https://stackoverflow.com/q/9550662>.
    #[test]
    fn google() {
        let xml = "<?xml version='1.0' encoding='UTF-8'?><Error><Code>SignatureDoesNotMatch</Code><Message>The request \
                   signature we calculated does not match the signature you provided. Check your Google secret key and \
                   signing method.</Message></Error>";
        says(403, xml, None);
    }

    /// openstack/swift: `swift/common/middleware/s3api/s3request.py`; versity/versitygw: `s3err/sigv4.go`.
    #[test]
    fn swift_and_versity() {
        let xml = "<Error><Code>AuthorizationHeaderMalformed</Code><Message>The authorization header is malformed; the \
                   region 'us-east-1' is wrong; expecting 'RegionOne'</Message><Region>RegionOne</Region></Error>";
        says(400, xml, Some(Refusal::Region("RegionOne")));
        let xml = "<Error><Code>AuthorizationHeaderMalformed</Code><Message>The authorization header is malformed; the \
                   region \"a\" is wrong; expecting \"us-east-2\"</Message></Error>";
        says(400, xml, Some(Refusal::Region("us-east-2")));
    }

    /// apache/ozone: `S3ErrorTable.java`.
    #[test]
    fn ozone() {
        let xml = "<Error><Code>InvalidRequest</Code><Message>Error creating s3 auth info. The request may not be signed \
                   using AWS V4 signing algorithm, or might be invalid</Message></Error>";
        says(403, xml, version(Wanted::V4, None));
    }

    /// supabase/storage: `src/storage/protocols/s3/signature-v4.ts`.
    #[test]
    fn supabase() {
        let xml = "<Error><Code>InvalidSignature</Code><Message>Unsupported authorization type</Message></Error>";
        says(400, xml, version(Wanted::Other, None));
        let xml =
            "<Error><Code>InvalidSignature</Code><Message>Invalid signature</Message></Error>";
        says(400, xml, None);
    }

    /// basho/riak_cs: `src/riak_cs_s3_response.erl`. It names the version that it does not take.
    #[test]
    fn riak_cs() {
        let xml = "<Error><Code>InvalidRequest</Code><Message>The authorization mechanism you have provided \
                   (AWS4-HMAC-SHA256) is not supported.</Message><Resource>/photos/</Resource></Error>";
        says(400, xml, version(Wanted::V2, None));
    }

    /// jamhall/s3rver: `lib/middleware/authentication.js`; the second is what Amazon says of a bad header of Version 2,
    /// and what servers say that look for one in every request.
    #[test]
    fn servers_that_take_one_version_after_amazon() {
        let xml = "<Error><Code>InvalidArgument</Code><Message>Unsupported Authorization Type</Message></Error>";
        says(400, xml, version(Wanted::Other, None));
        let xml = "<Error><Code>InvalidArgument</Code><Message>AWS authorization header is invalid.  Expected \
                   AwsAccessKeyId:signature</Message></Error>";
        says(400, xml, version(Wanted::V2, None));
    }

    #[test]
    fn other_refusals_are_not_about_the_version() {
        for (status, code, message) in [
            (
                403,
                "SignatureDoesNotMatch",
                "The request signature we calculated does not match",
            ),
            (
                403,
                "InvalidAccessKeyId",
                "The AWS Access Key Id you provided does not exist",
            ),
            (
                403,
                "AccessDenied",
                "Access Denied. Please use AWS4-HMAC-SHA256",
            ),
            (403, "RequestTimeTooSkewed", "The difference is too large"),
            (
                400,
                "InvalidRequest",
                "Missing required header for this request: Content-MD5",
            ),
            (400, "InvalidArgument", "Invalid Argument"),
            (
                400,
                "AuthorizationHeaderMalformed",
                "The authorization header is malformed",
            ),
            (400, "InvalidRegionName", "The region name 'x' is not valid"),
            (400, "ExpiredToken", "The provided token has expired."),
        ] {
            let xml = format!("<Error><Code>{code}</Code><Message>{message}</Message></Error>");
            says(status, &xml, None);
        }
    }

    #[test]
    fn a_region_is_told_in_many_places() {
        let moved = "<Error><Code>PermanentRedirect</Code><Endpoint>b.s3.eu-west-1.amazonaws.com</Endpoint></Error>";
        let evil =
            "<Error><Code>AuthorizationHeaderMalformed</Code><Region>eu west/1</Region></Error>";
        let odd = "<Error><Code>AuthorizationHeaderMalformed</Code><Message>expecting \u{e9}'x'</Message></Error>";
        let missing = "<Error><Code>NoSuchKey</Code></Error>";
        let (ireland, place) = (Some("eu-west-1"), Some(Refusal::Place("eu-west-1")));
        let wrong =
            "<Error><Code>AuthorizationHeaderMalformed</Code><Region>eu-west-1</Region></Error>";
        for (xml, status, field, expected) in [
            (moved, 301, None, None),
            (moved, 301, ireland, place),
            (wrong, 400, None, Some(Refusal::Region("eu-west-1"))),
            (evil, 400, None, None),
            (odd, 400, None, None),
            (missing, 404, ireland, None),
            ("", 301, ireland, place),
            ("", 307, ireland, place),
            ("", 403, ireland, place),
            ("", 400, ireland, Some(Refusal::Region("eu-west-1"))),
            ("", 404, ireland, None),
            ("", 400, None, None),
        ] {
            let (head, error) = (head(status, field), error(xml));
            assert_eq!(refusal(&head, &error), expected, "{status} {field:?} {xml}");
        }
    }
}
