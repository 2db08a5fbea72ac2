//! Keys of a container's role, from the service beside it.

use std::net::IpAddr;
use std::time::{Duration, SystemTime};

use pipeline_pool::{Method, Origin, Request};

use super::fetch::{Fetch, Fetched, keys, short};
use super::{CredentialsError, ProvideCredentials, ProvideFuture, Provided, VariableLookup, json};
use crate::transport::Transport;

/// Keys of a container's role, from the service beside it: ECS tasks and EKS pods.
///
/// `AWS_CONTAINER_CREDENTIALS_RELATIVE_URI` is a path at `http://169.254.170.2`;
/// `AWS_CONTAINER_CREDENTIALS_FULL_URI` a whole address, which over plain `http` must be of this machine, of ECS
/// (`169.254.170.2`) or of EKS (`169.254.170.23`, `[fd00:ec2::23]`), so that nobody else is sent the token. That is in
/// the file that `AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE` names, read anew each time, or in
/// `AWS_CONTAINER_AUTHORIZATION_TOKEN`, or there is none.
/// See [the guide of the SDKs](https://docs.aws.amazon.com/sdkref/latest/guide/feature-container-credentials.html).
#[derive(Clone, Debug)]
pub struct Container {
    lookup: VariableLookup,
    ecs: String,
    fetch: Fetch,
}

const RELATIVE: &str = "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI";
const FULL: &str = "AWS_CONTAINER_CREDENTIALS_FULL_URI";
const TOKEN: &str = "AWS_CONTAINER_AUTHORIZATION_TOKEN";
const TOKEN_FILE: &str = "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE";
const NAME: &str = "the container's credentials service";

impl Container {
    /// The service that the variables of this process name.
    pub fn new() -> Self {
        Self::over(VariableLookup::process())
    }

    /// The service that variables found by this function name.
    pub fn from_fn(lookup: impl Fn(&str) -> Option<String> + Send + Sync + 'static) -> Self {
        Self::over(VariableLookup::from_fn(lookup))
    }

    pub(super) fn over(lookup: VariableLookup) -> Self {
        Self {
            lookup,
            ecs: "http://169.254.170.2".to_owned(),
            fetch: Fetch::new(Duration::from_secs(2)),
        }
    }

    /// Where a relative path is, `http://host[:port]`. Defaults to `http://169.254.170.2`.
    #[must_use]
    pub fn endpoint(mut self, url: impl Into<String>) -> Self {
        self.ecs = url.into();
        self
    }

    /// The longest time of one attempt; there are three. Defaults to 2 s.
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

    fn place(&self) -> Fetched<(Origin, String)> {
        let bad = |name: &str, why: &str| CredentialsError::broken(format!("{name}: {why}"));
        if let Some(path) = self.lookup.get(RELATIVE) {
            let origin = Origin::parse(&self.ecs).map_err(|e| bad(RELATIVE, e.detail()))?;
            return match path.starts_with('/') {
                true => Ok((origin, path)),
                false => Err(bad(RELATIVE, "the path does not begin with /")),
            };
        }
        let Some(url) = self.lookup.get(FULL) else {
            return Err(CredentialsError::absent(format!(
                "neither {RELATIVE} nor {FULL} is set"
            )));
        };
        let after = url.find("://").map_or(0, |at| at + 3);
        let end = url[after..]
            .find(['/', '?'])
            .map_or(url.len(), |at| after + at);
        let (server, path) = url.split_at(end);
        let origin = Origin::parse(server).map_err(|e| bad(FULL, e.detail()))?;
        if !origin.is_tls() && !is_near(origin.host()) {
            return Err(bad(
                FULL,
                &format!(
                    "{} is neither this machine nor a service of ECS or EKS, and http does not protect the token",
                    origin.host()
                ),
            ));
        }
        let path = match path.starts_with('/') {
            true => path.to_owned(),
            false => format!("/{path}"),
        };
        Ok((origin, path))
    }

    fn token(&self) -> Fetched<Option<String>> {
        let Some(file) = self.lookup.get(TOKEN_FILE) else {
            return Ok(self.lookup.get(TOKEN));
        };
        match std::fs::read_to_string(&file) {
            Ok(text) => Ok(Some(text.trim_end_matches(['\r', '\n']).to_owned())),
            Err(cause) => {
                let message = format!("{TOKEN_FILE}: cannot read {file}");
                Err(CredentialsError::broken(message).with_source(cause))
            }
        }
    }

    async fn fetch(&self) -> Fetched<Provided> {
        let (origin, path) = self.place()?;
        let token = self.token()?;
        let request = || {
            let mut request = Request::new(Method::Get, &origin, &path)?;
            request.header("accept", "application/json")?;
            if let Some(token) = &token {
                request.header("authorization", token)?;
            }
            Ok(request)
        };
        let answer = self.fetch.send(&origin, request, |_| false).await;
        let answer = answer.map_err(|lost| lost.broken(format!("no keys from {NAME}")))?;
        if answer.is_ok() {
            return Ok(keys(NAME, &answer.body)?.from_source("the role of this container"));
        }
        let members = json::scalars(&answer.body).unwrap_or_default();
        let code = members.iter().find(|(name, _)| name == "code");
        let code = code.map_or(String::new(), |(_, code)| format!(" {:?}", short(code)));
        let status = answer.status();
        Err(CredentialsError::broken(format!(
            "no keys from {NAME}: status {status}{code}"
        )))
    }
}

/// Whether plain HTTP to this host stays on the machine.
fn is_near(host: &str) -> bool {
    let services = ["169.254.170.2", "169.254.170.23", "fd00:ec2::23"];
    match host.parse::<IpAddr>() {
        Ok(address) => {
            let is_it = |service: &str| service.parse() == Ok(address);
            address.is_loopback() || services.into_iter().any(is_it)
        }
        Err(_) => host == "localhost",
    }
}

impl Default for Container {
    fn default() -> Self {
        Self::new()
    }
}

impl ProvideCredentials for Container {
    fn provide(&self, _now: SystemTime) -> ProvideFuture<'_> {
        Box::pin(self.fetch())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(name: &'static str, value: &'static str) -> Fetched<(String, String)> {
        let container = Container::from_fn(move |n| (n == name).then(|| value.to_owned()));
        let (origin, path) = container.place()?;
        Ok((origin.to_string(), path))
    }

    #[test]
    fn places() {
        for (name, value, origin, path) in [
            (RELATIVE, "/v2/x?id=1", "http://169.254.170.2", "/v2/x?id=1"),
            (
                FULL,
                "http://127.0.0.1:51679/get",
                "http://127.0.0.1:51679",
                "/get",
            ),
            (FULL, "http://localhost", "http://localhost", "/"),
            (FULL, "http://[::1]:80/x", "http://[::1]", "/x"),
            (
                FULL,
                "http://[fd00:ec2::23]/v1",
                "http://[fd00:ec2::23]",
                "/v1",
            ),
            (
                FULL,
                "http://169.254.170.23/v1",
                "http://169.254.170.23",
                "/v1",
            ),
            (
                FULL,
                "https://keys.example?a=b",
                "https://keys.example",
                "/?a=b",
            ),
        ] {
            let expected = (origin.to_owned(), path.to_owned());
            assert_eq!(place(name, value).unwrap(), expected, "{value}");
        }
        assert!(place("OTHER", "x").unwrap_err().is_absent());
    }

    #[test]
    fn nobody_else_is_asked_over_http() {
        for (name, value) in [
            (RELATIVE, "v2"),
            (FULL, "http://169.254.169.254/x"),
            (FULL, "http://keys.example/x"),
            (FULL, "http://127.0.0.1.example/x"),
            (FULL, "http://localhost.example/x"),
            (FULL, "http://localhost@keys.example/x"),
            (FULL, "ftp://127.0.0.1/x"),
            (FULL, "/v2"),
            (FULL, "x"),
        ] {
            let error = place(name, value).unwrap_err();
            assert!(!error.is_absent(), "{value}");
            assert!(error.to_string().starts_with(name), "{error}");
        }
    }
}
