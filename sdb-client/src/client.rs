use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use aws_core::dispatch::{Dispatch, DispatchBuilder};
use aws_core::{Clock, Endpoint, Operation, ProvideCredentials, Result, RetryConfig, Transport};
use pipeline_pool::HttpPool;

use crate::domain::Domain;
use crate::ops::domains::ListDomains;
use crate::ops::select::Select;
use crate::usage::TotalUsage;
use crate::wire::Sdb;

/// A client of one SimpleDB endpoint; cheap to clone.
#[derive(Clone)]
pub struct SdbClient(Arc<Inner>);

struct Inner {
    endpoint: Endpoint,
    service: Sdb,
    dispatch: Dispatch,
}

impl SdbClient {
    /// A builder with the defaults.
    pub fn builder() -> SdbBuilder {
        SdbBuilder {
            endpoint: "https://sdb.amazonaws.com".to_owned(),
            dispatch: Dispatch::builder(),
        }
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

    /// Finds items by an expression; put values into it by [`quote_value`](crate::quote_value) and names by
    /// [`quote_name`](crate::quote_name).
    ///
    /// [Select](https://docs.aws.amazon.com/AmazonSimpleDB/latest/DeveloperGuide/SDB_API_Select.html)
    pub fn select(&self, expression: impl Into<String>) -> Select {
        Select::new(self.clone(), expression.into())
    }

    /// What all answers so far have cost; clones of a client count together.
    pub fn usage(&self) -> TotalUsage {
        self.0.service.meter.total()
    }

    /// Where requests go.
    pub fn endpoint(&self) -> &Endpoint {
        &self.0.endpoint
    }

    pub(crate) async fn call<O: Operation<Service = Sdb>>(
        &self,
        operation: &O,
    ) -> Result<O::Output> {
        self.0.dispatch.call(&self.0.service, operation).await
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

/// Builds an [`SdbClient`].
#[derive(Debug)]
#[must_use = "nothing is built before build()"]
pub struct SdbBuilder {
    endpoint: String,
    dispatch: DispatchBuilder,
}

impl SdbBuilder {
    /// The address of the service: `http://host[:port]` or `https://host[:port]`. Defaults to
    /// `https://sdb.amazonaws.com`.
    pub fn endpoint(mut self, url: impl Into<String>) -> Self {
        self.endpoint = url.into();
        self
    }

    /// Whose requests they are: fixed [`Credentials`](crate::Credentials), or a
    /// [provider](crate::credentials) of them, asked once and again before they expire. Has no default.
    pub fn credentials(mut self, provider: impl ProvideCredentials + 'static) -> Self {
        self.dispatch.credentials(provider);
        self
    }

    /// Sends over this pool, which other clients can share. Defaults to one of its own.
    pub fn pool(self, pool: HttpPool) -> Self {
        self.transport(pool)
    }

    /// Sends over this transport instead of a pool.
    pub fn transport(mut self, transport: impl Transport + 'static) -> Self {
        self.dispatch.transport(transport);
        self
    }

    /// How failed attempts are repeated. Defaults to [`RetryConfig::new`].
    pub fn retry(mut self, retry: RetryConfig) -> Self {
        self.dispatch.retry(retry);
        self
    }

    /// The longest time of one request, all its attempts and pauses included. Defaults to 30 s.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.dispatch.timeout(timeout);
        self
    }

    /// Tells the time by this clock. Defaults to the system's, corrected by what the server says of it.
    pub fn clock(mut self, clock: Clock) -> Self {
        self.dispatch.clock(clock);
        self
    }

    /// The client. Nothing is connected yet.
    ///
    /// # Errors
    /// [`Kind::Invalid`](crate::Kind::Invalid) when the endpoint cannot be read or there are no credentials.
    pub fn build(self) -> Result<SdbClient> {
        let endpoint = Endpoint::parse(&self.endpoint)?;
        let dispatch = self.dispatch.build()?;
        Ok(SdbClient(Arc::new(Inner {
            endpoint,
            service: Sdb::default(),
            dispatch,
        })))
    }
}
