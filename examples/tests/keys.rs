//! `keys` from the outside.
#![allow(clippy::unwrap_used)]

mod common;

use common::{example, outcome};

#[test]
fn a_put_is_one_request_over_s3_and_simpledb() {
    let mut keys = example("keys");
    keys.args(["--values", "60", "--size", "1000", "--tasks", "3", "--json"]);
    let (code, stdout, stderr) = outcome(&mut keys);
    assert_eq!((code, &*stderr), (Some(0), ""));
    let report: serde_json::Value = serde_json::from_str(&stdout).unwrap();
    let step = |row: usize, step: usize| &report["rows"][row]["steps"][step];
    for (row, store) in ["S3", "SimpleDB"].into_iter().enumerate() {
        assert_eq!(report["rows"][row]["store"], store);
        let steps = [("put", 60), ("get", 60), ("list", 60), ("delete", 60)];
        for (i, (name, found)) in steps.into_iter().enumerate() {
            assert_eq!(step(row, i)["step"], name);
            assert_eq!(step(row, i)["found"], found, "{store} {name}");
            let requests = if name == "list" { 1 } else { 60 };
            assert_eq!(step(row, i)["requests"], requests, "{store} {name}");
        }
        assert_eq!(step(row, 4)["found"], 0);
    }
    // Where Redis is installed a put is four commands; where it is not, that is said.
    match report["redis_missing"].as_str() {
        Some(why) => assert!(why.contains("apt install redis-server"), "{why}"),
        None => assert_eq!(step(2, 0)["requests"], 4 * 60),
    }
}

#[test]
fn without_redis_a_line_says_so() {
    let mut keys = example("keys");
    keys.args(["--values", "3", "--redis", "/nonexistent/redis-server"]);
    let (code, stdout, stderr) = outcome(&mut keys);
    assert_eq!((code, &*stderr), (Some(0), ""));
    assert!(
        stdout.contains("SimpleDB") && !stdout.contains("Redis  "),
        "{stdout}"
    );
    let last = stdout.lines().last().unwrap();
    assert!(
        last.contains("there is no /nonexistent/redis-server"),
        "{last}"
    );
    // What cannot be started is an error.
    let (code, _, stderr) = outcome(example("keys").args(["--values", "1", "--redis", "true"]));
    assert_eq!(code, Some(1));
    assert!(stderr.contains("ended at once"), "{stderr}");
}
