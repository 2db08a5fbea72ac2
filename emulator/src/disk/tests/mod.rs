//! Folders after all that can happen to the process that wrote them.

mod fold;
mod frame;
mod journal;
mod power;

use std::sync::Barrier;
use std::sync::atomic::AtomicU32;
use std::time::Duration;

use super::form::{FormStart, Seal};
use super::*;
use crate::sdb::options::Limits;
use crate::sdb::record::SdbRecord;
use crate::sdb::store::{Change, Domains, Terms};

/// A folder of its own, that goes with it.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("emulator-disk-{}-{count}", std::process::id());
        let dir = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&dir).unwrap();
        Self(dir)
    }

    fn copy(&self) -> Self {
        let copy = Self::new();
        for entry in std::fs::read_dir(&self.0).unwrap() {
            let path = entry.unwrap().path();
            std::fs::copy(&path, copy.0.join(path.file_name().unwrap())).unwrap();
        }
        copy
    }

    fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(&self.0).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<_> = names.filter(|name| name != "lock").collect();
        names.sort();
        names
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

struct World {
    domains: Arc<Domains>,
    journal: Journal<Domains>,
    limits: Limits,
}

impl World {
    fn open(dir: &Folder, journal_max: u64) -> io::Result<Self> {
        Self::open_as(dir, journal_max, false)
    }

    fn open_as(dir: &Folder, journal_max: u64, fsync: bool) -> io::Result<Self> {
        let options = DiskOptions {
            dir: dir.0.clone(),
            fsync,
            journal_max,
        };
        let domains = Arc::default();
        let journal = Journal::open(&options, &domains)?;
        Ok(Self {
            domains,
            journal,
            limits: Limits::default(),
        })
    }

    fn create(&self, name: &str) {
        self.domains
            .create(name, &self.limits, &self.journal)
            .unwrap();
    }

    fn write(&self, domain: &str, item: &str, pairs: &[(&str, Option<&str>)], delete: bool) {
        let changes = pairs.iter().map(|(name, value)| Change {
            name: (*name).to_owned(),
            value: value.map(str::to_owned),
            replace: true,
        });
        let batch = [(item.to_owned(), changes.collect())];
        let terms = Terms {
            limits: &self.limits,
            journal: &self.journal,
            stale: Duration::ZERO,
        };
        let domain = self.domains.get(domain).unwrap();
        if delete {
            domain.delete(&batch, None, terms).unwrap();
        } else {
            domain.put(&batch, None, terms).unwrap();
        }
    }

    fn put(&self, domain: &str, item: &str, value: &str) {
        self.write(domain, item, &[("a", Some(value))], false);
    }

    /// Everything, as text.
    fn state(&self) -> String {
        let mut out = String::new();
        for domain in self.domains.all() {
            let content = domain.read();
            let view = content.view(0);
            let mut items: Vec<_> = view.all().map(|item| format!("{item:?}")).collect();
            items.sort();
            out += &format!("{} {:?} {items:?}\n", domain.name(), content.sizes());
        }
        out
    }

    /// Waits for a fold that is under way.
    fn folded(&self) {
        let disk = self.journal.0.as_ref().unwrap();
        if let Some(thread) = disk.folding.lock().unwrap().take() {
            thread.join().unwrap();
        }
    }
}

fn sample(world: &World) {
    world.create("abc");
    world.create("gone");
    world.put("gone", "i", "1");
    world.put("abc", "i", "1");
    world.write(
        "abc",
        "é",
        &[("b", Some("\0")), ("b", Some("2")), ("c", Some(""))],
        false,
    );
    world.write("abc", "i", &[("a", Some("1"))], true);
    world.write("abc", "é", &[("c", None)], true);
    world.domains.delete("gone", &world.journal).unwrap();
    world.create("gone");
    world.put("abc", "last", "3");
}
