//! The server that clients are measured against.

use benches::BoxError;
use benches::server::Args;
use clap::Parser;

#[derive(Parser)]
#[command(
    about = "An HTTP server to measure clients against. Prints `listening ADDRESS` once bound."
)]
struct Cli {
    #[command(flatten)]
    args: Args,
}

fn main() -> Result<(), BoxError> {
    Cli::parse().args.serve()
}
