use std::io::ErrorKind;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use super::assume_role::Role;
use super::fetch::{Fetch, Outcome, fetching};
use super::ini::{self, Section};
use super::web_identity::WebIdentity;
use super::{
    Container, Credentials, CredentialsError, Environment, Instance, Lookup, ProvideCredentials,
    ProvideFuture, Provided, process, sts,
};
use crate::transport::Transport;

/// Keys from the files that AWS tools share.
///
/// The profile is `AWS_PROFILE`, else `default`. Its section is looked for in the file named by
/// `AWS_SHARED_CREDENTIALS_FILE` (else `~/.aws/credentials`), then in that of `AWS_CONFIG_FILE` (else
/// `~/.aws/config`, where it is called `[profile name]`). The first that is there of these counts:
///
/// - `role_arn`: the role is [taken](super::AssumeRole) with the keys of `source_profile`, which may have a role in
///   its turn, of the `credential_source` (`Environment`, `Ec2InstanceMetadata` or `EcsContainer`), or for the token in
///   `web_identity_token_file`. `role_session_name`, `external_id`, `duration_seconds` and `region` are heeded; one
///   with `mfa_serial` is an error, as nobody is here to be asked for a code.
/// - `aws_access_key_id` and `aws_secret_access_key`, with `aws_session_token`.
/// - `credential_process`: a program that [prints
///   keys](https://docs.aws.amazon.com/sdkref/latest/guide/feature-process-credentials.html), run without a shell and
///   for a minute at most.
///
/// Single sign-on is not here: a profile that has nothing else has no keys. The files are small and read at once. See
/// [the guide of the SDKs](https://docs.aws.amazon.com/sdkref/latest/guide/feature-assume-role-credentials.html).
#[derive(Clone, Debug)]
pub struct Profile {
    lookup: Lookup,
    name: Option<String>,
    fetch: Fetch,
}

const ID: &str = "aws_access_key_id";
const SECRET: &str = "aws_secret_access_key";
const SOURCE: &str = "source_profile";
const KIND: &str = "credential_source";

/// Where the first keys come from, and the roles that are taken with them, the last one first.
struct Plan {
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
        Self::over(Lookup::process())
    }

    /// The profile and files that variables found by this function name.
    pub fn from_fn(lookup: impl Fn(&str) -> Option<String> + Send + Sync + 'static) -> Self {
        Self::over(Lookup::from_fn(lookup))
    }

    fn over(lookup: Lookup) -> Self {
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

    async fn fetch(&self, now: SystemTime) -> Outcome<Provided> {
        let Plan { base, mut roles } = self.plan()?;
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
        Ok(provided)
    }

    fn plan(&self) -> Outcome<Plan> {
        let asked = self.name.clone().or_else(|| self.lookup.get("AWS_PROFILE"));
        let mut name = asked.clone().unwrap_or_else(|| "default".to_owned());
        let mut seen: Vec<String> = Vec::new();
        let mut roles = Vec::new();
        loop {
            let sections = self.sections(&name)?;
            if sections.0.is_empty() {
                return Err(match (&asked, seen.last()) {
                    (None, None) => CredentialsError::absent("there is no default profile"),
                    // One that was asked for by name and is not there is a fault: other keys would surprise.
                    _ => CredentialsError::broken(format!("there is no profile {name}")),
                });
            }
            let bad = |why: String| CredentialsError::broken(format!("the profile {name} {why}"));
            // A profile can be its own source: then its keys are meant.
            let own = seen.last() == Some(&name);
            let arn = sections.get("role_arn").filter(|_| !own);
            let Some(arn) = arn else {
                let base = match (sections.keys()?, sections.get("credential_process")) {
                    (Some(keys), _) => Base::Keys(keys),
                    (None, Some(line)) => Base::Process(line.to_owned()),
                    (None, None) if seen.is_empty() => {
                        let what = match sections.has_sso() {
                            true => "wants single sign-on, which is not done here",
                            false => "has no aws_access_key_id",
                        };
                        let why = format!("the profile {name} {what}");
                        return Err(CredentialsError::absent(why));
                    }
                    (None, None) => return Err(bad(format!("has no {ID} to take a role with"))),
                };
                return Ok(Plan { base, roles });
            };
            if seen.contains(&name) {
                return Err(bad("is a source of itself by way of others".to_owned()));
            }
            let role = sections.role(arn).map_err(bad)?;
            match (sections.get(SOURCE), sections.get(KIND)) {
                (Some(_), Some(_)) => return Err(bad(format!("has both {SOURCE} and {KIND}"))),
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
                        base: Base::Other(other),
                        roles,
                    });
                }
                (None, None) => {
                    let Some(file) = sections.get("web_identity_token_file") else {
                        return Err(bad(format!(
                            "has a role_arn and neither {SOURCE}, {KIND} nor web_identity_token_file"
                        )));
                    };
                    let web = WebIdentity::of(
                        self.lookup.clone(),
                        self.fetch.clone(),
                        file.to_owned(),
                        role,
                    );
                    return Ok(Plan {
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

    /// What the files say of a profile.
    fn sections(&self, name: &str) -> Outcome<Sections> {
        let prefixed = format!("profile {name}");
        let mut sections = Sections::default();
        for (variable, default) in [
            ("AWS_SHARED_CREDENTIALS_FILE", "credentials"),
            ("AWS_CONFIG_FILE", "config"),
        ] {
            let Some(path) = self.path(variable, default) else {
                continue;
            };
            let text = match std::fs::read_to_string(&path) {
                Ok(text) => text,
                Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
                    continue;
                }
                Err(e) => {
                    let message = format!("cannot read {}", path.display());
                    return Err(CredentialsError::broken(message).with_source(e));
                }
            };
            let found = ini::section(&text, &[name, &prefixed]).map_err(|bad| {
                CredentialsError::broken(format!(
                    "{}, line {}: {}",
                    path.display(),
                    bad.line,
                    bad.what
                ))
            })?;
            sections.0.extend(found.map(|section| (path, section)));
        }
        Ok(sections)
    }

    fn path(&self, variable: &str, default: &str) -> Option<PathBuf> {
        if let Some(path) = self.lookup.get(variable) {
            return Some(path.into());
        }
        let home = self
            .lookup
            .get("HOME")
            .or_else(|| self.lookup.get("USERPROFILE"))?;
        Some(PathBuf::from(home).join(".aws").join(default))
    }
}

fetching!(
    Profile,
    "The longest time of one attempt to take a role; there are three. Defaults to 5 s."
);

/// A profile's section in each of the files that has one.
#[derive(Default)]
struct Sections(Vec<(PathBuf, Section)>);

impl Sections {
    fn get(&self, name: &str) -> Option<&str> {
        let values = self.0.iter().filter_map(|(_, section)| section.get(name));
        let mut values = values.map(|(_, value)| value);
        values.find(|value| !value.is_empty())
    }

    fn has_sso(&self) -> bool {
        self.get("sso_session")
            .or(self.get("sso_start_url"))
            .is_some()
    }

    /// The pair of one of the files.
    fn keys(&self) -> Outcome<Option<Provided>> {
        for (path, section) in &self.0 {
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
                    return Ok(Some(match value("aws_session_token") {
                        Some((_, token)) => credentials.with_token(token).into(),
                        None => credentials.into(),
                    }));
                }
                (Some((line, _)), None) => return Err(lacks(line, ID, SECRET)),
                (None, Some((line, _))) => return Err(lacks(line, SECRET, ID)),
                (None, None) => {}
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
