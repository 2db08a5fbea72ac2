//! A raw HTTP/1.1 connection, so that tests decide every byte that goes out.

use std::net::SocketAddr;
use std::time::{SystemTime, UNIX_EPOCH};

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

pub(crate) struct Wire(BufReader<TcpStream>);

#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Wire {
    pub(crate) async fn open(addr: SocketAddr) -> Self {
        Self(BufReader::new(TcpStream::connect(addr).await.unwrap()))
    }

    pub(crate) async fn send(&mut self, bytes: &[u8]) {
        self.0.get_mut().write_all(bytes).await.unwrap();
    }

    /// Reads one reply; one to a HEAD has no body, whatever its length says.
    pub(crate) async fn reply(&mut self, to_head: bool) -> Reply {
        let status = self.line().await;
        let status: u16 = status.split(' ').nth(1).unwrap().parse().unwrap();
        let mut headers = Vec::new();
        loop {
            let line = self.line().await;
            if line.is_empty() {
                break;
            }
            let (name, value) = line.split_once(": ").unwrap();
            headers.push((name.to_ascii_lowercase(), value.to_owned()));
        }
        let mut reply = Reply {
            status,
            headers,
            body: Vec::new(),
        };
        if !to_head && status != 204 && status != 304 {
            let length = reply.header("content-length").unwrap().parse().unwrap();
            reply.body.resize(length, 0);
            self.0.read_exact(&mut reply.body).await.unwrap();
        }
        reply
    }

    async fn line(&mut self) -> String {
        let mut line = String::new();
        self.0.read_line(&mut line).await.unwrap();
        line.strip_suffix("\r\n").unwrap().to_owned()
    }

    pub(crate) async fn call(&mut self, request: &[u8]) -> Reply {
        self.send(request).await;
        self.reply(request.starts_with(b"HEAD ")).await
    }
}

impl Reply {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(given, _)| given == name);
        found.map(|(_, value)| value.as_str())
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    /// What stands in each `<name>` element.
    pub(crate) fn all(&self, name: &str) -> Vec<&str> {
        let open = format!("<{name}>");
        let close = format!("</{name}>");
        let parts = self.text().split(&open).skip(1);
        parts
            .map(|part| part.split(&close).next().unwrap())
            .collect()
    }

    /// Status and error code.
    pub(crate) fn error(&self) -> (u16, &str) {
        (self.status, self.all("Code").first().copied().unwrap_or(""))
    }
}

pub(crate) fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    i64::try_from(since.as_secs()).unwrap()
}
