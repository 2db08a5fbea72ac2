//! Clients that others wrote, driven by a script in Python.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use emulator::Emulator;

/// A script that drives clients against an emulator, each as a class of tests.
pub(crate) struct Script {
    /// Where it is below `tests`.
    pub(crate) path: &'static str,
    /// The environment variable that has the emulator's address.
    pub(crate) variable: &'static str,
    /// What `pip install` needs for it.
    pub(crate) packages: &'static str,
}

impl Script {
    fn path(&self) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests")
            .join(self.path)
    }

    /// A Python that has the clients: the one that the set-up of the tests makes, or the system's.
    fn python(&self) -> PathBuf {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let made = root.join("target/python/bin/python3");
        let candidates = [
            made,
            PathBuf::from("python3"),
            PathBuf::from("/usr/bin/python3"),
        ];
        let found = candidates.into_iter().find(|python| {
            let mut check = Command::new(python);
            let check = check.arg(self.path()).arg("--check").stderr(Stdio::null());
            check.output().is_ok_and(|output| output.status.success())
        });
        let packages = self.packages;
        found.unwrap_or_else(|| {
            panic!(
                "no Python 3 has {packages}: `./test.sh --setup` makes one, and so do \
                 `python3 -m venv target/python` and `target/python/bin/pip install {packages}`"
            )
        })
    }

    /// Runs the tests of one client, of which there have to be this many.
    pub(crate) fn run(&self, emulator: &Emulator, client: &str, count: u32) {
        let output = Command::new(self.python())
            .arg(self.path())
            .arg(client)
            .env(self.variable, emulator.url())
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
}
