//! The tools for EC2 run without a flag, and tell what there is.
#![allow(clippy::unwrap_used)]

mod common;

use common::{example, outcome};
use emulator::Emulator;
use serde_json::Value;

fn lines(text: &str) -> Vec<Value> {
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[test]
fn nodes_are_told_once_and_as_they_come() {
    let mut once = example("ec2_nodes");
    once.args([
        "--once",
        "--json",
        "--tag",
        "cluster=chat",
        "--port",
        "7946",
        "--app",
        "chat",
    ]);
    let (code, stdout, stderr) = outcome(&mut once);
    assert_eq!((code, &*stderr), (Some(0), ""));
    let nodes = lines(&stdout);
    assert_eq!(nodes.len(), 2, "one is stopped");
    assert_eq!(nodes[0]["address"], "10.0.1.11:7946");
    assert_eq!(
        nodes[0]["name"],
        "chat@ip-10-0-1-11.eu-west-1.compute.internal"
    );

    let mut watch = example("ec2_nodes");
    watch.args(["--events", "5", "--json", "--security-group", "chat"]);
    let (code, stdout, stderr) = outcome(&mut watch);
    assert_eq!((code, &*stderr), (Some(0), ""));
    let told: Vec<_> = lines(&stdout)
        .iter()
        .map(|line| {
            format!(
                "{} {}",
                line["event"].as_str().unwrap(),
                line["id"].as_str().unwrap_or("-")
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            "joined i-0aa0000000000001",
            "joined i-0aa0000000000002",
            "ready -",
            "joined i-0aa0000000000009",
            "left i-0aa0000000000002",
        ]
    );
}

#[test]
fn instances_are_a_table_json_or_a_configuration() {
    let (code, stdout, stderr) = outcome(&mut example("ec2_panes"));
    assert_eq!((code, &*stderr), (Some(0), ""));
    assert_eq!(stdout.lines().count(), 6);
    assert!(stdout.contains("cache 2; $(reboot)"), "{stdout}");
    let (code, stdout, _) = outcome(example("ec2_panes").arg("--json"));
    assert_eq!((code, lines(&stdout).len()), (Some(0), 5));

    let mut config = example("ec2_panes");
    let (code, stdout, stderr) = outcome(config.args(["--ssh-config", "--user", "admin"]));
    assert_eq!((code, &*stderr), (Some(0), ""));
    assert!(
        stdout.contains("Host chat-1\n    HostName 10.0.1.11\n    User admin\n"),
        "{stdout}"
    );
    // A name that is no word is not printed anywhere.
    assert!(
        stdout.contains("Host i-0bb0000000000002\n") && !stdout.contains("reboot"),
        "{stdout}"
    );
    let mut public = example("ec2_panes");
    let (code, stdout, stderr) = outcome(public.args(["--ssh-config", "--address", "public"]));
    assert_eq!((code, stdout.matches("Host ").count()), (Some(0), 2));
    assert!(stderr.contains("3 without such an address"), "{stderr}");
}

#[test]
fn they_talk_to_a_server_by_both_versions() {
    let service = Emulator::start_blocking().unwrap();
    service
        .ec2()
        .put(r#"{"InstanceId": "i-1", "PrivateIpAddress": "10.0.0.1"}"#)
        .unwrap();
    for signature in ["v2", "v4"] {
        let mut panes = example("ec2_panes");
        panes
            .args(["--json", "--signature", signature])
            .env("EC2_ENDPOINT", service.url())
            .env("AWS_ACCESS_KEY_ID", service.access_key())
            .env("AWS_SECRET_ACCESS_KEY", service.secret_key());
        let (code, stdout, stderr) = outcome(&mut panes);
        assert_eq!((code, &*stderr), (Some(0), ""));
        assert_eq!(lines(&stdout)[0]["id"], "i-1");
    }
    assert_eq!(
        (service.stats().ec2_requests, service.stats().refused),
        (2, 0)
    );
}

#[test]
fn wrong_arguments_are_refused() {
    for args in [
        &["--user", "-oProxyCommand=x"][..],
        &["--session", "a b"],
        &["--tmux", "--command", "ssh {host}"],
        &["--tag", "cluster"],
        &["--detached"],
    ] {
        assert_eq!(
            outcome(example("ec2_panes").args(args)).0,
            Some(2),
            "{args:?}"
        );
    }
}
