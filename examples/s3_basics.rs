//! The README's program for S3. Talks to the server in S3_ENDPOINT, or to an emulator.
#![allow(clippy::print_stdout)]

use s3_client::{Credentials, Result, S3Client};

async fn basics(endpoint: &str, keys: Credentials) -> Result<()> {
    let s3 = S3Client::builder().endpoint(endpoint).credentials(keys);
    let photos = s3.build()?.bucket("photos");
    photos.create().await?;

    let put = photos.put("2009/cat.jpg", "meow");
    put.content_type("image/jpeg")
        .metadata("mood", "sleepy")
        .await?;
    let cat = photos.get("2009/cat.jpg").range(..2).await?;
    println!("{:?}", cat.head.metadata("mood"));
    println!("it begins with {:?}", cat.body.bytes(1024).await?);

    let mut listing = photos.list().prefix("2009/").objects();
    while let Some(object) = listing.try_next().await? {
        println!("{}: {} bytes", object.key, object.size);
        photos.delete(object.key).await?;
    }
    let gone = photos.get("2009/cat.jpg").await;
    println!("gone: {}", gone.is_err_and(|error| error.is_not_found()));
    photos.delete_bucket().await?;
    Ok(())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> std::process::ExitCode {
    examples::exit("s3_basics", run().await)
}

async fn run() -> std::result::Result<bool, Box<dyn std::error::Error>> {
    let server = examples::Server::from_env("S3_ENDPOINT").await?;
    basics(&server.url, server.keys).await?;
    Ok(true)
}
