//! A read that others of this process wait for instead of doing the same.

use std::any::Any;
use std::pin::pin;
use std::sync::{Arc, OnceLock};

use tokio::sync::Notify;

use super::entry::Entry;

/// How a read ended for those who waited.
#[derive(Clone)]
pub(crate) enum Landed {
    /// With this.
    Entry(Entry),
    /// With something that only one can have: they do it themselves.
    Private,
    /// With an error of the type of those who called.
    Failed(Arc<dyn Any + Send + Sync>),
    /// It was given up: one of them takes it over.
    Abandoned,
}

#[derive(Default)]
pub(crate) struct Flight {
    landed: OnceLock<Landed>,
    notify: Notify,
}

impl Flight {
    /// Tells those who wait; only the first time counts.
    pub(crate) fn land(&self, landed: Landed) {
        if self.landed.set(landed).is_ok() {
            self.notify.notify_waiters();
        }
    }

    pub(crate) async fn wait(&self) -> Landed {
        loop {
            let mut told = pin!(self.notify.notified());
            told.as_mut().enable();
            if let Some(landed) = self.landed.get() {
                return landed.clone();
            }
            told.await;
        }
    }
}
