use std::time::{Duration, SystemTime};

use pipeline_pool::{Method, Origin, Request};

use super::fetch::{Answer, Fetch, Lost, Outcome, fetching, keys};
use super::{CredentialsError, Lookup, ProvideCredentials, ProvideFuture, Provided};
use crate::transport::Transport;

/// Keys of the role of an EC2 instance, from its metadata service.
///
/// Version 2 of [the service](https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/configuring-instance-metadata-service.html)
/// alone: a token is fetched first, and sent with each request. The address is
/// `AWS_EC2_METADATA_SERVICE_ENDPOINT`, else that of `AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE` (`IPv4` or `IPv6`), else
/// `http://169.254.169.254`. `AWS_EC2_METADATA_DISABLED=true` turns it off.
///
/// A service that is not there is no fault: this machine is then no instance. Inside of a container it is also not
/// there when the instance allows its answers one hop only.
#[derive(Clone, Debug)]
pub struct Instance {
    lookup: Lookup,
    endpoint: Option<String>,
    fetch: Fetch,
}

/// How long a token works, in seconds; the most that the service gives.
const TTL: &str = "21600";

const TOKEN: &str = "x-aws-ec2-metadata-token";
const ROLES: &str = "/latest/meta-data/iam/security-credentials/";
const NAME: &str = "the instance's metadata service";

impl Instance {
    /// The service that the variables of this process name.
    pub fn new() -> Self {
        Self::over(Lookup::process())
    }

    /// The service that variables found by this function name.
    pub fn from_fn(lookup: impl Fn(&str) -> Option<String> + Send + Sync + 'static) -> Self {
        Self::over(Lookup::from_fn(lookup))
    }

    pub(super) fn over(lookup: Lookup) -> Self {
        Self {
            lookup,
            endpoint: None,
            fetch: Fetch::new(Duration::from_secs(1)),
        }
    }

    /// The address of the service, `http://host[:port]`, whatever variables say.
    #[must_use]
    pub fn endpoint(mut self, url: impl Into<String>) -> Self {
        self.endpoint = Some(url.into());
        self
    }

    fn origin(&self) -> Outcome<Origin> {
        let named = || self.lookup.get("AWS_EC2_METADATA_SERVICE_ENDPOINT");
        let url = self.endpoint.clone().or_else(named).unwrap_or_else(|| {
            let mode = self.lookup.get("AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE");
            match mode.is_some_and(|mode| mode.eq_ignore_ascii_case("ipv6")) {
                true => "http://[fd00:ec2::254]".to_owned(),
                false => "http://169.254.169.254".to_owned(),
            }
        });
        Origin::parse(&url).map_err(|e| CredentialsError::broken(format!("{NAME}: {}", e.detail())))
    }

    async fn fetch(&self) -> Outcome<Provided> {
        let disabled = self.lookup.get("AWS_EC2_METADATA_DISABLED");
        if disabled.is_some_and(|value| value.eq_ignore_ascii_case("true")) {
            return Err(CredentialsError::absent(format!(
                "{NAME} is turned off by AWS_EC2_METADATA_DISABLED"
            )));
        }
        let origin = self.origin()?;
        let mut token = self.token(&origin).await?;
        let mut renewed = false;
        loop {
            match self.role_keys(&origin, &token).await {
                // The token ran out between two requests.
                Err(Failure::Unauthorized) if !renewed => {
                    renewed = true;
                    token = self.token(&origin).await?;
                }
                Err(Failure::Unauthorized) => {
                    return Err(CredentialsError::broken(format!(
                        "{NAME} refuses its own token"
                    )));
                }
                Err(Failure::Other(error)) => return Err(error),
                Ok(provided) => return Ok(provided),
            }
        }
    }

    async fn token(&self, origin: &Origin) -> Outcome<String> {
        let request = || {
            let mut request = Request::new(Method::Put, origin, "/latest/api/token")?;
            request.header("x-aws-ec2-metadata-token-ttl-seconds", TTL)?;
            request.body("");
            Ok::<_, pipeline_pool::Error>(request)
        };
        let first = request().map_err(Lost::from);
        let first = match first {
            Ok(request) => self.fetch.once(origin, request).await,
            Err(lost) => Err(lost),
        };
        let answer = match first {
            // Nobody is there: most machines are no instances, and must not wait for three attempts.
            Err(Lost::Away(error)) => {
                return Err(
                    CredentialsError::absent(format!("{NAME} does not answer")).with_source(error)
                );
            }
            Ok(answer) if answer.status() < 500 => answer,
            _ => self
                .fetch
                .send(origin, request, |_| false)
                .await
                .map_err(|lost| lost.broken(format!("no token from {NAME}")))?,
        };
        match answer.status() {
            200 => {}
            403 => {
                return Err(CredentialsError::absent(format!(
                    "{NAME} is turned off (status 403)"
                )));
            }
            status => {
                return Err(CredentialsError::broken(format!(
                    "no token from {NAME}: status {status}; it has to speak version 2"
                )));
            }
        }
        let token = String::from_utf8_lossy(&answer.body).trim().to_owned();
        if token.is_empty() || !token.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(CredentialsError::broken(format!(
                "the token of {NAME} is no token"
            )));
        }
        Ok(token)
    }

    async fn role_keys(&self, origin: &Origin, token: &str) -> Result<Provided, Failure> {
        let roles = self.get(origin, ROLES, token).await?;
        if roles.status() == 404 {
            return Err(Failure::Other(CredentialsError::absent(
                "the instance has no role",
            )));
        }
        let roles = good(roles)?;
        let role = String::from_utf8_lossy(&roles.body);
        let role = role.lines().next().unwrap_or_default().trim();
        if role.is_empty() {
            return Err(Failure::Other(CredentialsError::absent(
                "the instance has no role",
            )));
        }
        let mut path = ROLES.to_owned();
        aws_sigv2::escape::push_component(&mut path, role);
        let answer = good(self.get(origin, &path, token).await?)?;
        keys(NAME, &answer.body).map_err(Failure::Other)
    }

    async fn get(&self, origin: &Origin, path: &str, token: &str) -> Result<Answer, Failure> {
        let request = || {
            let mut request = Request::new(Method::Get, origin, path)?;
            request.header(TOKEN, token)?;
            Ok(request)
        };
        let answer = self.fetch.send(origin, request, |_| false).await;
        let answer =
            answer.map_err(|lost| Failure::Other(lost.broken(format!("no keys from {NAME}"))))?;
        match answer.status() {
            401 => Err(Failure::Unauthorized),
            _ => Ok(answer),
        }
    }
}

enum Failure {
    Unauthorized,
    Other(CredentialsError),
}

fn good(answer: Answer) -> Result<Answer, Failure> {
    if answer.is_ok() {
        return Ok(answer);
    }
    let message = format!("no keys from {NAME}: status {}", answer.status());
    Err(Failure::Other(CredentialsError::broken(message)))
}

fetching!(
    Instance,
    "The longest time of one attempt of one request. Defaults to 1 s."
);

impl Default for Instance {
    fn default() -> Self {
        Self::new()
    }
}

impl ProvideCredentials for Instance {
    fn provide(&self, _now: SystemTime) -> ProvideFuture<'_> {
        Box::pin(self.fetch())
    }
}
