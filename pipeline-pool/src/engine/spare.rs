//! Permits for sockets that exist beside the one that is being opened.

use std::sync::Arc;

use super::endpoint::Endpoint;
use super::permits::Permit;
use crate::protocol::Protocol;

/// Permits for the sockets of a race, within both caps.
pub(crate) trait Spares: Send + Sync {
    /// One more, if one is free that nobody waits for.
    fn spare(&self) -> Option<Spare>;
}

/// The right to one more socket; dropped after that many sockets are closed.
pub(crate) type Spare = Box<dyn Send>;

impl<P: Protocol> Spares for Arc<Endpoint<P>> {
    fn spare(&self) -> Option<Spare> {
        let mut state = self.lock();
        if state.live() + state.racing >= self.config.max_connections {
            return None;
        }
        let permit = self.permits.acquire_spare()?;
        state.racing += 1;
        Some(Box::new(Racer {
            endpoint: self.clone(),
            permit: Some(permit),
        }))
    }
}

struct Racer<P: Protocol> {
    endpoint: Arc<Endpoint<P>>,
    permit: Option<Permit>,
}

impl<P: Protocol> Drop for Racer<P> {
    fn drop(&mut self) {
        self.endpoint.lock().racing -= 1;
        self.permit = None;
        // Without a runtime those who wait are sent back by whoever ends the opening.
        if tokio::runtime::Handle::try_current().is_ok() {
            self.endpoint.pump(tokio::time::Instant::now().into_std());
        }
    }
}
