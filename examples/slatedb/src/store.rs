//! The two clients as an `ObjectStore`.

use std::error::Error;
use std::sync::Arc;

use object_store::aws::AmazonS3Builder;
use object_store::{ClientOptions, ObjectStore};
use s3_client::{Bucket, Credentials, S3Client, Signature};
use s3_object_store::S3Store;

use crate::args::{At, Which};

/// The keys of a store; not in `Debug`.
#[derive(Clone)]
pub(crate) struct Keys {
    pub(crate) access: String,
    pub(crate) secret: String,
}

impl Keys {
    /// Those of the environment.
    pub(crate) fn of_environment() -> Result<Self, Box<dyn Error>> {
        let variable = |name: &str| std::env::var(name).map_err(|error| format!("{name}: {error}"));
        Ok(Self {
            access: variable("AWS_ACCESS_KEY_ID")?,
            secret: variable("AWS_SECRET_ACCESS_KEY")?,
        })
    }
}

/// A bucket by this project's client, which has the connections that the pool gives it where nothing is said.
pub(crate) fn bucket(
    endpoint: &str,
    name: &str,
    keys: &Keys,
    at: &At,
) -> Result<Bucket, Box<dyn Error>> {
    let builder = S3Client::builder()
        .endpoint(endpoint)
        .credentials(Credentials::new(&*keys.access, &*keys.secret));
    let builder = match at.v2 {
        true => builder.signature(Signature::V2),
        false => builder.signature(Signature::v4(&*at.region)),
    };
    Ok(builder.build()?.bucket(name))
}

/// A bucket as SlateDB takes it.
pub(crate) fn open(
    which: Which,
    endpoint: &str,
    name: &str,
    keys: &Keys,
    at: &At,
) -> Result<Arc<dyn ObjectStore>, Box<dyn Error>> {
    Ok(match which {
        Which::Ours => {
            let store = S3Store::new(bucket(endpoint, name, keys, at)?);
            Arc::new(store.updates(!at.no_updates))
        }
        Which::Theirs => {
            // An error says that there is one already.
            let _ = rustls::crypto::ring::default_provider().install_default();
            let builder = AmazonS3Builder::new()
                .with_endpoint(endpoint)
                .with_bucket_name(name)
                .with_region(&*at.region)
                .with_access_key_id(&*keys.access)
                .with_secret_access_key(&*keys.secret)
                .with_client_options(ClientOptions::new().with_allow_http(true));
            Arc::new(builder.build()?)
        }
    })
}
