//! Keys, roles and programs that the files under `~/.aws` name.

use std::time::{Duration, SystemTime};

use super::assume_role::Role;
use super::fetch::{Fetch, Fetched, provided};
use super::web_identity::WebIdentity;
use super::{
    Container, Credentials, CredentialsError, Environment, Instance, ProvideCredentials,
    ProvideFuture, Provided, VariableLookup, process, sts,
};
use crate::shared_config::{Files, Sections, profile_asked};
use crate::transport::Transport;

/// Keys from the files that AWS tools share.
///
/// The profile is `AWS_PROFILE` (or its older name `AWS_DEFAULT_PROFILE`), else `default`. Its section is looked for in
/// the file named by `AWS_SHARED_CREDENTIALS_FILE` (else `~/.aws/credentials`), then in that of `AWS_CONFIG_FILE` (else
/// `~/.aws/config`, where it is called `[profile name]`; a `[name]` counts there only where that is not). In these names `~/` is the home, and `$NAME` a variable.
///
/// A profile has one of these, and what it says twice in different ways is an error:
///
/// - `role_arn`: the role is [taken](super::AssumeRole) with the keys of `source_profile`, which may have a role in
///   its turn, of the `credential_source` (`Environment`, `Ec2InstanceMetadata` or `EcsContainer`), or for the token in
///   `web_identity_token_file`. `role_session_name`, `external_id`, `duration_seconds` and `region` are heeded; one
///   with `mfa_serial` is an error, as nobody is here to be asked for a code. Of a `source_profile` that has both keys
///   and a role, the keys are used, as the tools of AWS do.
/// - `aws_access_key_id` and `aws_secret_access_key`, with `aws_session_token` (or its older name
///   `aws_security_token`).
/// - `credential_process`: a program that [prints
///   keys](https://docs.aws.amazon.com/sdkref/latest/guide/feature-process-credentials.html), run without a shell and
///   for a minute at most.
///
/// A profile that has none of these, such as one that only says the region, has no keys. What is asked for and is not
/// there is an error and never leads on to the keys of somebody else: a profile by its name, a file that a variable
/// names, single sign-on and `login_session`, which are not done here. The files are small and read at once. See [the
/// guide of the SDKs](https://docs.aws.amazon.com/sdkref/latest/guide/feature-assume-role-credentials.html).
#[derive(Clone, Debug)]
pub struct Profile {
    lookup: VariableLookup,
    name: Option<String>,
    fetch: Fetch,
}

const ID: &str = "aws_access_key_id";
const SECRET: &str = "aws_secret_access_key";
const TOKEN: &str = "aws_session_token";
const OLD_TOKEN: &str = "aws_security_token";
const SOURCE: &str = "source_profile";
const KIND: &str = "credential_source";
const WEB: &str = "web_identity_token_file";

/// Where the first keys come from, and the roles that are taken with them, the last one first.
struct Plan {
    /// The profile that was asked for.
    profile: String,
    base: Base,
    roles: Vec<Role>,
}

enum Base {
    Keys(Provided),
    Process(String),
    Other(Box<dyn ProvideCredentials>),
}

impl Profile {
    /// The profile and files that the process's environment names.
    pub fn new() -> Self {
        Self::over(VariableLookup::process())
    }

    /// The profile and files that variables found by this function name.
    pub fn from_fn(lookup: impl Fn(&str) -> Option<String> + Send + Sync + 'static) -> Self {
        Self::over(VariableLookup::from_fn(lookup))
    }

    /// The longest time of one attempt to take a role; there are three. Defaults to 5 s.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.fetch = self.fetch.with_timeout(timeout);
        self
    }

    /// Sends over this transport. Defaults to a pool of its own.
    #[must_use]
    pub fn transport(mut self, transport: impl Transport + 'static) -> Self {
        self.fetch = self.fetch.with_transport(transport);
        self
    }

    pub(super) fn over(lookup: VariableLookup) -> Self {
        Self {
            lookup,
            name: None,
            fetch: Fetch::new(sts::TIMEOUT),
        }
    }

    /// This profile, whatever `AWS_PROFILE` says.
    #[must_use]
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    async fn fetch(&self, now: SystemTime) -> Fetched<Provided> {
        let Plan {
            profile,
            base,
            mut roles,
        } = self.plan()?;
        let mut provided = match base {
            Base::Keys(keys) => keys,
            Base::Process(line) => process::keys(&line).await?,
            // The profile says that they are there: that they are not is a fault.
            Base::Other(other) => other.provide(now).await.map_err(|error| {
                CredentialsError::broken("no keys to take a role with").with_source(error)
            })?,
        };
        while let Some(role) = roles.pop() {
            let keys = &provided.credentials;
            provided = role.take(&self.lookup, &self.fetch, keys, now).await?;
        }
        let source = match &provided.source {
            Some(role) => format!("{role} of the profile {profile}"),
            None => format!("the profile {profile}"),
        };
        Ok(provided.from_source(source))
    }

    fn plan(&self) -> Fetched<Plan> {
        let asked = match &self.name {
            Some(name) => Some(name.clone()),
            None => profile_asked(&self.lookup)?,
        };
        let files = Files::read(&self.lookup)?;
        let profile = asked.clone().unwrap_or_else(|| "default".to_owned());
        let mut name = profile.clone();
        let mut seen: Vec<String> = Vec::new();
        let mut roles = Vec::new();
        loop {
            let sections = files.profile(&name)?;
            if sections.is_empty() {
                return Err(match (&asked, seen.last()) {
                    (None, None) => CredentialsError::absent("there is no default profile"),
                    // One that was asked for by name and is not there is a fault: other keys would surprise.
                    _ => CredentialsError::broken(files.lack(&name)),
                });
            }
            let bad = |why: String| CredentialsError::broken(format!("the profile {name} {why}"));
            sections.check().map_err(bad)?;
            let keys = sections.keys()?;
            // The keys of a source are used even where it has a role. A profile can be its own source.
            let own = seen.last() == Some(&name);
            let use_keys = own || (keys.is_some() && !seen.is_empty());
            let arn = sections.get("role_arn").filter(|_| !use_keys);
            let Some(arn) = arn else {
                let base = match (keys, sections.get("credential_process")) {
                    (Some(_), Some(_)) => {
                        return Err(bad(format!("has both {ID} and credential_process")));
                    }
                    (Some(keys), None) => Base::Keys(keys),
                    (None, Some(line)) => Base::Process(line.to_owned()),
                    (None, None) if seen.is_empty() => {
                        let why = format!("the profile {name} has no {ID}");
                        return Err(CredentialsError::absent(why));
                    }
                    (None, None) => return Err(bad(format!("has no {ID} to take a role with"))),
                };
                return Ok(Plan {
                    profile,
                    base,
                    roles,
                });
            };
            if seen.contains(&name) {
                return Err(bad("is a source of itself by way of others".to_owned()));
            }
            let role = sections.role(arn).map_err(bad)?;
            match (sections.get(SOURCE), sections.get(KIND)) {
                (Some(_), Some(_)) => return Err(bad(format!("has both {SOURCE} and {KIND}"))),
                (source, kind) if sections.get(WEB).is_some() && source.or(kind).is_some() => {
                    let other = if source.is_some() { SOURCE } else { KIND };
                    return Err(bad(format!("has both {other} and {WEB}")));
                }
                (Some(source), None) => {
                    roles.push(role);
                    seen.push(std::mem::replace(&mut name, source.to_owned()));
                }
                (None, Some(kind)) => {
                    let other = self.source(kind);
                    let other = other.ok_or_else(|| {
                        bad(format!(
                            "has a {KIND} that is neither Environment, Ec2InstanceMetadata nor EcsContainer"
                        ))
                    })?;
                    roles.push(role);
                    return Ok(Plan {
                        profile,
                        base: Base::Other(other),
                        roles,
                    });
                }
                (None, None) => {
                    let Some(file) = sections.get(WEB) else {
                        return Err(bad(format!(
                            "has a role_arn and neither {SOURCE}, {KIND} nor {WEB}"
                        )));
                    };
                    let web = WebIdentity::of(
                        self.lookup.clone(),
                        self.fetch.clone(),
                        file.to_owned(),
                        role,
                    );
                    return Ok(Plan {
                        profile,
                        base: Base::Other(Box::new(web)),
                        roles,
                    });
                }
            }
        }
    }

    /// Another source of keys, by the name that profiles have for it.
    fn source(&self, kind: &str) -> Option<Box<dyn ProvideCredentials>> {
        let lookup = self.lookup.clone();
        Some(match kind {
            "Environment" => Box::new(Environment::over(lookup)),
            "Ec2InstanceMetadata" => Box::new(Instance::over(lookup)),
            "EcsContainer" => Box::new(Container::over(lookup)),
            _ => return None,
        })
    }
}

impl Sections {
    /// Says what is wrong with settings that would be passed over.
    fn check(&self) -> Result<(), String> {
        for (name, what) in [
            ("sso_session", "single sign-on"),
            ("sso_start_url", "single sign-on"),
            ("sso_account_id", "single sign-on"),
            ("login_session", "a login"),
        ] {
            if self.get(name).is_some() {
                return Err(format!(
                    "wants {what} ({name}), which is not done here: give the builder .credentials(…) of the SDK's provider, by `Sdk` of the feature aws-credential-types"
                ));
            }
        }
        if self.get("role_arn").is_none() {
            for name in [SOURCE, KIND, WEB] {
                if self.get(name).is_some() {
                    return Err(format!("has {name} and no role_arn"));
                }
            }
        }
        Ok(())
    }

    /// The pair of one of the files.
    fn keys(&self) -> Fetched<Option<Provided>> {
        for (path, section) in self.iter() {
            let value = |name| section.get(name).filter(|(_, value)| !value.is_empty());
            let lacks = |line: usize, has: &str, lacks: &str| {
                CredentialsError::broken(format!(
                    "{}, line {line}: {has} without {lacks}",
                    path.display()
                ))
            };
            match (value(ID), value(SECRET)) {
                (Some((_, id)), Some((_, secret))) => {
                    let credentials = Credentials::new(id, secret);
                    let token = match (value(TOKEN), value(OLD_TOKEN)) {
                        (Some((_, new)), Some((line, old))) if new != old => {
                            return Err(CredentialsError::broken(format!(
                                "{}, line {line}: {OLD_TOKEN} is not the {TOKEN}",
                                path.display()
                            )));
                        }
                        (new, old) => new.or(old),
                    };
                    let token = token.map(|(_, token)| token);
                    return Ok(Some(provided(credentials, token, None)));
                }
                (Some((line, _)), None) => return Err(lacks(line, ID, SECRET)),
                (None, Some((line, _))) => return Err(lacks(line, SECRET, ID)),
                (None, None) => {
                    for name in [TOKEN, OLD_TOKEN] {
                        if let Some((line, _)) = value(name) {
                            return Err(lacks(line, name, ID));
                        }
                    }
                }
            }
        }
        Ok(None)
    }

    /// What is said of a role, or what is wrong with that.
    fn role(&self, arn: &str) -> Result<Role, String> {
        if self.get("mfa_serial").is_some() {
            return Err("wants a code of a device (mfa_serial), which nobody is asked for".into());
        }
        let own = |name| self.get(name).map(str::to_owned);
        let duration = match self.get("duration_seconds").map(str::parse) {
            None => None,
            Some(Ok(seconds)) => Some(Duration::from_secs(seconds)),
            Some(Err(_)) => return Err("has duration_seconds that are no number".into()),
        };
        Ok(Role {
            arn: arn.to_owned(),
            session: own("role_session_name"),
            external_id: own("external_id"),
            duration,
            region: own("region"),
        })
    }
}

impl Default for Profile {
    fn default() -> Self {
        Self::new()
    }
}

impl ProvideCredentials for Profile {
    fn provide(&self, now: SystemTime) -> ProvideFuture<'_> {
        Box::pin(self.fetch(now))
    }

    fn forget(&self, _used: &Credentials, _now: SystemTime) -> bool {
        // The files are read and roles taken anew each time.
        true
    }
}
