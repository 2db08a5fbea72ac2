//! The command for a secret that all nodes share: what a script that starts a node asks for before Erlang runs.
//!
//! *Problem:* Nodes of Erlang need a cookie that all have and nobody else, and clients want one certificate from all of them. A
//! machine that is started anew has nothing but the right to read the bucket. *Decision:* They are objects in the bucket; the
//! first node makes the cookie by a conditional write. *Cost:* Who reads the bucket is a member of the cluster.

use std::io::{IsTerminal, Read, Write};
use std::process::ExitCode;

use bytes::Bytes;
use cloud_stores::nodes::MAX_SECRET;

use crate::connect::{self, Wrong};
use crate::fail;
use crate::settings::StoreSettings;

/// The status where there is no secret of this name.
const NONE: u8 = 3;

pub(crate) async fn run(settings: &StoreSettings, name: &str, random: bool, set: bool) -> ExitCode {
    match secret(settings, name, random, set).await {
        Ok(found) => {
            let Some(secret) = found else {
                return ExitCode::from(NONE);
            };
            match std::io::stdout().write_all(&secret) {
                Ok(()) => ExitCode::SUCCESS,
                Err(error) => fail(&error, 1),
            }
        }
        Err(error) => fail(&error, 1),
    }
}

/// What is to be printed; nothing where there is none.
async fn secret(
    settings: &StoreSettings,
    name: &str,
    random: bool,
    set: bool,
) -> Result<Option<Bytes>, Wrong> {
    let stores = connect::settle(settings)?.open().await?;
    let nodes = stores.nodes();
    if set {
        let mut input = std::io::stdin().lock();
        if input.is_terminal() {
            return Err("the secret has to come from a file, by standard input".into());
        }
        let mut secret = Vec::new();
        let limit = u64::try_from(MAX_SECRET + 1)?;
        input.by_ref().take(limit).read_to_end(&mut secret)?;
        nodes.set_secret(name, secret.into()).await?;
        return Ok(Some(Bytes::new()));
    }
    if random {
        return Ok(Some(nodes.secret_or(name, made_up()?).await?));
    }
    Ok(nodes.secret(name).await?)
}

/// 32 letters and digits, about 165 bits of randomness.
fn made_up() -> Result<Bytes, Wrong> {
    const MARKS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    // The largest multiple of their number below 256: what is not below it would make some of them likelier than others.
    let limit = 256 - 256 % MARKS.len();
    let mut secret = Vec::with_capacity(32);
    while secret.len() < 32 {
        let mut bytes = [0; 64];
        getrandom::fill(&mut bytes)?;
        let fair = bytes
            .iter()
            .map(|byte| usize::from(*byte))
            .filter(|byte| *byte < limit);
        secret.extend(
            fair.take(32 - secret.len())
                .map(|byte| MARKS[byte % MARKS.len()]),
        );
    }
    Ok(secret.into())
}
