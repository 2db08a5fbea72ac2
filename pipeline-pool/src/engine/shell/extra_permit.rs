//! Permits for sockets that exist beside the one that is being opened.

use std::sync::Arc;

use super::driver::now;
use super::endpoint::Endpoint;
use super::permits::Permit;
use super::runtimes::here;
use crate::protocol::Protocol;

/// Permits for the sockets of a race, within both caps.
pub(crate) trait ExtraPermits: Send + Sync {
    /// One more, if one is free that nobody waits for.
    fn extra_permit(&self) -> Option<ExtraPermit>;
}

/// The right to one more socket; dropped after that many sockets are closed.
pub(crate) type ExtraPermit = Box<dyn Send>;

impl<P: Protocol> ExtraPermits for Arc<Endpoint<P>> {
    fn extra_permit(&self) -> Option<ExtraPermit> {
        let mut scheduler = self.lock();
        if !scheduler.has_room() {
            return None;
        }
        let permit = self.permits.acquire_extra()?;
        scheduler.handle_extra_socket();
        Some(Box::new(ExtraSocket {
            endpoint: self.clone(),
            permit: Some(permit),
        }))
    }
}

/// A socket beside that of a connection being opened.
struct ExtraSocket<P: Protocol> {
    endpoint: Arc<Endpoint<P>>,
    permit: Option<Permit>,
}

impl<P: Protocol> Drop for ExtraSocket<P> {
    fn drop(&mut self) {
        self.endpoint.lock().handle_extra_closed();
        self.permit = None;
        // Without a runtime those who wait are sent back by whoever ends the opening.
        if here().is_some() {
            self.endpoint.grow(now());
        }
    }
}

#[cfg(test)]
#[cfg(feature = "http1")]
mod tests {
    use tokio::sync::mpsc;

    use super::*;
    use crate::engine::config::Config;

    use crate::engine::shell::open::{Dialing, Open};
    use crate::engine::shell::permits::SharedPermits;
    use crate::engine::shell::sending::SendingCall;
    use crate::engine::shell::spare_buffers::SpareBuffers;
    use crate::http1::codec::Http1;
    use crate::{ConnectionId, Error, Kind, Method, Origin, Request};

    /// Takes all the extra permits there are, tells how many, and gives up when told.
    struct Greedy {
        told: mpsc::UnboundedSender<usize>,
        permits: Arc<SharedPermits>,
    }

    impl Open<Http1> for Greedy {
        fn open<'a>(&'a self, extra: &'a dyn ExtraPermits, _: ConnectionId) -> Dialing<'a, Http1> {
            Box::pin(async {
                let mut taken = Vec::new();
                while let Some(permit) = extra.extra_permit() {
                    taken.push(permit);
                }
                self.told.send(taken.len()).unwrap();
                assert_eq!(self.permits.used().0, taken.len() + 1);
                drop(taken);
                self.told.send(self.permits.used().0).unwrap();
                Err(Error::new(Kind::Connect, "it was only a test"))
            })
        }

        fn name(&self) -> String {
            "greedy".to_owned()
        }
    }

    async fn taken(of_one: usize, in_all: usize) -> usize {
        let permits = SharedPermits::new(in_all);
        let (told, mut tells) = mpsc::unbounded_channel();
        let config = Config {
            max_connections: of_one,
            ..Config::default()
        };
        let opener = Greedy {
            told,
            permits: permits.clone(),
        };
        let buffers = Arc::new(SpareBuffers::new(config.read_buffer));
        let endpoint = Endpoint::new(config, Box::new(opener), permits, buffers);
        let origin = Origin::parse("http://a.example").unwrap();
        let request = Request::new(Method::Get, &origin, "/").unwrap();
        let sent = SendingCall::new(endpoint, request, None, None).await;
        assert_eq!(sent.err().unwrap().kind(), Kind::Connect);
        let taken = tells.recv().await.unwrap();
        assert_eq!(tells.recv().await.unwrap(), 1, "a extra permit was kept");
        taken
    }

    #[tokio::test]
    async fn both_caps_hold_for_a_race() {
        assert_eq!(taken(4, 256).await, 3);
        assert_eq!(taken(64, 3).await, 2);
        assert_eq!(taken(1, 256).await, 0);
        assert_eq!(taken(64, 1).await, 0);
    }
}
