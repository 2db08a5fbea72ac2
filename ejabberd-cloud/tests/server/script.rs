//! Runs a script of checks against a node.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};

use crate::faults;
use crate::node::Node;
use crate::store;
use crate::tools::{package, python};

/// Runs `scripts/NAME.py`. It prints `ok: …` for a check that holds, `do: …` for what the test is to do, after which it
/// reads a line with the answer, and `end: N` with the number of its checks; everything else is for a person to read.
pub(crate) fn run(name: &str, node: &Node) {
    run_with(name, &[&node.address], &mut |what| act(what, node));
}

/// The same with these arguments, where `act` does what the script asks for.
pub(crate) fn run_with(name: &str, arguments: &[&str], act: &mut dyn FnMut(&str) -> String) {
    let script = package().join(format!("tests/server/scripts/{name}.py"));
    let child = Command::new(python())
        .arg(&script)
        .args(arguments)
        .env("PYTHONUNBUFFERED", "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("Python");
    let mut child = Ended(child);
    let mut answers = child.0.stdin.take().expect("a pipe");
    let (mut held, mut counted) = (0, None);
    for line in BufReader::new(child.0.stdout.take().expect("a pipe")).lines() {
        let line = line.expect("text");
        println!("{line}");
        if let Some(what) = line.strip_prefix("do: ") {
            writeln!(answers, "{}", act(what)).expect("a script that reads");
        } else if let Some(count) = line.strip_prefix("end: ") {
            counted = count.parse().ok();
        } else if line.starts_with("ok: ") {
            held += 1;
        }
    }
    let status = child.0.wait().expect("its end");
    assert!(status.success(), "{name}: {status} after {held} checks");
    assert_eq!(counted, Some(held), "{name} ended too early");
    assert!(held > 0, "{name} has checked nothing");
}

/// A script that ends with the test, also with one that fails.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Does what a script asks for: the first word says what, and tabs are between the words that follow.
pub(crate) fn act(what: &str, node: &Node) -> String {
    let (verb, rest) = what.split_once(' ').unwrap_or((what, ""));
    let rest: Vec<&str> = rest.split('\t').filter(|word| !word.is_empty()).collect();
    match (verb, &rest[..]) {
        ("outage", []) => faults::outage(&node.emulator),
        ("refuse", [operation, text]) => node.refused.all(&node.emulator, operation, text),
        ("refused", []) => node.refused.wait(),
        ("lose", [operation, text]) => faults::lose(&node.emulator, operation, text),
        ("hold", [operation, text]) => node.held.next(&node.emulator, operation, text),
        ("held", []) => node.held.wait(),
        ("release", []) => node.held.release(),
        ("mend", []) => node.emulator.faults().clear(),
        ("replace", [key, from, to]) => store::replace(&node.emulator, key, from, to),
        ("remove", [key]) => store::remove(&node.emulator, key),
        ("copy", [from, to]) => store::copy(&node.emulator, from, to),
        _ => return answer(verb, &rest, node),
    }
    "done".to_owned()
}

/// What a script wants to know.
fn answer(verb: &str, rest: &[&str], node: &Node) -> String {
    match (verb, rest) {
        ("can", ["fail"]) => if node.emulator.is_real { "no" } else { "yes" }.to_owned(),
        ("program", []) => node.program().map_or_else(String::new, |id| id.to_string()),
        ("count", []) => node.meter.begin(&node.emulator),
        ("quiet", []) => node.meter.wait(&node.address),
        ("counted", []) => node.meter.end(&node.emulator),
        ("waves", []) => node.meter.hold(&node.emulator, &node.address),
        ("wave", []) => node.meter.waves(),
        ("waved", []) => node.meter.release(&node.emulator),
        ("delay", [milliseconds]) => {
            let milliseconds = milliseconds.parse().expect("milliseconds");
            node.meter.delay(&node.emulator, milliseconds)
        }
        ("probe", [page]) => node.http(&format!("/probe/{page}"), "{}"),
        ("names", []) => store::names(&node.emulator).join("\t"),
        ("object", [key]) => store::object(&node.emulator, key),
        _ => panic!("the script asks for {verb:?} {rest:?}"),
    }
}
