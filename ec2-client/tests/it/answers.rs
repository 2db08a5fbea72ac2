//! Answers that are large, odd, or in circles.

use std::time::Duration;

use ec2_client::peers::Address;
use ec2_client::{Kind, RetryConfig};
use emulator::Emulator;
use futures_util::TryStreamExt as _;

use crate::cloud::{Cloud, error, list, page, running, short};
use crate::instances::builder;

/// A node of Kubernetes with its addresses takes over 60 KB, and a page has a thousand instances.
#[tokio::test]
async fn a_page_of_large_instances_is_read() {
    let service = Emulator::start().await.unwrap();
    let large = "x".repeat(2 << 20);
    for i in 0..20 {
        let row = format!(r#"{{"InstanceId": "i-{i}", "Tags": {{"large": "{large}"}}}}"#);
        service.ec2().put(&row).unwrap();
    }
    let ec2 = builder(&service)
        .retry(RetryConfig::none())
        .build()
        .unwrap();
    assert_eq!(ec2.peers().once().await.unwrap().len(), 20);
}

#[tokio::test(start_paused = true)]
async fn a_listing_that_goes_in_circles_ends_with_an_error() {
    let cloud = Cloud::new(|call| {
        let next = match call.param("NextToken").as_deref() {
            None => "a",
            Some("a") => "b",
            Some("b") => "c",
            _ => "a",
        };
        (200, page(&running(&["i-1"]), next))
    });
    let listing = cloud.client().instances().items().try_collect::<Vec<_>>();
    let error = listing.await.unwrap_err();
    assert_eq!(error.kind(), Kind::Protocol);
    assert!(error.to_string().contains("does not get on"), "{error}");
    assert!(cloud.calls().len() < 20);
}

/// It moved from one page to the next between the two, and lost its address.
#[tokio::test(start_paused = true)]
async fn the_later_of_two_sightings_counts_for_scripts_too() {
    let cloud = Cloud::new(|call| match call.param("NextToken") {
        None => (200, page(&running(&["i-1", "i-2"]), "two")),
        Some(_) => {
            let text = list(&running(&["i-2", "i-3"]));
            (200, text.replace("10.0.0.2", ""))
        }
    });
    let found = cloud.client().peers().once().await.unwrap();
    let ids: Vec<_> = found.into_iter().map(|peer| peer.id).collect();
    assert_eq!(ids, ["i-1", "i-3"]);
}

#[tokio::test(start_paused = true)]
async fn two_peers_may_have_one_address() {
    let cloud = Cloud::new(|_| {
        let text = list(&running(&["i-1", "i-2"]));
        (200, text.replace("10.0.0.2", "10.0.0.1"))
    });
    let found = cloud.client().peers().once().await.unwrap();
    let addresses: Vec<_> = found.iter().map(|peer| &*peer.address).collect();
    assert_eq!(
        addresses,
        ["10.0.0.1", "10.0.0.1"],
        "two networks may have it"
    );
}

#[tokio::test(start_paused = true)]
async fn elements_without_a_text_are_absent() {
    let cloud = Cloud::new(|_| {
        let text = list(&running(&["i-1"]));
        let text = text
            .replace("10.0.0.1", "\n")
            .replace("ip-i-1.ec2.internal", "");
        (
            200,
            text.replace("</instancesSet>", "</instancesSet><ownerId/>"),
        )
    });
    let page = cloud.client().instances().await.unwrap();
    let one = &page.instances[0];
    assert_eq!(
        (&one.private_ip, &one.private_dns, &one.owner),
        (&None, &None, &None)
    );
    assert_eq!(page.next_token, None);
    let peers = cloud.client().peers().address(Address::PrivateDns);
    let mut watch = peers.watch();
    assert_eq!(short(&watch.next().await.unwrap()), "!i-1");
    assert_eq!(short(&watch.next().await.unwrap()), "ready 0");
}

/// A function that gives no number, or one beyond, ends no watch.
#[tokio::test(start_paused = true)]
async fn odd_randomness_makes_ordinary_pauses() {
    for random in [f64::NAN, f64::INFINITY, -1.0, 7.0] {
        let cloud = Cloud::running(&["i-1"]);
        let mut watch = cloud.client().peers().random(move || random).watch();
        for _ in 0..2 {
            watch.next().await.unwrap();
        }
        let wait = tokio::time::timeout(Duration::from_secs(100), watch.next());
        assert!(wait.await.is_err(), "{random}: it has ended");
        assert!((3..=5).contains(&cloud.calls().len()), "{random}");
        cloud.set(|_| (500, error("InternalError")));
        let failing = watch.next().await.unwrap();
        assert_eq!(short(&failing), "failing InternalError", "{random}");
    }
}

/// A service that says more than one line, or rings a bell, does so in one line.
#[tokio::test(start_paused = true)]
async fn what_a_service_says_is_one_line() {
    let cloud = Cloud::new(|_| {
        let text = error("UnauthorizedOperation");
        (
            403,
            text.replace("scripted", "You are not\r\nallowed.\u{7f}\tEver."),
        )
    });
    let error = cloud.client().instances().await.unwrap_err();
    assert_eq!(error.code(), Some("UnauthorizedOperation"));
    let shown = error.to_string();
    assert!(!shown.contains(['\r', '\n']), "{shown:?}");
}

#[tokio::test(start_paused = true)]
async fn the_newest_version_of_the_action_is_asked_for() {
    let cloud = Cloud::running(&["i-1"]);
    cloud.client().instances().await.unwrap();
    let call = &cloud.calls()[0];
    assert_eq!(call.param("Action").as_deref(), Some("DescribeInstances"));
    assert_eq!(call.param("Version").as_deref(), Some("2016-11-15"));
}

#[tokio::test(start_paused = true)]
async fn a_late_answer_is_waited_for_as_long_as_was_said() {
    let cloud = Cloud::running(&["i-1"]);
    cloud.set_latency(Duration::from_secs(3600));
    let client = cloud.builder().timeout(Duration::from_secs(7));
    let client = client.retry(RetryConfig::none()).build().unwrap();
    let own = client.instances().timeout(Duration::from_secs(3));
    for (request, seconds) in [(client.instances(), 7), (own, 3)] {
        let begun = tokio::time::Instant::now();
        let error = request.await.unwrap_err();
        assert_eq!(error.kind(), Kind::Timeout, "{error}");
        assert_eq!(begun.elapsed(), Duration::from_secs(seconds));
    }
    // To a watch it is a failure like others, and the next list is asked for.
    let mut watch = client.peers().watch();
    let failing = watch.next().await.unwrap();
    assert_eq!(short(&failing), "failing -");
    cloud.set_latency(Duration::ZERO);
    assert_eq!(short(&watch.next().await.unwrap()), "+i-1");
}
