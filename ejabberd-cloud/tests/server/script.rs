//! Runs a script of checks against a node.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};

use emulator::{Fault, Rule};

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

/// Does what a script asks for.
pub(crate) fn act(what: &str, node: &Node) -> String {
    match what {
        "outage" => {
            node.emulator
                .faults()
                .add(Rule::new(Fault::error(503, "ServiceUnavailable")));
            "done".to_owned()
        }
        "mend" => {
            node.emulator.faults().clear();
            "done".to_owned()
        }
        "program" => node.program().map_or_else(String::new, |id| id.to_string()),
        "count" => node.meter.begin(&node.emulator),
        "quiet" => node.meter.wait(&node.address),
        "counted" => node.meter.end(&node.emulator),
        "waves" => node.meter.hold(&node.emulator, &node.address),
        "wave" => node.meter.waves(),
        "waved" => node.meter.release(&node.emulator),
        _ if what.starts_with("delay ") => {
            let milliseconds = what["delay ".len()..].parse().expect("milliseconds");
            node.meter.delay(&node.emulator, milliseconds)
        }
        "names" => store::names(&node.emulator).join("\t"),
        _ if what.starts_with("object ") => store::object(&node.emulator, &what["object ".len()..]),
        _ if what.starts_with("replace ") => {
            let [key, from, to] = what["replace ".len()..].split('\t').collect::<Vec<_>>()[..]
            else {
                panic!("the script asks for {what:?}")
            };
            store::replace(&node.emulator, key, from, to);
            "done".to_owned()
        }
        _ => panic!("the script asks for {what:?}"),
    }
}
