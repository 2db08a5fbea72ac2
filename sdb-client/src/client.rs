//! The client and its builder.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use aws_core::cache::Cacheable;
#[cfg(feature = "cache")]
use aws_core::cache::{self, Through};
use aws_core::dispatch::{Dispatch, DispatchBuilder};
use aws_core::shared_config::{ServiceId, Variant, choose_endpoint};
use aws_core::{Endpoint, KeyVisibility, Operation, Result};

use crate::domain::Domain;
use crate::idempotency;
use crate::ops::domains::ListDomains;
use crate::ops::select::Select;
use crate::query::Expression;
use crate::usage::{Meter, TotalUsage};
use crate::wire::Sdb;

/// Amazon SimpleDB, in variables and profiles.
const SIMPLEDB: ServiceId = ServiceId {
    host: "sdb",
    id: "SIMPLEDB",
    settings: &[],
};

/// The region whose endpoint is named without a region, as [AWS's
/// table](https://docs.aws.amazon.com/general/latest/gr/simpledb.html) has it.
const FIRST_REGION: &str = "us-east-1";
const FIRST_ENDPOINT: &str = "https://sdb.amazonaws.com";

/// A client of one SimpleDB endpoint; cheap to clone.
#[derive(Clone)]
pub struct SdbClient(Arc<Inner>);

struct Inner {
    endpoint: Endpoint,
    /// One for each operation, so that what it costs is counted by itself.
    services: Vec<Sdb>,
    #[cfg(feature = "export")]
    exports: crate::export::Exports,
    in_url: bool,
    dispatch: Dispatch,
    #[cfg(feature = "cache")]
    cache: Option<Through>,
}

impl Inner {
    fn service(&self, operation: &str) -> &Sdb {
        let found = self.services.iter().find(|s| s.operation == operation);
        found.unwrap_or(&self.services[0])
    }
}

/// What SimpleDB can do, each once: the first stands for what is not in the table.
fn services() -> Vec<Sdb> {
    let mut services = vec![Sdb::default()];
    for row in idempotency::TABLE {
        if services.iter().all(|s| s.operation != row.operation) {
            services.push(Sdb {
                operation: row.operation,
                ..Sdb::default()
            });
        }
    }
    services
}

impl SdbClient {
    /// A builder with the defaults.
    pub fn builder() -> SdbBuilder {
        SdbBuilder {
            endpoint: None,
            region: None,
            fips: None,
            dual_stack: None,
            in_url: false,
            dispatch: Dispatch::builder(),
            #[cfg(feature = "cache")]
            cache: cache::Settings::default(),
        }
    }

    /// A client of what the environment and the files under `~/.aws` say: `builder().from_env().build()`.
    ///
    /// `AWS_REGION` alone is SimpleDB in that region of Amazon's, `AWS_ENDPOINT_URL_SIMPLEDB` another server,
    /// `AWS_PROFILE` a profile that says these and more. [`SdbBuilder::from_env`] tells of all.
    ///
    /// # Errors
    /// [`Kind::Invalid`](crate::Kind::Invalid) when a setting cannot be read.
    pub fn from_env() -> Result<Self> {
        Self::builder().from_env().build()
    }

    /// A domain of this name, which need not exist yet. The name is checked when a request is sent.
    pub fn domain(&self, name: impl Into<Arc<str>>) -> Domain {
        Domain {
            client: self.clone(),
            name: name.into(),
        }
    }

    /// Lists the domains of these credentials.
    ///
    /// [ListDomains](https://docs.aws.amazon.com/AmazonSimpleDB/latest/DeveloperGuide/SDB_API_ListDomains.html)
    pub fn list_domains(&self) -> ListDomains {
        ListDomains::new(self.clone())
    }

    /// Finds items by an expression: a [`Query`](crate::query::Query), or text. Put values into text by
    /// [`quote_value`](crate::query::quote_value) and names by [`quote_name`](crate::query::quote_name).
    ///
    /// [Select](https://docs.aws.amazon.com/AmazonSimpleDB/latest/DeveloperGuide/SDB_API_Select.html)
    pub fn select(&self, expression: impl Into<Expression>) -> Select {
        Select::new(self.clone(), expression.into())
    }

    /// Tells of an export by its ARN (feature `export`).
    ///
    /// [GetExport](https://docs.aws.amazon.com/AmazonSimpleDB/latest/DeveloperGuide/SDB_API_GetExport.html)
    #[cfg(feature = "export")]
    pub fn export(&self, arn: impl Into<String>) -> crate::export::GetExport {
        crate::export::GetExport::new(self.clone(), arn.into())
    }

    /// Lists the exports of these credentials (feature `export`).
    ///
    /// [ListExports](https://docs.aws.amazon.com/AmazonSimpleDB/latest/DeveloperGuide/SDB_API_ListExports.html)
    #[cfg(feature = "export")]
    pub fn list_exports(&self) -> crate::export::ListExports {
        crate::export::ListExports::new(self.clone())
    }

    /// What all answers so far have cost; clones of a client count together.
    pub fn usage(&self) -> TotalUsage {
        Meter::sum(self.0.services.iter().map(|s| &s.meter))
    }

    /// What the answers to each operation have cost so far, by its name at SimpleDB, for example `Select`;
    /// operations that were not used are left out.
    pub fn usage_by_operation(&self) -> Vec<(&'static str, TotalUsage)> {
        let totals = self
            .0
            .services
            .iter()
            .map(|s| (s.operation, s.meter.total()));
        totals.filter(|(_, total)| total.requests > 0).collect()
    }

    /// Returns the endpoint that requests go to.
    pub fn endpoint(&self) -> &Endpoint {
        &self.0.endpoint
    }

    pub(crate) async fn call<O: Operation<Service = Sdb>>(
        &self,
        operation: &O,
    ) -> Result<O::Output> {
        let service = self.0.service(O::NAME);
        #[cfg(feature = "cache")]
        if let Some(cache) = &self.0.cache {
            return Box::pin(cache.call(service, operation)).await;
        }
        self.0.dispatch.call(service, operation).await
    }

    /// Where the names of items are shown.
    pub(crate) fn key_visibility(&self) -> KeyVisibility {
        self.0.dispatch.keys()
    }

    /// Runs an operation that is ready. The future holds it once, where it is; it is as large as what it holds, and is
    /// moved by whoever awaits it.
    #[expect(
        clippy::manual_async_fn,
        reason = "an async fn would hold its argument twice"
    )]
    pub(crate) fn run<O: Operation<Service = Sdb>>(
        ready: Result<(Self, O)>,
    ) -> impl Future<Output = Result<O::Output>> {
        async move {
            match ready {
                Ok((ref client, ref operation)) => client.call(operation).await,
                Err(error) => Err(error.of_operation::<O>()),
            }
        }
    }

    #[cfg(feature = "export")]
    pub(crate) async fn export_call<O: Operation<Service = crate::export::Exports>>(
        &self,
        operation: &O,
    ) -> Result<O::Output> {
        self.0.dispatch.call(&self.0.exports, operation).await
    }

    /// Runs an operation that reads and is ready, as [`run`](Self::run), through the cache if there is one.
    #[expect(
        clippy::manual_async_fn,
        reason = "an async fn would hold its argument twice"
    )]
    pub(crate) fn read<O: Cacheable<Service = Sdb> + 'static>(
        ready: Result<(Self, O)>,
    ) -> impl Future<Output = Result<O::Output>> {
        async move {
            match ready {
                #[cfg(feature = "cache")]
                Ok((client, operation)) if client.is_cached() => {
                    Box::pin(client.read_through(operation)).await
                }
                Ok((ref client, ref operation)) => client.call(operation).await,
                Err(error) => Err(error.of_operation::<O>()),
            }
        }
    }

    #[cfg(feature = "cache")]
    async fn read_through<O: Cacheable<Service = Sdb> + 'static>(
        self,
        operation: O,
    ) -> Result<O::Output> {
        match &self.0.cache {
            Some(cache) => cache.read(Shared(self.0.clone(), O::NAME), operation).await,
            None => self.call(&operation).await,
        }
    }

    /// Whether reads go through a cache.
    #[cfg(feature = "cache")]
    pub(crate) fn is_cached(&self) -> bool {
        self.0.cache.is_some()
    }

    pub(crate) fn sends_in_url(&self) -> bool {
        self.0.in_url
    }
}

/// The service of one operation, held.
#[cfg(feature = "cache")]
#[derive(Clone)]
struct Shared(Arc<Inner>, &'static str);

#[cfg(feature = "cache")]
impl std::ops::Deref for Shared {
    type Target = Sdb;

    fn deref(&self) -> &Sdb {
        self.0.service(self.1)
    }
}

impl fmt::Debug for SdbClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SdbClient")
            .field("endpoint", &self.0.endpoint)
            .field("usage", &self.usage())
            .field("dispatch", &self.0.dispatch)
            .finish()
    }
}

/// Builds an [`SdbClient`]; made by [`SdbClient::builder`].
#[derive(Debug)]
#[must_use = "nothing is built before build()"]
pub struct SdbBuilder {
    endpoint: Option<String>,
    region: Option<String>,
    fips: Option<bool>,
    dual_stack: Option<bool>,
    in_url: bool,
    dispatch: DispatchBuilder,
    #[cfg(feature = "cache")]
    cache: cache::Settings,
}

impl SdbBuilder {
    /// The address of the service: `http://host[:port][/path]` or `https://host[:port][/path]`; a path stands in front
    /// of that of each request, and is signed with it. Defaults to Amazon's endpoint of the [region](Self::region), and
    /// without one to `https://sdb.amazonaws.com`.
    pub fn endpoint(mut self, url: impl Into<String>) -> Self {
        self.endpoint = Some(url.into());
        self
    }

    /// The region, for example `eu-west-1`: without an [endpoint](Self::endpoint), requests go to
    /// [Amazon's](https://docs.aws.amazon.com/general/latest/gr/simpledb.html) of that region, and exports (feature
    /// `export`) are signed for it in any case. Defaults to the one in the host, `sdb.REGION.amazonaws.com`, and else to
    /// `us-east-1`.
    pub fn region(mut self, region: impl Into<String>) -> Self {
        self.region = Some(region.into());
        self
    }

    /// Whether Amazon's endpoint is the one with [FIPS](https://aws.amazon.com/compliance/fips/). Defaults to no; not
    /// together with an [endpoint](Self::endpoint).
    pub fn fips(mut self, yes: bool) -> Self {
        self.fips = Some(yes);
        self
    }

    /// Whether Amazon's endpoint is the one that has IPv6 addresses too. Defaults to no; not together with an
    /// [endpoint](Self::endpoint).
    pub fn dual_stack(mut self, yes: bool) -> Self {
        self.dual_stack = Some(yes);
        self
    }

    /// Whether requests of up to 4 KB go as GET, with everything in the URL; longer ones are POST forms in any
    /// case. Defaults to no: URLs end up in the logs of servers and proxies, names and values with them.
    pub fn use_get(mut self, yes: bool) -> Self {
        self.in_url = yes;
        self
    }

    /// The longest time of one request, all its attempts and pauses included. Defaults to 30 s.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.dispatch.timeout(timeout);
        self
    }

    /// Reads items through this cache, and has every write tell it (feature `cache`). Defaults to none.
    ///
    /// [`Domain::get`](crate::Domain::get) is answered from it, also for some attributes of an item that is kept
    /// whole; what fills it is read consistently. A read that asks to be [consistent](crate::request::Get::consistent) itself
    /// goes past it, and so do selects. A write that a service ran is not seen by other processes whose cache could
    /// not be told; see [`Cache`](cache_layer::Cache).
    ///
    /// Entries belong to one access key: what only one may read is not given to another.
    #[cfg(feature = "cache")]
    pub fn cache(mut self, cache: cache_layer::Cache) -> Self {
        self.cache.cache(cache);
        self
    }

    /// Builds the client. No connection is opened yet.
    ///
    /// # Errors
    /// [`Kind::Invalid`](crate::Kind::Invalid) when the endpoint or the region cannot be read, they exclude other
    /// settings, or there are no credentials.
    pub fn build(mut self) -> Result<SdbClient> {
        let config = self.dispatch.configure(SIMPLEDB)?;
        let region = self.region.or(config.region);
        let variant = Variant::new(
            self.fips.or(config.fips).unwrap_or(false),
            self.dual_stack.or(config.dual_stack).unwrap_or(false),
        );
        let mut said = self.endpoint.or(config.endpoint);
        let first = region
            .as_deref()
            .is_none_or(|region| region == FIRST_REGION);
        if first && variant == Variant::default() {
            said.get_or_insert_with(|| FIRST_ENDPOINT.to_owned());
        }
        let endpoint = choose_endpoint(SIMPLEDB, said.as_deref(), region.as_deref(), variant)?;
        let dispatch = self.dispatch.build_for(&endpoint)?;
        Ok(SdbClient(Arc::new(Inner {
            services: services(),
            #[cfg(feature = "export")]
            exports: {
                let named = crate::export::region_of(endpoint.origin().host());
                crate::export::Exports::new(region.as_deref().unwrap_or(named))
            },
            endpoint,
            in_url: self.in_url,
            #[cfg(feature = "cache")]
            cache: Through::new(&dispatch, self.cache)?,
            dispatch,
        })))
    }
}

aws_core::settings!(SdbBuilder);

#[cfg(test)]
mod tests {
    use super::*;
    use aws_core::Credentials;

    /// A future is as large as all that it may ever hold, and is moved with it.
    #[test]
    fn futures_of_small_requests_are_small() {
        let builder = SdbClient::builder().endpoint("http://h");
        let client = builder.credentials(Credentials::new("id", "secret"));
        let users = client.build().unwrap().domain("users");
        let sizes = [
            ("get", size_of_val(&users.get("k").send())),
            ("put", size_of_val(&users.put("k").add("a", "v").send())),
            ("delete", size_of_val(&users.delete("k").send())),
        ];
        for (verb, bytes) in sizes {
            assert!(bytes <= 800, "{verb}: {bytes} bytes; all: {sizes:?}");
        }
    }
}
