//! What the nodes of a cluster have in common and nobody else may know: a cookie, a certificate with its key.
//!
//! Whoever can read the bucket can read them, as he can read everything that people have. They never come from a cache, and
//! are kept in none.

use bytes::Bytes;

use super::NodeLeases;
use crate::error::{Error, Kind, Result};
use crate::stores::{Body, Freshness};

const CLUSTER: &str = "cluster";
const SECRET: &str = "secret";

/// The most bytes of a secret.
pub const MAX_SECRET: usize = 64 << 10;

impl NodeLeases {
    /// The secret of this name, if there is one. One request.
    ///
    /// # Errors
    /// As the store fails.
    pub async fn secret(&self, name: &str) -> Result<Option<Bytes>> {
        let key = self.0.key(CLUSTER, &[SECRET, name]);
        let work = async {
            let there = self.0.get_object(&key, Freshness::Once).await?;
            Ok(there.map(|document| document.body))
        };
        self.0.action("secret", name, work).await
    }

    /// Sets the secret of this name, whatever there is. One request.
    ///
    /// # Errors
    /// [`Kind::TooLarge`] for one of over [`MAX_SECRET`], [`Kind::Invalid`] for one of no bytes; otherwise as the store fails.
    pub async fn set_secret(&self, name: &str, secret: Bytes) -> Result<()> {
        let key = self.0.key(CLUSTER, &[SECRET, name]);
        let work = async {
            check(&secret)?;
            self.0.put_object(&key, Body::record(secret)).await
        };
        self.0.action("secret", name, work).await
    }

    /// The secret of this name; where there is none, it is `new` from now on. Of many that ask at the same time, all get
    /// the same. One request, or two; three where another was quicker.
    ///
    /// # Errors
    /// As [`set_secret`](Self::set_secret).
    pub async fn secret_or(&self, name: &str, new: Bytes) -> Result<Bytes> {
        let key = self.0.key(CLUSTER, &[SECRET, name]);
        let work = async {
            check(&new)?;
            if let Some(there) = self.0.get_object(&key, Freshness::Once).await? {
                return Ok(there.body);
            }
            match self
                .0
                .put_object_if(&key, Body::record(new.clone()), None)
                .await
            {
                Err(error) if error.kind() == Kind::Conflict => {
                    let there = self.0.get_object(&key, Freshness::Once).await?;
                    let gone = || Error::new(Kind::Unavailable, "it came and went");
                    Ok(there.ok_or_else(gone)?.body)
                }
                written => written.map(|_| new),
            }
        };
        self.0.action("secret", name, work).await
    }
}

fn check(secret: &Bytes) -> Result<()> {
    match secret.len() {
        0 => Err(Error::invalid("a secret is empty")),
        1..=MAX_SECRET => Ok(()),
        bytes => Err(Error::too_large("a secret", bytes, "bytes", MAX_SECRET)),
    }
}
