//! boto 2.49, boto3 and Apache Libcloud against the emulator's EC2, as `clients.py` drives them.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use emulator::Emulator;

/// The instances that `clients.py` expects.
const CHAT: &str = r#"[
    {"InstanceId": "i-00000000000000001", "PrivateIpAddress": "10.0.0.1", "PublicIpAddress": "54.1.2.3",
     "Ipv6Address": "2600::1", "SecurityGroups": ["chat"], "Tags": {"cluster": "chat & <\"é", "empty": ""}},
    {"InstanceId": "i-00000000000000002", "PrivateIpAddress": "10.0.0.2", "SecurityGroups": ["chat"],
     "Placement": {"AvailabilityZone": "us-east-1b"}, "Tags": [{"Key": "cluster", "Value": "chat & <\"é"}]},
    {"InstanceId": "i-00000000000000003", "PrivateIpAddress": "10.0.0.3", "PublicIpAddress": "54.1.2.4",
     "State": {"Name": "stopped"}, "SecurityGroups": ["chat"], "Tags": {"cluster": "chat & <\"é"}}
]"#;

/// A Python that has the clients: the one that the set-up of the tests makes, or the system's.
fn python() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let made = root.join("target/python/bin/python3");
    let candidates = [
        made,
        PathBuf::from("python3"),
        PathBuf::from("/usr/bin/python3"),
    ];
    let found = candidates.into_iter().find(|python| {
        let mut check = Command::new(python);
        let check = check.arg(script()).arg("--check").stderr(Stdio::null());
        check.output().is_ok_and(|output| output.status.success())
    });
    found.expect(
        "no Python 3 with boto 2.49, boto3 and Libcloud was found: `./test.sh --setup` makes one, and so do \
         `python3 -m venv target/python` and \
         `target/python/bin/pip install boto==2.49.0 boto3 six apache-libcloud`",
    )
}

fn script() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/ec2/clients.py")
}

fn run(client: &str, count: &str) {
    let emulator = Emulator::start_blocking().unwrap();
    emulator.ec2().put(CHAT).unwrap();
    for i in 0..10 {
        let other =
            format!("{{\"InstanceId\": \"i-other{i}\", \"PrivateIpAddress\": \"10.0.1.{i}\"}}");
        emulator.ec2().put(&other).unwrap();
    }
    let output = Command::new(python())
        .arg(script())
        .arg(client)
        .env("EC2_URL", emulator.url())
        .env("AWS_ACCESS_KEY_ID", emulator.access_key())
        .env("AWS_SECRET_ACCESS_KEY", emulator.secret_key())
        // Nothing of the machine's user has a say.
        .env("AWS_CONFIG_FILE", "/nonexistent")
        .env("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
        .env("BOTO_CONFIG", "/nonexistent")
        .env("no_proxy", "127.0.0.1")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}");
    assert!(text.contains(&format!("Ran {count} tests")), "{text}");
    assert!(emulator.stats().ec2_requests > 0 && emulator.stats().sdb_requests == 0);
}

#[test]
fn boto_2_finds_nothing_wrong_by_version_2() {
    run("Boto", "4");
}

#[test]
fn boto_2_finds_nothing_wrong_by_version_4() {
    run("BotoV4", "4");
}

#[test]
fn boto_3_finds_nothing_wrong() {
    run("Boto3", "3");
}

#[test]
fn libcloud_finds_nothing_wrong() {
    run("Libcloud", "2");
}
