//! Objects: what is stored, read, copied, put together and removed, and on what conditions.

use base64::prelude::*;
use md5::{Digest, Md5};

use crate::bench::bench;

#[tokio::test]
async fn an_object_comes_back_as_it_was_put() {
    let mut bench = bench().await;
    let headers = [
        ("content-type", "text/x-test"),
        ("cache-control", "no-cache"),
        ("x-amz-meta-colour", "deep blue"),
    ];
    let put = bench.call("PUT", "/bkt/k", &headers, b"hello").await;
    let etag = "\"5d41402abc4b2a76b9719d911017c592\"";
    assert_eq!((put.status, put.header("etag")), (200, Some(etag)));
    assert!(put.header("x-amz-request-id").is_some());
    let get = bench.call("GET", "/bkt/k", &[], b"").await;
    assert_eq!((get.status, get.text()), (200, "hello"));
    let head = bench.call("HEAD", "/bkt/k", &[], b"").await;
    for reply in [&get, &head] {
        assert_eq!(reply.header("content-length"), Some("5"));
        assert_eq!(reply.header("content-type"), Some("text/x-test"));
        assert_eq!(reply.header("cache-control"), Some("no-cache"));
        assert_eq!(reply.header("x-amz-meta-colour"), Some("deep blue"));
        assert_eq!(reply.header("etag"), Some(etag));
    }
    let copied = [("x-amz-copy-source", "/bkt/k")];
    let copy = bench.call("PUT", "/bkt/copy", &copied, b"").await;
    assert_eq!(copy.all("ETag"), [etag]);
    let get = bench.call("GET", "/bkt/copy", &[], b"").await;
    assert_eq!(
        (get.text(), get.header("x-amz-meta-colour")),
        ("hello", Some("deep blue"))
    );
    assert_eq!(bench.call("DELETE", "/bkt/k", &[], b"").await.status, 204);
    assert_eq!(bench.call("DELETE", "/bkt/k", &[], b"").await.status, 204);
    let gone = bench.call("GET", "/bkt/k", &[], b"").await;
    assert_eq!(gone.error(), (404, "NoSuchKey"));
}

fn escape(key: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~/".contains(&byte);
    key.bytes()
        .map(|byte| match plain(byte) {
            true => char::from(byte).to_string(),
            false => format!("%{byte:02X}"),
        })
        .collect()
}

#[tokio::test]
async fn any_key_round_trips() {
    let mut bench = bench().await;
    let long = "k".repeat(1024);
    let mut keys = vec![
        "plain",
        "with space",
        "a+b",
        "100%",
        "a%2Fb",
        "~",
        "{x}",
        "é/日本",
        "a//b",
        "dir/",
        "/lead",
        "q?x=1&y",
        "#",
        ".",
        "..",
        "a/../b",
        "<&>\"'",
        "\\^`|[]",
        "\t\u{7f}",
        &long,
    ];
    for key in &keys {
        let target = format!("/bkt/{}", escape(key));
        let put = bench.call("PUT", &target, &[], key.as_bytes()).await;
        assert_eq!(put.status, 200, "{key}: {}", put.text());
        let get = bench.call("GET", &target, &[], b"").await;
        assert_eq!(get.body, key.as_bytes(), "{key}");
    }
    let list = "/bkt/?list-type=2&encoding-type=url";
    let listed = bench.call("GET", list, &[], b"").await;
    keys.sort_unstable();
    let decode = |key: &&str| {
        let key = key.replace('+', " ");
        let mut bytes = Vec::new();
        let mut parts = key.split('%');
        bytes.extend_from_slice(parts.next().unwrap().as_bytes());
        for part in parts {
            bytes.push(u8::from_str_radix(&part[..2], 16).unwrap());
            bytes.extend_from_slice(&part.as_bytes()[2..]);
        }
        String::from_utf8(bytes).unwrap()
    };
    let names: Vec<String> = listed.all("Key").iter().map(decode).collect();
    assert_eq!(names, keys);
    let target = format!("/bkt/{long}k");
    let refused = bench.call("PUT", &target, &[], b"").await;
    assert_eq!(refused.error(), (400, "KeyTooLongError"));
}

#[tokio::test]
async fn reads_honour_ranges_and_conditions() {
    let mut bench = bench().await;
    bench.call("PUT", "/bkt/k", &[], b"0123456789").await;
    for (range, status, body, content_range) in [
        ("bytes=2-4", 206, "234", Some("bytes 2-4/10")),
        ("bytes=7-", 206, "789", Some("bytes 7-9/10")),
        ("bytes=-2", 206, "89", Some("bytes 8-9/10")),
        ("bytes=0-99", 206, "0123456789", Some("bytes 0-9/10")),
    ] {
        let get = bench.call("GET", "/bkt/k", &[("range", range)], b"").await;
        assert_eq!((get.status, get.text()), (status, body), "{range}");
        assert_eq!(get.header("content-range"), content_range, "{range}");
    }
    // What is no range, or more than one, is as good as none.
    for range in ["bytes=5-2", "bytes=a-b", "chars=0-1", "bytes=0-1,3-4"] {
        let get = bench.call("GET", "/bkt/k", &[("range", range)], b"").await;
        assert_eq!((get.status, get.text()), (200, "0123456789"), "{range}");
        let signed = [("range", range)];
        let get = bench.v4().request("GET", "/bkt/k", (&signed, &[]), b"");
        assert_eq!(bench.wire.call(&get).await.status, 200, "{range}");
    }
    let beyond = bench
        .call("GET", "/bkt/k", &[("range", "bytes=10-")], b"")
        .await;
    assert_eq!(beyond.error(), (416, "InvalidRange"));
    bench.call("PUT", "/bkt/empty", &[], b"").await;
    for (range, status) in [("bytes=-5", 200), ("bytes=-0", 416), ("bytes=0-", 416)] {
        let get = bench
            .call("GET", "/bkt/empty", &[("range", range)], b"")
            .await;
        assert_eq!(get.status, status, "{range}");
        if status == 200 {
            assert_eq!(get.header("content-range"), None);
            assert_eq!(get.header("content-length"), Some("0"));
        }
    }
    let etag = bench.call("HEAD", "/bkt/k", &[], b"").await;
    let etag = etag.header("etag").unwrap().to_owned();
    let past = "Tue, 27 Mar 2007 19:36:42 GMT";
    let future = "Fri, 27 Mar 2099 19:36:42 GMT";
    for (name, value, status) in [
        ("if-match", etag.as_str(), 200),
        ("if-match", "\"other\"", 412),
        ("if-none-match", etag.as_str(), 304),
        ("if-none-match", "\"other\"", 200),
        ("if-modified-since", past, 200),
        ("if-modified-since", future, 304),
        ("if-unmodified-since", past, 412),
        ("if-unmodified-since", future, 200),
    ] {
        let get = bench.call("GET", "/bkt/k", &[(name, value)], b"").await;
        assert_eq!(get.status, status, "{name}: {value}");
        if status == 304 {
            assert_eq!(get.header("etag"), Some(etag.as_str()));
        }
    }
}

#[tokio::test]
async fn writes_honour_conditions_and_digests() {
    let mut bench = bench().await;
    let once = [("if-none-match", "*")];
    assert_eq!(bench.call("PUT", "/bkt/k", &once, b"1").await.status, 200);
    let twice = bench.call("PUT", "/bkt/k", &once, b"2").await;
    assert_eq!(twice.error(), (412, "PreconditionFailed"));
    let stale = [("if-match", "\"00\"")];
    let stale = bench.call("PUT", "/bkt/k", &stale, b"2").await;
    assert_eq!(stale.error(), (412, "PreconditionFailed"));
    let right = BASE64_STANDARD.encode(Md5::digest(b"2"));
    let md5 = |text: &'static str| [("content-md5", text)];
    let wrong = bench
        .call("PUT", "/bkt/k", &md5("1B2M2Y8AsgTpgAmY7PhCfg=="), b"2")
        .await;
    assert_eq!(wrong.error(), (400, "BadDigest"));
    let junk = bench.call("PUT", "/bkt/k", &md5("junk"), b"2").await;
    assert_eq!(junk.error(), (400, "InvalidDigest"));
    let empty = bench.call("PUT", "/bkt/k", &md5(""), b"2").await;
    assert_eq!(empty.error(), (400, "InvalidDigest"));
    assert_eq!(bench.call("GET", "/bkt/k", &[], b"").await.text(), "1");
    let put = bench
        .call("PUT", "/bkt/k", &[("content-md5", &right)], b"2")
        .await;
    assert_eq!(put.status, 200);
}

#[tokio::test]
async fn many_objects_are_deleted_at_once() {
    let mut bench = bench().await;
    for key in ["a", "b", "c"] {
        bench.call("PUT", &format!("/bkt/{key}"), &[], b"").await;
    }
    let body = b"<Delete><Object><Key>a</Key></Object><Object><Key>b</Key></Object></Delete>";
    let md5 = BASE64_STANDARD.encode(Md5::digest(body));
    let crc32 = BASE64_STANDARD.encode(0x731a9623_u32.to_be_bytes());
    let bare = bench.call("POST", "/bkt/?delete", &[], body).await;
    assert_eq!(bare.error(), (400, "InvalidRequest"));
    let other = [("content-md5", "1B2M2Y8AsgTpgAmY7PhCfg==")];
    let other = bench.call("POST", "/bkt/?delete", &other, body).await;
    assert_eq!(other.error(), (400, "BadDigest"));
    let deleted = bench
        .call("POST", "/bkt/?delete", &[("content-md5", &md5)], body)
        .await;
    assert_eq!(deleted.all("Key"), ["a", "b"]);
    let v4 = bench.v4();
    // The hash of the body that Version 4 signs is none of the digests that are asked for.
    let bare = v4.request("POST", "/bkt/?delete", (&[], &[]), body);
    let bare = bench.wire.call(&bare).await;
    assert_eq!(bare.error(), (400, "InvalidRequest"));
    for (digest, status) in [
        (("content-md5", md5.as_str()), 200),
        (("x-amz-checksum-crc32", &crc32), 200),
        (("x-amz-checksum-crc32", "AAAAAA=="), 400),
        (("x-amz-checksum-algorithm", "CRC32"), 400),
    ] {
        let request = v4.request("POST", "/bkt/?delete", (&[digest], &[]), body);
        let reply = bench.wire.call(&request).await;
        assert_eq!(reply.status, status, "{digest:?}: {}", reply.text());
    }
    let left = bench.call("GET", "/bkt/", &[], b"").await;
    assert_eq!(left.all("Key"), ["c"]);
}

#[tokio::test]
async fn uploads_join_their_parts() {
    let mut bench = bench().await;
    let created = bench
        .call("POST", "/bkt/k?uploads", &[("content-type", "a/b")], b"")
        .await;
    let id = created.all("UploadId")[0].to_owned();
    let mut etags = Vec::new();
    for (number, body) in [(1, "0123456789"), (3, "tail")] {
        let target = format!("/bkt/k?partNumber={number}&uploadId={id}");
        let part = bench.call("PUT", &target, &[], body.as_bytes()).await;
        etags.push(part.header("etag").unwrap().to_owned());
    }
    let target = format!("/bkt/k?uploadId={id}");
    let parts = bench.call("GET", &target, &[], b"").await;
    assert_eq!(parts.all("PartNumber"), ["1", "3"]);
    let complete = |order: [usize; 2]| {
        let part = |at: usize| {
            let (number, etag) = ([1, 3][at], &etags[at]);
            format!("<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag></Part>")
        };
        let parts: String = order.into_iter().map(part).collect();
        format!("<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>")
    };
    let wrong = bench
        .call("POST", &target, &[], complete([1, 0]).as_bytes())
        .await;
    assert_eq!(wrong.error(), (400, "InvalidPartOrder"));
    let done = bench
        .call("POST", &target, &[], complete([0, 1]).as_bytes())
        .await;
    assert_eq!(done.status, 200, "{}", done.text());
    let digests = [Md5::digest(b"0123456789"), Md5::digest(b"tail")].concat();
    let digest: String = Md5::digest(digests)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let get = bench.call("GET", "/bkt/k", &[], b"").await;
    assert_eq!(get.text(), "0123456789tail");
    assert_eq!(get.header("etag"), Some(format!("\"{digest}-2\"").as_str()));
    assert_eq!(get.header("content-type"), Some("a/b"));
    let again = bench
        .call("POST", &target, &[], complete([0, 1]).as_bytes())
        .await;
    assert_eq!(again.error(), (404, "NoSuchUpload"));
}

#[tokio::test]
async fn an_object_needs_its_length() {
    let mut bench = bench().await;
    let request = bench.signer.request("PUT", "/bkt/k", &[], b"");
    let request = String::from_utf8(request).unwrap();
    let bare = request.replace("content-length: 0\r\n", "");
    let refused = bench.wire.call(bare.as_bytes()).await;
    assert_eq!(refused.error(), (411, "MissingContentLength"));
    let chunked = request.replace("content-length: 0\r\n", "transfer-encoding: chunked\r\n");
    let chunked = format!("{chunked}1\r\nx\r\n0\r\n\r\n");
    let mut wire = crate::wire::Wire::open(bench.emulator.addr()).await;
    let refused = wire.call(chunked.as_bytes()).await;
    assert_eq!(refused.error(), (411, "MissingContentLength"));
}

#[tokio::test]
async fn deletes_keep_to_their_conditions() {
    let mut bench = bench().await;
    let put = bench.call("PUT", "/bkt/k", &[], b"x").await;
    let etag = put.header("etag").unwrap().to_owned();
    for (key, etag, code) in [
        ("k", "\"00\"", Some("PreconditionFailed")),
        ("none", "\"00\"", Some("NoSuchKey")),
        ("k", etag.as_str(), None),
    ] {
        let body = format!("<Delete><Object><Key>{key}</Key><ETag>{etag}</ETag></Object></Delete>");
        let md5 = BASE64_STANDARD.encode(Md5::digest(&body));
        let fields = [("content-md5", md5.as_str())];
        let reply = bench
            .call("POST", "/bkt/?delete", &fields, body.as_bytes())
            .await;
        assert_eq!(reply.all("Code").first().copied(), code, "{key} {etag}");
    }
    bench.call("PUT", "/bkt/k", &[], b"x").await;
    let size = [("x-amz-if-match-size", "7")];
    let refused = bench.call("DELETE", "/bkt/k", &size, b"").await;
    assert_eq!(refused.error(), (501, "NotImplemented"));
    assert_eq!(bench.call("GET", "/bkt/k", &[], b"").await.status, 200);
}

#[tokio::test]
async fn a_carriage_return_in_a_key_is_written_as_a_reference() {
    let mut bench = bench().await;
    let begun = bench.call("POST", "/bkt/a%0Db?uploads", &[], b"").await;
    assert_eq!(begun.all("Key"), ["a&#13;b"]);
    let listed = bench.call("GET", "/bkt/?uploads", &[], b"").await;
    assert_eq!(listed.all("Key"), ["a&#13;b"]);
    let length = listed.header("content-length").unwrap().to_owned();
    assert_eq!(length, listed.body.len().to_string());
}

#[tokio::test]
async fn attributes_tell_the_parts() {
    let mut bench = bench().await;
    let begun = bench.call("POST", "/bkt/k?uploads", &[], b"").await;
    let id = begun.all("UploadId")[0].to_owned();
    let mut parts = String::new();
    for number in [1, 2, 4] {
        let target = format!("/bkt/k?partNumber={number}&uploadId={id}");
        let part = bench.call("PUT", &target, &[], b"0123456789").await;
        let etag = part.header("etag").unwrap();
        parts.push_str(&format!(
            "<Part><ETag>{etag}</ETag><PartNumber>{number}</PartNumber></Part>"
        ));
    }
    let body = format!("<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>");
    let target = format!("/bkt/k?uploadId={id}");
    bench.call("POST", &target, &[], body.as_bytes()).await;
    let tags = [("x-amz-tagging", "a=1&b=2")];
    bench.call("PUT", "/bkt/tagged", &tags, b"").await;
    let head = bench.call("HEAD", "/bkt/tagged", &[], b"").await;
    assert_eq!(head.header("x-amz-tagging-count"), Some("2"));
    let mut fields = vec![("x-amz-object-attributes", "ETag,ObjectParts,ObjectSize")];
    let all = bench.call("GET", "/bkt/k?attributes", &fields, b"").await;
    assert!(all.all("ETag")[0].ends_with("-3"), "{}", all.text());
    assert_eq!(all.all("PartNumber"), ["1", "2", "4"]);
    assert_eq!(all.all("IsTruncated"), ["false"]);
    fields.extend([("x-amz-max-parts", "1"), ("x-amz-part-number-marker", "1")]);
    let page = bench.call("GET", "/bkt/k?attributes", &fields, b"").await;
    assert_eq!(page.all("PartNumber"), ["2"]);
    assert_eq!(page.all("NextPartNumberMarker"), ["2"]);
    assert_eq!(page.all("IsTruncated"), ["true"]);
}
