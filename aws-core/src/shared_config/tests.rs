//! What counts first, what is refused, and what is warned of; over variables and texts.

use super::files::Files;
use super::resolve::resolve;
use super::*;

use Treatment::{Harmless, Heeded, Only, Unsupported};

const S3: ServiceId = ServiceId {
    host: "s3",
    id: "S3",
    settings: &[
        ("addressing_style", Heeded),
        (
            "max_bandwidth",
            Unsupported("bandwidth is not limited here"),
        ),
        ("max_queue_size", Harmless),
        ("us_east_1_regional_endpoint", Heeded),
        ("use_accelerate_endpoint", Heeded),
        ("use_arn_region", Only("false", "buckets have names")),
    ],
};
const SIMPLEDB: ServiceId = ServiceId {
    host: "sdb",
    id: "SIMPLEDB",
    settings: &[],
};
const EC2: ServiceId = ServiceId {
    host: "ec2",
    id: "EC2",
    settings: &[],
};

type Vars = [(&'static str, &'static str)];

fn read(service: ServiceId, vars: &Vars, credentials: &str, config: &str) -> Result<SharedConfig> {
    let variables = vars.iter().copied().collect();
    resolve(&variables, &Files::of(credentials, config), service)
}

fn s3(vars: &Vars, config: &str) -> SharedConfig {
    read(S3, vars, "", config).unwrap()
}

fn refused(vars: &Vars, config: &str) -> String {
    let error = read(S3, vars, "", config).unwrap_err();
    assert_eq!(error.kind(), crate::Kind::Invalid);
    format!("{error} {error:?}")
}

const FILE: &str = "[default]\nregion = eu-north-1\n[profile work]\nregion = eu-west-2\n";

#[test]
fn the_region_is_of_the_variables_then_of_the_profile() {
    let both = "[work]\nregion = eu-west-3\n";
    let table: &[(&Vars, &str, Option<&str>)] = &[
        (&[], "", Some("eu-north-1")),
        (&[("AWS_PROFILE", "work")], "", Some("eu-west-2")),
        (&[("AWS_DEFAULT_PROFILE", "work")], "", Some("eu-west-2")),
        // The file of credentials comes before the other.
        (&[("AWS_PROFILE", "work")], both, Some("eu-west-3")),
        (
            &[("AWS_DEFAULT_REGION", "eu-west-4")],
            both,
            Some("eu-west-4"),
        ),
        (
            &[
                ("AWS_DEFAULT_REGION", "eu-west-4"),
                ("AWS_REGION", "eu-west-5"),
            ],
            both,
            Some("eu-west-5"),
        ),
        (&[("AWS_REGION", "")], "", Some("eu-north-1")),
    ];
    for (vars, credentials, expected) in table {
        let config = read(S3, vars, credentials, FILE).unwrap();
        assert_eq!(config.region.as_deref(), *expected, "{vars:?}");
        assert!(config.warnings().is_empty(), "{:?}", config.warnings());
    }
    assert_eq!(read(S3, &[], "", "").unwrap(), SharedConfig::default());
}

#[test]
fn an_empty_setting_is_as_none_and_a_long_one_is_bounded() {
    let empty = read(S3, &[], "[default]\nregion =\n", FILE).unwrap();
    assert_eq!(empty.region.as_deref(), Some("eu-north-1"));
    let of = |n: usize| format!("[default]\nregion = {}\n", "r".repeat(n));
    assert_eq!(s3(&[], &of(64)).region.map(|region| region.len()), Some(64));
    assert!(refused(&[], &of(65)).contains("1 to 64 letters"));
}

#[test]
#[cfg(unix)]
fn a_home_that_is_no_folder_has_no_files() {
    let variables = Variables::from_iter([("HOME", "/dev/null"), ("AWS_REGION", "eu-west-1")]);
    let config = SharedConfig::load(&variables, S3).unwrap();
    assert_eq!(config.region.as_deref(), Some("eu-west-1"));
    let asked = variables.with("AWS_CONFIG_FILE", "/dev/null/config");
    let error = SharedConfig::load(&asked, S3).unwrap_err().to_string();
    assert!(error.contains("AWS_CONFIG_FILE"), "{error}");
}

/// Takes away the first place that says an endpoint, one after the other.
#[test]
fn the_endpoint_is_of_four_places_in_this_order() {
    let mut vars = vec![
        ("AWS_ENDPOINT_URL_S3", "http://first"),
        ("AWS_ENDPOINT_URL", "http://second"),
    ];
    let services = "[services mine]\ns3 =\n  endpoint_url = http://third\nsimpledb =\n  endpoint_url = http://third-sdb\n";
    let config = format!("[default]\nservices = mine\nendpoint_url = http://fourth\n{services}");
    let endpoint = |service, vars: &[_], text: &str| {
        let variables = vars.iter().copied().collect();
        resolve(&variables, &Files::of("", text), service)
            .unwrap()
            .endpoint
    };
    let of_s3 = |vars: &[_], text: &str| endpoint(S3, vars, text);
    assert_eq!(of_s3(&vars, &config).as_deref(), Some("http://first"));
    let of_sdb = endpoint(SIMPLEDB, &vars, &config);
    assert_eq!(
        of_sdb.as_deref(),
        Some("http://second"),
        "the first is S3's alone"
    );
    vars.remove(0);
    assert_eq!(of_s3(&vars, &config).as_deref(), Some("http://second"));
    vars.clear();
    assert_eq!(of_s3(&vars, &config).as_deref(), Some("http://third"));
    let of_sdb = endpoint(SIMPLEDB, &vars, &config);
    assert_eq!(of_sdb.as_deref(), Some("http://third-sdb"));
    let of_ec2 = endpoint(EC2, &vars, &config);
    assert_eq!(
        of_ec2.as_deref(),
        Some("http://fourth"),
        "the section has none of EC2's"
    );
    let without = "[default]\nendpoint_url = http://fourth\n";
    assert_eq!(of_s3(&vars, without).as_deref(), Some("http://fourth"));
    assert_eq!(of_s3(&vars, ""), None);
}

#[test]
fn configured_endpoints_can_be_turned_off() {
    let vars = [
        ("AWS_ENDPOINT_URL_S3", "http://a"),
        ("AWS_ENDPOINT_URL", "http://b"),
    ];
    let off = ("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true");
    let on = ("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "False");
    let file = "[default]\nendpoint_url = http://c\nignore_configured_endpoint_urls = true\n";
    assert_eq!(s3(&[vars[0], vars[1], off], "").endpoint, None);
    assert_eq!(s3(&vars, file).endpoint, None);
    let found = s3(&[vars[0], on], file).endpoint;
    assert_eq!(
        found.as_deref(),
        Some("http://a"),
        "the variable comes before the profile"
    );
}

#[test]
fn the_rest_is_of_the_variable_then_of_the_profile() {
    let file = "[default]\nuse_fips_endpoint = true\nuse_dualstack_endpoint = TRUE\nmax_attempts = 7\n\
                retry_mode = adaptive\nca_bundle = ~/roots.pem\n";
    let config = s3(&[("HOME", "/home/ann")], file);
    assert_eq!((config.fips, config.dual_stack), (Some(true), Some(true)));
    assert_eq!(
        (config.max_attempts, config.adaptive),
        (Some(7), Some(true))
    );
    assert_eq!(config.ca_bundle, Some("/home/ann/roots.pem".into()));
    let vars = [
        ("AWS_USE_FIPS_ENDPOINT", "false"),
        ("AWS_USE_DUALSTACK_ENDPOINT", "false"),
        ("AWS_MAX_ATTEMPTS", "2"),
        ("AWS_RETRY_MODE", "Standard"),
        ("AWS_CA_BUNDLE", "/etc/roots.pem"),
    ];
    let config = s3(&vars, file);
    assert_eq!((config.fips, config.dual_stack), (Some(false), Some(false)));
    assert_eq!(
        (config.max_attempts, config.adaptive),
        (Some(2), Some(false))
    );
    assert_eq!(config.ca_bundle, Some("/etc/roots.pem".into()));
    assert!(config.warnings().is_empty(), "{:?}", config.warnings());
}

#[test]
fn what_is_of_one_service_alone_is_of_three_places_in_this_order() {
    let below = "s3 =\n  us_east_1_regional_endpoint = third\n  addressing_style = path\n  max_queue_size = 9\n";
    let own = |vars: &Vars, file: &str, name: &str| {
        let config = s3(vars, file);
        assert!(config.warnings().is_empty(), "{:?}", config.warnings());
        config.own(name).map(|said| said.text().to_owned())
    };
    let name = "us_east_1_regional_endpoint";
    let vars = [("AWS_S3_US_EAST_1_REGIONAL_ENDPOINT", "first")];
    let file = format!("[default]\ns3_us_east_1_regional_endpoint = second\n{below}");
    assert_eq!(own(&vars, &file, name).as_deref(), Some("first"));
    assert_eq!(own(&[], &file, name).as_deref(), Some("second"));
    let file = format!("[default]\n{below}");
    assert_eq!(own(&[], &file, name).as_deref(), Some("third"));
    assert_eq!(own(&[], &file, "addressing_style").as_deref(), Some("path"));
    assert_eq!(own(&[], &file, "max_queue_size"), None, "it is not heeded");
    let vars_of_ours = [("AWS_S3_ADDRESSING_STYLE", "virtual")];
    assert_eq!(
        own(&vars_of_ours, &file, "addressing_style").as_deref(),
        Some("virtual")
    );
    let sdb = read(SIMPLEDB, &vars, "", &file).unwrap();
    assert_eq!((sdb.own(name), sdb.warnings()), (None, &[][..]));
}

#[test]
fn a_value_that_cannot_be_read_is_an_error_that_names_its_setting_only() {
    for name in [
        "AWS_ENDPOINT_URL",
        "AWS_ENDPOINT_URL_S3",
        "AWS_ENDPOINT_URL_STS",
        "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
        "AWS_MAX_ATTEMPTS",
        "AWS_REGION",
        "AWS_DEFAULT_REGION",
        "AWS_RETRY_MODE",
        "AWS_USE_DUALSTACK_ENDPOINT",
        "AWS_USE_FIPS_ENDPOINT",
    ] {
        let why = refused(&[(name, "hidden/secret")], "");
        assert!(why.contains(name) && !why.contains("hidden"), "{why}");
    }
    for name in [
        "endpoint_url",
        "ignore_configured_endpoint_urls",
        "max_attempts",
        "region",
        "retry_mode",
        "use_dualstack_endpoint",
        "use_fips_endpoint",
    ] {
        let why = refused(&[], &format!("[default]\n{name} = hidden/secret\n"));
        let named = why.contains(&format!("{name} of the profile default"));
        assert!(named && !why.contains("hidden"), "{why}");
    }
    let file = "[default]\ns3 =\n  addressing_style = hidden\n";
    let config = s3(&[], file);
    let said = config.own("addressing_style").unwrap();
    for error in [
        said.boolean().unwrap_err(),
        said.one_of(&["path"]).unwrap_err(),
    ] {
        let why = format!("{error} {error:?} {said:?} {config:?}");
        let named = why.contains("addressing_style below s3 of the profile default");
        assert!(named && !why.contains("hidden"), "{why}");
    }
    for (name, value) in [("AWS_MAX_ATTEMPTS", "0"), ("AWS_MAX_ATTEMPTS", "-1")] {
        assert!(refused(&[(name, value)], "").contains("from 1 on"));
    }
}

#[test]
fn what_a_name_stands_for_has_to_be_there() {
    let why = refused(&[("AWS_PROFILE", "wrok")], FILE);
    assert!(why.contains("there is no profile wrok"), "{why}");
    let why = refused(&[], "[default]\nservices = mine\n[services other]\n");
    assert!(why.contains("[services mine]"), "{why}");
    let vars = [("AWS_PROFILE", "a"), ("AWS_DEFAULT_PROFILE", "b")];
    assert!(refused(&vars, FILE).contains("AWS_DEFAULT_PROFILE"));
    let why = refused(&[], "[default]\nhidden-word\n");
    assert!(
        why.contains("config, line 2") && !why.contains("hidden"),
        "{why}"
    );
}

#[test]
fn what_is_not_heeded_is_warned_of_by_its_name() {
    let vars = [
        ("AWS_REGOIN", "hidden"),
        ("AWS_ENDPOINT", "hidden"),
        ("AWS_ENDPOINT_URL_SDB", "hidden"),
        ("AWS_RETRY_MODE", "legacy"),
        ("AWS_S3_USE_ARN_REGION", "true"),
        // Without effect here, or as it is done anyway.
        ("AWS_ENDPOINT_URL_DYNAMODB", "hidden"),
        ("AWS_PAGER", "hidden"),
        ("AWS_REQUEST_CHECKSUM_CALCULATION", "WHEN_REQUIRED"),
        ("AWS_STS_REGIONAL_ENDPOINTS", "regional"),
        ("AWS_S3_FORCE_PATH_STYLE", "false"),
        ("AWS_IMDS_USE_IPV6", "false"),
    ];
    let file = "[default]\nregoin = hidden\nsts_regional_endpoints = legacy\ncli_pager = hidden\noutput = text\n\
                s3 =\n  max_bandwidth = 1MB/s\n  addressing_stlye = hidden\n  max_queue_size = 9\n\
                region = eu-west-1\n  hidden = hidden\nservices = mine\n\
                [services mine]\nsdb =\n  endpoint_url = http://hidden\ns3 =\n  region = hidden\n\
                [profile other]\nnobody = asks\n";
    let config = s3(&vars, file);
    let expected = [
        "AWS_ENDPOINT: is not heeded here: it is called AWS_ENDPOINT_URL",
        "AWS_ENDPOINT_URL_SDB: is not heeded here: it is called AWS_ENDPOINT_URL_SIMPLEDB",
        "AWS_REGOIN: is not known here, and passed over",
        "AWS_RETRY_MODE: legacy is not done here, and standard is used in its place",
        "AWS_S3_USE_ARN_REGION: is not heeded here: what is meant is named, not given by an ARN",
        "config, line 11: region: what is indented below it is passed over",
        "config, line 17: only endpoint_url is known below the name of a service",
        "config, line 2: regoin: is not known here, and passed over",
        "config, line 3: sts_regional_endpoints: is not heeded here: the endpoint of the region is used, where one is \
         known",
        "config, line 7: max_bandwidth below s3: is not heeded here: bandwidth is not limited here",
        "config, line 8: addressing_stlye below s3: is not known here, and passed over",
    ];
    let mut warnings = config.warnings().to_vec();
    warnings.sort();
    assert_eq!(warnings, expected);
    assert!(!format!("{config:?}").contains("hidden"));
    let sdb = read(SIMPLEDB, &[], "", file).unwrap();
    let named = "config, line 14: the service is called simpledb here".to_owned();
    assert!(sdb.warnings().contains(&named), "{:?}", sdb.warnings());
}

#[test]
fn providers_of_keys_follow_the_profile() {
    let file = "[default]\nregion = eu-west-1\nuse_fips_endpoint = true\nservices = mine\n\
                ec2_metadata_service_endpoint_mode = IPv6\nec2_metadata_service_endpoint = http://m\n\
                [services mine]\nsts =\n  endpoint_url = http://sts\n";
    let seen = |vars: &Vars, file: &str, name: &str| {
        let variables: Variables = vars.iter().copied().collect();
        let config = resolve(&variables, &Files::of("", file), S3).unwrap();
        config
            .for_providers(&variables)
            .get(name)
            .map(str::to_owned)
    };
    let (sts, all) = ("AWS_ENDPOINT_URL_STS", "AWS_ENDPOINT_URL");
    for (name, value) in [
        ("AWS_REGION", "eu-west-1"),
        ("AWS_USE_FIPS_ENDPOINT", "true"),
        ("AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://m"),
        ("AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE", "IPv6"),
        (sts, "http://sts"),
    ] {
        assert_eq!(seen(&[], file, name).as_deref(), Some(value), "{name}");
    }
    // The Security Token Service has no endpoint of that name.
    let global = "[default]\nregion = aws-global\n";
    assert_eq!(seen(&[], global, "AWS_REGION"), None);
    let own = ("AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://own");
    assert_eq!(seen(&[own], file, own.0).as_deref(), Some(own.1));
    // The variable for all services comes before the section.
    assert_eq!(
        seen(&[(all, "http://all")], file, sts).as_deref(),
        Some("http://all")
    );
    let off = [
        (all, "http://all"),
        (sts, "http://s"),
        ("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true"),
    ];
    assert_eq!((seen(&off, "", sts), seen(&off, "", all)), (None, None));
}
