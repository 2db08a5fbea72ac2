//! What is left of a journal after a loss of power, on a disk that keeps what was flushed and loses what it likes of
//! the rest.

use std::sync::Condvar;
use std::time::Duration;

use super::Folder;
use crate::disk::*;
use crate::sdb::options::{Limits, chance};
use crate::sdb::store::{Change, Domains, Terms};

/// So many bytes reach the disk together, or none of them.
const SECTOR: usize = 32;

/// A disk that is written to, and what of that is on it for sure.
#[derive(Debug)]
struct Platter {
    written: Mutex<Vec<u8>>,
    safe: AtomicU64,
    /// While it is set, no flush ends.
    shut: Mutex<bool>,
    opened: Condvar,
}

impl Platter {
    fn shut(&self, shut: bool) {
        *self.shut.lock().unwrap() = shut;
        self.opened.notify_all();
    }

    /// What is found when the power is back: of all sectors that were not flushed some are there, and the file has got
    /// some of its length.
    fn after_loss(&self, seed: u64) -> Vec<u8> {
        let written = self.written.lock().unwrap().clone();
        let safe = usize::try_from(self.safe.load(Ordering::SeqCst)).unwrap();
        let draw = |count: usize| chance(seed, count as u64);
        let more = written.len() - safe;
        let len = match seed % 3 {
            0 => written.len(),
            _ => safe + (draw(written.len()) * (more + 1) as f64) as usize,
        };
        let kept = [0.5, 0.8, 0.95][(seed / 3 % 3) as usize];
        let byte = |at: usize| match at < safe || draw(at / SECTOR) < kept {
            true => written[at],
            false => 0,
        };
        (0..len).map(byte).collect()
    }
}

impl Medium for Platter {
    fn append(&self, bytes: &[u8]) -> io::Result<()> {
        self.written.lock().unwrap().extend_from_slice(bytes);
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        let len = self.written.lock().unwrap().len();
        let shut = self.shut.lock().unwrap();
        drop(self.opened.wait_while(shut, |shut| *shut).unwrap());
        self.safe.fetch_max(len as u64, Ordering::SeqCst);
        Ok(())
    }

    fn cut(&self, _: u64) -> io::Result<()> {
        Err(io::Error::other("nothing fails here"))
    }
}

/// Domains over a journal on a platter, which begins as what a folder has.
struct Machine {
    domains: Arc<Domains>,
    journal: Journal<Domains>,
    platter: Arc<Platter>,
    path: PathBuf,
    limits: Limits,
}

impl Machine {
    fn boot(dir: &Folder) -> io::Result<Self> {
        let domains: Arc<Domains> = Arc::default();
        let lock = lock(&dir.0)?;
        let found = recover::recover(&dir.0, &*domains, true)?;
        let path = journal_path(&dir.0, found.generation);
        let platter = Arc::new(Platter {
            written: Mutex::new(std::fs::read(&path)?),
            safe: AtomicU64::new(found.len),
            shut: Mutex::new(false),
            opened: Condvar::new(),
        });
        let medium: Arc<dyn Medium> = platter.clone();
        let inner = DiskParts {
            dir: dir.0.clone(),
            journal_max: u64::MAX,
            log: Log::new(medium, found.len, found.form)?,
            generation: AtomicU64::new(found.generation),
            fold_at: AtomicU64::new(u64::MAX),
            busy: AtomicBool::new(false),
            closing: AtomicBool::new(false),
            _lock: lock,
        };
        let journal = Journal(Some(Disk {
            inner: Arc::new(inner),
            state: Arc::clone(&domains),
            folding: Mutex::new(None),
        }));
        Ok(Self {
            domains,
            journal,
            platter,
            path,
            limits: Limits::default(),
        })
    }

    /// Writes the next of many values into one item.
    fn put(&self, value: usize) -> Ticket {
        self.domains
            .create("dom", &self.limits, &self.journal)
            .unwrap();
        let change = Change {
            name: "v".to_owned(),
            value: Some(format!("{value:06}")),
            replace: true,
        };
        let terms = Terms {
            limits: &self.limits,
            journal: &self.journal,
            stale: Duration::ZERO,
        };
        let batch = [(format!("item-{value}"), vec![change])];
        let domain = self.domains.get("dom").unwrap();
        domain.put(&batch, None, terms).unwrap()
    }

    /// How many of the values are there; there is none behind one that is missing.
    fn count(&self) -> usize {
        let Ok(domain) = self.domains.get("dom") else {
            return 0;
        };
        let content = domain.read();
        let count = content.len();
        for value in 0..count {
            let item = content.get(&format!("item-{value}")).expect("a hole");
            let found = item["v"].first().unwrap();
            assert_eq!(**found, *format!("{value:06}"));
        }
        count
    }

    /// What is on the disk after the power went now.
    fn lose_power(self, seed: u64) {
        let left = self.platter.after_loss(seed);
        let path = self.path.clone();
        self.platter.shut(false);
        drop(self);
        std::fs::write(path, left).unwrap();
    }
}

/// Whether a whole record stands somewhere behind a place of a journal.
fn is_followed(bytes: &[u8], at: usize) -> bool {
    let form::FormStart::Whole(form) = form::FormStart::read(bytes) else {
        return false;
    };
    let form = Form {
        flushed: false,
        ..form
    };
    recover::is_damage::<Domains>(bytes, at, form)
}

#[tokio::test]
async fn what_was_acknowledged_outlives_a_loss_of_power_whatever_is_left_of_the_rest() {
    let (mut partly, mut holes) = (0, 0);
    for seed in 0..25 {
        let dir = Folder::new();
        for round in 0..8 {
            let machine = Machine::boot(&dir).unwrap();
            let count = machine.count();
            let draw = |at: u64, most: f64| (chance(seed * 100 + round, at) * most) as usize;
            let (heard, unheard) = (draw(1, 6.0), draw(2, 9.0));
            for value in count..count + heard {
                let ticket = machine.put(value);
                machine.journal.wait(ticket).await.unwrap();
            }
            machine.platter.shut(true);
            for value in count + heard..count + heard + unheard {
                machine.put(value);
            }
            // What is there was read, and was safe when the journal was opened.
            let acknowledged = count + heard;
            let path = machine.path.clone();
            machine.lose_power(seed * 1000 + round);
            let left = std::fs::read(&path).unwrap();
            let machine = Machine::boot(&dir).unwrap_or_else(|error| {
                panic!("seed {seed}, round {round}: {error}");
            });
            let found = machine.count();
            let whole = std::fs::metadata(&path).unwrap().len();
            let whole = usize::try_from(whole).unwrap();
            holes += usize::from(is_followed(&left, whole));
            assert!(
                (acknowledged..=acknowledged + unheard).contains(&found),
                "seed {seed}, round {round}: {found}"
            );
            partly += usize::from(acknowledged < found && found < acknowledged + unheard);
        }
    }
    // Or the disk loses all or nothing, or leaves no whole records behind holes, and the test is none.
    assert!(partly > 20 && holes > 20, "{partly} {holes}");
}

#[tokio::test]
async fn what_was_flushed_and_is_not_whole_is_damage() {
    let dir = Folder::new();
    let machine = Machine::boot(&dir).unwrap();
    for value in 0..20 {
        let ticket = machine.put(value);
        machine.journal.wait(ticket).await.unwrap();
    }
    let bytes = machine.platter.written.lock().unwrap().clone();
    let path = machine.path.clone();
    machine.lose_power(0);
    // The last record that tells of a flush knows of all before it but the record before it.
    let last = bytes.len() - 120;
    for at in (MAGIC.len()..last).step_by(7) {
        let mut wrong = bytes.clone();
        wrong[at] ^= 1;
        std::fs::write(&path, wrong).unwrap();
        let error = Machine::boot(&dir).map(drop).unwrap_err().to_string();
        assert!(error.contains("damaged at byte"), "{at}: {error}");
    }
}

#[tokio::test]
async fn who_makes_what_is_there_or_removes_what_is_gone_waits_for_the_record_of_it() {
    let dir = Folder::new();
    let machine = Machine::boot(&dir).unwrap();
    let (domains, journal) = (&machine.domains, &machine.journal);
    let create = || domains.create("dom", &machine.limits, journal).unwrap();
    let delete = || domains.delete("dom", journal).unwrap();
    machine.platter.shut(true);
    let tickets = [create(), create(), delete(), delete()];
    let waits = tickets.map(|ticket| {
        let mut wait = std::pin::pin!(journal.wait(ticket));
        let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
        wait.as_mut().poll(&mut cx).is_pending()
    });
    machine.platter.shut(false);
    assert_eq!(waits, [true; 4]);
    for ticket in tickets {
        journal.wait(ticket).await.unwrap();
    }
}
