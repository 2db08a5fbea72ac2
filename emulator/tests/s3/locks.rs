//! Object Lock, and the digests that uploads under it have to carry.

use base64::prelude::*;
use md5::{Digest, Md5};

use crate::bench::{Bench, bench};

const LOCKED: &[(&str, &str)] = &[("x-amz-bucket-object-lock-enabled", "true")];

/// The bench with a bucket `/locked` whose objects can be locked.
async fn locked() -> Bench {
    let mut bench = bench().await;
    let made = bench.call("PUT", "/locked/", LOCKED, b"").await;
    assert_eq!(made.status, 200, "{}", made.text());
    bench
}

async fn lock_by_default(bench: &mut Bench) {
    let document = b"<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled><Rule><DefaultRetention>\
        <Mode>GOVERNANCE</Mode><Days>1</Days></DefaultRetention></Rule></ObjectLockConfiguration>";
    let md5 = BASE64_STANDARD.encode(Md5::digest(document));
    let fields = [("content-md5", md5.as_str())];
    let put = bench
        .call("PUT", "/locked/?object-lock", &fields, document)
        .await;
    assert_eq!(put.status, 200, "{}", put.text());
}

/// The fields of each kind of digest of the body `x`.
const DIGESTS: [(&str, &str); 2] = [
    ("content-md5", "ndTkYSaMgDT1yFZOFVxnpg=="),
    ("x-amz-checksum-crc32", "jNwWgw=="),
];

#[tokio::test]
async fn puts_under_a_default_retention_need_a_digest() {
    let mut bench = locked().await;
    let free = bench.call("PUT", "/locked/k", &[], b"x").await;
    assert_eq!(free.status, 200, "the bucket locks nothing by itself");
    lock_by_default(&mut bench).await;
    let bare = bench.call("PUT", "/locked/k", &[], b"x").await;
    assert_eq!(bare.error(), (400, "InvalidRequest"));
    for digest in DIGESTS {
        let put = bench.call("PUT", "/locked/k", &[digest], b"x").await;
        assert_eq!(put.status, 200, "{digest:?}");
    }
    let wrong = [("x-amz-checksum-crc32", "AAAAAA==")];
    let wrong = bench.call("PUT", "/locked/k", &wrong, b"x").await;
    assert_eq!(wrong.error(), (400, "BadDigest"));
}

#[tokio::test]
async fn puts_with_a_lock_of_their_own_need_a_digest() {
    let mut bench = locked().await;
    let retention = [
        ("x-amz-object-lock-mode", "GOVERNANCE"),
        (
            "x-amz-object-lock-retain-until-date",
            "2099-01-01T00:00:00Z",
        ),
    ];
    let hold = [("x-amz-object-lock-legal-hold", "ON")];
    for fields in [&retention[..], &hold] {
        let bare = bench.call("PUT", "/locked/k", fields, b"x").await;
        assert_eq!(bare.error(), (400, "InvalidRequest"), "{fields:?}");
        for digest in DIGESTS {
            let mut fields = fields.to_vec();
            fields.push(digest);
            let put = bench.call("PUT", "/locked/k", &fields, b"x").await;
            assert_eq!(put.status, 200, "{fields:?}");
        }
    }
}

#[tokio::test]
async fn parts_under_a_lock_need_a_digest() {
    let mut bench = locked().await;
    let hold = [("x-amz-object-lock-legal-hold", "ON")];
    for by_default in [false, true] {
        let fields = if by_default { &[][..] } else { &hold };
        if by_default {
            lock_by_default(&mut bench).await;
        }
        let begun = bench.call("POST", "/locked/k?uploads", fields, b"").await;
        let id = begun.all("UploadId")[0].to_owned();
        let target = format!("/locked/k?partNumber=1&uploadId={id}");
        let bare = bench.call("PUT", &target, &[], b"x").await;
        assert_eq!(bare.error(), (400, "InvalidRequest"));
        for digest in DIGESTS {
            let put = bench.call("PUT", &target, &[digest], b"x").await;
            assert_eq!(put.status, 200, "{digest:?}: {}", put.text());
        }
    }
}

#[tokio::test]
async fn unheard_of_modes_do_not_fit_the_schema() {
    let mut bench = locked().await;
    bench.call("PUT", "/locked/k", &[], b"x").await;
    for (query, body) in [
        (
            "retention",
            "<Retention><Mode>governance</Mode><RetainUntilDate>2099-01-01T00:00:00Z</RetainUntilDate></Retention>",
        ),
        ("legal-hold", "<LegalHold><Status>abc</Status></LegalHold>"),
    ] {
        let target = format!("/locked/k?{query}");
        let refused = bench.call("PUT", &target, &[], body.as_bytes()).await;
        assert_eq!(refused.error(), (400, "MalformedXML"), "{query}");
    }
}
