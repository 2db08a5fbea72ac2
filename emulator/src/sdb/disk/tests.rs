//! Folders after all that can happen to the process that wrote them.

use std::sync::Barrier;
use std::sync::atomic::AtomicU32;
use std::time::Duration;

use super::super::options::Limits;
use super::super::store::{Change, Terms};
use super::form::{Begin, Seal};
use super::*;

/// A folder of its own, that goes with it.
pub(super) struct Folder(pub(super) PathBuf);

impl Folder {
    pub(super) fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("emulator-disk-{}-{count}", std::process::id());
        let dir = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&dir).unwrap();
        Self(dir)
    }

    pub(super) fn copy(&self) -> Self {
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
    journal: Journal,
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

#[test]
fn what_was_written_is_there_again() {
    let dir = Folder::new();
    let world = World::open(&dir, u64::MAX).unwrap();
    sample(&world);
    let state = world.state();
    drop(world);
    for _ in 0..2 {
        let world = World::open(&dir, u64::MAX).unwrap();
        assert_eq!(world.state(), state);
    }
    let world = World::open(&dir, u64::MAX).unwrap();
    world.put("abc", "more", "4");
    let state = world.state();
    drop(world);
    assert_eq!(World::open(&dir, u64::MAX).unwrap().state(), state);
}

#[test]
fn one_at_a_time_uses_a_folder() {
    let dir = Folder::new();
    let world = World::open(&dir, u64::MAX).unwrap();
    let second = World::open(&dir, u64::MAX).map(|_| ()).unwrap_err();
    assert!(
        second.to_string().ends_with("in use by another emulator"),
        "{second}"
    );
    drop(world);
    World::open(&dir, u64::MAX).unwrap();
}

#[test]
fn a_last_record_that_is_cut_anywhere_is_as_if_it_was_never_begun() {
    let dir = Folder::new();
    let world = World::open(&dir, u64::MAX).unwrap();
    sample(&world);
    let before = world.state();
    let path = journal_path(&dir.0, 0);
    let start = std::fs::metadata(&path).unwrap().len();
    world.put("abc", "late", &"x".repeat(100));
    let after = world.state();
    drop(world);
    let end = std::fs::metadata(&path).unwrap().len();
    for len in start..=end {
        let copy = dir.copy();
        let file = OpenOptions::new()
            .write(true)
            .open(journal_path(&copy.0, 0))
            .unwrap();
        file.set_len(len).unwrap();
        let world = World::open(&copy, u64::MAX).unwrap();
        assert_eq!(world.state(), if len < end { &*before } else { &*after });
        // What is written behind it is found again.
        world.put("abc", "next", "1");
        let state = world.state();
        drop(world);
        assert_eq!(World::open(&copy, u64::MAX).unwrap().state(), state);
    }
    // Power may go between the length of a file and its bytes.
    let copy = dir.copy();
    let mut bytes = std::fs::read(&path).unwrap();
    let start = usize::try_from(start).unwrap();
    bytes[start..].fill(0);
    std::fs::write(journal_path(&copy.0, 0), &bytes).unwrap();
    assert_eq!(World::open(&copy, u64::MAX).unwrap().state(), before);
}

#[test]
fn a_journal_cut_before_its_first_record_begins_anew() {
    let heads = [Form::new(false).head(), Form::new(true).head()];
    let old = [b"sdblog1\n".to_vec(), b"sdblog1f".to_vec()];
    for head in heads.into_iter().chain(old).chain([vec![0; 32]]) {
        for len in 0..=head.len() {
            let dir = Folder::new();
            std::fs::write(journal_path(&dir.0, 0), &head[..len]).unwrap();
            let world = World::open(&dir, u64::MAX).unwrap();
            world.create("abc");
            drop(world);
            let world = World::open(&dir, u64::MAX).unwrap();
            assert!(world.state().starts_with("abc "));
        }
    }
}

/// A record of an earlier version that is text, as a value has to be; it knows of more flushed bytes than there are.
fn record_as_text() -> String {
    let found = (0..).find_map(|n: u32| {
        let digit = |place: u32| (n >> (7 * place) & 0x7f) as u8;
        let flushed = u64::from_le_bytes([digit(0), digit(1), digit(2), 0, 0, 0, 0, 0x7f]);
        let mut bytes = Vec::new();
        Record::Flushed(flushed).write(&mut bytes, Seal::Plain, 0);
        String::from_utf8(bytes).ok()
    });
    found.unwrap()
}

#[test]
fn a_cut_record_is_none_even_if_its_value_is_the_bytes_of_records() {
    for fsync in [false, true] {
        let dir = Folder::new();
        let world = World::open_as(&dir, u64::MAX, fsync).unwrap();
        sample(&world);
        let before = world.state();
        let path = journal_path(&dir.0, 0);
        let start = std::fs::metadata(&path).unwrap().len();
        world.put("abc", "late", &record_as_text().repeat(3));
        drop(world);
        let end = std::fs::metadata(&path).unwrap().len();
        for len in start..end {
            let copy = dir.copy();
            let file = OpenOptions::new()
                .write(true)
                .open(journal_path(&copy.0, 0))
                .unwrap();
            file.set_len(len).unwrap();
            let world = World::open_as(&copy, u64::MAX, fsync).unwrap();
            assert_eq!(world.state(), before, "{fsync} {len}");
        }
    }
}

#[test]
fn a_journal_of_an_earlier_version_is_read_and_goes_on_in_another() {
    for magic in [b"sdblog1\n", b"sdblog1f"] {
        let dir = Folder::new();
        let mut old = magic.to_vec();
        for domain in ["abc", "gone", "def"] {
            let place = old.len() as u64;
            Record::Create(domain).write(&mut old, Seal::Plain, place);
        }
        let place = old.len() as u64;
        Record::Delete("gone").write(&mut old, Seal::Plain, place);
        std::fs::write(journal_path(&dir.0, 0), &old).unwrap();
        let fsync = magic.ends_with(b"f");
        let world = World::open_as(&dir, u64::MAX, fsync).unwrap();
        world.put("abc", "i", "1");
        let state = world.state();
        assert!(
            state.contains("def ") && !state.contains("gone "),
            "{state}"
        );
        drop(world);
        assert_eq!(dir.names(), ["journal-0000000000", "journal-0000000001"]);
        assert_eq!(std::fs::read(journal_path(&dir.0, 0)).unwrap(), old);
        let world = World::open_as(&dir, u64::MAX, fsync).unwrap();
        assert_eq!(world.state(), state);
    }
}

#[test]
fn damage_is_told_and_nothing_is_cut_off_for_it() {
    let dir = Folder::new();
    let world = World::open(&dir, u64::MAX).unwrap();
    sample(&world);
    drop(world);
    let path = journal_path(&dir.0, 0);
    let bytes = std::fs::read(&path).unwrap();
    let Begin::Whole(form) = Begin::read(&bytes) else {
        panic!("not a journal");
    };
    let first = form.len();
    // In the salt, and in the length of a record, in its checksum and in its text.
    for at in [10, first, first + 3, first + 5, first + 15, first + 52] {
        let mut wrong = bytes.clone();
        wrong[at] ^= 0x10;
        std::fs::write(&path, &wrong).unwrap();
        let error = World::open(&dir, u64::MAX)
            .map(|_| ())
            .unwrap_err()
            .to_string();
        assert!(error.contains("damaged at byte"), "{at}: {error}");
        assert_eq!(std::fs::read(&path).unwrap(), wrong);
    }
    std::fs::write(&path, b"something else").unwrap();
    let error = World::open(&dir, u64::MAX)
        .map(|_| ())
        .unwrap_err()
        .to_string();
    assert!(error.contains("not a journal"), "{error}");
}

#[test]
fn a_long_journal_is_folded_while_writes_go_on() {
    let dir = Folder::new();
    let world = World::open(&dir, 20_000).unwrap();
    world.create("abc");
    let (threads, rounds) = (4, 300);
    let barrier = Barrier::new(threads);
    thread::scope(|scope| {
        for thread in 0..threads {
            let (world, barrier) = (&world, &barrier);
            scope.spawn(move || {
                barrier.wait();
                for round in 0..rounds {
                    let item = format!("{thread}-{}", round % 50);
                    if round % 7 == 3 {
                        world.write("abc", &item, &[], true);
                    } else {
                        world.put("abc", &item, &round.to_string());
                    }
                }
            });
        }
    });
    world.folded();
    let state = world.state();
    drop(world);
    let names = dir.names();
    assert!(
        names.iter().any(|name| name.starts_with("snapshot-")),
        "{names:?}"
    );
    assert!(
        !names.contains(&"journal-0000000000".to_owned()),
        "{names:?}"
    );
    let world = World::open(&dir, 20_000).unwrap();
    assert_eq!(world.state(), state);
}

#[test]
fn a_fold_that_was_cut_short_costs_nothing() {
    let dir = Folder::new();
    let world = World::open(&dir, 1).unwrap();
    sample(&world);
    world.folded();
    let state = world.state();
    drop(world);
    let world = World::open(&dir, u64::MAX).unwrap();
    let generation = world
        .journal
        .0
        .as_ref()
        .unwrap()
        .inner
        .generation
        .load(Ordering::Relaxed);
    drop(world);
    assert!(generation > 0);
    // The next journal was begun, and a part of its snapshot written.
    let next = generation + 1;
    drop(create(&journal_path(&dir.0, next), false).unwrap());
    std::fs::write(snapshot_path(&dir.0, next).with_extension("part"), b"sdb").unwrap();
    let world = World::open(&dir, u64::MAX).unwrap();
    assert_eq!(world.state(), state);
    let names = dir.names();
    assert!(
        !names.iter().any(|name| name.ends_with("part")),
        "{names:?}"
    );
    world.put("abc", "next", "1");
    let state = world.state();
    drop(world);
    assert_eq!(World::open(&dir, u64::MAX).unwrap().state(), state);
    // The process may have died in the middle of a record at that moment.
    let path = journal_path(&dir.0, generation);
    let mut bytes = std::fs::read(&path).unwrap();
    bytes.extend_from_slice(&[7; 5]);
    std::fs::write(&path, &bytes).unwrap();
    drop(create(&journal_path(&dir.0, next), false).unwrap());
    assert_eq!(World::open(&dir, u64::MAX).unwrap().state(), state);
    // But never left half a record behind and went on elsewhere.
    std::fs::write(&path, &bytes).unwrap();
    let form = Form::new(false);
    let mut other = form.head();
    let place = other.len() as u64;
    Record::Create("other").write(&mut other, form.seal, place);
    std::fs::write(journal_path(&dir.0, next), other).unwrap();
    let error = World::open(&dir, u64::MAX)
        .map(|_| ())
        .unwrap_err()
        .to_string();
    assert!(error.contains("damaged"), "{error}");
    std::fs::remove_file(&path).unwrap();
    let error = World::open(&dir, u64::MAX)
        .map(|_| ())
        .unwrap_err()
        .to_string();
    assert!(error.contains("is missing"), "{error}");
}

#[test]
fn a_damaged_snapshot_is_told() {
    let dir = Folder::new();
    let world = World::open(&dir, 1).unwrap();
    sample(&world);
    world.folded();
    drop(world);
    let name = dir
        .names()
        .into_iter()
        .find(|name| name.starts_with("snapshot-"))
        .unwrap();
    let path = dir.0.join(name);
    let bytes = std::fs::read(&path).unwrap();
    let last = bytes.len() - 1;
    for wrong in [&bytes[..last], &bytes[..bytes.len() / 2], &bytes[1..], &[]] {
        std::fs::write(&path, wrong).unwrap();
        let error = World::open(&dir, u64::MAX)
            .map(|_| ())
            .unwrap_err()
            .to_string();
        assert!(error.contains("damaged at byte"), "{error}");
    }
}

#[test]
fn a_folder_can_be_flushed_from_now_on_or_no_more() {
    let dir = Folder::new();
    let ways = [false, true, true, false, true, false, false, true];
    for (count, fsync) in ways.into_iter().enumerate() {
        let world = World::open_as(&dir, u64::MAX, fsync).unwrap();
        world.create("abc");
        let items = world.domains.get("abc").unwrap().read().len();
        assert_eq!(items, count);
        world.put("abc", &format!("i{count}"), "1");
        drop(world);
        // Opened and left as it is, in the other way.
        drop(World::open_as(&dir, u64::MAX, !fsync).unwrap());
    }
    let journals = dir.names().len();
    assert!(journals > 2, "{journals}");
    // Each journal but the last was whole when the next was begun.
    let first = journal_path(&dir.0, 0);
    let whole = std::fs::read(&first).unwrap();
    std::fs::write(&first, &whole[..whole.len() - 1]).unwrap();
    let error = World::open(&dir, u64::MAX).map(|_| ()).unwrap_err();
    assert!(error.to_string().contains("damaged at byte"), "{error}");
}

#[test]
fn a_snapshot_that_fails_leaves_no_part() {
    let dir = Folder::new();
    let world = World::open(&dir, u64::MAX).unwrap();
    sample(&world);
    let closing = AtomicBool::new(true);
    snapshot::write(&dir.0, 1, &world.domains, &closing).unwrap_err();
    assert_eq!(dir.names(), ["journal-0000000000"]);
}

#[test]
fn a_fold_that_fails_is_tried_again_after_a_pause() {
    let dir = Folder::new();
    let world = World::open(&dir, 1000).unwrap();
    world.create("abc");
    // The next generation cannot begin where something else has its name.
    std::fs::create_dir(journal_path(&dir.0, 1)).unwrap();
    let fold_at = || {
        let disk = world.journal.0.as_ref().unwrap();
        (
            disk.inner.fold_at.load(Ordering::Relaxed),
            disk.inner.log.len(),
        )
    };
    while fold_at().1 < 1000 {
        world.put("abc", "i", "1");
    }
    world.folded();
    let (next, len) = fold_at();
    assert!(next >= len + 900, "{next} {len}");
    std::fs::remove_dir(journal_path(&dir.0, 1)).unwrap();
    while fold_at().1 + 100 < next && fold_at().0 == next {
        world.put("abc", "i", "2");
    }
    world.put("abc", "last", &"x".repeat(200));
    world.folded();
    assert!(dir.names().contains(&"snapshot-0000000001".to_owned()));
}
