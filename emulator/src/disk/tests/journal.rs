//! A journal that is read again, whole, cut and damaged.

use super::*;
use crate::disk::frame;

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
        frame::write(&mut bytes, &frame::Mark::Flushed(flushed), Seal::Plain, 0);
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
            frame::write(&mut old, &SdbRecord::Create(domain), Seal::Plain, place);
        }
        let place = old.len() as u64;
        frame::write(&mut old, &SdbRecord::Delete("gone"), Seal::Plain, place);
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
    let FormStart::Whole(form) = FormStart::read(&bytes) else {
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
