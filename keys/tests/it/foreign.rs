//! What others have stored beside: it is told, and never taken for a value.

use keys::Kind as ErrorKind;
use sdb_client::PutItem;

use crate::stores::{Fixture, Kind};

#[tokio::test]
async fn an_object_that_is_no_value_is_told() {
    let fixture = Fixture::start(Kind::S3).await;
    let (keys, bucket) = (&fixture.keys, fixture.bucket.as_ref().unwrap());
    for (name, is_bucket) in [
        ("one/b", true),
        ("one/b/", true),
        ("one/b/k/more", true),
        ("one/b/%zz", true),
        ("one/b/%6B", true),
        ("one//k", false),
        ("one/%41/k", false),
    ] {
        bucket.put(name, "v").await.unwrap();
        let listed = keys.all_keys().try_collect_all().await.unwrap_err();
        let read = keys.all_values().try_collect_all().await.unwrap_err();
        let counted = keys.status().await.unwrap_err();
        for error in [listed, read, counted] {
            assert_eq!(error.kind(), ErrorKind::Protocol, "{name}: {error}");
        }
        let buckets = keys.buckets().try_collect_all().await;
        assert_eq!(buckets.is_ok(), is_bucket, "{name}");
        bucket.delete(name).await.unwrap();
    }
    fixture.end().await;
}

#[tokio::test]
async fn an_item_that_is_no_value_is_told() {
    let fixture = Fixture::start(Kind::Sdb).await;
    let (keys, domain) = (&fixture.keys, fixture.domain.as_ref().unwrap());
    for (tag, value) in [
        (None, Some("tx")),
        (Some("1"), None),
        (Some("1"), Some("b*")),
        (Some("1"), Some("x")),
        (Some("1"), Some("")),
    ] {
        let mut item = PutItem::new("one/b/k").replace("b", "one/b/");
        if let Some(tag) = tag {
            item = item.replace("t", tag);
        }
        if let Some(value) = value {
            item = item.replace("v", value);
        }
        domain.put_item(item).await.unwrap();
        let error = keys.get("b", "k").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Protocol, "{value:?}: {error}");
        // A list of values tells no tags.
        let values = keys.values("b").try_collect_all().await;
        assert_eq!(values.is_ok(), tag.is_none(), "{value:?}");
        domain.delete("one/b/k").await.unwrap();
    }
    for (name, bucket) in [("one/b", "one/b/"), ("one/%41/k", "one/%41/")] {
        let item = PutItem::new(name).replace("b", bucket);
        let item = item.replace("t", "1").replace("v", "tx");
        domain.put_item(item).await.unwrap();
        let listed = keys.all_keys().try_collect_all().await.unwrap_err();
        let read = keys.all_values().try_collect_all().await.unwrap_err();
        for error in [listed, read] {
            assert_eq!(error.kind(), ErrorKind::Protocol, "{name}: {error}");
        }
        let buckets = keys.buckets().try_collect_all().await;
        assert_eq!(buckets.is_ok(), name == "one/b", "{name}");
        domain.delete(name).await.unwrap();
    }
    fixture.end().await;
}
