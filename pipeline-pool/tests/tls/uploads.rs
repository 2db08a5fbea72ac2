//! Requests that are more than a connection takes at once.

use std::sync::Arc;

use pipeline_pool::{Connect, Connecting, HttpPool, Io, Method, Origin, Request};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;

use crate::authority::{Authority, BOTH, config};

/// Leads to a server in this process, over a pipe that holds few bytes.
struct Narrow(Arc<ServerConfig>);

impl Connect for Narrow {
    fn connect(&self, _: &Origin) -> Connecting {
        let config = self.0.clone();
        Box::pin(async move {
            let (near, far) = tokio::io::duplex(1024);
            tokio::spawn(count(config, far));
            Ok(Box::new(near) as Box<dyn Io>)
        })
    }
}

/// Answers one request with the length of its body.
async fn count(config: Arc<ServerConfig>, io: DuplexStream) {
    let mut io = TlsAcceptor::from(config).accept(io).await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(io.read_u8().await.unwrap());
    }
    let head = String::from_utf8(head).unwrap();
    let length = head
        .lines()
        .find_map(|l| l.strip_prefix("content-length: "));
    let mut body = vec![0; length.unwrap().parse().unwrap()];
    io.read_exact(&mut body).await.unwrap();
    let text = body.len().to_string();
    let reply = format!(
        "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{text}",
        text.len()
    );
    io.write_all(reply.as_bytes()).await.unwrap();
    io.flush().await.unwrap();
    let _ = io.read_u8().await;
}

#[tokio::test(start_paused = true)]
async fn the_end_of_an_upload_leaves_however_slow_the_server_reads() {
    let authority = Authority::new();
    let paper = authority.paper("store.example", 2000, 4000);
    let server = Arc::new(config(&paper, BOTH, None));
    let builder = HttpPool::builder().tls_roots(authority.pem()).unwrap();
    let pool = builder.connector(Narrow(server)).build();
    let origin = Origin::parse("https://store.example").unwrap();
    let begun = tokio::time::Instant::now();
    for size in [1, 3000, 100_000, 1_000_000] {
        let mut request = Request::new(Method::Put, &origin, "/").unwrap();
        request.body(vec![b'x'; size]);
        let (_, body) = pool.send(&origin, request).await.unwrap().into_parts();
        assert_eq!(body.as_whole().unwrap(), &size.to_string());
    }
    // Nothing had to wait for a time limit.
    assert_eq!(begun.elapsed().as_secs(), 0);
}
