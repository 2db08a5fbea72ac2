//! How a program ends: with a code, and where something failed with one line that says what.

use std::error::Error;
use std::fmt;
use std::io::{self, Write};
use std::process::ExitCode;

/// Why a run cannot go on: one line that names the thing.
#[derive(Clone, Debug)]
pub struct Failure(pub String);

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<s3_client::Error> for Failure {
    fn from(error: s3_client::Error) -> Self {
        Self(error.to_string())
    }
}

/// The exit code for what a program came to: whether all went well, or why it could not go on.
pub fn exit(program: &str, outcome: Result<bool, impl fmt::Display>) -> ExitCode {
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(failure) => {
            say(program, format_args!("{failure}"));
            ExitCode::FAILURE
        }
    }
}

/// What a program came to whose last step is to print: that nobody reads on, as behind `| head`, is no failure.
///
/// # Errors
/// Any other failure.
pub fn printed(outcome: Result<bool, Box<dyn Error>>) -> Result<bool, Box<dyn Error>> {
    match outcome {
        Err(error)
            if error
                .downcast_ref::<io::Error>()
                .is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe) =>
        {
            Ok(true)
        }
        other => other,
    }
}

/// What printing came to, in the same way.
///
/// # Errors
/// Any other failure.
pub fn shown(outcome: io::Result<()>) -> Result<(), Failure> {
    match outcome {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure(format!("standard output: {error}")))
        }
        _ => Ok(()),
    }
}

/// Prints a line for a person; that nobody reads it is no reason to stop.
pub fn say(program: &str, line: fmt::Arguments<'_>) {
    let _ = writeln!(io::stderr(), "{program}: {line}");
}
