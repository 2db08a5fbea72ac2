//! The three ways to the bucket, each as an `ObjectStore`.

use std::error::Error;
use std::sync::Arc;

use clap::ValueEnum;
use object_store::aws::AmazonS3Builder;
use object_store::{ClientOptions, ObjectStore};
use object_store_opendal::{ObjectStoreBuilder, OpendalStore};
use opendal::Operator;
use s3_client::{Bucket, Credentials, S3Client, Signature};
use s3_object_store::S3Store;

/// Where the store is, and the keys to it; the keys are not in `Debug`.
pub(crate) struct Place {
    pub(crate) endpoint: String,
    pub(crate) region: String,
    pub(crate) access: String,
    pub(crate) secret: String,
}

/// What a query goes through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Way {
    /// `s3-object-store`.
    Ours,
    /// opendal, whose service `object_store` is over `s3-object-store`.
    Opendal,
    /// `object_store`'s own client.
    Theirs,
}

impl Way {
    pub(crate) const ALL: [Self; 3] = [Self::Ours, Self::Opendal, Self::Theirs];

    /// Its name in tables, and in URLs.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Ours => "s3-object-store",
            Self::Opendal => "opendal",
            Self::Theirs => "object-store",
        }
    }
}

/// The bucket by this project's client.
pub(crate) fn bucket(place: &Place, name: &str) -> Result<Bucket, Box<dyn Error>> {
    let s3 = S3Client::builder()
        .endpoint(&*place.endpoint)
        .credentials(Credentials::new(&*place.access, &*place.secret))
        .signature(Signature::v4(&*place.region));
    Ok(s3.build()?.bucket(name))
}

/// The bucket as one of the three.
pub(crate) fn open(
    way: Way,
    place: &Place,
    name: &str,
) -> Result<Arc<dyn ObjectStore>, Box<dyn Error>> {
    let ours = || Ok::<_, Box<dyn Error>>(Arc::new(S3Store::new(bucket(place, name)?)));
    Ok(match way {
        Way::Ours => ours()?,
        Way::Opendal => {
            let operator = Operator::new(ObjectStoreBuilder::new(ours()?))?;
            Arc::new(OpendalStore::new(operator))
        }
        Way::Theirs => {
            // An error says that there is one already.
            let _ = rustls::crypto::ring::default_provider().install_default();
            let builder = AmazonS3Builder::new()
                .with_endpoint(&*place.endpoint)
                .with_bucket_name(name)
                .with_region(&*place.region)
                .with_access_key_id(&*place.access)
                .with_secret_access_key(&*place.secret)
                .with_client_options(ClientOptions::new().with_allow_http(true));
            Arc::new(builder.build()?)
        }
    })
}
