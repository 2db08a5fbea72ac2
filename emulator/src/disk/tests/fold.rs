//! Journals that are folded into snapshots.

use super::*;
use crate::disk::frame;

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
    frame::write(&mut other, &SdbRecord::Create("other"), form.seal, place);
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
fn a_snapshot_that_fails_leaves_no_part() {
    let dir = Folder::new();
    let world = World::open(&dir, u64::MAX).unwrap();
    sample(&world);
    let closing = AtomicBool::new(true);
    snapshot::write(&dir.0, 1, &*world.domains, &closing).unwrap_err();
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
