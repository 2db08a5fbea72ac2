//! A dispatcher behind a cache: what reads and writes ask of both.

use std::fmt;
use std::ops::Deref;
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

use cache_layer::{Cache, Found, Missed, Name, Source, Want};
use tokio::time::{Instant, timeout_at};

use super::cacheable::{Cacheable, Lookup};
use super::load::{Raw, load};
use super::policy::{EntryVerdict, Settings, entry, group, owner_of, terms, told};
use crate::credentials::Credentials;
use crate::dispatch::verdict::Failure;
use crate::dispatch::{Dispatch, after, trace};
use crate::error::{Error, Kind, Result, Site};
use crate::measure;
use crate::operation::{Changes, Operation};
use crate::overrides::{CacheMode, Overrides};

/// Runs operations through a cache.
pub struct Through {
    dispatch: Dispatch,
    cache: Cache,
    /// Set by hand, instead of from the credentials.
    owner: Option<Arc<str>>,
    /// The last credentials and what their owner is called.
    last: RwLock<Option<(Credentials, Arc<str>)>>,
    /// Set once a read has been made in a runtime with a timer, which the cache cannot do without.
    timed: OnceLock<()>,
}

impl Through {
    /// A dispatcher behind the cache of these settings, where they name one.
    ///
    /// # Errors
    /// [`Kind::Invalid`] when there is an owner of entries in the cache and no cache.
    pub fn new(dispatch: &Dispatch, settings: Settings) -> Result<Option<Self>> {
        let Settings { cache, owner } = settings;
        let Some(cache) = cache else {
            return match owner {
                Some(_) => Err(Error::invalid("a cache_owner is set, but no cache")),
                None => Ok(None),
            };
        };
        Ok(Some(Self {
            dispatch: dispatch.clone(),
            cache,
            owner,
            last: RwLock::new(None),
            timed: OnceLock::new(),
        }))
    }

    /// Runs an operation that reads, as [`Dispatch::call`] does, and answers it from the cache where that can be.
    ///
    /// # Errors
    /// As [`Dispatch::call`]; that a thing does not exist may be known from the cache.
    pub async fn read<O, S>(&self, service: S, operation: O) -> Result<O::Output>
    where
        O: Cacheable + 'static,
        S: Deref<Target = O::Service> + Clone + Send + Sync + 'static,
    {
        if trace::listens() {
            let span = trace::span_of(&*service, &operation, self.dispatch.keys());
            return Box::pin(trace::within(span, self.read_in_span(service, operation))).await;
        }
        self.read_in_span(service, operation).await
    }

    async fn read_in_span<O, S>(&self, service: S, operation: O) -> Result<O::Output>
    where
        O: Cacheable + 'static,
        S: Deref<Target = O::Service> + Clone + Send + Sync + 'static,
    {
        let overrides = operation.overrides();
        let mode = overrides.map_or(CacheMode::Use, Overrides::cache_mode);
        let own_headers = overrides.is_some_and(|o| !o.headers().is_empty());
        if mode == CacheMode::Past || own_headers || !self.is_timed() {
            measure::cache_read::<O>("past");
            return self.dispatch.call_in_span(&*service, &operation).await;
        }
        let keys = self.dispatch.keys();
        match operation.lookup() {
            Lookup::Whole(key) => {
                let name = self.name(&operation, key).await?;
                let missed = match mode {
                    CacheMode::Refresh => None,
                    _ => match self.cache.find(&name, O::NAME).await {
                        Ok((entry, _)) => match told(&*service, &operation, &entry, true, keys) {
                            EntryVerdict::Outcome(outcome) => {
                                measure::cache_read::<O>("hit");
                                return outcome;
                            }
                            EntryVerdict::Nothing => {
                                return self.dispatch.call_in_span(&*service, &operation).await;
                            }
                            EntryVerdict::Damaged => {
                                Some(Box::pin(self.cache.discard(&name)).await)
                            }
                        },
                        Err(missed) => Some(missed),
                    },
                };
                // Boxed, so that a hit does not pay for what a miss takes.
                Box::pin(self.fill(&name, missed, service, operation)).await
            }
            Lookup::Part(key) if mode == CacheMode::Use => {
                let name = self.name(&operation, key).await?;
                if let Some(entry) = self.cache.peek(&name, O::NAME).await {
                    match told(&*service, &operation, &entry, true, keys) {
                        EntryVerdict::Outcome(outcome) => {
                            measure::cache_read::<O>("hit");
                            return outcome;
                        }
                        EntryVerdict::Nothing => {}
                        EntryVerdict::Damaged => {
                            drop(Box::pin(self.cache.discard(&name)).await);
                        }
                    }
                }
                measure::cache_read::<O>("miss");
                self.dispatch.call_in_span(&*service, &operation).await
            }
            _ => {
                measure::cache_read::<O>("past");
                self.dispatch.call_in_span(&*service, &operation).await
            }
        }
    }

    /// Whether the runtime has a timer. Without one the request itself says what is missing.
    fn is_timed(&self) -> bool {
        if self.timed.get().is_none() && pipeline_pool::check_timer().is_ok() {
            self.timed.get_or_init(|| ());
        }
        self.timed.get().is_some()
    }

    /// Runs an operation as [`Dispatch::call`] does, with what it [changes](Operation::changes) deleted from the cache
    /// before and after.
    ///
    /// # Errors
    /// As [`Dispatch::call`].
    pub async fn call<O: Operation>(
        &self,
        service: &O::Service,
        operation: &O,
    ) -> Result<O::Output> {
        if trace::listens() {
            let span = trace::span_of(service, operation, self.dispatch.keys());
            return Box::pin(trace::within(span, self.call_in_span(service, operation))).await;
        }
        self.call_in_span(service, operation).await
    }

    async fn call_in_span<O: Operation>(
        &self,
        service: &O::Service,
        operation: &O,
    ) -> Result<O::Output> {
        match operation.changes() {
            Changes::Nothing => self.dispatch.call_in_span(service, operation).await,
            Changes::Keys(keys) => {
                let names = self.names(operation, keys).await?;
                let write = self.cache.write(names, false).await;
                let (outcome, certain) = self.attempts(service, operation).await;
                write.finish(certain, None).await;
                outcome
            }
            Changes::Anything => {
                // For as long as anything can be kept, counted from the end too, should it take long.
                let all = Forget(&self.cache, self.cache.name_in("", &group(operation), ""));
                all.forget();
                let outcome = self.dispatch.call_in_span(service, operation).await;
                drop(all);
                outcome
            }
        }
    }

    /// Runs an operation as [`call`](Self::call) does, and keeps [what it wrote](Cacheable::wrote) where the cache is to
    /// be written through.
    ///
    /// # Errors
    /// As [`Dispatch::call`].
    pub async fn write<O: Cacheable>(
        &self,
        service: &O::Service,
        operation: &O,
    ) -> Result<O::Output> {
        if trace::listens() {
            let span = trace::span_of(service, operation, self.dispatch.keys());
            return Box::pin(trace::within(span, self.write_in_span(service, operation))).await;
        }
        self.write_in_span(service, operation).await
    }

    async fn write_in_span<O: Cacheable>(
        &self,
        service: &O::Service,
        operation: &O,
    ) -> Result<O::Output> {
        let Changes::Keys(keys) = operation.changes() else {
            return self.call_in_span(service, operation).await;
        };
        let names = self.names(operation, keys).await?;
        let write = self.cache.write(names, true).await;
        let (outcome, certain) = self.attempts(service, operation).await;
        let wrote = match &outcome {
            Ok(output) if self.cache.writes_through() => operation.wrote(output),
            _ => None,
        };
        let entry = wrote.map(|snapshot| entry(operation, &snapshot, false));
        write.finish(certain, entry).await;
        outcome
    }

    /// The attempts of an operation, and whether none of them can run any more.
    async fn attempts<O: Operation>(
        &self,
        service: &O::Service,
        operation: &O,
    ) -> (Result<O::Output>, bool) {
        let (outcome, mut may_still_run) = self.dispatch.attempts(service, operation).await;
        let failed = outcome.as_ref().err();
        may_still_run |= failed.is_some_and(|error| Failure::of(error).may_still_run());
        (outcome, !may_still_run)
    }

    async fn name<O: Operation>(&self, operation: &O, key: &str) -> Result<Name> {
        let (credentials, _) = self.dispatch.signing().await?;
        let owner = self.owner(&credentials);
        Ok(self.cache.name_in(&owner, &group(operation), key))
    }

    async fn names<O: Operation>(&self, operation: &O, keys: Vec<&str>) -> Result<Vec<Name>> {
        let (credentials, _) = self.dispatch.signing().await?;
        let (owner, group) = (self.owner(&credentials), group(operation));
        let names = keys
            .iter()
            .map(|key| self.cache.name_in(&owner, &group, key));
        Ok(names.collect())
    }

    /// What the owner of these credentials is called.
    fn owner(&self, credentials: &Credentials) -> Arc<str> {
        if let Some(owner) = &self.owner {
            return owner.clone();
        }
        {
            let last = self.last.read().unwrap_or_else(PoisonError::into_inner);
            // Clones of one value, as a provider gives them, are compared by address.
            if let Some((known, owner)) = &*last
                && known == credentials
            {
                return owner.clone();
            }
        }
        let owner: Arc<str> = owner_of(credentials).into();
        let mut last = self.last.write().unwrap_or_else(PoisonError::into_inner);
        *last = Some((credentials.clone(), owner.clone()));
        owner
    }

    /// Reads from the service what the cache lacks, together with all who ask for it meanwhile.
    async fn fill<O, S>(
        &self,
        name: &Name,
        missed: Option<Missed>,
        service: S,
        operation: O,
    ) -> Result<O::Output>
    where
        O: Cacheable + 'static,
        S: Deref<Target = O::Service> + Clone + Send + Sync + 'static,
    {
        let operation = Arc::new(operation);
        let (max, keys) = (self.cache.max_value(), self.dispatch.keys());
        let usual = self.dispatch.timeout();
        let usual = usual.saturating_add(operation.extra_time());
        let limit = operation.overrides().and_then(Overrides::get_timeout);
        let limit = limit.unwrap_or(usual);
        let began = Instant::now();
        let load = {
            let dispatch = self.dispatch.clone();
            let (service, operation) = (service.clone(), operation.clone());
            move || {
                // A little less than is left, so that it says itself what took so long.
                let left = limit.max(usual).saturating_sub(began.elapsed());
                let raw = Raw::new(operation.clone(), left - left / 100);
                load(dispatch.clone(), service.clone(), raw, max)
            }
        };
        let want = Want {
            operation: O::NAME,
            refresh: missed.is_none(),
            terms: terms(self.dispatch.address(), &*operation),
        };
        let found = async {
            match missed {
                Some(missed) => self.cache.fetch(name, want, missed, load).await,
                None => self.cache.read(name, want, load).await,
            }
        };
        let found = match tokio::runtime::Handle::try_current() {
            Ok(_) => timeout_at(after(began, limit), found).await.map_err(|_| {
                Error::new(
                    Kind::Timeout,
                    format!("there was no answer within {limit:?} (the setter timeout)"),
                )
                .with_site(|| Site::keyed(&*operation, operation.origin(), keys))
            })?,
            // The request itself says what is missing.
            Err(_) => found.await,
        };
        let (entry, source) = match found? {
            Found::Private(answer) => {
                measure::cache_read::<O>("miss");
                return operation.parse(&*service, answer?);
            }
            Found::Entry(entry, source) => (entry, source),
        };
        let cached = source != Source::Service;
        measure::cache_read::<O>(if cached { "hit" } else { "miss" });
        match told(&*service, &*operation, &entry, cached, keys) {
            EntryVerdict::Outcome(outcome) => outcome,
            EntryVerdict::Nothing => self.dispatch.call_in_span(&*service, &*operation).await,
            EntryVerdict::Damaged => {
                drop(self.cache.discard(name).await);
                self.dispatch.call_in_span(&*service, &*operation).await
            }
        }
    }
}

/// Forgets a group when it is dropped.
struct Forget<'a>(&'a Cache, Name);

impl Forget<'_> {
    fn forget(&self) {
        self.0.forget_group(&self.1);
    }
}

impl Drop for Forget<'_> {
    fn drop(&mut self) {
        self.forget();
    }
}

impl fmt::Debug for Through {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Through")
            .field("cache", &self.cache)
            .finish_non_exhaustive()
    }
}
