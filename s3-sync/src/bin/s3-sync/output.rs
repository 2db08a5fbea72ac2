//! What is printed: lines for a person, or events as JSON, on standard output; failures on standard error.

use std::fmt;
use std::io::{self, Write as _};

use serde_json::Value;

/// Where results go. An error of it ends the run: nobody reads on.
#[derive(Debug)]
pub(crate) struct Output {
    json: bool,
}

impl Output {
    pub(crate) fn new(json: bool) -> Self {
        Self { json }
    }

    /// Tells one thing: `line` to a person, or `event` to a program. The event is an object whose `event` says what it is.
    pub(crate) fn tell(
        &self,
        line: fmt::Arguments<'_>,
        event: impl FnOnce() -> Value,
    ) -> io::Result<()> {
        let mut out = io::stdout().lock();
        match self.json {
            true => writeln!(out, "{}", event()),
            false => writeln!(out, "{line}"),
        }
    }

    /// Whether events are printed.
    pub(crate) fn is_json(&self) -> bool {
        self.json
    }
}

/// Prints a line for a person on standard error; that nobody reads it is no reason to stop.
pub(crate) fn say(line: fmt::Arguments<'_>) {
    let _unread = writeln!(io::stderr(), "s3-sync: {line}");
}
