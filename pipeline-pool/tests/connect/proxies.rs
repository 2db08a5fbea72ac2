//! Connections through a proxy.

use std::net::SocketAddr;

use pipeline_pool::{HttpPool, Kind, Origin, Proxy};
use tokio::io::{AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

use crate::servers::{Server, ask, head};

/// A proxy that leads every tunnel to one place, or refuses it with this answer, and tells what
/// it was asked.
async fn proxy(
    to: Result<SocketAddr, &'static str>,
) -> (SocketAddr, mpsc::UnboundedReceiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (tell, told) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((mut io, _)) = listener.accept().await {
            let tell = tell.clone();
            tokio::spawn(async move {
                let Some(asked) = head(&mut io).await else {
                    return;
                };
                tell.send(asked).unwrap();
                let target = match to {
                    Ok(target) => target,
                    Err(answer) => return io.write_all(answer.as_bytes()).await.unwrap(),
                };
                let mut target = TcpStream::connect(target).await.unwrap();
                io.write_all(b"HTTP/1.1 200 Go\r\nContent-Length: 9\r\n\r\n")
                    .await
                    .unwrap();
                let _ = copy_bidirectional(&mut io, &mut target).await;
            });
        }
    });
    (address, told)
}

#[tokio::test]
async fn requests_go_through_the_tunnel() {
    let server = Server::start("far").await;
    let (address, mut told) = proxy(Ok(server.address)).await;
    let proxy = Proxy::http(&format!("http://me:open%20sesame@{address}")).unwrap();
    let builder = HttpPool::builder().proxy(proxy);
    assert!(!format!("{builder:?}").contains("sesame"));
    let pool = builder.build();
    let origin = Origin::parse("http://only-the-proxy-knows.invalid:8080").unwrap();
    assert_eq!(ask(&pool, &origin).await.unwrap(), "far");
    assert_eq!(ask(&pool, &origin).await.unwrap(), "far");
    let asked = told.recv().await.unwrap();
    let place = "only-the-proxy-knows.invalid:8080";
    assert!(asked.starts_with(&format!("CONNECT {place} HTTP/1.1\r\nHost: {place}\r\n")));
    assert!(asked.contains("\r\nProxy-Authorization: Basic bWU6b3BlbiBzZXNhbWU=\r\n"));
    // Both requests used one tunnel.
    assert_eq!(server.accepted(), 1);
}

#[tokio::test]
async fn a_bypass_goes_straight() {
    let server = Server::start("near").await;
    let (address, mut told) = proxy(Err("HTTP/1.1 500 No\r\n\r\n")).await;
    let proxy = Proxy::http(&address.to_string())
        .unwrap()
        .bypass("127.0.0.0/8");
    let pool = HttpPool::builder().proxy(proxy).build();
    assert_eq!(ask(&pool, &server.origin()).await.unwrap(), "near");
    assert!(told.try_recv().is_err());
}

#[tokio::test]
async fn a_refusal_names_the_status_and_no_secret() {
    let refusal = "HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n";
    let (address, _told) = proxy(Err(refusal)).await;
    let proxy = Proxy::http(&format!("http://me:sesame@{address}")).unwrap();
    let pool = HttpPool::builder().proxy(proxy).build();
    let origin = Origin::parse("https://a.example").unwrap();
    let error = ask(&pool, &origin).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Connect);
    assert!(!error.may_have_been_sent());
    let expected =
        format!("no connection to https://a.example: the proxy {address} answered with status 407");
    assert_eq!(error.to_string(), expected);
    assert!(!format!("{error:?} {pool:?}").contains("sesame"));
}

#[tokio::test]
async fn a_proxy_that_is_not_there_is_named() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let pool = HttpPool::builder()
        .proxy(Proxy::http(&address.to_string()).unwrap())
        .build();
    let origin = Origin::parse("http://a.example").unwrap();
    let error = ask(&pool, &origin).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Connect);
    let expected = format!("no connection to the proxy {address}: ");
    assert!(error.to_string().starts_with(&expected), "{error}");
}
