//! What holds on any server: the emulator, unless `EC2_TEST_ENDPOINT` names another that has these instances (with
//! `EC2_TEST_ACCESS_KEY`, `EC2_TEST_SECRET_KEY` and `EC2_TEST_SIGNATURE`, `v2` or `v4`). `ci/moto.sh` runs it on moto.
//!
//! Three with the tag `cluster` and in the group `chat`: `n1` and `n2` run, `n3` is stopped. Twelve others.
#![allow(
    clippy::unwrap_used,
    reason = "this is test code outside of a test function"
)]

use std::collections::BTreeSet;

use ec2_client::{Credentials, Ec2Builder, Ec2Client, PeerEvent, RetryConfig, Signature};
use emulator::Emulator;
use futures_util::TryStreamExt as _;

const NASTY: &str = "chat & <\"\u{e9}";

struct Place {
    url: String,
    keys: Credentials,
    signature: Signature,
    /// Serves until this value is dropped.
    emulator: Option<Emulator>,
}

impl Place {
    fn builder(&self) -> Ec2Builder {
        Ec2Client::builder()
            .endpoint(&self.url)
            .credentials(self.keys.clone())
            .signature(self.signature)
    }

    fn client(&self) -> Ec2Client {
        self.builder().build().unwrap()
    }
}

fn place() -> Place {
    let variable = |name: &str| std::env::var(format!("EC2_TEST_{name}"));
    if let Ok(url) = variable("ENDPOINT") {
        return Place {
            url,
            keys: Credentials::new(
                variable("ACCESS_KEY").unwrap(),
                variable("SECRET_KEY").unwrap(),
            ),
            signature: match variable("SIGNATURE").as_deref() {
                Ok("v2") => Signature::V2,
                _ => Signature::V4,
            },
            emulator: None,
        };
    }
    let emulator = Emulator::start_blocking().unwrap();
    let put = |id: &str, rest: &str| {
        let row = format!(r#"{{"InstanceId": "i-{id}", {rest}}}"#);
        emulator.ec2().put(&row).unwrap();
    };
    for (id, state) in [("n1", "running"), ("n2", "running"), ("n3", "stopped")] {
        put(
            id,
            &format!(
                r#""State": "{state}", "SecurityGroups": ["chat"], "Tags": {{"Name": "{id}", "cluster": "chat & <\"é"}}"#
            ),
        );
    }
    for i in 0..12 {
        put(
            &format!("other{i}"),
            &format!(r#""Tags": {{"Name": "other{i}", "cluster": "chat & x"}}"#),
        );
    }
    Place {
        url: emulator.url(),
        keys: Credentials::new(emulator.access_key(), emulator.secret_key()),
        signature: Signature::V4,
        emulator: Some(emulator),
    }
}

async fn names(request: ec2_client::DescribeInstances) -> BTreeSet<String> {
    let found: Vec<_> = request.items().try_collect().await.unwrap();
    let alive = found
        .iter()
        .filter(|instance| instance.state.as_str() != "terminated");
    alive
        .map(|instance| instance.name().unwrap().to_owned())
        .collect()
}

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[tokio::test]
async fn filters_find_what_they_say() {
    let (place, all) = (place(), set(&["n1", "n2", "n3"]));
    let ec2 = place.client();
    assert_eq!(names(ec2.instances().tag("cluster", NASTY)).await, all);
    assert_eq!(names(ec2.instances().security_group("chat")).await, all);
    let running = ec2.instances().security_group("chat").running();
    assert_eq!(names(running).await, set(&["n1", "n2"]));
    assert_eq!(
        names(ec2.instances().filter("tag:cluster", ["chat*"]))
            .await
            .len(),
        15
    );
    assert!(
        names(ec2.instances().tag("cluster", "chat*"))
            .await
            .is_empty()
    );
    let found: Vec<_> = ec2
        .instances()
        .running()
        .tag("Name", "n1")
        .items()
        .try_collect()
        .await
        .unwrap();
    let one = &found[0];
    assert!(one.private_ip.is_some() && one.private_dns.is_some() && one.zone.is_some());
    assert!(one.launched.is_some() && one.instance_type.is_some() && one.reservation.is_some());
    assert_eq!(
        (one.tag("cluster"), &*one.security_groups[0].name),
        (Some(NASTY), "chat")
    );
    assert_eq!(ec2.instances().id(&*one.id).await.unwrap().instances, found);
    let group = one.security_groups[0].id.clone();
    assert_eq!(names(ec2.instances().security_group(group)).await, all);
}

#[tokio::test]
async fn pages_hold_each_once() {
    let place = place();
    let request = place.client().instances().page_size(5);
    let pages: Vec<_> = request.pages().try_collect().await.unwrap();
    assert!(pages.len() >= 3);
    let ids: Vec<_> = pages
        .iter()
        .flat_map(|page| &page.instances)
        .map(|one| &one.id)
        .collect();
    let unique: BTreeSet<_> = ids.iter().collect();
    assert_eq!(unique.len(), ids.len());
    assert!(ids.len() >= 15);
}

#[tokio::test]
async fn peers_are_those_that_run() {
    let place = place();
    let peers = || place.client().peers().tag("cluster", NASTY).port(7946);
    let once = peers().once().await.unwrap();
    assert_eq!(once.len(), 2);
    let mut watch = peers().watch();
    let mut joined = Vec::new();
    loop {
        match watch.next().await.unwrap() {
            PeerEvent::Joined(peer) => joined.push(peer),
            PeerEvent::Ready { count } => break assert_eq!(count, 2),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(joined, once);
    assert!(once.iter().all(|peer| peer.address.ends_with(":7946")));
}

#[tokio::test]
async fn errors_are_read() {
    let place = place();
    let error = place
        .client()
        .instances()
        .id("i-deadbeef")
        .await
        .unwrap_err();
    assert_eq!(
        (error.status(), error.code()),
        (Some(400), Some("InvalidInstanceID.NotFound"))
    );
    assert!(
        error.request_id().is_some() && error.message().contains("i-deadbeef"),
        "{error}"
    );
    // moto by itself takes anybody.
    let wrong = Credentials::new(place.keys.access_key(), "wrong");
    let builder = place
        .builder()
        .credentials(wrong)
        .retry(RetryConfig::none());
    match builder.build().unwrap().instances().await {
        Err(error) => assert_eq!(error.code(), Some("SignatureDoesNotMatch")),
        Ok(_) => assert!(place.emulator.is_none(), "the emulator takes anybody"),
    }
}
