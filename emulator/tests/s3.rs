//! The S3 half over raw connections, with requests signed by these tests.

// Helpers here are tests too.
#![allow(clippy::unwrap_used)]

#[path = "support/v2.rs"]
mod v2;
#[path = "support/wire.rs"]
mod wire;

use base64::prelude::*;
use emulator::Emulator;
use md5::{Digest, Md5};
use s3s::auth::SimpleAuth;
use s3s::service::S3ServiceBuilder;

use v2::Signer;
use wire::Wire;

struct Bench {
    emulator: Emulator,
    wire: Wire,
    signer: Signer,
}

/// An emulator with an empty bucket `/bkt`.
async fn bench() -> Bench {
    let emulator = Emulator::builder().part_min(10).start().await.unwrap();
    let mut wire = Wire::open(emulator.addr()).await;
    let signer = Signer::new(
        emulator.access_key(),
        emulator.secret_key(),
        emulator.addr(),
    );
    let made = wire.call(&signer.request("PUT", "/bkt/", &[], b"")).await;
    assert_eq!(made.status, 200, "{}", made.text());
    Bench {
        emulator,
        wire,
        signer,
    }
}

impl Bench {
    async fn call(
        &mut self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> wire::Reply {
        let request = self.signer.request(method, target, headers, body);
        self.wire.call(&request).await
    }
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
async fn buckets_have_their_errors() {
    let mut bench = bench().await;
    for (method, target, expected) in [
        ("PUT", "/bkt", (409, "BucketAlreadyOwnedByYou")),
        ("PUT", "/Bad_Name", (400, "InvalidBucketName")),
        ("GET", "/none/", (404, "NoSuchBucket")),
        ("GET", "/none/k", (404, "NoSuchBucket")),
        ("PUT", "/none/k", (404, "NoSuchBucket")),
        ("DELETE", "/none", (404, "NoSuchBucket")),
    ] {
        let reply = bench.call(method, target, &[], b"").await;
        assert_eq!(reply.error(), expected, "{method} {target}");
    }
    assert_eq!(bench.call("HEAD", "/none", &[], b"").await.status, 404);
    assert_eq!(bench.call("HEAD", "/bkt", &[], b"").await.status, 200);
    bench.call("PUT", "/bkt/k", &[], b"").await;
    let full = bench.call("DELETE", "/bkt", &[], b"").await;
    assert_eq!(full.error(), (409, "BucketNotEmpty"));
    bench.call("DELETE", "/bkt/k", &[], b"").await;
    let all = bench.call("GET", "/", &[], b"").await;
    assert_eq!(all.all("Name"), ["bkt"]);
    let place = bench.call("GET", "/bkt/?location", &[], b"").await;
    assert!(
        place.text().contains("LocationConstraint"),
        "{}",
        place.text()
    );
    assert_eq!(bench.call("DELETE", "/bkt", &[], b"").await.status, 204);
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
    let beyond = bench
        .call("GET", "/bkt/k", &[("range", "bytes=10-")], b"")
        .await;
    assert_eq!(beyond.error(), (416, "InvalidRange"));
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
    assert_eq!(bench.call("GET", "/bkt/k", &[], b"").await.text(), "1");
    let put = bench
        .call("PUT", "/bkt/k", &[("content-md5", &right)], b"2")
        .await;
    assert_eq!(put.status, 200);
}

#[tokio::test]
async fn listings_page_and_roll_up() {
    let mut bench = bench().await;
    for key in ["a", "b/1", "b/2", "c/1", "d"] {
        bench.call("PUT", &format!("/bkt/{key}"), &[], b"").await;
    }
    let first = bench
        .call("GET", "/bkt/?delimiter=/&max-keys=2", &[], b"")
        .await;
    assert_eq!(first.all("Key"), ["a"]);
    assert_eq!(first.all("NextMarker"), ["b/"]);
    let second = "/bkt/?delimiter=/&max-keys=2&marker=b/";
    let second = bench.call("GET", second, &[], b"").await;
    assert_eq!(second.all("IsTruncated"), ["false"]);
    assert_eq!(second.all("Key"), ["d"]);
    assert!(
        second
            .text()
            .contains("<CommonPrefixes><Prefix>c/</Prefix></CommonPrefixes>")
    );
    let mut seen = Vec::new();
    let mut target = "/bkt/?list-type=2&max-keys=2&start-after=a".to_owned();
    loop {
        let page = bench.call("GET", &target, &[], b"").await;
        seen.extend(page.all("Key").into_iter().map(str::to_owned));
        match page.all("NextContinuationToken").first() {
            Some(token) => {
                target = format!("/bkt/?list-type=2&max-keys=2&continuation-token={token}");
            }
            None => break,
        }
    }
    assert_eq!(seen, ["b/1", "b/2", "c/1", "d"]);
    let none = bench
        .call("GET", "/bkt/?list-type=2&max-keys=0", &[], b"")
        .await;
    assert_eq!(
        (none.all("KeyCount"), none.all("IsTruncated")),
        (vec!["0"], vec!["false"])
    );
    for target in [
        "/bkt/?list-type=2&continuation-token=%21",
        "/bkt/?max-keys=-1",
    ] {
        let refused = bench.call("GET", target, &[], b"").await;
        assert_eq!(refused.error(), (400, "InvalidArgument"), "{target}");
    }
}

#[tokio::test]
async fn many_objects_are_deleted_at_once() {
    let mut bench = bench().await;
    for key in ["a", "b", "c"] {
        bench.call("PUT", &format!("/bkt/{key}"), &[], b"").await;
    }
    let body = b"<Delete><Object><Key>a</Key></Object><Object><Key>b</Key></Object></Delete>";
    let md5 = BASE64_STANDARD.encode(Md5::digest(body));
    let bare = bench.call("POST", "/bkt/?delete", &[], body).await;
    assert_eq!(bare.error(), (400, "InvalidRequest"));
    let other = [("content-md5", "1B2M2Y8AsgTpgAmY7PhCfg==")];
    let other = bench.call("POST", "/bkt/?delete", &other, body).await;
    assert_eq!(other.error(), (400, "BadDigest"));
    let deleted = bench
        .call("POST", "/bkt/?delete", &[("content-md5", &md5)], body)
        .await;
    assert_eq!(deleted.all("Key"), ["a", "b"]);
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
async fn who_may_not_sign_is_refused() {
    let mut bench = bench().await;
    bench.call("PUT", "/bkt/k", &[], b"x").await;
    let signer = bench.signer.clone();
    let with = |change: &dyn Fn(&mut Signer)| {
        let mut signer = signer.clone();
        change(&mut signer);
        signer.request("GET", "/bkt/k", &[], b"")
    };
    let anonymous = signer.follow("/bkt/k");
    let basic = format!(
        "GET /bkt/k HTTP/1.1\r\nhost: {}\r\nauthorization: Basic eDp5\r\n\r\n",
        signer.host
    );
    let undated = format!(
        "GET /bkt/k HTTP/1.1\r\nhost: {}\r\nauthorization: AWS {}:x\r\n\r\n",
        signer.host, signer.access_key
    );
    let mut tampered = with(&|_| ());
    tampered[5..10].copy_from_slice(b"bkt/j");
    for (request, expected) in [
        (with(&|_| ()), (200, "")),
        (with(&|signer| signer.drift = 14 * 60), (200, "")),
        (with(&|signer| signer.drift = -14 * 60), (200, "")),
        (
            with(&|signer| signer.drift = 16 * 60),
            (403, "RequestTimeTooSkewed"),
        ),
        (
            with(&|signer| signer.drift = -16 * 60),
            (403, "RequestTimeTooSkewed"),
        ),
        (
            with(&|signer| signer.access_key = "NOBODY".into()),
            (403, "InvalidAccessKeyId"),
        ),
        (
            with(&|signer| signer.secret.push('x')),
            (403, "SignatureDoesNotMatch"),
        ),
        (
            with(&|signer| signer.token = Some("t".into())),
            (400, "InvalidToken"),
        ),
        (tampered, (403, "SignatureDoesNotMatch")),
        (anonymous, (403, "AccessDenied")),
        (basic.into_bytes(), (400, "InvalidArgument")),
        (undated.into_bytes(), (403, "AccessDenied")),
    ] {
        let reply = bench.wire.call(&request).await;
        let status = reply.status;
        assert_eq!(
            if status == 200 {
                (200, "")
            } else {
                reply.error()
            },
            expected,
            "{}",
            String::from_utf8_lossy(&request)
        );
        assert!(!String::from_utf8_lossy(&reply.body).contains(&signer.secret));
    }
    let wrong = with(&|signer| signer.secret.push('x'));
    let reply = bench.wire.call(&wrong).await;
    assert!(reply.all("StringToSign")[0].starts_with("GET\n\n\n"));
    assert!(reply.all("StringToSign")[0].ends_with("\n/bkt/k"));
}

#[tokio::test]
async fn links_work_until_they_expire() {
    let mut bench = bench().await;
    bench.call("PUT", "/bkt/k", &[], b"x").await;
    let signer = bench.signer.clone();
    let target = "/bkt/k?response-content-type=a%2Fb";
    let get = bench
        .wire
        .call(&signer.follow(&signer.link("GET", target, 60)))
        .await;
    assert_eq!((get.status, get.header("content-type")), (200, Some("a/b")));
    let late = signer.link("GET", target, -1);
    let late = bench.wire.call(&signer.follow(&late)).await;
    assert_eq!(late.error(), (403, "AccessDenied"));
    assert_eq!(late.all("Message"), ["Request has expired"]);
    let other = signer.link("PUT", target, 60);
    let other = bench.wire.call(&signer.follow(&other)).await;
    assert_eq!(other.error(), (403, "SignatureDoesNotMatch"));
    let later = signer
        .link("GET", target, 60)
        .replace("Expires=", "Expires=9");
    let later = bench.wire.call(&signer.follow(&later)).await;
    assert_eq!(later.error(), (403, "SignatureDoesNotMatch"));
    let half = bench.wire.call(&signer.follow("/bkt/k?Signature=x")).await;
    assert_eq!(half.error(), (403, "AccessDenied"));
}

#[tokio::test]
async fn temporary_credentials_need_their_token() {
    let emulator = Emulator::builder()
        .user_with_token("AKTEMP", "secret", "to/ken==")
        .start()
        .await
        .unwrap();
    let mut wire = Wire::open(emulator.addr()).await;
    let mut signer = Signer::new("AKTEMP", "secret", emulator.addr());
    for (token, status) in [(None, 400), (Some("other"), 400), (Some("to/ken=="), 200)] {
        signer.token = token.map(str::to_owned);
        let reply = wire.call(&signer.request("GET", "/", &[], b"")).await;
        assert_eq!(reply.status, status, "{token:?}");
        let reply = wire
            .call(&signer.follow(&signer.link("GET", "/", 60)))
            .await;
        assert_eq!(reply.status, status, "{token:?}");
    }
}

#[tokio::test]
async fn both_bucket_forms_and_virtual_hosts_are_taken() {
    let emulator = Emulator::builder().domain("s3.test").start().await.unwrap();
    let mut wire = Wire::open(emulator.addr()).await;
    let key = (emulator.access_key(), emulator.secret_key());
    let path = Signer::new(key.0, key.1, "s3.test:80");
    for (method, target, resource) in [
        ("PUT", "/bkt", "/bkt/"),
        ("HEAD", "/bkt/", "/bkt"),
        ("HEAD", "/bkt", "/bkt"),
        ("HEAD", "/bkt/", "/bkt/"),
    ] {
        let request = path.request_over(method, target, resource, &[], b"");
        assert_eq!(
            wire.call(&request).await.status,
            200,
            "{target} as {resource}"
        );
    }
    let host = Signer::new(key.0, key.1, "bkt.s3.test");
    let put = host.request_over("PUT", "/a/b", "/bkt/a/b", &[], b"x");
    assert_eq!(wire.call(&put).await.status, 200);
    let list = host.request_over("GET", "/", "/bkt/", &[], b"");
    assert_eq!(wire.call(&list).await.all("Key"), ["a/b"]);
    assert_eq!(
        wire.call(&path.request("GET", "/bkt/a/b", &[], b""))
            .await
            .text(),
        "x"
    );
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_order() {
    let mut bench = bench().await;
    let mut batch = Vec::new();
    for n in 0..20 {
        let body = format!("body {n}");
        let target = format!("/bkt/{n}");
        batch.extend(bench.signer.request("PUT", &target, &[], body.as_bytes()));
        batch.extend(bench.signer.request("HEAD", &target, &[], b""));
        batch.extend(bench.signer.request("GET", &target, &[], b""));
    }
    bench.wire.send(&batch).await;
    for n in 0..20 {
        assert_eq!(bench.wire.reply(false).await.status, 200);
        let head = bench.wire.reply(true).await;
        let body = format!("body {n}");
        assert_eq!(
            head.header("content-length"),
            Some(body.len().to_string().as_str())
        );
        assert_eq!(bench.wire.reply(false).await.text(), body);
    }
    let stats = bench.emulator.stats();
    assert!(stats.pipeline_max > 1, "{stats:?}");
    assert_eq!(
        (stats.requests, stats.s3_requests, stats.refused),
        (61, 61, 0)
    );
    let connections = (
        stats.connections_open,
        stats.connections_max,
        stats.connections_accepted,
    );
    assert_eq!(connections, (1, 1, 1));
    let addr = bench.emulator.addr();
    bench.emulator.shutdown().await;
    assert!(tokio::net::TcpStream::connect(addr).await.is_err());
}

#[tokio::test]
async fn a_reply_does_not_wait_for_half_a_request() {
    let mut bench = bench().await;
    let request = bench.signer.request("HEAD", "/bkt", &[], b"");
    let half = request.len() / 2;
    bench.wire.send(&request).await;
    bench.wire.send(&request[..half]).await;
    assert_eq!(bench.wire.reply(true).await.status, 200);
    bench.wire.send(&request[half..]).await;
    assert_eq!(bench.wire.reply(true).await.status, 200);
}

#[tokio::test]
async fn large_bodies_pass_whole() {
    let mut bench = bench().await;
    let body: Vec<u8> = (0..3_000_000_u32).map(|n| (n % 251) as u8).collect();
    let put = bench.call("PUT", "/bkt/k", &[], &body).await;
    assert_eq!(put.status, 200);
    let get = bench.signer.request("GET", "/bkt/k", &[], b"");
    bench.wire.send(&get.repeat(3)).await;
    for _ in 0..3 {
        assert!(bench.wire.reply(false).await.body == body);
    }
}

#[test]
fn it_runs_on_a_thread_of_its_own() {
    let emulator = Emulator::start_blocking().unwrap();
    let addr = emulator.addr();
    let signer = Signer::new(emulator.access_key(), emulator.secret_key(), addr);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let reply = runtime.block_on(async {
        let mut wire = Wire::open(addr).await;
        wire.call(&signer.request("GET", "/", &[], b"")).await
    });
    assert_eq!(reply.status, 200);
    assert_eq!(emulator.stats().connections_max, 1);
    drop(emulator);
    assert!(std::net::TcpStream::connect(addr).is_err());
}

#[tokio::test]
async fn form_uploads_obey_their_policy() {
    let mut bench = bench().await;
    let signer = bench.signer.clone();
    let post = |expires: &str, secret: &str, with_file: bool| {
        let signer = Signer::new(&signer.access_key, secret, &signer.host);
        let policy = BASE64_STANDARD.encode(format!(
            "{{\"expiration\": \"{expires}\", \"conditions\": \
             [{{\"bucket\": \"bkt\"}}, [\"starts-with\", \"$key\", \"form/\"]]}}"
        ));
        let signature = signer.mac(&policy);
        let mut body = String::new();
        for (name, value) in [
            ("key", "form/k"),
            ("AWSAccessKeyId", &signer.access_key),
            ("policy", &policy),
            ("signature", &signature),
        ] {
            body.push_str(&format!(
                "--XX\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n"
            ));
        }
        if with_file {
            body.push_str(
                "--XX\r\nContent-Disposition: form-data; name=\"file\"; filename=\"f\"\r\n\r\nhi\r\n",
            );
        }
        body.push_str("--XX--\r\n");
        format!(
            "POST /bkt HTTP/1.1\r\nhost: {}\r\ncontent-type: multipart/form-data; boundary=XX\r\n\
             content-length: {}\r\n\r\n{body}",
            signer.host,
            body.len()
        )
    };
    let future = "2099-01-01T00:00:00Z";
    for (request, status) in [
        (post(future, &signer.secret, true), 204),
        (post("2007-01-01T00:00:00Z", &signer.secret, true), 403),
        (post(future, "wrong", true), 403),
        (post(future, &signer.secret, false), 400),
    ] {
        // A refused form may leave its body unread, which ends the connection.
        let mut wire = Wire::open(bench.emulator.addr()).await;
        assert_eq!(
            wire.call(request.as_bytes()).await.status,
            status,
            "{request}"
        );
    }
    assert_eq!(
        bench.call("GET", "/bkt/form/k", &[], b"").await.text(),
        "hi"
    );
}

#[tokio::test]
async fn nonsense_gets_an_answer() {
    let emulator = Emulator::start().await.unwrap();
    let long = "x".repeat(66_000);
    let many = "a: b\r\n".repeat(500);
    for (request, status) in [
        (format!("GET /{long} HTTP/1.1\r\nhost: x\r\n\r\n"), 414),
        (format!("GET / HTTP/1.1\r\nhost: x\r\n{many}\r\n"), 431),
        ("GET /%ff%fe HTTP/1.1\r\nhost: x\r\n\r\n".into(), 400),
        ("GET /bkt/%80 HTTP/1.1\r\nhost: x\r\n\r\n".into(), 400),
        ("nonsense\r\n\r\n".into(), 400),
        ("PATCH /bkt/k HTTP/1.1\r\nhost: x\r\n\r\n".into(), 501),
        ("GET /?Signature=%zz&Expires=9999999999999999999&AWSAccessKeyId=AKIDEMULATOR HTTP/1.1\r\nhost: x\r\n\r\n".into(), 403),
        ("GET / HTTP/1.1\r\nhost: x\r\nauthorization: AWS :\r\n\r\n".into(), 403),
        ("GET / HTTP/1.1\r\nhost: x\r\nauthorization: AWS4-HMAC-SHA256 x\r\ndate: x\r\n\r\n".into(), 403),
    ] {
        let mut wire = Wire::open(emulator.addr()).await;
        let reply = wire.call(request.as_bytes()).await;
        let start: String = request.chars().take(80).collect();
        assert_eq!(reply.status, status, "{start}");
    }
}

/// Answers nothing, so that what its engine lets in is a 501.
struct Bare;

impl s3s::S3 for Bare {}

/// The engine checks signatures of Version 2 by itself if it is let: a second judge, which has
/// to agree with the first, other than on what it does not look at.
#[tokio::test]
async fn a_second_judge_agrees() {
    let bench = bench().await;
    let signer = &bench.signer;
    let mut builder = S3ServiceBuilder::new(Bare);
    builder.set_auth(SimpleAuth::from_single(
        signer.access_key.as_str(),
        signer.secret.as_str(),
    ));
    let judge = builder.build();
    let mut wrong = signer.clone();
    wrong.secret.push('x');
    let mut requests = Vec::new();
    for signer in [signer, &wrong] {
        let headers = [
            ("content-type", "a/b"),
            ("x-amz-meta-a", "1"),
            ("x-amz-acl", "private"),
        ];
        requests.extend([
            signer.request("GET", "/", &[], b""),
            signer.request("GET", "/bkt/?location", &[], b""),
            signer.request("GET", "/bkt/%C3%A9%20+?versioning&prefix=x", &[], b""),
            signer.request("PUT", "/bkt/k", &headers, b"x"),
            signer.request("PUT", "/bkt/k?uploadId=a%2Fb&partNumber=2", &[], b"x"),
            signer.follow(&signer.link("GET", "/bkt/k?response-content-type=a%2Fb", 60)),
        ]);
    }
    for (index, bytes) in requests.iter().enumerate() {
        let text = String::from_utf8_lossy(bytes);
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        let mut lines = head.split("\r\n");
        let mut first = lines.next().unwrap().split(' ');
        let mut request = hyper::Request::builder()
            .method(first.next().unwrap())
            .uri(first.next().unwrap());
        for line in lines {
            let (name, value) = line.split_once(": ").unwrap();
            request = request.header(name, value);
        }
        let body = s3s::Body::from(body.to_owned());
        let second = judge.call(request.body(body).unwrap()).await.unwrap();
        let mut wire = Wire::open(bench.emulator.addr()).await;
        let first = wire.call(bytes).await;
        let right = index < requests.len() / 2;
        assert_eq!(second.status() == 501, right, "{text}");
        assert_eq!(second.status() == 403, !right, "{text}");
        assert_eq!(first.status == 403, !right, "{text}");
    }
}

#[tokio::test]
async fn configurations_are_checked_and_kept() {
    let mut bench = bench().await;
    let good = b"<CORSConfiguration xmlns='http://s3.amazonaws.com/doc/2006-03-01/'><CORSRule><AllowedOrigin>*\
        </AllowedOrigin><AllowedMethod>GET</AllowedMethod></CORSRule></CORSConfiguration>";
    let missing = bench.call("GET", "/bkt/?cors", &[], b"").await;
    assert_eq!(missing.error(), (404, "NoSuchCORSConfiguration"));
    assert_eq!(bench.call("PUT", "/bkt/?cors", &[], good).await.status, 200);
    let kept = bench.call("GET", "/bkt/?cors", &[], b"").await;
    assert!(
        kept.text().contains("<AllowedMethod>GET</AllowedMethod>"),
        "{}",
        kept.text()
    );
    // The other form of the path of the bucket.
    assert_eq!(bench.call("GET", "/bkt?cors", &[], b"").await.status, 200);
    for bad in [
        &b"<CORSConfiguration/>"[..],
        b"<CORSConfiguration>",
        b"",
        b"<Tagging><TagSet/></Tagging>",
        b"<CORSConfiguration><CORSRule><Odd/></CORSRule></CORSConfiguration>",
        b"\xff",
    ] {
        let refused = bench.call("PUT", "/bkt/?cors", &[], bad).await;
        assert_eq!(refused.error(), (400, "MalformedXML"));
    }
    let digest = [("content-md5", "1B2M2Y8AsgTpgAmY7PhCfg==")];
    let refused = bench.call("PUT", "/bkt/?cors", &digest, good).await;
    assert_eq!(refused.error(), (400, "BadDigest"));
    let nowhere = bench.call("PUT", "/nowhere/?cors", &[], good).await;
    assert_eq!(nowhere.error(), (404, "NoSuchBucket"));
    assert_eq!(
        bench.call("DELETE", "/bkt/?cors", &[], b"").await.status,
        204
    );
    let gone = bench.call("GET", "/bkt/?cors", &[], b"").await;
    assert_eq!(gone.error(), (404, "NoSuchCORSConfiguration"));
    let wrong = bench.call("DELETE", "/bkt/?requestPayment", &[], b"").await;
    assert_eq!(wrong.error(), (405, "MethodNotAllowed"));
}

#[tokio::test]
async fn configurations_are_for_those_who_sign() {
    let mut bench = bench().await;
    for (method, query) in [("GET", "acl"), ("PUT", "policy"), ("DELETE", "cors")] {
        let request =
            format!("{method} /bkt/?{query} HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n");
        let refused = bench.wire.call(request.as_bytes()).await;
        assert_eq!(refused.error(), (403, "AccessDenied"), "{method} {query}");
    }
}
