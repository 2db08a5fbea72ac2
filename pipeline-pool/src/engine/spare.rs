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
        if !state.growth.has_room() {
            return None;
        }
        let permit = self.permits.acquire_spare()?;
        state.growth.race();
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
        self.endpoint.lock().growth.raced();
        self.permit = None;
        // Without a runtime those who wait are sent back by whoever ends the opening.
        if tokio::runtime::Handle::try_current().is_ok() {
            self.endpoint.pump(tokio::time::Instant::now().into_std());
        }
    }
}

#[cfg(test)]
#[cfg(feature = "http1")]
mod tests {
    use tokio::sync::mpsc;

    use super::*;
    use crate::engine::config::Config;
    use crate::engine::endpoint::{Open, Opening};
    use crate::engine::permits::Permits;
    use crate::engine::sending::Sending;
    use crate::http1::codec::Http1;
    use crate::{ConnectionId, Error, Kind, Method, Origin, Request};

    /// Takes all the spare permits there are, tells how many, and gives up when told.
    struct Greedy {
        told: mpsc::UnboundedSender<usize>,
        permits: Arc<Permits>,
    }

    impl Open<Http1> for Greedy {
        fn open<'a>(&'a self, spares: &'a dyn Spares, _: ConnectionId) -> Opening<'a, Http1> {
            Box::pin(async {
                let mut taken = Vec::new();
                while let Some(spare) = spares.spare() {
                    taken.push(spare);
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
        let permits = Permits::new(in_all);
        let (told, mut tells) = mpsc::unbounded_channel();
        let config = Config {
            max_connections: of_one,
            ..Config::default()
        };
        let opener = Greedy {
            told,
            permits: permits.clone(),
        };
        let endpoint = Endpoint::new(config, Box::new(opener), permits);
        let origin = Origin::parse("http://a.example").unwrap();
        let request = Request::new(Method::Get, &origin, "/").unwrap();
        let sent = Sending::new(endpoint, request, None, None).await;
        assert_eq!(sent.err().unwrap().kind(), Kind::Connect);
        let taken = tells.recv().await.unwrap();
        assert_eq!(tells.recv().await.unwrap(), 1, "a spare permit was kept");
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
