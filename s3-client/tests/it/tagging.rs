//! The tags of objects.

use s3_client::config::Tagging;

use crate::store::Store;

#[tokio::test]
async fn tags() {
    let store = Store::start().await;
    let bucket = store.bucket().await;
    let put = bucket.put("k", "x").tag("a b+c", "1=2&3");
    put.tag("caf\u{e9}", "").await.unwrap();
    let sorted = |tagging: Tagging| {
        let mut tags = tagging.tags;
        tags.sort_by(|a, b| a.key.cmp(&b.key));
        tags
    };
    let tags = bucket.get_object_tagging("k").await.unwrap();
    assert_eq!(
        sorted(tags),
        [("a b+c", "1=2&3").into(), ("caf\u{e9}", "").into()]
    );
    let head = bucket.get("k").await.unwrap().head;
    assert_eq!(head.tag_count(), Some(2));

    let new: Tagging = [("x", "<&>"), ("y", " z ")].into_iter().collect();
    bucket.put_object_tagging("k", new.clone()).await.unwrap();
    let tags = bucket.get_object_tagging("k").await.unwrap();
    assert_eq!(sorted(tags), new.tags);
    bucket.delete_object_tagging("k").await.unwrap();
    assert!(
        bucket
            .get_object_tagging("k")
            .await
            .unwrap()
            .tags
            .is_empty()
    );
    assert_eq!(bucket.get("k").await.unwrap().head.tag_count(), None);
    for missing in [
        bucket.get_object_tagging("no").await.map(drop),
        bucket.put_object_tagging("no", new).await,
        bucket.delete_object_tagging("no").await,
    ] {
        assert!(missing.unwrap_err().is_not_found());
    }
}
