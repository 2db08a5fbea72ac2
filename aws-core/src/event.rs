//! What can be seen of attempts, and added to them: hooks around each one.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use pipeline_pool::{Method, Origin};

use crate::error::{Error, Result};
use crate::overrides;

/// Sees each attempt of each request, and may add header fields to it before it is signed.
///
/// An operation that is tried three times is three attempts; what the pool replays by itself, since a connection
/// was lost, is part of one. The hooks run in the caller's task and should be
/// quick. Nothing that they see is a secret: neither credentials nor signatures, header fields or bodies.
///
/// ```
/// use aws_core::event::{AttemptStart, Fields, Middleware};
///
/// /// Tells servers, proxies and logs which attempts belong together.
/// struct Trace(String);
///
/// impl Middleware for Trace {
///     fn before(&self, start: &AttemptStart<'_>, fields: &mut Fields<'_>) {
///         fields.set("x-trace", format!("{}-{}", self.0, start.number));
///     }
/// }
/// ```
pub trait Middleware: Send + Sync {
    /// Before an attempt is signed. Defaults to nothing.
    fn before(&self, start: &AttemptStart<'_>, fields: &mut Fields<'_>) {
        let _ = (start, fields);
    }

    /// When it is over: its answer has been read, or its head where the body streams; or it has failed. An attempt
    /// whose caller gave up has no event. Defaults to nothing.
    fn after(&self, event: &AttemptEvent<'_>) {
        let _ = event;
    }
}

/// An attempt that is about to be signed.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct AttemptStart<'a> {
    /// The name of the service: `S3`.
    pub service: &'static str,
    /// The name of the operation: `GetObject`.
    pub operation: &'static str,
    /// The server that the attempt goes to.
    pub origin: &'a Origin,
    /// The bucket or domain.
    pub resource: Option<&'a str>,
    /// The key of the object, or the name of the item.
    pub key: Option<&'a str>,
    /// The number of the attempt, from 1.
    pub number: u32,
}

/// An attempt that is over.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct AttemptEvent<'a> {
    /// What was known when the attempt began.
    pub start: AttemptStart<'a>,
    /// When it was begun, by the clock of this machine.
    pub started: SystemTime,
    /// How long it took: waiting in line for a connection and fetching credentials included.
    pub duration: Duration,
    /// The method; nothing if there was no request, since there were no credentials.
    pub method: Option<Method>,
    /// The status of the answer, if there was one.
    pub status: Option<u16>,
    /// What went wrong, if something did: see [`Error::kind`], [`Error::code`].
    pub error: Option<&'a Error>,
    /// The bytes of the request's body, if that is known; whether all of them were sent is not.
    pub sent: Option<u64>,
    /// The bytes of the answer's body, as far as the head tells where it streams.
    pub received: Option<u64>,
    /// The service's identifier of the request, where it is in the head of the answer or in an error.
    pub request_id: Option<&'a str>,
}

/// Header fields to be added to an attempt.
#[derive(Debug)]
pub struct Fields<'a>(&'a mut Vec<(String, String)>);

impl Fields<'_> {
    /// Sends this field, in place of one of the same name, also one that the request has. It is signed where the
    /// scheme signs it.
    ///
    /// The request fails with [`Kind::Invalid`](crate::Kind::Invalid), naming the field, when it is one that the
    /// client itself writes, or when it is not legal; see [`Overrides::check`](crate::Overrides::check).
    pub fn set(&mut self, name: impl Into<String>, value: impl Into<String>) {
        overrides::put(self.0, name.into(), value.into());
    }
}

/// All hooks of a client.
#[derive(Clone, Default)]
pub(crate) struct Hooks(Vec<Arc<dyn Middleware>>);

impl Hooks {
    pub(crate) fn push(&mut self, middleware: impl Middleware + 'static) {
        self.0.push(Arc::new(middleware));
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What is sent beside these fields and in place of them.
    pub(crate) fn before(
        &self,
        start: &AttemptStart<'_>,
        headers: &[(String, String)],
    ) -> Result<Vec<(String, String)>> {
        let mut all = headers.to_vec();
        for middleware in &self.0 {
            middleware.before(start, &mut Fields(&mut all));
        }
        for (name, value) in &all {
            overrides::check_header(name, value)?;
        }
        Ok(all)
    }

    pub(crate) fn after(&self, event: &AttemptEvent<'_>) {
        for middleware in &self.0 {
            middleware.after(event);
        }
    }
}

impl fmt::Debug for Hooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} hooks", self.0.len())
    }
}

/// A function that hears of each attempt.
pub(crate) struct OnAttempt<F>(pub(crate) F);

impl<F: Fn(&AttemptEvent<'_>) + Send + Sync> Middleware for OnAttempt<F> {
    fn after(&self, event: &AttemptEvent<'_>) {
        (self.0)(event);
    }
}
