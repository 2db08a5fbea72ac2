//! The variables and the settings of profiles that AWS has, and what becomes of each here.
//!
//! The names are those of the [settings reference of the
//! SDKs](https://docs.aws.amazon.com/sdkref/latest/guide/settings-reference.html), of botocore 1.44.8
//! (`configprovider.py`) and of the [command line](https://docs.aws.amazon.com/cli/latest/topic/config-vars.html).

/// What becomes of a setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Treatment {
    /// It is read here, by the client, or by the [providers of keys](crate::credentials).
    Heeded,
    /// It is passed over without a word, since it changes nothing that these clients do.
    Harmless,
    /// It would change something, and is passed over with this warning.
    Unsupported(&'static str),
    /// With the first text as its value it is what is done anyway; with another it is passed over with the second one
    /// as a warning.
    Only(&'static str, &'static str),
}

use Treatment::{Harmless, Heeded, Only, Unsupported};

const CHECKSUMS: &str = "a checksum goes with a request where its setter asks for one";
const METADATA: &str = "the provider Instance has a setter for that";
const ARNS: &str = "what is meant is named, not given by an ARN";
const TIMEOUTS: &str = "the builder has timeout(…), and a pool connect_timeout(…)";
const SIGV4A: &str = "Signature Version 4a is not done here";
const STS: &str = "the endpoint of the region is used, where one is known";
const COMPRESSION: &str = "requests are not compressed here";

/// Variables by their names.
const VARIABLES: &[(&str, Treatment)] = &[
    ("AWS_ACCESS_KEY_ID", Heeded),
    ("AWS_ACCOUNT_ID", Harmless),
    ("AWS_ACCOUNT_ID_ENDPOINT_MODE", Harmless),
    ("AWS_AUTH_SCHEME_PREFERENCE", Unsupported(SIGV4A)),
    ("AWS_CA_BUNDLE", Heeded),
    ("AWS_CONFIG_FILE", Heeded),
    ("AWS_CONTAINER_AUTHORIZATION_TOKEN", Heeded),
    ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", Heeded),
    ("AWS_CONTAINER_CREDENTIALS_FULL_URI", Heeded),
    ("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", Heeded),
    ("AWS_CREDENTIAL_EXPIRATION", Heeded),
    ("AWS_DATA_PATH", Harmless),
    ("AWS_DEFAULTS_MODE", Unsupported(TIMEOUTS)),
    ("AWS_DEFAULT_OUTPUT", Harmless),
    ("AWS_DEFAULT_PROFILE", Heeded),
    ("AWS_DEFAULT_REGION", Heeded),
    ("AWS_DISABLE_HOST_PREFIX_INJECTION", Harmless),
    ("AWS_DISABLE_REQUEST_COMPRESSION", Harmless),
    ("AWS_EC2_METADATA_DISABLED", Heeded),
    ("AWS_EC2_METADATA_SERVICE_ENDPOINT", Heeded),
    ("AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE", Heeded),
    // Version 1 of the metadata service is never asked.
    ("AWS_EC2_METADATA_V1_DISABLED", Harmless),
    ("AWS_ENABLE_ENDPOINT_DISCOVERY", Harmless),
    ("AWS_ENDPOINT", Unsupported("it is called AWS_ENDPOINT_URL")),
    ("AWS_ENDPOINT_URL", Heeded),
    ("AWS_ENDPOINT_URL_EC2", Heeded),
    ("AWS_ENDPOINT_URL_S3", Heeded),
    (
        "AWS_ENDPOINT_URL_SDB",
        Unsupported("it is called AWS_ENDPOINT_URL_SIMPLEDB"),
    ),
    ("AWS_ENDPOINT_URL_SIMPLEDB", Heeded),
    (
        "AWS_ENDPOINT_URL_SIMPLE_DB",
        Unsupported("it is called AWS_ENDPOINT_URL_SIMPLEDB"),
    ),
    ("AWS_ENDPOINT_URL_STS", Heeded),
    ("AWS_EXECUTION_ENV", Harmless),
    ("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", Heeded),
    (
        "AWS_IMDS_USE_IPV6",
        Only(
            "false",
            "it is called AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE, with the value IPv6",
        ),
    ),
    ("AWS_MAX_ATTEMPTS", Heeded),
    ("AWS_METADATA_SERVICE_NUM_ATTEMPTS", Unsupported(METADATA)),
    ("AWS_METADATA_SERVICE_TIMEOUT", Unsupported(METADATA)),
    ("AWS_NODEJS_CONNECTION_REUSE_ENABLED", Harmless),
    ("AWS_PAGER", Harmless),
    ("AWS_PROFILE", Heeded),
    ("AWS_REGION", Heeded),
    (
        "AWS_REQUEST_CHECKSUM_CALCULATION",
        Only("when_required", CHECKSUMS),
    ),
    (
        "AWS_REQUEST_MIN_COMPRESSION_SIZE_BYTES",
        Unsupported(COMPRESSION),
    ),
    (
        "AWS_RESPONSE_CHECKSUM_VALIDATION",
        Only("when_required", CHECKSUMS),
    ),
    ("AWS_RETRY_MODE", Heeded),
    ("AWS_ROLE_ARN", Heeded),
    ("AWS_ROLE_SESSION_NAME", Heeded),
    ("AWS_S3_DISABLE_EXPRESS_SESSION_AUTH", Harmless),
    ("AWS_S3_DISABLE_MULTIREGION_ACCESS_POINTS", Harmless),
    (
        "AWS_S3_FORCE_PATH_STYLE",
        Only(
            "false",
            "it is called AWS_S3_ADDRESSING_STYLE, with the value path",
        ),
    ),
    ("AWS_S3_USE_ARN_REGION", Only("false", ARNS)),
    ("AWS_S3_US_EAST_1_REGIONAL_ENDPOINT", Heeded),
    // Both files are always read.
    ("AWS_SDK_LOAD_CONFIG", Harmless),
    ("AWS_SDK_UA_APP_ID", Unsupported("no User-Agent is sent")),
    ("AWS_SECRET_ACCESS_KEY", Heeded),
    ("AWS_SECURITY_TOKEN", Heeded),
    // Of programs that hand keys on, which also set AWS_CREDENTIAL_EXPIRATION or renew them.
    ("AWS_SESSION_EXPIRATION", Harmless),
    ("AWS_SESSION_TOKEN", Heeded),
    ("AWS_SHARED_CREDENTIALS_FILE", Heeded),
    ("AWS_SIGV4A_SIGNING_REGION_SET", Unsupported(SIGV4A)),
    ("AWS_STS_REGIONAL_ENDPOINTS", Only("regional", STS)),
    ("AWS_USE_DUALSTACK_ENDPOINT", Heeded),
    ("AWS_USE_FIPS_ENDPOINT", Heeded),
    ("AWS_VAULT", Harmless),
    ("AWS_WEB_IDENTITY_TOKEN_FILE", Heeded),
];

/// How the names of variables begin that are nobody's here: endpoints of other services, tokens for them, settings of
/// the command line, and what a function of Lambda is told of itself.
const PREFIXES: &[&str] = &[
    "AWS_ENDPOINT_URL_",
    "AWS_BEARER_TOKEN_",
    "AWS_CLI_",
    "AWS_CSM_",
    "AWS_LAMBDA_",
    "AWS_LOGIN_",
    "AWS_SSO_",
    "AWS_XRAY_",
];

/// Settings of a profile.
const KEYS: &[(&str, Treatment)] = &[
    ("account_id_endpoint_mode", Harmless),
    ("api_versions", Harmless),
    ("auth_scheme_preference", Unsupported(SIGV4A)),
    ("aws_access_key_id", Heeded),
    ("aws_account_id", Harmless),
    ("aws_secret_access_key", Heeded),
    ("aws_security_token", Heeded),
    ("aws_session_token", Heeded),
    ("ca_bundle", Heeded),
    ("credential_process", Heeded),
    ("credential_source", Heeded),
    ("defaults_mode", Unsupported(TIMEOUTS)),
    ("disable_host_prefix_injection", Harmless),
    ("disable_request_compression", Harmless),
    ("duration_seconds", Heeded),
    ("ec2_metadata_service_endpoint", Heeded),
    ("ec2_metadata_service_endpoint_mode", Heeded),
    ("ec2_metadata_v1_disabled", Harmless),
    ("endpoint_discovery_enabled", Harmless),
    ("endpoint_url", Heeded),
    ("external_id", Heeded),
    ("ignore_configured_endpoint_urls", Heeded),
    (
        "imds_use_ipv6",
        Only(
            "false",
            "it is called ec2_metadata_service_endpoint_mode, with the value IPv6",
        ),
    ),
    ("login_session", Heeded),
    ("max_attempts", Heeded),
    ("metadata_service_num_attempts", Unsupported(METADATA)),
    ("metadata_service_timeout", Unsupported(METADATA)),
    ("mfa_serial", Heeded),
    ("output", Harmless),
    ("parameter_validation", Harmless),
    ("region", Heeded),
    (
        "request_checksum_calculation",
        Only("when_required", CHECKSUMS),
    ),
    (
        "request_min_compression_size_bytes",
        Unsupported(COMPRESSION),
    ),
    (
        "response_checksum_validation",
        Only("when_required", CHECKSUMS),
    ),
    ("retry_mode", Heeded),
    ("role_arn", Heeded),
    ("role_session_name", Heeded),
    ("s3", Heeded),
    ("s3_disable_express_session_auth", Harmless),
    ("s3_disable_multiregion_access_points", Harmless),
    ("s3_us_east_1_regional_endpoint", Heeded),
    ("s3_use_arn_region", Only("false", ARNS)),
    ("sdk_ua_app_id", Unsupported("no User-Agent is sent")),
    ("services", Heeded),
    ("sigv4a_signing_region_set", Unsupported(SIGV4A)),
    ("source_profile", Heeded),
    // Where they ask for single sign-on, the provider of profiles says that it is not done.
    ("sso_account_id", Heeded),
    ("sso_region", Harmless),
    ("sso_registration_scopes", Harmless),
    ("sso_role_name", Harmless),
    ("sso_session", Heeded),
    ("sso_start_url", Heeded),
    ("sts_regional_endpoints", Only("regional", STS)),
    (
        "tcp_keepalive",
        Unsupported("connections are kept as the pool says"),
    ),
    ("use_dualstack_endpoint", Heeded),
    ("use_fips_endpoint", Heeded),
    ("web_identity_token_file", Heeded),
];

/// What becomes of a variable; nothing is known of it where there is none. Only those that are AWS's are looked at.
pub(super) fn variable(name: &str) -> Option<Treatment> {
    if !name.starts_with("AWS_") {
        return Some(Harmless);
    }
    let of_prefix = PREFIXES.iter().any(|prefix| name.starts_with(prefix));
    find(VARIABLES, name).or(of_prefix.then_some(Harmless))
}

/// What becomes of a profile's setting.
pub(super) fn key(name: &str) -> Option<Treatment> {
    // The command line's own.
    let of_cli = name.starts_with("cli_") || name.starts_with("sdk_");
    find(KEYS, name).or(of_cli.then_some(Harmless))
}

/// Whether settings of one service are indented below this setting of a profile.
pub(super) fn has_settings_below(name: &str) -> bool {
    matches!(name, "s3" | "api_versions")
}

/// The row of a table that has this name.
pub(super) fn find(table: &[(&str, Treatment)], name: &str) -> Option<Treatment> {
    let row = table.iter().find(|(known, _)| *known == name)?;
    Some(row.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_in_order_and_name_each_once() {
        for table in [VARIABLES, KEYS] {
            let names: Vec<&str> = table.iter().map(|row| row.0).collect();
            let mut sorted = names.clone();
            sorted.sort_unstable();
            sorted.dedup();
            assert_eq!(names, sorted);
        }
    }

    #[test]
    fn whose_a_variable_is() {
        for (name, expected) in [
            ("AWS_REGION", Some(Heeded)),
            ("AWS_ENDPOINT_URL_DYNAMODB", Some(Harmless)),
            ("AWS_LAMBDA_FUNCTION_NAME", Some(Harmless)),
            ("PATH", Some(Harmless)),
            // What other programs set for themselves.
            ("AWS_VAULT", Some(Harmless)),
            ("AWS_SDK_LOAD_CONFIG", Some(Harmless)),
            ("AWS_SESSION_EXPIRATION", Some(Harmless)),
            ("AWS_NODEJS_CONNECTION_REUSE_ENABLED", Some(Harmless)),
            ("AWS_REGOIN", None),
        ] {
            assert_eq!(variable(name), expected, "{name}");
        }
        // Names that others have for what is called something else here.
        for (name, right) in [
            ("AWS_ENDPOINT_URL_SDB", "AWS_ENDPOINT_URL_SIMPLEDB"),
            ("AWS_ENDPOINT", "AWS_ENDPOINT_URL"),
            ("AWS_S3_FORCE_PATH_STYLE", "AWS_S3_ADDRESSING_STYLE"),
            (
                "AWS_IMDS_USE_IPV6",
                "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE",
            ),
        ] {
            let told = variable(name);
            assert!(
                matches!(told, Some(Unsupported(why) | Only(_, why)) if why.contains(right)),
                "{name}: {told:?}"
            );
        }
    }
}
