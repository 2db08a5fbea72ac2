//! Processes that use the cache, and the service behind them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::Semaphore;
use tokio::task::{JoinHandle, yield_now};

use super::server::Mem;
use super::{GET, TTL};
use crate::through::core::{Config, Core};
use crate::through::entry::{Entry, Form};
use crate::through::name::Name;
use crate::through::read::{Found, Loaded, Source, Want};
use crate::through::stats::CacheStats;
use crate::through::write::Write;

pub(in crate::through) fn config() -> Config {
    Config {
        prefix: "t:0:".to_owned(),
        ttl: TTL,
        absent_ttl: Some(Duration::from_secs(5)),
        stale_for: Duration::ZERO,
        jitter: 0.0,
        max_value: 1000,
        form: Form::default(),
        lease: Duration::from_secs(10),
        wait: Duration::from_millis(50),
        max_doubted: 100,
        write_through: false,
    }
}

/// A process that uses the cache, and the service behind it.
#[derive(Clone)]
pub(in crate::through) struct Process {
    pub(in crate::through) core: Arc<Core<Mem>>,
    pub(in crate::through) service: Arc<Service>,
}

pub(in crate::through) struct Service {
    pub(in crate::through) version: AtomicU64,
    pub(in crate::through) loads: AtomicUsize,
    pub(in crate::through) fails: AtomicBool,
    pub(in crate::through) absent: AtomicBool,
    pub(in crate::through) private: AtomicBool,
    /// The time of whoever loads is over.
    pub(in crate::through) late: AtomicBool,
    /// Loads under way.
    pub(in crate::through) loading: AtomicUsize,
    /// Loads wait for a permit.
    pub(in crate::through) gate: Semaphore,
}

impl Process {
    pub(in crate::through) fn new(mem: &Mem, config: Config) -> Self {
        let core = Core::new(
            mem.clone(),
            config,
            #[cfg(feature = "local")]
            None,
        );
        Self::of(core)
    }

    pub(in crate::through) fn of(core: Core<Mem>) -> Self {
        Self {
            core: Arc::new(core),
            service: Arc::new(Service {
                version: AtomicU64::new(1),
                loads: AtomicUsize::new(0),
                fails: AtomicBool::new(false),
                absent: AtomicBool::new(false),
                private: AtomicBool::new(false),
                late: AtomicBool::new(false),
                loading: AtomicUsize::new(0),
                gate: Semaphore::new(1_000_000),
            }),
        }
    }

    /// Another process, of the same service.
    pub(in crate::through) fn other(&self) -> Self {
        Self {
            service: self.service.clone(),
            ..Self::new(&self.core.backend, self.core.config.clone())
        }
    }

    pub(in crate::through) async fn read_as(
        &self,
        name: &Name,
        want: Want,
    ) -> Result<Found<&'static str>, String> {
        let service = self.service.clone();
        let load = move || {
            let service = service.clone();
            async move {
                service.loads.fetch_add(1, SeqCst);
                let _loading = Loading::new(&service);
                let version = service.version.load(SeqCst);
                service.gate.acquire().await.unwrap().forget();
                if service.fails.load(SeqCst) {
                    return Err("503".to_owned());
                }
                if service.late.load(SeqCst) {
                    return Ok(Loaded::Own("too late"));
                }
                if service.private.load(SeqCst) {
                    return Ok(Loaded::Private("a stream"));
                }
                Ok(Loaded::Entry(entry(
                    &version.to_string(),
                    service.absent.load(SeqCst),
                )))
            }
        };
        self.core.read(name, want, load).await
    }

    pub(in crate::through) async fn read(&self, name: &Name) -> (String, Source) {
        match self.read_as(name, GET).await.unwrap() {
            Found::Entry(entry, source) => {
                (String::from_utf8(entry.body.to_vec()).unwrap(), source)
            }
            Found::Private(_) => panic!("private"),
        }
    }

    pub(in crate::through) fn spawn(&self, name: &Name) -> JoinHandle<(String, Source)> {
        let (this, name) = (self.clone(), name.clone());
        tokio::spawn(async move { this.read(&name).await })
    }

    /// A read of this name that gives what it found as it is.
    pub(in crate::through) fn spawn_as(
        &self,
        name: &Name,
        want: Want,
    ) -> JoinHandle<Result<Found<&'static str>, String>> {
        let (this, name) = (self.clone(), name.clone());
        tokio::spawn(async move { this.read_as(&name, want).await })
    }

    /// Runs others until so many wait for the read of this name that leads.
    pub(in crate::through) async fn until_seats(&self, name: &Name, seats: usize) {
        let taken = || {
            let flight = self.core.trust.lock().flight(&name.key);
            flight.map_or(0, |flight| flight.seats())
        };
        until("so many wait", || taken() == seats).await;
    }

    pub(in crate::through) fn loads(&self) -> usize {
        self.service.loads.load(SeqCst)
    }

    /// Loads wait from now on.
    pub(in crate::through) fn hold(&self) {
        self.service.gate.forget_permits(1_000_000);
    }

    pub(in crate::through) fn release(&self) {
        self.service.gate.add_permits(1_000);
    }

    /// Runs others until this many loads have begun.
    pub(in crate::through) async fn until_loads(&self, loads: usize) {
        until("so many load", || self.loads() >= loads).await;
    }

    pub(in crate::through) fn stats(&self) -> CacheStats {
        let (core, saved) = (&self.core, self.core.savings.all());
        core.counters
            .read(core.trust.doubted(), 0, saved, Vec::new())
    }

    /// A write that is about to be sent.
    pub(in crate::through) async fn begin_write(&self, name: &Name) -> Write<Mem> {
        self.core.clone().write(vec![name.clone()], false).await
    }

    /// A write that is about to be sent, and tells what it wrote.
    pub(in crate::through) async fn begin_write_through(&self, name: &Name) -> Write<Mem> {
        self.core.clone().write(vec![name.clone()], true).await
    }

    pub(in crate::through) async fn write(&self, name: &Name) {
        let write = self.begin_write(name).await;
        self.service.version.fetch_add(1, SeqCst);
        write.finish(true, None).await;
    }

    /// A write whose deletions do not reach memcached.
    pub(in crate::through) async fn write_unheard(&self, name: &Name) {
        self.core.backend.set_down(true);
        self.write(name).await;
        self.core.backend.set_down(false);
    }
}

/// Runs others until this holds.
pub(in crate::through) async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    for _ in 0..100_000 {
        if holds() {
            return;
        }
        yield_now().await;
    }
    panic!("it does not come to that: {what}");
}

/// A load under way.
struct Loading<'a>(&'a Service);

impl<'a> Loading<'a> {
    fn new(service: &'a Service) -> Self {
        service.loading.fetch_add(1, SeqCst);
        Self(service)
    }
}

impl Drop for Loading<'_> {
    fn drop(&mut self) {
        self.0.loading.fetch_sub(1, SeqCst);
    }
}

pub(in crate::through) fn entry(body: &str, absent: bool) -> Entry {
    Entry {
        absent,
        cost: 0.5,
        head: Bytes::from_static(b"head"),
        body: body.to_owned().into(),
    }
}

pub(in crate::through) fn name(rest: &str) -> Name {
    Name::new("t:0:", "me", &["bucket/"], rest)
}

pub(in crate::through) fn process() -> (Mem, Process) {
    process_with(|_| {})
}

/// A process with other settings.
pub(in crate::through) fn process_with(set: impl FnOnce(&mut Config)) -> (Mem, Process) {
    let (mem, mut config) = (Mem::default(), config());
    set(&mut config);
    let process = Process::new(&mem, config);
    (mem, process)
}

pub(in crate::through) fn one(text: &str, source: Source) -> (String, Source) {
    (text.to_owned(), source)
}
