//! The front for ejabberd's external authentication, and for the servers that took it over.
//!
//! A frame is two bytes of length and as many of text, `OPERATION:USER:HOST[:PASSWORD]`; the answer is two bytes of length,
//! which is 2, and a number of two bytes, 1 for yes and 0 for no. This is what ejabberd's
//! [developer guide](https://docs.ejabberd.im/developer/guide/#external-authentication) describes.
//!
//! | operation | yes means |
//! |---|---|
//! | `auth` | this is the password |
//! | `isuser` | there is such a person |
//! | `setpass` | the password of a person who is there is changed |
//! | `tryregister` | the person is registered, and was not before |
//! | `removeuser` | the person is not there any longer |
//! | `removeuser3` | the same, where this was the password |
//!
//! *Problem:* There is no answer but yes and no, and a no at a login makes clients forget a password, while all that was
//! wrong is that the store was away. *Decision:* When the store cannot be asked, there is no answer: the program ends with
//! an error, and the server starts it again. *Cost:* A server that cannot tell the end of the program from a no shows one
//! in any case; ejabberd's own backend, which uses the other front, does better.

mod scram;

use std::fmt;

use cloud_stores::{BareJid, Error, Kind, Stores};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// Why the front ended before its standard input did.
#[derive(Debug)]
pub(crate) enum ExtauthError {
    /// Standard input ended within a question, or could not be read.
    Input(std::io::Error),
    /// The store could not be asked.
    Store(Error),
    /// The machine gave no random bytes for a salt.
    NoSalt,
}

impl fmt::Display for ExtauthError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Input(error) => write!(f, "standard input cannot be read: {error}"),
            Self::Store(error) => write!(
                f,
                "there is no answer, since the store cannot be asked: {error}"
            ),
            Self::NoSalt => f.write_str("the machine has no random bytes"),
        }
    }
}

impl std::error::Error for ExtauthError {}

impl From<Error> for ExtauthError {
    fn from(error: Error) -> Self {
        Self::Store(error)
    }
}

/// Answers questions from `input` on `output`, one at a time, until `input` ends.
pub(crate) async fn serve(
    mut input: impl AsyncRead + Unpin,
    mut output: impl AsyncWrite + Unpin,
    stores: &Stores,
) -> Result<(), ExtauthError> {
    loop {
        let first = match input.read_u8().await {
            Ok(byte) => byte,
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => return Ok(()),
            Err(error) => return Err(ExtauthError::Input(error)),
        };
        let second = input.read_u8().await.map_err(ExtauthError::Input)?;
        let mut question = vec![0; u16::from_be_bytes([first, second]).into()];
        input
            .read_exact(&mut question)
            .await
            .map_err(ExtauthError::Input)?;
        let yes = match String::from_utf8(question) {
            Ok(question) => answer(stores, &question).await?,
            Err(_) => false,
        };
        let written = output.write_all(&[0, 2, 0, u8::from(yes)]).await;
        if written.is_err() || output.flush().await.is_err() {
            // The server is gone, which is no error here.
            return Ok(());
        }
    }
}

async fn answer(stores: &Stores, question: &str) -> Result<bool, ExtauthError> {
    let mut parts = question.splitn(4, ':');
    let mut part = || parts.next().unwrap_or_default();
    let (operation, user, host, password) = (part(), part(), part(), part());
    if user.is_empty() {
        return Ok(false);
    }
    // What cannot be a JID is nobody's.
    let Ok(jid) = BareJid::new(user, host) else {
        return Ok(false);
    };
    let auth = stores.auth();
    match operation {
        "auth" => matches(stores, &jid, password).await,
        "isuser" => Ok(auth.get(&jid).await?.is_some()),
        "setpass" => {
            if password.is_empty() || auth.get(&jid).await?.is_none() {
                return Ok(false);
            }
            auth.set(&jid, &scram::secret(password)?).await?;
            Ok(true)
        }
        "tryregister" if password.is_empty() => Ok(false),
        "tryregister" => match auth.register(&jid, &scram::secret(password)?).await {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == Kind::Exists => Ok(false),
            Err(error) => Err(error.into()),
        },
        "removeuser" => {
            auth.remove(&jid).await?;
            Ok(true)
        }
        "removeuser3" => {
            let yes = matches(stores, &jid, password).await?;
            if yes {
                auth.remove(&jid).await?;
            }
            Ok(yes)
        }
        _ => Ok(false),
    }
}

/// Whether this is the password of somebody.
async fn matches(stores: &Stores, jid: &BareJid, password: &str) -> Result<bool, ExtauthError> {
    let secret = stores.auth().get(jid).await?;
    Ok(secret.is_some_and(|secret| scram::is_of(&secret, password)))
}

#[cfg(test)]
mod tests;
