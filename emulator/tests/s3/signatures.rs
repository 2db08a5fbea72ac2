//! Who is let in: signatures, links, tokens and forms.

use base64::prelude::*;
use emulator::Emulator;
use s3s::auth::SimpleAuth;
use s3s::service::S3ServiceBuilder;

use crate::bench::bench;
use crate::v2::Signer;
use crate::wire::Wire;

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
    let empty = basic.replace("Basic eDp5", "");
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
        (empty.into_bytes(), (403, "AccessDenied")),
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
async fn form_uploads_obey_their_policy() {
    let mut bench = bench().await;
    let signer = bench.signer.clone();
    // Some clients send a filename with every field.
    let post = |expires: &str, secret: &str, with_file: bool, named: &str| {
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
                "--XX\r\nContent-Disposition: form-data; name=\"{name}\"{named}\r\n\r\n{value}\r\n"
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
        (post(future, &signer.secret, true, ""), 204),
        (post(future, &signer.secret, true, "; filename=\"x\""), 204),
        (post("2007-01-01T00:00:00Z", &signer.secret, true, ""), 403),
        (
            post("2099-01-01 00:00:00+00:00", &signer.secret, true, ""),
            400,
        ),
        (post(future, "wrong", true, ""), 403),
        (
            post(future, &signer.secret, true, "").replace("name=\"signature", "name=\"signatory"),
            400,
        ),
        (
            post(future, &signer.secret, true, "").replace("form/k", "mail/k"),
            403,
        ),
        (post(future, &signer.secret, false, ""), 400),
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
