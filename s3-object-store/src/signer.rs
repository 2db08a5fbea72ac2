//! `object_store`'s `Signer`: links made by the client's signature.

use std::time::Duration;

use async_trait::async_trait;
use object_store::path::Path;
use object_store::signer::{Method, SignedUrlOptions, Signer, Url};
use object_store::{Error, Result};

use crate::error::{any, at};
use crate::store::S3Store;

/// Links to fetch (GET), look at (HEAD), store (PUT) and remove (DELETE), each for its own method and path.
///
/// They are signed in the client's way; by Version 4 they work for at most 7 days. Any other method is
/// [`Error::NotSupported`].
#[async_trait]
impl Signer for S3Store {
    async fn signed_url(&self, method: Method, path: &Path, expires_in: Duration) -> Result<Url> {
        let options = SignedUrlOptions::new();
        self.signed_url_opts(method, path, expires_in, &options)
            .await
    }

    async fn signed_url_opts(
        &self,
        method: Method,
        path: &Path,
        expires_in: Duration,
        options: &SignedUrlOptions,
    ) -> Result<Url> {
        let key = path.as_ref();
        let link = match method {
            Method::GET => self.bucket.presign_get(key),
            Method::HEAD => self.bucket.presign_head(key),
            Method::PUT => self.bucket.presign_put(key),
            Method::DELETE => self.bucket.presign_delete(key),
            other => return Err(unsupported(format!("no link is made for {other}"))),
        };
        let mut link = link.expires(expires_in);
        for (name, value) in &options.extra_query {
            link = link.query(name.as_str(), value.as_str());
        }
        for name in options.signed_headers.keys() {
            let mut values = options.signed_headers.get_all(name).iter();
            let value = values.next().and_then(|value| value.to_str().ok());
            let (Some(value), None) = (value, values.next()) else {
                return Err(unsupported(format!(
                    "the header {name} has to be demanded once, with a text"
                )));
            };
            link = link.header(name.as_str(), value);
        }
        let link = link.await.map_err(|error| at(path, error))?;
        Url::parse(link.url()).map_err(any)
    }
}

fn unsupported(why: String) -> Error {
    Error::NotSupported { source: why.into() }
}
