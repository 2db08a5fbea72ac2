//! Buckets: their errors, their listings and their configurations.

use crate::bench::bench;

#[tokio::test]
async fn buckets_have_their_errors() {
    let mut bench = bench().await;
    for (method, target, expected) in [
        ("PUT", "/bkt", (409, "BucketAlreadyOwnedByYou")),
        ("PUT", "/Bad_Name", (400, "InvalidBucketName")),
        ("PUT", "/bad.-name", (400, "InvalidBucketName")),
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
