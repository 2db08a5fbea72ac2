//! A service that answers by a script: what it is asked for, and what is told of answers that no emulator gives.

use std::sync::{Arc, Mutex};

use keys::{Keys, Kind};
use s3_client::transport::{Head, Origin, Request, Response, ResponseFuture, Transport};
use s3_client::{Credentials, S3Client};
use sdb_client::SdbClient;

/// Keeps what it was asked for: target, header fields and body, without percent signs.
#[derive(Debug)]
struct Script {
    answer: fn(&str) -> Response,
    asked: Mutex<Vec<String>>,
}

impl Script {
    fn new(answer: fn(&str) -> Response) -> Arc<Self> {
        let asked = Mutex::default();
        Arc::new(Self { answer, asked })
    }

    /// What was asked for since the last call.
    fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.asked.lock().unwrap())
    }
}

impl Transport for Script {
    fn send(&self, _: &Origin, request: Request) -> ResponseFuture {
        let mut text = decoded(request.target());
        for (name, value) in request.headers() {
            text += &format!("\n{}: {value}", name.to_ascii_lowercase());
        }
        let body = request.whole_body().unwrap_or_default();
        text += &format!("\n\n{}", decoded(&String::from_utf8_lossy(body)));
        let response = (self.answer)(&text);
        let mut asked = self.asked.lock().unwrap();
        asked.push(text);
        assert!(asked.len() < 20, "it is asked for ever");
        ResponseFuture::ready(Ok(response))
    }
}

fn decoded(text: &str) -> String {
    let mut parts = text.split('%');
    let mut out = parts.next().unwrap().to_owned();
    for part in parts {
        let (digits, rest) = part.split_at(2);
        out.push(char::from(u8::from_str_radix(digits, 16).unwrap()));
        out += rest;
    }
    out
}

fn s3(answer: fn(&str) -> Response) -> (Keys, Arc<Script>) {
    let script = Script::new(answer);
    let client = S3Client::builder()
        .endpoint("http://store.example")
        .credentials(Credentials::new("id", "secret"))
        .transport(script.clone())
        .build()
        .unwrap();
    (Keys::s3(client.bucket("photos"), "one"), script)
}

fn sdb(answer: fn(&str) -> Response) -> (Keys, Arc<Script>) {
    let script = Script::new(answer);
    let client = SdbClient::builder()
        .endpoint("http://store.example")
        .credentials(Credentials::new("id", "secret"))
        .transport(script.clone())
        .build()
        .unwrap();
    (Keys::sdb(client.domain("dom"), "one"), script)
}

fn ok(body: &str) -> Response {
    let head = Head::new(200, [("ETag", &b"\"1\""[..])]);
    Response::new(head, bytes::Bytes::copy_from_slice(body.as_bytes()))
}

/// An answer of SimpleDB to this operation.
fn result(operation: &str, inside: &str) -> Response {
    ok(&format!(
        "<{operation}Response><{operation}Result>{inside}</{operation}Result><ResponseMetadata>\
         <RequestId>r</RequestId><BoxUsage>0.5</BoxUsage></ResponseMetadata></{operation}Response>"
    ))
}

const ITEM: &str = "<Item><Name>one/b/k</Name><Attribute><Name>b</Name><Value>one/b/</Value></Attribute>\
     <Attribute><Name>t</Name><Value>1</Value></Attribute><Attribute><Name>v</Name><Value>tx</Value></Attribute></Item>";

/// A domain without items.
fn empty(request: &str) -> Response {
    if request.contains("GetAttributes") {
        return result("GetAttributes", "");
    }
    let count =
        "<Item><Name>Domain</Name><Attribute><Name>Count</Name><Value>0</Value></Attribute></Item>";
    let counts = request.contains("count(*)");
    result("Select", if counts { count } else { "" })
}

#[tokio::test]
async fn a_put_to_s3_has_its_digest() {
    let (keys, script) = s3(|_| ok(""));
    keys.put("b", "k", "v").await.unwrap();
    let asked = script.asked();
    assert_eq!(asked.len(), 1);
    assert!(asked[0].starts_with("/photos/one/b/k\n"), "{}", asked[0]);
    let digest = "\ncontent-md5: njZp0ZtnW9VwWP1GZCBdKg==\n";
    assert!(asked[0].contains(digest), "{}", asked[0]);
}

#[tokio::test]
async fn an_answer_of_s3_without_entity_tag_is_an_error() {
    let (keys, _) = s3(|_| Response::new(Head::new(200, []), bytes::Bytes::new()));
    let put = keys.put("b", "k", "v").await.unwrap_err();
    let get = keys.get("b", "k").await.unwrap_err();
    assert_eq!((put.kind(), get.kind()), (Kind::Protocol, Kind::Protocol));
}

#[tokio::test]
async fn reads_of_simpledb_are_consistent_unless_that_is_turned_off() {
    let (keys, script) = sdb(empty);
    let off = keys.clone().consistent(false);
    for (keys, consistent) in [
        (keys, true),
        (off.partition("two"), false),
        (off.clone(), false),
        (off.consistent(true), true),
    ] {
        assert!(keys.get("b", "k").await.unwrap().is_none());
        assert!(keys.buckets().try_next().await.unwrap().is_none());
        assert!(keys.keys("b").try_next().await.unwrap().is_none());
        assert!(keys.all_keys().try_next().await.unwrap().is_none());
        assert!(keys.values("b").try_next().await.unwrap().is_none());
        assert!(keys.all_values().try_next().await.unwrap().is_none());
        assert!(keys.is_empty().await.unwrap());
        assert_eq!(keys.status().await.unwrap().keys, 0);
        let asked = script.asked();
        assert_eq!(asked.len(), 9);
        for request in asked {
            let says = request.contains("ConsistentRead=true");
            assert_eq!(says, consistent, "{request}");
        }
        // What an old list lacks would stay.
        keys.clear().await.unwrap();
        assert!(script.asked()[0].contains("ConsistentRead=true"));
    }
}

#[tokio::test]
async fn lists_are_asked_for_in_order_and_in_large_pages() {
    let (keys, script) = sdb(empty);
    keys.keys("b").try_collect_all().await.unwrap();
    keys.all_values().try_collect_all().await.unwrap();
    for request in script.asked() {
        let end = "order by itemName() asc limit 2500";
        assert!(request.contains(end), "{request}");
    }
    assert!(keys.is_empty().await.unwrap());
    assert!(script.asked()[0].contains("limit 1&"));

    let (keys, script) =
        s3(|_| ok("<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>"));
    assert!(keys.is_empty().await.unwrap());
    let asked = script.asked();
    let target = asked[0].lines().next().unwrap();
    assert!(target.ends_with("&max-keys=1"), "{target}");
}

#[tokio::test]
async fn an_empty_page_is_not_the_end() {
    let (keys, script) = sdb(|request| {
        if request.contains("DeleteAttributes") {
            result("DeleteAttributes", "")
        } else if request.contains("> 'one/b/'") {
            result("Select", "")
        } else if request.contains("NextToken=more") {
            result("Select", ITEM)
        } else {
            result("Select", "<NextToken>more</NextToken>")
        }
    });
    assert_eq!(keys.buckets().try_collect_all().await.unwrap(), [b"b"]);
    assert_eq!(keys.all_keys().try_collect_all().await.unwrap().len(), 1);
    assert!(!keys.is_empty().await.unwrap());
    script.asked();
    // The item is listed again, so this fails.
    keys.clear().await.unwrap_err();
    let mut asked = script.asked().into_iter();
    assert!(asked.any(|request| request.contains("DeleteAttributes")));
}

#[tokio::test]
async fn a_list_that_comes_back_is_given_up() {
    let (keys, _) = sdb(|request| match request.contains("DeleteAttributes") {
        true => result("DeleteAttributes", ""),
        false => result("Select", ITEM),
    });
    let clear = keys.clear().await.unwrap_err();
    let buckets = keys.buckets().try_collect_all().await.unwrap_err();
    for error in [clear, buckets] {
        assert_eq!(error.kind(), Kind::Protocol, "{error}");
    }
}

#[tokio::test]
async fn what_clear_cannot_remove_is_told() {
    let (keys, _) = sdb(|request| match request.contains("DeleteAttributes") {
        true => {
            let body = "<Response><Errors><Error><Code>AccessDenied</Code><Message>no</Message></Error></Errors>\
                 <RequestID>r</RequestID></Response>";
            Response::new(
                Head::new(403, []),
                bytes::Bytes::from_static(body.as_bytes()),
            )
        }
        false => result("Select", ITEM),
    });
    let error = keys.clear().await.unwrap_err();
    assert_eq!(error.code(), Some("AccessDenied"), "{error}");

    let (keys, _) = s3(|request| {
        ok(if request.contains("?delete") {
            "<DeleteResult><Error><Key>one/b/k</Key><VersionId>1</VersionId><Code>AccessDenied</Code></Error></DeleteResult>"
        } else if request.contains("versions") {
            "<ListVersionsResult><Version><Key>one/b/k</Key><VersionId>1</VersionId></Version></ListVersionsResult>"
        } else {
            "<ListMultipartUploadsResult/>"
        })
    });
    let error = keys.clear().await.unwrap_err();
    assert_eq!(error.code(), Some("AccessDenied"), "{error}");
}

#[test]
fn debug_output_says_where_it_is_and_no_secret() {
    let (on_s3, on_sdb) = (s3(empty).0, sdb(empty).0);
    let shown = format!("{on_s3:?} {:?}", on_sdb.partition(b"\xff"));
    let s3 = "Keys { S3: \"photos\", partition: \"one\", .. }";
    let sdb = "Keys { SimpleDB: \"dom\", partition: \"\\\\xff\", .. }";
    assert_eq!(shown, format!("{s3} {sdb}"));
}
