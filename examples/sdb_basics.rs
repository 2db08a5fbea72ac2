//! The README's program for SimpleDB. Talks to the server in SDB_ENDPOINT, or to an emulator.

use sdb_client::{Credentials, Expected, SdbClient, quote_value};

async fn basics(endpoint: &str, keys: Credentials) -> Result<(), sdb_client::Error> {
    let sdb = SdbClient::builder()
        .endpoint(endpoint)
        .credentials(keys)
        .build()?;
    let users = sdb.domain("users");
    users.create().await?;

    users
        .put("u1")
        .replace("name", "Ann")
        .replace("version", "3")
        .add("phone", "555 1")
        .await?;
    let only_once = Expected::equals("version", "3");
    users
        .put("u1")
        .replace("version", "4")
        .expect(only_once.clone())
        .await?;
    let second = users
        .put("u1")
        .replace("version", "4")
        .expect(only_once)
        .await;
    println!(
        "twice is refused: {}",
        second.is_err_and(|error| error.is_condition_failed())
    );

    let ann = users.get("u1").consistent(true).await?.item;
    println!(
        "{:?}, version {:?}",
        ann.first("name"),
        ann.first("version")
    );

    let query = format!("select * from users where name = {}", quote_value("Ann"));
    let mut found = sdb.select(query).consistent(true).items();
    while let Some(item) = found.try_next().await? {
        println!("{} has {} attributes", item.name, item.attributes.len());
    }
    users.delete_domain().await?;
    println!("{:?} machine hours", sdb.usage().box_usage);
    Ok(())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let server = examples::Server::from_env("SDB_ENDPOINT").await?;
    basics(&server.url, server.keys).await?;
    Ok(())
}
