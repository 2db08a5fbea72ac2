//! What the environment and the files under `~/.aws` say of a client: its region, its endpoint and more.
//!
//! [`SharedConfig::load`] reads them for one service; the builders of the clients do so where they are told
//! `from_env`. The names, the files and the order are those of the [SDKs and Tools reference
//! guide](https://docs.aws.amazon.com/sdkref/latest/guide/settings-reference.html). What is said in code counts first,
//! then the variable, then the profile:
//!
//! | setting | variable | in the profile |
//! |---|---|---|
//! | region | `AWS_REGION`, `AWS_DEFAULT_REGION` | `region` |
//! | endpoint | `AWS_ENDPOINT_URL_` and the [name](ServiceId::id) of the service, then `AWS_ENDPOINT_URL` | `endpoint_url` below the name of the service, in the section that `services` names, then `endpoint_url` |
//! | no endpoint but the region's | `AWS_IGNORE_CONFIGURED_ENDPOINT_URLS` | `ignore_configured_endpoint_urls` |
//! | endpoint with FIPS | `AWS_USE_FIPS_ENDPOINT` | `use_fips_endpoint` |
//! | endpoint with IPv6 | `AWS_USE_DUALSTACK_ENDPOINT` | `use_dualstack_endpoint` |
//! | attempts of a request | `AWS_MAX_ATTEMPTS` | `max_attempts` |
//! | whether requests slow down | `AWS_RETRY_MODE`: `standard` or `adaptive` | `retry_mode` |
//! | trusted certificates | `AWS_CA_BUNDLE` | `ca_bundle` |
//!
//! Requests go through the proxies that the usual variables name, those to the Security Token Service too; the services
//! that give an instance or a container its keys are asked without a proxy:
//!
//! | setting | variable, the first that is set |
//! |---|---|
//! | proxy for `http` endpoints | `http_proxy`, `HTTP_PROXY`, `all_proxy`, `ALL_PROXY` |
//! | proxy for `https` endpoints | `https_proxy`, `HTTPS_PROXY`, `all_proxy`, `ALL_PROXY` |
//! | what is reached without | `no_proxy`, `NO_PROXY` |
//!
//! How they are written, and that each connection is a tunnel by `CONNECT`, is said at
//! [`Proxy`](pipeline_pool::Proxy::from_vars). One that cannot be read, such as a SOCKS proxy, is an error.
//!
//! What one service alone has is in [`SharedConfig::own`], and in the documentation of its client.
//!
//! The profile is `AWS_PROFILE`, else `AWS_DEFAULT_PROFILE`, else `default`. Of its sections in the two files the one in
//! the file of credentials comes first, setting by setting. Names of variables, those of proxies apart, count in capital
//! letters only; empty values are as none. Where keys come from is said at [`credentials`](crate::credentials).
//!
//! *Problem:* A setting that is misspelt, or that a client does not have, is usually passed over in silence, and
//! requests then go to another place or fail in another way than was asked for. *Decision:* A value that cannot be read
//! is an error that names the setting and where it stands, and never its value, which may be a secret in the wrong
//! place. A variable that begins with `AWS_`, or a setting of the profile, that is unknown or not supported is a
//! [warning](SharedConfig::warnings) that names it. Those that change nothing here (`output`, `cli_pager`) are passed
//! over by a list. Reading ([`Variables`] and texts of files in, settings out) touches neither the process nor sockets.
//! *Cost:* The list has to follow AWS's: a new setting is a warning until then.

mod files;
mod ini;
mod known;
mod partition;
mod resolve;
mod setting;
#[cfg(test)]
mod tests;
mod variables;

use std::path::PathBuf;

pub(crate) use files::{Files, Sections, profile_asked};
pub use known::Treatment;
pub(crate) use partition::STS;
pub use partition::{
    Partition, ServiceId, Variant, choose_endpoint, domains, endpoint_of, partition_of,
};
pub use setting::SettingValue;
pub use variables::Variables;

use crate::credentials::VariableLookup;
use crate::error::Result;

/// What variables and a profile say for a client of one service. Holds no keys.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SharedConfig {
    /// The region, for example `eu-west-1`.
    pub region: Option<String>,
    /// The URL that requests go to, whatever the region.
    pub endpoint: Option<String>,
    /// Whether the region's endpoint is the one with FIPS.
    pub fips: Option<bool>,
    /// Whether the region's endpoint is the one that has IPv6 addresses too.
    pub dual_stack: Option<bool>,
    /// How many times a request is tried in all, at least 1.
    pub max_attempts: Option<u32>,
    /// Whether all requests slow down when some are refused.
    pub adaptive: Option<bool>,
    /// A file of the certificates, in PEM, that servers are trusted by.
    pub ca_bundle: Option<PathBuf>,
    /// The settings of the service alone, by their names.
    own: Vec<(&'static str, SettingValue)>,
    /// The endpoint of the Security Token Service.
    sts: Option<String>,
    /// What the providers of keys have to find in the environment in place of what is there.
    for_providers: Vec<(&'static str, String)>,
    warnings: Vec<String>,
}

impl SharedConfig {
    /// Reads what these variables and the files that they name say for a service. The files are small, and are read
    /// at once.
    ///
    /// # Errors
    /// [`Kind::Invalid`](crate::Kind::Invalid) when a file that a variable names cannot be read, a profile that
    /// `AWS_PROFILE` names is not there, or a value cannot be read: the setting, its file and its line are named.
    pub fn load(variables: &Variables, service: ServiceId) -> Result<Self> {
        let files = Files::read(&VariableLookup::of(variables.clone()))?;
        resolve::resolve(variables, &files, service)
    }

    /// One sentence for each setting that is there and is not heeded. The builders also give them to
    /// [`tracing`](https://docs.rs/tracing) at the level of warnings.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// A setting of the service alone, of those that its [`ServiceId`] lists as [heeded](Treatment::Heeded). For a service
    /// `x` and a setting `a_b` it is the variable `AWS_X_A_B`, then `x_a_b` in the profile, then `a_b` below `x =` in the
    /// profile.
    pub fn own(&self, name: &str) -> Option<&SettingValue> {
        let found = self.own.iter().find(|(own, _)| *own == name)?;
        Some(&found.1)
    }

    pub(crate) fn warn(&mut self, warning: String) {
        self.warnings.push(warning);
    }

    /// The variables as the providers of keys have to find them, so that they follow the profile, too, in where the
    /// Security Token Service and the metadata service are.
    pub(crate) fn for_providers(&self, variables: &Variables) -> Variables {
        let mut found = variables.clone().without("AWS_ENDPOINT_URL");
        found = match &self.sts {
            Some(url) => found.with("AWS_ENDPOINT_URL_STS", url),
            None => found.without("AWS_ENDPOINT_URL_STS"),
        };
        if let Some(region) = self
            .region
            .as_ref()
            .filter(|region| *region != "aws-global")
        {
            found = found.with("AWS_REGION", region);
        }
        let others = self.for_providers.iter();
        others.fold(found, |found, (name, value)| found.with(*name, value))
    }
}
