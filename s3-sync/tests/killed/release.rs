//! A publisher, a follower and a collection of garbage that are killed.

use std::fs;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::time::Duration;

use s3_client::S3Client;
use s3_sync::release::{App, Gc};
use s3_sync::{Step, Url};

use crate::world::{self, Tree, World, once, read, tree, write};
use crate::{ENOUGH, run};

/// What was killed, how often, and how often it has to be.
pub(crate) async fn kills() -> [(&'static str, u64, u64); 5] {
    [
        ("follow", a_follower_is_whole_at_each_kill().await, 15),
        (
            "follow again and again",
            a_follower_that_is_killed_again_and_again_comes_to_its_end().await,
            5,
        ),
        (
            "publish",
            a_publisher_leaves_a_store_in_order_at_each_kill().await,
            6,
        ),
        (
            "gc",
            a_collection_leaves_all_that_is_pointed_at_at_each_kill("gc").await,
            5,
        ),
        (
            "gc over",
            a_collection_leaves_all_that_is_pointed_at_at_each_kill("gc over").await,
            7,
        ),
    ]
}

/// Runs a verb that is killed.
pub(crate) async fn child(
    verb: &str,
    client: &S3Client,
    url: &Url,
    folder: &Path,
    kill: impl Fn(Step<'_>) + Send + Sync + 'static,
) {
    let app = App::new(client, url);
    match verb {
        "follow" => {
            let follow = app
                .follow(folder)
                .name("n")
                .once(true)
                .on_step(kill)
                .concurrency(2);
            follow.start().unwrap().run().await.unwrap();
        }
        "publish" => {
            app.publish(folder)
                .concurrency(2)
                .on_step(kill)
                .send()
                .await
                .unwrap();
        }
        "gc" => {
            gc(&app).on_step(kill).send().await.unwrap();
        }
        "gc over" => {
            over(gc(&app)).on_step(kill).send().await.unwrap();
        }
        other => panic!("{other}"),
    }
}

/// A collection that spares nothing but the last release and those in use.
fn gc(app: &App) -> Gc {
    app.gc().keep(1).older(Duration::ZERO).young(Duration::ZERO)
}

/// One that takes over at once: what one that was killed has sent has arrived.
fn over(gc: Gc) -> Gc {
    gc.least_take_over(Duration::ZERO)
        .take_over(Duration::from_millis(1))
}

fn before() -> Tree {
    tree(&[
        ("same", "s"),
        ("a/changed", "old"),
        ("gone", "g"),
        ("run.sh", "x"),
    ])
}

fn after() -> Tree {
    tree(&[
        ("same", "s"),
        ("a/changed", "new"),
        ("b/c/added", "2"),
        ("run.sh", "x"),
        ("b/twin", "2"),
    ])
}

/// Every whole release is whole, and the link names one of them.
fn look(node: &Path, trees: &[(u64, Tree)], what: &str) -> u64 {
    for entry in fs::read_dir(node.join("releases")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if let Ok(number) = name.parse::<u64>() {
            let (_, tree) = trees.iter().find(|(of, _)| *of == number).unwrap();
            assert_eq!(
                &read(&node.join("releases").join(&name)),
                tree,
                "{what}: release {name}"
            );
        }
    }
    let link = fs::read_link(node.join("current")).unwrap();
    let number = link.file_name().unwrap().to_str().unwrap().parse().unwrap();
    let (_, tree) = trees.iter().find(|(of, _)| *of == number).unwrap();
    assert_eq!(&read(&node.join("current")), tree, "{what}");
    number
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            copy(&source, &target);
        } else if kind.is_symlink() {
            std::os::unix::fs::symlink(fs::read_link(&source).unwrap(), &target).unwrap();
        } else {
            fs::copy(&source, &target).unwrap();
        }
    }
}

async fn two_releases() -> (World, Vec<(u64, Tree)>) {
    let world = World::new().await;
    world.publish(&before()).await;
    once(world.node("template")).await.unwrap();
    world.publish(&after()).await;
    (world, vec![(1, before()), (2, after())])
}

async fn a_follower_is_whole_at_each_kill() -> u64 {
    let (world, trees) = two_releases().await;
    let gets = world.contents_fetched();
    let template = world.folder.path().join("template");
    let mut seen = [0; 3];
    for at in 1..ENOUGH {
        let name = format!("n{at}");
        let node = world.folder.path().join(&name);
        copy(&template, &node);
        gets.store(0, Ordering::Relaxed);
        let ended = run(&world, "follow", "s3://releases/app", &node, at).await;
        let number = look(&node, &trees, &format!("killed at {at}"));
        seen[number as usize] += 1;
        once(world.node(&name)).await.unwrap();
        assert_eq!(look(&node, &trees, "at the end"), 2);
        // Two contents lack; what was fetched by the one that was killed is fetched again only if it was not whole.
        let fetched = gets.load(Ordering::Relaxed);
        assert!(fetched <= 4, "{fetched} contents fetched");
        let left = fs::read_dir(node.join("releases")).unwrap().count();
        assert_eq!(left, 4, "two releases and their manifests");
        if ended {
            assert_eq!(fetched, 2);
            assert!(seen[1] > 5 && seen[2] > 2, "{seen:?}");
            return at - 1;
        }
    }
    panic!("it does not end");
}

async fn a_follower_that_is_killed_again_and_again_comes_to_its_end() -> u64 {
    let (world, trees) = two_releases().await;
    let node = world.folder.path().join("n");
    copy(&world.folder.path().join("template"), &node);
    let mut kills = 0;
    // Each gets a little further.
    for at in 1..ENOUGH {
        for step in [at, at + 1] {
            if run(&world, "follow", "s3://releases/app", &node, step).await {
                assert_eq!(look(&node, &trees, "at the end"), 2);
                return kills;
            }
            kills += 1;
            look(&node, &trees, &format!("killed for the {kills}th time"));
        }
    }
    panic!("it does not end");
}

async fn a_publisher_leaves_a_store_in_order_at_each_kill() -> u64 {
    let world = World::new().await;
    let source = tempfile::tempdir_in(world.folder.path()).unwrap();
    for at in 1..ENOUGH {
        let url = format!("s3://releases/app{at}");
        let app = App::new(&world::client(&world.emulator), &url.parse().unwrap());
        let publish = async |tree: &Tree| {
            let _gone = fs::remove_dir_all(source.path());
            write(source.path(), tree);
            app.publish(source.path()).send().await.unwrap()
        };
        publish(&before()).await;
        let _gone = fs::remove_dir_all(source.path());
        write(source.path(), &after());
        let ended = run(&world, "publish", &url, source.path(), at).await;
        // Whoever comes now gets the one or the other, whole.
        let node = world.folder.path().join(format!("p{at}"));
        once(app.follow(&node)).await.unwrap();
        let used = read(&node.join("current"));
        assert!(used == before() || used == after(), "killed at {at}");
        let blobs = async || {
            let list = world
                .bucket
                .list()
                .prefix(format!("app{at}/blobs/"))
                .send()
                .await
                .unwrap();
            list.objects.len() as u64
        };
        let there = blobs().await;
        let again = publish(&after()).await;
        assert_eq!(
            (again.sent, blobs().await),
            (6 - there, 6),
            "killed at {at}"
        );
        // Nodes that ask for nothing but `current` see the last move.
        let text = async |below: &str| {
            let key = format!("app{at}/{below}");
            let object = world.bucket.get(key).await.unwrap();
            object.body.bytes(1024).await.unwrap()
        };
        let last = text(&format!("history/{:012}.json", again.seq)).await;
        assert_eq!(text("current").await, last, "killed at {at}");
        once(app.follow(&node)).await.unwrap();
        assert_eq!(read(&node.join("current")), after(), "killed at {at}");
        if ended {
            assert_eq!(again.end, s3_sync::release::PublishEnd::Unchanged);
            return at - 1;
        }
    }
    panic!("it does not end");
}

async fn a_collection_leaves_all_that_is_pointed_at_at_each_kill(verb: &str) -> u64 {
    let world = World::new().await;
    let source = tempfile::tempdir_in(world.folder.path()).unwrap();
    for at in 1..ENOUGH {
        let url = format!("s3://releases/gc{at}");
        let app = App::new(&world::client(&world.emulator), &url.parse().unwrap());
        for tree in [before(), tree(&[("other", "1")]), after()] {
            let _gone = fs::remove_dir_all(source.path());
            write(source.path(), &tree);
            app.publish(source.path()).send().await.unwrap();
        }
        if verb == "gc over" {
            // One that was killed before.
            let begun = format!("gc{at}/sweeps/000001.json");
            world.bucket.put(begun, "{}").await.unwrap();
        }
        let ended = run(&world, verb, &url, source.path(), at).await;
        let node = world.folder.path().join(format!("g{at}"));
        once(app.follow(&node)).await.unwrap();
        assert_eq!(read(&node.join("current")), after(), "killed at {at}");
        // Each release whose manifest is there has its contents: the pointer can be moved to it.
        let keys = async |below: &str| {
            let list = world
                .bucket
                .list()
                .prefix(format!("gc{at}/{below}"))
                .send()
                .await
                .unwrap();
            list.objects
                .into_iter()
                .map(|object| object.key)
                .collect::<Vec<_>>()
        };
        // Without this it would count as under way for its hour.
        over(gc(&app)).end_only(true).send().await.unwrap();
        for key in keys("releases/").await {
            let number = key
                .rsplit_once('/')
                .unwrap()
                .1
                .strip_suffix(".json")
                .unwrap()
                .parse()
                .unwrap();
            app.rollback(Some(number)).send().await.unwrap();
        }
        app.rollback(Some(3)).send().await.unwrap();
        gc(&app).send().await.unwrap();
        assert_eq!(
            (keys("releases/").await.len(), keys("blobs/").await.len()),
            (1, 4),
            "killed at {at}"
        );
        once(app.follow(&node)).await.unwrap();
        assert_eq!(read(&node.join("current")), after());
        if ended {
            return at - 1;
        }
    }
    panic!("it does not end");
}
