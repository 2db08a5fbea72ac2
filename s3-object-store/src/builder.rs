//! A store from a URL and the options that `object_store`'s own S3 client has.
//!
//! *Problem:* Programs over `object_store` have their stores in configuration files, as a URL and a map of options.
//! *Decision:* Each of `AmazonS3ConfigKey`'s names in `object_store` 0.14 is in one table: it is taken, or refused by its
//! name with what to do instead; none is passed over. *Cost:* A configuration with options of other clients stops here
//! with an error.

use std::fmt;

use object_store::path::Path;
use object_store::{Error, Result};
use s3_client::shared_config::Variables;
use s3_client::transport::Proxy;
use s3_client::{Addressing, Checksum, S3Builder, S3Client};

use crate::error::{STORE, any};
use crate::options::{self, Taken, yes_or_no};
use crate::said::Said;
use crate::store::S3Store;
use crate::url::Place;

/// The variable that `object_store` has for its option.
const ALLOW_HTTP: &str = "AWS_ALLOW_HTTP";

/// Builds an [`S3Store`] from a URL such as `s3://bucket/prefix` and [options](Self::option).
///
/// ```
/// use object_store::ObjectStoreExt as _;
/// use object_store::prefix::PrefixStore;
/// use s3_object_store::S3StoreBuilder;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let emulator = emulator::Emulator::start_blocking()?;
/// let options = [
///     ("aws_endpoint", emulator.url()),
///     ("aws_allow_http", "true".to_owned()), // the emulator is on this machine
///     ("aws_access_key_id", emulator.access_key().to_owned()),
///     ("aws_secret_access_key", emulator.secret_key().to_owned()),
/// ];
/// let (store, path) = S3StoreBuilder::new("s3://photos/2009")?.options(options)?.build()?;
/// store.bucket().create().await?;
/// let store = PrefixStore::new(store, path);
/// store.put(&"cat.jpg".into(), "meow".into()).await?;
/// assert_eq!(store.get(&"cat.jpg".into()).await?.bytes().await?, "meow");
/// # Ok(()) }
/// ```
#[must_use = "nothing is built before build()"]
pub struct S3StoreBuilder {
    place: Place,
    variables: Variables,
    options: Said,
    client: S3Builder,
}

impl S3StoreBuilder {
    /// The bucket and the path that a URL names, the path percent-encoded: `s3://bucket/path` or `s3a://bucket/path`; and
    /// as `object_store` has them for Amazon and R2, `https://s3.REGION.amazonaws.com/bucket/path`,
    /// `https://bucket.s3.REGION.amazonaws.com/path`, both with `dualstack` in front of the region,
    /// `https://bucket.s3.amazonaws.com/path`, and `https://ACCOUNT.r2.cloudflarestorage.com/bucket/path`, also with a
    /// jurisdiction. What the host says of the region and the place counts before options.
    ///
    /// # Errors
    /// [`Error::Generic`] for other URLs: the place of a store that is not Amazon's is the option `aws_endpoint`.
    pub fn new(url: &str) -> Result<Self> {
        Ok(Self {
            place: Place::parse(url)?,
            variables: Variables::default(),
            options: Said::default(),
            client: S3Client::builder(),
        })
    }

    /// Takes what no option says from the environment and the files under `~/.aws`, as
    /// [`S3Client::from_env`] does, and `AWS_ALLOW_HTTP` besides. Without it only the sources of keys are asked that
    /// belong to the machine: a container's and an instance's.
    pub fn from_env(self) -> Self {
        self.from_variables(Variables::process())
    }

    /// As [`from_env`](Self::from_env), with these variables in place of those of the process.
    pub fn from_variables(mut self, variables: Variables) -> Self {
        self.variables = variables;
        self
    }

    /// One of the options of `object_store`'s S3 client
    /// ([`AmazonS3ConfigKey`](https://docs.rs/object_store/0.14.2/object_store/aws/enum.AmazonS3ConfigKey.html)), by any
    /// of its names there, in small or capital letters:
    ///
    /// - keys: `aws_access_key_id`, `aws_secret_access_key`, `aws_session_token`; where they come from:
    ///   `aws_web_identity_token_file`, `aws_role_arn`, `aws_role_session_name`, `aws_endpoint_url_sts`,
    ///   `aws_container_credentials_relative_uri`, `aws_container_credentials_full_uri`,
    ///   `aws_container_authorization_token_file`, `aws_metadata_endpoint`; none: `aws_skip_signature`;
    /// - the place: `aws_region` before `aws_default_region`, `aws_endpoint_url_s3` before `aws_endpoint`,
    ///   `aws_bucket` (in place of the URL's), `aws_virtual_hosted_style_request` (no has the bucket in the path; with
    ///   yes, a bucket in front of the endpoint's host is taken for that);
    /// - what is sent: `aws_unsigned_payload`, `aws_checksum_algorithm` (`sha256`), `aws_conditional_put` (`etag` or
    ///   `disabled`, as [`S3Store::updates`]);
    /// - connections: `timeout`, `connect_timeout`, `pool_idle_timeout` (as `30s` or `5 minutes`), `proxy_url`,
    ///   `allow_http` (without it, an endpoint that is not `https` is refused, wherever it was said).
    ///
    /// Options that turn something on that is not done here, such as encryption for all objects, are refused; those that
    /// turn it off are taken.
    ///
    /// # Errors
    /// [`Error::UnknownConfigurationKey`] for other names, [`Error::Generic`] for an option that is not done here, with
    /// what there is instead. Values are not shown: they may be secrets.
    pub fn option(mut self, key: &str, value: impl Into<String>) -> Result<Self> {
        let value = value.into();
        let name = key.to_ascii_lowercase();
        match options::find(&name) {
            None => Err(Error::UnknownConfigurationKey {
                store: STORE,
                key: key.to_owned(),
            }),
            Some(Ok(taken)) => {
                self.options.insert(taken, name, value);
                Ok(self)
            }
            Some(Err(refused)) if refused.is_done(&value) => Ok(self),
            Some(Err(refused)) => Err(any(format!("the option {name} {}", refused.why))),
        }
    }

    /// Several [options](Self::option).
    ///
    /// # Errors
    /// As [`option`](Self::option).
    pub fn options<K, V>(self, options: impl IntoIterator<Item = (K, V)>) -> Result<Self>
    where
        K: AsRef<str>,
        V: Into<String>,
    {
        let mut options = options.into_iter();
        options.try_fold(self, |builder, (key, value)| {
            builder.option(key.as_ref(), value)
        })
    }

    /// Sets the client up further: its pool, its cache, how it signs. Options come after it, where both say something;
    /// those of connections (`connect_timeout`, `pool_idle_timeout`, `proxy_url`) are for the client's own pool, and exclude
    /// one that is given here.
    pub fn client(mut self, set_up: impl FnOnce(S3Builder) -> S3Builder) -> Self {
        self.client = set_up(self.client);
        self
    }

    /// The store, and the path that the URL names in it: for a `PrefixStore`, or for the names of objects.
    ///
    /// # Errors
    /// [`Error::Generic`] when a value cannot be read, naming its option, or as
    /// [`S3Builder::build`](s3_client::S3Builder::build).
    pub fn build(self) -> Result<(S3Store, Path)> {
        let Self {
            place,
            variables,
            options,
            client,
        } = self;
        let bucket = options.text(Taken::Bucket).unwrap_or(&place.bucket);
        let http_allowed = match (options.flag(Taken::AllowHttp)?, variables.get(ALLOW_HTTP)) {
            (Some(said), _) => said,
            (None, Some(value)) => yes_or_no(value).ok_or_else(|| {
                any(format!(
                    "the variable {ALLOW_HTTP} is neither true nor false"
                ))
            })?,
            (None, None) => false,
        };
        let client = client.from_variables(variables_with(variables, &options));
        let client = placed(client, &place, bucket, &options)?;
        let client = told(client, &options)?.build().map_err(any)?;
        let origin = client.endpoint().origin();
        if !http_allowed && !origin.is_tls() && origin.unix_path().is_none() {
            return Err(any(format!(
                "the endpoint {origin} is without TLS: set the option allow_http to true if that is meant"
            )));
        }
        let mut store = S3Store::new(client.bucket(bucket));
        if options.word(Taken::Checksum, &["sha256"])?.is_some() {
            store = store.checksum(Checksum::Sha256);
        }
        if let Some(word) = options.word(Taken::ConditionalPut, &["etag", "disabled"])? {
            store = store.updates(word == "etag");
        }
        Ok((store, place.path))
    }
}

/// The variables that the client reads: those of options come before those of the environment.
fn variables_with(mut variables: Variables, options: &Said) -> Variables {
    // It is no variable of AWS's, of which the client would warn.
    variables = variables.without(ALLOW_HTTP);
    if options.text(Taken::AccessKeyId).is_some() {
        for other in [
            "AWS_SESSION_TOKEN",
            "AWS_SECURITY_TOKEN",
            "AWS_CREDENTIAL_EXPIRATION",
        ] {
            variables = variables.without(other);
        }
    }
    for (taken, variable) in options::VARIABLES {
        if let Some(value) = options.text(*taken) {
            variables = variables.with(*variable, value);
        }
    }
    variables
}

/// The client, told where the store is.
fn placed(mut client: S3Builder, place: &Place, bucket: &str, options: &Said) -> Result<S3Builder> {
    let region = place.region.as_deref();
    if let Some(region) = region
        .or_else(|| options.text(Taken::Region))
        .or_else(|| options.text(Taken::DefaultRegion))
    {
        client = client.region(region);
    }
    let in_host = match place.in_host {
        Some(by_url) => Some(by_url),
        None => options.flag(Taken::VirtualHosted)?,
    };
    let endpoint = options
        .text(Taken::S3Endpoint)
        .or(place.endpoint.as_deref())
        .or_else(|| options.text(Taken::Endpoint));
    if let Some(url) = endpoint {
        let behind = format!("://{bucket}.");
        client = client.endpoint(match in_host {
            Some(true) => url.replacen(&behind, "://", 1),
            _ => url.to_owned(),
        });
    }
    Ok(match in_host {
        Some(true) => client.addressing(Addressing::VirtualHost),
        Some(false) => client.addressing(Addressing::Path),
        None => client,
    })
}

/// The client, told how it signs, and of its connections.
fn told(mut client: S3Builder, options: &Said) -> Result<S3Builder> {
    if let Some(unsigned) = options.flag(Taken::UnsignedPayload)? {
        client = client.sign_bodies(!unsigned);
    }
    if options.flag(Taken::SkipSignature)? == Some(true) {
        client = client.anonymous();
    }
    if let Some(limit) = options.time(Taken::Timeout)? {
        client = client.timeout(limit);
    }
    connected(client, options)
}

/// The client, told of its own pool.
fn connected(client: S3Builder, options: &Said) -> Result<S3Builder> {
    let connect = options.time(Taken::ConnectTimeout)?;
    let idle = options.time(Taken::PoolIdleTimeout)?;
    let proxy = options.read(Taken::ProxyUrl, "no proxy's URL", |url| {
        Proxy::http(url).ok()
    })?;
    let all = [
        Taken::ConnectTimeout,
        Taken::PoolIdleTimeout,
        Taken::ProxyUrl,
    ];
    let said: Vec<&str> = all.iter().filter_map(|one| options.name(*one)).collect();
    if said.is_empty() {
        return Ok(client);
    }
    if client.has_transport() {
        let (options, are) = match said.len() {
            1 => ("option", "is"),
            _ => ("options", "are"),
        };
        return Err(any(format!(
            "the {options} {} {are} for the client's own pool, and client(…) gives another pool or a transport: leave \
             one of them out",
            said.join(", ")
        )));
    }
    Ok(client.pool_with(move |mut pool| {
        if let Some(limit) = connect {
            pool = pool.connect_timeout(limit);
        }
        if let Some(limit) = idle {
            pool = pool.idle_timeout(limit);
        }
        match proxy {
            Some(proxy) => pool.proxy(proxy),
            None => pool,
        }
    }))
}

impl fmt::Debug for S3StoreBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("S3StoreBuilder")
            .field("place", &self.place)
            .field("variables", &self.variables)
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}
