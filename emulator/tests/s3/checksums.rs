//! Checksums of objects and of their parts.

use crate::bench::{Bench, bench};

/// The CRC-32 of `x`.
const CRC32: (&str, &str) = ("x-amz-checksum-crc32", "jNwWgw==");

async fn begin(bench: &mut Bench, fields: &[(&str, &str)]) -> String {
    let begun = bench.call("POST", "/bkt/k?uploads", fields, b"").await;
    begun.all("UploadId")[0].to_owned()
}

#[tokio::test]
async fn parts_have_any_checksum_where_none_was_declared() {
    let mut bench = bench().await;
    let id = begin(&mut bench, &[]).await;
    let target = format!("/bkt/k?partNumber=1&uploadId={id}");
    let part = bench.call("PUT", &target, &[CRC32], b"x").await;
    assert_eq!(part.header(CRC32.0), Some(CRC32.1), "{}", part.text());
    let etag = part.header("etag").unwrap();
    let complete = |sum: &str| {
        format!(
            "<CompleteMultipartUpload><Part><ETag>{etag}</ETag><ChecksumCRC32>{sum}</ChecksumCRC32>\
             <PartNumber>1</PartNumber></Part></CompleteMultipartUpload>"
        )
    };
    let target = format!("/bkt/k?uploadId={id}");
    let wrong = complete("AAAAAA==");
    let wrong = bench.call("POST", &target, &[], wrong.as_bytes()).await;
    assert_eq!(wrong.error(), (400, "InvalidPart"));
    let right = complete(CRC32.1);
    let right = bench.call("POST", &target, &[], right.as_bytes()).await;
    assert_eq!(right.status, 200, "{}", right.text());
    // What S3 has of an object that declared nothing.
    assert_eq!(right.all("ChecksumCRC64NVME").len(), 1);
    assert!(right.all("ChecksumCRC32").is_empty());
}

#[tokio::test]
async fn parts_have_the_checksum_that_was_declared() {
    let mut bench = bench().await;
    let id = begin(&mut bench, &[("x-amz-checksum-algorithm", "SHA256")]).await;
    let target = format!("/bkt/k?partNumber=1&uploadId={id}");
    let other = bench.call("PUT", &target, &[CRC32], b"x").await;
    assert_eq!(other.error(), (400, "InvalidRequest"));
    let bare = bench.call("PUT", &target, &[], b"x").await;
    assert!(bare.header("x-amz-checksum-sha256").is_some());
}

#[tokio::test]
async fn completions_compare_the_checksum_of_the_whole() {
    let mut bench = bench().await;
    let fields = [("x-amz-checksum-algorithm", "CRC32")];
    let begun = bench.call("POST", "/bkt/k?uploads", &fields, b"").await;
    assert_eq!(begun.header("x-amz-checksum-type"), Some("COMPOSITE"));
    let id = begun.all("UploadId")[0].to_owned();
    let target = format!("/bkt/k?partNumber=1&uploadId={id}");
    let part = bench.call("PUT", &target, &[CRC32], b"x").await;
    let etag = part.header("etag").unwrap();
    let body = format!(
        "<CompleteMultipartUpload><Part><ETag>{etag}</ETag><ChecksumCRC32>{}</ChecksumCRC32><PartNumber>1\
         </PartNumber></Part></CompleteMultipartUpload>",
        CRC32.1
    );
    let target = format!("/bkt/k?uploadId={id}");
    let wrong = [("x-amz-checksum-crc32", "AAAAAA==-1")];
    let wrong = bench.call("POST", &target, &wrong, body.as_bytes()).await;
    assert_eq!(wrong.error(), (400, "BadDigest"));
    let done = bench.call("POST", &target, &[], body.as_bytes()).await;
    assert_eq!(done.status, 200, "{}", done.text());
    assert!(done.all("ChecksumCRC32")[0].ends_with("-1"));
    let mode = [("x-amz-checksum-mode", "ENABLED")];
    let get = bench.call("GET", "/bkt/k?partNumber=1", &mode, b"").await;
    assert_eq!(get.header(CRC32.0), Some(CRC32.1));
    assert_eq!(get.header("x-amz-checksum-type"), Some("COMPOSITE"));
}
