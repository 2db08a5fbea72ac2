//! Redis as riak_redis_backend used it: a value, and three sets beside it that tell what there is.

use std::io::{Error, ErrorKind, Result};
use std::net::{SocketAddr, TcpListener};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;

const PARTITION: &str = "p";

/// A server that keeps nothing on disk, and ends with this value.
pub(crate) struct Redis {
    pub(crate) addr: SocketAddr,
    child: Child,
}

impl Redis {
    /// Starts this program on a free port, and waits until it takes connections.
    pub(crate) fn start(program: &str) -> Result<Self> {
        let addr = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let port = addr.port().to_string();
        let child = Command::new(program)
            .args(["--bind", "127.0.0.1", "--port", &port, "--save", ""])
            .args(["--appendonly", "no"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| match error.kind() {
                ErrorKind::NotFound => Error::new(
                    ErrorKind::NotFound,
                    format!("there is no {program}: install it, as by `apt install redis-server`"),
                ),
                kind => Error::new(kind, format!("{program}: {error}")),
            })?;
        let mut server = Self { addr, child };
        let until = Instant::now() + Duration::from_secs(30);
        while std::net::TcpStream::connect(addr).is_err() {
            if let Some(status) = server.child.try_wait()? {
                return Err(Error::other(format!(
                    "{program} ended at once, with {status}"
                )));
            }
            if Instant::now() > until {
                return Err(Error::other(format!("{program} does not listen")));
            }
            sleep(Duration::from_millis(10));
        }
        Ok(server)
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A connection, on which the commands of one call are sent together.
pub(crate) struct Connection {
    stream: BufReader<TcpStream>,
    commands: Arc<AtomicU64>,
}

/// What a command was answered with.
enum Reply {
    Other,
    Bytes(Option<Vec<u8>>),
    Many(usize),
}

impl Connection {
    pub(crate) async fn open(addr: SocketAddr, commands: Arc<AtomicU64>) -> Result<Self> {
        let stream = TcpStream::connect(addr).await?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream: BufReader::new(stream),
            commands,
        })
    }

    /// Four commands: the value, and the three sets.
    pub(crate) async fn put(&mut self, bucket: &str, key: &str, value: &[u8]) -> Result<()> {
        let names = Names::new(bucket, key);
        let put = [
            &[b"SADD", names.buckets.as_bytes(), bucket.as_bytes()][..],
            &[b"SET", names.value.as_bytes(), value],
            &[b"SADD", names.keys.as_bytes(), key.as_bytes()],
            &[b"SADD", names.world.as_bytes(), names.pair.as_bytes()],
        ];
        self.all(&put).await.map(drop)
    }

    /// The four opposites.
    pub(crate) async fn delete(&mut self, bucket: &str, key: &str) -> Result<()> {
        let names = Names::new(bucket, key);
        let delete = [
            &[b"SREM", names.buckets.as_bytes(), bucket.as_bytes()][..],
            &[b"DEL", names.value.as_bytes()],
            &[b"SREM", names.keys.as_bytes(), key.as_bytes()],
            &[b"SREM", names.world.as_bytes(), names.pair.as_bytes()],
        ];
        self.all(&delete).await.map(drop)
    }

    pub(crate) async fn get(&mut self, bucket: &str, key: &str) -> Result<Option<Vec<u8>>> {
        let names = Names::new(bucket, key);
        match self.all(&[&[b"GET", names.value.as_bytes()]]).await?.pop() {
            Some(Reply::Bytes(value)) => Ok(value),
            _ => Err(Error::other("Redis: the answer to GET is no value")),
        }
    }

    /// How many pairs of bucket and key there are.
    pub(crate) async fn world(&mut self) -> Result<usize> {
        let names = Names::new("", "");
        let list = self.all(&[&[b"SMEMBERS", names.world.as_bytes()]]).await?;
        match list.first() {
            Some(Reply::Many(count)) => Ok(*count),
            _ => Err(Error::other("Redis: the answer to SMEMBERS is no list")),
        }
    }

    /// Sends some commands in one write, and reads as many answers.
    async fn all(&mut self, commands: &[&[&[u8]]]) -> Result<Vec<Reply>> {
        let mut out = Vec::new();
        for command in commands {
            out.extend_from_slice(format!("*{}\r\n", command.len()).as_bytes());
            for part in *command {
                out.extend_from_slice(format!("${}\r\n", part.len()).as_bytes());
                out.extend_from_slice(part);
                out.extend_from_slice(b"\r\n");
            }
        }
        let count = commands.len();
        self.commands.fetch_add(count as u64, Ordering::Relaxed);
        self.stream.get_mut().write_all(&out).await?;
        let mut replies = Vec::with_capacity(count);
        for _ in 0..count {
            replies.push(self.reply().await?);
        }
        Ok(replies)
    }

    /// Reads an answer of the [protocol](https://redis.io/docs/latest/develop/reference/protocol-spec/).
    async fn reply(&mut self) -> Result<Reply> {
        let line = self.line().await?;
        Ok(match line.split_at(1) {
            ("-", error) => return Err(Error::other(format!("Redis: {error}"))),
            ("$", length) => Reply::Bytes(self.bytes(length).await?),
            ("*", count) => {
                let count = number(count)?.unwrap_or(0);
                for _ in 0..count {
                    let line = self.line().await?;
                    let length = line.strip_prefix('$');
                    let length = length.ok_or_else(|| Error::other("Redis: a list of lists"))?;
                    self.bytes(length).await?;
                }
                Reply::Many(count)
            }
            _ => Reply::Other,
        })
    }

    async fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        self.stream.read_line(&mut line).await?;
        match line.strip_suffix("\r\n") {
            Some(line) if !line.is_empty() => Ok(line.to_owned()),
            _ => Err(Error::other("Redis: the connection was closed")),
        }
    }

    async fn bytes(&mut self, length: &str) -> Result<Option<Vec<u8>>> {
        let Some(length) = number(length)? else {
            return Ok(None);
        };
        let mut bytes = vec![0; length + 2];
        self.stream.read_exact(&mut bytes).await?;
        bytes.truncate(length);
        Ok(Some(bytes))
    }
}

/// A length or a count; nothing where it is -1.
fn number(text: &str) -> Result<Option<usize>> {
    match text {
        "-1" => Ok(None),
        text => match text.parse() {
            Ok(number) => Ok(Some(number)),
            Err(_) => Err(Error::other(format!("Redis: {text:?} is no length"))),
        },
    }
}

/// The names of one value and its sets.
struct Names {
    buckets: String,
    value: String,
    keys: String,
    world: String,
    pair: String,
}

impl Names {
    fn new(bucket: &str, key: &str) -> Self {
        Self {
            buckets: format!("buckets:{PARTITION}"),
            value: format!("{PARTITION}{bucket}{key}"),
            keys: format!("{PARTITION}{bucket}"),
            world: format!("world:{PARTITION}"),
            pair: format!("{bucket}\0{key}"),
        }
    }
}
