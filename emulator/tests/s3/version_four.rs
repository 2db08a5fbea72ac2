//! What is asked of requests that are signed by Version 4, beyond the signature.

use crate::bench::bench;

#[tokio::test]
async fn fields_of_amazons_have_to_be_signed() {
    let mut bench = bench().await;
    let v4 = bench.v4();
    let acl = [("x-amz-acl", "public-read")];
    let signed = v4.request("PUT", "/bkt/k", (&acl, &[]), b"x");
    assert_eq!(bench.wire.call(&signed).await.status, 200);
    let unsigned = v4.request("PUT", "/bkt/k", (&[], &acl), b"x");
    let refused = bench.wire.call(&unsigned).await;
    assert_eq!(refused.error(), (403, "AccessDenied"));
    assert_eq!(refused.all("HeadersNotSigned"), ["x-amz-acl"]);
    let other = v4.request("GET", "/bkt/k", (&[], &[("x-other", "1")]), b"");
    assert_eq!(bench.wire.call(&other).await.status, 200);
    let link = v4.link("GET", "/bkt/k", "60");
    let request = format!(
        "GET {link} HTTP/1.1\r\nhost: {}\r\nx-amz-acl: private\r\n\r\n",
        v4.host
    );
    let refused = bench.wire.call(request.as_bytes()).await;
    assert_eq!(refused.error(), (403, "AccessDenied"));
}

#[tokio::test]
async fn a_region_that_is_none_is_told_the_right_one() {
    let mut bench = bench().await;
    for (region, status) in [("US", 400), ("RegionOne", 400), ("eu-west-1", 200)] {
        let mut v4 = bench.v4();
        v4.region = region.to_owned();
        let request = v4.request("GET", "/bkt/", (&[], &[]), b"");
        let reply = bench.wire.call(&request).await;
        assert_eq!(reply.status, status, "{region}");
        if status == 400 {
            assert_eq!(reply.error().1, "AuthorizationHeaderMalformed");
            assert_eq!(reply.all("Region"), ["us-east-1"]);
        }
    }
}

#[tokio::test]
async fn links_live_for_a_week_at_most() {
    let mut bench = bench().await;
    bench.call("PUT", "/bkt/k", &[], b"x").await;
    let v4 = bench.v4();
    for (lifetime, status) in [
        ("60", 200),
        ("604800", 200),
        ("604801", 400),
        ("-1", 403),
        ("soon", 400),
    ] {
        let link = v4.link("GET", "/bkt/k?response-content-type=a%2Fb", lifetime);
        let request = bench.signer.follow(&link);
        let reply = bench.wire.call(&request).await;
        assert_eq!(reply.status, status, "{lifetime}: {}", reply.text());
        match status {
            200 => assert_eq!(reply.header("content-type"), Some("a/b")),
            403 => assert_eq!(reply.all("Message"), ["Request has expired"]),
            _ => assert_eq!(reply.error().1, "AuthorizationQueryParametersError"),
        }
    }
}

#[tokio::test]
async fn wrong_keys_and_hashes_are_refused() {
    let mut bench = bench().await;
    let mut wrong = bench.v4();
    wrong.secret.push('x');
    let request = wrong.request("GET", "/bkt/", (&[], &[]), b"");
    let refused = bench.wire.call(&request).await;
    assert_eq!(refused.error(), (403, "SignatureDoesNotMatch"));
    // An error of the engine has the number of the request too.
    assert_eq!(
        refused.all("RequestId"),
        [refused.header("x-amz-request-id").unwrap()]
    );
    let hash = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    let v4 = bench.v4();
    let other = [("x-amz-content-sha256", hash)];
    let request = v4.request("PUT", "/bkt/k", (&other, &[]), b"x");
    assert_eq!(bench.wire.call(&request).await.status, 400);
}
