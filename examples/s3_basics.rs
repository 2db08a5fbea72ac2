//! The README's program for S3. Talks to the server that the environment names, or to an emulator.
#![allow(clippy::print_stdout)]

use s3_client::{Result, S3Client};

async fn basics() -> Result<()> {
    let photos = S3Client::from_env()?.bucket("photos");
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
    let about = "Stores an object in S3, reads it, lists it and removes it: the first program of the README.";
    examples::environment::main("s3_basics", about, "S3", basics).await
}
