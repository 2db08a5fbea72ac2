//! The digests that go with uploads which an object lock may touch.

#![allow(
    clippy::unwrap_used,
    reason = "this is test code outside of a test function"
)]

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, SystemTime};

use aws_core::event::{AttemptStart, Fields, Middleware};
use bytes::Bytes;
use futures_util::stream;
use s3_client::config::{ObjectLock, RetentionMode};
use s3_client::{Bucket, Checksum, Kind, Signature, Source};

use crate::peer::{Heard, Peer, answer, refusal};
use crate::store::Store;

const MIB: usize = 1 << 20;

/// The header fields one of which S3 wants.
fn digest(heard: &Heard) -> Option<&str> {
    let names = [
        "content-md5",
        "x-amz-checksum-crc32",
        "x-amz-checksum-sha256",
    ];
    let trailer = heard.field("x-amz-trailer");
    names.iter().find_map(|name| heard.field(name)).or(trailer)
}

/// What S3 does in a bucket that locks what is stored: what comes without a digest is refused.
fn locking(heard: &Heard) -> String {
    const WANTED: &str = "Content-MD5 OR x-amz-checksum- HTTP header is required for Put Object requests with Object \
                          Lock parameters";
    let is_put = heard.line.starts_with("PUT ");
    if is_put && digest(heard).is_none() {
        return refusal(400, "InvalidRequest", WANTED);
    }
    plain(heard)
}

/// What S3 does elsewhere.
fn plain(heard: &Heard) -> String {
    if heard.line.ends_with("?uploads") {
        let id =
            "<InitiateMultipartUploadResult><UploadId>7</UploadId></InitiateMultipartUploadResult>";
        return answer(200, "", id);
    }
    if heard.line.starts_with("POST ") {
        let made =
            "<CompleteMultipartUploadResult><ETag>\"x-2\"</ETag></CompleteMultipartUploadResult>";
        return answer(200, "", made);
    }
    answer(200, "ETag: \"x\"\r\n", "")
}

async fn bucket(peer: &Peer, version: u8) -> Bucket {
    let builder = peer.builder();
    let builder = match version {
        2 => builder.signature(Signature::V2),
        _ => builder.signature(Signature::v4("us-east-1")),
    };
    builder.build().unwrap().bucket("photos")
}

fn streamed(len: usize) -> Source {
    let bytes = Ok::<_, io::Error>(Bytes::from(vec![b'x'; len]));
    Source::stream(len as u64, stream::iter([bytes]))
}

/// A file of this many bytes, which is removed when it is dropped.
struct File(std::path::PathBuf);

impl File {
    fn new(name: &str, len: usize) -> Self {
        let name = format!("s3-digests-{}-{name}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::write(&path, vec![b'x'; len]).unwrap();
        Self(path)
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let _gone = std::fs::remove_file(&self.0);
    }
}

#[tokio::test]
async fn a_refusal_for_want_of_a_digest_teaches_it() {
    for version in [2, 4] {
        let peer = Peer::start(locking).await;
        let bucket = bucket(&peer, version).await;
        bucket.put("a", "meow").await.unwrap();
        bucket.put("b", "purr").if_none_match_any().await.unwrap();
        let pieces = (0..3).map(|_| Bytes::from(vec![b'x'; 100_000]));
        bucket.put("c", Source::pieces(pieces)).await.unwrap();
        let heard = peer.heard();
        let digests: Vec<_> = heard
            .iter()
            .map(|heard| heard.field("content-md5"))
            .collect();
        // By Python's hashlib.
        assert_eq!(
            digests,
            [
                None,
                Some("SkvkDJasYxTpHZPzgEOmNA=="),
                Some("GfuyOPD/LfYJhPYSmjeXrA=="),
                Some("1AjtRuvMMm+efGu5x3rxzQ==")
            ],
            "version {version}"
        );
        assert_eq!(heard[1].body, b"meow");
    }
}

#[tokio::test]
async fn a_digest_of_the_callers_is_the_only_one() {
    let peer = Peer::start(locking).await;
    let bucket = bucket(&peer, 4).await;
    bucket.put("a", "meow").await.unwrap();
    let sum = Checksum::Sha256.of(b"meow");
    bucket
        .put("b", "meow")
        .checksum(Checksum::Sha256)
        .await
        .unwrap();
    bucket
        .put("c", "meow")
        .header("x-amz-checksum-sha256", &*sum)
        .await
        .unwrap();
    for heard in &peer.heard()[2..] {
        assert_eq!(heard.field("x-amz-checksum-sha256"), Some(&*sum));
        assert_eq!(heard.field("content-md5"), None, "{}", heard.line);
    }
    assert_eq!(peer.heard().len(), 4);
}

#[tokio::test]
async fn a_checksum_of_the_callers_behind_the_body_is_the_only_one() {
    let file = File::new("summed", 9 * MIB);
    let peer = Peer::start(locking).await;
    let bucket = bucket(&peer, 4).await;
    bucket.put("a", "meow").await.unwrap();
    let put = bucket.put_file("b", &file.0);
    put.checksum(Checksum::Sha256).await.unwrap();
    let put = bucket.put("c", streamed(1000));
    put.checksum(Checksum::Sha256).await.unwrap();
    let upload = bucket.upload("d", Source::file(&file.0));
    upload.checksum(Checksum::Sha256).await.unwrap();
    let sent = peer.of("PUT ");
    let trailers: Vec<_> = sent[2..]
        .iter()
        .map(|put| put.field("x-amz-trailer"))
        .collect();
    assert_eq!(trailers, [Some("x-amz-checksum-sha256"); 4]);
    assert!(
        sent[2..]
            .iter()
            .all(|put| put.field("content-md5").is_none())
    );
}

#[tokio::test]
async fn files_are_read_for_their_digest() {
    let file = File::new("file", 2 * MIB);
    for version in [2, 4] {
        let peer = Peer::start(locking).await;
        let bucket = bucket(&peer, version).await;
        for key in ["a", "b"] {
            bucket.put_file(key, &file.0).await.unwrap();
        }
        let heard = peer.of("PUT ");
        let digests: Vec<_> = heard
            .iter()
            .map(|heard| heard.field("content-md5"))
            .collect();
        let digest = Some("Z7L4FqMOiVYUmy1760eeUQ==");
        assert_eq!(digests, [None, digest, digest], "version {version}");
        // Its head was refused, and its body not sent.
        assert!(heard[0].body.is_empty());
    }
    let peer = Peer::start(locking).await;
    let until = SystemTime::now() + Duration::from_secs(3600);
    let put = bucket(&peer, 2).await.put_file("k", &file.0);
    put.retention(RetentionMode::Governance, until)
        .await
        .unwrap();
    assert_eq!(peer.heard().len(), 1);
}

#[tokio::test]
async fn streams_have_a_checksum_behind_them() {
    let peer = Peer::start(locking).await;
    let bucket = bucket(&peer, 4).await;
    // Its head is refused, so that nothing of it is lost.
    bucket.put("a", streamed(2 * MIB)).await.unwrap();
    bucket.put("b", streamed(1000)).await.unwrap();
    bucket
        .put("c", streamed(1000))
        .legal_hold(true)
        .await
        .unwrap();
    let heard = peer.heard();
    let trailers: Vec<_> = heard
        .iter()
        .map(|heard| heard.field("x-amz-trailer"))
        .collect();
    let crc = Some("x-amz-checksum-crc32");
    assert_eq!(trailers, [None, crc, crc, crc]);
    let sum = Checksum::Crc32.of(&vec![b'x'; 1000]);
    let body = String::from_utf8_lossy(&heard[2].body).into_owned();
    assert!(
        body.contains(&format!("x-amz-checksum-crc32:{sum}")),
        "{body}"
    );
}

#[tokio::test]
async fn a_stream_that_cannot_have_one_is_told_what_to_do() {
    let peer = Peer::start(locking).await;
    let v2 = bucket(&peer, 2).await;
    let error = v2.put("k", streamed(2 * MIB)).await.unwrap_err();
    let text = error.to_string();
    assert_eq!(error.code(), Some("InvalidRequest"));
    assert!(
        text.contains("content_md5(true)") && text.contains("bytes or a file"),
        "{text}"
    );
    let asked = v2.put("k", streamed(1000)).content_md5(true).await;
    assert_eq!(asked.unwrap_err().kind(), Kind::Invalid);
    let upload = v2.multipart("k", "7");
    let asked = upload.part(1, streamed(1000)).content_md5(true).await;
    assert_eq!(asked.unwrap_err().kind(), Kind::Invalid);
    let before = peer.heard().len();
    let summed = upload.part(1, streamed(1000)).checksum(Checksum::Sha256);
    let error = summed.await.unwrap_err();
    let text = error.to_string();
    assert_eq!(error.kind(), Kind::Invalid, "{text}");
    assert!(text.contains("only Signature Version 4"), "{text}");
    // Nothing was read of the stream, and nothing sent.
    assert_eq!(peer.heard().len(), before);
}

#[tokio::test]
async fn uploads_learn_it_part_by_part() {
    let file = File::new("parts", 9 * MIB);
    for version in [2, 4] {
        let pieces = (0..9).map(|_| Bytes::from(vec![b'x'; MIB]));
        for source in [
            Source::from(vec![b'x'; 9 * MIB]),
            Source::pieces(pieces),
            streamed(9 * MIB),
            Source::file(&file.0),
        ] {
            let peer = Peer::start(locking).await;
            let bucket = bucket(&peer, version).await;
            let what = format!("{source:?}");
            let upload = bucket.upload("k", source).part_size(5 << 20).parallel(1);
            assert_eq!(upload.await.unwrap().parts(), 2, "{what}");
            let parts = peer.of("PUT ");
            let digests: Vec<_> = parts.iter().map(|part| part.field("content-md5")).collect();
            let (first, last) = (
                Some("Twju9AlnJr/xEl4bG3NGRA=="),
                Some("RJgTYtO6m1usrwF8LynTVQ=="),
            );
            assert_eq!(digests, [None, first, last], "{what}");
        }
    }
}

/// Spoils each attempt, and counts them, when it is told to.
#[derive(Clone, Default)]
struct Spoiler {
    on: Arc<AtomicBool>,
    attempts: Arc<AtomicU32>,
}

impl Middleware for Spoiler {
    fn before(&self, _: &AttemptStart<'_>, fields: &mut Fields<'_>) {
        if self.on.load(Ordering::Relaxed) {
            self.attempts.fetch_add(1, Ordering::Relaxed);
            fields.set("host", "elsewhere");
        }
    }
}

#[tokio::test]
async fn a_part_that_is_refused_for_something_else_is_not_made_ready_again() {
    let file = File::new("refused", 1000);
    let peer = Peer::start(locking).await;
    let spoiler = Spoiler::default();
    let builder = peer.builder().signature(Signature::V2);
    let client = builder.middleware(spoiler.clone()).build().unwrap();
    let bucket = client.bucket("photos");
    // From here on the bucket is known to want digests.
    bucket.put("a", "meow").await.unwrap();
    spoiler.on.store(true, Ordering::Relaxed);
    let part = bucket.multipart("k", "7").part(1, Source::file(&file.0));
    assert_eq!(part.await.unwrap_err().kind(), Kind::Invalid);
    assert_eq!(spoiler.attempts.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn locked_uploads_bring_digests_at_once() {
    for version in [2, 4] {
        let peer = Peer::start(locking).await;
        let bucket = bucket(&peer, version).await;
        let until = SystemTime::now() + Duration::from_secs(3600);
        for (key, len) in [("small", 100), ("large", 9 * MIB)] {
            let upload = bucket.upload(key, vec![b'x'; len]);
            let upload = upload.retention(RetentionMode::Compliance, until);
            upload.await.unwrap();
        }
        let upload = bucket.create_multipart("by-hand").legal_hold(true);
        let upload = upload.await.unwrap();
        upload.part(1, "x").await.unwrap();
        let puts = peer.of("PUT ");
        assert_eq!(puts.len(), 4);
        assert!(puts.iter().all(|put| digest(put).is_some()), "{version}");
    }
}

#[tokio::test]
async fn parts_bring_no_digest_that_nobody_wants() {
    for version in [2, 4] {
        let peer = Peer::start(plain).await;
        let upload = bucket(&peer, version).await.multipart("k", "7");
        upload.part(1, "x").await.unwrap();
        upload.part(2, streamed(1000)).await.unwrap();
        let puts = peer.of("PUT ");
        let digests: Vec<_> = puts.iter().map(digest).collect();
        assert_eq!(digests, [None, None], "version {version}");
    }
}

#[tokio::test]
async fn digests_and_checksums_of_uploads_are_asked_for() {
    let peer = Peer::start(plain).await;
    let bucket = bucket(&peer, 4).await;
    for len in [100, 9 * MIB] {
        let upload = bucket.upload("k", vec![b'x'; len]);
        upload.content_md5(true).await.unwrap();
    }
    let puts = peer.of("PUT ");
    assert_eq!(puts.len(), 3);
    assert!(puts.iter().all(|put| put.field("content-md5").is_some()));
    for len in [100, 9 * MIB] {
        let upload = bucket.upload("k", vec![b'x'; len]);
        upload.checksum(Checksum::Sha256).await.unwrap();
    }
    let puts = peer.of("PUT ");
    assert_eq!(puts.len(), 6);
    let summed = |put: &Heard| put.field("x-amz-checksum-sha256").is_some();
    assert!(puts[3..].iter().all(summed));
    let begun = peer.of("POST /photos/k?uploads");
    let announced = begun[1].field("x-amz-checksum-algorithm");
    assert_eq!((begun.len(), announced), (2, Some("SHA256")));
}

#[tokio::test]
async fn what_a_bucket_locks_by_itself_is_stored() {
    let store = Store::start().await;
    let bucket = store.client().bucket(store.name());
    bucket.create().object_lock(true).await.unwrap();
    let lock = ObjectLock::days(RetentionMode::Governance, 1);
    bucket.put_config(lock).await.unwrap();
    let file = File::new("locked", 6 * MIB);
    bucket.put("bytes", "meow").await.unwrap();
    bucket.put_file("file", &file.0).await.unwrap();
    let upload = bucket
        .upload("parts", Source::file(&file.0))
        .part_size(5 << 20);
    upload.await.unwrap();
    for key in ["bytes", "file", "parts"] {
        let head = bucket.head(key).await.unwrap();
        let version = head.version_id().unwrap();
        let delete = bucket.delete(key).version(version).bypass_governance();
        delete.await.unwrap();
    }
}
