//! The client and its builder.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use aws_core::cache::Cacheable;
#[cfg(feature = "cache")]
use aws_core::cache::{self, Through};
use aws_core::dispatch::{Dispatch, DispatchBuilder, PartialRetry};
use aws_core::v4::Scope;
use aws_core::{Credentials, Endpoint, Error, KeyVisibility, Operation, Result};
use aws_sigv2::s3::SubResources;

use crate::amazon;
use crate::bucket::{Bucket, ListBuckets};
use crate::cached::CachedOperation;
use crate::operation::{Call, S3Operation};
use crate::request::options::Options;
use crate::resolve::{Chosen, Told, signing_region};
use crate::route::{Addressing, BucketAddress, Redirects};
use crate::service::S3;
use crate::sign::agreement::{Agreement, Freedom};
use crate::sign::hosts::region_of;
use crate::sign::{Signature, Signer};
use crate::unsigned::UnsignedRequest;

/// A client of one S3 endpoint; cheap to clone.
#[derive(Clone)]
pub struct S3Client(Arc<Inner>);

struct Inner {
    endpoint: Endpoint,
    /// Where requests about buckets go that can be asked there.
    accelerated: Option<Endpoint>,
    addressing: Addressing,
    /// Where buckets are made unless it is told, where that has to be said.
    location: Option<String>,
    service: S3,
    dispatch: Dispatch,
    #[cfg(feature = "cache")]
    cache: Option<Through>,
}

impl S3Client {
    /// A builder with the defaults.
    pub fn builder() -> S3Builder {
        S3Builder {
            told: Told::default(),
            sub_resources: SubResources::default(),
            negotiate: false,
            anonymous: false,
            redirects_to: Vec::new(),
            expect_from: Some(1 << 20),
            dispatch: Dispatch::builder(),
            #[cfg(feature = "cache")]
            cache: cache::Settings::default(),
        }
    }

    /// A client of what the environment and the files under `~/.aws` say: `builder().from_env().build()`.
    ///
    /// `AWS_REGION` alone is S3 in that region of Amazon's, `AWS_ENDPOINT_URL` another store, `AWS_PROFILE` a profile
    /// that says these and more. [`S3Builder::from_env`] tells of all.
    ///
    /// # Errors
    /// [`Kind::Invalid`](crate::Kind::Invalid) when nothing says where the store is, or a setting cannot be read.
    pub fn from_env() -> Result<Self> {
        Self::builder().from_env().build()
    }

    /// A bucket of this name, which need not exist yet. The name is checked when a request is sent.
    pub fn bucket(&self, name: impl Into<Arc<str>>) -> Bucket {
        Bucket::new(self.clone(), name.into())
    }

    /// Lists the buckets of these credentials.
    ///
    /// [ListBuckets](https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListBuckets.html)
    pub fn list_buckets(&self) -> ListBuckets {
        ListBuckets::new(self.clone())
    }

    /// Returns the endpoint that requests go to.
    pub fn endpoint(&self) -> &Endpoint {
        &self.0.endpoint
    }

    /// Where requests about this bucket go.
    pub(crate) fn address_of(&self, bucket: &str) -> BucketAddress {
        let accelerated = self
            .0
            .accelerated
            .as_ref()
            .filter(|_| !bucket.contains('.'));
        accelerated
            .map(|endpoint| Addressing::VirtualHost.of(endpoint, bucket))
            .filter(|address| address.bucket_in_host)
            .unwrap_or_else(|| self.0.addressing.of(&self.0.endpoint, bucket))
    }

    /// The same request at the region's own endpoint: the accelerated one neither makes nor removes buckets.
    pub(crate) fn at_region(&self, wire: UnsignedRequest) -> UnsignedRequest {
        match (&self.0.accelerated, wire.bucket()) {
            (Some(_), Some(bucket)) => {
                let address = self.0.addressing.of(&self.0.endpoint, bucket);
                wire.moved(&address)
            }
            _ => wire,
        }
    }

    /// The region that a new bucket has to be given, where it has to be given one.
    pub(crate) fn location(&self) -> Option<&str> {
        self.0.location.as_deref()
    }

    /// The parameters that Version 2 signs.
    pub(crate) fn sub_resources(&self) -> &SubResources {
        &self.0.service.sub_resources
    }

    /// A request as it goes to where its bucket is known to be, and how it is signed there: for what is signed and not
    /// sent.
    ///
    /// # Errors
    /// When nothing is known of how the store wants it signed.
    pub(crate) fn placed(&self, wire: UnsignedRequest) -> Result<(UnsignedRequest, Signer)> {
        let service = &self.0.service;
        if service.is_unknown(wire.bucket()) {
            return Err(Error::invalid(format!(
                "nothing is known yet of how {} wants links and forms signed, and they cannot find it out: give the \
                 builder .signature(Signature::V2) or .signature(Signature::v4(region)), or send a request before",
                self.0.endpoint.origin()
            )));
        }
        let wire = match service.memory.address(wire.bucket()) {
            Some(place) => wire.moved(&place),
            None => wire,
        };
        let signer = wire.signer(service);
        Ok((wire, signer))
    }

    /// How requests about this bucket, or about none, are signed, as far as is known.
    pub(crate) fn signature_of(&self, bucket: Option<&Arc<str>>) -> Signature {
        let service = &self.0.service;
        match service.signer(bucket) {
            _ if service.is_unknown(bucket) => Signature::Auto,
            Signer::Anonymous => Signature::Auto,
            Signer::V2 => Signature::V2,
            Signer::V4(scope) => Signature::v4(scope.region()),
        }
    }

    /// How requests about no bucket are signed, as far as is known: [`Signature::Auto`] as long as nothing was said and
    /// no store has answered, and for an [anonymous](S3Builder::anonymous) client.
    pub fn signature(&self) -> Signature {
        self.signature_of(None)
    }

    /// Whether requests about this bucket are signed by Version 4, as far as is known.
    pub(crate) fn signs_by_v4(&self, bucket: &Arc<str>) -> bool {
        matches!(self.0.service.signer(Some(bucket)), Signer::V4(_))
    }

    /// Whether uploads to this bucket need a digest, as far as is known.
    pub(crate) fn demands_digest(&self, bucket: &str) -> bool {
        self.0.service.memory.wants_digest(bucket)
    }

    /// The credentials and the time that a link is signed with.
    pub(crate) async fn signing(&self) -> Result<(Credentials, SystemTime)> {
        self.0.dispatch.signing().await
    }

    /// For what the store does in part.
    pub(crate) fn partial_retry(&self, options: &Options) -> PartialRetry {
        self.0.dispatch.partial_retry(options)
    }

    pub(crate) async fn call<O: Operation<Service = S3>>(
        &self,
        operation: &O,
    ) -> Result<O::Output> {
        #[cfg(feature = "cache")]
        if let Some(cache) = &self.0.cache {
            return Box::pin(cache.call(&self.0.service, operation)).await;
        }
        self.0.dispatch.call(&self.0.service, operation).await
    }

    /// Finds out how requests about this bucket are to be signed: for what depends on that before it can be sent.
    pub(crate) async fn find_out(&self, bucket: &Bucket) {
        crate::operation::find_out(bucket, &self.0.service, &self.0.dispatch).await;
    }

    /// Where keys are shown.
    pub(crate) fn key_visibility(&self) -> KeyVisibility {
        self.0.dispatch.keys()
    }

    /// Runs an operation that is ready. The future holds it once, where it is; it is as large as what it holds, and is
    /// moved by whoever awaits it.
    #[expect(
        clippy::manual_async_fn,
        reason = "an async fn would hold its argument twice"
    )]
    pub(crate) fn run<O: S3Operation>(
        ready: Result<Call<O>>,
    ) -> impl Future<Output = Result<O::Output>> {
        async move {
            match ready {
                Ok(ref call) => call.wire.client().call(call).await,
                Err(error) => Err(error.of_operation::<Call<O>>()),
            }
        }
    }

    /// Runs an operation that reads and is ready, as [`run`](Self::run), through the cache if there is one.
    #[expect(
        clippy::manual_async_fn,
        reason = "an async fn would hold its argument twice"
    )]
    pub(crate) fn read<O: CachedOperation + 'static>(
        mut ready: Result<Call<O>>,
    ) -> impl Future<Output = Result<O::Output>> {
        async move {
            match ready {
                #[cfg(feature = "cache")]
                Ok(call) if call.wire.client().0.cache.is_some() => {
                    Box::pin(Self::read_through(call)).await
                }
                Ok(ref mut call) => {
                    let client = call.wire.client();
                    let mut output = client.0.dispatch.call(&client.0.service, &*call).await?;
                    // The key is not needed any more, so that it costs no allocation to hand it on.
                    let key = call.wire.take_key();
                    O::name_key(&mut output, key, call.wire.client().key_visibility());
                    Ok(output)
                }
                Err(error) => Err(error.of_operation::<Call<O>>()),
            }
        }
    }

    /// Whether reads may be answered from a cache.
    #[cfg(feature = "cache")]
    pub(crate) fn is_cached(&self) -> bool {
        self.0.cache.is_some()
    }

    #[cfg(feature = "cache")]
    async fn read_through<O: CachedOperation + 'static>(call: Call<O>) -> Result<O::Output> {
        let this = call.wire.client().clone();
        let key = call.wire.key().filter(|_| O::STREAMS).map(str::to_owned);
        let mut output = match &this.0.cache {
            Some(cache) => cache.read(SharedClient(this.0.clone()), call).await?,
            None => this.call(&call).await?,
        };
        O::name_key(&mut output, key, this.key_visibility());
        Ok(output)
    }

    /// Runs an operation that writes, and has the cache keep what it wrote, if there is one that is written through.
    pub(crate) async fn write<O: Cacheable<Service = S3>>(
        &self,
        operation: &O,
    ) -> Result<O::Output> {
        #[cfg(feature = "cache")]
        if let Some(cache) = &self.0.cache {
            return Box::pin(cache.write(&self.0.service, operation)).await;
        }
        self.0.dispatch.call(&self.0.service, operation).await
    }
}

/// Holds the client, and can be taken for its service.
#[cfg(feature = "cache")]
#[derive(Clone)]
struct SharedClient(Arc<Inner>);

#[cfg(feature = "cache")]
impl std::ops::Deref for SharedClient {
    type Target = S3;

    fn deref(&self) -> &S3 {
        &self.0.service
    }
}

impl fmt::Debug for S3Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("S3Client")
            .field("endpoint", &self.0.endpoint)
            .field("service", &self.0.service)
            .field("dispatch", &self.0.dispatch)
            .finish()
    }
}

/// Builds an [`S3Client`]; made by [`S3Client::builder`].
#[derive(Debug)]
#[must_use = "nothing is built before build()"]
pub struct S3Builder {
    told: Told,
    sub_resources: SubResources,
    negotiate: bool,
    anonymous: bool,
    redirects_to: Vec<String>,
    expect_from: Option<u64>,
    dispatch: DispatchBuilder,
    #[cfg(feature = "cache")]
    cache: cache::Settings,
}

impl S3Builder {
    /// The address of the store: `http://host[:port][/path]` or `https://host[:port][/path]`. A path, as in
    /// Supabase's `https://PROJECT.supabase.co/storage/v1/s3`, stands in front of the bucket and is signed with it.
    /// Defaults to Amazon's endpoint of the [region](Self::region).
    pub fn endpoint(mut self, url: impl Into<String>) -> Self {
        self.told.endpoint = Some(url.into());
        self
    }

    /// The region, for example `eu-west-1`. Without an [endpoint](Self::endpoint), requests go to
    /// [Amazon's](https://docs.aws.amazon.com/general/latest/gr/s3.html) of that region, in any of its partitions. With
    /// one it is what requests are signed for, where they are signed by Version 4 and
    /// [`signature`](Self::signature) says nothing else. Defaults to the one that a host of Amazon's names, else to
    /// `us-east-1`.
    pub fn region(mut self, region: impl Into<String>) -> Self {
        self.told.region = Some(region.into());
        self
    }

    /// Whether Amazon's endpoint is the one with [FIPS](https://aws.amazon.com/compliance/fips/). Defaults to no; not
    /// together with an [endpoint](Self::endpoint).
    pub fn fips(mut self, yes: bool) -> Self {
        self.told.fips = Some(yes);
        self
    }

    /// Whether Amazon's endpoint is the one that has [IPv6 addresses
    /// too](https://docs.aws.amazon.com/AmazonS3/latest/userguide/dual-stack-endpoints.html). Defaults to no; not together
    /// with an [endpoint](Self::endpoint).
    pub fn dual_stack(mut self, yes: bool) -> Self {
        self.told.dual_stack = Some(yes);
        self
    }

    /// Whether requests about buckets go to Amazon's [accelerated
    /// endpoint](https://docs.aws.amazon.com/AmazonS3/latest/userguide/transfer-acceleration.html), which has to be
    /// turned on for a bucket. Buckets whose names have dots, and what the endpoint does not do (listing, making and
    /// removing buckets), go to the region's. Defaults to no; not together with an [endpoint](Self::endpoint).
    pub fn accelerate(mut self, yes: bool) -> Self {
        self.told.accelerate = Some(yes);
        self
    }

    /// How buckets are named in requests. Defaults to [`Addressing::Auto`].
    pub fn addressing(mut self, addressing: Addressing) -> Self {
        self.told.addressing = Some(addressing);
        self
    }

    /// How requests are signed. Defaults to [`Signature::Auto`]: as the host tells, or else as the store takes it. A
    /// version that is said here is kept to, whatever the store answers; the error then says what to set.
    pub fn signature(mut self, signature: Signature) -> Self {
        self.told.signature = Some(signature);
        self
    }

    /// Whether a [`signature`](Self::signature) that was said is only what to begin with: the client then changes to
    /// the other version, or to another region, where the store asks for it, as [`Signature::Auto`] does in any case.
    /// Defaults to no.
    pub fn negotiate(mut self, yes: bool) -> Self {
        self.negotiate = yes;
        self
    }

    /// Whether Version 4 signs bodies, as [`Signature::V4`] says. Defaults to yes. With no they go as
    /// `UNSIGNED-PAYLOAD`, which costs no digest and leaves them to what TLS protects. Version 2 never signs them.
    pub fn sign_bodies(mut self, yes: bool) -> Self {
        self.told.sign_bodies = Some(yes);
        self
    }

    /// Sends requests without a signature, for what everybody may read, and needs no credentials. Defaults to
    /// signed ones.
    pub fn anonymous(mut self) -> Self {
        self.anonymous = true;
        self
    }

    /// Which parameters of a query Version 2 signs. Defaults to [`SubResources::BASE`], which is what Amazon does.
    ///
    /// Servers disagree on the newer ones: for Ceph RGW say `SubResources::of(Server::Rgw)`, or it refuses requests
    /// for policy statuses and public access blocks with `SignatureDoesNotMatch`.
    pub fn sub_resources(mut self, list: SubResources) -> Self {
        self.sub_resources = list;
        self
    }

    /// The longest time of one request, all its attempts and pauses included, up to the head of its answer.
    /// Defaults to 30 s.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.dispatch.timeout(timeout);
        self
    }

    /// Reads objects through this cache, and has every write tell it (feature `cache`). Defaults to none.
    ///
    /// Whole current objects are kept, up to the cache's own [limit](cache_layer::Cache::max_value), and the fact that
    /// there is none. From those, ranges, conditions and [`head`](crate::Bucket::head) are answered too, where that is
    /// exactly what the store would say; all else goes past the cache: versions, parts, keys of the customer's,
    /// checksums, overridden response fields and fields of one's own.
    ///
    /// Entries belong to one access key: what only one may read is not given to another.
    #[cfg(feature = "cache")]
    pub fn cache(mut self, cache: cache_layer::Cache) -> Self {
        self.cache.cache(cache);
        self
    }

    /// Also follows answers that send requests on to hosts of this domain, with requests signed by the same
    /// credentials: to the domain itself and to what is below it. May be said several times.
    ///
    /// Answers 301, 307 and 308 are followed, three times at most for a request, at Amazon to the S3 of other
    /// regions, elsewhere to the endpoint's own host and to what is below it, and never from TLS to without; to
    /// other hosts only when they are named here.
    pub fn redirects_to(mut self, domain: impl Into<String>) -> Self {
        self.redirects_to.push(domain.into().to_ascii_lowercase());
        self
    }

    /// From how many bytes on a body waits until the store has seen the head and wants it: an upload that is refused,
    /// or sent on to another host, then costs no more than its head
    /// ([`Expect: 100-continue`](https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html)). It waits for a
    /// second at most, and at a store that does not answer such heads only the first two times. Defaults to 1 MiB; with
    /// nothing all bodies go out at once.
    pub fn expect_continue(mut self, bytes: Option<u64>) -> Self {
        self.expect_from = bytes;
        self
    }

    /// Builds the client. No connection is opened yet.
    ///
    /// # Errors
    /// [`Kind::Invalid`](crate::Kind::Invalid) when there is neither an endpoint nor a region, one of them cannot be
    /// read, two settings exclude each other, or there are no credentials.
    pub fn build(self) -> Result<S3Client> {
        let mut dispatch = self.dispatch;
        if self.anonymous {
            // Nothing is signed with them.
            dispatch.credentials(Credentials::new("", ""));
        }
        let Chosen {
            endpoint,
            accelerated,
            region,
            addressing,
            signature,
            sign_bodies,
        } = self.told.choose(dispatch.configure(amazon::S3)?)?;
        let location = amazon::location_of(&endpoint, region.as_deref(), signature.as_ref());
        let region = signing_region(&endpoint, region.as_deref());
        let freedom = match self.negotiate {
            true => Freedom::All,
            false => Freedom::None,
        };
        let agreement = match signature.unwrap_or_default().signer()? {
            _ if self.anonymous => Agreement::new(Signer::Anonymous, Freedom::None, region),
            Some(said) => Agreement::new(said, freedom, region),
            None if region_of(endpoint.origin().host()).is_some() => {
                Agreement::new(Signer::V4(Scope::s3(region)), Freedom::Region, region)
            }
            None => Agreement::guess(region),
        };
        let mut service = S3::new(agreement);
        service.sub_resources = self.sub_resources;
        service.sign_bodies = sign_bodies;
        service.expect_from = self.expect_from;
        service.redirects = Redirects::new(&endpoint, self.redirects_to);
        let dispatch = dispatch.build_for(&endpoint)?;
        Ok(S3Client(Arc::new(Inner {
            endpoint,
            accelerated,
            addressing,
            location,
            service,
            #[cfg(feature = "cache")]
            cache: Through::new(&dispatch, self.cache)?,
            dispatch,
        })))
    }
}

aws_core::settings!(S3Builder);
