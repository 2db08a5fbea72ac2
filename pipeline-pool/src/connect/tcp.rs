//! TCP connections to a host, whichever of its addresses answers.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::net::TcpStream;
use tokio::time::Instant;

use super::addresses::{Addresses, Lease, random};
use super::race::race;
use super::resolve::{Names, Resolve};
use crate::engine::shell::extra_permit::ExtraPermits;

/// How long a quiet connection goes without a sign of life before the system asks for one.
const KEEPALIVE_TIME: Duration = Duration::from_secs(30);
/// How long it waits for the answer before it asks again.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(10);

/// A host, its addresses, and how they have been doing.
pub(crate) struct Host {
    names: Names,
    addresses: Addresses,
}

/// A TCP connection.
pub(crate) struct Dialed {
    pub(crate) tcp: TcpStream,
    /// How long the handshake took: about one round trip.
    pub(crate) rtt: Duration,
    pub(crate) lease: Lease,
}

impl Host {
    pub(crate) fn new(host: &str, port: u16, resolver: Arc<dyn Resolve>, ttl: Duration) -> Self {
        Self {
            names: Names::new(host, port, resolver, ttl),
            addresses: Addresses::default(),
        }
    }

    /// Opens a connection to one of the host's addresses.
    pub(crate) async fn dial(&self, permits: &dyn ExtraPermits) -> io::Result<Dialed> {
        let known = self.names.get().await?;
        let plan = self.addresses.plan(&known, Instant::now());
        let slow = |address| self.addresses.failed(address, Instant::now(), random());
        race(plan, permits, |address| self.attempt(address), slow).await
    }

    async fn attempt(&self, address: SocketAddr) -> io::Result<Dialed> {
        let lease = self.addresses.lease(address);
        let begun = Instant::now();
        match open(address).await {
            Ok(tcp) => {
                let rtt = begun.elapsed();
                Ok(Dialed { tcp, rtt, lease })
            }
            Err(error) => {
                if !super::is_exhausted(&error) {
                    lease.failed();
                }
                Err(error)
            }
        }
    }
}

async fn open(address: SocketAddr) -> io::Result<TcpStream> {
    let tcp = TcpStream::connect(address).await?;
    tcp.set_nodelay(true)?;
    let keepalive = TcpKeepalive::new().with_time(KEEPALIVE_TIME);
    #[cfg(any(
        target_os = "linux",
        target_os = "macos",
        target_os = "freebsd",
        windows
    ))]
    let keepalive = keepalive.with_interval(KEEPALIVE_INTERVAL);
    #[cfg(not(any(
        target_os = "linux",
        target_os = "macos",
        target_os = "freebsd",
        windows
    )))]
    let _ = KEEPALIVE_INTERVAL;
    SockRef::from(&tcp).set_tcp_keepalive(&keepalive)?;
    Ok(tcp)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

    use tokio::net::TcpListener;

    use super::super::resolve::Resolving;
    use super::*;
    use crate::engine::shell::extra_permit::ExtraPermit;

    struct Told(Vec<SocketAddr>, AtomicUsize);

    impl Resolve for Told {
        fn resolve(&self, _: &str, _: u16) -> Resolving {
            self.1.fetch_add(1, SeqCst);
            let told = self.0.clone();
            Box::pin(async { Ok(told) })
        }
    }

    struct NoExtraPermits;

    impl ExtraPermits for NoExtraPermits {
        fn extra_permit(&self) -> Option<ExtraPermit> {
            None
        }
    }

    fn host(addresses: &[SocketAddr]) -> Host {
        let told = Told(addresses.to_vec(), AtomicUsize::new(0));
        Host::new("a.example", 80, Arc::new(told), Duration::from_secs(5))
    }

    async fn listen(n: usize) -> (Vec<TcpListener>, Vec<SocketAddr>) {
        let mut listeners = Vec::new();
        for _ in 0..n {
            listeners.push(TcpListener::bind("127.0.0.1:0").await.unwrap());
        }
        let addresses = listeners.iter().map(|l| l.local_addr().unwrap()).collect();
        (listeners, addresses)
    }

    #[tokio::test]
    async fn connections_spread_evenly_over_the_addresses() {
        let (_listeners, addresses) = listen(3).await;
        let host = host(&addresses);
        let mut open = Vec::new();
        for _ in 0..12 {
            open.push(host.dial(&NoExtraPermits).await.unwrap());
        }
        for address in &addresses {
            assert_eq!(host.addresses.used(*address), 4);
        }
        open.clear();
        assert_eq!(host.addresses.used(addresses[0]), 0);
    }

    #[tokio::test]
    async fn an_address_that_refuses_is_passed_over() {
        let (mut listeners, addresses) = listen(2).await;
        drop(listeners.remove(0));
        let host = host(&addresses);
        for _ in 0..4 {
            let dialed = host.dial(&NoExtraPermits).await.unwrap();
            assert_eq!(dialed.tcp.peer_addr().unwrap(), addresses[1]);
        }
        let plan = host.addresses.plan(&addresses, Instant::now());
        assert_eq!(plan, [addresses[1], addresses[0]]);
    }

    #[tokio::test]
    async fn sockets_are_quick_and_kept_alive() {
        let (_listeners, addresses) = listen(1).await;
        let dialed = host(&addresses).dial(&NoExtraPermits).await.unwrap();
        assert!(dialed.tcp.nodelay().unwrap());
        assert!(SockRef::from(&dialed.tcp).keepalive().unwrap());
        assert_eq!(
            SockRef::from(&dialed.tcp).tcp_keepalive_time().unwrap(),
            KEEPALIVE_TIME
        );
    }
}
