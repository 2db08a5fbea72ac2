//! What is kept of an answer, under which name, and what it says later: decided without the cache at hand.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::{BufMut, BytesMut};
use cache_layer::{Cache, Entry};
use hmac::{Hmac, KeyInit, Mac};
use pipeline_pool::{Head, Sent};
use sha2::Sha256;

use super::cacheable::{Cacheable, Snapshot};
use crate::body::Body;
use crate::credentials::Credentials;
use crate::dispatch::service_error;
use crate::error::{Error, Result, Site};
use crate::operation::{Answer, Operation, Service};
use crate::overrides::Overrides;
use crate::visibility::KeyVisibility;

/// Fields of an answer that are of its connection or of that one request, and are not kept: of every service.
const PASSING_FIELDS: [&str; 8] = [
    "connection",
    "content-length",
    "date",
    "keep-alive",
    "server",
    "transfer-encoding",
    "x-amz-request-id",
    "x-amzn-requestid",
];

/// The cache that the builder of a client is given, and whose entries it has there. Defaults to none.
#[derive(Debug, Default)]
pub struct Settings {
    pub(super) cache: Option<Cache>,
    pub(super) owner: Option<Arc<str>>,
}

impl Settings {
    /// Reads through this cache, where operations can, and has every write tell it.
    pub fn cache(&mut self, cache: Cache) {
        self.cache = Some(cache);
    }

    /// Says whose entries in the cache the client has: clients that name the same owner share them, and must be
    /// allowed to read the same. Defaults to an owner of their own for each set of
    /// credentials: an access key, its secret and its session token.
    pub fn owner(&mut self, owner: impl Into<Arc<str>>) {
        self.owner = Some(owner.into());
    }
}

/// A name that only the holder of the secret can tell, and that does not tell the secret: 96 bits of HMAC-SHA256 under
/// the secret, of the access key and the session token.
pub(super) fn owner_of(credentials: &Credentials) -> String {
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

/// What the names of things of one resource at one server begin with.
pub(super) fn group<O: Operation>(operation: &O) -> [&str; 6] {
    let resource = operation.resource().map_or("", |name| &**name);
    let authority = operation.origin().authority();
    [O::Service::NAME, ":", authority, "/", resource, "/"]
}

/// What reads must have in common to share one answer of the service, its failure included: the client, by a number
/// that tells it from others, and how the request is repeated.
pub(super) fn terms<O: Operation>(client: usize, operation: &O) -> u64 {
    let mut hasher = DefaultHasher::new();
    client.hash(&mut hasher);
    if let Some(retry) = operation.overrides().and_then(Overrides::get_retry) {
        format!("{retry:?}").hash(&mut hasher);
    }
    hasher.finish()
}

/// What is kept of an answer.
pub(super) fn entry<O: Cacheable>(operation: &O, snapshot: &Snapshot, absent: bool) -> Entry {
    let mut head = BytesMut::with_capacity(256);
    head.put_u16(snapshot.head.status());
    let passes = |name: &str| {
        let mut passing = PASSING_FIELDS.iter().chain(O::PASSING_FIELDS);
        passing.any(|other| name.eq_ignore_ascii_case(other))
    };
    for (name, value) in snapshot.head.headers() {
        if !passes(name) {
            head.put_slice(name.as_bytes());
            head.put_slice(b": ");
            head.put_slice(value);
            head.put_slice(b"\r\n");
        }
    }
    // That of a body in chunks is known by now.
    head.put_slice(format!("content-length: {}\r\n", snapshot.body.len()).as_bytes());
    Entry {
        absent,
        cost: operation.cost(snapshot),
        head: head.freeze(),
        body: snapshot.body.clone(),
    }
}

/// The answer that an entry was made of.
fn snapshot(entry: &Entry) -> Option<Snapshot> {
    let (status, fields) = entry.head.split_first_chunk()?;
    let fields = entry.head.slice_ref(fields);
    Some(Snapshot {
        head: Head::from_lines(u16::from_be_bytes(*status), fields)?,
        body: entry.body.clone(),
    })
}

/// What an entry says to an operation.
pub(super) enum EntryVerdict<T> {
    /// It answers the operation: with what is kept, or with the error of a thing that does not exist.
    Outcome(Result<T>),
    /// It does not answer this operation: only the service can.
    Nothing,
    /// It cannot be read, and has to be removed.
    Damaged,
}

/// What an operation makes of an entry, which comes out of the cache, or was made just now for this operation.
pub(super) fn told<O: Cacheable>(
    service: &O::Service,
    operation: &O,
    entry: &Entry,
    cached: bool,
    keys: KeyVisibility,
) -> EntryVerdict<O::Output> {
    let Some(snapshot) = snapshot(entry) else {
        return EntryVerdict::Damaged;
    };
    if snapshot.head.status() == 404 {
        return EntryVerdict::Outcome(Err(absence(service, operation, &snapshot, keys)));
    }
    let snapshot = match cached {
        true => match operation.out_of(snapshot) {
            Some(snapshot) => snapshot,
            None => return EntryVerdict::Nothing,
        },
        false => snapshot,
    };
    let site = Site::of(operation, operation.origin());
    let answer = Answer {
        head: snapshot.head,
        body: Body::new(snapshot.body.into(), site),
        cached,
    };
    match operation.parse(service, answer) {
        Err(_) if cached => EntryVerdict::Damaged,
        outcome => {
            EntryVerdict::Outcome(outcome.map_err(|error| {
                error.with_site(|| Site::keyed(operation, operation.origin(), keys))
            }))
        }
    }
}

/// The error of a thing that does not exist.
pub(super) fn absence<O: Operation>(
    service: &O::Service,
    operation: &O,
    snapshot: &Snapshot,
    keys: KeyVisibility,
) -> Error {
    let now = std::time::SystemTime::now();
    let resource = operation.resource();
    let (error, _) = service_error(service, resource, &snapshot.head, &snapshot.body, now, None);
    error
        .with_attempts(1, Sent::All)
        .with_site(|| Site::keyed(operation, operation.origin(), keys))
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
