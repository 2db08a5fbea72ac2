//! A server whose every byte a test decides.
#![allow(unreachable_pub)]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use bytes::BytesMut;
use pipeline_pool::{HttpPool, Method, Origin, Request};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

/// Listens on a free port and hands over each connection as it comes.
pub struct Peer {
    pub origin: Origin,
    pub accepted: Arc<AtomicUsize>,
    connections: mpsc::UnboundedReceiver<Conn>,
}

/// The server's end of a connection.
pub struct Conn {
    io: TcpStream,
    input: BytesMut,
}

impl Peer {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let accepted = Arc::new(AtomicUsize::new(0));
        let (tx, connections) = mpsc::unbounded_channel();
        let count = accepted.clone();
        tokio::spawn(async move {
            while let Ok((io, _)) = listener.accept().await {
                io.set_nodelay(true).unwrap();
                count.fetch_add(1, SeqCst);
                let input = BytesMut::new();
                if tx.send(Conn { io, input }).is_err() {
                    return;
                }
            }
        });
        Self {
            origin: Origin::parse(&format!("http://{address}")).unwrap(),
            accepted,
            connections,
        }
    }

    pub async fn accept(&mut self) -> Conn {
        self.connections.recv().await.unwrap()
    }

    pub fn accepted(&self) -> usize {
        self.accepted.load(SeqCst)
    }
}

impl Conn {
    /// The next request: its target, and its body if it states a length. Nothing when the client
    /// has closed.
    pub async fn request(&mut self) -> Option<(String, Vec<u8>)> {
        loop {
            if let Some(end) = memchr::memmem::find(&self.input, b"\r\n\r\n") {
                let head = String::from_utf8(self.input.split_to(end + 4).to_vec()).unwrap();
                let target = head.split(' ').nth(1).unwrap().to_owned();
                let len = head
                    .lines()
                    .find_map(|line| line.strip_prefix("content-length: "))
                    .map_or(0, |n| n.parse().unwrap());
                while self.input.len() < len {
                    if !matches!(self.io.read_buf(&mut self.input).await, Ok(n) if n > 0) {
                        return None;
                    }
                }
                return Some((target, self.input.split_to(len).to_vec()));
            }
            match self.io.read_buf(&mut self.input).await {
                Ok(n) if n > 0 => {}
                _ => return None,
            }
        }
    }

    /// The next `n` bytes as they come.
    pub async fn exactly(&mut self, n: usize) -> String {
        while self.input.len() < n {
            assert_ne!(self.io.read_buf(&mut self.input).await.unwrap(), 0);
        }
        String::from_utf8(self.input.split_to(n).to_vec()).unwrap()
    }

    /// The target of the next request.
    pub async fn target(&mut self) -> String {
        self.request().await.unwrap().0
    }

    pub async fn write(&mut self, bytes: impl AsRef<[u8]>) {
        self.io.write_all(bytes.as_ref()).await.unwrap();
    }

    /// Writes, unless the client has closed; says whether it could.
    pub async fn try_write(&mut self, text: &str) -> bool {
        self.io.write_all(text.as_bytes()).await.is_ok()
    }

    /// Answers 200 with this body.
    pub async fn answer(&mut self, body: &str) {
        self.write(reply(body)).await;
    }

    /// Resets the connection.
    pub fn reset(self) {
        self.io.set_zero_linger().unwrap();
    }

    /// Reads all that comes until the client closes, and tells how many bytes that were.
    pub async fn drain(mut self) -> usize {
        let mut all = self.input.len();
        loop {
            self.input.clear();
            match self.io.read_buf(&mut self.input).await {
                Ok(n) if n > 0 => all += n,
                _ => return all,
            }
        }
    }

    /// Whether the client has closed; waits until it has.
    pub async fn closed(mut self) -> bool {
        self.request().await.is_none()
    }

    /// Answers every request with its own target until the client closes.
    pub async fn echo(mut self) {
        while let Some((target, _)) = self.request().await {
            self.answer(&target).await;
        }
    }
}

pub fn reply(body: &str) -> String {
    format!(
        "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

pub fn get(origin: &Origin, target: &str) -> Request {
    Request::new(Method::Get, origin, target).unwrap()
}

pub fn post(origin: &Origin, target: &str, body: &'static str) -> Request {
    let mut request = Request::new(Method::Post, origin, target).unwrap();
    request.body(body);
    request
}

/// Sends one request over a new connection and answers it.
pub async fn warm(pool: &HttpPool, peer: &mut Peer) -> Conn {
    let warm = tokio::spawn(pool.send(&peer.origin, get(&peer.origin, "/warm")));
    let mut conn = peer.accept().await;
    conn.target().await;
    conn.answer("").await;
    warm.await.unwrap().unwrap();
    conn
}
