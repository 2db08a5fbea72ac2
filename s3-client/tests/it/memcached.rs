//! A memcached that belongs to a test.

#![allow(
    clippy::unwrap_used,
    reason = "this is test code outside of a test function"
)]

use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use cache_layer::{Cache, CacheBuilder, Memcached};

pub(crate) struct Server {
    child: Child,
    pub(crate) name: String,
}

impl Server {
    pub(crate) fn start() -> Self {
        for _ in 0..20 {
            let free = TcpListener::bind("127.0.0.1:0").unwrap();
            let name = free.local_addr().unwrap().to_string();
            drop(free);
            let port = name.rsplit(':').next().unwrap();
            let child = Command::new("memcached")
                .args(["-u", "nobody", "-l", "127.0.0.1", "-p", port])
                .stdin(Stdio::null())
                .spawn()
                .expect("memcached is missing: install it (on Debian: apt-get install memcached)");
            let mut server = Self { child, name };
            // Another process: there is nothing to wait for but the time.
            for _ in 0..2000 {
                if TcpStream::connect(&server.name).is_ok() {
                    return server;
                }
                if server.child.try_wait().unwrap().is_some() {
                    break;
                }
                std::thread::sleep(Duration::from_millis(5));
            }
        }
        panic!("memcached did not come up");
    }

    /// SIGKILL.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// A cache as another process would have it.
    pub(crate) fn cache(&self) -> CacheBuilder {
        let memcached = Memcached::builder().servers([&self.name]).build().unwrap();
        Cache::builder(memcached, Duration::from_secs(60))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
