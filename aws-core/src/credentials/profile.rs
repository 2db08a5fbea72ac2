use std::future::ready;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::ini::{self, Section};
use super::{Credentials, CredentialsError, Lookup, ProvideCredentials, ProvideFuture, Provided};

/// Keys from the files that AWS tools share.
///
/// The profile is `AWS_PROFILE`, else `default`. Its section is looked for in the file named by
/// `AWS_SHARED_CREDENTIALS_FILE` (else `~/.aws/credentials`), then in that of `AWS_CONFIG_FILE` (else
/// `~/.aws/config`, where it is called `[profile name]`). Read are `aws_access_key_id`,
/// `aws_secret_access_key` and `aws_session_token`; profiles that need another service for their keys (roles,
/// single sign-on, processes) have none here. The files are small and read at once.
#[derive(Clone, Debug)]
pub struct Profile {
    lookup: Lookup,
    name: Option<String>,
}

impl Profile {
    /// The profile and files that the process's environment names.
    pub fn new() -> Self {
        Self {
            lookup: Lookup::process(),
            name: None,
        }
    }

    /// The profile and files that variables found by this function name.
    pub fn from_fn(lookup: impl Fn(&str) -> Option<String> + Send + Sync + 'static) -> Self {
        Self {
            lookup: Lookup::from_fn(lookup),
            name: None,
        }
    }

    /// This profile, whatever `AWS_PROFILE` says.
    #[must_use]
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    fn read(&self) -> Result<Provided, CredentialsError> {
        let asked = self.name.clone().or_else(|| self.lookup.get("AWS_PROFILE"));
        let name = asked.as_deref().unwrap_or("default");
        let prefixed = format!("profile {name}");
        let mut seen = false;
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
            if let Some(section) = found {
                seen = true;
                if let Some(provided) = keys(&section, &path)? {
                    return Ok(provided);
                }
            }
        }
        match (seen, &asked) {
            (true, _) => Err(CredentialsError::absent(format!(
                "the profile {name} has no aws_access_key_id"
            ))),
            // A profile that was asked for by name and is not there is a fault: other keys would surprise.
            (false, Some(_)) => Err(CredentialsError::broken(format!(
                "there is no profile {name}"
            ))),
            (false, None) => Err(CredentialsError::absent("there is no default profile")),
        }
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

fn keys(section: &Section, path: &Path) -> Result<Option<Provided>, CredentialsError> {
    let value = |name| section.get(name).filter(|(_, value)| !value.is_empty());
    let lacks = |line: usize, has: &str, lacks: &str| {
        CredentialsError::broken(format!(
            "{}, line {line}: {has} without {lacks}",
            path.display()
        ))
    };
    const ID: &str = "aws_access_key_id";
    const SECRET: &str = "aws_secret_access_key";
    match (value(ID), value(SECRET)) {
        (Some((_, id)), Some((_, secret))) => {
            let credentials = Credentials::new(id, secret);
            Ok(Some(match value("aws_session_token") {
                Some((_, token)) => credentials.with_token(token).into(),
                None => credentials.into(),
            }))
        }
        (Some((line, _)), None) => Err(lacks(line, ID, SECRET)),
        (None, Some((line, _))) => Err(lacks(line, SECRET, ID)),
        (None, None) => Ok(None),
    }
}

impl Default for Profile {
    fn default() -> Self {
        Self::new()
    }
}

impl ProvideCredentials for Profile {
    fn provide(&self, _now: SystemTime) -> ProvideFuture<'_> {
        Box::pin(ready(self.read()))
    }
}
