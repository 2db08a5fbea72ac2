//! Bodies that are cut, and go on where they ended.

#![allow(
    clippy::unwrap_used,
    reason = "this is test code outside of a test function"
)]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use emulator::{Fault, Rule};
use s3_client::request::RetryConfig;
use s3_client::{Bucket, Checksum, Kind, Object};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::files::Folder;
use crate::store::Store;
use crate::transfer::Told;

const SIZE: usize = 200_000;

fn bytes(seed: u32) -> Vec<u8> {
    let number = |at: u32| at.wrapping_mul(2_654_435_761) ^ seed.wrapping_mul(0x9e37_79b9);
    (0..SIZE as u32)
        .map(|at| (number(at) >> 24) as u8)
        .collect()
}

async fn film() -> (Store, Bucket) {
    let store = Store::emulator().await;
    let bucket = store.bucket().await;
    let put = bucket.put("film", bytes(1)).checksum(Checksum::Crc32c);
    put.await.unwrap();
    (store, bucket)
}

/// Cuts so many answers about the film after so many bytes each.
fn cut(store: &Store, after: u64, times: u64) -> emulator::Hits {
    let rule = Rule::new(Fault::cut(after)).key("film").times(times);
    store.faults().add(rule)
}

async fn whole(object: Object) -> s3_client::Result<Vec<u8>> {
    Ok(object.body.bytes(1 << 20).await?.to_vec())
}

#[tokio::test]
async fn a_body_that_is_cut_anywhere_goes_on_there() {
    let (store, bucket) = film().await;
    let wanted = bytes(1);
    for after in [
        0,
        1,
        65_535,
        65_536,
        65_537,
        131_072,
        150_001,
        SIZE as u64 - 1,
    ] {
        let hits = cut(&store, after, 1);
        let object = bucket.get("film").resumes(1).verify(true).await.unwrap();
        assert!(object.verified_by().is_some());
        assert_eq!(whole(object).await.unwrap(), wanted, "{after}");
        assert_eq!(hits.count(), 1, "{after}");
        store.faults().clear();
    }
    // Each answer is cut after a third of the object, the rest too.
    let hits = cut(&store, 70_000, 2);
    let object = bucket.get("film").resumes(2).await.unwrap();
    assert_eq!(whole(object).await.unwrap(), wanted);
    assert_eq!(hits.count(), 2);
}

#[tokio::test]
async fn progress_counts_no_byte_twice_behind_a_cut() {
    let (store, bucket) = film().await;
    let folder = Folder::new();
    let path = folder.file("film");
    let hits = cut(&store, 70_000, 2);
    let told = Told::default();
    let save = bucket.get("film").resumes(2).to_file(&path);
    save.progress(told.report()).await.unwrap();
    assert_eq!(hits.count(), 2);
    assert_eq!(std::fs::read(&path).unwrap(), bytes(1));
    told.check(SIZE, Some(SIZE));
}

#[tokio::test]
async fn ranges_and_parts_go_on_within_the_object() {
    let (store, bucket) = film().await;
    let wanted = bytes(1);
    cut(&store, 70_000, 1);
    let middle = bucket.get("film").range(1_000..180_000).resumes(1);
    assert_eq!(
        whole(middle.await.unwrap()).await.unwrap(),
        wanted[1_000..180_000]
    );
    cut(&store, 70_000, 1);
    let last = bucket.get("film").last(150_000).resumes(1);
    assert_eq!(whole(last.await.unwrap()).await.unwrap(), wanted[50_000..]);
    let upload = bucket.create_multipart("film").await.unwrap();
    let first = upload.part(1, vec![1; 5 << 20]).await.unwrap();
    let second = upload.part(2, wanted.clone()).await.unwrap();
    upload.complete([first, second]).await.unwrap();
    let hits = cut(&store, 70_000, 1);
    let part = bucket.get("film").part(2).resumes(1).await.unwrap();
    assert_eq!(whole(part).await.unwrap(), wanted);
    assert_eq!(hits.count(), 1);
}

#[tokio::test]
async fn an_object_that_was_changed_is_an_error_and_no_mixture() {
    let (store, bucket) = film().await;
    cut(&store, 100_000, 1);
    let mut object = bucket.get("film").resumes(9).await.unwrap();
    bucket.put("film", bytes(2)).await.unwrap();
    let mut read = Vec::new();
    let error = loop {
        match object.body.chunk().await.expect("an error before the end") {
            Ok(piece) => read.extend_from_slice(&piece),
            Err(error) => break error,
        }
    };
    assert!(error.is_condition_failed(), "{error}");
    assert_eq!(read, bytes(1)[..read.len()]);
    // Whoever reads on finds nothing more.
    assert!(object.body.chunk().await.is_none());
    // One that is gone is an error, too.
    cut(&store, 100_000, 1);
    let object = bucket.get("film").resumes(9).await.unwrap();
    bucket.delete("film").await.unwrap();
    let error = whole(object).await.unwrap_err();
    assert!(error.is_not_found(), "{error}");
}

#[tokio::test]
async fn resumes_are_counted_and_there_are_none_unless_asked_for() {
    let (store, bucket) = film().await;
    let hits = cut(&store, 1_000, u64::MAX);
    let object = bucket.get("film").resumes(3).await.unwrap();
    let error = whole(object).await.unwrap_err();
    assert_eq!((error.kind(), hits.count()), (Kind::Closed, 4), "{error}");
    let object = bucket.get("film").await.unwrap();
    let error = whole(object).await.unwrap_err();
    assert_eq!((error.kind(), hits.count()), (Kind::Closed, 5), "{error}");
    // A limit counts for all answers together.
    store.faults().clear();
    cut(&store, 70_000, 1);
    let object = bucket.get("film").resumes(1).await.unwrap();
    let error = object.body.bytes(SIZE - 1).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Protocol, "{error}");
    assert_eq!(error.key(), Some("film"), "{error}");
    cut(&store, 70_000, 1);
    let object = bucket.get("film").resumes(1).await.unwrap();
    assert_eq!(object.body.bytes(SIZE).await.unwrap().len(), SIZE);
}

type Heads = Arc<Mutex<Vec<String>>>;

/// Answers the n-th connection with the n-th text, further ones with the last, and closes each; tells what it was asked.
async fn scripted(answers: Vec<String>) -> (Bucket, Heads) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let heads = Heads::default();
    let heard = Arc::clone(&heads);
    tokio::spawn(async move {
        for count in 0.. {
            let (mut socket, _) = listener.accept().await.unwrap();
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                match socket.read_u8().await {
                    Ok(byte) => head.push(byte),
                    Err(_) => break,
                }
            }
            let head = String::from_utf8(head).unwrap().to_ascii_lowercase();
            heard.lock().unwrap().push(head);
            let answer = &answers[answers.len().min(count + 1) - 1];
            // A client that has seen enough goes before it has heard all.
            let _ = socket.write_all(answer.as_bytes()).await;
        }
    });
    let client = s3_client::S3Client::builder()
        .endpoint(url)
        .credentials(s3_client::Credentials::new("AK", "secret"))
        .retry(RetryConfig::new().random(|| 0.0))
        .timeout(Duration::from_secs(10));
    (client.build().unwrap().bucket("films"), heads)
}

fn answer(status: &str, etag: &str, range: &str, length: usize, sent: usize) -> String {
    let body = "x".repeat(sent);
    format!(
        "HTTP/1.1 {status}\r\nconnection: close\r\n{etag}{range}content-length: {length}\r\n\r\n{body}"
    )
}

#[tokio::test]
async fn an_answer_that_is_not_the_rest_is_an_error() {
    let first = || answer("200 OK", "etag: \"a\"\r\n", "", 100_000, 70_000);
    for (rest, why) in [
        (
            answer("200 OK", "etag: \"a\"\r\n", "", 100_000, 100_000),
            "with the whole object",
        ),
        (
            answer(
                "206 Partial",
                "etag: \"b\"\r\n",
                "content-range: bytes 70000-99999/100000\r\n",
                30_000,
                30_000,
            ),
            "another entity tag",
        ),
        (
            answer(
                "206 Partial",
                "etag: \"a\"\r\n",
                "content-range: bytes 69999-99999/100000\r\n",
                30_001,
                30_001,
            ),
            "other bytes than 70000 to 99999",
        ),
    ] {
        let (bucket, heads) = scripted(vec![first(), rest]).await;
        let object = bucket.get("film").resumes(1).await.unwrap();
        let error = whole(object).await.unwrap_err();
        assert!(
            error.kind() == Kind::Protocol && error.to_string().contains(why),
            "{error}"
        );
        let heads = heads.lock().unwrap();
        assert!(
            heads[1].contains("range: bytes=70000-99999\r\n"),
            "{}",
            heads[1]
        );
        assert!(heads[1].contains("if-match: \"a\"\r\n"), "{}", heads[1]);
    }
    // The conditions of the get itself were for its first answer.
    let (bucket, heads) = scripted(vec![first(), answer("404 None", "", "", 0, 0)]).await;
    let get = bucket.get("film").if_none_match("\"z\"").resumes(1);
    let object = get.await.unwrap().object().unwrap();
    whole(object).await.unwrap_err();
    let heads = heads.lock().unwrap();
    assert!(
        heads[0].contains("if-none-match: \"z\"\r\n"),
        "{}",
        heads[0]
    );
    assert!(!heads[1].contains("if-none-match"), "{}", heads[1]);
}

#[tokio::test]
async fn what_may_have_been_changed_on_its_way_is_not_resumed() {
    for (etag, range) in [("etag: W/\"a\"\r\n", ""), ("", "")] {
        let (bucket, heads) = scripted(vec![answer("200 OK", etag, range, 100_000, 70_000)]).await;
        let object = bucket.get("film").resumes(1).await.unwrap();
        let error = whole(object).await.unwrap_err();
        assert_eq!(error.kind(), Kind::Closed, "{error}");
        assert_eq!(heads.lock().unwrap().len(), 1);
    }
}
