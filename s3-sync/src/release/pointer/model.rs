//! Publishers, rollbacks and followers at once on a store that loses answers and delivers writes late, in random order.
//!
//! What must hold: moves have one order and unique numbers; no move that its author knows of is lost; numbers of releases get
//! smaller by a rollback only; and a follower that asks for a later move ends on the last one, however old the copy is.

use std::collections::BTreeMap;

use fastrand::Rng;

use super::advance::{Advance, AdvanceAction, AdvanceEvent, Outcome, WantedMove};
use super::tests::pointer;
use super::{Cause, Pointer};

/// A write that is on its way, or was done.
#[derive(Clone, Debug)]
enum Write {
    Move(Pointer),
    Copy(Pointer),
}

#[derive(Debug, Default)]
struct ModelStore {
    moves: BTreeMap<u64, Pointer>,
    current: Option<Pointer>,
    late: Vec<Write>,
}

impl ModelStore {
    /// Whether it was done.
    fn write(&mut self, write: Write) -> bool {
        match write {
            Write::Copy(pointer) => self.current = Some(pointer),
            Write::Move(pointer) if self.moves.contains_key(&pointer.seq) => return false,
            Write::Move(pointer) => drop(self.moves.insert(pointer.seq, pointer)),
        }
        true
    }

    fn last(&self) -> Option<&Pointer> {
        self.moves.last_key_value().map(|(_, last)| last)
    }
}

/// What becomes of a write, so far as its author can see.
fn written(
    store: &mut ModelStore,
    random: &mut Rng,
    write: Write,
    done: AdvanceEvent,
    refused: AdvanceEvent,
) -> AdvanceEvent {
    match random.u8(0..10) {
        // Lost on the way there, or on the way back, or late.
        0 => AdvanceEvent::Lost,
        1 => {
            store.write(write);
            AdvanceEvent::Lost
        }
        2 => {
            store.late.push(write);
            AdvanceEvent::Lost
        }
        _ => match store.write(write) {
            true => done,
            false => refused,
        },
    }
}

/// What the store says to an action; nothing if there is none any more.
fn answer(store: &mut ModelStore, random: &mut Rng, action: AdvanceAction) -> Option<AdvanceEvent> {
    Some(match action {
        AdvanceAction::Read { .. } => AdvanceEvent::Last(store.last().cloned()),
        AdvanceAction::Settle(seq) => AdvanceEvent::Move(store.moves.get(&seq).cloned()),
        AdvanceAction::Claim(pointer) => written(
            store,
            random,
            Write::Move(pointer),
            AdvanceEvent::Claimed,
            AdvanceEvent::Taken,
        ),
        AdvanceAction::Announce(pointer) => {
            let copied = AdvanceEvent::Announced;
            written(
                store,
                random,
                Write::Copy(pointer),
                copied,
                AdvanceEvent::Lost,
            )
        }
        AdvanceAction::Done(_) => return None,
    })
}

/// A follower as far as the order of moves goes.
#[derive(Debug, Default)]
struct ModelReader {
    known: Option<Pointer>,
}

impl ModelReader {
    fn learn(&mut self, found: Option<&Pointer>) {
        let Some(found) = found else { return };
        match &self.known {
            Some(known) if found.seq <= known.seq => {}
            known => {
                if let Some(known) = known
                    && found.target.release < known.target.release
                {
                    // It may have missed the rollback itself, and never what is before it.
                    assert!(found.seq > known.seq);
                }
                self.known = Some(found.clone());
            }
        }
    }

    fn ask(&mut self, store: &ModelStore) {
        self.learn(store.current.as_ref());
    }

    fn look_behind(&mut self, store: &ModelStore) {
        let Some(known) = &self.known else {
            return self.ask(store);
        };
        if store.moves.contains_key(&(known.seq + 1)) {
            self.learn(store.last());
        }
    }
}

fn run(seed: u64) -> (u64, u64) {
    let mut random = Rng::with_seed(seed);
    let mut store = ModelStore::default();
    let mut readers = [
        ModelReader::default(),
        ModelReader::default(),
        ModelReader::default(),
    ];
    let mut begun: Vec<Advance> = Vec::new();
    let mut ended = Vec::new();
    let (mut releases, mut late, mut stale, mut gave_up) = (0, 0, 0, false);
    for step in 0.. {
        let wants_more = releases < 12 && random.u8(0..8) == 0;
        if wants_more && begun.len() < 3 {
            let is_rollback = releases > 2 && random.u8(0..6) == 0;
            let release = match is_rollback {
                true => random.u64(1..=releases),
                false => releases + 1,
            };
            releases = releases.max(release);
            begun.push(Advance::new(WantedMove {
                target: pointer(1, release).target,
                at: None,
                cause: if is_rollback {
                    Cause::Rollback
                } else {
                    Cause::Publish
                },
                by: format!("{seed} {step}"),
                now: 0,
            }));
        }
        match random.u8(0..6) {
            0 if !store.late.is_empty() => {
                let write = store.late.swap_remove(random.usize(..store.late.len()));
                store.write(write);
                late += 1;
            }
            1 => readers[random.usize(..3)].ask(&store),
            2 => readers[random.usize(..3)].look_behind(&store),
            _ if !begun.is_empty() => {
                let at = random.usize(..begun.len());
                let action = begun[at].action();
                let copies = matches!(action, AdvanceAction::Announce(_));
                match answer(&mut store, &mut random, action) {
                    Some(event) => {
                        begun[at].handle(event);
                        gave_up |= copies && matches!(begun[at].action(), AdvanceAction::Done(_));
                    }
                    None => ended.push(begun.swap_remove(at).action()),
                }
            }
            _ => {}
        }
        if releases == 12 && begun.is_empty() {
            break;
        }
    }
    // The copy is that of the last move, unless a write of it is on its way or came late.
    if late == 0 && store.late.is_empty() && !gave_up {
        let is_known = ended.iter().all(|end| {
            matches!(
                end,
                AdvanceAction::Done(Outcome::Moved(_) | Outcome::Overtaken(_))
            )
        });
        assert!(
            !is_known || store.current.as_ref() == store.last(),
            "seed {seed}"
        );
    }
    while let Some(write) = store.late.pop() {
        store.write(write);
    }
    stale += u64::from(store.current.as_ref() != store.last());

    let mut before: Option<&Pointer> = None;
    for (at, found) in &store.moves {
        assert_eq!(
            *at,
            before.map_or(1, |before| before.seq + 1),
            "seed {seed}: a gap"
        );
        let grows = before.is_none_or(|before| found.target.release > before.target.release);
        assert!(
            grows || found.cause == Cause::Rollback,
            "seed {seed}: {at} goes back"
        );
        before = Some(found);
    }
    for end in ended {
        let AdvanceAction::Done(outcome) = end else {
            continue;
        };
        if let Outcome::Moved(pointer) | Outcome::Overtaken(pointer) = outcome {
            let there = &store.moves[&pointer.seq];
            assert_eq!(
                (there.target, &there.by),
                (pointer.target, &pointer.by),
                "seed {seed}"
            );
        }
    }
    for reader in &mut readers {
        reader.ask(&store);
        reader.look_behind(&store);
        assert_eq!(reader.known.as_ref(), store.last(), "seed {seed}");
    }
    (late, stale)
}

#[test]
fn moves_have_one_order_whatever_is_lost_or_late() {
    let (mut late, mut stale) = (0, 0);
    for seed in 0..3_000 {
        let (more_late, more_stale) = run(seed);
        late += more_late;
        stale += more_stale;
    }
    // What the plain copy alone would have missed is in the sample.
    assert!(
        late > 1_000 && stale > 20,
        "{late} writes were late, {stale} copies ended old"
    );
}
