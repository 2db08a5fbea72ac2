//! A real ejabberd over the stores, with clients that others wrote.
//!
//! ```text
//!  test ── emulator (in this process)
//!    ├──── ejabberd, with the shims and the program of this package
//!    └──── a script in Python, whose clients (slixmpp) log in, talk and look
//! ```
//!
//! Each test has an emulator and a node of its own, on an address of its own, and ends them, whatever comes. A script
//! prints a line for each check that holds, and asks the test for what only it can do: to make the store fail, to end a
//! process, to look into the store.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "what was checked, and what a node said before it failed, is for whoever reads the test's output"
)]

mod cloud;
mod faults;
#[allow(dead_code, reason = "others use more of it")]
#[path = "../../../s3-client/tests/it/memcached.rs"]
mod memcached;
mod meter;
mod node;
mod script;
mod store;
mod tools;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use node::{Node, Plan};
use script::{act, run, run_with};
use std::process::Command;
use tools::shims;

#[test]
fn people_log_in_talk_and_leave_nothing() {
    let node = Node::start(&Plan::default());
    run("people", &node);
}

#[test]
fn only_what_was_received_is_removed() {
    let erlang = Command::new("erl")
        .args(["-noinput", "-noshell", "-pa"])
        .arg(shims())
        .args(["-eval", "cloud_receipts_test:run(), halt(0)."])
        .output()
        .expect("Erlang");
    let said = String::from_utf8_lossy(&erlang.stdout);
    assert!(erlang.status.success(), "{erlang:?}");
    // All courses of six steps of six kinds, from two numbers.
    assert_eq!(said, format!("{} courses", 2 * 6_u32.pow(6)));
}

#[test]
fn messages_that_wait_are_delivered_at_least_once() {
    let mut node = Node::start(&Plan {
        unacknowledged: Some(300),
        ..Plan::default()
    });
    let address = node.address.clone();
    run_with("deliveries", &[&address], &mut |what| {
        match what {
            "kill" => node.kill(),
            "died" => node.died(),
            "start" => node.restart(),
            _ => return act(what, &node),
        }
        "done".to_owned()
    });
}

#[test]
fn what_is_published_and_said_in_rooms_is_kept() {
    let node = Node::start(&Plan::default());
    run("rooms", &node);
    run("published", &node);
}

#[test]
fn those_who_write_the_same_at_once_do_not_undo_each_other() {
    let node = Node::start(&Plan::default());
    run("races", &node);
}

#[test]
fn an_outage_is_no_wrong_password_and_a_killed_program_comes_back() {
    let node = Node::start(&Plan {
        timeout: 4,
        caches: false,
        ..Plan::default()
    });
    run("outage", &node);
    // A process that crashes writes what it has into the log, such as the answer of a client to PLAIN: its name and password.
    let said = node.said();
    assert!(
        said.contains("authentication for bob"),
        "it is no log: {said}"
    );
    assert!(
        !said.contains(&STANDARD.encode("\0bob\0secret")),
        "a password is in the log: {said}"
    );
}

#[test]
fn ejabberd_asks_the_other_front() {
    let node = Node::start(&Plan {
        external: true,
        ..Plan::default()
    });
    run("external", &node);
}

/// Runs the script that counts the requests of each action.
fn budget(caches: bool, memcached: bool) {
    let node = Node::start(&Plan {
        caches,
        memcached,
        ..Plan::default()
    });
    let ejabberd = if caches { "ejabberd" } else { "-" };
    let memcached = if memcached { "memcached" } else { "-" };
    let arguments = [&node.address, ejabberd, memcached];
    run_with("budget", &arguments, &mut |what| act(what, &node));
}

#[test]
fn actions_take_no_more_requests_than_they_may() {
    budget(false, false);
}

#[test]
fn actions_take_fewer_with_the_caches_of_ejabberd() {
    budget(true, false);
}

#[test]
fn actions_take_fewer_with_a_memcached_in_front() {
    budget(false, true);
}

#[test]
fn actions_take_the_fewest_with_both() {
    budget(true, true);
}

#[test]
fn nodes_serve_together_and_any_of_them_may_die() {
    let plan = |name| Plan {
        name: Some(name),
        ..Plan::default()
    };
    let [mut a, mut b] = Node::cluster([&plan("a"), &plan("b")]);
    let addresses = [a.address.clone(), b.address.clone()];
    let mut act = |what: &str| {
        match what {
            "nodes a" => return a.try_http("/probe/nodes", "{}").unwrap_or_default(),
            "nodes b" => return b.try_http("/probe/nodes", "{}").unwrap_or_default(),
            "names of nodes" => return format!("{} {}", a.name(), b.name()),
            "cut" => return b.http(&format!("/probe/cut/{}", a.name()), "{}"),
            "tables" => [&a, &b].into_iter().for_each(has_no_state),
            "kill a" => a.kill(),
            "start a" => a.restart(),
            "stop b" => assert_eq!(b.stop(), Some(0), "{}", b.said()),
            _ => return act(what, &a),
        }
        "done".to_owned()
    };
    run_with("cluster", &[&addresses[0], &addresses[1]], &mut act);
}

#[test]
fn a_domain_has_a_server_and_another_one_makes_a_cluster() {
    let first = Node::start(&Plan {
        name: Some("ejabberd"),
        domain: Some("chat.example.org"),
        ..Plan::default()
    });
    first.share_certificate("chat-chat-example-org");
    let second = first.another();
    let addresses = [&*first.address, &*second.address];
    run_with("domain", &addresses, &mut |what| match what {
        "names of nodes" => format!("{} {}", first.name(), second.name()),
        _ => panic!("the script asks for {what:?}"),
    });
    // Who sees the arguments of processes sees no cookie.
    assert!(!first.arguments().contains("setcookie"));
}

#[test]
fn no_state_is_in_the_tables_of_a_node() {
    has_no_state(&Node::start(&Plan::default()));
}

fn has_no_state(node: &Node) {
    let tables = node.http("/probe", "{}");
    // What they have is who is online, or can be made anew. (pubsub_last_item is a cache in memory, which is off.)
    let stores = [
        "passwd",
        "last_activity",
        "roster",
        "roster_version",
        "private_storage",
        "privacy",
        "vcard",
        "vcard_search",
        "offline_msg",
        "caps_features",
        "muc_room",
        "muc_registered",
        "pubsub_node",
        "pubsub_item",
        "pubsub_state",
        "pubsub_index",
        "pubsub_subscription",
        "pubsub_orphan",
        "sr_group",
        "sr_user",
    ];
    let mut seen = 0;
    for line in tables.lines() {
        let [table, kind, _size] = line.split(' ').collect::<Vec<_>>()[..] else {
            panic!("not a table: {line}")
        };
        assert!(!stores.contains(&table), "{line}");
        let disposable = ["schema", "oauth_token", "oauth_client"].contains(&table);
        assert!(kind == "ram_copies" || disposable, "{line}");
        seen += 1;
    }
    assert!(
        seen > 5 && tables.contains("session ram_copies"),
        "{tables}"
    );
}
