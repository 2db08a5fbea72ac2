//! What ends an upload in parts, where the answer is lost or is an error.

use s3_client::Kind;
use s3_client::request::RetryConfig;

use crate::meddler::{How, Meddler, is_complete, is_copy, with};
use crate::store::{Feature, Store};

#[tokio::test]
async fn a_completion_whose_answer_was_lost_is_found_out() {
    let store = Store::start().await;
    let plain = store.bucket().await;
    let bucket = with(&store, &plain, Meddler::new(1, is_complete, How::Lose)).await;
    let upload = bucket.create_multipart("k").await.unwrap();
    let part = upload.part(1, "meow").await.unwrap();
    let done = upload.complete([part.clone()]).await.unwrap();
    assert_eq!(plain.head("k").await.unwrap().etag(), done.etag());
    // With a condition it is not sent twice.
    let bucket = with(&store, &plain, Meddler::new(1, is_complete, How::Lose)).await;
    let upload = bucket.create_multipart("new").await.unwrap();
    let part = upload.part(1, "meow").await.unwrap();
    let error = upload
        .complete([part])
        .if_none_match_any()
        .await
        .unwrap_err();
    assert_eq!(
        (error.kind(), error.attempts()),
        (Kind::Closed, 1),
        "{error}"
    );
    assert!(error.may_have_been_sent());
}

#[tokio::test]
async fn an_upload_that_another_object_has_replaced_is_not_taken_for_done() {
    let store = Store::start().await;
    let bucket = store.bucket().await;
    let upload = bucket.create_multipart("k").await.unwrap();
    let part = upload.part(1, "meow").await.unwrap();
    upload.complete([part.clone()]).await.unwrap();
    bucket.put("k", "woof").await.unwrap();
    let complete = upload.complete([part]).retry(RetryConfig::none());
    let error = complete.await.unwrap_err();
    let code = if store.lacks(Feature::GoneUploads) {
        "InternalError"
    } else {
        "NoSuchUpload"
    };
    assert_eq!(error.code(), Some(code), "{error}");
}

pub(crate) const BROKEN: &str =
    "\n <Error><Code>InternalError</Code><Message>try again</Message></Error>";

#[tokio::test]
async fn an_error_in_an_answer_of_success_is_an_error() {
    let store = Store::start().await;
    let plain = store.bucket().await;
    let always = Meddler::new(u32::MAX, is_complete, How::Answer(200, BROKEN));
    let bucket = with(&store, &plain, always).await;
    let upload = bucket.create_multipart("k").await.unwrap();
    let part = upload.part(1, "meow").await.unwrap();
    let error = upload.complete([part]).await.unwrap_err();
    assert_eq!(
        (error.code(), error.kind()),
        (Some("InternalError"), Kind::Service)
    );
    assert_eq!(error.status(), Some(200));
    assert!(error.attempts() > 1, "it may pass: {error}");
    let once = Meddler::new(1, is_complete, How::Answer(200, BROKEN));
    let bucket = with(&store, &plain, once).await;
    let upload = bucket.create_multipart("k").await.unwrap();
    let part = upload.part(1, "meow").await.unwrap();
    upload.complete([part]).await.unwrap();
}

#[tokio::test]
async fn an_error_in_the_answer_to_a_copied_part_is_an_error() {
    const SLOW: &str = "<Error><Code>AccessDenied</Code></Error>";
    let store = Store::start().await;
    let plain = store.bucket().await;
    let bucket = with(
        &store,
        &plain,
        Meddler::new(1, is_copy, How::Answer(200, SLOW)),
    )
    .await;
    let upload = bucket.create_multipart("k").await.unwrap();
    let error = upload.copy_part(1, plain.name(), "k").await.unwrap_err();
    assert_eq!(error.code(), Some("AccessDenied"), "{error}");
}
