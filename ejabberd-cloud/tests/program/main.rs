//! The program as its parent sees it: settings, answers on standard output, words on standard error, status at the end.

mod cache;
#[allow(dead_code, reason = "not all of it is needed here")]
#[path = "../../../s3-client/tests/it/memcached.rs"]
mod memcached;
mod node;
mod parent;
mod secret;

use std::io::Read;
use std::process::{Command, Stdio};

use parent::{answer, call, emulator, end, program, send, start, text};

#[test]
fn it_answers_and_ends_with_its_parent() {
    let emulator = emulator();
    let mut child = start(&emulator, "port", "hunter2hunter2");
    send(&mut child, &call(7, "ping", &[]));
    let (id, term) = answer(&mut child);
    assert_eq!(
        (id, term),
        (
            7,
            [&[131, 104, 2, 119, 2][..], b"ok", &[119, 4], b"pong"].concat()
        )
    );
    send(&mut child, &call(8, "last_get", &["ann@example.com"]));
    let (id, term) = answer(&mut child);
    assert_eq!(
        (id, term),
        (
            8,
            [&[131, 104, 2, 119, 2][..], b"ok", &[119, 4], b"none"].concat()
        )
    );
    for (id, wrong) in [(9, "last_gut"), (10, "first_get"), (11, "nonsense")] {
        send(&mut child, &call(id, wrong, &["ann@example.com"]));
        let invalid = [&[131, 104, 2, 119, 5][..], b"error", &[119, 7], b"invalid"].concat();
        assert_eq!(answer(&mut child), (id, invalid));
    }
    let ended = end(child);
    assert_eq!(ended.status.code(), Some(0));
    assert!(ended.stdout.is_empty(), "{}", text(&ended.stdout));
    assert!(
        text(&ended.stderr).contains("last_gut"),
        "{}",
        text(&ended.stderr)
    );
}

#[test]
fn no_secret_is_in_what_it_says() {
    let emulator = emulator();
    // The store refuses these keys, and says so about each call.
    let mut child = start(&emulator, "port", "not-the-secret");
    send(&mut child, &call(1, "last_get", &["ann@example.com"]));
    let unavailable = [
        &[131, 104, 2, 119, 5][..],
        b"error",
        &[119, 11],
        b"unavailable",
    ]
    .concat();
    assert_eq!(answer(&mut child), (1, unavailable));
    let said = text(&end(child).stderr);
    assert!(said.contains("SignatureDoesNotMatch"), "{said}");
    assert!(!said.contains("not-the-secret"), "{said}");
}

#[test]
fn the_other_front_answers_yes_and_no() {
    let emulator = emulator();
    let mut child = start(&emulator, "extauth", "hunter2hunter2");
    for (question, yes) in [
        ("isuser:ann:example.com", 0),
        ("tryregister:ann:example.com:pass", 1),
        ("auth:ann:example.com:pass", 1),
    ] {
        send(
            &mut child,
            &[&(question.len() as u16).to_be_bytes(), question.as_bytes()].concat(),
        );
        let mut answer = [9; 4];
        child
            .stdout
            .as_mut()
            .expect("a pipe")
            .read_exact(&mut answer)
            .expect("an answer");
        assert_eq!(answer, [0, 2, 0, yes], "{question}");
    }
    let ended = end(child);
    assert_eq!(ended.status.code(), Some(0));
    assert!(
        ended.stdout.is_empty() && ended.stderr.is_empty(),
        "{}",
        text(&ended.stderr)
    );
}

#[test]
fn what_is_wrong_ends_it_with_a_sentence() {
    let status_and_words = |mut program: Command| {
        let ended = end(program.spawn().expect("the program"));
        (ended.status.code(), text(&ended.stderr))
    };
    let url = "http://127.0.0.1:9";
    let port = [
        "port",
        "--bucket",
        "chat",
        "--s3-endpoint",
        url,
        "--sdb-endpoint",
        url,
    ];
    let with = |more: &[&'static str]| program(&[&port[..], more].concat(), "secret");

    let (status, words) = status_and_words(with(&["--buckets", "b"]));
    assert!(status == Some(2) && words.contains("--buckets"), "{words}");
    let mut unknown = with(&[]);
    unknown.env("EJABBERD_CLOUD_PREFX", "x");
    let (status, words) = status_and_words(unknown);
    assert!(
        status == Some(2) && words.contains("EJABBERD_CLOUD_PREFX"),
        "{words}"
    );
    let (status, words) = status_and_words(program(
        &["port", "--bucket", "b", "--s3-endpoint", "ftp://x"],
        "secret",
    ));
    assert!(status == Some(2) && words.contains("ftp://x"), "{words}");
    let (status, words) = status_and_words(with(&["--cache-server", "host:notaport"]));
    assert!(status == Some(2) && words.contains("notaport"), "{words}");

    // What no later trial can mend is told by the stores themselves.
    let mut child = with(&["--prefix", "a/b"]).spawn().expect("the program");
    // Waiting would close it, and the program would end for that.
    let _open = child.stdin.take();
    let status = child.wait().expect("its end").code();
    let words = text(&child.wait_with_output().expect("words").stderr);
    assert!(status == Some(2) && words.contains("a/b"), "{words}");

    let mut terminal = program(&port, "secret");
    terminal.stdin(Stdio::null());
    let ended = terminal.output().expect("the program");
    assert!(
        ended.status.code() == Some(2) && text(&ended.stderr).contains("pipes"),
        "{}",
        text(&ended.stderr)
    );
}

#[test]
fn a_broken_parent_is_told_and_left() {
    let emulator = emulator();
    let mut child = start(&emulator, "port", "hunter2hunter2");
    send(&mut child, &[0, 0, 0, 3, 1, 2, 3]);
    let status = child.wait().expect("its end").code();
    let words = text(&child.wait_with_output().expect("words").stderr);
    assert!(
        status == Some(1) && words.contains("a frame of 3 bytes"),
        "{words}"
    );

    let mut child = start(&emulator, "port", "hunter2hunter2");
    send(&mut child, &call(1, "ping", &[])[..9]);
    let ended = end(child);
    assert_eq!(ended.status.code(), Some(1));
    assert!(text(&ended.stderr).contains("ended within a call"));
}
