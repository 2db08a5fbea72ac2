//! Buckets that stand in front of the host.

use futures_util::TryStreamExt as _;
use s3_client::config::Tagging;
use s3_client::{Addressing, Signature};

use crate::objects::NASTY;
use crate::store::Store;

#[tokio::test]
async fn buckets_stand_in_front_of_the_host() {
    let store = Store::by_host().await;
    for signature in [Signature::V2, Signature::v4("us-east-1")] {
        let client = store.builder().signature(signature.clone()).build();
        let bucket = store.bucket_of(&client.unwrap()).await;
        let link = bucket.presign_get("k").await.unwrap();
        let host = format!("http://{}.", bucket.name());
        assert!(link.url().starts_with(&host), "{link:?}");
        for key in NASTY {
            let case = format!("{signature:?} {key:?}");
            let stored = bucket.put(*key, *key).metadata("a", "b").await;
            stored.unwrap_or_else(|e| panic!("{case}: {e}"));
            let object = bucket.get(*key).range(..1).await.unwrap();
            assert_eq!(
                object.body.bytes(9).await.unwrap(),
                key.as_bytes()[..1],
                "{case}"
            );
            assert_eq!(bucket.head(*key).await.unwrap().metadata("a"), Some("b"));
        }
        let listed = bucket.list().page_size(3).objects();
        let listed: Vec<_> = listed.map_ok(|o| o.key).try_collect().await.unwrap();
        let mut sorted: Vec<_> = NASTY.iter().map(|key| (*key).to_owned()).collect();
        sorted.sort();
        assert_eq!(listed, sorted, "{signature:?}");
        let tagging: Tagging = [("project", "tea")].into_iter().collect();
        bucket.put_config(tagging.clone()).await.unwrap();
        assert_eq!(bucket.get_config::<Tagging>().await.unwrap(), tagging);
        let upload = bucket.create_multipart("a b").await.unwrap();
        let part = upload.copy_part(1, bucket.name(), NASTY[0]).await.unwrap();
        upload.complete([part]).await.unwrap();
        // It is the bucket that the other style finds.
        let by_path = store.builder().addressing(Addressing::Path);
        let by_path = by_path.signature(signature).build().unwrap();
        let same = by_path.bucket(bucket.name());
        same.head("a b").await.unwrap();
        assert_eq!(same.purge().await.unwrap().failed, 0);
        bucket.delete_bucket().await.unwrap();
        assert!(same.head_bucket().await.unwrap_err().is_not_found());
    }
}
