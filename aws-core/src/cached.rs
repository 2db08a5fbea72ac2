//! Operations through a [cache](cache_layer::Cache): what is answered from it, and what a write makes old.

use std::borrow::Cow;
use std::fmt;
use std::ops::Deref;
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::{BufMut, Bytes, BytesMut};
use cache_layer::{Cache, Entry, Found, Loaded, Missed, Name, Source, Want};
use pipeline_pool::{Head, Origin, Request, Sent};
use sha2::{Digest, Sha256};

use crate::body::Body;
use crate::classify::Idempotency;
use crate::dispatch::{Dispatch, is_loose, service_error, site};
use crate::endpoint::Place;
use crate::error::{Error, Result};
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
    /// Set by hand, instead of from the access key.
    pub(crate) owner: Option<Arc<str>>,
    /// The last access key and what it is called.
    last: Mutex<Option<(String, String)>>,
}

impl Caching {
    pub(crate) fn new(cache: Cache, owner: Option<Arc<str>>) -> Self {
        Self {
            cache,
            owner,
            last: Mutex::new(None),
        }
    }

    /// Tells what the owner of this access key is called; the key itself does not go to memcached.
    fn with_owner<T>(&self, access_key: &str, told: impl FnOnce(&str) -> T) -> T {
        if let Some(owner) = &self.owner {
            return told(owner);
        }
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        match &*last {
            Some((key, owner)) if key == access_key => told(owner),
            _ => {
                let digest = Sha256::digest(access_key);
                let owner = URL_SAFE_NO_PAD.encode(&digest[..9]);
                let outcome = told(&owner);
                *last = Some((access_key.to_owned(), owner));
                outcome
            }
        }
    }
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
                        Ok((entry, _)) => match answer_with(&*service, &operation, &entry, true) {
                            Some(outcome) => return outcome,
                            None => return self.call(&*service, &operation).await,
                        },
                        Err(missed) => Some(missed),
                    },
                };
                // Boxed, so that a hit does not pay for what a miss takes.
                Box::pin(self.read_cached(caching, &name, missed, service, operation)).await
            }
            CacheUse::Peek(key) if mode == CacheMode::Use => {
                let name = self.name(caching, &operation, &key).await?;
                let entry = caching.cache.peek(&name, O::NAME).await;
                if let Some(outcome) =
                    entry.and_then(|e| answer_with(&*service, &operation, &e, true))
                {
                    return outcome;
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
        let named = |owner: &str| caching.cache.name_in(owner, &group(operation), key);
        Ok(caching.with_owner(credentials.access_key(), named))
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
        let load = {
            let (dispatch, service, operation) = (self.clone(), service.clone(), operation.clone());
            move || load(dispatch.clone(), service.clone(), operation.clone(), max)
        };
        let found = match missed {
            Some(missed) => caching.cache.fetch(name, O::NAME, missed, load).await?,
            None => {
                let want = Want {
                    operation: O::NAME,
                    refresh: true,
                };
                caching.cache.read(name, want, load).await?
            }
        };
        match found {
            Found::Private(answer) => operation.parse(&*service, answer),
            Found::Entry(entry, source) => {
                let cached = source != Source::Service;
                match answer_with(&*service, &*operation, &entry, cached) {
                    Some(outcome) => outcome,
                    None => self.call(&*service, &*operation).await,
                }
            }
        }
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
                let group = group(operation);
                caching.with_owner(credentials.access_key(), |owner| {
                    let name = |key: &Cow<'_, str>| caching.cache.name_in(owner, &group, key);
                    keys.iter().map(name).collect()
                })
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
                Err(error) => !is_loose(error),
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
    operation: Arc<O>,
    max: usize,
) -> Result<Loaded<Answer>>
where
    O: Operation,
    S: Deref<Target = O::Service>,
{
    let answer = dispatch
        .attempts(&*service, &Raw(operation.clone()), &mut false)
        .await?;
    let status = answer.head.status();
    let absent = status == 404 && !operation.accepts(status);
    if absent {
        let Answer { head, body, .. } = answer;
        let body = dispatch.in_time(body.bytes(MAX_ERROR)).await?;
        let kept = Kept { head, body };
        return match operation.is_absence(&kept) {
            true => Ok(Loaded::Entry(entry(&*operation, &kept, true))),
            false => Err(absence(&*service, &*operation, &kept)),
        };
    }
    let small = |bytes: u64| bytes <= max as u64;
    let fits = match (answer.body.as_whole(), answer.body.remaining()) {
        (Some(bytes), _) => small(bytes.len() as u64),
        (None, Some(bytes)) => small(bytes),
        (None, None) => false,
    };
    if status != 200 || !fits {
        return Ok(Loaded::Private(answer));
    }
    let Answer { head, body, .. } = answer;
    let body = dispatch.in_time(body.bytes(max)).await?;
    let kept = Kept { head, body };
    let absent = operation.is_absence(&kept);
    Ok(Loaded::Entry(entry(&*operation, &kept, absent)))
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

/// What an operation makes of an entry; nothing if that cannot be told from it.
fn answer_with<O: Operation>(
    service: &O::Service,
    operation: &O,
    entry: &Entry,
    cached: bool,
) -> Option<Result<O::Output>> {
    let kept = kept(entry)?;
    if kept.head.status() == 404 {
        return Some(Err(absence(service, operation, &kept)));
    }
    let kept = if cached {
        operation.out_of(kept)?
    } else {
        kept
    };
    let site = site(operation, operation.origin());
    let answer = Answer {
        head: kept.head,
        body: Body::new(kept.body.into(), site),
        cached,
    };
    Some(operation.parse(service, answer))
}

/// The error of a thing that does not exist.
fn absence<O: Operation>(service: &O::Service, operation: &O, kept: &Kept) -> Error {
    let now = std::time::SystemTime::now();
    let (error, _) = service_error(service, operation.resource(), &kept.head, &kept.body, now);
    error
        .with_attempts(1, Sent::All)
        .with_site(|| site(operation, operation.origin()))
}

/// An operation whose answer is not read yet.
struct Raw<O>(Arc<O>);

impl<O: Operation> Operation for Raw<O> {
    type Service = O::Service;
    type Output = Answer;
    const NAME: &'static str = O::NAME;
    const STREAMS: bool = O::STREAMS;

    fn idempotency(&self) -> Idempotency {
        self.0.idempotency()
    }

    fn origin(&self) -> &Origin {
        self.0.origin()
    }

    fn resource(&self) -> Option<&Arc<str>> {
        self.0.resource()
    }

    fn key(&self) -> Option<Cow<'_, str>> {
        self.0.key()
    }

    fn place(&self, service: &Self::Service) -> Option<Place> {
        self.0.place(service)
    }

    fn redirect(
        &self,
        service: &Self::Service,
        redirect: &Redirect<'_>,
    ) -> std::result::Result<Option<Place>, String> {
        self.0.redirect(service, redirect)
    }

    fn overrides(&self) -> Option<&Overrides> {
        self.0.overrides()
    }

    fn request(&self, service: &Self::Service, attempt: &Attempt<'_>) -> Result<Request> {
        self.0.request(service, attempt)
    }

    fn extra_time(&self) -> std::time::Duration {
        self.0.extra_time()
    }

    fn can_repeat(&self) -> bool {
        self.0.can_repeat()
    }

    fn accepts(&self, status: u16) -> bool {
        // That it does not exist is worth keeping.
        self.0.accepts(status) || (O::STREAMS && status == 404)
    }

    fn parse(&self, _: &Self::Service, answer: Answer) -> Result<Answer> {
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
