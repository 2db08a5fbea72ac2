//! Operations through a [cache](cache_layer::Cache): what is answered from it, and what a write makes old.
//!
//! **Whose entries they are.** An owner's name is a digest keyed by the secret of its credentials: who knows the access
//! key alone finds nothing, and new keys begin with no entries. The digest is all of them that reaches memcached.
//!
//! **Which server they are of** is what the endpoint says, host and port, whatever the addressing of buckets is. A store
//! that clients reach under several names has entries under each of them, and a write under one name is not seen under
//! another before the time to live is over: give all clients the same endpoint.
//!
//! **What is kept** is an answer that the operation could parse. What cannot be parsed when it comes from the cache is
//! deleted, and asked for anew. Header fields that a [middleware](crate::event::Middleware) adds are not looked at: an
//! answer that such a field changes, a range for example, would be kept as that of all, so a middleware must not add
//! one to clients with a cache. [`CacheMode::Past`] and fields of the request's own go past it.
//!
//! **The time of a request is its own.** What it shares with others is loaded in a task, with the client's time for an
//! operation, or the request's own where that is longer; the request waits for it no longer than its own time.

use std::borrow::Cow;
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::Deref;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::{BufMut, Bytes, BytesMut};
use cache_layer::{Cache, Entry, Found, Loaded, Missed, Name, Source, Want};
use hmac::{Hmac, KeyInit, Mac};
use pipeline_pool::{Head, Origin, Request, Sent};
use sha2::Sha256;
use tokio::time::{Instant, timeout_at};

use crate::body::Body;
use crate::classify::Idempotency;
use crate::credentials::Credentials;
use crate::dispatch::verdict::Failure;
use crate::dispatch::{Dispatch, after, service_error, site};
use crate::endpoint::Place;
use crate::error::{Error, Kind, Result};
use crate::operation::{Answer, Attempt, Operation, Redirect, Service};
use crate::overrides::Overrides;

/// The most bytes of an error's body that are read.
const MAX_ERROR: usize = 64 << 10;

/// Fields of an answer that are of its connection or of that one request, and are not kept.
const PASSING: [&str; 9] = [
    "connection",
    "content-length",
    "date",
    "keep-alive",
    "server",
    "transfer-encoding",
    "x-amz-id-2",
    "x-amz-request-id",
    "x-amzn-requestid",
];

/// What an operation has to do with a cache.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum CacheUse<'a> {
    /// Nothing.
    #[default]
    Past,
    /// Its answer is what is kept of this thing of its bucket or domain.
    Read(Cow<'a, str>),
    /// It can be answered from what is kept of this thing, and its own answer is not kept.
    Peek(Cow<'a, str>),
    /// It changes these things of its bucket or domain.
    Write(Vec<Cow<'a, str>>),
    /// It changes things of its bucket or domain that nobody can name.
    WriteAll,
}

/// What a request does with the cache of its client.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CacheMode {
    /// It is answered from the cache, or fills it.
    #[default]
    Use,
    /// It asks the service, and fills the cache with its answer.
    Refresh,
    /// It does not touch the cache. A write does in any case.
    Past,
}

/// A whole answer, as it is kept.
#[derive(Clone, Debug)]
pub struct Kept {
    /// Status and fields; those of one connection or one request are left out.
    pub head: Head,
    /// The body.
    pub body: Bytes,
}

/// A cache, and whose entries a client has in it.
pub(crate) struct Caching {
    pub(crate) cache: Cache,
    /// Set by hand, instead of from the credentials.
    pub(crate) owner: Option<Arc<str>>,
    /// The last credentials and what their owner is called.
    last: RwLock<Option<(Credentials, Arc<str>)>>,
}

impl Caching {
    pub(crate) fn new(cache: Cache, owner: Option<Arc<str>>) -> Self {
        Self {
            cache,
            owner,
            last: RwLock::new(None),
        }
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
}

/// A name that only the holder of the secret can tell, and that does not tell the secret: 96 bits of HMAC-SHA256 under
/// the secret, of the access key and the session token.
fn owner_of(credentials: &Credentials) -> String {
    // A key of HMAC may have any length.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(credentials.secret_key().as_bytes()) else {
        return String::new();
    };
    mac.update(b"the owner of entries in a cache");
    let token = credentials.session_token().unwrap_or_default();
    for part in [credentials.access_key(), token] {
        mac.update(&(part.len() as u64).to_be_bytes());
        mac.update(part.as_bytes());
    }
    URL_SAFE_NO_PAD.encode(&mac.finalize().into_bytes()[..12])
}

/// What an entry says to an operation.
enum Told<T> {
    /// This.
    Outcome(Result<T>),
    /// Nothing: only the service knows.
    Nothing,
    /// Nothing that makes sense.
    Damaged,
}

impl Dispatch {
    /// Runs an operation as [`call`](Self::call), through the cache if there is one.
    ///
    /// # Errors
    /// As [`call`](Self::call); that a thing does not exist may be known from the cache.
    pub async fn call_cached<O, S>(&self, service: S, operation: O) -> Result<O::Output>
    where
        O: Operation + 'static,
        S: Deref<Target = O::Service> + Clone + Send + Sync + 'static,
    {
        let Some(caching) = self.caching() else {
            return self.call(&*service, &operation).await;
        };
        let overrides = operation.overrides();
        let mode = overrides.map_or(CacheMode::Use, Overrides::cache_mode);
        let own_headers = overrides.is_some_and(|o| !o.headers().is_empty());
        if mode == CacheMode::Past || own_headers {
            return self.call(&*service, &operation).await;
        }
        match operation.cache() {
            CacheUse::Read(key) => {
                let name = self.name(caching, &operation, &key).await?;
                let missed = match mode {
                    CacheMode::Refresh => None,
                    _ => match caching.cache.find(&name, O::NAME).await {
                        Ok((entry, _)) => match told(&*service, &operation, &entry, true) {
                            Told::Outcome(outcome) => return outcome,
                            Told::Nothing => return self.call(&*service, &operation).await,
                            Told::Damaged => Some(Box::pin(caching.cache.discard(&name)).await),
                        },
                        Err(missed) => Some(missed),
                    },
                };
                // Boxed, so that a hit does not pay for what a miss takes.
                Box::pin(self.read_cached(caching, &name, missed, service, operation)).await
            }
            CacheUse::Peek(key) if mode == CacheMode::Use => {
                let name = self.name(caching, &operation, &key).await?;
                if let Some(entry) = caching.cache.peek(&name, O::NAME).await {
                    match told(&*service, &operation, &entry, true) {
                        Told::Outcome(outcome) => return outcome,
                        Told::Nothing => {}
                        Told::Damaged => {
                            drop(Box::pin(caching.cache.discard(&name)).await);
                        }
                    }
                }
                self.call(&*service, &operation).await
            }
            _ => self.call(&*service, &operation).await,
        }
    }

    async fn name<O: Operation>(
        &self,
        caching: &Caching,
        operation: &O,
        key: &str,
    ) -> Result<Name> {
        let (credentials, _) = self.signing().await?;
        let owner = caching.owner(&credentials);
        Ok(caching.cache.name_in(&owner, &group(operation), key))
    }

    async fn read_cached<O, S>(
        &self,
        caching: &Caching,
        name: &Name,
        missed: Option<Missed>,
        service: S,
        operation: O,
    ) -> Result<O::Output>
    where
        O: Operation + 'static,
        S: Deref<Target = O::Service> + Clone + Send + Sync + 'static,
    {
        let operation = Arc::new(operation);
        let max = caching.cache.max_value();
        let usual = self.timeout().saturating_add(operation.extra_time());
        let limit = operation.overrides().and_then(Overrides::get_timeout);
        let limit = limit.unwrap_or(usual);
        let began = Instant::now();
        let load = {
            let (dispatch, service, operation) = (self.clone(), service.clone(), operation.clone());
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
            terms: self.terms(&*operation),
        };
        let found = async {
            match missed {
                Some(missed) => caching.cache.fetch(name, want, missed, load).await,
                None => caching.cache.read(name, want, load).await,
            }
        };
        let found = match tokio::runtime::Handle::try_current() {
            Ok(_) => timeout_at(after(began, limit), found).await.map_err(|_| {
                Error::new(
                    Kind::Timeout,
                    format!("there was no answer within {limit:?}"),
                )
                .with_site(|| site(&*operation, operation.origin()))
            })?,
            // The request itself says what is missing.
            Err(_) => found.await,
        };
        let (entry, source) = match found? {
            Found::Private(answer) => return operation.parse(&*service, answer?),
            Found::Entry(entry, source) => (entry, source),
        };
        match told(&*service, &*operation, &entry, source != Source::Service) {
            Told::Outcome(outcome) => outcome,
            Told::Nothing => self.call(&*service, &*operation).await,
            Told::Damaged => {
                drop(caching.cache.discard(name).await);
                self.call(&*service, &*operation).await
            }
        }
    }

    /// Those who would not fail alike: other clients, and requests that are repeated in another way.
    fn terms<O: Operation>(&self, operation: &O) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.address().hash(&mut hasher);
        if let Some(retry) = operation.overrides().and_then(Overrides::get_retry) {
            format!("{retry:?}").hash(&mut hasher);
        }
        hasher.finish()
    }

    /// Runs an operation that writes, with what it changes deleted from the cache before and after.
    pub(crate) async fn write_cached<O: Operation>(
        &self,
        caching: &Caching,
        service: &O::Service,
        operation: &O,
        changes: CacheUse<'_>,
    ) -> Result<O::Output> {
        let names = match &changes {
            CacheUse::Write(keys) => {
                let (credentials, _) = self.signing().await?;
                let (owner, group) = (caching.owner(&credentials), group(operation));
                let name = |key: &Cow<'_, str>| caching.cache.name_in(&owner, &group, key);
                keys.iter().map(name).collect()
            }
            _ => Vec::new(),
        };
        if changes == CacheUse::WriteAll {
            // For as long as anything can be kept, counted from the end too, should it take long.
            let all = Forget(caching, caching.cache.name_in("", &group(operation), ""));
            all.forget();
            let outcome = self.attempts(service, operation, &mut false).await;
            drop(all);
            return outcome;
        }
        let writing = caching.cache.write(names, true).await;
        // Whether an attempt went unanswered, and may run still.
        let mut loose = false;
        let outcome = self.attempts(service, operation, &mut loose).await;
        let certain = !loose
            && match &outcome {
                Ok(_) => true,
                Err(error) => !Failure::of(error).may_still_run(),
            };
        let wrote = match &outcome {
            Ok(output) if caching.cache.writes_through() => operation.wrote(output),
            _ => None,
        };
        let entry = wrote.map(|kept| entry(operation, &kept, false));
        writing.finish(certain, entry).await;
        outcome
    }
}

/// Forgets a group when it is dropped.
struct Forget<'a>(&'a Caching, Name);

impl Forget<'_> {
    fn forget(&self) {
        self.0.cache.forget_group(&self.1);
    }
}

impl Drop for Forget<'_> {
    fn drop(&mut self) {
        self.forget();
    }
}

/// What things of one bucket or domain at one server have in common.
fn group<O: Operation>(operation: &O) -> [&str; 6] {
    let resource = operation.resource().map_or("", |name| &**name);
    let authority = operation.origin().authority();
    [O::Service::NAME, ":", authority, "/", resource, "/"]
}

/// Fetches what an operation answers with, to be kept if it can be.
async fn load<O, S>(
    dispatch: Dispatch,
    service: S,
    raw: Raw<O>,
    max: usize,
) -> Result<Loaded<Result<Answer>>>
where
    O: Operation,
    S: Deref<Target = O::Service>,
{
    match fetch(&dispatch, &*service, &raw, max).await {
        // Whose time it was that is over matters to nobody else.
        Err(error) if error.kind() == Kind::Timeout => Ok(Loaded::Own(Err(error))),
        other => other,
    }
}

async fn fetch<O: Operation>(
    dispatch: &Dispatch,
    service: &O::Service,
    raw: &Raw<O>,
    max: usize,
) -> Result<Loaded<Result<Answer>>> {
    let answer = dispatch.attempts(service, raw, &mut false).await?;
    let operation = &*raw.operation;
    let status = answer.head.status();
    let absent = status == 404 && !operation.accepts(status);
    if absent {
        let Answer { head, body, .. } = answer;
        let body = dispatch.in_time(body.bytes(MAX_ERROR)).await?;
        let kept = Kept { head, body };
        return match operation.is_absence(&kept) {
            true => Ok(Loaded::Entry(entry(operation, &kept, true))),
            false => Err(absence(service, operation, &kept)),
        };
    }
    let small = |bytes: u64| bytes <= max as u64;
    let fits = match (answer.body.as_whole(), answer.body.remaining()) {
        (Some(bytes), _) => small(bytes.len() as u64),
        (None, Some(bytes)) => small(bytes),
        (None, None) => false,
    };
    if status != 200 || !fits || !operation.may_be_kept(&answer.head) {
        return Ok(Loaded::Private(Ok(answer)));
    }
    let Answer { head, body, .. } = answer;
    let body = dispatch.in_time(body.bytes(max)).await?;
    let kept = Kept { head, body };
    let absent = operation.is_absence(&kept);
    Ok(Loaded::Entry(entry(operation, &kept, absent)))
}

fn entry<O: Operation>(operation: &O, kept: &Kept, absent: bool) -> Entry {
    let mut head = BytesMut::with_capacity(256);
    head.put_u16(kept.head.status());
    for (name, value) in kept.head.headers() {
        if !PASSING.iter().any(|p| name.eq_ignore_ascii_case(p)) {
            head.put_slice(name.as_bytes());
            head.put_slice(b": ");
            head.put_slice(value);
            head.put_slice(b"\r\n");
        }
    }
    // That of a body in chunks is known by now.
    head.put_slice(format!("content-length: {}\r\n", kept.body.len()).as_bytes());
    Entry {
        absent,
        cost: operation.cost(kept),
        head: head.freeze(),
        body: kept.body.clone(),
    }
}

fn kept(entry: &Entry) -> Option<Kept> {
    let (status, fields) = entry.head.split_first_chunk()?;
    let fields = entry.head.slice_ref(fields);
    Some(Kept {
        head: Head::from_lines(u16::from_be_bytes(*status), fields)?,
        body: entry.body.clone(),
    })
}

/// What an operation makes of an entry.
fn told<O: Operation>(
    service: &O::Service,
    operation: &O,
    entry: &Entry,
    cached: bool,
) -> Told<O::Output> {
    let Some(kept) = kept(entry) else {
        return Told::Damaged;
    };
    if kept.head.status() == 404 {
        return Told::Outcome(Err(absence(service, operation, &kept)));
    }
    let kept = match cached {
        true => match operation.out_of(kept) {
            Some(kept) => kept,
            None => return Told::Nothing,
        },
        false => kept,
    };
    let site = site(operation, operation.origin());
    let answer = Answer {
        head: kept.head,
        body: Body::new(kept.body.into(), site),
        cached,
    };
    match operation.parse(service, answer) {
        Err(_) if cached => Told::Damaged,
        outcome => Told::Outcome(outcome),
    }
}

/// The error of a thing that does not exist.
fn absence<O: Operation>(service: &O::Service, operation: &O, kept: &Kept) -> Error {
    let now = std::time::SystemTime::now();
    let (error, _) = service_error(service, operation.resource(), &kept.head, &kept.body, now);
    error
        .with_attempts(1, Sent::All)
        .with_site(|| site(operation, operation.origin()))
}

/// An operation whose answer is looked at, so that one that makes no sense is tried again as it is without a cache, and
/// handed on as it came.
struct Raw<O> {
    operation: Arc<O>,
    overrides: Overrides,
}

impl<O: Operation> Raw<O> {
    /// With this time for all of it.
    fn new(operation: Arc<O>, limit: Duration) -> Self {
        let mut overrides = operation.overrides().cloned().unwrap_or_default();
        overrides.timeout(limit.max(Duration::from_millis(1)));
        Self {
            operation,
            overrides,
        }
    }
}

impl<O: Operation> Operation for Raw<O> {
    type Service = O::Service;
    type Output = Answer;
    const NAME: &'static str = O::NAME;
    const STREAMS: bool = O::STREAMS;

    fn idempotency(&self) -> Idempotency {
        self.operation.idempotency()
    }

    fn origin(&self) -> &Origin {
        self.operation.origin()
    }

    fn resource(&self) -> Option<&Arc<str>> {
        self.operation.resource()
    }

    fn key(&self) -> Option<Cow<'_, str>> {
        self.operation.key()
    }

    fn place(&self, service: &Self::Service) -> Option<Place> {
        self.operation.place(service)
    }

    fn redirect(
        &self,
        service: &Self::Service,
        redirect: &Redirect<'_>,
    ) -> std::result::Result<Option<Place>, String> {
        self.operation.redirect(service, redirect)
    }

    fn overrides(&self) -> Option<&Overrides> {
        Some(&self.overrides)
    }

    fn request(&self, service: &Self::Service, attempt: &Attempt<'_>) -> Result<Request> {
        self.operation.request(service, attempt)
    }

    fn extra_time(&self) -> std::time::Duration {
        self.operation.extra_time()
    }

    fn can_repeat(&self) -> bool {
        self.operation.can_repeat()
    }

    fn accepts(&self, status: u16) -> bool {
        // That it does not exist is worth keeping.
        self.operation.accepts(status) || (O::STREAMS && status == 404)
    }

    fn parse(&self, service: &Self::Service, answer: Answer) -> Result<Answer> {
        let accepted = self.operation.accepts(answer.head.status());
        // A body that streams says nothing yet.
        let body = match answer.body.as_whole() {
            Some(body) => body.clone(),
            None => Bytes::new(),
        };
        if accepted {
            let site = site(&*self.operation, self.operation.origin());
            self.operation.parse(
                service,
                Answer {
                    head: answer.head.clone(),
                    body: Body::new(body.into(), site),
                    // It is no further answer to be counted.
                    cached: true,
                },
            )?;
        }
        Ok(answer)
    }
}

impl fmt::Debug for Caching {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Caching")
            .field("cache", &self.cache)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_owner_is_told_by_the_secret_and_does_not_tell_it() {
        let owner = |id: &str, secret: &str| owner_of(&Credentials::new(id, secret));
        let known = owner("AKID", "secret");
        assert_eq!(known.len(), 16);
        assert_eq!(known, owner("AKID", "secret"));
        assert_ne!(known, owner("AKID", "wrong"));
        assert_ne!(known, owner("AKIE", "secret"));
        let with =
            |id: &str, token: &str| owner_of(&Credentials::new(id, "secret").with_token(token));
        assert_ne!(known, with("AKID", "token"));
        assert_ne!(with("AKID", "token"), with("AKID", "other"));
        assert_ne!(with("AKIDt", "oken"), with("AKID", "token"));
        assert!(!known.contains("AKID") && !known.contains("secret"));
    }
}
