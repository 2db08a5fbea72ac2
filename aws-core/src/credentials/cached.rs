//! A source of keys that is asked once for all who wait, and again before its keys expire.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use super::{Credentials, CredentialsError, ProvideCredentials, ProvideFuture, Provided};

/// Keeps what another provider gave.
///
/// Keys without an expiry are fetched once. Others are fetched again five minutes before they expire, by one
/// caller, while all others go on with those at hand; expired ones are never given out. A fetch that fails
/// while the old keys still work is repeated after half a minute; one that fails without any is reported to
/// all who waited for it. Keys that a service refused as expired are fetched again at once, unless the source gave
/// the same ones in the half minute before. A caller that goes away in the middle leaves the fetch to the next in line.
#[derive(Debug)]
pub struct Cached<P> {
    inner: P,
    kept: RwLock<Kept>,
    turn: tokio::sync::Mutex<()>,
}

#[derive(Debug, Default)]
struct Kept {
    provided: Option<Provided>,
    /// Not before this time is a fetch repeated whose keys are still good.
    next: Option<SystemTime>,
    /// Fetches that ended, well or not.
    ended: u64,
    failure: Option<CredentialsError>,
    /// The keys that a service refused last, and when.
    refused: Option<(Credentials, SystemTime)>,
}

/// How long before their expiry keys are fetched anew.
const RENEWED_AHEAD: Duration = Duration::from_secs(300);
/// How soon a source is asked again that gave nothing new.
const RETRY_PAUSE: Duration = Duration::from_secs(30);

impl Kept {
    fn valid(&self, now: SystemTime) -> Option<&Provided> {
        self.provided
            .as_ref()
            .filter(|p| p.expires.is_none_or(|expires| now < expires))
    }

    fn fresh(&self, now: SystemTime) -> Option<&Provided> {
        let early = |p: &&Provided| {
            p.expires
                .is_none_or(|expires| now + RENEWED_AHEAD < expires)
        };
        let paused = self.next.is_some_and(|next| now < next);
        self.valid(now).filter(|p| paused || early(p))
    }
}

impl<P: ProvideCredentials> Cached<P> {
    /// Keeps what `inner` gives.
    pub fn new(inner: P) -> Self {
        Self {
            inner,
            kept: RwLock::default(),
            turn: tokio::sync::Mutex::new(()),
        }
    }

    fn read<T>(&self, f: impl FnOnce(&Kept) -> T) -> T {
        f(&self.kept.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn write<T>(&self, f: impl FnOnce(&mut Kept) -> T) -> T {
        f(&mut self.kept.write().unwrap_or_else(PoisonError::into_inner))
    }

    async fn fetch(&self, now: SystemTime) -> Result<Provided, CredentialsError> {
        let before = self.read(|kept| kept.ended);
        let _turn = match self.turn.try_lock() {
            Ok(turn) => turn,
            Err(_) => {
                if let Some(valid) = self.read(|kept| kept.valid(now).cloned()) {
                    return Ok(valid);
                }
                self.turn.lock().await
            }
        };
        let settled = self.read(|kept| match kept.fresh(now) {
            Some(fresh) => Some(Ok(fresh.clone())),
            None if kept.ended != before => kept.failure.clone().map(Err),
            None => None,
        });
        if let Some(outcome) = settled {
            return outcome;
        }
        let outcome = self.inner.provide(now).await;
        self.write(|kept| {
            kept.ended += 1;
            let expired = |p: &Provided| p.expires.is_some_and(|expires| expires <= now);
            let error = match outcome {
                Ok(provided) if !expired(&provided) => {
                    kept.failure = None;
                    // Keys that come with little time left are not asked for again at every request.
                    kept.next = provided
                        .expires
                        .filter(|e| *e <= now + RENEWED_AHEAD)
                        .map(|_| now + RETRY_PAUSE);
                    kept.provided = Some(provided.clone());
                    return Ok(provided);
                }
                Ok(_) => CredentialsError::broken("the credentials provided have expired already"),
                Err(error) => error,
            };
            kept.failure = Some(error.clone());
            match kept.valid(now).cloned() {
                Some(valid) => {
                    kept.next = Some(now + RETRY_PAUSE);
                    Ok(valid)
                }
                None => Err(error),
            }
        })
    }
}

impl<P: ProvideCredentials> ProvideCredentials for Cached<P> {
    fn provide(&self, now: SystemTime) -> ProvideFuture<'_> {
        Box::pin(self.fetch(now))
    }

    fn ready(&self, now: SystemTime) -> Option<Credentials> {
        self.inner
            .ready(now)
            .or_else(|| self.read(|kept| kept.fresh(now).map(|p| p.credentials.clone())))
    }

    fn source_of(&self, used: &Credentials) -> Option<Arc<str>> {
        let kept = self.read(|kept| {
            let provided = kept.provided.as_ref()?;
            provided
                .source
                .clone()
                .filter(|_| provided.credentials == *used)
        });
        kept.or_else(|| self.inner.source_of(used))
    }

    fn forget(&self, used: &Credentials, now: SystemTime) -> bool {
        if self.inner.ready(now).is_some() {
            return self.inner.forget(used, now);
        }
        self.inner.forget(used, now);
        self.write(|kept| {
            let same = |p: &Provided| p.credentials == *used;
            if !kept.provided.as_ref().is_some_and(same) {
                // Another caller was first.
                return true;
            }
            let again =
                |(keys, at): &(Credentials, SystemTime)| keys == used && now < *at + RETRY_PAUSE;
            if kept.refused.as_ref().is_some_and(again) {
                return false;
            }
            kept.refused = Some((used.clone(), now));
            kept.provided = None;
            true
        })
    }
}
