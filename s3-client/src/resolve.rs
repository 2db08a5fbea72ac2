//! What a builder was told, and after that what the environment says, made into where requests go and how.
//!
//! *Problem:* Settings come from code, variables and files, and some exclude each other. *Decision:* One function takes
//! them as values and gives the place; what excludes each other is an error, by the same rules as in the [rule set of
//! S3's endpoints](https://github.com/boto/botocore/tree/develop/botocore/data/s3/2006-03-01) of the SDKs. *Cost:* A
//! profile that is for Amazon and for a store of one's own by turns has to turn FIPS and the like off where it names an
//! endpoint.

use aws_core::shared_config::{SettingValue, SharedConfig, Variant};
use aws_core::{Endpoint, Error, Result};

use crate::amazon::{GLOBAL, accelerated_endpoint_of, endpoint_of, signed_region};
use crate::route::Addressing;
use crate::sign::Signature;
use crate::sign::hosts::{region_in, region_of};

/// The region to sign for before a store was asked: the one that was said, or that of the host.
pub(crate) fn signing_region<'a>(endpoint: &'a Endpoint, said: Option<&'a str>) -> &'a str {
    let host = endpoint.origin().host();
    // The hosts of others have one region; at Amazon any endpoint may be asked for what is elsewhere.
    match (region_of(host), said) {
        (Some(told), None) => told,
        (Some(told), Some(_)) if !endpoint.is_amazon() => told,
        (_, Some(said)) => said,
        (None, None) => region_in(host).unwrap_or("us-east-1"),
    }
}

/// What a builder was told; nothing where it was not.
#[derive(Debug, Default)]
pub(crate) struct Told {
    pub(crate) endpoint: Option<String>,
    pub(crate) region: Option<String>,
    pub(crate) fips: Option<bool>,
    pub(crate) dual_stack: Option<bool>,
    pub(crate) accelerate: Option<bool>,
    pub(crate) addressing: Option<Addressing>,
    pub(crate) signature: Option<Signature>,
    pub(crate) sign_bodies: Option<bool>,
}

/// Where requests go, and how.
#[derive(Debug)]
pub(crate) struct Chosen {
    pub(crate) endpoint: Endpoint,
    /// Where requests about buckets go that can be asked there.
    pub(crate) accelerated: Option<Endpoint>,
    /// The region to sign for, where one was said.
    pub(crate) region: Option<String>,
    pub(crate) addressing: Addressing,
    /// The signature that was asked for.
    pub(crate) signature: Option<Signature>,
    pub(crate) sign_bodies: bool,
}

impl Told {
    /// Takes from the environment what the builder was not told.
    ///
    /// # Errors
    /// When there is neither an endpoint nor a region, one of them cannot be read, or two settings exclude each other.
    pub(crate) fn choose(self, config: SharedConfig) -> Result<Chosen> {
        let flag = |told: Option<bool>, name| match told {
            Some(_) => Ok(told),
            None => config.own(name).map(SettingValue::boolean).transpose(),
        };
        let accelerate = flag(self.accelerate, "use_accelerate_endpoint")?.unwrap_or(false);
        // Below `s3 =` it is the older setting, which comes before that for all services in botocore.
        let dual_stack = flag(self.dual_stack, "use_dualstack_endpoint")?.or(config.dual_stack);
        let variant = Variant::new(
            self.fips.or(config.fips).unwrap_or(false),
            dual_stack.unwrap_or(false),
        );
        let addressing = match (self.addressing, config.own("addressing_style")) {
            (Some(told), _) => told,
            (None, None) => Addressing::default(),
            (None, Some(style)) => match style.one_of(&["auto", "path", "virtual"])? {
                "path" => Addressing::Path,
                "virtual" => Addressing::VirtualHost,
                _ => Addressing::Auto,
            },
        };
        let legacy = match config.own("us_east_1_regional_endpoint") {
            Some(said) => said.one_of(&["regional", "legacy"])? == "legacy",
            None => false,
        };
        let version = config.own("signature_version");
        let version = version
            .map(|said| said.one_of(&["s3", "s3v4"]))
            .transpose()?;
        let sign_bodies = flag(self.sign_bodies, "payload_signing_enabled")?.unwrap_or(true);
        let region = self.region.or(config.region);
        let (url, accelerated) = match (self.endpoint.or(config.endpoint), &region) {
            (Some(url), _) => {
                for (said, what) in [
                    (variant.fips, "FIPS (fips(…), AWS_USE_FIPS_ENDPOINT)"),
                    (
                        variant.dual_stack,
                        "dual stack (dual_stack(…), AWS_USE_DUALSTACK_ENDPOINT)",
                    ),
                    (
                        accelerate,
                        "transfer acceleration (accelerate(…), AWS_S3_USE_ACCELERATE_ENDPOINT)",
                    ),
                ] {
                    if said {
                        return Err(Error::invalid(format!(
                            "{what} chooses among Amazon's endpoints, and an endpoint of its own is set: leave one of them out"
                        )));
                    }
                }
                (url, None)
            }
            (None, Some(region)) => {
                if accelerate && addressing == Addressing::Path {
                    return Err(Error::invalid(
                        "transfer acceleration needs the bucket in the host, and addressing by path is set",
                    ));
                }
                let accelerated = accelerate.then(|| accelerated_endpoint_of(region, variant));
                let oldest = legacy && region == "us-east-1";
                let url = endpoint_of(if oldest { GLOBAL } else { region }, variant)?;
                (url, accelerated.transpose()?)
            }
            (None, None) => {
                return Err(Error::invalid(
                    "no endpoint and no region is set: give the builder one, or set AWS_REGION, AWS_ENDPOINT_URL or a \
                     profile with a region and have the builder read the environment by from_env()",
                ));
            }
        };
        let endpoint = Endpoint::parse(&url)?;
        let region = region.map(|region| signed_region(&region).to_owned());
        let host = endpoint.origin().host();
        let v4 = || {
            let named = region.as_deref().or_else(|| region_in(host));
            Signature::v4(named.unwrap_or("us-east-1"))
        };
        let of_files = version.map(|version| match version {
            "s3" => Signature::V2,
            _ => v4(),
        });
        Ok(Chosen {
            signature: self.signature.or(of_files),
            accelerated: accelerated.map(|url| Endpoint::parse(&url)).transpose()?,
            endpoint,
            region,
            addressing,
            sign_bodies,
        })
    }
}

#[cfg(all(test, feature = "tls"))]
#[allow(
    clippy::unwrap_used,
    reason = "this is test code outside of a test function"
)]
mod tests {
    use aws_core::shared_config::Variables;

    use super::*;
    use crate::amazon::S3;

    /// What variables say, and a file of settings.
    fn config(vars: &[(&str, &str)], file: &str) -> SharedConfig {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config");
        std::fs::write(&path, file).unwrap();
        let variables: Variables = vars.iter().copied().collect();
        let variables = variables.with("AWS_CONFIG_FILE", path.to_str().unwrap());
        SharedConfig::load(&variables, S3).unwrap()
    }

    fn url(told: Told, config: SharedConfig) -> String {
        let chosen = told.choose(config).unwrap();
        chosen.endpoint.origin().to_string()
    }

    #[test]
    fn code_comes_before_the_environment() {
        let file = "[default]\nregion = eu-west-1\nendpoint_url = http://profile\nuse_fips_endpoint = true\ns3 =\n  \
                    addressing_style = path\n  payload_signing_enabled = false\n  signature_version = s3\n";
        let told = Told {
            endpoint: Some("http://code".to_owned()),
            region: Some("eu-west-2".to_owned()),
            fips: Some(false),
            addressing: Some(Addressing::VirtualHost),
            sign_bodies: Some(true),
            signature: Some(Signature::v4("eu-west-3")),
            ..Told::default()
        };
        let chosen = told.choose(config(&[], file)).unwrap();
        assert_eq!(chosen.endpoint.origin().to_string(), "http://code");
        assert_eq!(chosen.region.as_deref(), Some("eu-west-2"));
        assert_eq!(chosen.addressing, Addressing::VirtualHost);
        assert_eq!(chosen.signature, Some(Signature::v4("eu-west-3")));
        assert!(chosen.sign_bodies);
        let told = Told {
            fips: Some(false),
            ..Told::default()
        };
        let chosen = told.choose(config(&[], file)).unwrap();
        assert_eq!(chosen.endpoint.origin().to_string(), "http://profile");
        assert_eq!(chosen.region.as_deref(), Some("eu-west-1"));
        assert_eq!(chosen.addressing, Addressing::Path);
        assert_eq!(chosen.signature, Some(Signature::V2));
        assert!(!chosen.sign_bodies);
    }

    #[test]
    fn a_region_alone_gives_amazons_endpoint() {
        let told = |region: &str| Told {
            region: Some(region.to_owned()),
            ..Told::default()
        };
        for (region, host, signed_for) in [
            (
                "eu-west-1",
                "https://s3.eu-west-1.amazonaws.com",
                "eu-west-1",
            ),
            (
                "cn-north-1",
                "https://s3.cn-north-1.amazonaws.com.cn",
                "cn-north-1",
            ),
            (
                "eusc-de-east-1",
                "https://s3.eusc-de-east-1.amazonaws.eu",
                "eusc-de-east-1",
            ),
            ("aws-global", "https://s3.amazonaws.com", "us-east-1"),
        ] {
            let chosen = told(region).choose(SharedConfig::default()).unwrap();
            assert_eq!(chosen.endpoint.origin().to_string(), host);
            assert_eq!(chosen.region.as_deref(), Some(signed_for), "{region}");
            assert_eq!(chosen.signature, None, "the host tells");
        }
        let said = [
            ("AWS_REGION", "us-east-1"),
            ("AWS_USE_FIPS_ENDPOINT", "true"),
        ];
        let fips = url(Told::default(), config(&said, ""));
        assert_eq!(fips, "https://s3-fips.us-east-1.amazonaws.com");
        let legacy = ("AWS_S3_US_EAST_1_REGIONAL_ENDPOINT", "legacy");
        let oldest = url(Told::default(), config(&[said[0], legacy], ""));
        assert_eq!(oldest, "https://s3.amazonaws.com");
        let elsewhere = url(told("us-east-2"), config(&[legacy], ""));
        assert_eq!(elsewhere, "https://s3.us-east-2.amazonaws.com");
    }

    #[test]
    fn a_region_beside_an_endpoint_of_others_says_nothing_of_the_signature() {
        let told = Told {
            region: Some("garage".to_owned()),
            endpoint: Some("http://store.example".to_owned()),
            ..Told::default()
        };
        let chosen = told.choose(SharedConfig::default()).unwrap();
        assert_eq!(
            (chosen.signature, chosen.region.as_deref()),
            (None, Some("garage"))
        );
    }

    #[test]
    fn acceleration_is_for_buckets() {
        let file = "[default]\nregion = eu-west-1\ns3 =\n  use_accelerate_endpoint = true\n";
        let chosen = Told::default().choose(config(&[], file)).unwrap();
        assert_eq!(
            chosen.endpoint.origin().host(),
            "s3.eu-west-1.amazonaws.com"
        );
        let accelerated = chosen.accelerated.unwrap();
        assert_eq!(accelerated.origin().host(), "s3-accelerate.amazonaws.com");
        let off = Told {
            accelerate: Some(false),
            ..Told::default()
        };
        assert!(off.choose(config(&[], file)).unwrap().accelerated.is_none());
    }

    #[test]
    fn the_older_setting_of_dual_stack_comes_first() {
        let file = "[default]\nregion = eu-west-1\ns3 =\n  use_dualstack_endpoint = true\n";
        let off = config(&[("AWS_USE_DUALSTACK_ENDPOINT", "false")], file);
        assert_eq!(
            url(Told::default(), off),
            "https://s3.dualstack.eu-west-1.amazonaws.com"
        );
        let told = Told {
            dual_stack: Some(false),
            ..Told::default()
        };
        assert_eq!(
            url(told, config(&[], file)),
            "https://s3.eu-west-1.amazonaws.com"
        );
    }

    #[test]
    fn values_that_cannot_be_read_are_named_and_not_shown() {
        for name in [
            "addressing_style",
            "payload_signing_enabled",
            "signature_version",
            "us_east_1_regional_endpoint",
            "use_accelerate_endpoint",
            "use_dualstack_endpoint",
        ] {
            let file = format!("[default]\nregion = eu-west-1\ns3 =\n  {name} = hidden\n");
            let error = Told::default().choose(config(&[], &file)).unwrap_err();
            let shown = format!("{error} {error:?}");
            assert!(shown.contains(name) && !shown.contains("hidden"), "{shown}");
        }
    }

    #[test]
    fn what_excludes_each_other_is_refused() {
        let refused =
            |told: Told, config: SharedConfig| told.choose(config).unwrap_err().to_string();
        let mut with_endpoint = SharedConfig::default();
        with_endpoint.endpoint = Some("http://store.example".to_owned());
        for (set, said) in [
            (
                Told {
                    fips: Some(true),
                    ..Told::default()
                },
                "FIPS",
            ),
            (
                Told {
                    dual_stack: Some(true),
                    ..Told::default()
                },
                "dual stack",
            ),
            (
                Told {
                    accelerate: Some(true),
                    ..Told::default()
                },
                "acceleration",
            ),
        ] {
            let why = refused(set, with_endpoint.clone());
            assert!(why.contains(said), "{why}");
        }
        let file = "[default]\nregion = eu-west-1\ns3 =\n  use_accelerate_endpoint = true\n  \
                    addressing_style = path\n";
        assert!(refused(Told::default(), config(&[], file)).contains("by path"));
        let nothing = refused(Told::default(), SharedConfig::default());
        assert!(
            nothing.contains("AWS_REGION") && nothing.contains("from_env"),
            "{nothing}"
        );
        let mut of_others = SharedConfig::default();
        of_others.region = Some("garage".to_owned());
        let why = refused(Told::default(), of_others);
        assert!(
            why.contains("garage") && why.contains("AWS_ENDPOINT_URL"),
            "{why}"
        );
    }
}
