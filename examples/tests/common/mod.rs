//! Finds and starts the examples, which `cargo test` builds beside the tests.
#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::SystemTime;

/// A built example, with nothing in its environment that could stand for keys or servers.
pub(crate) fn example(name: &str) -> Command {
    let test = std::env::current_exe().unwrap();
    // target/<profile>/deps/<test>, and target/<profile>/examples/<name>.
    let profile = test.parent().and_then(Path::parent).unwrap();
    let program = profile
        .join("examples")
        .join(name)
        .with_extension(std::env::consts::EXE_EXTENSION);
    let built = modified(&program).unwrap_or(SystemTime::UNIX_EPOCH);
    assert!(
        built >= newest_source(name),
        "{} is missing or older than its source; `cargo test -p examples` builds it",
        program.display()
    );
    let mut command = Command::new(program);
    for prefix in ["AWS", "AMAZON"] {
        command.env_remove(format!("{prefix}_ACCESS_KEY_ID"));
        command.env_remove(format!("{prefix}_SECRET_ACCESS_KEY"));
    }
    command
        .env_remove("AWS_SESSION_TOKEN")
        .env_remove("S3_ENDPOINT")
        .env_remove("SDB_ENDPOINT")
        .env_remove("EC2_ENDPOINT")
        .env_remove("AWS_REGION")
        .env_remove("AWS_PROFILE")
        .env_remove("AWS_ENDPOINT_URL")
        .env_remove("AWS_ENDPOINT_URL_S3")
        .env_remove("AWS_ENDPOINT_URL_SIMPLEDB");
    command
}

/// Runs to the end; gives exit code, standard output and standard error.
pub(crate) fn outcome(command: &mut Command) -> (Option<i32>, String, String) {
    let Output {
        status,
        stdout,
        stderr,
    } = command.output().unwrap();
    (
        status.code(),
        String::from_utf8(stdout).unwrap(),
        String::from_utf8(stderr).unwrap(),
    )
}

fn newest_source(name: &str) -> SystemTime {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = here.join(name);
    let sources: Vec<PathBuf> = match folder.read_dir() {
        Ok(entries) => entries.map(|entry| entry.unwrap().path()).collect(),
        Err(_) => vec![folder.with_extension("rs")],
    };
    sources
        .iter()
        .map(|path| modified(path).unwrap())
        .max()
        .unwrap()
}

fn modified(path: &Path) -> std::io::Result<SystemTime> {
    path.metadata()?.modified()
}
