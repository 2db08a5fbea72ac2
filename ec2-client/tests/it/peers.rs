//! The rules of the stream of peers, in virtual time.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use ec2_client::peers::{Address, Watch};
use ec2_client::{Kind, PeerEvent};
use tokio::time::{Instant, sleep, timeout};

use crate::cloud::{Cloud, error, list, page, running, short};

const EVERY: Duration = Duration::from_secs(30);

/// All that is told within a time.
async fn told(peers: &mut Watch, time: Duration) -> Vec<String> {
    let mut all = Vec::new();
    let end = Instant::now() + time;
    while let Ok(Some(event)) = timeout(end - Instant::now(), peers.next()).await {
        all.push(short(&event));
    }
    all
}

/// A list, and a bit.
const ROUND: Duration = Duration::from_secs(36);

#[tokio::test(start_paused = true)]
async fn two_join_one_is_terminated_and_one_vanishes() {
    let cloud = Cloud::running(&[]);
    let mut peers = cloud.client().peers().tag("cluster", "chat").watch();
    assert_eq!(told(&mut peers, Duration::from_secs(1)).await, ["ready 0"]);
    cloud.set_list(&running(&["i-2", "i-1", "i-3"]));
    assert_eq!(told(&mut peers, ROUND).await, ["+i-1", "+i-2", "+i-3"]);

    cloud.set_list(&[
        ("i-1", "running"),
        ("i-2", "shutting-down"),
        ("i-3", "running"),
    ]);
    assert_eq!(told(&mut peers, ROUND).await, ["-i-2 shutting down"]);

    let before = cloud.calls().len();
    cloud.set_list(&running(&["i-1"]));
    let gone = peers.next().await.unwrap();
    assert_eq!(short(&gone), "-i-3 missing from two lists");
    assert_eq!(cloud.calls().len() - before, 2, "after two lists");
    let left: Vec<_> = peers.peers().into_iter().map(|peer| peer.address).collect();
    assert_eq!(left, ["10.0.0.1"]);
}

#[tokio::test(start_paused = true)]
async fn a_throttled_hour_is_failing_and_asks_ever_less() {
    let cloud = Cloud::running(&["i-1", "i-2"]);
    let mut peers = cloud.client().peers().tag("cluster", "chat").watch();
    assert_eq!(told(&mut peers, Duration::from_secs(1)).await.len(), 3);
    cloud.set(|_| (503, error("RequestLimitExceeded")));
    let begun = Instant::now();
    let events = told(&mut peers, Duration::from_secs(3600)).await;
    assert!(!events.is_empty());
    assert!(
        events
            .iter()
            .all(|event| event == "failing RequestLimitExceeded"),
        "{events:?}"
    );
    assert_eq!(peers.peers().len(), 2);
    let late = begun + Duration::from_secs(1800);
    let calls: Vec<_> = cloud.calls().iter().map(|call| call.at).collect();
    let late: Vec<_> = calls.into_iter().filter(|at| *at > late).collect();
    assert!((4..=6).contains(&late.len()), "{late:?}");
    assert!(
        late.windows(2)
            .all(|two| two[1] - two[0] >= Duration::from_secs(300))
    );
    cloud.set_list(&running(&["i-1", "i-2"]));
    let events = told(&mut peers, Duration::from_secs(400)).await;
    assert_eq!(events, ["ready 2"]);
    // And on as before.
    let before = cloud.calls().len();
    told(&mut peers, Duration::from_secs(600)).await;
    assert!((16..=25).contains(&(cloud.calls().len() - before)));
}

#[tokio::test(start_paused = true)]
async fn failures_of_the_service_are_waited_out_in_the_same_way() {
    for (status, code) in [(500, "InternalError"), (503, "Unavailable"), (502, "")] {
        let cloud = Cloud::new(move |_| (status, error(code)));
        let mut peers = cloud.client().peers().watch();
        told(&mut peers, Duration::from_secs(7200)).await;
        let calls = cloud.calls();
        let last = &calls[calls.len() - 3..];
        assert!(
            last.windows(2)
                .all(|two| two[1].at - two[0].at >= Duration::from_secs(300)),
            "{status}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn all_watches_of_a_client_share_the_pause() {
    let cloud = Cloud::new(|_| (503, error("RequestLimitExceeded")));
    // Others wake while one is being answered.
    cloud.set_latency(Duration::from_millis(300));
    let client = cloud.client();
    let mut watches: Vec<_> = (0..8).map(|_| client.peers().watch()).collect();
    let mut first = watches.pop().unwrap();
    for mut other in watches {
        tokio::spawn(async move { while other.next().await.is_some() {} });
    }
    told(&mut first, Duration::from_secs(3600)).await;
    let calls: Vec<_> = cloud.calls().iter().map(|call| call.at).collect();
    let late = &calls[calls.len() - 5..];
    assert!(
        late.windows(2)
            .all(|two| two[1] - two[0] >= Duration::from_secs(300)),
        "{late:?}"
    );
    // The one that tries finds it well, and the others go on within a second or so.
    cloud.set_list(&running(&["i-1"]));
    assert_eq!(
        told(&mut first, Duration::from_secs(363))
            .await
            .last()
            .unwrap(),
        "ready 1"
    );
    let before = cloud.calls().len();
    sleep(Duration::from_secs(36)).await;
    assert!(cloud.calls().len() - before >= 8);
}

#[tokio::test(start_paused = true)]
async fn a_large_cluster_comes_in_pages() {
    let ids: Vec<String> = (0..2500).map(|i| format!("i-{i:05}")).collect();
    let cloud = Cloud::new(move |call| {
        let token = call.param("NextToken").unwrap_or_default();
        let from = token.parse().unwrap_or(0);
        let to = ids.len().min(from + 1000);
        let rows: Vec<_> = ids[from..to]
            .iter()
            .map(|id| (id.as_str(), "running"))
            .collect();
        let next = if to < ids.len() {
            to.to_string()
        } else {
            String::new()
        };
        (200, page(&rows, &next))
    });
    let mut peers = cloud
        .client()
        .peers()
        .tag("cluster", "chat")
        .random(|| 0.0)
        .watch();
    let events = told(&mut peers, Duration::from_secs(10)).await;
    assert_eq!(events.len(), 2502);
    assert!(events[..2500].is_sorted() && events[2499].starts_with('+'));
    assert_eq!(events[2500..], ["ready 2500", "every 1875 s"]);
    let calls = cloud.calls();
    let tokens: Vec<_> = calls.iter().map(|call| call.param("NextToken")).collect();
    assert_eq!(tokens, [None, Some("1000".into()), Some("2000".into())]);
    for call in &calls {
        assert_eq!(call.param("MaxResults").as_deref(), Some("1000"));
        assert_eq!(call.param("Filter.1.Value.1").as_deref(), Some("chat"));
        assert_eq!(
            call.param("Filter.2.Name").as_deref(),
            Some("instance-state-name")
        );
    }
    // A quarter of what the account gets back: 5 requests a second of all peers together.
    assert!(peers.interval() >= Duration::from_secs(1500));
    // With the 10 seconds above this is less than the shortest pause, which is 1,500 seconds after the list.
    assert!(told(&mut peers, Duration::from_secs(1489)).await.is_empty());
    assert_eq!(cloud.calls().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn the_server_is_asked_for_all_states_but_the_last() {
    let cloud = Cloud::running(&["i-1"]);
    let mut peers = cloud.client().peers().watch();
    told(&mut peers, Duration::from_secs(1)).await;
    let call = &cloud.calls()[0];
    let values = (1..).map_while(|i| call.param(&format!("Filter.1.Value.{i}")));
    let values: Vec<_> = values.collect();
    assert_eq!(
        values,
        ["pending", "running", "shutting-down", "stopping", "stopped"]
    );
    // One that tells of it all the same is believed.
    cloud.set_list(&[("i-1", "terminated")]);
    assert_eq!(told(&mut peers, ROUND).await, ["-i-1 terminated"]);
}

#[tokio::test(start_paused = true)]
async fn nobody_leaves_for_an_answer_that_is_none() {
    let whole = list(&running(&["i-1", "i-2"]));
    let buckets = "<ListAllMyBucketsResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Buckets/></ListAllMyBucketsResult>";
    let sdb = "<ListDomainsResponse><ListDomainsResult/></ListDomainsResponse>";
    for (what, status, body) in [
        ("a listing of buckets", 200, buckets.to_owned()),
        ("an answer of SimpleDB", 200, sdb.to_owned()),
        (
            "a page for people",
            200,
            "<html><body>Sign in</body></html>".to_owned(),
        ),
        ("nothing", 200, String::new()),
        ("half an answer", 200, whole[..whole.len() / 2].to_owned()),
        (
            "an answer but for its end",
            200,
            whole[..whole.len() - 1].to_owned(),
        ),
        ("an error under status 200", 200, error("InternalError")),
        ("an unknown filter", 400, error("InvalidParameterValue")),
        ("a refusal", 403, error("UnauthorizedOperation")),
        ("wrong keys", 401, error("AuthFailure")),
        ("no page for people", 404, "<html/>".to_owned()),
    ] {
        let cloud = Cloud::running(&["i-1", "i-2"]);
        let mut peers = cloud.client().peers().watch();
        assert_eq!(told(&mut peers, Duration::from_secs(1)).await.len(), 3);
        cloud.set(move |_| (status, body.clone()));
        let events = told(&mut peers, Duration::from_secs(3600)).await;
        assert!(
            !events.is_empty() && events.iter().all(|e| e.starts_with("failing")),
            "{what}: {events:?}"
        );
        assert_eq!(peers.peers().len(), 2, "{what}");
        cloud.set_list(&running(&["i-1", "i-2"]));
        assert_eq!(
            told(&mut peers, Duration::from_secs(400)).await,
            ["ready 2"],
            "{what}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_page_that_fails_spoils_its_list() {
    let pages = |second: (u16, String)| {
        move |call: &crate::cloud::Call| match call.param("NextToken") {
            None => (200, page(&running(&["i-1"]), "two")),
            Some(_) => second.clone(),
        }
    };
    let cloud = Cloud::new(pages((200, list(&running(&["i-2"])))));
    let mut peers = cloud.client().peers().watch();
    assert_eq!(
        told(&mut peers, Duration::from_secs(1)).await,
        ["+i-1", "+i-2", "ready 2"]
    );
    cloud.set(pages((500, error("InternalError"))));
    let events = told(&mut peers, Duration::from_secs(600)).await;
    assert!(
        events.iter().all(|event| event == "failing InternalError"),
        "{events:?}"
    );
    // A list in circles, and one without an end.
    cloud.set(|_| (200, page(&running(&["i-1"]), "again")));
    let events = told(&mut peers, Duration::from_secs(600)).await;
    assert!(
        !events.is_empty() && events.iter().all(|event| event == "failing -"),
        "{events:?}"
    );
    let count = Arc::new(AtomicU64::new(0));
    cloud.set(move |_| {
        let token = count.fetch_add(1, Ordering::SeqCst).to_string();
        (200, page(&running(&["i-1"]), &token))
    });
    let events = told(&mut peers, Duration::from_secs(600)).await;
    assert!(
        !events.is_empty() && events.iter().all(|event| event == "failing -"),
        "{events:?}"
    );
    assert_eq!(peers.peers().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn the_cap_on_pages_is_said() {
    let count = Arc::new(AtomicU64::new(0));
    let cloud = Cloud::new(move |_| {
        let token = count.fetch_add(1, Ordering::SeqCst).to_string();
        (200, page(&running(&["i-1"]), &token))
    });
    let error = cloud
        .client()
        .peers()
        .max_pages(7)
        .once()
        .await
        .unwrap_err();
    assert_eq!(error.kind(), Kind::Protocol);
    assert!(error.to_string().contains("more than 7 pages"), "{error}");
    assert_eq!(cloud.calls().len(), 7);
}

#[tokio::test(start_paused = true)]
async fn lists_are_asked_for_at_no_fixed_time() {
    let cloud = Cloud::running(&["i-1"]);
    let mut peers = cloud.client().peers().every(EVERY).watch();
    told(&mut peers, Duration::from_secs(3000)).await;
    let calls: Vec<_> = cloud.calls().iter().map(|call| call.at).collect();
    let pauses: Vec<_> = calls
        .windows(2)
        .map(|two| (two[1] - two[0]).as_secs_f64())
        .collect();
    assert!((80..=125).contains(&pauses.len()));
    assert!(
        pauses.iter().all(|pause| (23.9..36.1).contains(pause)),
        "{pauses:?}"
    );
    assert!(pauses.iter().any(|pause| *pause < 27.0) && pauses.iter().any(|pause| *pause > 33.0));
    // From the first on: many that start together do not come back together.
    let mut firsts = Vec::new();
    for _ in 0..20 {
        let cloud = Cloud::running(&["i-1"]);
        let mut peers = cloud.client().peers().every(EVERY).watch();
        told(&mut peers, Duration::from_secs(37)).await;
        firsts.push(cloud.calls()[1].at - cloud.calls()[0].at);
    }
    assert!(firsts.iter().any(|first| *first != firsts[0]));
}

#[tokio::test(start_paused = true)]
async fn a_slow_reader_is_told_what_is() {
    let cloud = Cloud::running(&["i-1", "i-2"]);
    let mut peers = cloud.client().peers().watch();
    assert_eq!(short(&peers.next().await.unwrap()), "+i-1");
    // An hour, in which others come and go.
    let count = Arc::new(AtomicU64::new(100));
    cloud.set(move |_| {
        let id = format!("i-{}", count.fetch_add(1, Ordering::SeqCst));
        (200, list(&running(&["i-1", &id])))
    });
    sleep(Duration::from_secs(3600)).await;
    assert!(cloud.calls().len() > 90);
    cloud.set_list(&running(&["i-3"]));
    sleep(Duration::from_secs(120)).await;
    let events = told(&mut peers, Duration::from_millis(1)).await;
    assert_eq!(events, ["-i-1 missing from two lists", "+i-3", "ready 1"]);
}

#[tokio::test(start_paused = true)]
async fn whole_lists_come_when_they_change() {
    let cloud = Cloud::new(|_| (500, error("InternalError")));
    let mut lists = cloud.client().peers().port(11211).watch().into_lists();
    assert!(
        timeout(Duration::from_secs(9), lists.next()).await.is_err(),
        "no list yet"
    );
    cloud.set_list(&[]);
    assert!(lists.next().await.unwrap().is_empty());
    cloud.set_list(&running(&["i-2", "i-1"]));
    let addresses = |list: Vec<ec2_client::Peer>| -> Vec<_> {
        list.into_iter().map(|peer| peer.address).collect()
    };
    let list = addresses(lists.next().await.unwrap());
    assert_eq!(list, ["10.0.0.1:11211", "10.0.0.2:11211"]);
    assert!(
        timeout(Duration::from_secs(600), lists.next())
            .await
            .is_err(),
        "nothing changes"
    );
    cloud.set_list(&running(&["i-1"]));
    sleep(Duration::from_secs(100)).await;
    cloud.set_list(&running(&["i-3"]));
    sleep(Duration::from_secs(100)).await;
    assert_eq!(
        addresses(lists.next().await.unwrap()),
        ["10.0.0.3:11211"],
        "the latest"
    );
    assert!(
        timeout(Duration::from_secs(600), lists.next())
            .await
            .is_err()
    );
}

#[tokio::test(start_paused = true)]
async fn once_is_for_scripts() {
    let cloud = Cloud::new(|_| {
        (
            200,
            list(&[("i-2", "running"), ("i-1", "running"), ("i-1", "running")]),
        )
    });
    let peers = cloud.client().peers().app("chat").port(80).me("i-2");
    let found = peers.once().await.unwrap();
    let shown: Vec<_> = found
        .iter()
        .map(|peer| (&*peer.name, &*peer.address, peer.is_me))
        .collect();
    assert_eq!(
        shown,
        [
            ("chat@ip-i-1.ec2.internal", "10.0.0.1:80", false),
            ("chat@ip-i-2.ec2.internal", "10.0.0.2:80", true),
        ]
    );
    assert_eq!(
        cloud.calls()[0].param("Filter.1.Value.1").as_deref(),
        Some("running")
    );
    let named = cloud.client().peers().name(|peer| format!("n{}", peer.id));
    assert_eq!(named.once().await.unwrap()[0].name, "ni-1");
    assert!(
        cloud
            .client()
            .peers()
            .address(Address::Public)
            .once()
            .await
            .unwrap()
            .is_empty()
    );
    // One failure is tried again.
    let count = AtomicU64::new(0);
    cloud.set(move |_| match count.fetch_add(1, Ordering::SeqCst) {
        0 => (503, error("RequestLimitExceeded")),
        _ => (200, list(&running(&["i-1"]))),
    });
    assert_eq!(cloud.client().peers().once().await.unwrap().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn one_without_the_address_is_skipped() {
    let cloud = Cloud::running(&["i-1"]);
    let mut peers = cloud.client().peers().address(Address::Public).watch();
    assert_eq!(
        told(&mut peers, Duration::from_secs(600)).await,
        ["!i-1", "ready 0"]
    );
}

#[tokio::test(start_paused = true)]
async fn a_watch_that_is_dropped_asks_no_more() {
    let cloud = Cloud::running(&["i-1"]);
    let mut peers = cloud.client().peers().watch();
    peers.next().await.unwrap();
    drop(peers);
    sleep(Duration::from_secs(600)).await;
    assert_eq!(cloud.calls().len(), 1);
    // And one that is not read does not begin.
    let unread = cloud.client().peers().watch();
    sleep(Duration::from_secs(600)).await;
    assert_eq!(cloud.calls().len(), 1);
    drop(unread);
}

#[test]
fn without_a_runtime_it_says_so_and_ends() {
    use futures_util::StreamExt as _;
    let cloud = Cloud::running(&["i-1"]);
    let peers = cloud.client().peers().watch();
    let events: Vec<PeerEvent> = futures_util::FutureExt::now_or_never(peers.collect()).unwrap();
    let [PeerEvent::Failing(error, _)] = &events[..] else {
        panic!("{events:?}");
    };
    assert_eq!(error.kind(), Kind::Shutdown);
}

#[tokio::test(start_paused = true)]
async fn a_name_that_panics_ends_the_stream_and_hangs_nobody() {
    let cloud = Cloud::running(&["i-1"]);
    let mut peers = cloud.client().peers().name(|_| panic!("no name")).watch();
    assert!(peers.next().await.is_none());
}
