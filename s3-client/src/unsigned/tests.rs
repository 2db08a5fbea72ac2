//! What goes on the wire for an attempt, and what is signed of it.

use std::time::UNIX_EPOCH;

use aws_core::Credentials;
use aws_core::operation::Attempt;
use aws_core::v4;
use proptest::prelude::*;

use super::*;
use crate::route::Addressing;
use crate::service::S3;
use crate::sign::Signer;
use crate::sign::agreement::{Agreement, Freedom};

fn signed_by(signer: Signer) -> S3 {
    S3::new(Agreement::new(signer, Freedom::None, "us-east-1"))
}

fn keys() -> Credentials {
    Credentials::new(
        "AKIAIOSFODNN7EXAMPLE",
        "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    )
}

fn bucket(url: &str, addressing: Addressing) -> Bucket {
    let builder = S3Client::builder()
        .endpoint(url)
        .addressing(addressing)
        .credentials(keys());
    builder.build().unwrap().bucket("johnsmith")
}

fn sent(wire: &UnsignedRequest, token: Option<&str>) -> (String, Vec<(String, String)>) {
    let keys = token.map_or_else(keys, |token| keys().with_token(token));
    let now = UNIX_EPOCH + Duration::from_secs(1_175_024_202);
    let service = signed_by(Signer::V2);
    let request = wire.request(&service, &Attempt::new(&keys, now)).unwrap();
    let headers = request
        .headers()
        .map(|(n, v)| (n.to_lowercase(), v.to_owned()));
    (request.target().to_owned(), headers.collect())
}

fn field<'a>(headers: &'a [(String, String)], name: &str) -> Option<&'a str> {
    headers
        .iter()
        .find(|(n, _)| n == name)
        .map(|(_, v)| v.as_str())
}

#[test]
fn a_request_is_signed_for_the_host_it_goes_to() {
    let near = bucket("http://s3.amazonaws.com", Addressing::Auto);
    let wire = UnsignedRequest::object(Method::Get, &near, "photos/puppy.jpg").unwrap();
    let (target, headers) = sent(&wire, None);
    assert_eq!(target, "/photos/puppy.jpg");
    assert_eq!(field(&headers, "host"), Some("johnsmith.s3.amazonaws.com"));
    assert_eq!(
        field(&headers, "date"),
        Some("Tue, 27 Mar 2007 19:36:42 GMT")
    );
    // The same resource by path has the same signature.
    let far = bucket("http://127.0.0.1:9000", Addressing::Path);
    let wire = UnsignedRequest::object(Method::Get, &far, "photos/puppy.jpg").unwrap();
    let (by_path, path_headers) = sent(&wire, None);
    assert_eq!(by_path, "/johnsmith/photos/puppy.jpg");
    assert_eq!(
        field(&path_headers, "authorization"),
        field(&headers, "authorization")
    );
    assert_eq!(field(&path_headers, "host"), Some("127.0.0.1:9000"));
}

#[test]
fn a_token_is_sent_and_signed() {
    let wire =
        UnsignedRequest::object(Method::Get, &bucket("http://h", Addressing::Path), "k").unwrap();
    let (_, with) = sent(&wire, Some("the-token"));
    let (_, without) = sent(&wire, None);
    assert_eq!(field(&with, "x-amz-security-token"), Some("the-token"));
    assert_ne!(
        field(&with, "authorization"),
        field(&without, "authorization")
    );
}

#[test]
fn fields_of_the_attempt_are_sent_and_signed_in_place_of_its_own() {
    let mut wire =
        UnsignedRequest::object(Method::Get, &bucket("http://h", Addressing::Path), "k").unwrap();
    wire.fields(vec![("x-amz-acl".into(), "private".to_owned())])
        .unwrap();
    let keys = Credentials::new("id", "secret");
    let added = [
        ("x-amz-acl".to_owned(), "public-read".to_owned()),
        ("x-trace".to_owned(), "7".to_owned()),
    ];
    let attempt = Attempt::new(&keys, UNIX_EPOCH);
    let service = signed_by(Signer::V2);
    let names_and_signature = |attempt: &Attempt<'_>| {
        let request = wire.request(&service, attempt).unwrap();
        let headers: Vec<(String, String)> = request
            .headers()
            .map(|(n, v)| (n.to_lowercase(), v.to_owned()))
            .collect();
        let signature = field(&headers, "authorization").map(str::to_owned);
        (headers, signature)
    };
    let (_, before) = names_and_signature(&attempt);
    let (headers, after) = names_and_signature(&attempt.with_headers(&added));
    assert_eq!(headers.iter().filter(|(n, _)| n == "x-amz-acl").count(), 1);
    assert_eq!(field(&headers, "x-amz-acl"), Some("public-read"));
    assert_eq!(field(&headers, "x-trace"), Some("7"));
    assert_ne!(before, after);
}

#[test]
fn a_request_can_be_moved() {
    let far = bucket("http://h", Addressing::Path);
    let mut wire = UnsignedRequest::object(Method::Get, &far, "a b/johnsmith/\u{e9}").unwrap();
    wire.query("versionId", "x");
    let place = |url: &str, bucket_in_host| BucketAddress {
        origin: Origin::parse(url).unwrap(),
        bucket_in_host,
        region: None,
    };
    let (_, by_path) = sent(&wire, None);
    let in_host = wire.moved(&place("http://johnsmith.s3.test:81", true));
    assert_eq!(in_host.target.parameters(), "versionId=x");
    let (target, headers) = sent(&in_host, None);
    assert_eq!(target, "/a%20b/johnsmith/%C3%A9?versionId=x");
    assert_eq!(field(&headers, "host"), Some("johnsmith.s3.test:81"));
    assert_eq!(
        field(&headers, "authorization"),
        field(&by_path, "authorization")
    );
    let back = in_host.moved(&place("http://other", false));
    assert_eq!(sent(&back, None).0, sent(&wire, None).0);
    for wire in [&wire, &in_host, &back] {
        assert_eq!(wire.key(), Some("a b/johnsmith/\u{e9}"));
    }
    let europe = place("http://johnsmith.s3.eu-west-1.amazonaws.com", true);
    let service = signed_by(Signer::V4(v4::Scope::s3("us-east-1")));
    let region = |wire: &UnsignedRequest| match wire.signer(&service) {
        Signer::V4(scope) => scope.region().to_owned(),
        other => format!("{other:?}"),
    };
    assert_eq!(region(&wire), "us-east-1");
    assert_eq!(region(&wire.moved(&europe)), "eu-west-1");
    let mut nowhere = place("http://johnsmith.s3.amazonaws.com", true);
    assert_eq!(region(&wire.moved(&nowhere)), "us-east-1");
    nowhere.region = Some("eu-west-1".to_owned());
    assert_eq!(region(&wire.moved(&nowhere)), "eu-west-1");
    let root = UnsignedRequest::bucket_root(Method::Get, &far).unwrap();
    assert_eq!(root.key(), None);
    let moved = root.moved(&place("http://johnsmith.s3.test", true));
    assert_eq!((&*sent(&moved, None).0, moved.key()), ("/", None));
}

#[test]
fn targets_are_encoded() {
    let near = bucket("http://h", Addressing::Path);
    let mut root = UnsignedRequest::bucket_root(Method::Get, &near).unwrap();
    assert_eq!(sent(&root, None).0, "/johnsmith/");
    root.query("prefix", "a/b c&d=\u{e9}");
    root.query("list-type", "2");
    root.flag("acl");
    let query = "prefix=a%2Fb%20c%26d%3D%C3%A9&list-type=2&acl";
    assert_eq!(sent(&root, None).0, format!("/johnsmith/?{query}"));
    assert_eq!(
        (&*root.path(), root.target.parameters()),
        ("/johnsmith/", query)
    );
    for (key, path) in [
        ("a b+c?d", "/johnsmith/a%20b%2Bc%3Fd"),
        ("//x/", "/johnsmith///x/"),
        ("..", "/johnsmith/.."),
    ] {
        let wire = UnsignedRequest::object(Method::Get, &near, key).unwrap();
        assert_eq!((&*sent(&wire, None).0, &*wire.path()), (path, path));
    }
}

#[test]
fn the_path_of_the_endpoint_comes_first() {
    let below = bucket("http://h/v1/s3", Addressing::Path);
    let wire = UnsignedRequest::object(Method::Get, &below, "a b").unwrap();
    assert_eq!(sent(&wire, None).0, "/v1/s3/johnsmith/a%20b");
    let place = BucketAddress {
        origin: Origin::parse("http://johnsmith.h").unwrap(),
        bucket_in_host: true,
        region: None,
    };
    assert_eq!(sent(&wire.moved(&place), None).0, "/v1/s3/a%20b");
    let mut service = UnsignedRequest::service(Method::Get, below.client());
    service.query("marker", "a");
    for wire in [&service, &service.moved(&place)] {
        assert_eq!(
            (&*sent(wire, None).0, wire.key()),
            ("/v1/s3/?marker=a", None)
        );
    }
}

#[test]
fn where_a_bucket_is_is_asked_at_the_place_of_the_request() {
    let near = bucket("http://h", Addressing::Path);
    let wire = UnsignedRequest::object(Method::Get, &near, "k").unwrap();
    let place = BucketAddress {
        origin: Origin::parse("http://johnsmith.s3.test:81").unwrap(),
        bucket_in_host: true,
        region: None,
    };
    for (wire, target, host) in [
        (wire.moved(&place), "/?location", "johnsmith.s3.test:81"),
        (wire, "/johnsmith/?location", "h"),
    ] {
        let (asked, headers) = sent(&wire.ask_location().unwrap(), None);
        let host_asked = field(&headers, "host");
        assert_eq!((&*asked, host_asked), (target, Some(host)));
    }
}

#[test]
fn version_2_signs_the_path_apart_from_the_query() {
    let near = bucket("http://h", Addressing::Path);
    let mut wire = UnsignedRequest::object(Method::Get, &near, "a b").unwrap();
    wire.query("versionId", "x y");
    wire.flag("acl");
    let (target, headers) = sent(&wire, None);
    assert_eq!(target, "/johnsmith/a%20b?versionId=x%20y&acl");
    let signed = aws_sigv2::s3::S3Request {
        method: "GET",
        bucket: None,
        path: "/johnsmith/a%20b",
        query: "versionId=x%20y&acl",
        headers: [("date", field(&headers, "date").unwrap())],
    };
    let value = signed.sign(&keys()).value();
    assert_eq!(field(&headers, "authorization"), Some(&*value));
}

proptest! {
    /// What a request is about is what was asked for, wherever it goes.
    #[test]
    fn bucket_and_key_stay_what_they_were(
        name in "([a-z0-9]{1,9}:)?[a-z0-9][a-z0-9-]{1,10}[a-z0-9]",
        key in proptest::option::of(".{1,20}"),
        query in proptest::option::of(".{1,9}"),
        in_host in any::<bool>(),
    ) {
        let bucket = bucket("http://h", Addressing::Path).client().bucket(name.as_str());
        let mut near = match &key {
            Some(key) => UnsignedRequest::object(Method::Get, &bucket, key).unwrap(),
            None => UnsignedRequest::bucket_root(Method::Get, &bucket).unwrap(),
        };
        if let Some(value) = &query {
            near.query("versionId", value);
        }
        let place = |bucket_in_host| BucketAddress {
            origin: Origin::parse("http://elsewhere").unwrap(),
            bucket_in_host,
            region: None,
        };
        let there = near.moved(&place(in_host));
        let elsewhere = there.moved(&place(!in_host));
        for wire in [&near, &there, &elsewhere] {
            prop_assert_eq!(wire.bucket().map(|name| &**name), Some(&*name));
            prop_assert_eq!(wire.key(), key.as_deref());
            prop_assert_eq!(wire.target.parameters(), near.target.parameters());
            let (target, _) = sent(wire, None);
            let rest = target.strip_prefix(wire.path().as_str()).unwrap();
            prop_assert_eq!(rest.trim_start_matches('?'), wire.target.parameters());
        }
        let of_host = there.bucket_of_host().or(elsewhere.bucket_of_host());
        prop_assert_eq!(of_host, Some(&*name));
        prop_assert_eq!(near.bucket_of_host(), None);
        let by_path = if in_host { &elsewhere } else { &there };
        prop_assert_eq!(sent(by_path, None).0, sent(&near, None).0);
    }
}
