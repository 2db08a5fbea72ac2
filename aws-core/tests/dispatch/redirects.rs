//! Answers that send a request elsewhere, and errors under a good status.

use aws_core::Idempotency::{Once, Repeatable};
use aws_core::{Kind, RetryConfig};

use crate::common::{Do, Script, Step, Toy};

const ELSEWHERE: &str = "http://elsewhere.example:82";
const HERE: &str = "http://toy.example:81";

fn moved(status: u16) -> Step {
    let body = "<Error><Code>PermanentRedirect</Code><Message>go</Message></Error>";
    Step::Answer(status, &[("Location", ELSEWHERE)], body)
}

#[tokio::test(start_paused = true)]
async fn a_redirect_is_followed_at_once_and_signed_anew() {
    for status in [301, 307, 308] {
        let script = Script::new([moved(status)]);
        let mut op = Do::new(Once);
        op.follows = Some(ELSEWHERE);
        let dispatch = script.dispatch(RetryConfig::none());
        assert_eq!(dispatch.call(&Toy, &op).await.unwrap(), "done");
        let seen = script.seen.lock().unwrap();
        assert_eq!(seen.origins, [HERE, ELSEWHERE]);
        let host = ("host".to_owned(), "elsewhere.example:82".to_owned());
        assert!(seen.headers[1].contains(&host));
        assert!(seen.at[1].is_zero());
    }
}

#[tokio::test(start_paused = true)]
async fn a_redirect_is_no_failed_try() {
    let script = Script::new([moved(307), moved(301), crate::BUSY]);
    let mut op = Do::new(Repeatable);
    op.follows = Some(ELSEWHERE);
    let dispatch = script.dispatch(RetryConfig::new().max_attempts(2));
    assert_eq!(dispatch.call(&Toy, &op).await.unwrap(), "done");
    let seen = script.seen.lock().unwrap();
    assert_eq!(seen.origins, [HERE, ELSEWHERE, ELSEWHERE, ELSEWHERE]);
}

#[tokio::test(start_paused = true)]
async fn a_redirect_that_is_not_followed_says_why() {
    let script = Script::new([moved(301)]);
    let dispatch = script.dispatch(RetryConfig::new());
    let error = dispatch.call(&Toy, &Do::new(Repeatable)).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "Toy Do at {HERE}, \"the key\": 301 PermanentRedirect: go; it is sent to {ELSEWHERE}, which is not followed"
        )
    );
    assert_eq!((script.count(), error.attempts()), (1, 1));
    // An empty field names no place, and no request.
    let nowhere = [
        ("Location", ""),
        ("x-amz-request-id", ""),
        ("x-amzn-requestid", "r1"),
    ];
    let nowhere: &'static [_] = Box::leak(Box::new(nowhere));
    let script = Script::new([Step::Answer(301, nowhere, "")]);
    let dispatch = script.dispatch(RetryConfig::new());
    let error = dispatch.call(&Toy, &Do::new(Repeatable)).await.unwrap_err();
    let words = "moved: the request belongs to another server or region";
    assert_eq!((error.message(), error.request_id()), (words, Some("r1")));
    // Other statuses send nobody anywhere.
    for status in [300, 302, 303, 304, 400] {
        let script = Script::new([moved(status)]);
        let mut op = Do::new(Repeatable);
        op.follows = Some(ELSEWHERE);
        let outcome = script.dispatch(RetryConfig::new()).call(&Toy, &op).await;
        assert_eq!(outcome.unwrap_err().status(), Some(status));
        assert_eq!(script.count(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn redirects_come_to_an_end() {
    let script = Script::new((0..9).map(|_| moved(307)));
    let mut op = Do::new(Repeatable);
    op.follows = Some(ELSEWHERE);
    let dispatch = script.dispatch(RetryConfig::new());
    let error = dispatch.call(&Toy, &op).await.unwrap_err();
    assert_eq!((error.status(), script.count()), (Some(307), 4));
    assert!(error.to_string().contains(ELSEWHERE), "{error}");
}

#[tokio::test(start_paused = true)]
async fn an_error_under_a_good_status_is_an_error() {
    let internal = "\n\n <?xml version=\"1.0\"?>\n<Error><Code>InternalError</Code>\
        <Message>late</Message><RequestId>r</RequestId></Error>";
    let script = Script::new([Step::Answer(200, &[], internal)]);
    let dispatch = script.dispatch(RetryConfig::new());
    let outcome = dispatch.call(&Toy, &Do::new(Repeatable)).await;
    assert_eq!((outcome.unwrap(), script.count()), ("done".to_owned(), 2));
    for (body, code) in [
        (internal, "InternalError"),
        ("<Error><Code>AccessDenied</Code></Error>", "AccessDenied"),
        (
            "<Response><Errors><Error><Code>C</Code></Error></Errors></Response>",
            "C",
        ),
    ] {
        let script = Script::new([Step::Answer(200, &[], body)]);
        let dispatch = script.dispatch(RetryConfig::new());
        let error = dispatch.call(&Toy, &Do::new(Once)).await.unwrap_err();
        assert_eq!(
            (error.kind(), error.status(), error.code(), script.count()),
            (Kind::Service, Some(200), Some(code), 1)
        );
    }
    for body in [
        "<ErrorLog/>",
        "<Errors><Error><Code>c</Code></Error></Errors>",
        "<Error>",
        "an <Error>",
        "<?xml <Error><Code>c</Code></Error>",
    ] {
        let script = Script::new([Step::Answer(200, &[], body)]);
        let dispatch = script.dispatch(RetryConfig::new());
        assert_eq!(dispatch.call(&Toy, &Do::new(Once)).await.unwrap(), body);
    }
}
