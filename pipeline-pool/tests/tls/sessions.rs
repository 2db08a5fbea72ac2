//! Handshakes that succeed.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use pipeline_pool::{Connect, Connecting, HttpPool, Io, Kind, Origin, Proxy, Resolve, Resolving};
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::version::{TLS12, TLS13};

use crate::authority::{Authority, BOTH, answer, ask, config, origin, serve};

#[tokio::test]
async fn a_later_connection_resumes_the_session() {
    for version in [&TLS12, &TLS13] {
        let authority = Authority::new();
        let address = serve(config(&authority.local(), &[version], None)).await;
        let pool = HttpPool::builder()
            .tls_roots(authority.pem())
            .unwrap()
            .build();
        let origin = origin(address);
        assert_eq!(ask(&pool, &origin).await.unwrap(), "full unknown none");
        assert_eq!(
            ask(&pool, &origin).await.unwrap(),
            "resumed unknown none",
            "{version:?}"
        );
        assert_eq!(pool.stats().opened(), 2);
    }
}

#[tokio::test]
async fn http_1_1_is_agreed_on() {
    let authority = Authority::new();
    let mut server = config(&authority.local(), BOTH, None);
    server.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let address = serve(server).await;
    let pool = HttpPool::builder()
        .tls_roots(authority.pem())
        .unwrap()
        .build();
    assert_eq!(
        ask(&pool, &origin(address)).await.unwrap(),
        "full unknown http/1.1"
    );
}

#[tokio::test]
async fn roots_add_up() {
    let (one, two) = (Authority::new(), Authority::new());
    let builder = HttpPool::builder().tls_roots(one.pem()).unwrap();
    let pool = builder.tls_roots(two.pem()).unwrap().build();
    for authority in [&one, &two] {
        let address = serve(config(&authority.local(), BOTH, None)).await;
        assert_eq!(
            ask(&pool, &origin(address)).await.unwrap(),
            "full unknown none"
        );
    }
}

#[tokio::test]
async fn a_client_shows_its_certificate() {
    for version in [&TLS12, &TLS13] {
        let (authority, clients) = (Authority::new(), Authority::new());
        let server = config(&authority.local(), &[version], Some(&clients));
        let address = serve(server).await;
        let paper = clients.paper("client.example", 2000, 4000);
        let builder = HttpPool::builder().tls_roots(authority.pem()).unwrap();
        let pool = builder
            .tls_client(&paper.chain, &paper.key)
            .unwrap()
            .build();
        assert_eq!(
            ask(&pool, &origin(address)).await.unwrap(),
            "full known none"
        );
    }
}

/// Leads to a server in this process, without a socket.
struct Within(Arc<ServerConfig>);

impl Connect for Within {
    fn connect(&self, _: &Origin) -> Connecting {
        let config = self.0.clone();
        Box::pin(async move {
            let (near, far) = tokio::io::duplex(4096);
            tokio::spawn(answer(config, far));
            Ok(Box::new(near) as Box<dyn Io>)
        })
    }
}

#[tokio::test]
async fn a_connectors_transport_gets_tls_for_https() {
    let authority = Authority::new();
    let paper = authority.paper("store.example", 2000, 4000);
    let server = Arc::new(config(&paper, BOTH, None));
    let builder = HttpPool::builder().tls_roots(authority.pem()).unwrap();
    let pool = builder.connector(Within(server)).build();
    let origin = Origin::parse("https://store.example").unwrap();
    assert_eq!(ask(&pool, &origin).await.unwrap(), "full unknown none");
    assert_eq!(ask(&pool, &origin).await.unwrap(), "resumed unknown none");
}

#[cfg(unix)]
#[tokio::test]
async fn a_connectors_unix_socket_gets_tls_for_https() {
    struct Pair(Arc<ServerConfig>);

    impl Connect for Pair {
        fn connect(&self, _: &Origin) -> Connecting {
            let pair = tokio::net::UnixStream::pair();
            let config = self.0.clone();
            Box::pin(async move {
                let (near, far) = pair?;
                tokio::spawn(answer(config, far));
                Ok::<Box<dyn Io>, io::Error>(Box::new(near))
            })
        }
    }

    let authority = Authority::new();
    let paper = authority.paper("store.example", 2000, 4000);
    let server = Arc::new(config(&paper, BOTH, None));
    let builder = HttpPool::builder().tls_roots(authority.pem()).unwrap();
    let pool = builder.connector(Pair(server)).build();
    let origin = Origin::parse("https://store.example").unwrap();
    assert_eq!(ask(&pool, &origin).await.unwrap(), "full unknown none");
}

#[tokio::test]
async fn tls_reaches_through_a_proxy() {
    let authority = Authority::new();
    let address = serve(config(
        &authority.paper("far.invalid", 2000, 4000),
        BOTH,
        None,
    ))
    .await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let proxy = Proxy::http(&listener.local_addr().unwrap().to_string()).unwrap();
    tokio::spawn(async move {
        while let Ok((mut near, _)) = listener.accept().await {
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(near.read_u8().await.unwrap());
            }
            assert!(head.starts_with(b"CONNECT far.invalid:443 HTTP/1.1\r\n"));
            near.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
            let mut far = TcpStream::connect(address).await.unwrap();
            let _ = copy_bidirectional(&mut near, &mut far).await;
        }
    });
    let builder = HttpPool::builder().tls_roots(authority.pem()).unwrap();
    let pool = builder.proxy(proxy).build();
    let origin = Origin::parse("https://far.invalid").unwrap();
    assert_eq!(ask(&pool, &origin).await.unwrap(), "full unknown none");
    assert_eq!(ask(&pool, &origin).await.unwrap(), "resumed unknown none");
}

/// Knows these addresses for every name.
struct Told(Vec<SocketAddr>);

impl Resolve for Told {
    fn resolve(&self, _: &str, _: u16) -> Resolving {
        let told = self.0.clone();
        Box::pin(async { Ok(told) })
    }
}

#[tokio::test]
async fn an_address_whose_handshake_fails_is_passed_over() {
    let authority = Authority::new();
    let name = "store.example";
    let bad = serve(config(
        &authority.paper("other.example", 2000, 4000),
        BOTH,
        None,
    ))
    .await;
    let good = serve(config(&authority.paper(name, 2000, 4000), BOTH, None)).await;
    let builder = HttpPool::builder().tls_roots(authority.pem()).unwrap();
    let pool = builder.resolver(Told(vec![bad, good])).build();
    let origin = Origin::parse(&format!("https://{name}")).unwrap();
    assert_eq!(ask(&pool, &origin).await.unwrap_err().kind(), Kind::Connect);
    assert_eq!(ask(&pool, &origin).await.unwrap(), "full unknown none");
}

#[cfg(feature = "platform-roots")]
#[test]
fn the_systems_roots_can_be_trusted() {
    match HttpPool::builder().tls_platform_roots() {
        Ok(builder) => assert!(!format!("{builder:?}").contains("roots: None")),
        // A bare system may have none, and then says so.
        Err(error) => assert_eq!(error.detail(), "the system has no TLS roots"),
    }
}
