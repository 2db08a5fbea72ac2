//! The short programs of the README: they ask the environment where their server is. Where it says nothing, an emulator
//! is started here and the program once more, with an environment that tells of it.

use std::env;
use std::fmt;
use std::panic;
use std::process::{Command, ExitCode};

use emulator::Emulator;

use crate::failure::{exit, say};

/// Variables that name a server, besides `AWS_ENDPOINT_URL_` with the name of a service. `AWS_REGION` alone is none of
/// them: it is set for other reasons in many shells, and requests to Amazon are billed.
const VARIABLES: [&str; 2] = ["AWS_ENDPOINT_URL", "AWS_PROFILE"];

/// Runs a short program, whose requests are those of a client `from_env`. `service` is `S3` or `SIMPLEDB`, `about` what
/// `--help` begins with.
pub async fn main<E: fmt::Display>(
    name: &'static str,
    about: &'static str,
    service: &str,
    program: impl AsyncFnOnce() -> Result<(), E>,
) -> ExitCode {
    end_on_closed_pipe();
    let own = format!("AWS_ENDPOINT_URL_{service}");
    let help = format!(
        "{about}\n\nThe server and the keys are those of the environment, where {own}, AWS_ENDPOINT_URL or AWS_PROFILE is \
         set: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, the files under ~/.aws, and the other sources that the SDKs of \
         AWS have. Without any of the three it is an emulator that is started for this run, which needs no keys. Requests \
         to Amazon are billed.\n\nExits with 0 when all went well, 1 when it did not, and 2 for wrong arguments."
    );
    // Ends the program by itself for --help and for arguments, of which there are none.
    clap::Command::new(name)
        .about(about)
        .long_about(help)
        .get_matches();
    let says_server = |name: &str| env::var_os(name).is_some_and(|value| !value.is_empty());
    if says_server(&own) || VARIABLES.into_iter().any(says_server) {
        return exit(name, program().await.map(|()| true));
    }
    match with_emulator(&own) {
        Ok(code) => code,
        Err(error) => {
            say(name, format_args!("{error}"));
            ExitCode::FAILURE
        }
    }
}

/// Runs this program once more, with an emulator for its server.
fn with_emulator(variable: &str) -> Result<ExitCode, Box<dyn std::error::Error>> {
    let emulator = Emulator::start_blocking()?;
    let mut child = Command::new(env::current_exe()?);
    // Nothing of the user's environment is for the emulator.
    for (name, _) in env::vars_os() {
        if name.to_string_lossy().starts_with("AWS_") {
            child.env_remove(name);
        }
    }
    let status = child
        .env("HOME", env::temp_dir())
        .env("USERPROFILE", env::temp_dir())
        .env(variable, emulator.url())
        .env("AWS_ACCESS_KEY_ID", emulator.access_key())
        .env("AWS_SECRET_ACCESS_KEY", emulator.secret_key())
        .status()?;
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    Ok(code.map_or(ExitCode::FAILURE, ExitCode::from))
}

/// Has a `println!` that nobody reads, as behind `| head`, end the program without a word. It would panic otherwise, and
/// what the README shows is to stay as short as it is.
fn end_on_closed_pipe() {
    let usual = panic::take_hook();
    panic::set_hook(Box::new(move |panic| {
        let message = panic.payload().downcast_ref::<String>();
        let of_pipe = message.is_some_and(|message| {
            message.starts_with("failed printing to stdout") && message.contains("Broken pipe")
        });
        if of_pipe {
            std::process::exit(0);
        }
        usual(panic);
    }));
}
