//! Random trees and random edits: afterwards both sides are equal, and a second run finds that out for the price of a listing.

use std::collections::BTreeMap;
use std::path::Path;

use proptest::prelude::*;
use s3_sync::Options;

use crate::common::{World, files, write};

type Tree = BTreeMap<String, String>;

/// A tree in which no file is in the way of a folder.
fn tree() -> impl Strategy<Value = Tree> {
    let key = "[ab]{1,2}(/[ab.-]?[ab]){0,2}";
    prop::collection::btree_map(key, "[xy]{0,3}", 1..25).prop_map(|tree| {
        let keys: Vec<String> = tree.keys().cloned().collect();
        let below = |key: &String| {
            let folder = format!("{key}/");
            keys.iter().any(|other| other.starts_with(&folder))
        };
        tree.into_iter().filter(|(key, _)| !below(key)).collect()
    })
}

fn make(root: &Path, tree: &Tree) {
    let _may_not_be_there = std::fs::remove_dir_all(root);
    std::fs::create_dir_all(root).expect("it is made");
    let files: Vec<(&str, &str)> = tree.iter().map(|(k, v)| (&**k, &**v)).collect();
    write(root, &files);
}

fn bytes(tree: &Tree) -> BTreeMap<String, Vec<u8>> {
    let pairs = tree.iter();
    pairs
        .map(|(key, content)| (key.clone(), content.as_bytes().to_vec()))
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 8, ..ProptestConfig::default() })]

    #[test]
    fn both_sides_are_equal_after_any_edits(trees in prop::collection::vec(tree(), 2..4)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(Box::pin(async {
            let world = World::start().await;
            let options = || Options {
                delete: true,
                max_delete: "100%".parse().unwrap(),
                concurrency: 7,
                ..world.options()
            };
            for tree in &trees {
                make(&world.tree("a"), tree);
                let told = world.run("tree:a", "p", options()).await;
                assert_eq!(told.report.failed, 0, "{told:?}");
                assert_eq!(world.objects("p/").await, bytes(tree));
                let told = world.run("p", "tree:b", options()).await;
                assert_eq!(told.report.failed, 0, "{told:?}");
                assert_eq!(files(&world.tree("b")), bytes(tree));
                for (source, target) in [("tree:a", "p"), ("p", "tree:b")] {
                    let before = world.requests();
                    let told = world.run(source, target, options()).await;
                    let same = (tree.len() as u64, 0);
                    assert_eq!((told.report.same, told.report.moved + told.report.deleted), same);
                    assert_eq!(world.requests() - before, 2, "the listing and the index");
                }
            }
        }));
    }
}
