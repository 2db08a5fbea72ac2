//! Checksums: sent, kept, and compared with what comes back.

#![allow(
    clippy::unwrap_used,
    reason = "this is test code outside of a test function"
)]

use std::time::SystemTime;

use aws_core::transport::{ResponseFuture, Transport};
use aws_core::v4;
use bytes::{Bytes, BytesMut};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use pipeline_pool::{HttpPool, Method, Origin, Request, Response};
use s3_client::answer::VerifiedBy;
use s3_client::request::RetryConfig;
use s3_client::{Bucket, Checksum, Credentials, Kind, Signature, Source};

use crate::files::Folder;
use crate::raw;
use crate::store::{Feature, Store};

/// Turns one bit of every body that a GET brings.
#[derive(Debug)]
struct Damage(HttpPool);

impl Transport for Damage {
    fn send(&self, origin: &Origin, request: Request) -> ResponseFuture {
        let get = request.method() == Method::Get;
        let sending = HttpPool::send(&self.0, origin, request);
        ResponseFuture::new(async move {
            let (head, body) = sending.await?.into_parts();
            if !get || head.status() != 200 {
                return Ok(Response::new(head, body));
            }
            if let Some(whole) = body.as_whole() {
                let mut bytes = BytesMut::from(&whole[..]);
                bytes[0] ^= 1;
                return Ok(Response::new(head, bytes.freeze()));
            }
            let mut first = true;
            let len = body.remaining();
            let pieces = body.map_ok(move |piece| {
                let mut bytes = BytesMut::from(&piece[..]);
                if std::mem::take(&mut first) {
                    bytes[0] ^= 1;
                }
                bytes.freeze()
            });
            Ok(Response::new(
                head,
                pipeline_pool::Body::from_stream(len, pieces),
            ))
        })
    }
}

fn bytes(len: usize) -> Bytes {
    (0..len).map(|i| (i % 251) as u8).collect()
}

#[tokio::test]
async fn checksums_are_kept_and_told() {
    let store = Store::start().await;
    let bucket = store.bucket().await;
    for checksum in Checksum::ALL {
        for len in [0, 5, 200_000] {
            let body = bytes(len);
            let value = checksum.of(&body);
            let stored = bucket.put("k", body.clone()).checksum(checksum);
            let stored = stored.await.unwrap();
            let head = bucket.head("k").checksums(true).await.unwrap();
            let object = bucket.get("k").verify(true).await.unwrap();
            if store.lacks(Feature::Checksums) {
                assert_eq!(
                    (stored.checksum(checksum), head.checksum(checksum)),
                    (None, None)
                );
                assert_eq!(object.verified_by(), Some(VerifiedBy::EntityTag));
            } else {
                assert_eq!(stored.checksum(checksum), Some(value.as_str()));
                assert_eq!(head.checksum(checksum), Some(value.as_str()));
                assert!(!head.is_composite());
                let by = Some(VerifiedBy::Checksum(checksum));
                assert_eq!(object.verified_by(), by, "{len} bytes");
            }
            assert_eq!(object.body.bytes(1 << 20).await.unwrap(), body);
        }
    }
}

#[tokio::test]
async fn a_wrong_checksum_is_refused() {
    let store = Store::start().await;
    let bucket = store.bucket().await;
    for checksum in Checksum::ALL {
        let put = bucket
            .put("k", "right")
            .checksum_is(checksum, checksum.of(b"wrong"));
        let outcome = put.await;
        if store.lacks(Feature::Checksums) {
            outcome.unwrap();
            continue;
        }
        let error = outcome.unwrap_err();
        assert_eq!(
            (error.status(), error.code()),
            (Some(400), Some("BadDigest"))
        );
        let put = bucket
            .put("k", "right")
            .checksum_is(checksum, checksum.of(b"right"));
        put.await.unwrap();
    }
    for (checksum, value, word) in [
        (Checksum::Sha256, "y/Q5Jg==", "4 bytes, not the 32"),
        (Checksum::Crc32, "!", "Base64"),
    ] {
        let put = bucket.put("k", "x").checksum_is(checksum, value);
        let error = put.await.unwrap_err();
        assert_eq!(error.kind(), Kind::Invalid);
        assert!(error.to_string().contains(word), "{error}");
    }
}

#[tokio::test]
async fn damaged_bytes_are_an_error() {
    let store = Store::start().await;
    let damaged = store
        .builder()
        .transport(Damage(store.pool()))
        .retry(RetryConfig::none())
        .build()
        .unwrap();
    let bucket = store.bucket().await;
    let seen = damaged.bucket(bucket.name());
    for checksum in [None, Some(Checksum::Crc64Nvme), Some(Checksum::Sha256)] {
        for len in [9, 3 << 20] {
            let put = bucket.put("k", bytes(len));
            let put = match checksum {
                Some(checksum) => put.checksum(checksum),
                None => put,
            };
            put.await.unwrap();
            // Nobody asked: nobody is told.
            let object = seen.get("k").await.unwrap();
            assert_eq!(object.verified_by(), None);
            assert_ne!(object.body.bytes(len).await.unwrap(), bytes(len));
            let error = if len == 9 {
                seen.get("k").verify(true).await.map(drop).unwrap_err()
            } else {
                // The end of a stream tells; what came before it has been handed on.
                let mut body = seen.get("k").verify(true).await.unwrap().body;
                let mut passed = 0;
                let error = loop {
                    match body.next().await {
                        Some(Ok(piece)) => passed += piece.len(),
                        Some(Err(error)) => break error,
                        None => panic!("the body ended as if nothing were wrong"),
                    }
                };
                assert_eq!(passed, len);
                assert!(body.next().await.is_none());
                let whole = seen.get("k").verify(true).await.unwrap().body.bytes(len);
                assert_eq!(whole.await.unwrap_err().kind(), Kind::Protocol);
                error
            };
            assert_eq!(error.kind(), Kind::Protocol);
            assert!(error.to_string().starts_with("S3 GetObject at"), "{error}");
            // A range has nothing to be compared with.
            let part = seen.get("k").range(..4).verify(true).await.unwrap();
            assert_eq!(part.verified_by(), None);
        }
    }
}

#[tokio::test]
async fn the_checksum_of_a_copy() {
    let store = Store::start().await;
    let bucket = store.bucket().await;
    bucket
        .put("from", "x")
        .checksum(Checksum::Crc32)
        .await
        .unwrap();
    bucket.copy("from", "same").await.unwrap();
    let copy = bucket.copy("from", "other").checksum(Checksum::Sha1);
    copy.await.unwrap();
    for (key, checksum) in [("same", Checksum::Crc32), ("other", Checksum::Sha1)] {
        let head = bucket.head(key).checksums(true).await.unwrap();
        let kept = (!store.lacks(Feature::Checksums)).then(|| checksum.of(b"x"));
        assert_eq!(head.checksum(checksum), kept.as_deref());
    }
}

#[tokio::test]
async fn checksums_of_what_came_in_parts() {
    let store = Store::start().await;
    let bucket = store.bucket().await;
    let (one, two) = (bytes(5 << 20), bytes(9));
    let whole = Bytes::from([&one[..], &two[..]].concat());
    for (checksum, composite) in [(Checksum::Sha256, true), (Checksum::Crc64Nvme, false)] {
        let upload = bucket.create_multipart("k");
        let upload = upload.header("x-amz-checksum-algorithm", checksum.name());
        let upload = upload.await.unwrap();
        let mut parts = Vec::new();
        for (number, body) in [(1, &one), (2, &two)] {
            let part = upload.part(number, body.clone());
            let part = part.header(
                format!("x-amz-checksum-{}", checksum.name().to_lowercase()),
                checksum.of(body),
            );
            parts.push(part.await.unwrap());
        }
        upload.complete(parts).await.unwrap();
        let object = bucket.get("k").verify(true).await.unwrap();
        if store.lacks(Feature::Checksums) {
            assert_eq!(object.head.checksum(checksum), None);
            // Nor is the tag of parts a digest.
            assert_eq!(object.verified_by(), None);
            continue;
        }
        // A checksum of checksums is known for what it is, and not held against the bytes.
        assert_eq!(object.head.is_composite(), composite);
        let value = object.head.checksum(checksum).unwrap();
        assert_eq!(value.ends_with("-2"), composite);
        let by = (!composite).then_some(VerifiedBy::Checksum(checksum));
        assert_eq!(object.verified_by(), by);
        assert_eq!(object.body.bytes(whole.len()).await.unwrap(), whole);
        let found = bucket.get_object_attributes("k").await.unwrap();
        assert_eq!(
            (found.parts_count, found.is_composite()),
            (Some(2), composite)
        );
    }
}

fn streamed(body: &Bytes) -> Source {
    let pieces: Vec<_> = body.chunks(7001).map(Bytes::copy_from_slice).collect();
    let pieces = stream::iter(pieces.into_iter().map(Ok::<_, std::io::Error>));
    Source::stream(body.len() as u64, pieces)
}

async fn compare(bucket: &Bucket, key: &str, checksum: Checksum, body: &Bytes) {
    let object = bucket.get(key).verify(true).await.unwrap();
    let value = checksum.of(body);
    assert_eq!(object.head.checksum(checksum), Some(value.as_str()));
    // The coding is of the transfer, not of the object.
    assert_eq!(object.head.header("content-encoding"), Some("x-none"));
    let by = Some(VerifiedBy::Checksum(checksum));
    assert_eq!(object.verified_by(), by);
    assert_eq!(object.body.bytes(1 << 20).await.unwrap(), body);
}

#[tokio::test]
async fn checksums_follow_streams_and_files() {
    let store = Store::start().await;
    let folder = Folder::new();
    let path = folder.file("up");
    let v4 = || store.builder().signature(Signature::v4("us-east-1"));
    let bucket = store.bucket().await;
    for signed in [true, false] {
        let client = v4().sign_bodies(signed).build().unwrap();
        let bucket = client.bucket(bucket.name());
        for checksum in Checksum::ALL {
            for len in [0, 5, 200_000] {
                let body = bytes(len);
                std::fs::write(&path, &body).unwrap();
                for source in [streamed(&body), Source::file(&path)] {
                    let put = bucket.put("k", source).content_encoding("x-none");
                    let outcome = put.checksum(checksum).await;
                    if store.lacks(Feature::Trailers) && len > 0 {
                        let error = outcome.unwrap_err();
                        assert_eq!(error.status(), Some(400), "{error}");
                        continue;
                    }
                    let stored = outcome.unwrap();
                    if store.lacks(Feature::Checksums) {
                        continue;
                    }
                    let value = checksum.of(&body);
                    assert_eq!(stored.checksum(checksum), Some(value.as_str()));
                    compare(&bucket, "k", checksum, &body).await;
                }
            }
        }
    }
}

#[tokio::test]
async fn version_2_has_checksums_before_the_body() {
    let store = Store::start().await;
    let client = store.builder().signature(Signature::V2).build().unwrap();
    let bucket = store.bucket_of(&client).await;
    let folder = Folder::new();
    let path = folder.file("up");
    let body = bytes(200_000);
    std::fs::write(&path, &body).unwrap();
    let rope = || Source::pieces([body.slice(..100_000), body.slice(100_000..)]);
    for source in [Source::file(&path), rope()] {
        let put = bucket.put("k", source).content_encoding("x-none");
        put.checksum(Checksum::Sha256).await.unwrap();
        if !store.lacks(Feature::Checksums) {
            compare(&bucket, "k", Checksum::Sha256, &body).await;
        }
    }
    let error = bucket
        .put("k", streamed(&body))
        .checksum(Checksum::Crc32c)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), Kind::Invalid);
    assert!(error.to_string().contains("Version 4"), "{error}");
    // With its value a stream can be sent.
    let value = Checksum::Crc32c.of(&body);
    let put = bucket.put("k", streamed(&body)).content_encoding("x-none");
    put.checksum_is(Checksum::Crc32c, value).await.unwrap();
    if !store.lacks(Feature::Checksums) {
        compare(&bucket, "k", Checksum::Crc32c, &body).await;
    }
}

#[tokio::test]
async fn checksums_follow_streamed_parts() {
    let store = Store::start().await;
    let client = store.builder().signature(Signature::v4("us-east-1"));
    let bucket = store.bucket_of(&client.build().unwrap()).await;
    let body = bytes(100_000);
    let upload = bucket.create_multipart("k").checksum(Checksum::Crc32c);
    let upload = upload.await.unwrap();
    let outcome = upload.part(1, streamed(&body)).checksum(Checksum::Crc32c);
    let outcome = outcome.await;
    if store.lacks(Feature::Trailers) {
        assert_eq!(outcome.unwrap_err().status(), Some(400));
        upload.abort().await.unwrap();
        return;
    }
    upload.complete([outcome.unwrap()]).await.unwrap();
    let head = bucket.head("k").checksums(true).await.unwrap();
    if !store.lacks(Feature::Checksums) {
        assert!(head.is_composite() && head.checksum(Checksum::Crc32c).is_some());
    }
    let object = bucket.get("k").await.unwrap();
    assert_eq!(object.body.bytes(1 << 20).await.unwrap(), body);
}

/// Says of its body what is not so.
struct Wrong;

impl v4::Trailer for Wrong {
    fn name(&self) -> &'static str {
        "x-amz-checksum-crc32"
    }

    fn update(&mut self, _: &[u8]) {}

    fn value(self: Box<Self>) -> String {
        Checksum::Crc32.of(b"wrong")
    }
}

#[tokio::test]
async fn a_wrong_trailer_is_refused() {
    let store = Store::start().await;
    let bucket = store.bucket().await;
    let keys = Credentials::new(store.access_key(), store.secret_key());
    let scope = v4::Scope::s3("us-east-1");
    for signed in [true, false] {
        let path = format!("/{}/k", bucket.name());
        let endpoint = store.endpoint();
        let host = endpoint.strip_prefix("http://").unwrap();
        let headers = [
            ("host", host),
            ("content-encoding", "aws-chunked"),
            ("x-amz-decoded-content-length", "5"),
            ("x-amz-trailer", "x-amz-checksum-crc32"),
        ];
        let request = v4::Request {
            method: "PUT",
            path: &path,
            query: "",
            headers,
            payload: v4::Payload::UnsignedTrailer,
        };
        let now = SystemTime::now();
        let (authorization, signer) = if signed {
            let (authorization, signer) = request.sign_trailed_chunks(&scope, &keys, now);
            (authorization, Some(signer))
        } else {
            (request.sign(&scope, &keys, now), None)
        };
        let right = stream::iter([Ok::<_, std::io::Error>(Bytes::from("right"))]);
        let body = v4::Chunks::trailed(right, signer, Wrong, v4::CHUNK);
        let body = body.try_collect::<Vec<_>>().await.unwrap().concat();
        let added = authorization
            .headers()
            .map(|(name, value)| -> (&str, &str) { (name, value) });
        let fields = headers.into_iter().skip(1).chain(added);
        let url = format!("{endpoint}{path}");
        let answer = raw::send("PUT", &url, fields, &body).await;
        assert_eq!(answer.status, 400);
        let code = if store.lacks(Feature::Trailers) {
            "XAmzContentSHA256Mismatch"
        } else {
            "BadDigest"
        };
        assert!(answer.text().contains(code), "{}", answer.text());
        assert!(bucket.get("k").await.unwrap_err().is_not_found());
    }
}
