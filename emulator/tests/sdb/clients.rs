//! boto 2.49 and boto3 against the emulator, as `clients.py` drives them.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use emulator::Emulator;

/// A Python that has both clients: the one that the set-up of the tests makes, or the system's.
fn python() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let made = root.join("target/python/bin/python3");
    let candidates = [
        made,
        PathBuf::from("python3"),
        PathBuf::from("/usr/bin/python3"),
    ];
    let found = candidates.into_iter().find(|python| {
        let mut check = Command::new(python);
        let check = check.arg(script()).arg("--check").stderr(Stdio::null());
        check.output().is_ok_and(|output| output.status.success())
    });
    found.expect(
        "no Python 3 with boto 2.49 and boto3 was found: `./test.sh --setup` makes one, and so do \
         `python3 -m venv target/python` and `target/python/bin/pip install boto==2.49.0 boto3 six`",
    )
}

fn script() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sdb/clients.py")
}

fn run(client: &str, count: &str) {
    let emulator = Emulator::start_blocking().unwrap();
    let output = Command::new(python())
        .arg(script())
        .arg(client)
        .env("SDB_URL", emulator.url())
        .env("AWS_ACCESS_KEY_ID", emulator.access_key())
        .env("AWS_SECRET_ACCESS_KEY", emulator.secret_key())
        // Nothing of the machine's user has a say.
        .env("AWS_CONFIG_FILE", "/nonexistent")
        .env("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
        .env("BOTO_CONFIG", "/nonexistent")
        .env("no_proxy", "127.0.0.1")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}");
    assert!(text.contains(&format!("Ran {count} tests")), "{text}");
}

#[test]
fn boto_2_finds_nothing_wrong() {
    run("Boto", "9");
}

#[test]
fn boto_3_finds_nothing_wrong() {
    run("Boto3", "6");
}
