//! What an action takes of the stores: which requests, and how many of them one after another.
//!
//! An action is over when nothing is left to be done. Neither its answer tells that nor a time: what follows an answer may
//! wait for its turn as long as the machine likes. So the node is asked whether any of its processes has something to do,
//! again and again, until it has had nothing several times in a row and no request has come meanwhile; and the script makes
//! sure that nothing is between the node and its clients.
//!
//! To find out which requests wait for others, each is held until no further one comes, and then all that are held are
//! answered: a wave. As many waves as an action takes, so many steps does it have.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use emulator::{Emulator, Fault, Gate, Rule, Seen, Service};

use crate::node::post;

/// How long an action may go on.
const LIMIT: Duration = Duration::from_secs(60);

/// Counts the requests of an emulator.
#[derive(Default)]
pub(crate) struct Meter {
    seen: Arc<Mutex<Vec<Seen>>>,
    box_usage: AtomicU64,
    waves: Mutex<Option<Waves>>,
}

/// Holds requests until it is dropped.
struct Waves {
    taken: Arc<Mutex<Vec<String>>>,
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Meter {
    /// Takes all other faults away, and notes what comes.
    fn observe(&self, emulator: &Emulator) {
        let seen = Arc::clone(&self.seen);
        let faults = emulator.faults();
        faults.clear();
        faults.add(Rule::new(Fault::none()).when(move |request| {
            seen.lock().expect("no panic").push(request.clone());
            false
        }));
    }

    /// Has each request wait this long.
    pub(crate) fn delay(&self, emulator: &Emulator, milliseconds: u64) -> String {
        self.observe(emulator);
        if milliseconds > 0 {
            let delay = Fault::delay(Duration::from_millis(milliseconds));
            emulator.faults().add(Rule::new(delay));
        }
        "done".to_owned()
    }

    /// Begins to count.
    pub(crate) fn begin(&self, emulator: &Emulator) -> String {
        self.observe(emulator);
        let so_far = emulator.stats().sdb_box_usage;
        self.box_usage.store(so_far, Ordering::SeqCst);
        self.seen.lock().expect("no panic").clear();
        "done".to_owned()
    }

    /// Waits until the node has nothing left to do.
    pub(crate) fn wait(&self, address: &str) -> String {
        let begun = Instant::now();
        let count = || self.seen.lock().expect("no panic").len();
        let is_over = || begun.elapsed() > LIMIT;
        wait_for_quiet(address, "/probe/quiet", is_over, count);
        assert!(!is_over(), "the node has been busy for {LIMIT:?}");
        "done".to_owned()
    }

    /// What there was since: `OPERATION COUNT` for each operation, and `BoxUsage UNITS`, with tabs between. What the node
    /// does by itself from time to time is not in it.
    pub(crate) fn end(&self, emulator: &Emulator) -> String {
        let mut operations = BTreeMap::new();
        for seen in self.seen.lock().expect("no panic").iter() {
            if !is_by_itself(seen) {
                let service = match seen.service {
                    Service::S3 => "S3",
                    _ => "SimpleDB",
                };
                *operations
                    .entry(format!("{service}:{}", seen.operation))
                    .or_insert(0) += 1;
            }
        }
        let units = emulator.stats().sdb_box_usage - self.box_usage.load(Ordering::SeqCst);
        let counts = operations
            .into_iter()
            .map(|(name, count)| format!("{name} {count}"));
        let all = counts.chain([format!("BoxUsage {units}")]);
        all.collect::<Vec<_>>().join("\t")
    }

    /// Begins to hold requests, and to let them through in waves.
    pub(crate) fn hold(&self, emulator: &Emulator, address: &str) -> String {
        let waves = Waves::begin(emulator, address.to_owned());
        *self.waves.lock().expect("no panic") = Some(waves);
        "done".to_owned()
    }

    /// What each wave had so far: its operations with commas between, and tabs between the waves.
    pub(crate) fn waves(&self) -> String {
        let waves = self.waves.lock().expect("no panic");
        let waves = waves.as_ref().expect("waves");
        waves.taken.lock().expect("no panic").join("\t")
    }

    /// Holds nothing any more.
    pub(crate) fn release(&self, emulator: &Emulator) -> String {
        // Its end opens the gate of what is still held.
        *self.waves.lock().expect("no panic") = None;
        self.observe(emulator);
        "done".to_owned()
    }
}

impl Waves {
    fn begin(emulator: &Emulator, address: String) -> Self {
        let faults = emulator.faults();
        let taken: Arc<Mutex<Vec<String>>> = Arc::default();
        let over = Arc::new(AtomicBool::new(false));
        let (waves, ended) = (Arc::clone(&taken), Arc::clone(&over));
        let thread = std::thread::spawn(move || {
            // Which wave a request belongs to is read in the moment in which it comes, so that none slips through between
            // two of them.
            let current = Arc::new(AtomicU64::new(0));
            let held: Arc<Mutex<Vec<String>>> = Arc::default();
            let add = |wave: u64| {
                let gate = Gate::new();
                let (current, held) = (Arc::clone(&current), Arc::clone(&held));
                faults.add(Rule::new(Fault::hold(&gate)).when(move |seen| {
                    let is_its = current.load(Ordering::SeqCst) == wave && !is_by_itself(seen);
                    if is_its {
                        held.lock().expect("no panic").push(seen.operation.clone());
                    }
                    is_its
                }));
                gate
            };
            let mut gate = add(0);
            for wave in 1.. {
                let count = || held.lock().expect("no panic").len();
                let is_over = || ended.load(Ordering::SeqCst);
                while count() == 0 && !is_over() {
                    std::thread::sleep(Duration::from_millis(1));
                }
                wait_for_quiet(&address, "/probe/waiting", is_over, count);
                let next = add(wave);
                current.store(wave, Ordering::SeqCst);
                let mut operations = std::mem::take(&mut *held.lock().expect("no panic"));
                operations.sort();
                if is_over() {
                    current.store(u64::MAX, Ordering::SeqCst);
                    gate.open();
                    next.open();
                    return;
                }
                waves.lock().expect("no panic").push(operations.join(","));
                gate.open();
                gate = next;
            }
        });
        Self {
            taken,
            over,
            thread: Some(thread),
        }
    }
}

impl Drop for Waves {
    fn drop(&mut self) {
        self.over.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            // It has panicked only if the test has.
            let _ = thread.join();
        }
    }
}

/// Waits until the node has had nothing to do for a while, as this page of it says, and this number has not changed meanwhile.
fn wait_for_quiet(
    address: &str,
    page: &str,
    is_over: impl Fn() -> bool,
    count: impl Fn() -> usize,
) {
    loop {
        let before = count();
        let said = post(address, page, "{}").expect("the node's answer");
        let is_quiet = said == "quiet" && count() == before;
        if is_quiet || is_over() {
            return;
        }
    }
}

/// Whether the node does this by itself from time to time: it writes the logs of rooms, and renews its lease.
fn is_by_itself(seen: &Seen) -> bool {
    let key = seen.key.as_deref().unwrap_or_default();
    let is_of = |part: &str| key.contains(&format!("/{part}/")) || seen.query.contains(part);
    is_of("muc-log") || is_of("nodes")
}
