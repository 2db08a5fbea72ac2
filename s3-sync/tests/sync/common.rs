//! An emulator with a bucket, a folder, and runs between them.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use emulator::Emulator;
use s3_client::{Bucket, Credentials, HttpPool, S3Client};
use s3_sync::{Event, Options, Report, Result, Side, sync};
use tempfile::TempDir;

/// An emulator with a bucket `bucket`, and a folder for trees.
pub(crate) struct World {
    pub(crate) emulator: Emulator,
    pub(crate) bucket: Bucket,
    pub(crate) folder: TempDir,
}

/// What was told in a run.
#[derive(Debug, Default)]
pub(crate) struct Told {
    pub(crate) report: Report,
    /// `upload a`, `delete b`, `differs c: size`, sorted.
    pub(crate) did: Vec<String>,
    /// The keys of what was done, in the order in which it was told.
    pub(crate) order: Vec<String>,
    pub(crate) failed: Vec<String>,
    pub(crate) skipped: Vec<String>,
    pub(crate) warnings: Vec<String>,
}

impl World {
    pub(crate) async fn start() -> Self {
        let emulator = Emulator::start().await.expect("an emulator");
        let keys = Credentials::new(emulator.access_key(), emulator.secret_key());
        let s3 = S3Client::builder()
            .endpoint(emulator.url())
            .credentials(keys)
            .pool(HttpPool::builder().max_connections(8).build())
            .build();
        let bucket = s3.expect("a client").bucket("bucket");
        bucket.create().await.expect("a bucket");
        let folder = tempfile::tempdir().expect("a folder");
        Self {
            emulator,
            bucket,
            folder,
        }
    }

    /// The path of a tree.
    pub(crate) fn tree(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Options that remember in the folder of this world.
    pub(crate) fn options(&self) -> Options {
        Options {
            state: Some(self.folder.path().join("state")),
            ..Options::default()
        }
    }

    /// The side of a tree `tree:NAME`, or of a prefix.
    pub(crate) fn side(&self, name: &str) -> Side {
        match name.strip_prefix("tree:") {
            Some(tree) => Side::folder(self.tree(tree)),
            None => {
                let url = format!("s3://bucket/{name}").parse().expect("a URL");
                Side::prefix(self.bucket.clone(), url)
            }
        }
    }

    /// Brings one side level with another.
    pub(crate) async fn run(&self, source: &str, target: &str, options: Options) -> Told {
        let ran = self.try_run(source, target, options).await;
        ran.unwrap_or_else(|error| panic!("{source} to {target}: {error}"))
    }

    pub(crate) async fn try_run(
        &self,
        source: &str,
        target: &str,
        options: Options,
    ) -> Result<Told> {
        let mut told = Told::default();
        let run = sync(self.side(source), self.side(target)).options(options);
        let report = run.run_with(|event| {
            match event {
                Event::Did { action, key, .. } => {
                    told.did.push(format!("{} {key}", action.as_str()));
                    told.order.push(key.to_owned());
                }
                Event::Differs { key, what } => told.did.push(format!("differs {key}: {what}")),
                Event::Failed(error) => told.failed.push(error.to_string()),
                Event::Skipped(skipped) => told.skipped.push(skipped.key.clone()),
                Event::Warning(warning) => told.warnings.push(warning.to_owned()),
                _ => {}
            }
            ControlFlow::Continue(())
        });
        told.report = report.await?;
        told.did.sort_unstable();
        Ok(told)
    }

    /// How many requests the emulator has had.
    pub(crate) fn requests(&self) -> u64 {
        self.emulator.stats().requests
    }

    /// The keys below a prefix with their contents, without the index.
    pub(crate) async fn objects(&self, prefix: &str) -> BTreeMap<String, Vec<u8>> {
        let mut found = BTreeMap::new();
        let mut objects = self.bucket.list().prefix(prefix).objects();
        while let Some(object) = objects.try_next().await.expect("a listing") {
            let name = object.key[prefix.len()..].to_owned();
            if name == ".s3-sync" {
                continue;
            }
            let got = self.bucket.get(object.key).await.expect("the object");
            let bytes = got.body.bytes(64 << 20).await.expect("its body");
            found.insert(name, bytes.to_vec());
        }
        found
    }
}

/// Writes files, each of which was changed an hour ago, so that it is no young one.
pub(crate) fn write(root: &Path, files: &[(&str, &str)]) {
    for (key, content) in files {
        let path = root.join(key);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("it is made");
        std::fs::write(&path, content).expect("it is written");
        age(&path, 3600);
    }
}

/// Gives a file a time so many seconds ago.
pub(crate) fn age(path: &Path, seconds: u64) {
    let file = std::fs::File::options().write(true).open(path);
    let time = SystemTime::now() - Duration::from_secs(seconds);
    file.and_then(|file| file.set_modified(time))
        .expect("its time is set");
}

/// The files of a tree with their contents.
pub(crate) fn files(root: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let key = path.strip_prefix(root).expect("it is below");
                let key = key.to_str().expect("UTF-8").to_owned();
                found.insert(key, std::fs::read(&path).expect("a file"));
            }
        }
    }
    found
}

pub(crate) fn pairs(files: &[(&str, &str)]) -> BTreeMap<String, Vec<u8>> {
    let pairs = files.iter();
    pairs
        .map(|(key, content)| ((*key).to_owned(), content.as_bytes().to_vec()))
        .collect()
}
