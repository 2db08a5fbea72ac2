//! What all subcommands are told, the client that it makes, and why a run ends early.

use std::io;
use std::process::ExitCode;

use s3_client::{Bucket, HttpPool, S3Client};
use s3_sync::{Error, Kind, Url};

use crate::output::say;

/// What all subcommands are told.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Of all commands")]
pub(crate) struct Common {
    /// The address of the store, such as http://127.0.0.1:9000. Defaults to what the environment says.
    #[arg(long, global = true, value_name = "URL")]
    pub(crate) endpoint: Option<String>,
    /// How many connections are opened to the store at most.
    #[arg(long, global = true, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) connections: u16,
    /// Send requests without a signature, for what everybody may read.
    #[arg(long, global = true)]
    pub(crate) anonymous: bool,
    /// Print events as JSON, one a line, in place of text.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Print no progress and nothing that is no failure.
    #[arg(long, short, global = true)]
    pub(crate) quiet: bool,
}

impl Common {
    /// The client of the store.
    pub(crate) fn client(&self) -> Result<S3Client, Failure> {
        let pool = HttpPool::builder()
            .max_connections(self.connections.into())
            .build();
        let mut builder = S3Client::builder().from_env().pool(pool);
        if let Some(endpoint) = &self.endpoint {
            builder = builder.endpoint(endpoint);
        }
        if self.anonymous {
            builder = builder.anonymous();
        }
        builder.build().map_err(|error| {
            let cure = match self.endpoint {
                // Whatever else is wrong: a store that is named here needs no region and no profile.
                None => "; --endpoint URL names a store",
                Some(_) => "",
            };
            Failure::Error(Error::usage(format!("{error}{cure}")))
        })
    }

    /// The bucket of a URL.
    pub(crate) fn bucket(&self, url: &Url) -> Result<Bucket, Failure> {
        Ok(self.client()?.bucket(url.bucket()))
    }
}

/// Why a run ended early.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Something could not be done.
    Error(Error),
    /// Nothing can be printed.
    Output(io::Error),
}

impl Failure {
    /// Tells it, and gives the exit code. That nobody reads the output on, as behind `| head`, is told by the code alone: what was
    /// not done yet is not done.
    pub(crate) fn exit(self) -> ExitCode {
        match self {
            Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::from(1),
            Self::Output(error) => {
                say(format_args!("cannot write to standard output: {error}"));
                ExitCode::from(1)
            }
            Self::Error(error) => {
                say(format_args!("{error}"));
                ExitCode::from(if error.kind() == Kind::Usage { 2 } else { 1 })
            }
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}

impl From<s3_client::Error> for Failure {
    fn from(error: s3_client::Error) -> Self {
        Self::Error(error.into())
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Output(error)
    }
}
