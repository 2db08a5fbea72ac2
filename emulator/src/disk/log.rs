//! The journal that is being written: appends in order, and flushes that writers share.
//!
//! *Problem:* Writes that were acknowledged must outlive a kill and, when asked, a loss of power. *Decision:* A record
//! sets or clears pairs whatever they were, so that doing all records again leads to the same state, and a snapshot can
//! be taken while writes go on. Half a record at the end was never acknowledged and is cut off; damage with whole
//! records behind it is an error. A flushed journal says how far it was flushed: a loss of power leaves whole records
//! behind holes, and only what a later record knows to have been flushed must be whole. Writers share a flush. A failed
//! append is taken back; a failed flush ends the journal. *Cost:* Without `--fsync`, a loss of power loses what the
//! operating system had not written.

use std::fmt;
use std::io::{self, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use tokio::sync::watch;

use super::form::{Form, Seal};
use super::frame::{self, Mark, Record};

/// That a write could not be written down, and did not happen, or that its fate is unknown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Lost;

/// What a journal is written to.
pub(super) trait Medium: fmt::Debug + Send + Sync + 'static {
    /// Appends all of the bytes, or fails after some.
    fn append(&self, bytes: &[u8]) -> io::Result<()>;
    /// Returns once all that was appended outlives a loss of power.
    fn sync(&self) -> io::Result<()>;
    /// Takes back what was appended behind `len`.
    fn cut(&self, len: u64) -> io::Result<()>;
}

impl Medium for std::fs::File {
    fn append(&self, bytes: &[u8]) -> io::Result<()> {
        let mut file = self;
        file.write_all(bytes)
    }

    fn sync(&self) -> io::Result<()> {
        self.sync_data()
    }

    fn cut(&self, len: u64) -> io::Result<()> {
        self.set_len(len)
    }
}

/// A place in the order of all appends, in bytes; a write is safe once the journal is up to it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Ticket(u64);

#[derive(Debug)]
pub(super) struct Log {
    shared: Arc<SharedLog>,
    flusher: Option<thread::JoinHandle<()>>,
}

#[derive(Debug)]
struct SharedLog {
    state: Mutex<LogState>,
    /// Wakes the flusher.
    work: Condvar,
    safe: watch::Sender<Safe>,
}

#[derive(Debug)]
struct LogState {
    medium: Arc<dyn Medium>,
    seal: Seal,
    /// Bytes in the medium.
    len: u64,
    /// Bytes appended to this medium and all before it.
    total: u64,
    /// How far the last record that told of it found all flushed, in the order of all appends.
    told: Option<u64>,
    /// Why nothing is appended any more.
    broken: bool,
    closing: bool,
    /// Room for the next record, kept between them.
    record: Vec<u8>,
}

/// How far the journal is flushed.
#[derive(Clone, Copy, Debug, Default)]
struct Safe {
    total: u64,
    failed: bool,
}

impl Log {
    /// Goes on with a medium of `len` bytes. A thread flushes what is appended where that is the form of it.
    pub(super) fn new(medium: Arc<dyn Medium>, len: u64, form: Form) -> io::Result<Self> {
        let shared = Arc::new(SharedLog {
            state: Mutex::new(LogState {
                medium,
                seal: form.seal,
                len,
                total: 0,
                told: None,
                broken: false,
                closing: false,
                record: Vec::new(),
            }),
            work: Condvar::new(),
            safe: watch::Sender::default(),
        });
        let flusher = if form.flushed {
            let shared = Arc::clone(&shared);
            let thread = thread::Builder::new().name("flush".into());
            Some(thread.spawn(move || shared.flush())?)
        } else {
            None
        };
        Ok(Self { shared, flusher })
    }

    /// Appends a record; on return it outlives this process.
    pub(super) fn append(&self, record: &dyn Record) -> Result<Ticket, Lost> {
        let mut state = self.shared.lock();
        if state.broken {
            return Err(Lost);
        }
        let mut bytes = std::mem::take(&mut state.record);
        bytes.clear();
        let told = state.told;
        if self.flusher.is_some() {
            // Whoever finds a hole in the journal has to know whether it was there when it was flushed.
            let safe = self.shared.safe.borrow().total;
            if told < Some(safe) {
                let behind = state.total - safe;
                let flushed = Mark::Flushed(state.len.saturating_sub(behind));
                frame::write(&mut bytes, &flushed, state.seal, state.len);
                state.told = Some(safe);
            }
        }
        let place = state.len + bytes.len() as u64;
        let before = bytes.len();
        frame::write(&mut bytes, record, state.seal, place);
        let len = bytes.len() as u64;
        if !frame::fits(bytes.len() - before) {
            // It would be taken for damage when it is read.
            state.told = told;
            return Err(Lost);
        }
        let written = state.medium.append(&bytes);
        state.record = bytes;
        if written.is_err() {
            // Behind half a record nothing would be found again.
            state.broken = state.medium.cut(state.len).is_err();
            state.told = told;
            return Err(Lost);
        }
        state.len += len;
        state.total += len;
        self.shared.work.notify_one();
        Ok(Ticket(state.total))
    }

    /// The place of the last append.
    pub(super) fn last(&self) -> Ticket {
        Ticket(self.shared.lock().total)
    }

    /// Bytes in the medium.
    pub(super) fn len(&self) -> u64 {
        self.shared.lock().len
    }

    /// Returns once the write is as safe as was asked for.
    pub(super) async fn wait(&self, ticket: Ticket) -> Result<(), Lost> {
        if self.flusher.is_none() {
            return Ok(());
        }
        let mut safe = self.shared.safe.subscribe();
        let found = safe
            .wait_for(|safe| safe.failed || safe.total >= ticket.0)
            .await;
        match found {
            Ok(safe) if safe.total >= ticket.0 => Ok(()),
            _ => Err(Lost),
        }
    }

    /// Whether it is flushed before a write is safe.
    pub(super) fn is_flushed(&self) -> bool {
        self.flusher.is_some()
    }

    /// Goes on in another medium, which holds the beginning of this form. The old one is flushed first; if that
    /// fails, the journal has ended.
    pub(super) fn switch(&self, medium: Arc<dyn Medium>, form: Form) -> io::Result<()> {
        let mut state = self.shared.lock();
        if state.broken {
            return Err(io::Error::other("the journal is broken"));
        }
        if let Err(error) = state.medium.sync() {
            // What it lost is not known, and the next flush, which may succeed, would hide it.
            state.broken = true;
            self.shared.safe.send_modify(|safe| safe.failed = true);
            return Err(error);
        }
        state.medium = medium;
        state.seal = form.seal;
        state.len = form.len() as u64;
        Ok(())
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        self.shared.lock().closing = true;
        self.shared.work.notify_one();
        if let Some(flusher) = self.flusher.take() {
            // It does not panic; if it did, there would be nobody to tell.
            let _ = flusher.join();
        }
    }
}

impl SharedLog {
    fn lock(&self) -> MutexGuard<'_, LogState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn flush(&self) {
        let mut flushed = 0;
        loop {
            let mut state = self.lock();
            while state.total == flushed && !state.closing {
                state = self
                    .work
                    .wait(state)
                    .unwrap_or_else(PoisonError::into_inner);
            }
            if state.total == flushed {
                return;
            }
            let (total, medium) = (state.total, Arc::clone(&state.medium));
            // While one flush runs, writers go on, and share the next.
            drop(state);
            if medium.sync().is_err() {
                // What a failed flush lost is not known, and trying again may hide it.
                self.lock().broken = true;
                self.safe.send_modify(|safe| safe.failed = true);
                return;
            }
            flushed = total;
            self.safe.send_modify(|safe| safe.total = total);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

    use super::*;

    /// A record that is a text.
    struct Text(&'static str);

    impl Record for Text {
        fn encode(&self, out: &mut Vec<u8>) {
            out.extend_from_slice(self.0.as_bytes());
        }
    }

    /// Keeps what was appended, and knows what a loss of power would leave.
    #[derive(Debug, Default)]
    struct Memory {
        bytes: Mutex<Vec<u8>>,
        safe: AtomicUsize,
        syncs: AtomicUsize,
        full: AtomicBool,
        dead: AtomicBool,
        /// Set by a test to keep a flush from ending.
        shut: Mutex<bool>,
        opened: Condvar,
    }

    impl Memory {
        fn len(&self) -> usize {
            self.bytes.lock().unwrap().len()
        }
    }

    impl Medium for Memory {
        fn append(&self, bytes: &[u8]) -> io::Result<()> {
            let full = self.full.load(Ordering::SeqCst);
            let half = &bytes[..if full { bytes.len() / 2 } else { bytes.len() }];
            self.bytes.lock().unwrap().extend_from_slice(half);
            if full {
                return Err(io::Error::from(io::ErrorKind::StorageFull));
            }
            Ok(())
        }

        fn sync(&self) -> io::Result<()> {
            let len = self.len();
            let shut = self.shut.lock().unwrap();
            drop(self.opened.wait_while(shut, |shut| *shut).unwrap());
            self.syncs.fetch_add(1, Ordering::SeqCst);
            if self.dead.load(Ordering::SeqCst) {
                return Err(io::Error::other("dead"));
            }
            self.safe.fetch_max(len, Ordering::SeqCst);
            Ok(())
        }

        fn cut(&self, len: u64) -> io::Result<()> {
            if self.dead.load(Ordering::SeqCst) {
                return Err(io::Error::other("dead"));
            }
            let len = usize::try_from(len).unwrap();
            self.bytes.lock().unwrap().truncate(len);
            Ok(())
        }
    }

    fn log(fsync: bool) -> (Arc<Memory>, Log) {
        let memory = Arc::new(Memory::default());
        let medium: Arc<dyn Medium> = memory.clone();
        (memory, Log::new(medium, 0, Form::new(fsync)).unwrap())
    }

    #[test]
    fn the_old_medium_is_flushed_before_another_takes_its_place() {
        let (first, log) = log(false);
        log.append(&Text("abc")).unwrap();
        assert_eq!(first.safe.load(Ordering::SeqCst), 0);
        let (second, form) = (Arc::new(Memory::default()), Form::new(false));
        log.switch(second.clone(), form).unwrap();
        assert_eq!(first.safe.load(Ordering::SeqCst), first.len());
        assert_eq!(log.len(), form.len() as u64);
        log.append(&Text("def")).unwrap();
        assert!(second.len() > 0);
    }

    #[tokio::test]
    async fn a_flush_that_fails_at_a_switch_ends_the_journal() {
        for fsync in [false, true] {
            let (memory, log) = log(fsync);
            let ticket = log.append(&Text("abc")).unwrap();
            log.wait(ticket).await.unwrap();
            memory.dead.store(true, Ordering::SeqCst);
            let next = Arc::new(Memory::default());
            log.switch(next.clone(), Form::new(fsync)).unwrap_err();
            memory.dead.store(false, Ordering::SeqCst);
            log.append(&Text("def")).unwrap_err();
            assert_eq!(next.len(), 0);
        }
    }

    #[tokio::test]
    async fn nothing_is_safe_before_it_is_flushed_and_writers_share_a_flush() {
        let (memory, log) = log(true);
        let log = Arc::new(log);
        *memory.shut.lock().unwrap() = true;
        let first = log.append(&Text("abc")).unwrap();
        let mut waiters = Vec::new();
        for n in 0..50 {
            let ticket = log.append(&Mark::End(n)).unwrap();
            let len = memory.len();
            let (log, memory) = (Arc::clone(&log), Arc::clone(&memory));
            waiters.push(tokio::spawn(async move {
                log.wait(ticket).await.unwrap();
                // What was waited for is not lost with the power.
                memory.safe.load(Ordering::SeqCst) >= len
            }));
        }
        tokio::task::yield_now().await;
        assert!(waiters.iter().all(|waiter| !waiter.is_finished()));
        *memory.shut.lock().unwrap() = false;
        memory.opened.notify_all();
        log.wait(first).await.unwrap();
        for waiter in waiters {
            assert!(waiter.await.unwrap());
        }
        // One that was under way, or none, and one for all behind it.
        assert!(memory.syncs.load(Ordering::SeqCst) <= 2);
    }

    #[tokio::test]
    async fn half_a_record_is_taken_back() {
        let (memory, log) = log(false);
        log.append(&Text("abc")).unwrap();
        let len = memory.len();
        memory.full.store(true, Ordering::SeqCst);
        log.append(&Text("def")).unwrap_err();
        assert_eq!(memory.len(), len);
        memory.full.store(false, Ordering::SeqCst);
        let ticket = log.append(&Text("ghi")).unwrap();
        assert_eq!(ticket, log.last());
        log.wait(ticket).await.unwrap();
        // What cannot be taken back ends it.
        memory.full.store(true, Ordering::SeqCst);
        memory.dead.store(true, Ordering::SeqCst);
        log.append(&Text("jkl")).unwrap_err();
        memory.full.store(false, Ordering::SeqCst);
        log.append(&Text("mno")).unwrap_err();
    }

    #[tokio::test]
    async fn a_flush_that_fails_ends_the_journal() {
        let (memory, log) = log(true);
        memory.dead.store(true, Ordering::SeqCst);
        let ticket = log.append(&Text("abc")).unwrap();
        log.wait(ticket).await.unwrap_err();
        log.append(&Text("def")).unwrap_err();
    }
}
