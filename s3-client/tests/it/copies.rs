//! Copies.

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use s3_client::Kind;

use crate::completion::BROKEN;
use crate::meddler::{How, Meddler, is_copy, with};
use crate::objects::NASTY;
use crate::store::{Feature, Store};

#[tokio::test]
async fn any_key_is_copied() {
    let store = Store::start().await;
    let bucket = store.bucket().await;
    let other = store.bucket().await;
    for (at, key) in NASTY.iter().enumerate() {
        let body = Bytes::from(format!("body of {key}"));
        bucket.put(*key, body.clone()).await.unwrap();
        let copied = other.copy(*key, format!("{at}")).from_bucket(bucket.name());
        let copied = copied.await.unwrap_or_else(|e| panic!("copy {key:?}: {e}"));
        assert!(copied.last_modified().is_some());
        let object = other.get(format!("{at}")).await.unwrap();
        assert_eq!(object.head.etag(), copied.etag());
        assert_eq!(object.body.bytes(99).await.unwrap(), body);
        // And to such a key.
        let back = bucket.copy(format!("{at}"), format!("copy/{key}"));
        back.from_bucket(other.name())
            .await
            .unwrap_or_else(|e| panic!("copy to {key:?}: {e}"));
        let object = bucket.get(format!("copy/{key}")).await.unwrap();
        assert_eq!(object.body.bytes(99).await.unwrap(), body);
    }
    let missing = bucket.copy("not there", "k").await.unwrap_err();
    assert!(missing.is_not_found());
    let missing = bucket.copy("k", "k2").from_bucket(store.name());
    assert!(missing.await.unwrap_err().is_not_found());
}

#[tokio::test]
async fn what_describes_it_is_taken_over_or_replaced() {
    let store = Store::start().await;
    let bucket = store.bucket().await;
    let put = bucket.put("from", "x").content_type("image/jpeg");
    put.metadata("mood", "sleepy").tag("a", "1").await.unwrap();

    bucket.copy("from", "same").await.unwrap();
    let head = bucket.head("same").await.unwrap();
    assert_eq!(
        (head.content_type(), head.metadata("mood")),
        (Some("image/jpeg"), Some("sleepy"))
    );
    let tags = bucket.get_object_tagging("same").await.unwrap();
    assert_eq!(tags.tags, [("a", "1").into()]);

    let copy = bucket.copy("from", "new").replace_metadata();
    let copy = copy.content_type("image/png").metadata("age", "7");
    copy.tag("b", "2").await.unwrap();
    let head = bucket.head("new").await.unwrap();
    assert_eq!(
        (
            head.content_type(),
            head.metadata("mood"),
            head.metadata("age")
        ),
        (Some("image/png"), None, Some("7"))
    );
    let tags = bucket.get_object_tagging("new").await.unwrap();
    if store.lacks(Feature::TagsOfCopies) {
        assert!(tags.tags.is_empty());
    } else {
        assert_eq!(tags.tags, [("b", "2").into()]);
    }

    let error = bucket
        .copy("from", "k")
        .metadata("a", "b")
        .await
        .unwrap_err();
    assert_eq!((error.kind(), error.attempts()), (Kind::Invalid, 0));
    assert!(error.to_string().contains("replace_metadata()"), "{error}");

    // Onto itself it has to change something.
    let error = bucket.copy("from", "from").await.unwrap_err();
    assert_eq!(error.code(), Some("InvalidRequest"), "{error}");
    let renewed = bucket.copy("from", "from").replace_metadata();
    renewed.metadata("mood", "awake").await.unwrap();
    let head = bucket.head("from").await.unwrap();
    assert_eq!(
        (head.metadata("mood"), head.size()),
        (Some("awake"), Some(1))
    );
}

#[tokio::test]
async fn conditions_on_the_source() {
    let store = Store::start().await;
    let bucket = store.bucket().await;
    let stored = bucket.put("from", "x").await.unwrap();
    let etag = stored.etag().unwrap();
    let (before, after) = (
        SystemTime::now() - Duration::from_secs(3600),
        SystemTime::now() + Duration::from_secs(3600),
    );
    let copy = || bucket.copy("from", "to");
    for held in [
        copy().from_if_match(etag),
        copy().from_if_none_match("\"other\""),
        copy().from_if_modified_since(before),
        copy().from_if_unmodified_since(after),
    ] {
        let shown = format!("{held:?}");
        held.await.unwrap_or_else(|e| panic!("{shown}: {e}"));
    }
    for (at, failed) in [
        copy().from_if_match("\"other\""),
        copy().from_if_none_match(etag),
        copy().from_if_modified_since(after),
        copy().from_if_unmodified_since(before),
    ]
    .into_iter()
    .enumerate()
    {
        let outcome = failed.await;
        if store.lacks(Feature::ConditionsOfCopies) {
            outcome.unwrap_or_else(|e| panic!("{at}: {e}"));
        } else {
            let error = outcome.unwrap_err();
            assert!(error.is_condition_failed(), "{at}: {error}");
        }
    }
    let error = copy()
        .from_if_unmodified_since(SystemTime::UNIX_EPOCH - Duration::from_secs(5))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), Kind::Invalid);
    assert!(error.to_string().contains("5 s before 1970"), "{error}");
}

#[tokio::test]
async fn conditions_on_what_is_replaced() {
    let store = Store::start().await;
    let bucket = store.bucket().await;
    bucket.put("from", "x").await.unwrap();
    let stored = bucket.put("to", "y").await.unwrap();
    let taken = bucket.copy("from", "to").if_none_match_any().await;
    let other = bucket.copy("from", "to").if_match("\"other\"").await;
    if store.lacks(Feature::ConditionsOfCopies) {
        taken.unwrap();
        other.unwrap();
        return;
    }
    assert!(taken.unwrap_err().is_condition_failed());
    assert!(other.unwrap_err().is_condition_failed());
    bucket
        .copy("from", "new")
        .if_none_match_any()
        .await
        .unwrap();
    let copy = bucket.copy("from", "to").if_match(stored.etag().unwrap());
    copy.await.unwrap();
}

#[tokio::test]
async fn an_error_within_a_success_is_an_error() {
    const DENIED: &str = "<Error><Code>AccessDenied</Code></Error>";
    let store = Store::start().await;
    let plain = store.bucket().await;
    plain.put("from", "x").await.unwrap();
    let once = |answer| Meddler::new(1, is_copy, How::Answer(200, answer));
    let bucket = with(&store, &plain, once(BROKEN)).await;
    bucket.copy("from", "to").await.unwrap();
    assert_eq!(plain.head("to").await.unwrap().size(), Some(1));
    let bucket = with(&store, &plain, once(DENIED)).await;
    let error = bucket.copy("from", "to").await.unwrap_err();
    assert_eq!(
        (error.kind(), error.code(), error.attempts()),
        (Kind::Service, Some("AccessDenied"), 1)
    );
    let bucket = with(&store, &plain, once(BROKEN)).await;
    let error = bucket.copy("from", "to").once().await.unwrap_err();
    assert!(error.may_have_been_sent() && error.attempts() == 1);
}
