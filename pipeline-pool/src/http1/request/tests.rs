//! What a request takes, tells again, and keeps to itself.

use super::*;

fn origin() -> Origin {
    Origin::parse("http://h:81").unwrap()
}

#[test]
fn what_went_in_can_be_read_back() {
    let mut request = Request::new(Method::Put, &origin(), "/a?b=c").unwrap();
    request.header("x-a", "1: 2").unwrap();
    request.body("xyz");
    assert_eq!(request.target(), "/a?b=c");
    let headers: Vec<_> = request.headers().collect();
    assert_eq!(headers, [("host", "h:81"), ("x-a", "1: 2")]);
    assert_eq!(request.body_len(), Some(3));
}

#[tokio::test]
async fn another_transport_takes_the_body_as_a_stream() {
    let pieces = [Ok(Bytes::from_static(b"ab")), Err(BodyError::from("gone"))];
    let mut request = Request::new(Method::Put, &origin(), "/").unwrap();
    request.stream(Some(7), futures_util::stream::iter(pieces));
    assert_eq!((request.body_len(), request.whole_body()), (Some(7), None));
    let mut body = request.take_body();
    assert_eq!(body.remaining(), Some(7));
    assert_eq!(body.chunk().await.unwrap().unwrap(), "ab");
    let error = body.chunk().await.unwrap().unwrap_err();
    assert_eq!(error.kind(), Kind::Body);
    assert!(error.to_string().contains("gone"));
    // What was taken is there no more.
    assert_eq!(request.take_body().bytes(0).await.unwrap(), "");
    request.body("xyz");
    assert_eq!(request.take_body().bytes(3).await.unwrap(), "xyz");
}

#[test]
fn what_was_asked_for_is_told_again() {
    let mut request = Request::new(Method::Options, &origin(), "*").unwrap();
    assert_eq!(request.target(), "*");
    assert_eq!(
        (request.get_timeout(), request.expects_continue()),
        (None, None)
    );
    let (timeout, patience) = (Duration::from_secs(2), Duration::from_secs(1));
    request.timeout(timeout);
    request.expect_continue(Some(patience));
    assert_eq!(request.get_timeout(), Some(timeout));
    assert_eq!(request.expects_continue(), Some(patience));
    assert_eq!(request.whole_body(), Some(&[][..]));
    assert!(request.is_repeatable());
}

#[test]
fn nothing_can_be_smuggled_in() {
    for target in [
        "", "a", "*", "*x", "/ ", "/\r\n", "/\t", "/\u{e9}", "/\0", "/#a",
    ] {
        assert!(Request::new(Method::Get, &origin(), target).is_err());
    }
    let mut request = Request::new(Method::Get, &origin(), "/").unwrap();
    for (name, value) in [
        ("a b", "x"),
        ("", "x"),
        ("a:", "x"),
        ("Host", "x"),
        ("Content-Length", "1"),
        ("a", "x\r\nb: c"),
        ("a", "x\0"),
    ] {
        assert!(request.header(name, value).is_err(), "{name}: {value}");
    }
}

#[test]
fn debug_shows_no_value() {
    let mut request = Request::new(Method::Get, &origin(), "/?Signature=topsecret").unwrap();
    request.header("authorization", "topsecret").unwrap();
    assert!(!format!("{request:?}").contains("topsecret"));
    let error = request.header("authorization", "topsecret\n").unwrap_err();
    assert!(!format!("{error:?} {error}").contains("topsecret"));
    let error = Request::new(Method::Get, &origin(), "/?Signature=topsecret#").unwrap_err();
    assert!(!format!("{error:?} {error}").contains("topsecret"));
}

#[test]
fn a_target_is_written_where_it_is_sent_from_and_nothing_else_is_changed() {
    let origin = Origin::parse("http://h").unwrap();
    let appended = |target: &'static str| {
        Request::encoded(Method::Get, &origin, 0, |head| head.push_str(target))
    };
    let whole = Request::new(Method::Get, &origin, "/a?b").unwrap();
    assert_eq!(appended("/a?b").unwrap().head, whole.head);
    for target in ["", "a", "/ ", "/\u{e9}", "/\r\nx: y"] {
        assert_eq!(
            appended(target).unwrap_err().kind(),
            Kind::Invalid,
            "{target:?}"
        );
    }
    for (method, all) in [
        (Method::Get, ""),
        (Method::Get, "/x"),
        (Method::Get, "PUT /x"),
        (Method::Get, "\r\n\r\n/x"),
        (Method::Head, "GET //x"),
        (Method::Get, "\u{e9}\u{e9}/x"),
        (Method::Get, "GET/x"),
    ] {
        let made = Request::encoded(method, &origin, 0, |head| {
            head.clear();
            head.push_str(all);
        });
        assert!(made.is_err(), "{all:?} is sent for {method:?}");
    }
}

#[test]
fn a_value_in_parts_is_checked_as_a_whole_and_leaves_nothing_when_it_is_refused() {
    const NAME: FieldName = FieldName::from_static("x-a");
    let origin = Origin::parse("http://h").unwrap();
    let mut request = Request::new(Method::Get, &origin, "/").unwrap();
    request.field(NAME, &["a: ", "", "b\t"]).unwrap();
    request.field(NAME, &[]).unwrap();
    for bad in [
        &["a\r", "\nb"][..],
        &["", "\0"],
        &["\u{7f}"],
        &["a", "b\nc: d"],
    ] {
        let before = request.head.clone();
        assert_eq!(request.field(NAME, bad).unwrap_err().kind(), Kind::Invalid);
        assert_eq!(request.head, before, "{bad:?}");
    }
    let fields: Vec<_> = request.headers().skip(1).collect();
    assert_eq!(fields, [("x-a", "a: b\t"), ("x-a", "")]);
}

#[test]
fn a_field_that_is_refused_leaves_nothing_behind() {
    let mut request = Request::new(Method::Get, &origin(), "/").unwrap();
    assert!(request.header("x-b", "x\r\ny: z").is_err());
    request.header("x-a", "1").unwrap();
    let headers: Vec<_> = request.headers().collect();
    assert_eq!(headers, [("host", "h:81"), ("x-a", "1")]);
}

#[test]
fn a_target_may_have_more_or_less_than_the_room_that_was_made() {
    for room in [0, 3, 99] {
        let encoded = |target: &str| {
            Request::encoded(Method::Get, &origin(), room, |head| head.push_str(target))
        };
        let request = encoded("/a?b=c").unwrap();
        assert_eq!(request.target(), "/a?b=c");
        let headers: Vec<_> = request.headers().collect();
        assert_eq!(headers, [("host", "h:81")]);
        assert!(encoded("/a?b=c\r\n").is_err());
    }
}
