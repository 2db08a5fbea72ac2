//! What one request does differently from its client.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::error::{Error, Result};
use crate::retry::RetryConfig;

/// What a request does with the cache of its client.
#[cfg(feature = "cache")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CacheMode {
    /// It is answered from the cache, or fills it.
    #[default]
    Use,
    /// It asks the service, and fills the cache with its answer.
    Refresh,
    /// It does not touch the cache. A write does in any case.
    Past,
}

/// What one request does differently: its time, how it is repeated, and header fields of its own.
///
/// The verbs of the clients have setters for it. Cheap to clone, and without any override as good as nothing.
///
/// ```
/// use std::time::Duration;
/// use aws_core::Overrides;
///
/// let mut patient = Overrides::default();
/// patient.timeout(Duration::from_secs(300));
/// patient.header("x-amz-request-payer", "requester");
/// assert!(patient.check().is_ok());
/// patient.header("Host", "elsewhere.example");
/// assert!(patient.check().unwrap_err().to_string().contains("Host"));
/// ```
#[derive(Clone, Default)]
pub struct Overrides(Option<Arc<Overridden>>);

#[derive(Clone, Default)]
struct Overridden {
    timeout: Option<Duration>,
    retry: Option<RetryConfig>,
    headers: Vec<(String, String)>,
    #[cfg(feature = "cache")]
    cache: CacheMode,
}

/// Fields that the connection, the signature or the body decides: RFC 9110, 7.6.1, and what signing writes.
const RESERVED_FIELDS: [&str; 16] = [
    "authorization",
    "connection",
    "content-length",
    "date",
    "expect",
    "host",
    "keep-alive",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "x-amz-content-sha256",
    "x-amz-date",
    "x-amz-security-token",
];

impl Overrides {
    fn inner(&mut self) -> &mut Overridden {
        Arc::make_mut(self.0.get_or_insert_default())
    }

    /// The longest time of the request, all its attempts and pauses included. Defaults to the client's.
    pub fn timeout(&mut self, timeout: Duration) {
        self.inner().timeout = Some(timeout);
    }

    /// How failed attempts of the request are repeated. Defaults to the client's way; the
    /// [budget](RetryConfig::budget) is the client's in any case.
    pub fn retry(&mut self, retry: RetryConfig) {
        self.inner().retry = Some(retry);
    }

    /// Sends this header field, in place of one of the same name that the request has. Names are compared without
    /// case; a second value for a name takes the place of the first. It is signed where the scheme signs it: with
    /// Version 2 of S3 those are the names that begin with `x-amz-`.
    pub fn header(&mut self, name: impl Into<String>, value: impl Into<String>) {
        put(&mut self.inner().headers, name.into(), value.into());
    }

    /// What the request does with the cache of its client. Defaults to using it.
    #[cfg(feature = "cache")]
    pub fn cache(&mut self, mode: CacheMode) {
        self.inner().cache = mode;
    }

    #[cfg(feature = "cache")]
    pub(crate) fn cache_mode(&self) -> CacheMode {
        self.0.as_ref().map(|inner| inner.cache).unwrap_or_default()
    }

    /// Whether everything in it is legal.
    ///
    /// # Errors
    /// [`Kind::Invalid`](crate::Kind::Invalid), naming the header field, when it is one that the client itself
    /// writes (`Host`, `Date`, `Authorization`, `Content-Length`, what belongs to the connection), or when its
    /// name or value is not legal in HTTP; and when the time is zero.
    pub fn check(&self) -> Result<()> {
        let Some(inner) = &self.0 else {
            return Ok(());
        };
        if inner.timeout.is_some_and(|timeout| timeout.is_zero()) {
            return Err(Error::invalid("the timeout of the request is zero"));
        }
        let mut headers = inner.headers.iter();
        headers.try_for_each(|(name, value)| check_header(name, value))
    }

    pub(crate) fn get_timeout(&self) -> Option<Duration> {
        self.0.as_ref()?.timeout
    }

    pub(crate) fn get_retry(&self) -> Option<&RetryConfig> {
        self.0.as_ref()?.retry.as_ref()
    }

    pub(crate) fn headers(&self) -> &[(String, String)] {
        self.0.as_ref().map_or(&[], |inner| &inner.headers)
    }
}

/// Sets a field in a list of them.
pub(crate) fn put(headers: &mut Vec<(String, String)>, mut name: String, value: String) {
    name.make_ascii_lowercase();
    headers.retain(|(other, _)| *other != name);
    headers.push((name, value));
}

/// Whether a field of these may be added to a request.
pub(crate) fn check_header(name: &str, value: &str) -> Result<()> {
    let token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    if name.is_empty() || !name.bytes().all(token) {
        return Err(Error::invalid(format!("illegal header name {name:?}")));
    }
    if RESERVED_FIELDS.binary_search(&name).is_ok() {
        return Err(Error::invalid(format!(
            "the header {} is written by the client itself",
            canonical(name)
        )));
    }
    // The value stays out of the text: it may be a secret.
    if value.bytes().any(|b| (b < 0x20 && b != b'\t') || b == 0x7f) {
        return Err(Error::invalid(format!(
            "illegal character in the value of the header {name}"
        )));
    }
    if value.trim_matches([' ', '\t']) != value {
        return Err(Error::invalid(format!(
            "the value of the header {name} begins or ends with a space"
        )));
    }
    Ok(())
}

/// The name as it is usually written: `Content-Length`.
fn canonical(name: &str) -> String {
    let mut start = true;
    let letter = |c: char| {
        let upper = std::mem::replace(&mut start, c == '-');
        if upper { c.to_ascii_uppercase() } else { c }
    };
    name.chars().map(letter).collect()
}

/// Values of header fields stay out of it: they may be secrets.
impl fmt::Debug for Overrides {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.headers().iter().map(|(name, _)| &**name).collect();
        f.debug_struct("Overrides")
            .field("timeout", &self.get_timeout())
            .field("retry", &self.get_retry())
            .field("headers", &names)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(name: &str, value: &str) -> Overrides {
        let mut overrides = Overrides::default();
        overrides.header(name, value);
        overrides
    }

    #[test]
    fn the_last_value_of_a_name_counts() {
        let mut overrides = with("X-A", "1");
        let before = overrides.clone();
        overrides.header("x-a", "2");
        assert_eq!(overrides.headers(), [("x-a".to_owned(), "2".to_owned())]);
        assert_eq!(before.headers()[0].1, "1", "clones do not share changes");
    }

    #[test]
    fn what_the_client_writes_is_refused_by_name() {
        assert!(RESERVED_FIELDS.is_sorted());
        for name in [
            "Host",
            "DATE",
            "x-amz-date",
            "Authorization",
            "Content-Length",
            "Transfer-Encoding",
            "Connection",
            "Expect",
        ] {
            let error = with(name, "x").check().unwrap_err().to_string();
            assert!(
                error.to_lowercase().contains(&name.to_lowercase()),
                "{error}"
            );
        }
        for (name, value) in [
            ("", "x"),
            ("a b", "x"),
            ("a:", "x"),
            ("x-a", "x\r\nhost: y"),
            ("x-a", "\u{0}"),
            ("x-a", " x"),
            ("x-a", "x\t"),
        ] {
            assert!(with(name, value).check().is_err(), "{name:?}: {value:?}");
        }
        assert!(with("x-amz-meta-\u{61}", "\u{e9} x").check().is_ok());
        assert!(Overrides::default().check().is_ok());
        let mut hasty = Overrides::default();
        hasty.timeout(Duration::ZERO);
        assert!(hasty.check().is_err());
    }

    #[test]
    fn values_are_not_shown() {
        let overrides = with("x-amz-server-side-encryption-customer-key", "topsecret\n");
        let error = overrides.check().unwrap_err();
        assert!(!format!("{overrides:?} {error} {error:?}").contains("topsecret"));
    }
}
