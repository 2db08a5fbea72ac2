//! The README's program for SimpleDB. Talks to the server that the environment names, or to an emulator.
#![allow(clippy::print_stdout)]

use sdb_client::{Expected, Result, SdbClient};

async fn basics() -> Result<()> {
    let sdb = SdbClient::from_env()?;
    let users = sdb.domain("users");
    users.create().await?;

    let ann = users.put("u1").replace("name", "Ann");
    ann.replace("version", "3").add("phone", "555 1").await?;
    let was = Expected::equals("version", "3");
    let update = users.put("u1").replace("version", "4").expect(was);
    update.clone().await?;
    let twice = update.await.is_err_and(|e| e.is_condition_failed());
    println!("refused: {twice}");

    let found = sdb.select("select * from users where name = 'Ann'");
    let mut found = found.consistent(true).items();
    while let Some(item) = found.try_next().await? {
        println!("{}, version {:?}", item.name, item.first("version"));
    }
    users.delete_domain().await?;
    println!("{} machine hours", sdb.usage().box_usage);
    Ok(())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> std::process::ExitCode {
    let about = "Stores an item in SimpleDB, updates it, selects it and removes it: the second program of the README.";
    examples::environment::main("sdb_basics", about, "SIMPLEDB", basics).await
}
