//! memcached: the clients that are measured on it, and the server.

pub mod cached;
pub mod contest;
#[cfg(feature = "memcached-peers")]
pub mod peers;
pub mod raw;

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use cache_layer::Memcached;

use crate::clients::{Client, Session};
use crate::{BoxError, machine};

/// Keys that are read, in no order.
pub const KEYS: usize = 1000;

/// One of the keys.
pub fn key() -> String {
    format!("bench/{}", fastrand::usize(..KEYS))
}

/// A memcached with one thread that is stopped when this is dropped.
#[derive(Debug)]
pub struct Server {
    child: Child,
    /// Where it listens.
    pub addr: SocketAddr,
}

impl Server {
    /// Starts it on these cores.
    ///
    /// # Errors
    /// When memcached is not installed or does not start.
    pub fn start(cores: &[usize]) -> Result<Self, BoxError> {
        let addr = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let cores = cores.to_vec();
        // A process inherits the cores of the thread that starts it.
        let start = move || -> Result<Child, BoxError> {
            machine::pin(&cores)?;
            let port = addr.port().to_string();
            Ok(Command::new("memcached")
                .args([
                    "-l",
                    "127.0.0.1",
                    "-U",
                    "0",
                    "-u",
                    "root",
                    "-t",
                    "1",
                    "-p",
                    &port,
                ])
                .stderr(Stdio::inherit())
                .spawn()?)
        };
        let child = std::thread::spawn(start)
            .join()
            .map_err(|_| "memcached did not start")??;
        let server = Self { child, addr };
        let until = Instant::now() + Duration::from_secs(5);
        while TcpStream::connect(addr).is_err() {
            if Instant::now() > until {
                return Err("memcached does not listen".into());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(server)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The client of this workspace.
#[derive(Clone, Debug)]
pub struct Ours(Memcached);

impl Ours {
    /// On so many connections, or as many as are its default.
    ///
    /// # Errors
    /// When it cannot be built.
    pub fn new(addr: SocketAddr, connections: Option<usize>) -> Result<Self, BoxError> {
        let mut builder = Memcached::builder().servers([addr.to_string()]);
        if let Some(n) = connections {
            builder = builder.connections(n);
        }
        Ok(Self(builder.timeout(Duration::from_secs(10)).build()?))
    }

    /// Stores a value of so many bytes under each key.
    ///
    /// # Errors
    /// When one is not stored.
    pub async fn fill(&self, body: usize) -> Result<(), BoxError> {
        for i in 0..KEYS {
            self.0.set(format!("bench/{i}"), vec![b'x'; body]).await?;
        }
        Ok(())
    }
}

impl Client for Ours {
    type Session = Self;

    fn session(&self) -> Self {
        self.clone()
    }
}

impl Session for Ours {
    async fn get(&mut self) -> Result<usize, BoxError> {
        let value = self.0.get(key()).send().await?;
        Ok(value.ok_or("a miss")?.data.len())
    }
}
