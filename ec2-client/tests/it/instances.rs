//! Listing instances of the emulator.

use ec2_client::instances::State;
use ec2_client::{Credentials, Ec2Builder, Ec2Client, Kind};
use emulator::Emulator;
use futures_util::TryStreamExt as _;

pub(crate) fn builder(service: &Emulator) -> Ec2Builder {
    Ec2Client::builder()
        .endpoint(service.url())
        .credentials(Credentials::new(service.access_key(), service.secret_key()))
}

const NASTY: &str = "chat & <\"\u{e9} *?\\";

async fn cluster() -> (Emulator, Ec2Client) {
    let service = Emulator::start().await.unwrap();
    let ec2 = service.ec2();
    ec2.put(
        r#"[{"InstanceId": "i-1", "PrivateIpAddress": "10.0.0.1", "PublicIpAddress": "54.1.2.3", "Ipv6Address": "2600::1",
             "SecurityGroups": [{"GroupId": "sg-1", "GroupName": "web"}, {"GroupId": "sg-2", "GroupName": "chat"}],
             "Tags": {"cluster": "chat & <\"é *?\\", "Name": "one", "aws:autoscaling:groupName": "asg"},
             "VpcId": "vpc-1", "KeyName": "ops", "AmiLaunchIndex": 3},
            {"InstanceId": "i-2", "SecurityGroups": [{"GroupId": "sg-2", "GroupName": "chat"}], "State": "stopped",
             "Tags": {"cluster": "chat & <\"é xy\\", "aws:autoscaling:groupName": "asg"}, "VpcId": "vpc-1",
             "Placement": {"AvailabilityZone": "us-east-1b"}}]"#,
    )
    .unwrap();
    for i in 0..10 {
        ec2.put(&format!("{{\"InstanceId\": \"i-other{i}\"}}"))
            .unwrap();
    }
    let client = builder(&service).build().unwrap();
    (service, client)
}

#[tokio::test]
async fn selectors_hold_together() {
    let (_service, ec2) = cluster().await;
    let all = || ec2.instances();
    for (request, ids) in [
        (all().tag("cluster", NASTY), &["i-1"][..]),
        (all().filter("tag:cluster", ["chat*"]), &["i-1", "i-2"]),
        (all().auto_scaling_group("asg"), &["i-1", "i-2"]),
        (all().auto_scaling_group("asg").running(), &["i-1"]),
        (all().states([State::Stopped, State::Pending]), &["i-2"]),
        (all().security_group("chat"), &["i-1", "i-2"]),
        (all().security_group("sg-2").vpc("vpc-1"), &["i-1", "i-2"]),
        (
            all().security_group("chat").security_group("sg-1"),
            &["i-1"],
        ),
        (all().security_group("ch*"), &[]),
        (all().zone("us-east-1b"), &["i-2"]),
        (all().id("i-2").id("i-1"), &["i-1", "i-2"]),
        (all().tag("cluster", "nobody"), &[]),
    ] {
        let shown = format!("{request:?}");
        let found: Vec<_> = request.items().try_collect().await.unwrap();
        let mut found: Vec<_> = found.into_iter().map(|instance| instance.id).collect();
        found.sort_unstable();
        assert_eq!(found, ids, "{shown}");
    }
}

#[tokio::test]
async fn an_instance_is_read() {
    let (_service, ec2) = cluster().await;
    let page = ec2.instances().id("i-1").await.unwrap();
    assert!(page.request_id.is_some() && page.next_token.is_none());
    let one = &page.instances[0];
    assert_eq!((one.state, one.name()), (State::Running, Some("one")));
    assert_eq!(one.tag("cluster"), Some(NASTY));
    assert_eq!(one.private_ip.unwrap().to_string(), "10.0.0.1");
    assert_eq!(one.public_ip.unwrap().to_string(), "54.1.2.3");
    assert_eq!(one.ipv6[0].to_string(), "2600::1");
    assert_eq!(one.private_dns.as_deref(), Some("ip-10-0-0-1.ec2.internal"));
    assert_eq!(
        (one.key_name.as_deref(), one.launch_index),
        (Some("ops"), Some(3))
    );
    assert_eq!(one.security_groups.len(), 2);
    let stopped = ec2.instances().id("i-2").await.unwrap();
    assert_eq!(stopped.instances[0].public_ip, None);
}

#[tokio::test]
async fn pages_follow_each_other() {
    let (service, ec2) = cluster().await;
    let pages: Vec<_> = ec2
        .instances()
        .page_size(5)
        .pages()
        .try_collect()
        .await
        .unwrap();
    let sizes: Vec<_> = pages.iter().map(|page| page.instances.len()).collect();
    assert_eq!(sizes, [5, 5, 2]);
    assert_eq!(service.stats().ec2_requests, 3);
    let token = pages[0].next_token.clone().unwrap();
    let second = ec2
        .instances()
        .page_size(5)
        .token(token.clone())
        .await
        .unwrap();
    assert_eq!(second.instances, pages[1].instances);
    // It belongs to what it was given for.
    let other = ec2.instances().running().token(token).await.unwrap_err();
    assert_eq!(
        (other.kind(), other.code()),
        (Kind::Service, Some("InvalidParameterValue"))
    );
    assert!(
        other
            .to_string()
            .starts_with("EC2 DescribeInstances at http://127.0.0.1"),
        "{other}"
    );
}

#[tokio::test]
async fn what_breaks_a_limit_is_not_sent() {
    let (service, ec2) = cluster().await;
    for request in [
        ec2.instances().page_size(4),
        ec2.instances().page_size(5).id("i-1"),
        ec2.instances().filter("vpc-id", Vec::<String>::new()),
        ec2.instances().tag("a", "x".repeat(256)),
    ] {
        assert_eq!(request.await.unwrap_err().kind(), Kind::Invalid);
    }
    assert_eq!(service.stats().requests, 0);
}
