//! The front for a node of a cluster, as its server sees it.

use std::io::Read;
use std::process::Child;

use emulator::{Emulator, Fault, Rule};
use erltf::{Atom, OwnedTerm as Erl};

use crate::parent::{emulator, end, send, start_with, text};

fn start(emulator: &Emulator, name: &str, more: &[&str]) -> Child {
    let more = [&["--name", name, "--lease", "30"], more].concat();
    start_with(emulator, "node", "hunter2hunter2", &more)
}

fn names(names: &[&str]) -> Erl {
    match names {
        [] => Erl::Nil,
        names => Erl::List(
            names
                .iter()
                .map(|name| Erl::Binary(name.as_bytes().to_vec()))
                .collect(),
        ),
    }
}

fn message(what: &str, rest: &[Erl]) -> Erl {
    let mut parts = vec![Erl::Atom(Atom::new(what))];
    parts.extend_from_slice(rest);
    Erl::Tuple(parts)
}

fn say(child: &mut Child, message: &Erl) {
    let term = erltf::encode(message).expect("a term");
    let length = u32::try_from(term.len()).expect("short").to_be_bytes();
    send(child, &[&length[..], &term].concat());
}

fn hear(child: &mut Child) -> Erl {
    let out = child.stdout.as_mut().expect("a pipe");
    let mut length = [0; 4];
    out.read_exact(&mut length).expect("a message");
    let mut term = vec![0; u32::from_be_bytes(length) as usize];
    out.read_exact(&mut term).expect("a whole message");
    erltf::decode(&term).expect("a term")
}

fn begins(child: &mut Child, reached: &[&str]) -> bool {
    say(child, &message("begin", &[names(reached)]));
    let answer = hear(child);
    let yes = message("begin", &[Erl::Atom(Atom::new("true"))]);
    let no = message("begin", &[Erl::Atom(Atom::new("false"))]);
    assert!(answer == yes || answer == no, "{answer:?}");
    answer == yes
}

/// Takes leave, and gives the exit status.
fn leave(mut child: Child) -> Option<i32> {
    say(&mut child, &message("leave", &[]));
    assert_eq!(hear(&mut child), message("left", &[]));
    let ended = end(child);
    assert!(ended.stderr.is_empty(), "{}", text(&ended.stderr));
    ended.status.code()
}

#[test]
fn nodes_find_each_other_by_leases() {
    let emulator = emulator();
    let mut a = start(&emulator, "a@127.0.0.1", &[]);
    assert_eq!(hear(&mut a), message("there", &[names(&[])]));
    let mut b = start(&emulator, "b@127.0.0.2", &[]);
    assert_eq!(hear(&mut b), message("there", &[names(&["a@127.0.0.1"])]));
    assert!(!begins(&mut b, &[]), "the other one was not reached");
    assert!(begins(&mut b, &["a@127.0.0.1"]));
    assert!(!begins(&mut a, &["b@127.0.0.2"]));
    assert_eq!(leave(b), Some(0));
    assert!(begins(&mut a, &[]), "the other one has left");
    // One that is killed leaves its lease behind.
    a.kill().expect("a child");
    a.wait().expect("its end");
    let mut c = start(&emulator, "c@127.0.0.3", &[]);
    assert_eq!(hear(&mut c), message("there", &[names(&["a@127.0.0.1"])]));
    // The end of its server is no leave.
    let ended = end(c);
    assert_eq!(ended.status.code(), Some(0), "{}", text(&ended.stderr));
    let mut d = start(&emulator, "d@127.0.0.4", &[]);
    let there = names(&["a@127.0.0.1", "c@127.0.0.3"]);
    assert_eq!(hear(&mut d), message("there", &[there]));
    assert_eq!(leave(d), Some(0));
}

#[test]
fn nodes_find_each_other_by_the_instances_of_ec2() {
    let emulator = emulator();
    let instances = r#"[
        {"InstanceId": "i-1", "PrivateIpAddress": "10.0.0.1", "Tags": {"cluster": "chat"}},
        {"InstanceId": "i-2", "PrivateIpAddress": "10.0.0.2", "Tags": {"cluster": "chat"}},
        {"InstanceId": "i-3", "PrivateIpAddress": "10.0.0.3", "Tags": {"cluster": "mail"}},
        {"InstanceId": "i-4", "PrivateIpAddress": "10.0.0.4", "Tags": {"cluster": "chat"}, "State": "stopped"}]"#;
    emulator.ec2().set(instances).expect("instances");
    let url = emulator.url();
    let more = [
        "--discovery",
        "ec2",
        "--ec2-tag",
        "cluster=chat",
        "--ec2-endpoint",
        &url,
    ];
    let mut first = start(&emulator, "chat@10.0.0.1", &more);
    assert_eq!(
        hear(&mut first),
        message("there", &[names(&["chat@10.0.0.2"])])
    );
    assert!(!begins(&mut first, &[]), "the other one was not reached");
    assert!(begins(&mut first, &["chat@10.0.0.2"]));
    assert_eq!(leave(first), Some(0));
}

#[test]
fn a_node_that_waits_for_its_stores_can_be_ended() {
    let emulator = emulator();
    let outage = Rule::new(Fault::error(403, "AccessDenied"));
    let refused = emulator.faults().add(outage);
    for leaves in [true, false] {
        let mut child = start(&emulator, "a@127.0.0.1", &[]);
        let before = refused.count();
        while refused.count() == before {
            std::thread::yield_now();
        }
        if leaves {
            say(&mut child, &message("leave", &[]));
            assert_eq!(hear(&mut child), message("left", &[]));
        }
        assert_eq!(end(child).status.code(), Some(0));
    }
}

#[test]
fn settings_that_find_nobody_are_named() {
    let emulator = emulator();
    let status_and_words = |more: &[&str]| {
        let mut child = start(&emulator, "chat@10.0.0.1", more);
        // Waiting would close it, and the program would end for that.
        let _open = child.stdin.take();
        let status = child.wait().expect("its end").code();
        let words = child.wait_with_output().expect("words");
        (status, text(&words.stderr))
    };
    let (status, words) = status_and_words(&["--discovery", "ec2"]);
    assert!(status == Some(2) && words.contains("a tag"), "{words}");
    let (status, words) = status_and_words(&["--discovery", "ec2", "--ec2-tag", "cluster"]);
    assert!(status == Some(2) && words.contains("KEY=VALUE"), "{words}");
}
