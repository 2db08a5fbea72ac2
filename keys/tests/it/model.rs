//! Any writes to any names, against a map.

use std::collections::{BTreeMap, BTreeSet};

use keys::Key;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::stores::{ALL, Fixture};

#[derive(Clone, Debug)]
enum Step {
    Put(usize, usize, Vec<u8>),
    PutNew(usize, usize, Vec<u8>),
    Delete(usize, usize),
}

fn name() -> impl Strategy<Value = Vec<u8>> {
    let nasty: [&[u8]; 14] = [
        b"",
        b"/",
        b"//",
        b"%",
        b"%2F",
        b".",
        b"..",
        b"../a",
        b"\0",
        b"\xff",
        b" ",
        b"+",
        b"a/b",
        "\u{e9}\u{1f600}".as_bytes(),
    ];
    let nasty: Vec<Vec<u8>> = nasty.iter().map(|name| name.to_vec()).collect();
    prop_oneof![
        4 => prop::sample::select(nasty),
        2 => prop::collection::vec(any::<u8>(), 0..6),
        1 => Just(b"x/".repeat(60)),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let value = || {
        prop_oneof![
            prop::collection::vec(any::<u8>(), 0..40),
            any::<String>().prop_map(String::into_bytes),
            Just(vec![b'a'; 3000]),
        ]
    };
    prop_oneof![
        3 => (0..4usize, 0..4usize, value()).prop_map(|(b, k, v)| Step::Put(b, k, v)),
        1 => (0..4usize, 0..4usize, value()).prop_map(|(b, k, v)| Step::PutNew(b, k, v)),
        2 => (0..4usize, 0..4usize).prop_map(|(b, k)| Step::Delete(b, k)),
    ]
}

/// Names to choose from, and what is done to them.
fn runs() -> impl Strategy<Value = (Vec<Vec<u8>>, Vec<Step>)> {
    (
        prop::collection::vec(name(), 8),
        prop::collection::vec(step(), 1..25),
    )
}

#[test]
fn any_names_and_values_are_as_in_a_map() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    for kind in ALL {
        let fixture = runtime.block_on(Fixture::start(kind));
        let mut runner = TestRunner::new(Config::with_cases(24));
        let case = std::cell::Cell::new(0);
        let outcome = runner.run(&runs(), |(names, steps)| {
            // A partition of its own for each case.
            case.set(case.get() + 1);
            let keys = fixture.keys.partition(format!("case/{}", case.get()));
            runtime.block_on(async {
                let mut map: BTreeMap<(&[u8], &[u8]), &[u8]> = BTreeMap::new();
                for step in &steps {
                    match step {
                        Step::Put(b, k, value) => {
                            let (b, k) = (&*names[*b], &*names[4 + *k]);
                            keys.put(b, k, value.clone()).await.unwrap();
                            map.insert((b, k), value);
                        }
                        Step::PutNew(b, k, value) => {
                            let (b, k) = (&*names[*b], &*names[4 + *k]);
                            let put = keys.put_new(b, k, value.clone()).await;
                            prop_assert_eq!(put.is_ok(), !map.contains_key(&(b, k)));
                            map.entry((b, k)).or_insert(value);
                        }
                        Step::Delete(b, k) => {
                            let (b, k) = (&*names[*b], &*names[4 + *k]);
                            keys.delete(b, k).await.unwrap();
                            map.remove(&(b, k));
                        }
                    }
                }
                for bucket in &names[..4] {
                    for key in &names[4..] {
                        let found = keys.get(bucket, key).await.unwrap();
                        let found = found.map(|(value, _)| value.to_vec());
                        let expected = map.get(&(&**bucket, &**key)).map(|v| v.to_vec());
                        prop_assert_eq!(found, expected);
                    }
                    let found = keys.keys(bucket).try_collect_all().await.unwrap();
                    prop_assert!(found.iter().all(|key| key.bucket == *bucket));
                    let expected = map.keys().filter(|(b, _)| *b == &**bucket).count();
                    prop_assert_eq!(found.len(), expected);
                }
                let found = keys.buckets().try_collect_all().await.unwrap();
                let buckets: BTreeSet<Vec<u8>> = map.keys().map(|(b, _)| b.to_vec()).collect();
                prop_assert_eq!(found.len(), buckets.len());
                prop_assert_eq!(found.into_iter().collect::<BTreeSet<_>>(), buckets);
                let found = keys.all_values().try_collect_all().await.unwrap();
                prop_assert_eq!(found.len(), map.len());
                for (Key { bucket, key }, value) in &found {
                    prop_assert_eq!(map.get(&(&**bucket, &**key)), Some(&&**value));
                }
                prop_assert_eq!(keys.is_empty().await.unwrap(), map.is_empty());
                keys.clear().await.unwrap();
                prop_assert!(keys.is_empty().await.unwrap());
                Ok(())
            })
        });
        outcome.unwrap_or_else(|error| panic!("{kind:?}: {error}"));
        runtime.block_on(fixture.end());
    }
}
