//! The way back to the caller of a request, alone or shared by two copies of it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use super::entry::Outcome;
use crate::protocol::Protocol;

/// Tells one caller one outcome.
pub(crate) enum Teller<P: Protocol> {
    One(oneshot::Sender<Outcome<P>>),
    /// The request is under way more than once: the first reply counts, and only the last failure.
    Shared(Arc<Shared<P>>),
}

pub(crate) struct Shared<P: Protocol>(Mutex<Option<oneshot::Sender<Outcome<P>>>>);

impl<P: Protocol> Shared<P> {
    fn lock(&self) -> MutexGuard<'_, Option<oneshot::Sender<Outcome<P>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<P: Protocol> Teller<P> {
    /// Whether nobody waits for an outcome any more.
    pub(crate) fn is_closed(&self) -> bool {
        match self {
            Self::One(sender) => sender.is_closed(),
            Self::Shared(shared) => shared
                .lock()
                .as_ref()
                .is_none_or(oneshot::Sender::is_closed),
        }
    }

    /// Tells an outcome that ends the matter; one for nobody is dropped.
    pub(crate) fn tell(self, outcome: Outcome<P>) {
        let sender = match self {
            Self::One(sender) => Some(sender),
            Self::Shared(shared) => shared.lock().take(),
        };
        if let Some(sender) = sender {
            let _ = sender.send(outcome);
        }
    }

    /// Tells a failure, unless another copy of the request may still succeed.
    pub(crate) fn tell_failure(self, outcome: Outcome<P>) {
        match self {
            // The last to give up its share is the one that tells.
            Self::Shared(shared) => {
                if let Some(Shared(sender)) = Arc::into_inner(shared)
                    && let Some(sender) =
                        sender.into_inner().unwrap_or_else(PoisonError::into_inner)
                {
                    let _ = sender.send(outcome);
                }
            }
            one => one.tell(outcome),
        }
    }

    /// Two tellers for the same caller.
    pub(crate) fn split(self) -> (Self, Self) {
        let shared = match self {
            Self::One(sender) => Arc::new(Shared(Mutex::new(Some(sender)))),
            Self::Shared(shared) => shared,
        };
        (Self::Shared(shared.clone()), Self::Shared(shared))
    }
}
