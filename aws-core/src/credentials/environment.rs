use std::future::ready;
use std::time::SystemTime;

use super::{Credentials, CredentialsError, Lookup, ProvideCredentials, ProvideFuture, Provided};

/// Keys from environment variables.
///
/// `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY` and, for temporary ones, `AWS_SESSION_TOKEN`; without them the
/// older `AMAZON_ACCESS_KEY_ID` and `AMAZON_SECRET_ACCESS_KEY`. An empty variable counts as absent.
#[derive(Clone, Debug)]
pub struct Environment(Lookup);

impl Environment {
    /// The variables of this process.
    pub fn new() -> Self {
        Self(Lookup::process())
    }

    /// Variables found by this function.
    pub fn from_fn(lookup: impl Fn(&str) -> Option<String> + Send + Sync + 'static) -> Self {
        Self(Lookup::from_fn(lookup))
    }

    pub(super) fn over(lookup: Lookup) -> Self {
        Self(lookup)
    }

    fn read(&self) -> Result<Provided, CredentialsError> {
        for prefix in ["AWS", "AMAZON"] {
            let id_name = format!("{prefix}_ACCESS_KEY_ID");
            let secret_name = format!("{prefix}_SECRET_ACCESS_KEY");
            match (self.0.get(&id_name), self.0.get(&secret_name)) {
                (Some(id), Some(secret)) => {
                    let credentials = Credentials::new(id, secret);
                    let token = (prefix == "AWS")
                        .then(|| self.0.get("AWS_SESSION_TOKEN"))
                        .flatten();
                    return Ok(match token {
                        Some(token) => credentials.with_token(token).into(),
                        None => credentials.into(),
                    });
                }
                (Some(_), None) => {
                    return Err(CredentialsError::broken(format!(
                        "{id_name} is set, but {secret_name} is not"
                    )));
                }
                (None, Some(_)) => {
                    return Err(CredentialsError::broken(format!(
                        "{secret_name} is set, but {id_name} is not"
                    )));
                }
                (None, None) => {}
            }
        }
        Err(CredentialsError::absent(
            "no AWS_ACCESS_KEY_ID in the environment",
        ))
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
