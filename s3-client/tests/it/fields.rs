//! Header fields that settings are written into.

use std::time::{Duration, SystemTime};

use s3_client::Kind;
use s3_client::config::{CannedAcl, ObjectOwnership, RetentionMode, Status, Versioning};
use s3_client::request::ServerSideEncryption;

use crate::store::Store;

#[tokio::test]
async fn what_no_header_field_carries_is_not_sent() {
    let store = Store::emulator().await;
    let bucket = store.bucket().await;
    let before = store.requests();
    let later = SystemTime::now() + Duration::from_secs(60);
    for odd in ["caf\u{e9}", "a\r\nb: c", "\t", " blank", "blank "] {
        let put = || bucket.put("k", "x");
        let acl = || CannedAcl::from(odd);
        let kms = || ServerSideEncryption::kms_key(odd);
        let mode = || RetentionMode::from(odd);
        let owner = || ObjectOwnership::from(odd);
        for (what, sent) in [
            ("cache", put().cache_control(odd).await.map(drop)),
            ("name", put().content_disposition(odd).await.map(drop)),
            ("encoding", put().content_encoding(odd).await.map(drop)),
            ("language", put().content_language(odd).await.map(drop)),
            ("type", put().content_type(odd).await.map(drop)),
            ("metadata", put().metadata("a", odd).await.map(drop)),
            ("class", put().storage_class(odd).await.map(drop)),
            ("acl", put().acl(acl()).await.map(drop)),
            ("redirect", put().website_redirect(odd).await.map(drop)),
            ("condition", put().if_match(odd).await.map(drop)),
            ("key", put().encryption(kms()).await.map(drop)),
            ("mode", put().retention(mode(), later).await.map(drop)),
            ("get", bucket.get("k").if_match(odd).await.map(drop)),
            (
                "changed",
                bucket.get("k").if_none_match(odd).await.map(drop),
            ),
            ("head", bucket.head("k").if_match(odd).await.map(drop)),
            ("delete", bucket.delete("k").if_match(odd).await.map(drop)),
            ("mfa", bucket.delete("k").mfa(odd).await.map(drop)),
            ("copy", bucket.copy("a", "k").if_match(odd).await.map(drop)),
            (
                "upload",
                bucket.upload("k", "x").if_match(odd).await.map(drop),
            ),
            (
                "begin",
                bucket.create_multipart("k").acl(acl()).await.map(drop),
            ),
            ("bucket", bucket.create().acl(acl()).await),
            ("owner", bucket.create().object_ownership(owner()).await),
            ("bucket acl", bucket.put_config(acl()).await),
            ("object acl", bucket.put_object_acl("k", acl()).await),
            (
                "versions",
                bucket
                    .put_config(Versioning::from(Status::Enabled))
                    .mfa(odd)
                    .await,
            ),
        ] {
            let error = sent.expect_err(what);
            assert_eq!(error.kind(), Kind::Invalid, "{what}: {odd:?}");
        }
    }
    assert_eq!(store.requests(), before);
}
