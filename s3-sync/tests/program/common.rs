//! An emulator, a bucket in it, and the program with the keys for it.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use emulator::Emulator;
use s3_client::{Bucket, Credentials, S3Client};
use serde_json::Value;

/// Where releases are published.
pub(crate) const APP: &str = "s3://bucket/app";

/// An emulator with a bucket `bucket`.
pub(crate) struct World {
    pub(crate) emulator: Emulator,
    pub(crate) bucket: Bucket,
}

impl World {
    pub(crate) async fn start() -> Self {
        let emulator = Emulator::start().await.expect("an emulator");
        let keys = Credentials::new(emulator.access_key(), emulator.secret_key());
        let s3 = S3Client::builder()
            .endpoint(emulator.url())
            .credentials(keys)
            .build();
        let bucket = s3.expect("a client").bucket("bucket");
        bucket.create().await.expect("a bucket");
        Self { emulator, bucket }
    }

    /// The program with these arguments.
    pub(crate) fn program(&self, args: &[&str]) -> Command {
        let mut command = program(args);
        command
            .env("AWS_ENDPOINT_URL_S3", self.emulator.url())
            .env("AWS_ACCESS_KEY_ID", self.emulator.access_key())
            .env("AWS_SECRET_ACCESS_KEY", self.emulator.secret_key());
        command
    }

    /// Runs it to its end.
    pub(crate) async fn run(&self, args: &[&str]) -> Ran {
        Ran::of(self.program(args)).await
    }
}

/// The program, which knows nothing of the user's environment.
pub(crate) fn program(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_s3-sync"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("AWS_") {
            command.env_remove(name);
        }
    }
    command.args(args).env("HOME", "/nonexistent");
    command
}

/// How a run ended, and what it printed.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ran {
    pub(crate) async fn of(mut command: Command) -> Self {
        // The emulator runs here, too, and must not be held up.
        let done = tokio::task::spawn_blocking(move || command.output()).await;
        let Output {
            status,
            stdout,
            stderr,
        } = done.expect("no panic").expect("the program starts");
        Self {
            code: status.code(),
            out: String::from_utf8_lossy(&stdout).into_owned(),
            err: String::from_utf8_lossy(&stderr).into_owned(),
        }
    }
}

impl Ran {
    /// The events that it has printed.
    pub(crate) fn events(&self) -> Vec<Value> {
        let lines = self.out.lines();
        lines
            .map(|line| serde_json::from_str(line).expect("an event"))
            .collect()
    }
}

/// Writes files of these contents below a folder.
pub(crate) fn write(folder: &Path, files: &[(&str, &str)]) {
    for (path, content) in files {
        let file = folder.join(path);
        fs::create_dir_all(file.parent().expect("a folder")).expect("a folder");
        fs::write(file, content).expect("a file");
    }
}

/// A path as an argument.
pub(crate) fn text(path: &Path) -> &str {
    path.to_str().expect("a name in UTF-8")
}
