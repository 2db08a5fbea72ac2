//! What is counted on the way of an operation: by the module `metrics` with the feature of this name, by nothing without.

use tokio::time::Instant;

use crate::error::Error;
use crate::operation::{Operation, Service};

/// An operation that was begun at this instant has ended.
pub(crate) fn ended<O: Operation>(error: Option<&Error>, since: Instant) {
    let (service, name) = (O::Service::NAME, O::NAME);
    #[cfg(feature = "metrics")]
    crate::metrics::operation(service, name, error, since.elapsed());
    let _ = (service, name, error, since);
}

/// An operation was dropped before it has ended.
#[cfg(feature = "metrics")]
pub(crate) fn dropped<O: Operation>() {
    crate::metrics::dropped(O::Service::NAME, O::NAME);
}

/// An attempt begins.
pub(crate) fn attempt<O: Operation>(number: u32) {
    let (service, name) = (O::Service::NAME, O::NAME);
    #[cfg(feature = "metrics")]
    {
        crate::metrics::count("aws_client_attempts_total", service, name);
        if number > 1 {
            crate::metrics::count("aws_client_retries_total", service, name);
        }
    }
    let _ = (service, name, number);
}

/// An attempt has failed.
pub(crate) fn failed<O: Operation>(error: &Error) {
    let (service, name) = (O::Service::NAME, O::NAME);
    #[cfg(feature = "metrics")]
    crate::metrics::failed(service, name, error);
    let _ = (service, name, error);
}

/// An attempt waits for its turn.
pub(crate) fn waits<O: Operation>() {
    let (service, name) = (O::Service::NAME, O::NAME);
    #[cfg(feature = "metrics")]
    crate::metrics::count("aws_client_throttle_waits_total", service, name);
    let _ = (service, name);
}

/// A read of a client with a cache, and whether that answered it.
#[cfg(feature = "cache")]
pub(crate) fn cache_read<O: Operation>(result: &'static str) {
    let (service, name) = (O::Service::NAME, O::NAME);
    #[cfg(feature = "metrics")]
    crate::metrics::cache_read(service, name, result);
    let _ = (service, name);
    if crate::dispatch::trace::listens() {
        crate::dispatch::trace::current().record("cache", result);
    }
}
