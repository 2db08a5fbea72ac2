//! `boot_server` from the outside.
#![allow(clippy::unwrap_used)]

mod common;

use common::{example, outcome};

#[test]
fn all_nodes_have_the_new_release_and_only_what_changed_was_moved() {
    let mut server = example("boot_server");
    server.args(["--files", "40", "--size", "1000", "--json"]);
    let (code, stdout, stderr) = outcome(&mut server);
    assert_eq!((code, &*stderr), (Some(0), ""), "{stdout}");
    let report: serde_json::Value = serde_json::from_str(&stdout).unwrap();
    let step = |at: usize, what: &str| report["steps"][at][what].as_u64().unwrap();
    assert_eq!((step(0, "sent"), step(0, "sent_bytes")), (40, 40_000));
    assert_eq!((step(1, "sent"), step(1, "fetched")), (0, 120));
    assert_eq!(
        (step(2, "sent"), step(2, "fetched").min(6)),
        (2, step(2, "fetched"))
    );
    // Two contents for each node; the one that was killed fetches once more only what it had not written.
    let fetched = step(2, "fetched") + step(3, "fetched") + step(4, "fetched");
    assert_eq!((fetched, step(4, "fetched")), (7, 1), "{stdout}");
    assert_eq!(report["killed"]["whole"], true);
    for node in report["nodes"].as_array().unwrap() {
        assert_eq!(
            (&node["release"], &node["whole"]),
            (&2.into(), &true.into())
        );
        // Chat is restarted for the change, and mail is not.
        let commands = node["commands"].as_array().unwrap();
        assert_eq!(commands.len(), 3, "{commands:?}");
        assert_eq!(commands[2], "restart chat");
    }
}

#[test]
fn the_story_is_told_for_people() {
    let mut server = example("boot_server");
    let (code, stdout, _) = outcome(server.args(["--files", "6", "--size", "10", "--nodes", "1"]));
    assert_eq!(code, Some(0), "{stdout}");
    assert!(
        stdout.contains(
            "node1 was killed when it had one of the two new files; its release was 1 then, whole."
        ),
        "{stdout}"
    );
    assert!(
        stdout.contains(
            "node1 runs release 2, whole; commands: restart chat, restart mail, restart chat"
        ),
        "{stdout}"
    );
    let (code, help, _) = outcome(example("boot_server").arg("--help"));
    assert_eq!(code, Some(0));
    assert!(help.contains("kills one node in the middle"), "{help}");
    let (code, ..) = outcome(example("boot_server").args(["--files", "3"]));
    assert_eq!(code, Some(2));
}
