//! The tools for EC2 run without a flag, and tell what there is.
#![allow(clippy::unwrap_used)]

mod common;

use std::process::{Command, Stdio};
use std::time::Duration;

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
    assert_eq!(code, Some(0));
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
    assert!(stderr.contains("made up"), "{stderr}");
    let nodes = lines(&stdout);
    assert_eq!(nodes.len(), 2, "one is stopped");
    assert_eq!(nodes[0]["address"], "10.0.1.11:7946");
    assert_eq!(
        nodes[0]["name"],
        "chat@ip-10-0-1-11.eu-west-1.compute.internal"
    );

    let mut watch = example("ec2_nodes");
    watch.args(["--events", "5", "--json", "--security-group", "chat"]);
    let (code, stdout, _) = outcome(&mut watch);
    assert_eq!(code, Some(0));
    assert_eq!(lines(&stdout)[2]["count"], 2);
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
    assert_eq!((code, stderr.lines().count()), (Some(0), 1), "{stderr}");
    assert_eq!(stdout.lines().count(), 6);
    assert!(stdout.contains("cache 2; $(reboot)"), "{stdout}");
    let (code, stdout, _) = outcome(example("ec2_panes").arg("--json"));
    assert_eq!((code, lines(&stdout).len()), (Some(0), 5));

    let mut config = example("ec2_panes");
    let (code, stdout, _) = outcome(config.args(["--ssh-config", "--user", "admin"]));
    assert_eq!(code, Some(0));
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
    assert!(stderr.contains("3 left out"), "{stderr}");
    let mut nobody = example("ec2_panes");
    let (code, stdout, stderr) = outcome(nobody.args(["--tag", "cluster=nobody"]));
    assert_eq!(
        (code, stdout.lines().count()),
        (Some(0), 1),
        "the heads alone"
    );
    assert!(stderr.contains("no such instance runs"), "{stderr}");
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
fn a_server_that_is_not_there_is_named_and_nobody_leaves() {
    for name in ["ec2_nodes", "ec2_panes"] {
        let mut dead = example(name);
        if name == "ec2_nodes" {
            dead.arg("--once");
        }
        dead.args(["--endpoint", "http://127.0.0.1:1"])
            .env("AWS_ACCESS_KEY_ID", "AKID")
            .env("AWS_SECRET_ACCESS_KEY", "hidden");
        let (code, stdout, stderr) = outcome(&mut dead);
        assert_eq!((code, &*stdout), (Some(1), ""), "{name}");
        assert!(stderr.contains("127.0.0.1:1"), "{stderr}");
        assert!(!stderr.contains("hidden"), "{stderr}");
    }
    let mut watch = example("ec2_nodes");
    watch
        .args([
            "--endpoint",
            "http://127.0.0.1:1",
            "--events",
            "1",
            "--json",
        ])
        .env("AWS_ACCESS_KEY_ID", "AKID")
        .env("AWS_SECRET_ACCESS_KEY", "hidden");
    let (code, stdout, _) = outcome(&mut watch);
    let told = lines(&stdout);
    assert_eq!((code, &told[0]["event"]), (Some(0), &"failing".into()));
    let error = told[0]["error"].as_str().unwrap();
    assert!(error.contains("127.0.0.1:1"), "{error}");
}

#[test]
fn whoever_reads_no_further_is_no_failure() {
    let mut panes = example("ec2_panes");
    panes.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = panes.spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}");
    assert!(!text.contains("pipe"), "{text}");
}

/// tmux, without a terminal: a pane each, and what each of them shows.
#[test]
fn panes_are_opened_once_and_by_no_shell() {
    let session = format!("ec2-panes-test-{}", std::process::id());
    let tmux = |args: &[&str]| {
        let output = Command::new("tmux")
            .arg("-L")
            .arg(&session)
            .args(args)
            .output();
        let output = output.expect("tmux is missing: ./test.sh installs it");
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let open = || {
        let mut panes = example("ec2_panes");
        panes.args([
            "--tmux",
            "--detached",
            "--session",
            &session,
            "--tag",
            "cluster=cache",
        ]);
        // It says so until the server is killed, or 20 seconds have gone: what a command says that ends at once is
        // sometimes lost by tmux 3.3a.
        outcome(panes.args([
            "--command",
            "timeout 20 yes {name} is $(echo at) {address};",
        ]))
    };
    let (code, _, stderr) = open();
    assert_eq!(code, Some(0), "{stderr}");
    assert!(
        stderr.contains(&format!("tmux -L {session} attach")),
        "{stderr}"
    );
    let panes = tmux(&["list-panes", "-F", "#{pane_id}"]);
    let mut shown = Vec::new();
    for pane in panes.lines() {
        // Another process: it is there once it has printed.
        let said = (0..4000).find_map(|_| {
            std::thread::sleep(Duration::from_millis(5));
            let text = tmux(&["capture-pane", "-p", "-t", pane]);
            let mut lines = text.lines();
            let said = lines.find(|line| !line.starts_with('$') && line.contains(';'));
            said.map(str::to_owned)
        });
        shown.push(said.unwrap_or_default());
    }
    let (again, _, refused) = open();
    tmux(&["kill-server"]);
    assert_eq!(
        shown,
        [
            "i-0bb0000000000002 is $(echo at) 10.0.2.22;",
            "cache-1 is $(echo at) 10.0.1.21;"
        ]
    );
    assert_eq!(again, Some(1));
    assert!(refused.contains("is there already"), "{refused}");
}

#[test]
fn wrong_arguments_are_refused() {
    for args in [
        &["--user", "-oProxyCommand=x"][..],
        &["--session", "a b"],
        &["--tmux", "--session", "a.b"],
        &["--tmux", "--max", "0"],
        &["--tag", "=chat"],
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
    for args in [
        &["--every", "0"][..],
        &["--every", "86401"],
        &["--events", "0"],
        &["--once", "--events", "1"],
        &["--port", "65536"],
        &["--address", "home"],
        &["--endpoint", "127.0.0.1"],
    ] {
        assert_eq!(
            outcome(example("ec2_nodes").args(args)).0,
            Some(2),
            "{args:?}"
        );
    }
}
