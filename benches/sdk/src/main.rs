//! Runs the AWS SDK for Rust as one client of the benchmark: `bench-sdk client` takes the options of
//! `pool_bench client`, apart from `--client`, and prints the same.
//!
//! Its settings are its defaults, checksums included, but for rustls with ring in place of aws-lc:
//! all requests are plain HTTP. Below the number of tasks a semaphore bounds the requests in flight,
//! and so the connections.

use std::io::Write;
use std::sync::Arc;

use aws_sdk_s3::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_s3::primitives::ByteStream;
use aws_smithy_http_client::Builder;
use aws_smithy_http_client::tls::Provider;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use benches::BoxError;
use benches::client::Work;
use benches::clients::{Client, Session, Writer, bucket_and_key};
use bytes::Bytes;
use clap::{Parser, Subcommand};
use tokio::sync::Semaphore;

#[derive(Parser)]
#[command(about = "Runs the AWS SDK as one client of the benchmark.")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run it against a server that is up, and print the sample as JSON.
    Client(Work),
}

/// The SDK's client, a bucket and a key.
#[derive(Clone)]
struct Sdk {
    client: aws_sdk_s3::Client,
    bucket: String,
    key: String,
    permits: Arc<Semaphore>,
}

impl Sdk {
    fn new(work: &Work) -> Result<Self, BoxError> {
        let (bucket, key) = bucket_and_key(&work.target)?;
        let keys = work.keys();
        let credentials = Credentials::new(keys.access()?, keys.secret()?, None, None, "bench");
        let http = Builder::new()
            .tls_provider(Provider::Rustls(CryptoMode::Ring))
            .build_https();
        let config = aws_sdk_s3::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .http_client(http)
            .endpoint_url(work.endpoint())
            .region(Region::new("us-east-1"))
            .credentials_provider(credentials)
            .force_path_style(true)
            .build();
        Ok(Self {
            client: aws_sdk_s3::Client::from_conf(config),
            bucket: bucket.to_owned(),
            key: key.to_owned(),
            permits: Arc::new(Semaphore::new(work.connections())),
        })
    }
}

impl Client for Sdk {
    type Session = Self;

    fn session(&self) -> Self {
        self.clone()
    }
}

impl Session for Sdk {
    async fn get(&mut self) -> Result<usize, BoxError> {
        let _permit = self.permits.acquire().await?;
        let get = self.client.get_object().bucket(&self.bucket).key(&self.key);
        Ok(get.send().await?.body.collect().await?.into_bytes().len())
    }
}

impl Writer for Sdk {
    async fn put(&mut self, body: Bytes) -> Result<(), BoxError> {
        let _permit = self.permits.acquire().await?;
        let put = self.client.put_object().bucket(&self.bucket).key(&self.key);
        put.body(ByteStream::from(body)).send().await?;
        Ok(())
    }
}

fn main() -> Result<(), BoxError> {
    let Command::Client(work) = Cli::parse().command;
    let start = |work: Work, meter| async move {
        work.spawn(&Sdk::new(&work)?, &meter);
        Ok(())
    };
    let sample = work.run(start, |(), _| {})?;
    writeln!(std::io::stdout(), "{}", serde_json::to_string(&sample)?)?;
    Ok(())
}
