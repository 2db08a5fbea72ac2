//! Commits of many writers under faults, against a model.
//!
//! Each writer appends words of its own to the name of one of a few contacts, as a server does it: read, change, commit on
//! the condition of what was read, again after a conflict. The model is what they were told: a word that was committed is
//! there, once, a word that was refused is not, one whose outcome is not known is there once or not at all; and nobody's word
//! that was there goes. Beside them somebody reads version, contacts and version, and two looks at one valid version have to
//! show the same contacts.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::time::Duration;

use cloud_stores::roster::{RosterChange, RosterExpectation, RosterItem, RosterWrite};
use cloud_stores::{BareJid, Kind, Reads, Stores, StoresBuilder};
use emulator::{Fault, Rule};
use futures_util::future::{join, join_all};

use crate::kit::{World, jid};
use crate::memcached::Server;

const WRITERS: usize = 20;
const WORDS: usize = 3;
const CONTACTS: usize = 3;

/// How the nodes read what they decide on at first; after a conflict they read the newest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reading {
    /// What was written last.
    Newest,
    /// What SimpleDB says without consistency, which is old.
    Stale,
    /// What a cache has, of which only one of the two nodes tells what it writes.
    Cached,
}

/// What a writer was told of a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Told {
    Done,
    NotDone,
    Unknown,
}

/// What is told of each word, by contact and word.
type Model = RefCell<BTreeMap<(String, String), Told>>;

async fn append(stores: &Stores, jid: &BareJid, contact: &str, word: &str, model: &Model) {
    let roster = stores.roster();
    // Every conflict means that somebody else was done.
    for round in 0.. {
        let there = match round {
            0 => roster.get(jid, contact).await,
            _ => roster.get_newest(jid, contact).await,
        };
        let Ok(there) = there else { continue };
        let (expected, mut item) = match there {
            Some(entry) => (RosterExpectation::Is(entry.version), entry.item),
            None => {
                let contact = contact.to_owned();
                let item = RosterItem {
                    contact,
                    ..RosterItem::default()
                };
                (RosterExpectation::Absent, item)
            }
        };
        assert!(
            !item.name.contains(word),
            "{word} was refused, and is there"
        );
        item.name.push_str(word);
        // A long value, so that there are pieces, and groups that come and go.
        item.message = "m".repeat(item.name.len() * 7);
        item.groups = if word.ends_with("2>") || round == 1 {
            vec![word.to_owned()]
        } else {
            Vec::new()
        };
        let write = RosterWrite::Put(item);
        let change = RosterChange { expected, write };
        let version = format!("{word}{round}");
        let told = match roster.commit(jid, &[change], Some(&version)).await {
            Ok(()) => Told::Done,
            Err(error) if error.kind() == Kind::Conflict => Told::NotDone,
            Err(error) => {
                assert!(
                    matches!(error.kind(), Kind::Unavailable | Kind::Timeout),
                    "{error}"
                );
                Told::Unknown
            }
        };
        model
            .borrow_mut()
            .insert((contact.to_owned(), word.to_owned()), told);
        if told != Told::NotDone {
            return;
        }
    }
}

/// Looks at version and contacts until the writers are done.
async fn watch(stores: &Stores, jid: &BareJid, done: &RefCell<bool>) -> usize {
    let roster = stores.roster();
    let mut seen: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut compared = 0;
    while !*done.borrow() {
        let Ok(Some(before)) = roster.version(jid).await else {
            continue;
        };
        let Ok(all) = roster.all(jid).await else {
            continue;
        };
        if roster.version(jid).await.ok().flatten().as_ref() != Some(&before) {
            continue;
        }
        let mut names: Vec<String> = all
            .into_iter()
            .map(|entry| format!("{} {}", entry.item.contact, entry.item.name))
            .collect();
        names.sort();
        if let Some(then) = seen.insert(before.clone(), names.clone()) {
            assert_eq!(then, names, "version {before} stands for two rosters");
            compared += 1;
        }
    }
    compared
}

/// Runs all writers in a world with faults of this rate, and compares what comes out with what they were told.
async fn run(seed: u64, rate: f64, reading: Reading) {
    let memcached = (reading == Reading::Cached).then(Server::start);
    let reads = match reading {
        Reading::Newest => Reads::Consistent,
        Reading::Stale => Reads::Eventual,
        Reading::Cached => Reads::Cached,
    };
    let patient = |builder: StoresBuilder| builder.reads(reads).deadline(Duration::from_secs(300));
    let world = World::with(memcached, patient).await;
    let other = world
        .another(|builder| patient(builder).reads(Reads::Consistent))
        .await;
    if reading == Reading::Stale {
        world.stale();
    }
    let faults = world.faults();
    faults.seed(seed);
    let kinds = [
        Fault::reset_after(),
        Fault::reset_before(),
        Fault::error(500, "InternalError"),
        Fault::cut(10),
    ];
    faults.add(Rule::new(Fault::slow_down()).rate(rate).times(5));
    for fault in kinds {
        for operation in [
            "PutAttributes",
            "DeleteAttributes",
            "GetAttributes",
            "Select",
        ] {
            faults.add(Rule::new(fault.clone()).operation(operation).rate(rate));
        }
    }
    let ann = jid("ann");
    let (model, done) = (Model::default(), RefCell::new(false));
    let write = async |writer: usize| {
        let node = if writer < WRITERS / 2 {
            &world.stores
        } else {
            &other
        };
        for n in 0..WORDS {
            let contact = format!("c{}@example.org", (writer + n) % CONTACTS);
            append(node, &ann, &contact, &format!("<{writer}.{n}>"), &model).await;
        }
    };
    let writers = async {
        join_all((0..WRITERS).map(write)).await;
        *done.borrow_mut() = true;
    };
    join(writers, watch(&other, &ann, &done)).await;
    assert!(
        rate == 0.0 || faults.count() > 50,
        "{} faults",
        faults.count()
    );
    world.calm();

    let model = model.into_inner();
    assert_eq!(model.len(), WRITERS * WORDS);
    let mut names: BTreeMap<String, String> = BTreeMap::new();
    for entry in world.stores.roster().all(&ann).await.unwrap() {
        assert_eq!(entry.item.message.len(), entry.item.name.len() * 7);
        names.insert(entry.item.contact, entry.item.name);
    }
    for ((contact, word), told) in &model {
        let times = names[contact].matches(word.as_str()).count();
        match told {
            Told::Done => assert_eq!(times, 1, "{word} was done"),
            Told::NotDone => assert_eq!(times, 0, "{word} was not done"),
            Told::Unknown => assert!(times <= 1, "{word} is there {times} times"),
        }
    }
    let words: usize = names.values().map(|name| name.matches('<').count()).sum();
    let done = model.values().filter(|told| **told == Told::Done).count();
    let unknown = model
        .values()
        .filter(|told| **told == Told::Unknown)
        .count();
    assert!((done..=done + unknown).contains(&words));
    // Most outcomes are found out.
    assert!(
        unknown * 4 <= model.len(),
        "{unknown} of {} are not known",
        model.len()
    );
    if rate == 0.0 {
        assert_eq!(unknown, 0);
        assert!(world.stores.roster().version(&ann).await.unwrap().is_some());
    }
}

#[tokio::test]
async fn twenty_writers_without_faults() {
    run(0, 0.0, Reading::Newest).await;
}

#[tokio::test]
async fn twenty_writers_with_faults() {
    run(1, 0.03, Reading::Newest).await;
}

#[tokio::test]
async fn twenty_writers_with_faults_and_stale_reads() {
    run(2, 0.03, Reading::Stale).await;
}

#[tokio::test]
async fn twenty_writers_with_faults_and_an_old_cache() {
    run(3, 0.03, Reading::Cached).await;
}
