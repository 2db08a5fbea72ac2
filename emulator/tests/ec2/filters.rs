//! Each filter that is known, by one instance that it finds and one that it does not.

use emulator::Emulator;

use crate::bench::Signer;
use crate::wire::Wire;

const INSTANCES: &str = r#"{"Reservations": [
    {"ReservationId": "r-1", "OwnerId": "111111111111", "Instances": [
        {"InstanceId": "i-1", "Architecture": "x86_64", "ImageId": "ami-1", "InstanceType": "m7i.large", "KeyName": "ops",
         "PrivateIpAddress": "10.0.0.1", "PublicIpAddress": "54.0.0.1", "Ipv6Address": "2600::1",
         "NetworkInterfaces": [{"Ipv6Addresses": [{"Ipv6Address": "2600::11"}]}],
         "SecurityGroups": [{"GroupId": "sg-1", "GroupName": "web"}], "SubnetId": "subnet-1", "VpcId": "vpc-1",
         "Placement": {"AvailabilityZone": "us-east-1b", "GroupName": "near"}, "Tags": {"role": "head"}}]},
    {"ReservationId": "r-2", "Instances": [
        {"InstanceId": "i-2", "State": "stopped", "PrivateIpAddress": "10.0.0.2", "PublicIpAddress": "54.0.0.2",
         "SecurityGroups": [{"GroupId": "sg-2", "GroupName": "db"}], "Tags": {"head": "role"}}]}]}"#;

#[tokio::test]
async fn each_filter_finds_the_one_that_it_says() {
    let emulator = Emulator::start().await.unwrap();
    emulator.ec2().put(INSTANCES).unwrap();
    let signer = Signer::new(&emulator);
    let mut wire = Wire::open(emulator.addr()).await;
    // The value of the first and of the second instance; nothing where the second has none, and stands for nobody.
    for (name, first, second) in [
        ("architecture", "x86_64", Some("arm64")),
        ("availability-zone", "us-east-1b", Some("us-east-1a")),
        (
            "dns-name",
            "ec2-54-0-0-1.us-east-1.compute.amazonaws.com",
            None,
        ),
        ("image-id", "ami-1", Some("ami-0a1b2c3d4e5f60718")),
        ("instance-id", "i-1", Some("i-2")),
        ("instance-state-code", "16", Some("80")),
        ("instance-state-name", "running", Some("stopped")),
        ("instance-type", "m7i.large", Some("t4g.small")),
        ("instance.group-id", "sg-1", Some("sg-2")),
        ("instance.group-name", "web", Some("db")),
        ("ip-address", "54.0.0.1", None),
        ("ipv6-address", "2600::1", None),
        ("key-name", "ops", None),
        (
            "network-interface.ipv6-addresses.ipv6-address",
            "2600::11",
            None,
        ),
        ("owner-id", "111111111111", Some("123456789012")),
        ("placement-group-name", "near", Some("")),
        (
            "private-dns-name",
            "ip-10-0-0-1.ec2.internal",
            Some("ip-10-0-0-2.ec2.internal"),
        ),
        ("private-ip-address", "10.0.0.1", Some("10.0.0.2")),
        ("reservation-id", "r-1", Some("r-2")),
        ("subnet-id", "subnet-1", Some("subnet-0a1b2c3d4e5f60718")),
        ("tag-key", "role", Some("head")),
        ("tag-value", "head", Some("role")),
        ("tag:role", "head", None),
        ("vpc-id", "vpc-1", Some("vpc-0a1b2c3d4e5f60718")),
    ] {
        let of_stopped = ["54.0.0.2", "role"];
        let values = [(first, vec!["i-1"])].into_iter();
        let values = values.chain(second.map(|value| (value, vec!["i-2"])));
        // One that is stopped has lost its public address, and a tag's value is none of another key.
        let values = values.chain(
            of_stopped
                .iter()
                .filter(|_| second.is_none())
                .map(|value| (*value, Vec::new())),
        );
        for (value, expected) in values {
            let request = signer.request(&[
                ("Action", "DescribeInstances"),
                ("Version", "2016-11-15"),
                ("Filter.1.Name", name),
                ("Filter.1.Value.1", value),
            ]);
            let reply = wire.call(&request).await;
            assert_eq!(reply.status, 200, "{name}: {}", reply.text());
            assert_eq!(reply.all("instanceId"), expected, "{name} {value}");
        }
    }
}
