//! Who this is: over the emulator's metadata service, and where there is none.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use aws_core::transport::{ResponseFuture, Transport};
use ec2_client::credentials::Instance;
use ec2_client::peers::LikeMe;
use ec2_client::{Ec2Client, Kind, Metadata, PeerEvent};
use emulator::Emulator;
use pipeline_pool::{Head, Method, Origin, Request, Response};

use crate::cloud::{Cloud, error, list, running};
use crate::instances::builder;

const CLUSTER: &str = r#"[
    {"InstanceId": "i-1", "PrivateIpAddress": "10.0.0.1", "SecurityGroups": ["web", "chat"],
     "Tags": {"cluster": "blue*", "aws:autoscaling:groupName": "asg"},
     "IamInstanceProfile": {"Arn": "arn:aws:iam::123456789012:instance-profile/p"}},
    {"InstanceId": "i-2", "SecurityGroups": ["web", "chat"], "Tags": {"cluster": "blue green"}},
    {"InstanceId": "i-3", "SecurityGroups": ["chat"], "Tags": {"cluster": "blue*", "aws:autoscaling:groupName": "asg"}},
    {"InstanceId": "i-4", "SecurityGroups": ["web"], "State": "stopped", "Tags": {"cluster": "blue*"}}
]"#;

#[tokio::test]
async fn an_instance_knows_itself() {
    let service = Emulator::start().await.unwrap();
    service.ec2().put(CLUSTER).unwrap();
    let me = Metadata::at(service.url());
    assert_eq!(me.instance_id().await.unwrap(), "i-1");
    assert_eq!(me.region().await.unwrap(), "us-east-1");
    assert_eq!(me.zone().await.unwrap(), "us-east-1a");
    assert_eq!(
        me.local_ipv4().await.unwrap().unwrap().to_string(),
        "10.0.0.1"
    );
    assert_eq!(me.public_ipv4().await.unwrap(), None);
    assert_eq!(me.ipv6().await.unwrap(), None);
    assert_eq!(
        me.local_hostname().await.unwrap().unwrap(),
        "ip-10-0-0-1.ec2.internal"
    );
    assert_eq!(me.security_groups().await.unwrap(), ["web", "chat"]);
    assert_eq!(me.tag("cluster").await.unwrap(), None, "not allowed");
    let identity = me.identity().await.unwrap();
    assert_eq!(
        (&*identity.instance_id, &*identity.account),
        ("i-1", "123456789012")
    );
    assert_eq!(identity.private_ip.unwrap().to_string(), "10.0.0.1");
}

#[tokio::test]
async fn peers_are_like_me() {
    let service = Emulator::start().await.unwrap();
    service.ec2().put(CLUSTER).unwrap();
    let ec2 = builder(&service).build().unwrap();
    for (what, ids) in [
        (LikeMe::SecurityGroups, &["i-1", "i-2"][..]),
        (LikeMe::AutoScalingGroup, &["i-1", "i-3"]),
        (LikeMe::Tag("cluster".to_owned()), &["i-1", "i-3"]),
    ] {
        let peers = ec2.peers().metadata(Metadata::at(service.url()));
        let found = peers.like_me(what.clone()).once().await.unwrap();
        let found: Vec<_> = found.iter().map(|peer| (&*peer.id, peer.is_me)).collect();
        let expected: Vec<_> = ids.iter().map(|id| (*id, *id == "i-1")).collect();
        assert_eq!(found, expected, "{what:?}");
    }
    let peers = ec2.peers().metadata(Metadata::at(service.url()));
    let error = peers.like_me(LikeMe::Tag("colour".to_owned())).once().await;
    assert!(error.unwrap_err().to_string().contains("colour"));
}

#[tokio::test]
async fn keys_of_the_role_are_enough() {
    let service = Emulator::start().await.unwrap();
    service.ec2().put(CLUSTER).unwrap();
    let ec2 = Ec2Client::builder()
        .endpoint(service.url())
        .credentials(Instance::new().endpoint(service.url()));
    let found = ec2.build().unwrap().peers().once().await.unwrap();
    assert_eq!(found.len(), 3);
}

/// Never answers.
#[derive(Debug)]
struct Void;

impl Transport for Void {
    fn send(&self, _: &Origin, _: Request) -> ResponseFuture {
        ResponseFuture::new(std::future::pending())
    }
}

#[tokio::test(start_paused = true)]
async fn without_a_metadata_service_it_is_said_after_a_second() {
    let cloud = Cloud::running(&["i-1"]);
    let peers = cloud
        .client()
        .peers()
        .metadata(Metadata::new().transport(Void));
    let mut peers = peers.like_me(LikeMe::SecurityGroups).watch();
    let begun = tokio::time::Instant::now();
    let Some(PeerEvent::Failing(error, _)) = peers.next().await else {
        panic!("no failure");
    };
    assert_eq!(begun.elapsed(), Duration::from_secs(1));
    assert_eq!(error.kind(), Kind::Connect);
    assert!(
        error
            .to_string()
            .contains("metadata service does not answer"),
        "{error}"
    );
    assert!(peers.peers().is_empty() && cloud.calls().is_empty());
}

/// A metadata service that answers a path with a status and a text, late by so much.
#[derive(Clone)]
struct Scripted {
    answer: fn(&str) -> (u16, &'static str),
    late: Duration,
    asked: Arc<AtomicUsize>,
}

impl Scripted {
    fn new(answer: fn(&str) -> (u16, &'static str), late: Duration) -> Self {
        let asked = Arc::default();
        Self {
            answer,
            late,
            asked,
        }
    }
}

impl std::fmt::Debug for Scripted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Scripted").finish_non_exhaustive()
    }
}

impl Transport for Scripted {
    fn send(&self, _: &Origin, request: Request) -> ResponseFuture {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let (status, text) = match request.method() {
            Method::Put => (self.answer)("token"),
            _ => (self.answer)(request.target().trim_start_matches("/latest/meta-data/")),
        };
        let body = bytes::Bytes::from_static(text.as_bytes());
        let (response, late) = (Response::new(Head::new(status, []), body), self.late);
        ResponseFuture::new(async move {
            tokio::time::sleep(late).await;
            Ok(response)
        })
    }
}

fn scripted(answer: fn(&str) -> (u16, &'static str)) -> Metadata {
    Metadata::new().transport(Scripted::new(answer, Duration::from_millis(999)))
}

#[tokio::test(start_paused = true)]
async fn what_is_odd_about_a_metadata_service_is_named() {
    for (answer, kind, words) in [
        (
            (|_| (403, "")) as fn(&str) -> (u16, &'static str),
            Kind::Connect,
            "turned off",
        ),
        (|_| (404, "<html/>"), Kind::Protocol, "status 404"),
        (
            |_| (200, "<html>Sign in</html>"),
            Kind::Protocol,
            "no token",
        ),
        (|_| (200, ""), Kind::Protocol, "no token"),
        (|_| (500, ""), Kind::Protocol, "status 500"),
        (
            |path| match path {
                "token" => (200, "AQ=="),
                _ => (401, ""),
            },
            Kind::Protocol,
            "refuses its own token",
        ),
        (
            |path| match path {
                "token" => (200, "AQ=="),
                _ => (404, ""),
            },
            Kind::Protocol,
            "has no instance-id",
        ),
        (
            |path| match path {
                "token" => (200, "AQ=="),
                _ => (200, " \n"),
            },
            Kind::Protocol,
            "has no instance-id",
        ),
    ] {
        let error = scripted(answer).instance_id().await.unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        assert!(error.to_string().contains(words), "{words}: {error}");
    }
    let metadata = scripted(|path| match path {
        "token" => (200, "AQ==\n"),
        "instance-id" => (200, "i-1\n"),
        "local-ipv4" => (200, "10.0.0\n"),
        "public-ipv4" => (200, ""),
        "tags/instance/a%20b" => (200, " v "),
        "tags/instance/" | "tags/instance/." | "tags/instance/.." => (200, "a\nb"),
        _ => (404, ""),
    });
    assert_eq!(metadata.instance_id().await.unwrap(), "i-1");
    assert_eq!(metadata.public_ipv4().await.unwrap(), None);
    let error = metadata.local_ipv4().await.unwrap_err();
    assert!(
        error.to_string().contains("local-ipv4 is no address"),
        "{error}"
    );
    // A tag's value is what it is, blanks included.
    assert_eq!(metadata.tag("a b").await.unwrap().unwrap(), " v ");
    for key in ["", ".", "..", "_index"] {
        assert_eq!(metadata.tag(key).await.unwrap(), None, "{key:?} is no tag");
    }
    assert!(metadata.security_groups().await.unwrap().is_empty());
    let identity = metadata.identity().await.unwrap_err();
    assert!(
        identity.to_string().contains("identity document"),
        "{identity}"
    );
}

#[tokio::test(start_paused = true)]
async fn one_that_answers_later_than_a_second_is_none() {
    let late = Duration::from_millis(1001);
    let metadata = Metadata::new().transport(Scripted::new(|_| (200, "AQ=="), late));
    let begun = tokio::time::Instant::now();
    let error = metadata.instance_id().await.unwrap_err();
    assert_eq!(
        (error.kind(), begun.elapsed()),
        (Kind::Connect, Duration::from_secs(1))
    );
    let patient = metadata.timeout(Duration::from_secs(2));
    assert_eq!(patient.instance_id().await.unwrap(), "AQ==");
}

/// Who this is has to be found out with EC2 where the metadata service tells no tags: those requests too come as seldom as
/// a throttled service asks for.
#[tokio::test(start_paused = true)]
async fn a_throttled_question_about_oneself_waits_like_a_list() {
    let cloud = Cloud::new(|_| (503, error("RequestLimitExceeded")));
    let metadata = scripted(|path| match path {
        "token" => (200, "AQ=="),
        "instance-id" => (200, "i-1"),
        _ => (404, ""),
    });
    let peers = cloud.client().peers().metadata(metadata);
    let mut peers = peers.like_me(LikeMe::Tag("cluster".to_owned())).watch();
    let begun = tokio::time::Instant::now();
    while begun.elapsed() < Duration::from_secs(7200) {
        let Some(PeerEvent::Failing(error, _)) = peers.next().await else {
            panic!("no failure");
        };
        assert_eq!(error.code(), Some("RequestLimitExceeded"));
    }
    let calls = cloud.calls();
    assert_eq!(calls[0].param("InstanceId.1").as_deref(), Some("i-1"));
    let late: Vec<_> = calls.iter().rev().take(6).map(|call| call.at).collect();
    assert!(
        late.windows(2)
            .all(|two| two[0] - two[1] >= Duration::from_secs(300)),
        "{late:?}"
    );
    // It has no such tag: said, and no list is asked for without it.
    cloud.set_list(&running(&["i-1", "i-2"]));
    loop {
        let Some(PeerEvent::Failing(error, _)) = peers.next().await else {
            panic!("no failure");
        };
        if error.kind() == Kind::Invalid {
            assert!(error.to_string().contains("cluster"), "{error}");
            break;
        }
    }
    let asked = cloud.calls();
    assert!(
        asked
            .iter()
            .all(|call| call.param("InstanceId.1").is_some())
    );
}

#[tokio::test(start_paused = true)]
async fn who_this_is_is_found_out_once_and_need_not_be_among_the_peers() {
    let cloud = Cloud::running(&["i-1", "i-2"]);
    let service = Scripted::new(
        |path| match path {
            "token" => (200, "AQ=="),
            "instance-id" => (200, "i-9"),
            "security-groups" => (200, "web\nchat\n"),
            _ => (404, ""),
        },
        Duration::ZERO,
    );
    let metadata = Metadata::new().transport(service.clone());
    let peers = || cloud.client().peers().metadata(metadata.clone());
    let mine: Vec<_> = peers().once().await.unwrap();
    assert!(mine.len() == 2 && mine.iter().all(|peer| !peer.is_me));
    let named = peers().me("i-2").once().await.unwrap();
    let is_me: Vec<_> = named.iter().map(|peer| peer.is_me).collect();
    assert_eq!(is_me, [false, true], "it was told, and is not asked");
    let (before, asked) = (cloud.calls().len(), service.asked.load(Ordering::SeqCst));
    let mut watch = peers().like_me(LikeMe::SecurityGroups).watch();
    let wait = tokio::time::timeout(Duration::from_secs(300), async {
        while watch.next().await.is_some() {}
    });
    assert!(wait.await.is_err());
    let calls = &cloud.calls()[before..];
    assert!(calls.len() > 5);
    // A token and an answer for each of two questions.
    assert_eq!(service.asked.load(Ordering::SeqCst) - asked, 4);
    for call in calls {
        assert_eq!(
            call.param("Filter.1.Name").as_deref(),
            Some("instance.group-name")
        );
        assert_eq!(call.param("Filter.1.Value.1").as_deref(), Some("web"));
    }
}

#[tokio::test(start_paused = true)]
async fn what_this_instance_has_not_is_nothing_to_have_in_common() {
    let cloud = Cloud::new(|_| {
        // The second has a tag, whatever was asked for.
        let tag = "<tagSet><item><key>cluster</key><value>blue</value></item></tagSet>";
        let text = list(&running(&["i-1", "i-2"]));
        (
            200,
            text.replace(
                "<privateDnsName>ip-i-2",
                &format!("{tag}<privateDnsName>ip-i-2"),
            ),
        )
    });
    let groupless = scripted(|path| match path {
        "token" => (200, "AQ=="),
        "instance-id" => (200, "i-2"),
        "security-groups" => (200, "\n"),
        _ => (404, ""),
    });
    let peers = || cloud.client().peers().metadata(groupless.clone());
    let error = peers().like_me(LikeMe::SecurityGroups).once().await;
    let error = error.unwrap_err().to_string();
    assert!(error.contains("i-2 has no security group"), "{error}");
    assert!(
        cloud.calls().is_empty(),
        "nobody is looked for without them"
    );
    // Its own tag is meant, and not that of another on the list.
    let tag = || LikeMe::Tag("cluster".to_owned());
    peers().like_me(tag()).once().await.unwrap();
    let last = cloud.calls().pop().unwrap();
    assert_eq!(last.param("Filter.1.Name").as_deref(), Some("tag:cluster"));
    assert_eq!(last.param("Filter.1.Value.1").as_deref(), Some("blue"));
    let other = peers().me("i-1").like_me(tag()).once().await;
    assert_eq!(other.unwrap_err().kind(), Kind::Invalid);
}
