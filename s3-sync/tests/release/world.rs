//! What the tests of releases share: an emulator, an application, and trees of files.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use emulator::{Emulator, Fault, Rule, Seen};
use s3_client::{Bucket, Credentials, S3Client};
use s3_sync::release::{App, Follow, Release, SignKey};
use tempfile::TempDir;

/// A tree: the content of each file, and whether it can be run.
pub(crate) type Tree = BTreeMap<String, (Vec<u8>, bool)>;

pub(crate) struct World {
    pub(crate) emulator: Emulator,
    pub(crate) bucket: Bucket,
    pub(crate) app: App,
    pub(crate) folder: TempDir,
}

pub(crate) fn client(emulator: &Emulator) -> S3Client {
    S3Client::builder()
        .endpoint(emulator.url())
        .credentials(Credentials::new(
            emulator.access_key(),
            emulator.secret_key(),
        ))
        .build()
        .unwrap()
}

impl World {
    pub(crate) async fn new() -> Self {
        let emulator = Emulator::start().await.unwrap();
        let client = client(&emulator);
        let bucket = client.bucket("releases");
        bucket.create().await.unwrap();
        let app = App::new(&client, &"s3://releases/app".parse().unwrap());
        let folder = tempfile::tempdir().unwrap();
        Self {
            emulator,
            bucket,
            app,
            folder,
        }
    }

    /// One whose node `n` runs a release of this tree.
    pub(crate) async fn running(tree: &Tree) -> Self {
        let world = Self::new().await;
        world.publish(tree).await;
        once(world.node("n")).await.unwrap();
        world
    }

    /// The application, by a client of its own.
    pub(crate) fn another(&self) -> App {
        App::new(&client(&self.emulator), self.app.url())
    }

    /// Writes a tree, and publishes it.
    pub(crate) async fn publish(&self, tree: &Tree) -> s3_sync::release::Published {
        let source = self.source(tree);
        self.app.publish(source.path()).send().await.unwrap()
    }

    pub(crate) fn source(&self, tree: &Tree) -> TempDir {
        let source = tempfile::tempdir_in(self.folder.path()).unwrap();
        write(source.path(), tree);
        source
    }

    /// A node that asks often, in a folder of this name.
    pub(crate) fn node(&self, name: &str) -> Follow {
        let every = Duration::from_millis(20);
        self.app
            .follow(self.folder.path().join(name))
            .every(every)
            .name(name)
    }

    /// The tree that a node uses.
    pub(crate) fn used(&self, name: &str) -> Tree {
        read(&self.folder.path().join(name).join("current"))
    }

    /// The keys below the application's prefix.
    pub(crate) async fn keys(&self, below: &str) -> Vec<String> {
        let mut objects = self.bucket.list().prefix(format!("app/{below}")).objects();
        let mut keys = Vec::new();
        while let Some(object) = objects.try_next().await.unwrap() {
            keys.push(object.key);
        }
        keys
    }

    /// The text of an object below the application's prefix.
    pub(crate) async fn text(&self, below: &str) -> String {
        let object = self.bucket.get(format!("app/{below}")).await.unwrap();
        let bytes = object.body.bytes(1 << 20).await.unwrap();
        String::from_utf8(bytes.to_vec()).unwrap()
    }

    /// Counts the contents that are fetched.
    pub(crate) fn contents_fetched(&self) -> Arc<AtomicU64> {
        self.count(|seen| {
            let key = seen.key.as_deref().unwrap_or_default();
            seen.operation == "GetObject" && key.contains("/blobs/")
        })
    }

    /// Counts requests for which this is true.
    pub(crate) fn count(
        &self,
        which: impl Fn(&Seen) -> bool + Send + Sync + 'static,
    ) -> Arc<AtomicU64> {
        let count = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&count);
        let rule = Rule::new(Fault::none()).when(move |seen| {
            counted.fetch_add(u64::from(which(seen)), Ordering::Relaxed);
            false
        });
        self.emulator.faults().add(rule);
        count
    }
}

/// A private key that this number decides.
pub(crate) fn key(seed: u8) -> Arc<SignKey> {
    let head = &b"\x30\x2e\x02\x01\x00\x30\x05\x06\x03\x2b\x65\x70\x04\x22\x04\x20"[..];
    let der = [head, &[seed; 32]].concat();
    let text = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, der);
    let pem = format!("-----BEGIN PRIVATE KEY-----\n{text}\n-----END PRIVATE KEY-----\n");
    Arc::new(SignKey::from_pem(&pem).unwrap())
}

/// A tree of these files.
pub(crate) fn tree(files: &[(&str, &str)]) -> Tree {
    let file = |(path, content): &(&str, &str)| {
        (
            path.to_string(),
            (content.as_bytes().to_vec(), path.ends_with(".sh")),
        )
    };
    files.iter().map(file).collect()
}

pub(crate) fn write(root: &Path, tree: &Tree) {
    for (path, (content, runs)) in tree {
        let file = root.join(path);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, content).unwrap();
        let mode = if *runs { 0o755 } else { 0o644 };
        fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
    }
}

pub(crate) fn read(root: &Path) -> Tree {
    let mut tree = Tree::new();
    let mut folders = vec![(root.to_owned(), String::new())];
    while let Some((folder, prefix)) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let entry = entry.unwrap();
            let path = format!("{prefix}{}", entry.file_name().to_str().unwrap());
            let about = entry.metadata().unwrap();
            if about.is_dir() {
                folders.push((entry.path(), format!("{path}/")));
            } else {
                assert!(about.is_file(), "{path}");
                let runs = about.permissions().mode() & 0o111 != 0;
                tree.insert(path, (fs::read(entry.path()).unwrap(), runs));
            }
        }
    }
    tree
}

/// Follows once.
pub(crate) async fn once(follow: Follow) -> s3_sync::Result<()> {
    follow.once(true).start()?.run().await
}

/// Follows in a task until it is aborted, and keeps the numbers of the releases.
pub(crate) fn following(follow: Follow) -> (tokio::task::JoinHandle<()>, Arc<Mutex<Vec<u64>>>) {
    use futures_util::StreamExt as _;

    let seen = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&seen);
    let follower = follow.start().unwrap();
    let task = tokio::spawn(async move {
        let mut changes = Box::pin(follower.changes());
        while let Some(change) = changes.next().await {
            if let Ok(Release { number, .. }) = change {
                kept.lock().unwrap().push(number);
            }
        }
    });
    (task, seen)
}

/// Waits until a follower has come to this release.
pub(crate) async fn reaches(seen: &Mutex<Vec<u64>>, release: u64) {
    let what = format!("release {release}");
    until(&what, || seen.lock().unwrap().last() == Some(&release)).await;
}

/// Waits until something is true, and fails after half a minute.
pub(crate) async fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let end = std::time::Instant::now() + Duration::from_secs(30);
    while !is_so() {
        assert!(std::time::Instant::now() < end, "{what} does not come");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
