//! Small requests for keys, over a pool of their own.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use aws_sigv2::Credentials;
use bytes::Bytes;
use pipeline_pool::{Head, HttpPool, Kind, Origin, Request};

use super::{CredentialsError, Provided, json};
use crate::time::parse_iso8601;
use crate::transport::Transport;

/// The most bytes of an answer.
pub(super) const MAX_ANSWER: usize = 256 << 10;

/// How often a request is tried.
const MAX_ATTEMPTS: u32 = 3;

/// The pause before the second attempt; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// Sends requests and reads short answers.
#[derive(Clone)]
pub(super) struct Fetch {
    transport: Arc<dyn Transport>,
    /// The longest time of one attempt.
    timeout: Duration,
}

pub(super) type Fetched<T> = Result<T, CredentialsError>;

/// An answer that was read whole.
pub(super) struct FetchedAnswer {
    pub(super) head: Head,
    pub(super) body: Bytes,
}

impl FetchedAnswer {
    pub(super) fn status(&self) -> u16 {
        self.head.status()
    }

    pub(super) fn is_ok(&self) -> bool {
        (200..300).contains(&self.status())
    }
}

/// Why there is no answer.
pub(super) enum Lost {
    /// No connection could be opened, or no answer came.
    Away(pipeline_pool::Error),
    /// The request failed in another way.
    Failed(pipeline_pool::Error),
}

impl From<pipeline_pool::Error> for Lost {
    fn from(error: pipeline_pool::Error) -> Self {
        match error.kind() {
            Kind::Connect | Kind::Timeout | Kind::WaitTimeout => Self::Away(error),
            _ => Self::Failed(error),
        }
    }
}

impl Lost {
    pub(super) fn broken(self, message: impl Into<String>) -> CredentialsError {
        let (Self::Away(error) | Self::Failed(error)) = self;
        CredentialsError::broken(message).with_source(error)
    }
}

impl Fetch {
    pub(super) fn new(timeout: Duration) -> Self {
        // Keys are asked for seldom: a connection kept meanwhile would only go stale.
        let pool = HttpPool::builder()
            .max_connections(2)
            .connect_timeout(timeout)
            .idle_timeout(Duration::from_secs(2));
        Self {
            transport: Arc::new(pool.build()),
            timeout,
        }
    }

    pub(super) fn with_transport(mut self, transport: impl Transport + 'static) -> Self {
        self.transport = Arc::new(transport);
        self
    }

    pub(super) fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Makes one attempt.
    pub(super) async fn once(
        &self,
        origin: &Origin,
        mut request: Request,
    ) -> Result<FetchedAnswer, Lost> {
        request.timeout(self.timeout);
        let whole = async {
            let response = self.transport.send(origin, request).await?;
            let (head, body) = response.into_parts();
            let body = body.bytes(MAX_ANSWER).await?;
            Ok::<_, pipeline_pool::Error>(FetchedAnswer { head, body })
        };
        let late = || pipeline_pool::Error::new(Kind::Timeout, "no answer in time");
        let outcome = tokio::time::timeout(self.timeout, whole).await;
        outcome.unwrap_or_else(|_| Err(late())).map_err(Lost::from)
    }

    /// Some attempts: until there is an answer that is not a server's own failure.
    pub(super) async fn send(
        &self,
        origin: &Origin,
        request: impl Fn() -> Result<Request, pipeline_pool::Error>,
        again: impl Fn(&FetchedAnswer) -> bool,
    ) -> Result<FetchedAnswer, Lost> {
        let mut attempt = 1;
        loop {
            let outcome = self.once(origin, request()?).await;
            let passing = match &outcome {
                Ok(answer) => matches!(answer.status(), 429 | 500..) || again(answer),
                Err(_) => true,
            };
            if !passing || attempt == MAX_ATTEMPTS {
                return outcome;
            }
            tokio::time::sleep(FIRST_PAUSE * 2_u32.pow(attempt - 1)).await;
            attempt += 1;
        }
    }
}

impl fmt::Debug for Fetch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fetch")
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}

/// Reads the answer of a metadata service or of a program: keys as JSON.
pub(super) fn keys(source: &str, body: &[u8]) -> Fetched<Provided> {
    let bad = |what: &str| CredentialsError::broken(format!("{source}: {what}"));
    let Some(members) = json::scalars(body) else {
        return Err(bad("the answer is no JSON object"));
    };
    let member = |name: &str| {
        let is_it = |(other, value): &&(String, String)| other == name && !value.is_empty();
        members.iter().find(is_it).map(|(_, value)| value.as_str())
    };
    if let Some(code) = member("Code").filter(|code| *code != "Success") {
        return Err(bad(&format!("it answers with the code {:?}", short(code))));
    }
    let need = |name: &str| member(name).ok_or_else(|| bad(&format!("the answer has no {name}")));
    let credentials = Credentials::new(need("AccessKeyId")?, need("SecretAccessKey")?);
    let expires = member("Expiration")
        .map(|text| parse_iso8601(text).ok_or_else(|| bad("the Expiration is no time")))
        .transpose()?;
    let token = member("Token").or(member("SessionToken"));
    Ok(provided(credentials, token, expires))
}

pub(super) fn provided(
    credentials: Credentials,
    token: Option<&str>,
    expires: Option<SystemTime>,
) -> Provided {
    let credentials = match token {
        Some(token) => credentials.with_token(token),
        None => credentials,
    };
    Provided {
        credentials,
        expires,
        source: None,
    }
}

/// Text from a server, kept short.
pub(super) fn short(text: &str) -> String {
    text.chars().take(80).collect()
}
