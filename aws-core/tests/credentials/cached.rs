//! Keys that are kept until shortly before they expire, and fetched once for all who wait.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use aws_core::Credentials;
use aws_core::credentials::{
    Cached, CredentialsError, ProvideCredentials, ProvideFuture, Provided,
};
use tokio::sync::Semaphore;

/// Gives keys numbered by call, each when the gate opens.
#[derive(Debug, Clone)]
struct Gated {
    calls: Arc<AtomicUsize>,
    gate: Arc<Semaphore>,
    lifetime: Option<Duration>,
    fail_from: usize,
}

impl Gated {
    fn new(lifetime: Option<Duration>, fail_from: usize) -> Self {
        Self {
            calls: Arc::default(),
            gate: Arc::new(Semaphore::new(0)),
            lifetime,
            fail_from,
        }
    }

    fn calls(&self) -> usize {
        self.calls.load(Ordering::Relaxed)
    }
}

impl ProvideCredentials for Gated {
    fn provide(&self, now: SystemTime) -> ProvideFuture<'_> {
        Box::pin(async move {
            let call = self.calls.fetch_add(1, Ordering::Relaxed);
            self.gate.acquire().await.unwrap().forget();
            if call >= self.fail_from {
                return Err(CredentialsError::broken(format!("failure {call}")));
            }
            let credentials = Credentials::new(format!("K{call}"), "hidden");
            let expires = self.lifetime.map(|l| now + l);
            let source = Some(format!("the call {call}").into());
            Ok(Provided {
                credentials,
                expires,
                source,
            })
        })
    }
}

#[tokio::test]
async fn all_waiters_share_one_fetch() {
    let source = Gated::new(None, 9);
    let cached = Cached::new(source.clone());
    let now = SystemTime::now();
    assert!(cached.ready(now).is_none());
    let all = futures_util::future::join_all((0..20).map(|_| cached.provide(now)));
    // The gate opens when all of them wait.
    let (all, ()) = tokio::join!(all, async { source.gate.add_permits(1) });
    assert!(
        all.iter()
            .all(|p| p.as_ref().unwrap().credentials.access_key() == "K0")
    );
    assert_eq!(source.calls(), 1);
    let keys = cached.ready(now).unwrap();
    assert_eq!(keys.access_key(), "K0");
    assert_eq!(cached.source_of(&keys).as_deref(), Some("the call 0"));
    let others = Credentials::new("K1", "hidden");
    assert_eq!(cached.source_of(&others), None, "it has not given them");
    let decades = now + Duration::from_secs(1 << 30);
    assert!(cached.ready(decades).is_some());
}

#[tokio::test]
async fn all_waiters_share_one_failure_and_the_next_tries_again() {
    let source = Gated::new(None, 0);
    let cached = Cached::new(source.clone());
    let now = SystemTime::now();
    let all = futures_util::future::join_all((0..5).map(|_| cached.provide(now)));
    // The gate opens when all of them wait.
    let (all, ()) = tokio::join!(all, async { source.gate.add_permits(1) });
    assert!(
        all.iter()
            .all(|p| p.as_ref().unwrap_err().to_string() == "failure 0")
    );
    source.gate.add_permits(1);
    assert_eq!(
        cached.provide(now).await.unwrap_err().to_string(),
        "failure 1"
    );
}

#[tokio::test]
async fn a_leader_that_goes_away_fails_nobody() {
    let source = Gated::new(None, 9);
    let cached = Cached::new(source.clone());
    let now = SystemTime::now();
    let mut leader = cached.provide(now);
    let mut follower = cached.provide(now);
    assert!(poll_once(&mut leader).is_pending());
    assert!(poll_once(&mut follower).is_pending());
    assert_eq!(source.calls(), 1);
    drop(leader);
    source.gate.add_permits(1);
    assert_eq!(follower.await.unwrap().credentials.access_key(), "K1");
}

#[tokio::test]
async fn keys_are_renewed_before_they_expire() {
    let source = Gated::new(Some(Duration::from_secs(3600)), 2);
    let cached = Cached::new(source.clone());
    let start = SystemTime::now();
    let at = |s| start + Duration::from_secs(s);
    source.gate.add_permits(1);
    cached.provide(at(0)).await.unwrap();
    assert!(cached.ready(at(3299)).is_some());
    assert!(cached.ready(at(3300)).is_none(), "it is time");
    // While one caller fetches, the others go on with what works.
    let mut leader = cached.provide(at(3300));
    assert!(poll_once(&mut leader).is_pending());
    assert_eq!(
        cached
            .provide(at(3300))
            .await
            .unwrap()
            .credentials
            .access_key(),
        "K0"
    );
    source.gate.add_permits(1);
    assert_eq!(leader.await.unwrap().credentials.access_key(), "K1");
    // A failed renewal keeps keys that work, and does not burden every request.
    source.gate.add_permits(1);
    let soon = 3300 + 3300;
    assert_eq!(
        cached
            .provide(at(soon))
            .await
            .unwrap()
            .credentials
            .access_key(),
        "K1"
    );
    assert_eq!(cached.ready(at(soon + 29)).unwrap().access_key(), "K1");
    assert!(cached.ready(at(soon + 30)).is_none());
    // Expired ones are never given out.
    source.gate.add_permits(1);
    assert!(cached.ready(at(3300 + 3600)).is_none());
    assert_eq!(
        cached
            .provide(at(3300 + 3600))
            .await
            .unwrap_err()
            .to_string(),
        "failure 3"
    );
}

#[tokio::test]
async fn refused_keys_are_fetched_again_unless_they_stay_the_same() {
    let source = Gated::new(Some(Duration::from_secs(3600)), 9);
    source.gate.add_permits(9);
    let cached = Cached::new(source.clone());
    let start = SystemTime::now();
    let first = cached.provide(start).await.unwrap().credentials;
    assert!(cached.forget(&first, start));
    assert!(cached.ready(start).is_none());
    // Others that were refused with the same keys wait for the same fetch.
    assert!(cached.forget(&first, start));
    let second = cached.provide(start).await.unwrap().credentials;
    assert_eq!((second.access_key(), source.calls()), ("K1", 2));
    assert!(cached.forget(&first, start), "there are others already");
    assert_eq!(cached.ready(start).unwrap().access_key(), "K1");
    // A source that gives the same keys again is left in peace for a while.
    let same = Cached::new(Same);
    let keys = same.provide(start).await.unwrap().credentials;
    assert!(same.forget(&keys, start));
    same.provide(start).await.unwrap();
    assert!(!same.forget(&keys, start + Duration::from_secs(29)));
    assert!(same.ready(start).is_some());
    assert!(same.forget(&keys, start + Duration::from_secs(30)));
    let fixed = Cached::new(Credentials::new("A", "hidden"));
    assert!(!fixed.forget(&Credentials::new("A", "hidden"), start));
}

#[derive(Debug)]
struct Same;

impl ProvideCredentials for Same {
    fn provide(&self, _: SystemTime) -> ProvideFuture<'_> {
        Box::pin(std::future::ready(Ok(
            Credentials::new("S", "hidden").into()
        )))
    }
}

#[tokio::test]
async fn keys_that_come_expired_are_refused() {
    let source = Gated::new(Some(Duration::ZERO), 9);
    source.gate.add_permits(1);
    let error = Cached::new(source)
        .provide(SystemTime::now())
        .await
        .unwrap_err();
    assert!(error.to_string().contains("expired"), "{error}");
}

fn poll_once(
    future: &mut ProvideFuture<'_>,
) -> std::task::Poll<Result<Provided, CredentialsError>> {
    let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
    future.as_mut().poll(&mut cx)
}
