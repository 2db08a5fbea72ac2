//! Kills a publisher, a follower, a collection of garbage and runs of `sync` at each of their steps, by SIGKILL.
//!
//! The verbs tell each step before they do it. A child process, which is this program with the argument `child`, counts them and
//! kills itself at one of them; the parent looks at what is left, and has it be finished.
#![allow(clippy::unwrap_used)]

mod release;
mod sync;
#[path = "../release/world.rs"]
#[allow(dead_code, reason = "the tests of releases use all of it")]
mod world;

use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use s3_client::{Credentials, S3Client};
use s3_sync::Step;

use crate::world::World;

/// More steps than any of them has.
const ENOUGH: u64 = 200;

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    match args.get(1).map(String::as_str) {
        Some("child") => runtime.block_on(child(&args[2..])),
        // What a harness would list.
        Some("--list") => {}
        _ => {
            let mut kills = Vec::new();
            kills.extend(runtime.block_on(release::kills()));
            kills.extend(runtime.block_on(sync::kills()));
            for (what, times, least) in &kills {
                // So many at least, so that a verb that tells no steps is noticed.
                assert!(times >= least, "{what} was killed {times} times");
            }
            let told = kills
                .iter()
                .map(|(what, times, _)| format!("{what} {times}"));
            eprint(&format!(
                "killed: {}\n",
                told.collect::<Vec<_>>().join(", ")
            ));
        }
    }
}

fn eprint(text: &str) {
    use std::io::Write as _;
    let _unread = std::io::stderr().write_all(text.as_bytes());
}

/// Runs a verb, and kills itself before a step.
async fn child(args: &[String]) {
    let [verb, endpoint, access, secret, url, folder, at] = args else {
        panic!("{args:?}");
    };
    let keys = Credentials::new(access, secret);
    let client = S3Client::builder()
        .endpoint(endpoint)
        .credentials(keys)
        .build()
        .unwrap();
    let (url, folder) = (url.parse().unwrap(), Path::new(folder));
    let (at, count) = (at.parse::<u64>().unwrap(), AtomicU64::new(0));
    let kill = move |_: Step<'_>| {
        if count.fetch_add(1, Ordering::SeqCst) + 1 == at {
            let own = rustix::process::getpid();
            rustix::process::kill_process(own, rustix::process::Signal::KILL).unwrap();
            // It is on its way.
            std::thread::sleep(Duration::from_secs(60));
        }
    };
    match verb.as_str() {
        "up" | "down" | "copy" => sync::child(verb, &client, url, folder, kill).await,
        _ => release::child(verb, &client, &url, folder, kill).await,
    }
}

/// Runs a verb as a child; whether it came to its end.
async fn run(world: &World, verb: &str, url: &str, folder: &Path, at: u64) -> bool {
    let emulator = &world.emulator;
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args([
        "child",
        verb,
        &emulator.url(),
        emulator.access_key(),
        emulator.secret_key(),
        url,
    ]);
    child.arg(folder).arg(at.to_string());
    let status = tokio::task::spawn_blocking(move || child.status().unwrap())
        .await
        .unwrap();
    let killed = std::os::unix::process::ExitStatusExt::signal(&status);
    assert!(
        status.success() || killed == Some(9),
        "{verb} at step {at}: {status}"
    );
    status.success()
}
