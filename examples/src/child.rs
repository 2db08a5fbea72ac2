//! The emulator as a child process, so that its work does not count as the client's.

use std::ffi::OsString;
use std::io::{self, BufRead, BufReader, Error};
use std::process::{Child, Command, ExitCode, Stdio};

/// The first argument that makes a program an emulator.
const ROLE: &str = "serve-emulator";

/// Runs as the emulator if this process was started as one.
pub fn serve_if_asked() -> Option<ExitCode> {
    let mut args = std::env::args_os();
    let program = args.next()?;
    if args.next()? != ROLE {
        return None;
    }
    Some(emulator::serve_main(std::iter::once(program).chain(args)))
}

/// An emulator that ends with this value, or with this process, however that ends.
///
/// The program has to call [`serve_if_asked`] first of all.
#[derive(Debug)]
pub struct Emulator {
    /// Its address, as `http://host:port`.
    pub url: String,
    /// Whose requests it takes.
    pub access_key: String,
    /// What they are signed with; not in `Debug`.
    pub secret_key: Secret,
    child: Child,
}

/// A text that `Debug` does not show.
pub struct Secret(pub String);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

impl Emulator {
    /// Starts this program as an emulator with these arguments, and waits until it serves.
    ///
    /// # Errors
    /// When it does not start.
    pub fn start(args: &[String]) -> io::Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .args([ROLE, "--json", "--exit-with-parent"].map(OsString::from))
            .args(args)
            // The child reads this pipe, and exits when it closes.
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut line = String::new();
        if let Some(stdout) = child.stdout.take() {
            BufReader::new(stdout).read_line(&mut line)?;
        }
        let ready: serde_json::Value = serde_json::from_str(&line)
            .map_err(|_| Error::other("it ended before it was ready"))?;
        let field = |name: &str| ready[name].as_str().unwrap_or_default().to_owned();
        Ok(Self {
            url: field("url"),
            access_key: field("access_key"),
            secret_key: Secret(field("secret_key")),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_not_shown() {
        let secret = Secret("hidden".to_owned());
        assert_eq!(format!("{secret:?}"), "***");
    }
}
