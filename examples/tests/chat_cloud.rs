//! `chat_cloud` from the outside, with few people: a node is killed, and no message is lost.
#![allow(clippy::unwrap_used)]

mod common;
// The tests of these files run here: cargo builds an example as a program or for its tests, and not both at once.
#[allow(dead_code, reason = "the program uses all of it")]
#[path = "../chat_cloud/ledger.rs"]
mod ledger;
#[allow(dead_code, reason = "the program uses all of it")]
#[path = "../chat_cloud/xml.rs"]
mod xml;

use common::{example, outcome};

#[test]
fn no_message_is_lost_when_a_node_is_killed() {
    let mut chat = example("chat_cloud");
    chat.args(["--people", "20", "--messages", "2", "--json"]);
    let (code, stdout, stderr) = outcome(&mut chat);
    assert_eq!((code, &*stderr), (Some(0), ""), "{stdout}");
    let report: serde_json::Value = serde_json::from_str(&stdout).unwrap();
    let count = |name: &str| report["messages"][name].as_u64().unwrap();
    // Two rounds of two from each, and three to each of the ten who went away, of whom two stayed away.
    assert_eq!(count("sent"), 2 * 2 * 20 + 3 * 10);
    assert_eq!(
        (count("in_store"), count("lost"), count("astray")),
        (3 * 2, 0, 0)
    );
    assert_eq!(count("received"), count("sent") - count("in_store"));
    let actions = report["actions"].as_array().unwrap();
    let row = |action: &str| actions.iter().find(|row| row["action"] == action).unwrap();
    assert_eq!(row("register")["times"], 20);
    // A message between people who are there is none of the stores' business, and one to somebody away is one object. What is
    // left over of an action before it is in the count.
    let requests = |action: &str| {
        let count = |service: &str| row(action)[service].as_u64().unwrap();
        count("s3") + count("simpledb")
    };
    assert!(requests("write to a friend") < 20, "{report}");
    assert!(
        (3 * 10..2 * 3 * 10).contains(&requests("write to somebody away")),
        "{report}"
    );
    assert_eq!(row("write while a node is killed")["times"], 2 * 20);
}
