//! Handshakes that fail, and what is said of them.

use std::time::Duration;

use pipeline_pool::{Error, HttpPool, Kind, Origin};
use tokio_rustls::rustls::version::{TLS12, TLS13};

use crate::authority::{Authority, BOTH, Paper, ask, config, origin, serve};

/// What a client that trusts `trusted` is told by a server with this paper.
async fn refused(paper: &Paper, trusted: &Authority) -> (Error, String) {
    let address = serve(config(paper, BOTH, None)).await;
    let pool = HttpPool::builder()
        .tls_roots(trusted.pem())
        .unwrap()
        .build();
    let origin = origin(address);
    let error = ask(&pool, &origin).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Connect);
    assert!(!error.may_have_been_sent());
    assert!(!error.to_string().contains('\n'));
    let stats = pool.stats();
    assert_eq!((stats.opened(), stats.replays()), (0, 0));
    (error, format!("no TLS connection to {origin}: "))
}

#[tokio::test]
async fn an_unknown_issuer_is_named_as_the_reason() {
    let (one, two) = (Authority::named("one"), Authority::named("two"));
    let (error, begin) = refused(&one.local(), &two).await;
    assert_eq!(
        error.detail(),
        format!("{begin}the issuer of its certificate is not trusted")
    );
}

#[tokio::test]
async fn a_forged_issuer_is_named_as_the_reason() {
    let (error, begin) = refused(&Authority::new().local(), &Authority::new()).await;
    let reason = "its certificate was not signed by the issuer that it names";
    assert_eq!(error.detail(), format!("{begin}{reason}"));
}

#[tokio::test]
async fn a_wrong_name_is_named_as_the_reason() {
    let authority = Authority::new();
    let paper = authority.paper("other.example", 2000, 4000);
    let (error, begin) = refused(&paper, &authority).await;
    assert_eq!(
        error.detail(),
        format!("{begin}its certificate is for another name")
    );
    assert!(error.to_string().contains("other.example"), "{error}");
}

#[tokio::test]
async fn an_expired_certificate_is_named_as_the_reason() {
    let authority = Authority::new();
    let (error, begin) = refused(&authority.paper("127.0.0.1", 2000, 2001), &authority).await;
    assert_eq!(
        error.detail(),
        format!("{begin}its certificate has expired")
    );
    let (error, begin) = refused(&authority.paper("127.0.0.1", 4000, 4001), &authority).await;
    assert_eq!(
        error.detail(),
        format!("{begin}its certificate is not valid yet")
    );
}

#[tokio::test]
async fn a_server_without_http_1_1_is_refused() {
    let authority = Authority::new();
    let mut server = config(&authority.local(), BOTH, None);
    server.alpn_protocols = vec![b"h2".to_vec()];
    let address = serve(server).await;
    let pool = HttpPool::builder()
        .tls_roots(authority.pem())
        .unwrap()
        .build();
    let error = ask(&pool, &origin(address)).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Connect);
    let expected = format!("no TLS connection to https://{address}: it does not speak HTTP/1.1");
    assert_eq!(error.detail(), expected);
    assert!(!error.is_without_tls());
}

#[tokio::test]
async fn a_server_without_tls_is_refused() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut io, _)) = listener.accept().await {
            let _ = tokio::io::AsyncWriteExt::write_all(&mut io, b"HTTP/1.1 400 No\r\n\r\n").await;
        }
    });
    let error = ask(&HttpPool::new(), &origin(address)).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Connect);
    // What is spoken within TLS need not have a URL, so that there is no word of one.
    let told = format!("no TLS connection to https://{address}: it does not speak TLS there");
    assert_eq!(error.detail(), told);
    assert!(error.is_without_tls());
}

#[tokio::test]
async fn a_client_without_certificate_is_refused() {
    for version in [&TLS12, &TLS13] {
        let (authority, clients) = (Authority::new(), Authority::new());
        let server = config(&authority.local(), &[version], Some(&clients));
        let address = serve(server).await;
        let pool = HttpPool::builder()
            .tls_roots(authority.pem())
            .unwrap()
            .build();
        let error = ask(&pool, &origin(address)).await.unwrap_err();
        // In TLS 1.3 the client is done before the server has looked at it.
        let late = version == &TLS13;
        assert_eq!(
            error.kind(),
            if late { Kind::Closed } else { Kind::Connect },
            "{error}"
        );
    }
}

#[test]
fn bad_settings_are_refused_at_once() {
    let authority = Authority::new();
    let (one, two) = (authority.local(), authority.local());
    let builder = HttpPool::builder;
    for error in [
        builder().tls_roots("").unwrap_err(),
        builder()
            .tls_roots("-----BEGIN CERTIFICATE-----\n!\n")
            .unwrap_err(),
        builder().tls_roots(&one.key).unwrap_err(),
        builder().tls_client("", &one.key).unwrap_err(),
        builder().tls_client(&one.chain, "").unwrap_err(),
        // A key that is not the certificate's.
        builder().tls_client(&one.chain, &two.key).unwrap_err(),
    ] {
        assert_eq!(error.kind(), Kind::Invalid);
    }
}

#[test]
fn keys_are_not_shown() {
    let paper = Authority::new().local();
    let builder = HttpPool::builder()
        .tls_client(&paper.chain, &paper.key)
        .unwrap();
    let shown = format!("{builder:?} {:?}", builder.clone().build());
    for line in paper.key.lines().filter(|line| !line.starts_with('-')) {
        assert!(!shown.contains(line));
    }
    assert!(shown.contains("client: true"), "{shown}");
}

/// Knows these addresses for every name.
struct Told(Vec<std::net::SocketAddr>);

impl pipeline_pool::Resolve for Told {
    fn resolve(&self, _: &str, _: u16) -> pipeline_pool::Resolving {
        let told = self.0.clone();
        Box::pin(async { Ok(told) })
    }
}

#[tokio::test(start_paused = true)]
async fn an_address_that_is_silent_in_the_handshake_is_tried_last() {
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let authority = Authority::new();
    let paper = authority.paper("store.example", 2000, 4000);
    let good = serve(config(&paper, BOTH, None)).await;
    let pool = HttpPool::builder()
        .tls_roots(authority.pem())
        .unwrap()
        .resolver(Told(vec![silent.local_addr().unwrap(), good]))
        .connect_timeout(Duration::from_millis(100))
        // Each request opens a connection.
        .max_age(Duration::ZERO)
        .build();
    let origin = Origin::parse("https://store.example").unwrap();
    let mut failed = 0;
    for _ in 0..6 {
        match ask(&pool, &origin).await {
            Ok(_) => {}
            Err(error) => {
                assert_eq!(error.kind(), Kind::Connect, "{error}");
                failed += 1;
            }
        }
        while pool.stats().connections > 0 {
            tokio::task::yield_now().await;
        }
    }
    assert_eq!(failed, 1, "of 6 openings");
}
