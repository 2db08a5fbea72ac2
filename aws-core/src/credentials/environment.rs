//! Keys from variables of the process.

use std::future::ready;
use std::time::SystemTime;

use super::fetch::provided;
use super::{
    Credentials, CredentialsError, ProvideCredentials, ProvideFuture, Provided, VariableLookup,
};
use crate::time::parse_iso8601;

/// Keys from environment variables.
///
/// `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY` and, for temporary ones, `AWS_SESSION_TOKEN` (or its older name
/// `AWS_SECURITY_TOKEN`) and `AWS_CREDENTIAL_EXPIRATION`; without them the older `AMAZON_ACCESS_KEY_ID` and
/// `AMAZON_SECRET_ACCESS_KEY`. An empty variable counts as absent. A part without the others is an error, since keys
/// from elsewhere would be somebody else's.
#[derive(Clone, Debug)]
pub struct Environment(VariableLookup);

impl Environment {
    /// The variables of this process.
    pub fn new() -> Self {
        Self(VariableLookup::process())
    }

    /// Variables found by this function.
    pub fn from_fn(lookup: impl Fn(&str) -> Option<String> + Send + Sync + 'static) -> Self {
        Self(VariableLookup::from_fn(lookup))
    }

    pub(super) fn over(lookup: VariableLookup) -> Self {
        Self(lookup)
    }

    fn read(&self) -> Result<Provided, CredentialsError> {
        for prefix in ["AWS", "AMAZON"] {
            let id_name = format!("{prefix}_ACCESS_KEY_ID");
            let secret_name = format!("{prefix}_SECRET_ACCESS_KEY");
            let lacks = |set: &str, unset: &str| {
                CredentialsError::broken(format!("{set} is set, but {unset} is not"))
            };
            match (self.0.get(&id_name), self.0.get(&secret_name)) {
                (Some(id), Some(secret)) => {
                    let credentials = Credentials::new(id, secret);
                    let provided = match prefix {
                        "AWS" => self.temporary(credentials)?,
                        _ => credentials.into(),
                    };
                    return Ok(provided.from_source(format!("the variable {id_name}")));
                }
                (Some(_), None) => return Err(lacks(&id_name, &secret_name)),
                (None, Some(_)) => return Err(lacks(&secret_name, &id_name)),
                (None, None) => {}
            }
        }
        if let Some((name, _)) = self.token()? {
            return Err(CredentialsError::broken(format!(
                "{name} is set, but AWS_ACCESS_KEY_ID is not"
            )));
        }
        Err(CredentialsError::absent(
            "no AWS_ACCESS_KEY_ID in the environment",
        ))
    }

    /// The token, and the name of its variable.
    fn token(&self) -> Result<Option<(&'static str, String)>, CredentialsError> {
        let named = |name: &'static str| Some((name, self.0.get(name)?));
        match (named("AWS_SESSION_TOKEN"), named("AWS_SECURITY_TOKEN")) {
            (Some((_, new)), Some((_, old))) if new != old => Err(CredentialsError::broken(
                "AWS_SESSION_TOKEN and AWS_SECURITY_TOKEN are not the same",
            )),
            (new, old) => Ok(new.or(old)),
        }
    }

    fn temporary(&self, credentials: Credentials) -> Result<Provided, CredentialsError> {
        const EXPIRES: &str = "AWS_CREDENTIAL_EXPIRATION";
        let token = self.token()?;
        let expires = self.0.get(EXPIRES).map(|text| {
            let bad = || {
                CredentialsError::broken(format!(
                    "{EXPIRES} is no time with an offset, such as 2009-10-12T17:50:30Z"
                ))
            };
            parse_iso8601(&text).ok_or_else(bad)
        });
        let token = token.as_ref().map(|(_, token)| token.as_str());
        Ok(provided(credentials, token, expires.transpose()?))
    }
}

impl Default for Environment {
    fn default() -> Self {
        Self::new()
    }
}

impl ProvideCredentials for Environment {
    fn provide(&self, _now: SystemTime) -> ProvideFuture<'_> {
        Box::pin(ready(self.read()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, UNIX_EPOCH};

    fn read(vars: &'static [(&str, &str)]) -> Result<Provided, CredentialsError> {
        let find = move |name: &str| {
            vars.iter()
                .find(|(n, _)| *n == name)
                .map(|(_, v)| (*v).to_owned())
        };
        Environment::from_fn(find).read()
    }

    #[test]
    fn the_newer_names_come_first() {
        let found = read(&[
            ("AMAZON_ACCESS_KEY_ID", "OLD"),
            ("AMAZON_SECRET_ACCESS_KEY", "old"),
            ("AWS_ACCESS_KEY_ID", "NEW"),
            ("AWS_SECRET_ACCESS_KEY", "new"),
            ("AWS_SESSION_TOKEN", "token"),
        ])
        .unwrap();
        assert_eq!(found.credentials.access_key(), "NEW");
        assert_eq!(found.credentials.session_token(), Some("token"));
        let old = read(&[
            ("AMAZON_ACCESS_KEY_ID", "OLD"),
            ("AMAZON_SECRET_ACCESS_KEY", "old"),
            ("AWS_ACCESS_KEY_ID", ""),
            ("AWS_SESSION_TOKEN", "of other keys"),
        ])
        .unwrap();
        assert_eq!(old.credentials.access_key(), "OLD");
        assert_eq!(old.credentials.session_token(), None);
    }

    #[test]
    fn temporary_keys_are_whole() {
        const ID: (&str, &str) = ("AWS_ACCESS_KEY_ID", "A");
        const SECRET: (&str, &str) = ("AWS_SECRET_ACCESS_KEY", "hidden");
        let old = read(&[ID, SECRET, ("AWS_SECURITY_TOKEN", "t")]).unwrap();
        assert_eq!(old.credentials.session_token(), Some("t"));
        assert_eq!(old.expires, None);
        let expiration = ("AWS_CREDENTIAL_EXPIRATION", "2007-03-27T21:36:42+02:00");
        let kept = Box::leak(Box::new([ID, SECRET, expiration]));
        let at = UNIX_EPOCH + Duration::from_secs(1_175_024_202);
        assert_eq!(read(kept).unwrap().expires, Some(at));
        for (vars, named) in [
            (&[("AWS_SESSION_TOKEN", "hidden")][..], "AWS_SESSION_TOKEN"),
            (&[("AWS_SECURITY_TOKEN", "hidden")], "AWS_SECURITY_TOKEN"),
            (
                &[
                    ID,
                    SECRET,
                    ("AWS_SESSION_TOKEN", "hidden1"),
                    ("AWS_SECURITY_TOKEN", "hidden2"),
                ],
                "AWS_SECURITY_TOKEN",
            ),
            (
                &[ID, SECRET, ("AWS_CREDENTIAL_EXPIRATION", "hidden")],
                "AWS_CREDENTIAL_EXPIRATION",
            ),
        ] {
            let error = read(vars).unwrap_err();
            let shown = format!("{error} {error:?}");
            assert!(!error.is_absent() && shown.contains(named), "{shown}");
            assert!(!shown.contains("hidden"), "{shown}");
        }
    }

    #[test]
    fn half_a_pair_is_a_fault_and_none_is_not() {
        assert!(read(&[]).unwrap_err().is_absent());
        let half = read(&[("AWS_SECRET_ACCESS_KEY", "hidden")]).unwrap_err();
        assert!(!half.is_absent());
        assert_eq!(
            half.to_string(),
            "AWS_SECRET_ACCESS_KEY is set, but AWS_ACCESS_KEY_ID is not"
        );
        assert!(
            !read(&[("AWS_ACCESS_KEY_ID", "id")])
                .unwrap_err()
                .is_absent()
        );
    }
}
