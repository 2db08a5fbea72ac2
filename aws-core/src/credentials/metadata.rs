//! The metadata service of an EC2 instance, version 2: a token is fetched first, and sent with each question.
//!
//! ```text
//!            PUT token               GET path
//! (closed) -----------> (has token) ----------> 200: the text; 404: nothing
//!     |                   ^     |
//!     | no answer in      |     | 401, once: the token ran out
//!     v time, or 403      +-----+ PUT token
//!  absent
//! ```

use std::time::Duration;

use pipeline_pool::{Method, Origin, Request};

use super::fetch::{Fetch, Fetched, FetchedAnswer, Lost};
use super::{CredentialsError, VariableLookup, json};
use crate::transport::Transport;

/// How long a token works, in seconds: the most that the service gives.
const TTL: &str = "21600";

const DOCUMENT: &str = "/latest/dynamic/instance-identity/document";
const TOKEN: &str = "x-aws-ec2-metadata-token";
pub(super) const NAME: &str = "the instance's metadata service";

/// The [metadata service](https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/configuring-instance-metadata-service.html)
/// of an EC2 instance, by its version 2 alone.
///
/// The address is `AWS_EC2_METADATA_SERVICE_ENDPOINT`, else that of `AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE` (`IPv4` or
/// `IPv6`), else [`IPV4`](Self::IPV4). `AWS_EC2_METADATA_DISABLED=true` turns it off.
///
/// A service that does not answer is [absent](CredentialsError::is_absent): this machine is then no instance, or it is
/// a container on one whose hop limit (`HttpPutResponseHopLimit`, 1 unless it is raised) keeps the answers from it.
#[derive(Clone, Debug)]
pub struct Metadata {
    lookup: VariableLookup,
    endpoint: Option<String>,
    fetch: Fetch,
}

impl Metadata {
    /// The address of the service over IPv4, which every instance has unless it is turned off.
    pub const IPV4: &'static str = "http://169.254.169.254";
    /// The address of the service over IPv6, for instances that were told to have it (`HttpProtocolIpv6`).
    pub const IPV6: &'static str = "http://[fd00:ec2::254]";

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

    /// The longest time of one attempt of one request. Defaults to 1 s.
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

    fn origin(&self) -> Fetched<Origin> {
        let named = || self.lookup.get("AWS_EC2_METADATA_SERVICE_ENDPOINT");
        let url = match self.endpoint.clone().or_else(named) {
            Some(url) => url,
            None => self.usual()?.to_owned(),
        };
        Origin::parse(&url).map_err(|e| CredentialsError::broken(format!("{NAME}: {}", e.detail())))
    }

    /// The address where none is given.
    fn usual(&self) -> Fetched<&'static str> {
        const MODE: &str = "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE";
        match self.lookup.get(MODE) {
            Some(mode) if mode.eq_ignore_ascii_case("ipv6") => Ok(Self::IPV6),
            Some(mode) if !mode.eq_ignore_ascii_case("ipv4") => Err(CredentialsError::broken(
                format!("{MODE} is neither IPv4 nor IPv6"),
            )),
            _ => Ok(Self::IPV4),
        }
    }

    /// Whether it is turned off.
    fn is_disabled(&self) -> Fetched<bool> {
        const DISABLED: &str = "AWS_EC2_METADATA_DISABLED";
        match self.lookup.get(DISABLED) {
            Some(value) if value.eq_ignore_ascii_case("true") => Ok(true),
            Some(value) if !value.eq_ignore_ascii_case("false") => Err(CredentialsError::broken(
                format!("{DISABLED} is neither true nor false"),
            )),
            _ => Ok(false),
        }
    }

    /// Fetches a token, with which several things can be asked for.
    ///
    /// # Errors
    /// An [absent](CredentialsError::is_absent) one when the service does not answer or is turned off, any other
    /// when it gives no token.
    pub async fn open(&self) -> Result<MetadataSession, CredentialsError> {
        if self.is_disabled()? {
            return Err(CredentialsError::absent(format!(
                "{NAME} is turned off by AWS_EC2_METADATA_DISABLED"
            )));
        }
        let origin = self.origin()?;
        let token = token(&self.fetch, &origin).await?;
        Ok(MetadataSession {
            origin,
            token,
            renewed: false,
            fetch: self.fetch.clone(),
        })
    }

    /// Asks for one thing, for example `/latest/meta-data/instance-id`; nothing where the instance does not have it.
    ///
    /// # Errors
    /// As [`open`](Self::open) and [`MetadataSession::get`].
    pub async fn get(&self, path: &str) -> Result<Option<String>, CredentialsError> {
        self.open().await?.get(path).await
    }

    /// The [identity document](https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instance-identity-documents.html): its
    /// members that are strings, numbers or words, by name.
    ///
    /// # Errors
    /// As [`get`](Self::get), and when there is no document.
    pub async fn identity(&self) -> Result<Vec<(String, String)>, CredentialsError> {
        let text = self.get(DOCUMENT).await?;
        let members = text.and_then(|text| json::scalars(text.as_bytes()));
        members.ok_or_else(|| CredentialsError::broken(format!("{NAME} has no identity document")))
    }
}

impl Default for Metadata {
    fn default() -> Self {
        Self::new()
    }
}

/// A [`Metadata`] service that has given a token. `Debug` does not show the token.
pub struct MetadataSession {
    origin: Origin,
    token: String,
    /// Whether the token has been fetched anew.
    renewed: bool,
    fetch: Fetch,
}

impl MetadataSession {
    /// Asks for what is at this path, which begins with `/latest/`; nothing where the instance does not have it (404).
    ///
    /// # Errors
    /// When the service does not answer, or with something else than a text.
    pub async fn get(&mut self, path: &str) -> Result<Option<String>, CredentialsError> {
        let answer = self.answer(path).await?;
        match answer.status() {
            404 => return Ok(None),
            200 => {}
            status => {
                return Err(CredentialsError::broken(format!(
                    "no answer about {path:?} from {NAME}: status {status}"
                )));
            }
        }
        let text = String::from_utf8(answer.body.to_vec());
        let text =
            text.map_err(|_| CredentialsError::broken(format!("{NAME}: {path:?} is no text")))?;
        Ok(Some(text))
    }

    /// The answer, of whatever status but 401.
    pub(super) async fn answer(&mut self, path: &str) -> Fetched<FetchedAnswer> {
        loop {
            let request = || {
                let mut request = Request::new(Method::Get, &self.origin, path)?;
                request.header(TOKEN, &self.token)?;
                Ok(request)
            };
            let answer = self.fetch.send(&self.origin, request, |_| false).await;
            let answer = answer.map_err(|lost| lost.broken(format!("no answer from {NAME}")))?;
            if answer.status() != 401 {
                return Ok(answer);
            }
            if self.renewed {
                return Err(CredentialsError::broken(format!(
                    "{NAME} refuses its own token"
                )));
            }
            // The token ran out between two requests.
            self.renewed = true;
            self.token = token(&self.fetch, &self.origin).await?;
        }
    }
}

impl std::fmt::Debug for MetadataSession {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MetadataSession")
            .field("origin", &self.origin)
            .finish_non_exhaustive()
    }
}

async fn token(fetch: &Fetch, origin: &Origin) -> Fetched<String> {
    let request = || {
        let mut request = Request::new(Method::Put, origin, "/latest/api/token")?;
        request.header("x-aws-ec2-metadata-token-ttl-seconds", TTL)?;
        request.body("");
        Ok::<_, pipeline_pool::Error>(request)
    };
    let first = request().map_err(Lost::from);
    let first = match first {
        Ok(request) => fetch.once(origin, request).await,
        Err(lost) => Err(lost),
    };
    let answer = match first {
        // Nobody is there: most machines are no instances, and must not wait for three attempts.
        Err(Lost::Away(error)) => {
            return Err(CredentialsError::absent(format!(
                "{NAME} does not answer (in a container it does not when the instance's hop limit is 1)"
            ))
            .with_source(error));
        }
        Ok(answer) if answer.status() < 500 => answer,
        _ => fetch
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
