//! When the next list is asked for, by what happened to the last.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use aws_core::credentials::{CredentialsError, ProvideCredentials, ProvideFuture};
use ec2_client::{Kind, PeerEvent};
use tokio::time::{Instant, sleep, timeout};

use crate::cloud::{Cloud, error, page, running};

/// No keys, however often they are asked for.
#[derive(Debug)]
struct Nobody(Arc<AtomicUsize>);

impl ProvideCredentials for Nobody {
    fn provide(&self, _: SystemTime) -> ProvideFuture<'_> {
        self.0.fetch_add(1, Ordering::SeqCst);
        Box::pin(async { Err(CredentialsError::broken("there are none")) })
    }
}

/// What a repetition will not help is asked for no more often than a list.
#[tokio::test(start_paused = true)]
async fn what_fails_again_waits_as_long_as_a_list() {
    let refused = Cloud::new(|_| (403, error("UnauthorizedOperation")));
    let begun = Instant::now();
    let mut peers = refused.client().peers().watch();
    let none = timeout(Duration::from_secs(600), async {
        while peers.next().await.is_some() {}
    });
    assert!(none.await.is_err());
    let calls: Vec<_> = refused.calls().iter().map(|call| call.at).collect();
    assert!(calls.len() > 2 && calls[0] == begun);
    let pauses = calls.windows(2).map(|two| two[1] - two[0]);
    assert!(
        pauses.min().unwrap() >= Duration::from_secs(24),
        "{calls:?}"
    );

    let asked = Arc::new(AtomicUsize::new(0));
    let keyless = Cloud::running(&["i-1"]).builder();
    let keyless = keyless.credentials(Nobody(asked.clone())).build().unwrap();
    let illegal = Cloud::running(&["i-1"]).client();
    let illegal = illegal.peers().tag("a", "x".repeat(256));
    for (peers, kind) in [
        (keyless.peers(), Kind::Credentials),
        (illegal, Kind::Invalid),
    ] {
        let mut watch = peers.watch();
        let mut times = Vec::new();
        while times.len() < 4 {
            let Some(PeerEvent::Failing(error, _)) = watch.next().await else {
                panic!("no failure");
            };
            assert_eq!(error.kind(), kind, "{error}");
            times.push(Instant::now());
        }
        let pauses = times.windows(2).map(|two| two[1] - two[0]);
        assert!(
            pauses.min().unwrap() >= Duration::from_secs(24),
            "{kind:?} {times:?}"
        );
    }
    assert!(asked.load(Ordering::SeqCst) > 0);
}

/// A failure of the service is everybody's, whatever its code: one of all watches of a client tries.
#[tokio::test(start_paused = true)]
async fn a_failure_of_the_service_is_waited_out_by_all_together() {
    for (status, code) in [(500, "InternalError"), (502, ""), (599, "Odd"), (429, "")] {
        let cloud = Cloud::new(move |_| (status, error(code)));
        cloud.set_latency(Duration::from_millis(300));
        let client = cloud.client();
        for _ in 0..4 {
            let mut other = client.peers().watch();
            tokio::spawn(async move { while other.next().await.is_some() {} });
        }
        sleep(Duration::from_secs(3600)).await;
        let calls: Vec<_> = cloud.calls().iter().map(|call| call.at).collect();
        let late = &calls[calls.len() - 5..];
        assert!(
            late.windows(2)
                .all(|two| two[1] - two[0] >= Duration::from_secs(300)),
            "{status}: {late:?}"
        );
    }
}

/// Other requests of a client that were refused slow down those that come after them, but not its watches, which have a
/// pace of their own.
#[tokio::test(start_paused = true)]
async fn a_watch_has_no_place_in_the_line_of_a_client_that_is_slowed_down() {
    let cloud = Cloud::new(|_| (503, error("RequestLimitExceeded")));
    let client = cloud.client();
    for _ in 0..20 {
        client.instances().await.unwrap_err();
    }
    cloud.set_list(&running(&["i-1"]));
    let begun = Instant::now();
    let mut watch = client.peers().watch();
    watch.next().await.unwrap();
    assert_eq!(begun.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn intervals_and_pages_are_moved_to_what_is_legal() {
    let cloud = Cloud::running(&["i-1"]);
    let peers = || cloud.client().peers();
    for (every, seconds) in [
        (Duration::ZERO, 1),
        (Duration::from_secs(7), 7),
        (Duration::MAX, 86_400),
    ] {
        let watch = peers().every(every).watch();
        assert_eq!(watch.interval(), Duration::from_secs(seconds));
    }
    assert_eq!(peers().max_pages(0).once().await.unwrap().len(), 1);
    // A list has a hundred pages at most, unless it is allowed more.
    let count = Arc::new(AtomicUsize::new(0));
    cloud.set(move |_| {
        let next = count.fetch_add(1, Ordering::SeqCst).to_string();
        (200, page(&running(&["i-1"]), &next))
    });
    let before = cloud.calls().len();
    let error = peers().once().await.unwrap_err();
    assert!(error.to_string().contains("more than 100 pages"), "{error}");
    assert_eq!(cloud.calls().len() - before, 100);
}
