//! Runs of `sync` that are killed: up, down, and from prefix to prefix.

use std::collections::BTreeMap;
use std::path::Path;

use s3_client::S3Client;
use s3_sync::{Options, Patterns, Report, Side, Step, Url, sync};

use crate::world::{self, Tree, World, tree, write};
use crate::{ENOUGH, run};

/// The contents of files or objects by their keys.
type Contents = BTreeMap<String, Vec<u8>>;

/// What was killed, how often, and how often it has to be.
pub(crate) async fn kills() -> [(&'static str, u64, u64); 3] {
    [
        ("sync up", in_order_at_each_kill("up").await, 7),
        ("sync down", in_order_at_each_kill("down").await, 14),
        ("copy", in_order_at_each_kill("copy").await, 7),
    ]
}

/// Where a copy comes from.
const SOURCE: &str = "s3://releases/source";

fn options(verb: &str, folder: &Path) -> Options {
    let last = Patterns::default().exclude("*.html").unwrap();
    Options {
        delete: true,
        concurrency: 2,
        last: (verb != "down").then_some(last),
        state: Some(folder.with_extension("state")),
        ..Options::default()
    }
}

fn sides(verb: &str, client: &S3Client, url: Url, folder: &Path) -> (Side, Side) {
    let prefix = |url: Url| Side::prefix(client.bucket(url.bucket()), url);
    match verb {
        "up" => (Side::folder(folder), prefix(url)),
        "down" => (prefix(url), Side::folder(folder)),
        "copy" => (prefix(SOURCE.parse().unwrap()), prefix(url)),
        other => panic!("{other}"),
    }
}

/// Runs one that is killed.
pub(crate) async fn child(
    verb: &str,
    client: &S3Client,
    url: Url,
    folder: &Path,
    kill: impl Fn(Step<'_>) + Send + Sync + 'static,
) {
    let (source, target) = sides(verb, client, url, folder);
    let run = sync(source, target).options(options(verb, folder));
    let report = run.on_step(kill).run().await.unwrap();
    assert!(report.is_complete(), "{report:?}");
}

/// A page that is last, files of one write and of several, and a folder that gives way to a file.
fn before() -> Tree {
    let large = "x".repeat(300 << 10);
    tree(&[
        ("a", "1"),
        ("b/c", "old"),
        ("b/gone", "g"),
        ("e/f", "below"),
        ("large", &large),
        ("page.html", "the old page"),
    ])
}

fn after() -> Tree {
    let large = "y".repeat(1200 << 10);
    tree(&[
        ("a", "1"),
        ("b/c", "new"),
        ("d/g/new", "n"),
        ("e", "a file now"),
        ("large", &large),
        ("page.html", "the new page"),
    ])
}

fn contents(tree: Tree) -> Contents {
    tree.into_iter()
        .map(|(path, (content, _))| (path, content))
        .collect()
}

/// What lies below a prefix, but for the index.
async fn objects(world: &World, url: &Url) -> Contents {
    let mut found = Contents::new();
    let mut objects = world.bucket.list().prefix(url.prefix()).objects();
    while let Some(object) = objects.try_next().await.unwrap() {
        let key = object.key[url.prefix().len()..].to_owned();
        if key != ".s3-sync" {
            let got = world.bucket.get(object.key).await.unwrap();
            found.insert(key, got.body.bytes(4 << 20).await.unwrap().to_vec());
        }
    }
    found
}

/// What is in a folder, but for files of temporary names, of which it tells how many there are.
fn files(folder: &Path) -> (Contents, usize) {
    let mut found = contents(world::read(folder));
    let all = found.len();
    found.retain(|path, _| !path.contains(".s3-sync.part-"));
    let parts = all - found.len();
    (found, parts)
}

/// Each key has a whole content, from before or after, and nothing has gone before all else was there.
fn look(verb: &str, found: &Contents, at: u64) {
    let (before, after) = (contents(before()), contents(after()));
    for (key, content) in found {
        let known = [&before, &after].map(|tree| tree.get(key));
        assert!(
            known.contains(&Some(content)),
            "{verb}, killed at {at}: {key}"
        );
    }
    let is_new = |key: &str| found.get(key) == after.get(key);
    // What a folder is in the way of comes after the deletes.
    let moved = |key: &&String| !(verb == "down" && *key == "e");
    let pages = |key: &&String| !key.ends_with(".html");
    if verb != "down" && is_new("page.html") {
        assert!(
            after.keys().filter(pages).all(|key| is_new(key)),
            "killed at {at}"
        );
    }
    let gone = before.keys().any(|key| !found.contains_key(key));
    if gone {
        assert!(
            after.keys().filter(moved).all(|key| is_new(key)),
            "killed at {at}"
        );
    }
}

async fn in_order_at_each_kill(verb: &str) -> u64 {
    let world = World::new().await;
    let client = world::client(&world.emulator);
    let source = world.source(&after());
    let go = async |(source, target), options| -> Report {
        sync(source, target).options(options).run().await.unwrap()
    };
    let stateless = || Options {
        state: None,
        ..Options::default()
    };
    let prefix = |url: &Url| Side::prefix(world.bucket.clone(), url.clone());
    let up = Side::folder(source.path());
    go((up.clone(), prefix(&SOURCE.parse().unwrap())), stateless()).await;
    let old = world.source(&before());
    for at in 1..ENOUGH {
        let text = format!("s3://releases/{verb}{at}");
        let url: Url = text.parse().unwrap();
        let folder = world.folder.path().join(format!("{verb}{at}"));
        let first = match verb {
            "down" => up.clone(),
            _ => Side::folder(old.path()),
        };
        go((first, prefix(&url)), stateless()).await;
        write(&folder, &if verb == "down" { before() } else { after() });
        let found = async || match verb {
            "down" => files(&folder),
            _ => (objects(&world, &url).await, 0),
        };

        let ended = run(&world, verb, &text, &folder, at).await;
        let (left, parts) = found().await;
        look(verb, &left, at);
        // As many as are under way at once.
        assert!(parts <= 2, "{parts} files of temporary names");

        let again = || sides(verb, &client, url.clone(), &folder);
        let finished = go(again(), options(verb, &folder)).await;
        assert!(
            finished.is_complete(),
            "{verb}, killed at {at}: {finished:?}"
        );
        assert_eq!(
            finished.moved + finished.deleted == 0,
            ended || left == contents(after())
        );
        assert_eq!(
            found().await,
            (contents(after()), parts),
            "{verb}, killed at {at}"
        );
        // Index and state tell the truth.
        let verify = Options {
            verify: true,
            delete: false,
            last: None,
            ..options(verb, &folder)
        };
        for options in [options(verb, &folder), verify] {
            let level = go(again(), options).await;
            assert!(level.is_complete(), "{verb}, killed at {at}: {level:?}");
            assert_eq!((level.same, level.moved, level.deleted), (6, 0, 0));
        }
        if ended {
            return at - 1;
        }
    }
    panic!("it does not end");
}
