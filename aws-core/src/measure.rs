//! What is counted on the way of an operation: by the module `metrics` with the feature of this name, by nothing without.

use tokio::time::Instant;

use crate::error::Error;
use crate::operation::Operation;
#[cfg(feature = "metrics")]
use crate::operation::Service;

/// An operation that was begun at this instant has ended.
pub(crate) fn ended<O: Operation>(error: Option<&Error>, since: Instant) {
    #[cfg(feature = "metrics")]
    crate::metrics::operation(O::Service::NAME, O::NAME, error, since.elapsed());
    let _ = (error, since);
}

/// An attempt begins.
pub(crate) fn attempt<O: Operation>(number: u32) {
    #[cfg(feature = "metrics")]
    {
        crate::metrics::count("aws_client_attempts_total", O::Service::NAME, O::NAME);
        if number > 1 {
            crate::metrics::count("aws_client_retries_total", O::Service::NAME, O::NAME);
        }
    }
    let _ = number;
}

/// An attempt has failed.
pub(crate) fn failed<O: Operation>(error: &Error) {
    #[cfg(feature = "metrics")]
    crate::metrics::failed(O::Service::NAME, O::NAME, error);
    let _ = error;
}

/// An attempt waits for its turn.
pub(crate) fn waits<O: Operation>() {
    #[cfg(feature = "metrics")]
    crate::metrics::count("aws_client_throttle_waits_total", O::Service::NAME, O::NAME);
}

/// A read of a client with a cache, and whether that answered it.
#[cfg(feature = "cache")]
pub(crate) fn cache_read<O: Operation>(result: &'static str) {
    #[cfg(feature = "metrics")]
    crate::metrics::cache_read(O::Service::NAME, O::NAME, result);
    if crate::dispatch::trace::listens() {
        crate::dispatch::trace::current().record("cache", result);
    }
}
