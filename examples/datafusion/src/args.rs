//! The command line.

use clap::Parser;

/// Runs a DataFusion query over a folder of Parquet files in an S3 store, through three clients in turns:
/// `s3-object-store` of this project, the same below opendal's service `object_store`, and `object_store`'s own client.
///
/// It makes a bucket and the files, prints the plan, compares the answers of the three, and tells the median time of the
/// query through each. The bucket is removed at the end. Without an endpoint it starts an emulator in a process of its own;
/// with one, keys come from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY. The exit code is 1 when something fails or answers
/// differ.
#[derive(Parser, Debug)]
#[command(name = "datafusion", version)]
pub(crate) struct Args {
    /// S3 server, as http://host:port or https://host.
    #[arg(long, value_name = "URL", env = "S3_ENDPOINT", value_parser = examples::endpoint)]
    pub(crate) endpoint: Option<String>,

    /// Region that requests are signed for by Version 4.
    #[arg(long, value_name = "NAME", default_value = "us-east-1")]
    pub(crate) region: String,

    /// Parquet files in the folder.
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(crate) files: u32,

    /// Rows of each file.
    #[arg(long, value_name = "N", default_value_t = 50_000, value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    pub(crate) rows: u32,

    /// Milliseconds that the emulator waits before each answer.
    #[arg(long, value_name = "MS", default_value_t = 5, value_parser = clap::value_parser!(u64).range(..=1000))]
    pub(crate) delay: u64,

    /// How often the query runs through each client.
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..=99))]
    pub(crate) turns: u16,

    /// Print one JSON object in place of the plan and the table.
    #[arg(long)]
    pub(crate) json: bool,
}
