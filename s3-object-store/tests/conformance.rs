//! The conformance tests of the object_store crate, over the emulator, or over the server of `S3_TEST_ENDPOINT` with
//! the keys `S3_TEST_ACCESS_KEY` and `S3_TEST_SECRET_KEY`, Ceph RGW 16.2 if it is to know what that lacks. With
//! `S3_TEST_REGION` requests are signed by Version 4.

#![allow(
    clippy::unwrap_used,
    reason = "this is test code outside of a test function"
)]

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use emulator::{Emulator, Fault, Gate, Rule};
use object_store::integration as suite;
use object_store::multipart::MultipartStore as _;
use object_store::path::Path;
use object_store::{
    Attribute, Attributes, CopyMode, CopyOptions, Error, ObjectStore, ObjectStoreExt as _, PutMode,
    PutOptions,
};
use s3_client::config::{ObjectLock, RetentionMode};
use s3_client::request::RetryConfig;
use s3_client::settings::{Server, SubResources};
use s3_client::{Checksum, Credentials, S3Builder, S3Client, Signature};
use s3_object_store::S3Store;

/// A store of its own, whose bucket goes with the emulator, or is removed by [`Fixture::end`].
struct Fixture {
    store: S3Store,
    emulator: Option<Emulator>,
    endpoint: String,
    keys: [String; 2],
}

impl Fixture {
    async fn start() -> Self {
        let variable = |name| std::env::var(name).unwrap();
        let real = std::env::var("S3_TEST_ENDPOINT");
        let (emulator, endpoint, keys) = match real {
            Ok(endpoint) => {
                let keys = [
                    variable("S3_TEST_ACCESS_KEY"),
                    variable("S3_TEST_SECRET_KEY"),
                ];
                (None, endpoint, keys)
            }
            Err(_) => {
                let emulator = Emulator::start_blocking().unwrap();
                let keys = [
                    emulator.access_key().to_owned(),
                    emulator.secret_key().to_owned(),
                ];
                let url = emulator.url();
                (Some(emulator), url, keys)
            }
        };
        let builder = builder(&endpoint, &keys);
        static SERIAL: AtomicU64 = AtomicU64::new(0);
        let serial = SERIAL.fetch_add(1, Ordering::Relaxed);
        let bucket = builder.build().unwrap();
        let bucket = bucket.bucket(format!("os-{}-{serial}", std::process::id()));
        bucket.create().await.unwrap();
        Self {
            store: S3Store::new(bucket),
            emulator,
            endpoint,
            keys,
        }
    }

    fn is_real(&self) -> bool {
        self.emulator.is_none()
    }

    async fn end(self) {
        let bucket = self.store.bucket();
        for upload in bucket
            .list_multipart()
            .stream()
            .try_collect_all()
            .await
            .unwrap()
        {
            bucket
                .multipart(upload.key, upload.id)
                .abort()
                .await
                .unwrap();
        }
        for object in bucket.list().objects().try_collect_all().await.unwrap() {
            bucket.delete(object.key).await.unwrap();
        }
        bucket.delete_bucket().await.unwrap();
    }
}

fn builder(endpoint: &str, keys: &[String; 2]) -> S3Builder {
    let builder = S3Client::builder().endpoint(endpoint);
    let builder = builder.credentials(Credentials::new(&*keys[0], &*keys[1]));
    match std::env::var("S3_TEST_REGION") {
        Ok(region) => builder.signature(Signature::v4(region)),
        Err(_) => builder,
    }
}

/// A write that others are in the way of is tried again, and at last has not met what it expects.
#[tokio::test]
async fn conflicts_of_conditional_writes_are_told() {
    let emulator = Emulator::start_blocking().unwrap();
    let keys = [emulator.access_key(), emulator.secret_key()].map(str::to_owned);
    let retry = RetryConfig::new().backoff(Duration::from_millis(1), Duration::from_millis(1));
    let client = builder(&emulator.url(), &keys).retry(retry);
    let bucket = client.build().unwrap().bucket("conflicts");
    bucket.create().await.unwrap();
    let store = S3Store::new(bucket);
    let faults = emulator.faults();
    let conflict = || Fault::error(409, "ConditionalRequestConflict");
    let path = Path::from("a");
    let create = || PutOptions::from(PutMode::Create);
    let rule = Rule::script([conflict(), conflict(), Fault::none()]).method("PUT");
    let hits = faults.add(rule);
    let made = store.put_opts(&path, "1".into(), create()).await.unwrap();
    assert_eq!(hits.count(), 2);
    faults.add(Rule::new(conflict()).method("PUT"));
    let other = Path::from("b");
    let refused = store.put_opts(&other, "2".into(), create()).await;
    let refused = refused.unwrap_err();
    assert!(matches!(refused, Error::AlreadyExists { .. }), "{refused}");
    let update = PutOptions::from(PutMode::Update(made.into()));
    let refused = store.put_opts(&path, "3".into(), update).await.unwrap_err();
    assert!(matches!(refused, Error::Precondition { .. }), "{refused}");
}

#[tokio::test]
async fn objects_are_put_read_listed_and_deleted() {
    let fixture = Fixture::start().await;
    let store = &fixture.store;
    suite::put_get_delete_list(store).await;
    suite::get_opts(store).await;
    suite::list_uses_directories_correctly(store).await;
    suite::list_with_delimiter(store).await;
    suite::list_with_offset_exclusivity(store).await;
    suite::list_paginated(store, store).await;
    fixture.end().await;
}

#[tokio::test]
async fn attributes_are_kept() {
    let fixture = Fixture::start().await;
    if fixture.is_real() {
        // Ceph RGW up to 16.2 takes an underscore in a header name for a hyphen: by Version 2 it finds another name
        // signed, by Version 4 it keeps it so.
        let path = Path::from("k");
        let named = |name: &'static str| {
            let attributes = [(Attribute::Metadata(name.into()), "value")];
            PutOptions::from(Attributes::from_iter(attributes))
        };
        let hyphen = Attribute::Metadata("a-b".into());
        let outcome = fixture
            .store
            .put_opts(&path, "x".into(), named("a_b"))
            .await;
        if std::env::var("S3_TEST_REGION").is_ok() {
            outcome.unwrap();
            let kept = fixture.store.get(&path).await.unwrap().attributes;
            assert_eq!(kept.get(&hyphen), Some(&"value".into()));
        } else {
            assert!(matches!(outcome, Err(Error::Unauthenticated { .. })));
        }
        fixture
            .store
            .put_opts(&path, "x".into(), named("a-b"))
            .await
            .unwrap();
        let kept = fixture.store.get(&path).await.unwrap().attributes;
        assert_eq!(kept.get(&hyphen), Some(&"value".into()));
    } else {
        suite::put_get_attributes(&fixture.store).await;
    }
    fixture.end().await;
}

#[tokio::test]
async fn puts_keep_to_their_conditions() {
    let fixture = Fixture::start().await;
    // Ceph RGW up to 16.2 takes the entity tag without its quotes only.
    let updates = !fixture.is_real();
    let store = fixture.store.clone().updates(updates);
    suite::put_opts(&store, updates).await;
    fixture.end().await;
}

#[tokio::test]
async fn objects_are_copied_and_renamed() {
    let fixture = Fixture::start().await;
    suite::rename_and_copy(&fixture.store).await;
    let if_absent = fixture.store.clone().copies_if_absent(true);
    suite::copy_rename_nonexistent_object(&if_absent).await;
    let never = CopyOptions::new().with_mode(CopyMode::Create);
    let refused = fixture
        .store
        .copy_opts(&Path::from("a"), &Path::from("b"), never)
        .await;
    assert!(matches!(refused, Err(Error::NotImplemented { .. })));
    // A server that does not know the condition would replace what is there.
    if !fixture.is_real() {
        suite::copy_if_not_exists(&if_absent).await;
    }
    fixture.end().await;
}

#[tokio::test]
async fn copies_have_a_time_of_their_own() {
    let emulator = Emulator::start_blocking().unwrap();
    let keys = [emulator.access_key(), emulator.secret_key()].map(str::to_owned);
    let client = builder(&emulator.url(), &keys).build().unwrap();
    let bucket = client.bucket("copies");
    bucket.create().await.unwrap();
    let store = S3Store::new(bucket).copy_timeout(Duration::from_millis(30));
    let [a, b] = ["a", "b"].map(Path::from);
    store.put(&a, "x".into()).await.unwrap();
    let gate = Gate::new();
    let held = Rule::new(Fault::hold(&gate)).operation("CopyObject");
    emulator.faults().add(held);
    let error = store.copy(&a, &b).await.unwrap_err();
    assert!(error.to_string().contains("deadline"), "{error}");
    gate.open();
}

#[tokio::test]
async fn digests_go_with_what_is_put_in_a_bucket_that_locks() {
    let fixture = Fixture::start().await;
    let builder = builder(&fixture.endpoint, &fixture.keys);
    let client = match fixture.is_real() {
        true => builder.sub_resources(SubResources::of(Server::Rgw)).build(),
        false => builder.build(),
    };
    let client = client.unwrap();
    let bucket = client.bucket(format!("{}-locked", fixture.store.bucket().name()));
    bucket.create().object_lock(true).await.unwrap();
    let lock = ObjectLock::days(RetentionMode::Governance, 1);
    bucket.put_config(lock).await.unwrap();
    let plain = S3Store::new(bucket.clone());
    let mut stores = vec![plain.clone(), plain.clone().content_md5(true)];
    // Ceph RGW 16.2 compares no other checksums.
    if !fixture.is_real() {
        stores.push(plain.clone().checksum(Checksum::Sha256));
    }
    for store in &stores {
        let path = Path::from("k");
        store.put(&path, "meow".into()).await.unwrap();
        let mut upload = store.put_multipart(&path).await.unwrap();
        upload.put_part("purr".into()).await.unwrap();
        upload.complete().await.unwrap();
        let id = store.create_multipart(&path).await.unwrap();
        let part = store.put_part(&path, &id, 0, "hiss".into()).await.unwrap();
        let made = store.complete_multipart(&path, &id, vec![part]);
        made.await.unwrap();
        assert_eq!(store.get_range(&path, 0..4).await.unwrap(), "hiss");
    }
    let versions = bucket.list_versions().versions();
    for version in versions.try_collect_all().await.unwrap() {
        let delete = bucket.delete(version.key).version(version.version_id);
        delete.bypass_governance().await.unwrap();
    }
    bucket.delete_bucket().await.unwrap();
    fixture.end().await;
}

#[tokio::test]
async fn large_objects_are_written_in_parts() {
    let fixture = Fixture::start().await;
    suite::stream_get(&fixture.store).await;
    fixture.end().await;
}

#[tokio::test]
async fn a_body_that_is_cut_goes_on_where_it_ended() {
    let emulator = Emulator::start().await.unwrap();
    let keys = [emulator.access_key(), emulator.secret_key()].map(str::to_owned);
    let bucket = builder(&emulator.url(), &keys)
        .build()
        .unwrap()
        .bucket("films");
    bucket.create().await.unwrap();
    let store = S3Store::new(bucket.clone());
    let (film, wanted) = (Path::from("film"), vec![7; 300_000]);
    store.put(&film, wanted.clone().into()).await.unwrap();
    let rule = || Rule::new(Fault::cut(100_000)).key("film");
    let hits = emulator.faults().add(rule().times(2));
    let read = store.get(&film).await.unwrap().bytes().await.unwrap();
    assert_eq!((read.to_vec(), hits.count()), (wanted, 2));
    emulator.faults().add(rule());
    let once = store.resumes(0).get(&film).await.unwrap();
    let error = once.bytes().await.unwrap_err();
    assert!(
        matches!(error, object_store::Error::Generic { .. }),
        "{error}"
    );
}

#[tokio::test]
async fn parts_make_objects() {
    let fixture = Fixture::start().await;
    let store = &fixture.store;
    suite::multipart(store, store).await;
    // Its metadata has an underscore.
    if !fixture.is_real() {
        suite::multipart_with_opts(store, store).await;
    }
    suite::multipart_put_part_out_of_order(store, store).await;
    suite::multipart_out_of_order(store).await;
    fixture.end().await;
}

#[tokio::test]
async fn the_last_of_two_uploads_counts() {
    let fixture = Fixture::start().await;
    suite::multipart_race_condition(&fixture.store, true).await;
    fixture.end().await;
}

#[tokio::test]
async fn what_is_not_there_is_not_found() {
    let fixture = Fixture::start().await;
    let error = suite::get_nonexistent_object(&fixture.store, None)
        .await
        .unwrap_err();
    assert!(matches!(error, Error::NotFound { .. }), "{error}");
    let path = Path::from("k");
    let overwrite = PutMode::Overwrite.into();
    fixture
        .store
        .put_opts(&path, "x".into(), overwrite)
        .await
        .unwrap();
    let empty = fixture.store.get_range(&path, 1..1).await;
    assert!(empty.is_err());
    fixture.end().await;
}

#[tokio::test]
async fn wrong_keys_are_told() {
    let fixture = Fixture::start().await;
    let keys = [fixture.keys[0].clone(), "not-the-secret".to_owned()];
    let client = builder(&fixture.endpoint, &keys).build().unwrap();
    let store = S3Store::new(client.bucket(fixture.store.bucket().name()));
    let error = store.get(&Path::from("k")).await.unwrap_err();
    assert!(matches!(error, Error::Unauthenticated { .. }), "{error}");
    let shown = format!("{error} {error:?} {store} {store:?}");
    assert!(!shown.contains("not-the-secret"), "{shown}");
    fixture.end().await;
}

#[cfg(feature = "signer")]
mod links {
    use std::time::Duration;

    use object_store::signer::{Method, SignedUrlOptions, Signer as _, Url};
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpStream;

    use super::*;

    /// Sends one request by a link, as any program does that has it.
    async fn by_link(method: &str, link: &Url, header: &str, body: &str) -> String {
        let host = format!(
            "{}:{}",
            link.host_str().unwrap(),
            link.port_or_known_default().unwrap()
        );
        let path = link.path();
        let target = format!("{path}?{}", link.query().unwrap());
        let request = format!(
            "{method} {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{header}Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let mut stream = TcpStream::connect(&host).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    #[tokio::test]
    async fn links_are_signed() {
        let fixture = Fixture::start().await;
        let store = &fixture.store;
        let hour = Duration::from_secs(3600);
        for name in ["a b+c.txt", "caf\u{e9}/100%"] {
            let path = Path::from(name);
            let put = store.signed_url(Method::PUT, &path, hour).await.unwrap();
            let answer = by_link("PUT", &put, "", "meow").await;
            assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
            let get = store.signed_url(Method::GET, &path, hour).await.unwrap();
            let answer = by_link("GET", &get, "", "").await;
            assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("meow"));
            // For its own method only.
            let answer = by_link("DELETE", &get, "", "").await;
            assert!(answer.starts_with("HTTP/1.1 403"), "{answer}");
            let options = SignedUrlOptions::new().with_query([("response-content-type", "a/b")]);
            let typed = store.signed_url_opts(Method::GET, &path, hour, &options);
            let answer = by_link("GET", &typed.await.unwrap(), "", "").await;
            let lower = answer.to_ascii_lowercase();
            assert!(lower.contains("content-type: a/b"), "{answer}");
            let delete = store.signed_url(Method::DELETE, &path, hour).await;
            let answer = by_link("DELETE", &delete.unwrap(), "", "").await;
            assert!(answer.starts_with("HTTP/1.1 204"), "{answer}");
            let head = store.signed_url(Method::HEAD, &path, hour).await.unwrap();
            let answer = by_link("HEAD", &head, "", "").await;
            assert!(answer.starts_with("HTTP/1.1 404"), "{answer}");
        }
        let path = Path::from("typed");
        let options = SignedUrlOptions::new()
            .with_signed_header("content-type".parse().unwrap(), "a/b".parse().unwrap());
        let link = store.signed_url_opts(Method::PUT, &path, hour, &options);
        let link = link.await.unwrap();
        let answer = by_link("PUT", &link, "Content-Type: c/d\r\n", "x").await;
        assert!(answer.starts_with("HTTP/1.1 403"), "{answer}");
        let answer = by_link("PUT", &link, "Content-Type: a/b\r\n", "x").await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        for (method, options) in [
            (Method::POST, SignedUrlOptions::new()),
            (Method::PUT, {
                let twice = options.clone();
                twice.with_signed_header("content-type".parse().unwrap(), "e/f".parse().unwrap())
            }),
        ] {
            let refused = store.signed_url_opts(method, &path, hour, &options).await;
            assert!(matches!(refused, Err(Error::NotSupported { .. })));
        }
        let never = store.signed_url(Method::GET, &path, Duration::ZERO).await;
        assert!(never.is_err());
        fixture.end().await;
    }
}
