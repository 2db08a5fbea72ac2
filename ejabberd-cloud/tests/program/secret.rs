//! The command for secrets that all nodes share.

use emulator::{Emulator, Fault, Rule};

use crate::parent::{emulator, end, send, start_with, text};

/// What the command prints, and its exit status.
fn secret(emulator: &Emulator, arguments: &[&str], input: &[u8]) -> (Vec<u8>, Option<i32>) {
    let mut child = start_with(emulator, "secret", "hunter2hunter2", arguments);
    if !input.is_empty() {
        send(&mut child, input);
    }
    let ended = end(child);
    let words = text(&ended.stderr);
    assert!(!words.contains("PRIVATE"), "{words}");
    (ended.stdout, ended.status.code())
}

#[test]
fn nodes_get_one_cookie_and_one_certificate() {
    let emulator = emulator();
    assert_eq!(secret(&emulator, &["cookie"], b""), (Vec::new(), Some(3)));
    let (cookie, status) = secret(&emulator, &["cookie", "--random"], b"");
    assert_eq!(status, Some(0));
    assert_eq!(cookie.len(), 32, "{cookie:?}");
    assert!(cookie.iter().all(u8::is_ascii_alphanumeric), "{cookie:?}");
    for arguments in [&["cookie", "--random"][..], &["cookie"]] {
        assert_eq!(secret(&emulator, arguments, b""), (cookie.clone(), Some(0)));
    }
    let certificate = b"-----BEGIN PRIVATE KEY-----\nabc\n";
    let set = secret(&emulator, &["certificate", "--set"], certificate);
    assert_eq!(set, (Vec::new(), Some(0)));
    let there = secret(&emulator, &["certificate"], b"");
    assert_eq!(there, (certificate.to_vec(), Some(0)));
    let long = vec![b'a'; 65_537];
    let set = secret(&emulator, &["certificate", "--set"], &long);
    assert_eq!(set, (Vec::new(), Some(1)));
    assert_eq!(secret(&emulator, &["certificate"], b""), there);
}

#[test]
fn an_outage_is_no_absence() {
    let emulator = emulator();
    emulator
        .faults()
        .add(Rule::new(Fault::error(403, "AccessDenied")));
    for arguments in [&["cookie", "--random"][..], &["cookie"]] {
        assert_eq!(secret(&emulator, arguments, b""), (Vec::new(), Some(1)));
    }
}
