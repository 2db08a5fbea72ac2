//! What servers answer that are not Amazon, or are on a bad day, and what is made of it.

#![allow(
    clippy::unwrap_used,
    reason = "this is test code outside of a test function"
)]

use s3_client::{Bucket, Checksum, Kind};

use crate::peer::{Heard, Peer, answer, refusal};

async fn bucket(peer: &Peer) -> Bucket {
    peer.builder().build().unwrap().bucket("photos")
}

#[tokio::test]
async fn the_last_bytes_of_an_empty_object_are_none() {
    let peer = Peer::start(|heard| match heard.line.as_str() {
        "GET /photos/empty" => answer(200, "ETag: \"x\"\r\n", ""),
        _ => answer(200, "ETag: \"x\"\r\n", "meow"),
    })
    .await;
    let bucket = bucket(&peer).await;
    let empty = bucket.get("empty").last(512).await.unwrap();
    assert_eq!((empty.head.size(), empty.head.range()), (Some(0), None));
    assert_eq!(empty.body.bytes(9).await.unwrap(), "");
    assert_eq!(peer.heard().len(), 1);
    // All that there is is what was asked for.
    let all = bucket.get("k").last(4).await.unwrap();
    assert_eq!(all.body.bytes(9).await.unwrap(), "meow");
    let more = bucket.get("k").last(3).await.unwrap_err();
    assert_eq!(more.kind(), Kind::Protocol);
    let first = bucket.get("empty").range(..512).await.unwrap_err();
    assert_eq!(first.kind(), Kind::Protocol);
}

#[tokio::test]
async fn a_range_is_not_compared_with_the_checksum_of_the_whole() {
    let sum = Checksum::Crc32.of(b"meow and more");
    let peer = Peer::start(move |_| {
        let range = format!("Content-Range: bytes 0-3/13\r\nx-amz-checksum-crc32: {sum}\r\n");
        answer(206, &range, "meow")
    })
    .await;
    let get = bucket(&peer).await.get("k").range(..4).verify(true);
    let object = get.await.unwrap();
    assert_eq!(object.verified_by(), None);
    assert_eq!(object.body.bytes(9).await.unwrap(), "meow");
}

#[cfg(feature = "fs")]
#[tokio::test]
async fn a_range_of_another_object_is_not_written_to_a_file() {
    let folder = crate::files::Folder::new();
    for (etag, whole) in [("\"old\"", true), ("\"new\"", false)] {
        let peer = Peer::start(move |heard| {
            if heard.line.starts_with("HEAD ") {
                return answer(200, "ETag: \"old\"\r\n", "meow");
            }
            let fields = format!("ETag: {etag}\r\nContent-Range: bytes 0-3/4\r\n");
            answer(206, &fields, "meow")
        })
        .await;
        let path = folder.file("cat");
        let download = bucket(&peer).await.download("k").to_file(&path);
        match download.await {
            Ok(_) => assert!(whole),
            Err(error) => {
                assert!(!whole && error.kind() == Kind::Protocol, "{error}");
                assert!(!path.exists());
            }
        }
        let _none = std::fs::remove_file(&path);
    }
}

#[tokio::test]
async fn a_failure_that_names_no_key_may_be_of_any() {
    for error in [
        "<Error><Code>AccessDenied</Code><Message>no</Message></Error>",
        "<Error><Key/><Code>AccessDenied</Code><Message>no</Message></Error>",
        "<Error><Key>other</Key><Code>AccessDenied</Code><Message>no</Message></Error>",
    ] {
        let document = format!("<DeleteResult>{error}</DeleteResult>");
        let peer = Peer::start(move |_| answer(200, "", &document)).await;
        let delete = bucket(&peer).await.delete_many(["a", "b"]).quiet(true);
        let summary = delete.await.unwrap();
        assert_eq!((summary.deleted, summary.failed), (0, 2), "{error}");
        for (_, failure) in &summary.failures {
            assert!(failure.to_string().contains("AccessDenied"), "{failure}");
        }
        assert_eq!(peer.heard().len(), 1, "{error}");
    }
}

#[tokio::test]
async fn a_key_of_which_the_answer_says_nothing_is_not_asked_for_again() {
    let document = "<DeleteResult><Deleted><Key>a</Key></Deleted></DeleteResult>";
    let peer = Peer::start(move |_| answer(200, "", document)).await;
    let delete = bucket(&peer).await.delete_many(["a", "b"]);
    let summary = delete.await.unwrap();
    assert_eq!((summary.deleted, summary.failed), (1, 1));
    let (id, failure) = &summary.failures[0];
    assert_eq!((id.key.as_str(), failure.kind()), ("b", Kind::Protocol));
    assert_eq!(peer.heard().len(), 1);
}

/// A store in which an upload of one part fails at its completion, an equal object stands already, and the upload is
/// there still or is gone.
fn completing(heard: &Heard, gone: bool) -> String {
    let line = heard.line.as_str();
    // md5("x"), and the tag of an object of that part, by Python's hashlib.
    let made = "ETag: \"9affad555af89da9b0bfcd5e45bc93da-1\"\r\n";
    match line.split(' ').next() {
        Some("PUT") => answer(200, "ETag: \"9dd4e461268c8034f5c8564e155c67a6\"\r\n", ""),
        Some("POST") => refusal(500, "InternalError", "later"),
        Some("HEAD") => answer(200, made, "x"),
        _ if gone => refusal(404, "NoSuchUpload", "gone"),
        _ => answer(200, "", "<ListPartsResult/>"),
    }
}

#[tokio::test]
async fn an_older_equal_object_is_not_taken_for_an_upload_that_is_still_there() {
    for gone in [true, false] {
        let peer = Peer::start(move |heard| completing(heard, gone)).await;
        let upload = bucket(&peer).await.multipart("k", "7");
        let part = upload.part(1, "x").await.unwrap();
        let completed = upload.complete([part]).await;
        match completed {
            Ok(completed) => assert!(gone && completed.etag().is_some()),
            Err(error) => assert!(!gone && error.code() == Some("InternalError"), "{error}"),
        }
        assert_eq!(peer.of("GET ").len(), 1);
    }
}

#[tokio::test]
async fn an_upload_is_aborted_until_the_store_knows_no_part_of_it() {
    let begun =
        "<InitiateMultipartUploadResult><UploadId>7</UploadId></InitiateMultipartUploadResult>";
    let left =
        "<ListPartsResult><Part><PartNumber>1</PartNumber><ETag>x</ETag></Part></ListPartsResult>";
    // A part that was still on its way is there after the first aborts.
    for stays in [0, 1, 9] {
        let looks = std::sync::atomic::AtomicUsize::new(0);
        let peer = Peer::start(move |heard| match heard.line.split(' ').next() {
            Some("POST") => answer(200, "", begun),
            Some("PUT") => refusal(403, "AccessDenied", "no"),
            Some("DELETE") => answer(204, "", ""),
            _ if looks.fetch_add(1, std::sync::atomic::Ordering::Relaxed) < stays => {
                answer(200, "", left)
            }
            _ => refusal(404, "NoSuchUpload", "gone"),
        })
        .await;
        let upload = bucket(&peer).await.upload("k", vec![7; 6 << 20]);
        let error = upload.part_size(5 << 20).await.unwrap_err();
        assert_eq!(error.code(), Some("AccessDenied"));
        assert_eq!(peer.of("DELETE ").len(), (stays + 1).min(3));
    }
}
