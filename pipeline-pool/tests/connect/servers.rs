//! Servers that answer every request with a text of their own.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use pipeline_pool::{HttpPool, Method, Origin, Request};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;

pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) accepted: Arc<AtomicUsize>,
}

impl Server {
    pub(crate) async fn start(text: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let accepted = Arc::new(AtomicUsize::new(0));
        let count = accepted.clone();
        tokio::spawn(async move {
            while let Ok((io, _)) = listener.accept().await {
                count.fetch_add(1, SeqCst);
                tokio::spawn(answer(io, text));
            }
        });
        Self { address, accepted }
    }

    pub(crate) fn origin(&self) -> Origin {
        Origin::parse(&format!("http://{}", self.address)).unwrap()
    }

    pub(crate) fn accepted(&self) -> usize {
        self.accepted.load(SeqCst)
    }
}

/// The head of what comes; nothing when the client has closed.
pub(crate) async fn head(io: &mut (impl AsyncRead + Unpin)) -> Option<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(io.read_u8().await.ok()?);
    }
    Some(String::from_utf8(head).unwrap())
}

/// Answers until the client closes.
pub(crate) async fn answer(mut io: impl AsyncRead + AsyncWrite + Unpin, text: &str) {
    while head(&mut io).await.is_some() {
        let reply = format!(
            "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{text}",
            text.len()
        );
        if io.write_all(reply.as_bytes()).await.is_err() || io.flush().await.is_err() {
            return;
        }
    }
}

/// The text that the origin's server answers with.
pub(crate) async fn ask(pool: &HttpPool, origin: &Origin) -> Result<String, pipeline_pool::Error> {
    let request = Request::new(Method::Get, origin, "/").unwrap();
    let (_, body) = pool.send(origin, request).await?.into_parts();
    Ok(String::from_utf8(body.as_whole().unwrap().to_vec()).unwrap())
}
