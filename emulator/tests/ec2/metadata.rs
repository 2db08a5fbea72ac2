//! The metadata service: tokens first.

use emulator::{Emulator, Fault, Rule, Service};

use crate::wire::{Reply, Wire};

const ME: &str = r#"{"Reservations": [{"ReservationId": "r-9", "Instances": [
    {"InstanceId": "i-1", "PrivateIpAddress": "10.0.0.1", "SecurityGroups": ["web", "chat"], "PublicIpAddress": "54.1.2.3",
    "Ipv6Address": "2600::1", "ImageId": "ami-7", "AmiLaunchIndex": 3, "InstanceType": "c8g.large",
    "Tags": {"cluster": "chat", "a b/c": "d"}, "MetadataOptions": {"InstanceMetadataTags": "enabled"},
    "IamInstanceProfile": {"Arn": "arn:aws:iam::123456789012:instance-profile/p"}},
    {"InstanceId": "i-2", "State": "stopped", "PublicIpAddress": "54.1.2.4"}]}]}"#;

async fn ask(wire: &mut Wire, method: &str, path: &str, fields: &str) -> Reply {
    let text = format!("{method} {path} HTTP/1.1\r\nhost: 169.254.169.254\r\n{fields}\r\n");
    wire.call(text.as_bytes()).await
}

const TTL: &str = "x-aws-ec2-metadata-token-ttl-seconds: 60\r\ncontent-length: 0\r\n";

#[tokio::test]
async fn nothing_is_told_without_a_token() {
    let emulator = Emulator::start().await.unwrap();
    emulator.ec2().put(ME).unwrap();
    let mut wire = Wire::open(emulator.addr()).await;
    let id = "/latest/meta-data/instance-id";
    assert_eq!(ask(&mut wire, "GET", id, "").await.status, 401);
    let wrong = "x-aws-ec2-metadata-token: nonsense\r\n";
    assert_eq!(ask(&mut wire, "GET", id, wrong).await.status, 401);
    for (fields, status) in [
        ("content-length: 0\r\n", 400),
        (
            "x-aws-ec2-metadata-token-ttl-seconds: 0\r\ncontent-length: 0\r\n",
            400,
        ),
        (
            "x-aws-ec2-metadata-token-ttl-seconds: 21601\r\ncontent-length: 0\r\n",
            400,
        ),
        (&format!("x-forwarded-for: 10.0.0.9\r\n{TTL}"), 403),
        (TTL, 200),
    ] {
        let reply = ask(&mut wire, "PUT", "/latest/api/token", fields).await;
        assert_eq!(reply.status, status, "{fields}");
        // Some clients take no token without it: the SDK for Rust is one.
        let ttl = reply.header("x-aws-ec2-metadata-token-ttl-seconds");
        assert_eq!(ttl, (status == 200).then_some("60"), "{fields}");
    }
    assert_eq!(ask(&mut wire, "DELETE", id, wrong).await.status, 405);
    let stats = emulator.stats();
    assert_eq!((stats.metadata_requests, stats.s3_requests), (8, 0));
}

#[tokio::test]
async fn an_instance_is_told_who_it_is() {
    let emulator = Emulator::start().await.unwrap();
    let mut wire = Wire::open(emulator.addr()).await;
    let token = ask(&mut wire, "PUT", "/latest/api/token", TTL).await;
    let token = format!("x-aws-ec2-metadata-token: {}\r\n", token.text());
    let id = "/latest/meta-data/instance-id";
    assert_eq!(
        ask(&mut wire, "GET", id, &token).await.status,
        404,
        "no instance runs"
    );
    emulator.ec2().put(ME).unwrap();
    for (path, text) in [
        ("instance-id", Some("i-1")),
        ("placement/region", Some("us-east-1")),
        ("placement/availability-zone", Some("us-east-1a")),
        ("placement/", Some("availability-zone\nregion")),
        ("ami-id", Some("ami-7")),
        ("ami-launch-index", Some("3")),
        ("instance-type", Some("c8g.large")),
        ("reservation-id", Some("r-9")),
        ("hostname", Some("ip-10-0-0-1.ec2.internal")),
        (
            "public-hostname",
            Some("ec2-54-1-2-3.us-east-1.compute.amazonaws.com"),
        ),
        ("public-ipv4", Some("54.1.2.3")),
        ("ipv6", Some("2600::1")),
        ("local-ipv4", Some("10.0.0.1")),
        ("local-hostname", Some("ip-10-0-0-1.ec2.internal")),
        ("security-groups", Some("web\nchat")),
        ("tags/instance/", Some("a b/c\ncluster")),
        ("tags/instance/cluster", Some("chat")),
        ("tags/instance/a%20b%2Fc", Some("d")),
        ("tags/instance/nothing", None),
        ("iam/security-credentials/", Some("emulator")),
        ("nothing", None),
    ] {
        let path = format!("/latest/meta-data/{path}");
        let reply = ask(&mut wire, "GET", &path, &token).await;
        assert_eq!((reply.status == 200).then(|| reply.text()), text, "{path}");
    }
    let path = "/latest/dynamic/instance-identity/document";
    let document = ask(&mut wire, "GET", path, &token).await;
    let document: serde_json::Value = serde_json::from_str(document.text()).unwrap();
    assert_eq!(document["instanceId"], "i-1");
    assert_eq!(document["region"], "us-east-1");
    let keys = "/latest/meta-data/iam/security-credentials/emulator";
    let keys = ask(&mut wire, "GET", keys, &token).await;
    let keys: serde_json::Value = serde_json::from_str(keys.text()).unwrap();
    assert_eq!(keys["AccessKeyId"], emulator.access_key());

    emulator.ec2().set_me("i-2");
    assert_eq!(ask(&mut wire, "GET", id, &token).await.text(), "i-2");
    for nothing in ["public-ipv4", "ipv6", "iam/security-credentials/"] {
        let path = format!("/latest/meta-data/{nothing}");
        assert_eq!(
            ask(&mut wire, "GET", &path, &token).await.status,
            404,
            "{nothing}"
        );
    }
    let tag = "/latest/meta-data/tags/instance/cluster";
    assert_eq!(
        ask(&mut wire, "GET", tag, &token).await.status,
        404,
        "not allowed"
    );
    // The clock goes past the token's time.
    emulator.faults().set_clock_ahead(61);
    assert_eq!(ask(&mut wire, "GET", id, &token).await.status, 401);
}

#[tokio::test]
async fn faults_reach_it_too() {
    let emulator = Emulator::start().await.unwrap();
    let rule = Rule::new(Fault::error(500, "x")).service(Service::Metadata);
    let hits = emulator.faults().add(rule.operation("api/token"));
    let mut wire = Wire::open(emulator.addr()).await;
    assert_eq!(
        ask(&mut wire, "PUT", "/latest/api/token", TTL).await.status,
        500
    );
    assert_eq!(
        ask(&mut wire, "GET", "/latest/meta-data/", "").await.status,
        401
    );
    assert_eq!(hits.count(), 1);
}
