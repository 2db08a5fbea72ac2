//! boto 2.49, boto3 and Apache Libcloud against the emulator's EC2, as `clients.py` drives them.

use emulator::Emulator;

use crate::python::Script;

const SCRIPT: Script = Script {
    path: "ec2/clients.py",
    variable: "EC2_URL",
    packages: "boto==2.49.0 boto3 six apache-libcloud",
};

/// The instances that `clients.py` expects.
const CHAT: &str = r#"[
    {"InstanceId": "i-00000000000000001", "PrivateIpAddress": "10.0.0.1", "PublicIpAddress": "54.1.2.3",
     "Ipv6Address": "2600::1", "SecurityGroups": ["chat"], "Tags": {"cluster": "chat & <\"é", "empty": ""}},
    {"InstanceId": "i-00000000000000002", "PrivateIpAddress": "10.0.0.2", "SecurityGroups": ["chat"],
     "Placement": {"AvailabilityZone": "us-east-1b"}, "Tags": [{"Key": "cluster", "Value": "chat & <\"é"}]},
    {"InstanceId": "i-00000000000000003", "PrivateIpAddress": "10.0.0.3", "PublicIpAddress": "54.1.2.4",
     "State": {"Name": "stopped"}, "SecurityGroups": ["chat"], "Tags": {"cluster": "chat & <\"é"}}
]"#;

fn run(client: &str, count: u32) {
    let emulator = Emulator::start_blocking().unwrap();
    emulator.ec2().put(CHAT).unwrap();
    for i in 0..10 {
        let other =
            format!("{{\"InstanceId\": \"i-other{i}\", \"PrivateIpAddress\": \"10.0.1.{i}\"}}");
        emulator.ec2().put(&other).unwrap();
    }
    SCRIPT.run(&emulator, client, count);
    assert!(emulator.stats().ec2_requests > 0 && emulator.stats().sdb_requests == 0);
}

#[test]
fn boto_2_finds_nothing_wrong_by_version_2() {
    run("Boto", 4);
}

#[test]
fn boto_2_finds_nothing_wrong_by_version_4() {
    run("BotoV4", 4);
}

#[test]
fn boto_3_finds_nothing_wrong() {
    run("Boto3", 3);
}

#[test]
fn libcloud_finds_nothing_wrong() {
    run("Libcloud", 2);
}
