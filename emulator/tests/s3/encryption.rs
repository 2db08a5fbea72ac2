//! How objects are encrypted: as they say, or as their bucket does by default.

use crate::bench::bench;

const SSE: &str = "x-amz-server-side-encryption";
const KMS_KEY: &str = "x-amz-server-side-encryption-aws-kms-key-id";

#[tokio::test]
async fn buckets_encrypt_what_says_nothing() {
    let mut bench = bench().await;
    let kms = b"<ServerSideEncryptionConfiguration><Rule><ApplyServerSideEncryptionByDefault><SSEAlgorithm>aws:kms\
        </SSEAlgorithm><KMSMasterKeyID>some-key</KMSMasterKeyID></ApplyServerSideEncryptionByDefault></Rule>\
        </ServerSideEncryptionConfiguration>";
    for (configure, kind, key) in [
        (None, "AES256", None),
        (Some(("PUT", &kms[..])), "aws:kms", Some("some-key")),
        (Some(("DELETE", b"")), "AES256", None),
    ] {
        if let Some((method, document)) = configure {
            let done = bench.call(method, "/bkt/?encryption", &[], document).await;
            assert!(done.status < 300, "{}", done.text());
        }
        let put = bench.call("PUT", "/bkt/k", &[], b"x").await;
        let copied = [("x-amz-copy-source", "/bkt/k")];
        let copy = bench.call("PUT", "/bkt/copy", &copied, b"").await;
        let begun = bench.call("POST", "/bkt/k?uploads", &[], b"").await;
        let head = bench.call("HEAD", "/bkt/k", &[], b"").await;
        let id = begun.all("UploadId")[0];
        let target = format!("/bkt/k?partNumber=1&uploadId={id}");
        let part = bench.call("PUT", &target, &[], b"x").await;
        let part_copy = bench.call("PUT", &target, &copied, b"").await;
        let etag = part.header("etag").unwrap();
        let body = format!(
            "<CompleteMultipartUpload><Part><ETag>{etag}</ETag><PartNumber>1</PartNumber></Part>\
             </CompleteMultipartUpload>"
        );
        let target = format!("/bkt/k?uploadId={id}");
        let whole = bench.call("POST", &target, &[], body.as_bytes()).await;
        for reply in [put, copy, begun, part, part_copy, whole, head] {
            assert_eq!(reply.header(SSE), Some(kind));
            assert_eq!(reply.header(KMS_KEY), key);
        }
    }
    let own = [(SSE, "AES256")];
    bench.call("PUT", "/bkt/?encryption", &[], kms).await;
    let put = bench.call("PUT", "/bkt/k", &own, b"x").await;
    assert_eq!(put.header(SSE), Some("AES256"));
}

#[tokio::test]
async fn a_key_needs_the_kind_that_has_keys() {
    let mut bench = bench().await;
    for (fields, status) in [
        (&[(KMS_KEY, "k")][..], 400),
        (&[(KMS_KEY, "k"), (SSE, "AES256")], 400),
        (&[(KMS_KEY, "k"), (SSE, "aws:kms")], 200),
        (&[(SSE, "aws:kms")], 200),
        (&[(SSE, "ROT13")], 400),
    ] {
        let put = bench.call("PUT", "/bkt/k", fields, b"x").await;
        assert_eq!(put.status, status, "{fields:?}");
        if status == 400 {
            assert_eq!(put.error().1, "InvalidArgument", "{fields:?}");
        }
    }
}

#[tokio::test]
async fn reads_do_not_say_how_to_encrypt() {
    let mut bench = bench().await;
    bench.call("PUT", "/bkt/k", &[], b"x").await;
    let refused = bench.call("GET", "/bkt/k", &[(SSE, "AES256")], b"").await;
    assert_eq!(refused.error(), (400, "InvalidArgument"));
    let refused = bench.call("HEAD", "/bkt/k", &[(SSE, "AES256")], b"").await;
    assert_eq!(refused.status, 400);
}
