//! The options of `object_store`'s S3 client, and what becomes of each here.
//!
//! The names are those of [`AmazonS3ConfigKey` and
//! `ClientConfigKey`](https://docs.rs/object_store/0.14.2/object_store/aws/enum.AmazonS3ConfigKey.html) in `object_store`
//! 0.14.2, with and without `aws_`.

/// An option that is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Taken {
    AccessKeyId,
    AllowHttp,
    Bucket,
    Checksum,
    ConditionalPut,
    ConnectTimeout,
    ContainerFullUri,
    ContainerRelativeUri,
    ContainerTokenFile,
    DefaultRegion,
    Endpoint,
    MetadataEndpoint,
    PoolIdleTimeout,
    ProxyUrl,
    Region,
    RoleArn,
    RoleSessionName,
    S3Endpoint,
    SecretAccessKey,
    SessionToken,
    SkipSignature,
    StsEndpoint,
    Timeout,
    UnsignedPayload,
    VirtualHosted,
    WebIdentityTokenFile,
}

/// An option that is not done here.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Refused {
    /// The value that says no more than what is done anyway.
    done: Option<bool>,
    /// What there is to say of it, behind its name.
    pub(crate) why: &'static str,
}

impl Refused {
    /// Whether this value says what is done anyway.
    pub(crate) fn is_done(self, value: &str) -> bool {
        self.done.is_some() && yes_or_no(value) == self.done
    }
}

/// What the providers of keys read, as the variables that they look for.
pub(crate) const VARIABLES: &[(Taken, &str)] = &[
    (Taken::AccessKeyId, "AWS_ACCESS_KEY_ID"),
    (Taken::SecretAccessKey, "AWS_SECRET_ACCESS_KEY"),
    (Taken::SessionToken, "AWS_SESSION_TOKEN"),
    (Taken::WebIdentityTokenFile, "AWS_WEB_IDENTITY_TOKEN_FILE"),
    (Taken::RoleArn, "AWS_ROLE_ARN"),
    (Taken::RoleSessionName, "AWS_ROLE_SESSION_NAME"),
    (Taken::StsEndpoint, "AWS_ENDPOINT_URL_STS"),
    (
        Taken::ContainerRelativeUri,
        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    ),
    (
        Taken::ContainerFullUri,
        "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    ),
    (
        Taken::ContainerTokenFile,
        "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
    ),
    (Taken::MetadataEndpoint, "AWS_EC2_METADATA_SERVICE_ENDPOINT"),
];

const ENCRYPTION: &str = "is not done for all objects: set a default encryption of the bucket";
const HTTP2: &str = "is of HTTP/2: give the client the transport Reqwest";

/// What becomes of the option of this name, which is in small letters; nothing where there is none.
pub(crate) fn find(name: &str) -> Option<Result<Taken, Refused>> {
    let refused = |done, why| Some(Err(Refused { done, why }));
    let taken = match name.strip_prefix("aws_").unwrap_or(name) {
        "access_key_id" => Taken::AccessKeyId,
        "secret_access_key" => Taken::SecretAccessKey,
        "session_token" | "token" => Taken::SessionToken,
        "default_region" => Taken::DefaultRegion,
        "region" => Taken::Region,
        "bucket" | "bucket_name" => Taken::Bucket,
        "endpoint" | "endpoint_url" => Taken::Endpoint,
        "endpoint_url_s3" => Taken::S3Endpoint,
        "endpoint_url_sts" => Taken::StsEndpoint,
        "virtual_hosted_style_request" => Taken::VirtualHosted,
        "metadata_endpoint" => Taken::MetadataEndpoint,
        "unsigned_payload" => Taken::UnsignedPayload,
        "checksum_algorithm" => Taken::Checksum,
        "container_credentials_relative_uri" => Taken::ContainerRelativeUri,
        "container_credentials_full_uri" => Taken::ContainerFullUri,
        "container_authorization_token_file" => Taken::ContainerTokenFile,
        "web_identity_token_file" => Taken::WebIdentityTokenFile,
        "role_arn" => Taken::RoleArn,
        "role_session_name" => Taken::RoleSessionName,
        "skip_signature" => Taken::SkipSignature,
        "conditional_put" => Taken::ConditionalPut,
        "allow_http" => Taken::AllowHttp,
        "timeout" => Taken::Timeout,
        "connect_timeout" => Taken::ConnectTimeout,
        "pool_idle_timeout" => Taken::PoolIdleTimeout,
        "proxy_url" => Taken::ProxyUrl,
        "s3_express" => return refused(Some(false), "is not done: there are no directory buckets"),
        "imdsv1_fallback" => {
            return refused(
                Some(false),
                "is not done: version 1 of the metadata service is never asked",
            );
        }
        "copy_if_not_exists" => return refused(None, "is not done: see S3Store::copies_if_absent"),
        "disable_tagging" => {
            return refused(Some(false), "is not done: leave tags out of what is put");
        }
        "disable_bulk_delete" => {
            return refused(Some(false), "is not done: objects are deleted many at once");
        }
        "request_payer" => {
            return refused(
                Some(false),
                "is not done: give the client a middleware that adds the field",
            );
        }
        "server_side_encryption" | "sse_kms_key_id" | "sse_customer_key_base64" => {
            return refused(None, ENCRYPTION);
        }
        "sse_bucket_key_enabled" => return refused(Some(false), ENCRYPTION),
        "allow_invalid_certificates" => {
            return refused(
                Some(false),
                "is not done: give the client a pool with tls_roots",
            );
        }
        "disable_system_certificates" => {
            return refused(
                Some(true),
                "is not done: give the client a pool with tls_platform_roots",
            );
        }
        "default_content_type" => return refused(None, "is not done: say it with what is put"),
        "http1_only" => return refused(Some(true), HTTP2),
        "http2_only" | "http2_keep_alive_while_idle" => return refused(Some(false), HTTP2),
        "http2_keep_alive_interval" | "http2_keep_alive_timeout" | "http2_max_frame_size" => {
            return refused(None, HTTP2);
        }
        "pool_max_idle_per_host" => {
            return refused(
                None,
                "is not done: give the client a pool with max_connections",
            );
        }
        "proxy_ca_certificate" | "proxy_excludes" => {
            return refused(None, "is not done: give the client a pool with a proxy");
        }
        "randomize_addresses" => {
            return refused(None, "is not done: a resolver chooses the addresses");
        }
        "read_timeout" => return refused(None, "is not done: see timeout, and the client's retry"),
        "user_agent" => {
            return refused(
                None,
                "is not done: give the client a middleware that adds the field",
            );
        }
        _ => return None,
    };
    Some(Ok(taken))
}

/// A flag, as `object_store` reads it.
pub(crate) fn yes_or_no(value: &str) -> Option<bool> {
    match value.to_ascii_lowercase().as_str() {
        "1" | "true" | "on" | "yes" | "y" => Some(true),
        "0" | "false" | "off" | "no" | "n" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_are_read_as_object_store_reads_them() {
        for yes in ["1", "true", "on", "yes", "y", "TRUE", "On"] {
            assert_eq!(yes_or_no(yes), Some(true), "{yes}");
        }
        for no in ["0", "false", "off", "no", "n", "False", "OFF"] {
            assert_eq!(yes_or_no(no), Some(false), "{no}");
        }
        for neither in ["", "2", "t", "f", "nope", " true"] {
            assert_eq!(yes_or_no(neither), None, "{neither:?}");
        }
    }
}
