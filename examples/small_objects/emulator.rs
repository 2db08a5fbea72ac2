//! The emulator as a child process, so that its work does not count as the client's.

use std::ffi::OsString;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, ExitCode, Stdio};

use crate::Failure;

/// The first argument that makes this program an emulator.
const ROLE: &str = "serve-emulator";

/// Runs as the emulator if this process was started as one.
pub(crate) fn serve_if_asked() -> Option<ExitCode> {
    let mut args = std::env::args_os();
    let program = args.next()?;
    if args.next()? != ROLE {
        return None;
    }
    Some(emulator::serve_main(std::iter::once(program).chain(args)))
}

/// An emulator that ends with this value, or with this process, however that ends.
pub(crate) struct Emulator {
    pub url: String,
    pub access_key: String,
    pub secret_key: String,
    child: Child,
}

impl Emulator {
    pub(crate) fn start() -> Result<Self, Failure> {
        let explain = |error: std::io::Error| Failure(format!("the emulator: {error}"));
        let program = std::env::current_exe().map_err(explain)?;
        let args = [ROLE, "--json", "--exit-with-parent"].map(OsString::from);
        let mut child = Command::new(program)
            .args(args)
            // The child reads this pipe, and exits when it closes.
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(explain)?;
        let mut line = String::new();
        if let Some(stdout) = child.stdout.take() {
            BufReader::new(stdout)
                .read_line(&mut line)
                .map_err(explain)?;
        }
        let ready: serde_json::Value = serde_json::from_str(&line)
            .map_err(|_| Failure("the emulator ended before it was ready".to_owned()))?;
        let field = |name: &str| ready[name].as_str().unwrap_or_default().to_owned();
        Ok(Self {
            url: field("url"),
            access_key: field("access_key"),
            secret_key: field("secret_key"),
            child,
        })
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        // It may have ended by itself; there is nobody left to tell.
        let _ = self.child.wait();
    }
}
