//! What browsers of other sites are told.

use crate::bench::{Bench, bench};
use crate::wire::Reply;

const RULES: &[u8] = b"<CORSConfiguration><CORSRule><AllowedOrigin>http://*.example.com</AllowedOrigin>\
    <AllowedMethod>GET</AllowedMethod><AllowedMethod>PUT</AllowedMethod><AllowedHeader>x-amz-*</AllowedHeader>\
    <ExposeHeader>ETag</ExposeHeader><MaxAgeSeconds>60</MaxAgeSeconds></CORSRule></CORSConfiguration>";

async fn preflight(bench: &mut Bench, fields: &str) -> Reply {
    let host = &bench.signer.host;
    let request = format!("OPTIONS /bkt/k HTTP/1.1\r\nhost: {host}\r\n{fields}\r\n");
    bench.wire.call(request.as_bytes()).await
}

#[tokio::test]
async fn preflights_are_answered_by_the_rules() {
    let mut bench = bench().await;
    let asked = "origin: http://a.example.com\r\naccess-control-request-method: PUT\r\n";
    let none = preflight(&mut bench, asked).await;
    assert_eq!(none.error(), (403, "AccessForbidden"));
    bench.call("PUT", "/bkt/?cors", &[], RULES).await;
    let reply = preflight(&mut bench, asked).await;
    assert_eq!(reply.status, 200);
    for (name, value) in [
        ("access-control-allow-origin", "http://a.example.com"),
        ("access-control-allow-methods", "GET, PUT"),
        ("access-control-max-age", "60"),
        ("access-control-expose-headers", "ETag"),
    ] {
        assert_eq!(reply.header(name), Some(value), "{name}");
    }
    for (fields, status) in [
        ("access-control-request-method: PUT\r\n", 400),
        ("origin: http://a.example.com\r\n", 400),
        (
            "origin: http://a.example.org\r\naccess-control-request-method: PUT\r\n",
            403,
        ),
        (
            "origin: http://a.example.com\r\naccess-control-request-method: DELETE\r\n",
            403,
        ),
    ] {
        let reply = preflight(&mut bench, fields).await;
        assert_eq!(reply.status, status, "{fields}");
    }
    let with = format!("{asked}access-control-request-headers: x-amz-date, content-type\r\n");
    assert_eq!(preflight(&mut bench, &with).await.status, 403);
}

#[tokio::test]
async fn answers_tell_the_origin_what_it_may_see() {
    let mut bench = bench().await;
    bench.call("PUT", "/bkt/?cors", &[], RULES).await;
    bench.call("PUT", "/bkt/k", &[], b"x").await;
    for (origin, told) in [
        ("http://a.example.com", Some("http://a.example.com")),
        ("http://a.example.org", None),
    ] {
        for (target, status) in [("/bkt/k", 200), ("/bkt/none", 404)] {
            let reply = bench.call("GET", target, &[("origin", origin)], b"").await;
            assert_eq!(reply.status, status, "{target}");
            let header = reply.header("access-control-allow-origin");
            assert_eq!(header, told, "{target}");
        }
    }
    let reply = bench.call("GET", "/bkt/k", &[], b"").await;
    assert_eq!(reply.header("access-control-allow-origin"), None);
}
