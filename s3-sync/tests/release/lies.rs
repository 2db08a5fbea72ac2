//! Stores that give a node what it must not take: nothing is written outside, and the node runs on.

use s3_sync::Kind;
use s3_sync::release::Bounds;
use sha2::{Digest as _, Sha256};

use crate::world::{Tree, World, once, tree};

fn hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// Puts a manifest of the second release that has this line for a file, with digests that are right, and a pointer to it.
async fn forge(world: &World, line: &str) {
    let head = "{\"format\":1,\"number\":2,\"parent\":1,\"created\":0,\"note\":\"\",\"id\":\"x\",\"files\":[";
    let body = format!("{head}\n{line}\n],\n");
    let digest = hex(body.as_bytes());
    let text = format!("{body}\"sha256\":\"{digest}\"}}\n");
    world
        .bucket
        .put("app/releases/000002.json", text)
        .await
        .unwrap();
    point(world, 2, &digest).await;
}

async fn point(world: &World, seq: u64, digest: &str) {
    let text = format!(
        "{{\"seq\":{seq},\"release\":2,\"manifest\":\"{digest}\",\"cause\":\"publish\",\"by\":\"x\"}}"
    );
    world
        .bucket
        .put(format!("app/history/{seq:012}.json"), text.clone())
        .await
        .unwrap();
    world.bucket.put("app/current", text).await.unwrap();
}

fn line(path: &str, digest: &str, size: u64) -> String {
    format!("{{\"path\":\"{path}\",\"sha256\":\"{digest}\",\"size\":{size},\"mode\":\"644\"}}")
}

/// One that runs the first release, and what it runs.
async fn world() -> (World, Tree) {
    let files = tree(&[("a", "1")]);
    (World::running(&files).await, files)
}

/// What is beside the folder of the node.
fn outside(world: &World) -> Vec<String> {
    let names = std::fs::read_dir(world.folder.path()).unwrap();
    let mut names: Vec<String> = names
        .map(|name| name.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[tokio::test]
async fn a_manifest_that_lies_is_named_and_nothing_of_it_is_written() {
    let one = hex(b"1");
    let same = line("a", &one, 1);
    for (lie, said) in [
        (
            line("../evil", &one, 1),
            "../evil: this key is no name of a file",
        ),
        (line("a/../../../evil", &one, 1), "it has . or .."),
        (line("/tmp/evil", &one, 1), "begins with a slash"),
        (line("a\\u0000", &one, 1), "control characters"),
        (line("a//b", &one, 1), "nothing before or after"),
        (format!("{same},\n{}", line("a/b", &one, 1)), "a is a file"),
        (format!("{same},\n{same}"), "does not come after"),
        (line("a", "xyz", 1), "64 hexadecimal digits"),
        (line("a", &one, 1).replace("644", "6755"), "6755 is no mode"),
        ("{}".to_owned(), "missing field"),
        // Right in itself, and not what the store has.
        (line("b", &one, 2), "another size"),
        (
            line("b", &hex(b"other"), 5),
            "its content is not that of its name",
        ),
    ] {
        let (world, files) = world().await;
        let other = hex(b"other");
        let key = format!("app/blobs/{}/{other}", &other[..2]);
        world.bucket.put(key, "wrong").await.unwrap();
        forge(&world, &lie).await;
        let before = outside(&world);
        let told = once(world.node("n")).await.unwrap_err();
        assert!(told.to_string().contains(said), "{lie}: {told}");
        assert_eq!(told.kind(), Kind::Content, "{told}");
        assert_eq!(world.used("n"), files, "{lie}");
        assert_eq!(outside(&world), before);
        assert!(!world.folder.path().join("n/releases/2").exists());
    }
}

#[tokio::test]
async fn a_manifest_that_is_not_the_one_of_the_pointer_is_refused() {
    let (world, files) = world().await;
    forge(&world, &line("a", &hex(b"1"), 1)).await;
    point(&world, 3, &hex(b"another")).await;
    let told = once(world.node("n")).await.unwrap_err();
    assert!(
        told.to_string()
            .contains("not the manifest that the pointer names"),
        "{told}"
    );
    // One byte of it is another.
    let key = "app/releases/000002.json";
    let text = world.text("releases/000002.json").await;
    let text = text.replace("\"note\":\"\"", "\"note\":\"x\"");
    world.bucket.put(key, text).await.unwrap();
    let told = once(world.node("n")).await.unwrap_err();
    assert!(
        told.to_string().contains("not that of its SHA-256"),
        "{told}"
    );
    // It names what is not there; that may be an error of the moment, and no lie.
    world.bucket.delete(key).await.unwrap();
    assert_eq!(once(world.node("n")).await.unwrap_err().kind(), Kind::Store);
    world.bucket.put("app/current", "{}").await.unwrap();
    let told = once(world.node("n")).await.unwrap_err();
    assert!(
        told.to_string().contains("app/current: it is no pointer"),
        "{told}"
    );
    assert_eq!(world.used("n"), files);
}

#[tokio::test]
async fn what_is_too_large_is_not_fetched() {
    let (world, files) = world().await;
    let gets = world.contents_fetched();
    world.publish(&tree(&[("b", "12345"), ("c", "6")])).await;
    for bounds in [
        Bounds {
            max_files: 1,
            ..Bounds::default()
        },
        Bounds {
            max_bytes: 5,
            ..Bounds::default()
        },
    ] {
        let told = once(world.node("n").bounds(bounds)).await.unwrap_err();
        assert_eq!(told.kind(), Kind::Guard, "{told}");
    }
    let told = once(world.node("n").bounds(Bounds {
        max_files: 0,
        max_bytes: 0,
    }))
    .await
    .unwrap_err();
    assert!(told.to_string().contains("allowed"), "{told}");
    assert_eq!(gets.load(std::sync::atomic::Ordering::Relaxed), 0);
    assert_eq!(world.used("n"), files);
}

#[tokio::test]
async fn links_in_what_was_left_are_not_followed() {
    let (world, files) = world().await;
    let target = world.folder.path().join("victim");
    std::fs::create_dir(&target).unwrap();
    std::fs::write(target.join("file"), "untouched").unwrap();
    let left = world.folder.path().join("n/releases/2.tmp");
    let published = tree(&[("a", "1"), ("b/file", "2"), ("c", "3")]);
    world.publish(&published).await;
    // The manifest is there already, so that what was left is looked at.
    let text = world.text("releases/000002.json").await;
    std::fs::write(world.folder.path().join("n/releases/2.json"), text).unwrap();
    std::fs::create_dir(&left).unwrap();
    std::os::unix::fs::symlink(&target, left.join("b")).unwrap();
    std::os::unix::fs::symlink(target.join("file"), left.join("c")).unwrap();
    std::fs::write(left.join("foreign"), "x").unwrap();
    std::fs::write(left.join("a"), "cut").unwrap();
    assert_eq!(world.used("n"), files);
    once(world.node("n")).await.unwrap();
    assert_eq!(world.used("n"), published);
    assert_eq!(std::fs::read(target.join("file")).unwrap(), b"untouched");
}
