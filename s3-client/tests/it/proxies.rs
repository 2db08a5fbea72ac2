//! Clients behind a proxy that the environment names. The proxy is a script: it keeps what it is asked, and answers what
//! comes through the tunnel itself.

#![allow(
    clippy::unwrap_used,
    reason = "this is test code outside of a test function"
)]

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use emulator::Emulator;
use s3_client::request::RetryConfig;
use s3_client::shared_config::Variables;
use s3_client::transport::Proxy;
use s3_client::{Credentials, HttpPool, Kind, S3Builder, S3Client};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// What [`proxy`] was asked for, by its first line and its authorization.
type Asked = Arc<Mutex<Vec<(String, Option<String>)>>>;

/// A proxy that opens each tunnel, where every request gets an empty answer, or that refuses all of them.
async fn proxy(opens: bool) -> (SocketAddr, Asked) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let asked = Asked::default();
    let told = asked.clone();
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            tokio::spawn(serve(socket, told.clone(), opens));
        }
    });
    (address, asked)
}

async fn serve(mut socket: TcpStream, told: Asked, opens: bool) {
    loop {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            match socket.read_u8().await {
                Ok(byte) => head.push(byte),
                Err(_) => return,
            }
        }
        let head = String::from_utf8(head).unwrap();
        let mut lines = head.lines();
        let line = lines.next().unwrap().to_owned();
        let allowed = lines.find_map(|line| line.strip_prefix("Proxy-Authorization: "));
        told.lock()
            .unwrap()
            .push((line, allowed.map(str::to_owned)));
        let answer = match opens {
            true => "HTTP/1.1 200 Fine\r\nContent-Length: 0\r\n\r\n",
            false => "HTTP/1.1 407 Who are you\r\nContent-Length: 0\r\n\r\n",
        };
        if socket.write_all(answer.as_bytes()).await.is_err() {
            return;
        }
    }
}

/// `me` with the password `open sesame`.
const BASIC: &str = "Basic bWU6b3BlbiBzZXNhbWU=";

fn url(proxy: SocketAddr) -> String {
    format!("http://me:open%20sesame@{proxy}")
}

fn builder(variables: &[(&str, &str)]) -> S3Builder {
    let variables: Variables = variables.iter().copied().collect();
    S3Client::builder()
        .from_variables(variables)
        .retry(RetryConfig::none())
}

fn secret(text: &str) -> bool {
    ["sesame", "bWU6b3Bl"]
        .iter()
        .any(|part| text.contains(part))
}

#[tokio::test]
async fn requests_go_through_the_proxy_of_the_environment() {
    for name in ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"] {
        let (address, asked) = proxy(true).await;
        let url = url(address);
        let s3 = builder(&[(name, &url), ("NO_PROXY", "other.example")])
            .endpoint("http://store.invalid:9000")
            .credentials(Credentials::new("id", "secret"))
            .build()
            .unwrap();
        s3.bucket("photos").put("cat.jpg", "").await.unwrap();
        let asked = asked.lock().unwrap();
        let tunnel = "CONNECT store.invalid:9000 HTTP/1.1".to_owned();
        let put = "PUT /photos/cat.jpg HTTP/1.1".to_owned();
        assert_eq!(
            *asked,
            [(tunnel, Some(BASIC.to_owned())), (put, None)],
            "{name}: the password is for the proxy alone"
        );
        let shown = format!("{s3:?}");
        assert!(!secret(&shown), "{shown}");
    }
}

/// A pool of a program's own goes its own way, and one that it sets up does not.
#[tokio::test]
async fn a_pool_that_is_set_up_goes_through_the_proxy_of_the_environment() {
    let (address, asked) = proxy(true).await;
    let url = url(address);
    let client = || {
        let client = builder(&[("http_proxy", &url)]).endpoint("http://store.invalid:9000");
        client.credentials(Credentials::new("id", "secret"))
    };
    let s3 = client().pool_with(|pool| pool.max_connections(1));
    let photos = s3.build().unwrap().bucket("photos");
    let puts = (0..3).map(|n| photos.put(format!("{n}"), "").send());
    for put in futures_util::future::join_all(puts).await {
        put.unwrap();
    }
    let tunnels = |asked: &Asked| {
        let asked = asked.lock().unwrap();
        asked
            .iter()
            .filter(|(line, _)| line.starts_with("CONNECT"))
            .count()
    };
    assert_eq!(tunnels(&asked), 1, "of one connection");
    // What the program says of the proxy counts first.
    let (other, asked_other) = proxy(true).await;
    let own = Proxy::http(&format!("http://{other}")).unwrap();
    let s3 = client().pool_with(|pool| pool.proxy(own)).build().unwrap();
    s3.bucket("photos").put("k", "").await.unwrap();
    assert_eq!((tunnels(&asked), tunnels(&asked_other)), (1, 1));
    // Without an environment it is the client's own pool, too.
    let own = Proxy::http(&format!("http://{other}")).unwrap();
    let s3 = S3Client::builder().endpoint("http://store.invalid:9000");
    let s3 = s3.credentials(Credentials::new("id", "secret"));
    let s3 = s3.pool_with(|pool| pool.proxy(own)).build().unwrap();
    s3.bucket("photos").put("k", "").await.unwrap();
    assert_eq!(tunnels(&asked_other), 2);
    // Said several times, all of it counts.
    let (third, asked_third) = proxy(true).await;
    let own = Proxy::http(&format!("http://{third}")).unwrap();
    let s3 = client().pool_with(|pool| pool.proxy(own));
    let s3 = s3.pool_with(|pool| pool.max_connections(1));
    let photos = s3.build().unwrap().bucket("photos");
    let puts = (0..3).map(|n| photos.put(format!("{n}"), "").send());
    for put in futures_util::future::join_all(puts).await {
        put.unwrap();
    }
    assert_eq!(tunnels(&asked_third), 1, "of one connection");
    let both = client()
        .pool_with(|pool| pool)
        .pool(HttpPool::builder().build());
    let error = both.build().unwrap_err().to_string();
    assert!(error.contains("pool_with("), "{error}");
}

#[cfg(feature = "tls")]
#[tokio::test]
async fn a_refused_tunnel_is_told_without_the_password() {
    for name in ["https_proxy", "HTTPS_PROXY", "ALL_PROXY"] {
        let (address, asked) = proxy(false).await;
        let url = url(address);
        let builder = builder(&[(name, &url), ("AWS_REGION", "eu-west-1")]);
        let builder = builder.credentials(Credentials::new("id", "secret"));
        let shown = format!("{builder:?}");
        assert!(!secret(&shown), "{shown}");
        let error = builder.build().unwrap().list_buckets().await.unwrap_err();
        let shown = format!("{error} {error:?} {error:#}");
        assert!(shown.contains("407") && !secret(&shown), "{name}: {shown}");
        let asked = asked.lock().unwrap();
        let tunnel = "CONNECT s3.eu-west-1.amazonaws.com:443 HTTP/1.1".to_owned();
        assert_eq!(*asked, [(tunnel, Some(BASIC.to_owned()))], "{name}");
    }
}

#[tokio::test]
async fn what_the_environment_excepts_is_reached_without_it() {
    let store = Emulator::start().await.unwrap();
    let (address, asked) = proxy(false).await;
    let url = url(address);
    for except in ["no_proxy", "NO_PROXY"] {
        let s3 = builder(&[("ALL_PROXY", &url), (except, "127.0.0.0/8")])
            .endpoint(store.url())
            .credentials(Credentials::new(store.access_key(), store.secret_key()))
            .build()
            .unwrap();
        s3.list_buckets().await.unwrap();
    }
    assert_eq!(*asked.lock().unwrap(), []);
}

#[tokio::test]
async fn a_pool_that_was_given_goes_its_own_way() {
    let store = Emulator::start().await.unwrap();
    let s3 = builder(&[("ALL_PROXY", "socks5://me:sesame@127.0.0.1:1")])
        .endpoint(store.url())
        .credentials(Credentials::new(store.access_key(), store.secret_key()))
        .pool(pipeline_pool::HttpPool::builder().build())
        .build()
        .unwrap();
    s3.list_buckets().await.unwrap();
}

#[tokio::test]
async fn a_proxy_that_cannot_be_read_is_an_error_of_build() {
    let error = builder(&[("ALL_PROXY", "socks5://me:sesame@127.0.0.1:1")])
        .endpoint("http://store.invalid")
        .credentials(Credentials::new("id", "secret"))
        .build()
        .unwrap_err();
    let shown = format!("{error} {error:?}");
    assert_eq!(error.kind(), Kind::Invalid);
    assert!(shown.contains("ALL_PROXY") && !secret(&shown), "{shown}");
}

#[tokio::test]
async fn the_token_service_is_asked_through_it_too() {
    let (address, asked) = proxy(false).await;
    let folder = tempfile::tempdir().unwrap();
    let token = folder.path().join("token");
    std::fs::write(&token, "a.b.c").unwrap();
    let url = url(address);
    let s3 = builder(&[
        ("HTTP_PROXY", &url),
        ("HOME", folder.path().to_str().unwrap()),
        ("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/reader"),
        ("AWS_WEB_IDENTITY_TOKEN_FILE", token.to_str().unwrap()),
        ("AWS_ENDPOINT_URL_STS", "http://sts.invalid"),
        ("AWS_REGION", "eu-west-1"),
    ])
    .endpoint("http://store.invalid");
    let error = s3.build().unwrap().list_buckets().await.unwrap_err();
    let shown = format!("{error} {error:?}");
    assert!(!secret(&shown), "{shown}");
    let asked = asked.lock().unwrap();
    let tunnel = "CONNECT sts.invalid:80 HTTP/1.1";
    assert!(!asked.is_empty(), "{shown}");
    assert!(asked.iter().all(|(line, _)| line == tunnel), "{asked:?}");
}
