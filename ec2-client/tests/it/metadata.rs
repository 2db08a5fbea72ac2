//! Who this is: over the emulator's metadata service, and where there is none.

use std::time::Duration;

use aws_core::transport::{ResponseFuture, Transport};
use ec2_client::credentials::Instance;
use ec2_client::peers::LikeMe;
use ec2_client::{Ec2Client, Kind, Metadata, PeerEvent};
use emulator::Emulator;
use pipeline_pool::{Origin, Request};

use crate::cloud::Cloud;
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
