//! The program itself: what it prints, and when it ends.

// Helpers here are tests too.
#![allow(clippy::unwrap_used)]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::SystemTime;

fn spawn(args: &[&str]) -> Child {
    Command::new(env!("CARGO_BIN_EXE_emulator"))
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

fn first_line(child: &mut Child) -> String {
    let mut line = String::new();
    let stdout = child.stdout.take().unwrap();
    BufReader::new(stdout).read_line(&mut line).unwrap();
    line.trim_end().to_owned()
}

#[test]
fn it_says_where_it_is_and_ends_with_its_parent() {
    let mut child = spawn(&["--exit-with-parent"]);
    let line = first_line(&mut child);
    let addr = line.strip_prefix("http://").unwrap();
    TcpStream::connect(addr).unwrap();
    drop(child.stdin.take());
    assert!(child.wait().unwrap().success());
    assert!(TcpStream::connect(addr).is_err());
}

#[test]
fn the_ready_line_can_be_json() {
    let users = ["--user", "AK:s:t", "--user", "OTHER:x"];
    let mut child = spawn(
        &[
            &["--json", "--exit-with-parent", "--threads", "2"],
            &users[..],
        ]
        .concat(),
    );
    let line: serde_json::Value = serde_json::from_str(&first_line(&mut child)).unwrap();
    assert_eq!(line["access_key"], "AK");
    assert_eq!(line["secret_key"], "s");
    assert_eq!(line["session_token"], "t");
    assert!(
        line["url"]
            .as_str()
            .unwrap()
            .starts_with("http://127.0.0.1:")
    );
    drop(child.stdin.take());
    assert!(child.wait().unwrap().success());
}

#[test]
fn wrong_arguments_end_it_and_show_no_secret() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap().to_string();
    for (args, code) in [
        (["--user", ":hunter2"], 2),
        (["--threads", "0"], 2),
        (["--listen", &taken], 1),
    ] {
        let mut child = spawn(&args);
        let mut text = String::new();
        child
            .stderr
            .take()
            .unwrap()
            .read_to_string(&mut text)
            .unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(code), "{args:?}");
        assert!(!text.is_empty() && !text.contains("hunter2"), "{text}");
        if code == 1 {
            assert!(text.starts_with("emulator: "), "{text}");
            assert!(text.contains(&taken), "{text}");
        }
    }
}

#[test]
fn it_takes_one_version_of_signatures_or_the_other() {
    let child = spawn(&["--s3-refuse-v2", "--s3-refuse-v4", "--exit-with-parent"]);
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(2), "nothing would be left");
    for (refused, authorization) in [
        ("--s3-refuse-v2", "AWS AKIDEMULATOR:c2lnbmF0dXJl"),
        (
            "--s3-refuse-v4",
            "AWS4-HMAC-SHA256 Credential=AKIDEMULATOR/20260101/eu-west-1/s3/aws4_request",
        ),
    ] {
        let mut child = spawn(&[refused, "--s3-region", "eu-west-1", "--exit-with-parent"]);
        let line = first_line(&mut child);
        let address = line.strip_prefix("http://").unwrap();
        let mut stream = TcpStream::connect(address).unwrap();
        let date = httpdate::fmt_http_date(SystemTime::now());
        let request = format!(
            "GET / HTTP/1.1\r\nHost: {address}\r\nDate: {date}\r\nAuthorization: {authorization}\r\n\
             Connection: close\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
        assert!(
            answer.contains("The authorization mechanism you have provided"),
            "{answer}"
        );
        drop(child.stdin.take());
        assert!(child.wait().unwrap().success());
    }
}

#[test]
fn of_an_access_key_there_is_one_secret() {
    for args in [
        &["--user", "AK:hunter2", "--user", "AK:hunter3"][..],
        &["--user", "AK:hunter2", "--account", "AK:hunter3"],
        &["--account", "AK:hunter2:hunter3"],
    ] {
        let child = spawn(&[args, &["--exit-with-parent"]].concat());
        // Its standard input is closed, so that one that serves ends too.
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        let text = String::from_utf8(output.stderr).unwrap();
        assert!(
            text.contains("access key \"AK\"") || text.contains("--account"),
            "{text}"
        );
        assert!(!text.contains("hunter"), "{text}");
    }
}

#[test]
fn faults_can_be_ordered() {
    let mut child = spawn(&[
        "--exit-with-parent",
        "--fault",
        "1:slow-down:3",
        "--clock-ahead",
        "-3600",
    ]);
    let line = first_line(&mut child);
    let mut stream = TcpStream::connect(line.strip_prefix("http://").unwrap()).unwrap();
    stream
        .write_all(b"GET /b/k HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
        .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 503") && answer.contains("retry-after: 3"));
    drop(child.stdin.take());
    assert!(child.wait().unwrap().success());
    let mut wrong = spawn(&["--fault", "2:slow-down"]);
    let mut told = String::new();
    wrong
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut told)
        .unwrap();
    assert!(told.contains("2:slow-down"), "{told}");
    assert_eq!(wrong.wait().unwrap().code(), Some(2));
}
