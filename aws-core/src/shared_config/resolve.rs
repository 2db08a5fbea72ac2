//! From variables and the texts of files to settings: the order in which they count, and what each value may be.

use super::SharedConfig;
use super::files::{Files, Sections, expand, profile_asked};
use super::ini::Entry;
use super::known::{self, Treatment};
use super::partition::{STS, ServiceId};
use super::setting::SettingValue;
use super::variables::Variables;
use crate::credentials::VariableLookup;
use crate::error::{Error, Result};

/// What variables and files say for a service.
pub(super) fn resolve(
    variables: &Variables,
    files: &Files,
    service: ServiceId,
) -> Result<SharedConfig> {
    let sources = Sources::new(variables, files)?;
    let lookup = VariableLookup::of(variables.clone());
    let flag = |variable, key| -> Result<Option<bool>> {
        let said = sources.either(variable, key);
        said.map(|said| said.boolean()).transpose()
    };
    let region = sources
        .variable("AWS_REGION")
        .or_else(|| sources.variable("AWS_DEFAULT_REGION"))
        .or_else(|| sources.key("region"));
    let attempts = sources.either("AWS_MAX_ATTEMPTS", "max_attempts");
    let ca_bundle = sources.either("AWS_CA_BUNDLE", "ca_bundle");
    let ca_bundle = ca_bundle.map(|said| expand(&lookup, said.name(), said.text()));
    let mut config = SharedConfig {
        region: region.map(|said| said.region()).transpose()?,
        endpoint: sources.endpoint(service)?,
        fips: flag("AWS_USE_FIPS_ENDPOINT", "use_fips_endpoint")?,
        dual_stack: flag("AWS_USE_DUALSTACK_ENDPOINT", "use_dualstack_endpoint")?,
        max_attempts: attempts.map(|said| said.count()).transpose()?,
        ca_bundle: ca_bundle.transpose()?,
        sts: sources.endpoint(STS)?,
        ..SharedConfig::default()
    };
    if let Some(mode) = sources.either("AWS_RETRY_MODE", "retry_mode") {
        let legacy = "legacy is not done here, and standard is used in its place";
        match mode.one_of(&["standard", "adaptive", "legacy"])? {
            "legacy" => config.warn(format!("{}: {legacy}", mode.name())),
            mode => config.adaptive = Some(mode == "adaptive"),
        }
    }
    for (name, treatment) in service.settings {
        let said = sources.own(service, name);
        let said = said.filter(|_| *treatment == Treatment::Heeded);
        config.own.extend(said.map(|said| (*name, said)));
    }
    let flags = [
        ("AWS_USE_FIPS_ENDPOINT", config.fips),
        ("AWS_USE_DUALSTACK_ENDPOINT", config.dual_stack),
    ];
    let said = flags
        .into_iter()
        .filter_map(|(name, said)| Some((name, said?.to_string())));
    config.for_providers.extend(said);
    for (variable, key) in [
        (
            "AWS_EC2_METADATA_SERVICE_ENDPOINT",
            "ec2_metadata_service_endpoint",
        ),
        (
            "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE",
            "ec2_metadata_service_endpoint_mode",
        ),
    ] {
        if let (None, Some(said)) = (variables.get(variable), sources.key(key)) {
            let value = said.text().to_owned();
            config.for_providers.push((variable, value));
        }
    }
    sources.warn_of_others(service, &mut config);
    Ok(config)
}

/// Where settings are looked for.
struct Sources<'a> {
    variables: &'a Variables,
    name: String,
    profile: Sections,
    /// The section that the profile's `services` names.
    services: Sections,
}

impl<'a> Sources<'a> {
    fn new(variables: &'a Variables, files: &Files) -> Result<Self> {
        let asked = profile_asked(&VariableLookup::of(variables.clone()))?;
        let name = asked.clone().unwrap_or_else(|| "default".to_owned());
        let profile = files.profile(&name)?;
        if profile.is_empty() && asked.is_some() {
            return Err(Error::invalid(files.lack(&name)));
        }
        let services = match profile.get("services") {
            Some(section) => {
                let found = files.services(section)?;
                if found.is_empty() {
                    return Err(Error::invalid(format!(
                        "the profile {name} names the services {section}, and there is no section [services {section}]"
                    )));
                }
                found
            }
            None => Sections::default(),
        };
        Ok(Self {
            variables,
            name,
            profile,
            services,
        })
    }

    fn variable(&self, name: &str) -> Option<SettingValue> {
        Some(SettingValue::new(
            self.variables.get(name)?,
            name.to_owned(),
        ))
    }

    /// A setting of the profile.
    fn key(&self, name: &str) -> Option<SettingValue> {
        let by = format!("{name} of the profile {}", self.name);
        Some(SettingValue::new(self.profile.get(name)?, by))
    }

    /// A setting of one service alone.
    fn own(&self, service: ServiceId, name: &str) -> Option<SettingValue> {
        let small = service.id.to_ascii_lowercase();
        let variable = format!("AWS_{}_{}", service.id, name.to_ascii_uppercase());
        let nested = || {
            let value = self.profile.nested(&small, name)?;
            let by = format!("{name} below {small} of the profile {}", self.name);
            Some(SettingValue::new(value, by))
        };
        self.either(&variable, &format!("{small}_{name}"))
            .or_else(nested)
    }

    fn either(&self, variable: &str, key: &str) -> Option<SettingValue> {
        self.variable(variable).or_else(|| self.key(key))
    }

    /// The endpoint of a service: [service-specific
    /// endpoints](https://docs.aws.amazon.com/sdkref/latest/guide/feature-ss-endpoints.html).
    fn endpoint(&self, service: ServiceId) -> Result<Option<String>> {
        let ignored = self.either(
            "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
            "ignore_configured_endpoint_urls",
        );
        if ignored.map(|said| said.boolean()).transpose()? == Some(true) {
            return Ok(None);
        }
        let name = service.id.to_ascii_lowercase();
        let of_services = || {
            let value = self.services.nested(&name, "endpoint_url")?;
            let by = format!(
                "endpoint_url below {name} of the services of the profile {}",
                self.name
            );
            Some(SettingValue::new(value, by))
        };
        let found = self
            .variable(&format!("AWS_ENDPOINT_URL_{}", service.id))
            .or_else(|| self.variable("AWS_ENDPOINT_URL"))
            .or_else(of_services)
            .or_else(|| self.key("endpoint_url"));
        found.map(|said| said.endpoint()).transpose()
    }

    /// Warns of what is there and is not heeded.
    fn warn_of_others(&self, service: ServiceId, config: &mut SharedConfig) {
        for name in self.variables.names() {
            let value = self.variables.get(name).unwrap_or_default();
            let treatment = known::variable(name).or_else(|| own(service, name));
            let warning = not_heeded(treatment, value);
            config
                .warnings
                .extend(warning.map(|why| format!("{name}: {why}")));
        }
        for (path, entry) in self.profile.entries() {
            let place = format!("{}, line {}", path.display(), entry.line);
            let name = entry.name.to_ascii_lowercase();
            if !entry.value.is_empty() || entry.nested.is_empty() {
                let treatment = known::key(&name).or_else(|| own(service, &format!("AWS_{name}")));
                let warning = not_heeded(treatment, &entry.value);
                let warning = warning.map(|why| format!("{place}: {name}: {why}"));
                config.warnings.extend(warning);
            }
            let of_service = name.eq_ignore_ascii_case(service.id);
            for below in &entry.nested {
                let place = format!("{}, line {}", path.display(), below.line);
                if of_service {
                    let below_name = below.name.to_ascii_lowercase();
                    let treatment = known::find(service.settings, &below_name);
                    let warning = not_heeded(treatment, &below.value);
                    let warning =
                        warning.map(|why| format!("{place}: {below_name} below {name}: {why}"));
                    config.warnings.extend(warning);
                } else if !known::has_settings_below(&name) {
                    // Of another setting this may be a part of a value.
                    let passed_over = "what is indented below it is passed over";
                    config.warn(format!("{place}: {name}: {passed_over}"));
                }
            }
        }
        for (path, entry) in self.services.entries() {
            let place = format!("{}, line", path.display());
            if entry.name.eq_ignore_ascii_case(service.id) {
                let url = |below: &&Entry| below.name.eq_ignore_ascii_case("endpoint_url");
                for below in entry.nested.iter().filter(|below| !url(below)) {
                    let known = "only endpoint_url is known below the name of a service";
                    config.warn(format!("{place} {}: {known}", below.line));
                }
            }
            // The first label of a host is easily taken for the name of the service.
            if entry.name.eq_ignore_ascii_case(service.host)
                && service.host != service.id.to_ascii_lowercase()
            {
                let id = service.id.to_ascii_lowercase();
                config.warn(format!(
                    "{place} {}: the service is called {id} here",
                    entry.line
                ));
            }
        }
    }
}

/// What becomes of a variable that is named as settings of the service alone are.
fn own(service: ServiceId, variable: &str) -> Option<Treatment> {
    let name = variable.strip_prefix("AWS_")?.to_ascii_lowercase();
    let rest = name.strip_prefix(&service.id.to_ascii_lowercase())?;
    known::find(service.settings, rest.strip_prefix('_')?)
}

/// Why a setting that has this value is passed over, if that may surprise.
fn not_heeded(treatment: Option<Treatment>, value: &str) -> Option<String> {
    match treatment {
        Some(Treatment::Heeded | Treatment::Harmless) => None,
        Some(Treatment::Only(done, _)) if value.eq_ignore_ascii_case(done) => None,
        Some(Treatment::Unsupported(why) | Treatment::Only(_, why)) => {
            Some(format!("is not heeded here: {why}"))
        }
        None => Some("is not known here, and passed over".to_owned()),
    }
}
