//! A server whose answers a test makes up.

#![allow(
    clippy::unwrap_used,
    reason = "this is test code outside of a test function"
)]

use std::sync::{Arc, Mutex};

use s3_client::request::RetryConfig;
use s3_client::{Credentials, S3Builder, S3Client};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// A request that has come.
#[derive(Clone, Debug, Default)]
pub(crate) struct Heard {
    /// Method and target: `GET /photos/k`.
    pub(crate) line: String,
    fields: Vec<(String, String)>,
    /// What came behind the head, framing included; nothing where the head was refused.
    pub(crate) body: Vec<u8>,
}

impl Heard {
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        let mut fields = self.fields.iter();
        let (_, value) = fields.find(|(other, _)| other.eq_ignore_ascii_case(name))?;
        Some(value)
    }
}

/// An answer of this status with these lines of its head and this body.
pub(crate) fn answer(status: u16, fields: &str, body: &str) -> String {
    let length = if status == 204 {
        String::new()
    } else {
        format!("Content-Length: {}\r\n", body.len())
    };
    format!("HTTP/1.1 {status} Said\r\n{fields}{length}\r\n{body}")
}

/// An answer that is an error.
pub(crate) fn refusal(status: u16, code: &str, message: &str) -> String {
    let body = format!("<Error><Code>{code}</Code><Message>{message}</Message></Error>");
    answer(status, "", &body)
}

type Answers = Arc<dyn Fn(&Heard) -> String + Send + Sync>;

/// A server that answers what it is told to; connections stay open.
pub(crate) struct Peer {
    url: String,
    heard: Arc<Mutex<Vec<Heard>>>,
}

impl Peer {
    /// One that answers each request with what this makes of its head.
    pub(crate) async fn start(answers: impl Fn(&Heard) -> String + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let heard = Arc::new(Mutex::new(Vec::new()));
        let (told, answers): (_, Answers) = (heard.clone(), Arc::new(answers));
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                tokio::spawn(serve(socket, answers.clone(), told.clone()));
            }
        });
        Self { url, heard }
    }

    /// A builder of clients that repeat without a pause.
    pub(crate) fn builder(&self) -> S3Builder {
        S3Client::builder()
            .endpoint(&self.url)
            .credentials(Credentials::new("AKID", "secret"))
            .retry(RetryConfig::new().random(|| 0.0))
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// What has come, in the order in which it was answered.
    pub(crate) fn heard(&self) -> Vec<Heard> {
        self.heard.lock().unwrap().clone()
    }

    /// The requests of this method, or whose method and target begin so.
    pub(crate) fn of(&self, start: &str) -> Vec<Heard> {
        let mut heard = self.heard();
        heard.retain(|heard| heard.line.starts_with(start));
        heard
    }
}

async fn serve(socket: TcpStream, answers: Answers, told: Arc<Mutex<Vec<Heard>>>) {
    let mut socket = BufReader::new(socket);
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
        let line = lines.next().unwrap().trim_end_matches(" HTTP/1.1");
        let mut heard = Heard {
            line: line.to_owned(),
            fields: lines
                .filter_map(|line| line.split_once(": "))
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
            body: Vec::new(),
        };
        let answer = answers(&heard);
        let refused = answer.starts_with("HTTP/1.1 4");
        let waits = heard.field("expect").is_some();
        if waits && !refused {
            socket
                .write_all(b"HTTP/1.1 100 Continue\r\n\r\n")
                .await
                .unwrap();
        }
        if !(waits && refused) {
            let length = heard
                .field("content-length")
                .unwrap_or("0")
                .parse()
                .unwrap();
            heard.body = vec![0; length];
            if socket.read_exact(&mut heard.body).await.is_err() {
                return;
            }
        }
        let is_head = heard.line.starts_with("HEAD ");
        told.lock().unwrap().push(heard);
        let end = answer.find("\r\n\r\n").unwrap() + 4;
        let sent = if is_head { &answer[..end] } else { &answer[..] };
        if socket.write_all(sent.as_bytes()).await.is_err() || (waits && refused) {
            return;
        }
    }
}
