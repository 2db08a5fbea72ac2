//! A folder that is read again: whole, cut, folded, and a second time over what was read.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime};

use s3s::dto::{Tag, Timestamp};

use super::*;
use crate::accounts::{Account, Accounts};
use crate::s3::model::acl::Acl;
use crate::s3::model::attributes::{Encryption, Headers};
use crate::s3::model::checksums::{Checksums, OfParts};
use crate::s3::model::lock::Lock;
use crate::s3::model::store::{Object, Settings, Store};
use crate::s3::model::uploads::{Part, Upload};
use crate::s3::model::versions::Status;

/// A folder of its own, that goes with it.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("emulator-keep-{}-{count}", std::process::id());
        let dir = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&dir).unwrap();
        Self(dir)
    }

    fn options(&self, journal_max: u64) -> DiskOptions {
        DiskOptions {
            dir: self.0.clone(),
            fsync: false,
            journal_max,
        }
    }

    fn open(&self, journal_max: u64) -> io::Result<Store> {
        Store::open(1, Accounts::default(), Some(&self.options(journal_max)))
    }

    /// How many files of bodies there are.
    fn bodies(&self) -> usize {
        std::fs::read_dir(self.0.join("bodies")).unwrap().count()
    }

    fn journal(&self) -> PathBuf {
        self.0.join("journal-0000000000")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Everything, as text.
fn state(kept: &Kept) -> String {
    format!("{:?}", kept.buckets)
}

fn headers() -> Headers {
    let account = Accounts::default().first();
    let second = Account::nth(1);
    let later = SystemTime::now() + Duration::from_secs(1000);
    Headers {
        content_type: Some("text/é".into()),
        expires: Some(Timestamp::from(later)),
        metadata: Some([("a".to_owned(), String::new())].into_iter().collect()),
        storage_class: Some("GLACIER".to_owned().into()),
        encryption: Encryption {
            kind: Some("aws:kms".to_owned().into()),
            kms_key: Some("k".into()),
            bucket_key: Some(true),
            customer_key: None,
        },
        tags: vec![Tag {
            key: Some("t".into()),
            value: None,
        }],
        acl: Acl::of_grants(vec![
            ("http://group".into(), "READ".into()),
            (second.canonical_id().into(), "WRITE_ACP".into()),
        ])
        .unwrap(),
        lock: Lock::kept(Some("GOVERNANCE"), Some(later), Some(true)).unwrap(),
        owner: account,
        ..Headers::default()
    }
}

fn create(store: &Store, name: &str, status: Option<Status>) {
    let owner = Accounts::default().first();
    let cors = Bytes::from_static(b"<CORSConfiguration/>");
    let settings = Settings {
        acl: Acl::private(&owner),
        configs: BTreeMap::from([("cors", cors)]),
        status,
        lock: None,
    };
    store
        .create(name, "eu-west-1".into(), owner, settings)
        .unwrap();
}

async fn object(store: &Store, text: &str) -> Object {
    let body = store
        .keeping
        .body(text.to_owned().into(), false)
        .await
        .unwrap();
    let mut object = Object::new(body, "etag".into(), Headers::default());
    object.checksums = Checksums::of("SHA1", text.as_bytes()).unwrap();
    object
}

fn put(store: &Store, bucket: &str, key: &str, object: Object) -> Option<String> {
    let pen = store.pen(bucket);
    store
        .within(bucket, |bucket| {
            bucket.write().store(pen, key.into(), object)
        })
        .unwrap()
}

fn remove(store: &Store, bucket: &str, key: &str) {
    let pen = store.pen(bucket);
    let removed = store.within(bucket, |bucket| bucket.write().remove(pen, key));
    removed.unwrap();
}

fn upload(store: &Store, bucket: &str, key: &str, id: &str) {
    let upload = Upload {
        headers: headers(),
        checksum: OfParts::new(None, None).unwrap(),
        initiated: SystemTime::now(),
        parts: BTreeMap::new(),
    };
    let name = (bucket, key, id);
    store
        .keeping
        .write(&S3Record::Upload(name, &upload))
        .unwrap();
    let bucket = store.bucket(bucket).unwrap();
    bucket
        .uploads
        .lock()
        .insert((key.into(), id.into()), upload);
}

async fn part(store: &Store, (bucket, key, id): (&str, &str, &str), number: i32, text: &str) {
    let part = Part {
        body: store
            .keeping
            .body(text.to_owned().into(), true)
            .await
            .unwrap(),
        digest: [7; 16],
        checksums: Checksums::of("CRC32", text.as_bytes()).unwrap(),
        modified: SystemTime::now(),
    };
    let name = (bucket, key, id);
    store
        .keeping
        .write(&S3Record::Part(name, number, &part))
        .unwrap();
    let bucket = store.bucket(bucket).unwrap();
    let set = |upload: &mut Upload| {
        upload.parts.insert(number, part);
        Ok(())
    };
    bucket.uploads.with(key, id, set).unwrap();
}

/// Does one of everything, and tells the state after each record.
async fn sample(store: &Store) -> Vec<String> {
    let large = "x".repeat(INLINE_MAX + 1);
    let mut states = vec![state(store.kept())];
    let mut note = || states.push(state(store.kept()));
    create(store, "plain", None);
    note();
    create(store, "kept", Some(Status::Enabled));
    note();
    put(store, "plain", "small", object(store, "small").await);
    note();
    put(store, "plain", "large", object(store, &large).await);
    note();
    put(
        store,
        "plain",
        "large",
        object(store, &large.replace('x', "y")).await,
    );
    note();
    let mut rich = object(store, "rich").await;
    rich.headers = headers();
    rich.headers.lock = Lock::default();
    rich.parts = [1, 3].into();
    rich.part_sums = [(1, Checksums::default())].into();
    rich.restored = Some(SystemTime::now());
    put(store, "plain", "rich", rich);
    note();
    remove(store, "plain", "small");
    note();
    let first = put(store, "kept", "k", object(store, "1").await).unwrap();
    note();
    put(store, "kept", "k", object(store, &large).await);
    note();
    remove(store, "kept", "k");
    note();
    let change = |bucket: &crate::s3::model::store::Bucket| {
        let pen = store.pen("kept");
        bucket.write().remove_version(pen, "k", &first, false)
    };
    store.within("kept", change).unwrap();
    note();
    store
        .within("kept", |bucket| {
            bucket.change(store.pen("kept"), |settings| {
                settings.status = Some(Status::Suspended);
                Ok(())
            })
        })
        .unwrap();
    note();
    put(store, "kept", "k", object(store, "null").await);
    note();
    upload(store, "plain", "up", "1");
    note();
    part(store, ("plain", "up", "1"), 2, &large).await;
    note();
    part(store, ("plain", "up", "1"), 1, "short").await;
    note();
    upload(store, "plain", "up", "2");
    note();
    let gone = ("plain", "up", "2");
    store.keeping.write(&S3Record::UploadGone(gone)).unwrap();
    let uploads = &store.bucket("plain").unwrap().uploads;
    uploads.lock().remove(&("up".into(), "2".into()));
    note();
    create(store, "gone", None);
    note();
    store.delete("gone").unwrap();
    note();
    store.keeping.settle().await.unwrap();
    states
}

#[tokio::test]
async fn all_that_there_is_is_there_again() {
    let dir = Folder::new();
    let store = dir.open(u64::MAX).unwrap();
    let states = sample(&store).await;
    let last = states.last().unwrap();
    // Of two large bodies of one key one is left; there are a version's and two parts'.
    assert_eq!(dir.bodies(), 4);
    drop(store);
    for _ in 0..2 {
        let store = dir.open(u64::MAX).unwrap();
        assert_eq!(state(store.kept()), *last);
        let (large, _) = store.find("plain", "large", None).unwrap();
        let read = large.body.read().unwrap();
        assert!(read.len() > INLINE_MAX && read.iter().all(|byte| *byte == b'y'));
    }
    // The next folds all of it into a snapshot.
    let store = dir.open(1).unwrap();
    remove(&store, "plain", "not there");
    put(&store, "plain", "more", object(&store, "more").await);
    let last = state(store.kept());
    drop(store);
    let store = dir.open(u64::MAX).unwrap();
    assert_eq!(state(store.kept()), last);
    assert_eq!(dir.bodies(), 4);
}

#[tokio::test]
async fn a_journal_that_is_cut_anywhere_has_what_was_before_the_cut() {
    let dir = Folder::new();
    let store = dir.open(u64::MAX).unwrap();
    let states = sample(&store).await;
    drop(store);
    let whole = std::fs::read(dir.journal()).unwrap();
    let mut found = std::collections::BTreeSet::new();
    for cut in (0..=whole.len()).rev().step_by(11).chain([whole.len()]) {
        let kept = Arc::new(Kept {
            buckets: RwLock::default(),
            bodies: Some(Arc::new(Bodies::open(&dir.0, false).unwrap())),
        });
        std::fs::write(dir.journal(), &whole[..cut]).unwrap();
        let journal = disk::Journal::open(&dir.options(u64::MAX), &kept).unwrap();
        let state = state(&kept);
        let at = states.iter().rposition(|known| *known == state);
        found.insert(at.unwrap_or_else(|| panic!("cut at {cut}: {state}")));
        drop(journal);
    }
    // The steps are shorter than any record. What is made and removed again leads to a state that was there before.
    let distinct: std::collections::BTreeSet<_> = states.iter().collect();
    assert_eq!(found.len(), distinct.len());
}

#[tokio::test]
async fn records_that_are_done_again_change_nothing() {
    let dir = Folder::new();
    let store = dir.open(u64::MAX).unwrap();
    let states = sample(&store).await;
    drop(store);
    let bodies = Arc::new(Bodies::open(&dir.0, false).unwrap());
    let kept = Arc::new(Kept {
        buckets: RwLock::default(),
        bodies: Some(bodies),
    });
    for _ in 0..3 {
        drop(disk::Journal::open(&dir.options(u64::MAX), &kept).unwrap());
        assert_eq!(state(&kept), *states.last().unwrap());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn a_journal_is_folded_while_writes_go_on() {
    let dir = Folder::new();
    let store = Arc::new(dir.open(30_000).unwrap());
    create(&store, "b", Some(Status::Enabled));
    let mut running = Vec::new();
    for task in 0..4 {
        let store = Arc::clone(&store);
        running.push(tokio::spawn(async move {
            for round in 0..150 {
                let key = format!("{task}-{}", round % 11);
                let size = if round % 9 == 0 { INLINE_MAX + 1 } else { 100 };
                if round % 7 == 3 {
                    let found = store.find("b", &key, None);
                    if let Ok((_, Some(id))) = found {
                        let pen = store.pen("b");
                        let act =
                            |bucket: &Bucket| bucket.write().remove_version(pen, &key, &id, false);
                        store.within("b", act).unwrap();
                    }
                } else {
                    put(&store, "b", &key, object(&store, &"z".repeat(size)).await);
                }
                store.keeping.settle().await.unwrap();
            }
        }));
    }
    for task in running {
        task.await.unwrap();
    }
    // A fold that is under way when the store ends is given up: one has to have ended before.
    while dir.journal().exists() {
        put(&store, "b", "more", object(&store, &"z".repeat(100)).await);
        tokio::task::yield_now().await;
    }
    let last = state(store.kept());
    drop(store);
    let names: Vec<_> = std::fs::read_dir(&dir.0)
        .unwrap()
        .map(|e| e.unwrap().file_name())
        .collect();
    assert!(
        names
            .iter()
            .any(|name| name.to_string_lossy().starts_with("snapshot-"))
    );
    assert_eq!(state(dir.open(30_000).unwrap().kept()), last);
}

#[tokio::test]
async fn a_body_that_is_missing_or_cut_is_told() {
    let dir = Folder::new();
    let store = dir.open(u64::MAX).unwrap();
    create(&store, "b", None);
    put(
        &store,
        "b",
        "k",
        object(&store, &"x".repeat(INLINE_MAX + 1)).await,
    );
    drop(store);
    let bodies = dir.0.join("bodies");
    let path = bodies.join("1");
    // One that nothing names is none of anybody.
    std::fs::write(bodies.join("7"), "orphan").unwrap();
    drop(dir.open(u64::MAX).unwrap());
    assert_eq!(dir.bodies(), 1);
    let whole = std::fs::read(&path).unwrap();
    std::fs::write(&path, &whole[1..]).unwrap();
    let error = dir.open(u64::MAX).unwrap_err().to_string();
    assert!(error.contains("is cut"), "{error}");
    std::fs::remove_file(&path).unwrap();
    let error = dir.open(u64::MAX).unwrap_err().to_string();
    assert!(error.contains("is missing"), "{error}");
}

#[tokio::test]
async fn a_file_that_is_read_is_not_removed() {
    let dir = Folder::new();
    let store = dir.open(u64::MAX).unwrap();
    create(&store, "b", None);
    let large = "x".repeat(INLINE_MAX + 1);
    put(&store, "b", "k", object(&store, &large).await);
    let (read, _) = store.find("b", "k", None).unwrap();
    let part = read.body.slice(5..9);
    drop(read);
    remove(&store, "b", "k");
    store.keeping.settle().await.unwrap();
    assert_eq!(part.read().unwrap(), "xxxx");
    drop(part);
    store.keeping.settle().await.unwrap();
    assert_eq!(dir.bodies(), 0);
}
