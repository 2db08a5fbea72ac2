//! Names to addresses: looked up for each opening, through a short memory.

use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use socket2::{Domain, Socket, Type};
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};

/// How long a failed lookup is remembered, and the least that a good one is: openings that begin
/// together share one.
const MIN_LOOKUP_AGE: Duration = Duration::from_millis(100);
/// How long addresses serve on while their name cannot be looked up.
const MAX_STALE_AGE: Duration = Duration::from_secs(60);
/// How long a lookup of another task is waited for: its runtime may stand still.
const MAX_LOOKUP_WAIT: Duration = Duration::from_secs(2);
/// More addresses than anybody tries.
const MAX_RESOLVED_ADDRESSES: usize = 64;

/// A lookup under way.
pub type Resolving = Pin<Box<dyn Future<Output = io::Result<Vec<SocketAddr>>> + Send>>;

/// Finds the addresses of a host.
///
/// The pool asks anew for its openings, at most once per
/// [`dns_ttl`](crate::PoolBuilder::dns_ttl) and host, and spreads its connections over what it
/// is told; hosts that are IP addresses are not asked for.
pub trait Resolve: Send + Sync + 'static {
    /// The addresses of this host, each with the port to connect to. Their order matters only in
    /// that the family of the first (IPv6 or IPv4) is preferred.
    ///
    /// # Errors
    /// When the name cannot be looked up; it is reported as
    /// [`Kind::Connect`](crate::Kind::Connect). No address at all counts as one.
    fn resolve(&self, host: &str, port: u16) -> Resolving;
}

/// Asks the system.
pub(crate) struct System;

impl Resolve for System {
    fn resolve(&self, host: &str, port: u16) -> Resolving {
        let host = host.to_owned();
        Box::pin(async move {
            let found = tokio::net::lookup_host((host, port)).await;
            match found {
                Ok(addresses) => Ok(addresses.collect()),
                Err(error) => Err(out_of_descriptors().unwrap_or(error)),
            }
        })
    }
}

/// The system's resolver does not say that it could open neither file nor socket.
fn out_of_descriptors() -> Option<io::Error> {
    let probe = Socket::new(Domain::IPV4, Type::DGRAM, None);
    probe.err().filter(super::is_exhausted)
}

/// One host's addresses.
pub(crate) struct Names {
    host: String,
    port: u16,
    literal: Option<SocketAddr>,
    resolver: Arc<dyn Resolve>,
    ttl: Duration,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    found: Option<(Instant, Vec<SocketAddr>)>,
    failed: Option<(Instant, Failure)>,
}

/// What can be told more than once of an [`io::Error`].
struct Failure {
    code: Option<i32>,
    kind: io::ErrorKind,
    text: String,
}

impl Failure {
    fn of(error: &io::Error) -> Self {
        Self {
            code: error.raw_os_error(),
            kind: error.kind(),
            text: error.to_string(),
        }
    }

    fn error(&self) -> io::Error {
        match self.code {
            Some(code) => io::Error::from_raw_os_error(code),
            None => io::Error::new(self.kind, self.text.clone()),
        }
    }
}

impl Names {
    pub(crate) fn new(host: &str, port: u16, resolver: Arc<dyn Resolve>, ttl: Duration) -> Self {
        let literal = host.parse::<IpAddr>().ok();
        Self {
            host: host.to_owned(),
            port,
            literal: literal.map(|ip| SocketAddr::new(ip, port)),
            resolver,
            ttl: ttl.max(MIN_LOOKUP_AGE),
            known: Mutex::default(),
        }
    }

    /// The addresses now; never none.
    pub(crate) async fn get(&self) -> io::Result<Vec<SocketAddr>> {
        if let Some(address) = self.literal {
            return Ok(vec![address]);
        }
        // Whoever holds the lock is looking up, and the others take what it finds.
        let Ok(mut known) = timeout(MAX_LOOKUP_WAIT, self.known.lock()).await else {
            return self.look_up().await;
        };
        let now = Instant::now();
        if let Some((at, addresses)) = &known.found
            && now.duration_since(*at) < self.ttl
        {
            return Ok(addresses.clone());
        }
        let recent = known
            .failed
            .as_ref()
            .filter(|(at, _)| now.duration_since(*at) < MIN_LOOKUP_AGE);
        let failed = match recent {
            Some((_, failure)) => failure.error(),
            None => match self.look_up().await {
                Ok(addresses) => {
                    known.found = Some((Instant::now(), addresses.clone()));
                    known.failed = None;
                    return Ok(addresses);
                }
                Err(error) => {
                    known.failed = Some((Instant::now(), Failure::of(&error)));
                    error
                }
            },
        };
        match &known.found {
            Some((at, addresses)) if now.duration_since(*at) < self.ttl + MAX_STALE_AGE => {
                tracing::debug!(server.address = %self.host, error = %failed, "lookup failed");
                Ok(addresses.clone())
            }
            _ => Err(failed),
        }
    }

    async fn look_up(&self) -> io::Result<Vec<SocketAddr>> {
        let mut addresses = Vec::new();
        for address in self.resolver.resolve(&self.host, self.port).await? {
            if !addresses.contains(&address) && addresses.len() < MAX_RESOLVED_ADDRESSES {
                addresses.push(address);
            }
        }
        if addresses.is_empty() {
            let text = format!("{} has no address", self.host);
            return Err(io::Error::new(io::ErrorKind::NotFound, text));
        }
        Ok(addresses)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex as StdMutex;
    use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

    use futures_util::FutureExt;
    use futures_util::future::join_all;
    use tokio::time::advance;

    use super::*;

    type ScriptedAnswer = Result<Vec<SocketAddr>, io::ErrorKind>;

    /// Answers as told, the last answer for ever.
    struct Script {
        answers: StdMutex<Vec<ScriptedAnswer>>,
        asked: AtomicUsize,
    }

    impl Script {
        fn names(answers: Vec<ScriptedAnswer>, ttl: Duration) -> (Arc<Self>, Names) {
            let script = Arc::new(Self {
                answers: StdMutex::new(answers),
                asked: AtomicUsize::new(0),
            });
            let names = Names::new("a.example", 80, Arc::new(SharedScript(script.clone())), ttl);
            (script, names)
        }
    }

    struct SharedScript(Arc<Script>);

    impl Resolve for SharedScript {
        fn resolve(&self, host: &str, port: u16) -> Resolving {
            assert_eq!((host, port), ("a.example", 80));
            self.0.asked.fetch_add(1, SeqCst);
            let mut answers = self.0.answers.lock().unwrap();
            let answer = match answers.len() {
                1 => answers[0].clone(),
                _ => answers.remove(0),
            };
            Box::pin(async move {
                tokio::task::yield_now().await;
                answer.map_err(io::Error::from)
            })
        }
    }

    fn address(n: u8) -> SocketAddr {
        SocketAddr::from(([10, 0, 0, n], 80))
    }

    const TTL: Duration = Duration::from_secs(5);

    #[tokio::test(start_paused = true)]
    async fn many_openings_make_one_lookup_until_it_is_old() {
        let (script, names) = Script::names(vec![Ok(vec![address(1)]), Ok(vec![address(2)])], TTL);
        for found in join_all((0..64).map(|_| names.get())).await {
            assert_eq!(found.unwrap(), [address(1)]);
        }
        assert_eq!(script.asked.load(SeqCst), 1);
        advance(TTL - Duration::from_millis(1)).await;
        assert_eq!(names.get().await.unwrap(), [address(1)]);
        advance(Duration::from_millis(1)).await;
        assert_eq!(names.get().await.unwrap(), [address(2)]);
        assert_eq!(script.asked.load(SeqCst), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn a_failure_is_shared_and_soon_forgotten() {
        let failed = Err(io::ErrorKind::TimedOut);
        let (script, names) = Script::names(vec![failed, Ok(vec![address(1)])], TTL);
        for found in join_all((0..8).map(|_| names.get())).await {
            assert_eq!(found.unwrap_err().kind(), io::ErrorKind::TimedOut);
        }
        assert_eq!(script.asked.load(SeqCst), 1);
        advance(MIN_LOOKUP_AGE).await;
        assert_eq!(names.get().await.unwrap(), [address(1)]);
    }

    #[tokio::test(start_paused = true)]
    async fn known_addresses_outlive_a_resolver_that_fails() {
        let failed = Err(io::ErrorKind::TimedOut);
        let (_, names) = Script::names(vec![Ok(vec![address(1)]), failed], TTL);
        names.get().await.unwrap();
        advance(TTL + MAX_STALE_AGE - Duration::from_millis(1)).await;
        assert_eq!(names.get().await.unwrap(), [address(1)]);
        advance(Duration::from_secs(1)).await;
        assert!(names.get().await.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn a_lookup_that_is_given_up_holds_nobody() {
        let (script, names) = Script::names(vec![Ok(vec![address(1)])], TTL);
        {
            let mut first = std::pin::pin!(names.get());
            assert!(first.as_mut().now_or_never().is_none());
        }
        assert_eq!(names.get().await.unwrap(), [address(1)]);
        assert_eq!(script.asked.load(SeqCst), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn a_lookup_that_stands_still_holds_nobody_for_long() {
        let (_, names) = Script::names(vec![Ok(vec![address(1)])], TTL);
        let mut first = std::pin::pin!(names.get());
        assert!(first.as_mut().now_or_never().is_none());
        let begun = Instant::now();
        assert_eq!(names.get().await.unwrap(), [address(1)]);
        assert_eq!(begun.elapsed(), MAX_LOOKUP_WAIT);
    }

    #[tokio::test(start_paused = true)]
    async fn no_address_is_an_error_and_a_literal_needs_no_lookup() {
        let (script, names) = Script::names(vec![Ok(vec![])], TTL);
        assert_eq!(
            names.get().await.unwrap_err().kind(),
            io::ErrorKind::NotFound
        );
        let literal = Names::new("::1", 81, Arc::new(SharedScript(script)), TTL);
        assert_eq!(literal.get().await.unwrap(), ["[::1]:81".parse().unwrap()]);
    }
}
