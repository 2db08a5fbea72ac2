//! A memcached process that belongs to a test.
#![allow(unreachable_pub)]

use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use cache_layer::memcached::{Memcached, MemcachedBuilder};
use rustix::process::{Pid, Signal, kill_process};

/// Runs until it is dropped.
pub struct Server {
    child: Child,
    /// What a client takes for it.
    pub name: String,
    args: Vec<String>,
    // Removed with the server.
    _dir: Option<tempfile::TempDir>,
}

impl Server {
    /// On a free port.
    pub fn start() -> Self {
        Self::with(&[])
    }

    /// On a free port, with more arguments.
    pub fn with(args: &[&str]) -> Self {
        for _ in 0..20 {
            let free = TcpListener::bind("127.0.0.1:0").unwrap();
            let address = free.local_addr().unwrap();
            drop(free);
            let port = address.port().to_string();
            let mut all = vec!["-l", "127.0.0.1", "-p", &port];
            all.extend(args);
            if let Some(server) = Self::spawn(&all, address.to_string(), None) {
                return server;
            }
        }
        panic!("no port was free");
    }

    /// On a unix socket.
    pub fn unix() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("m.sock").to_str().unwrap().to_owned();
        Self::spawn(&["-s", &path], path.clone(), Some(dir)).unwrap()
    }

    fn spawn(args: &[&str], name: String, dir: Option<tempfile::TempDir>) -> Option<Self> {
        let args = args.iter().map(|arg| (*arg).to_owned()).collect();
        let mut server = Self {
            child: run(&args),
            name,
            args,
            _dir: dir,
        };
        server.wait().then_some(server)
    }

    /// Waits until it takes connections; says whether it does.
    fn wait(&mut self) -> bool {
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_secs(60) {
            if self.child.try_wait().unwrap().is_some() {
                return false;
            }
            let there = match self.path() {
                Some(path) => std::os::unix::net::UnixStream::connect(path).is_ok(),
                None => TcpStream::connect(&self.name).is_ok(),
            };
            if there {
                return true;
            }
            // Another process: there is nothing to wait for but the time.
            std::thread::sleep(Duration::from_millis(5));
        }
        panic!("memcached did not come up");
    }

    fn path(&self) -> Option<PathBuf> {
        self.name
            .starts_with('/')
            .then(|| PathBuf::from(&self.name))
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// SIGSTOP: it keeps its connections and answers nothing.
    pub fn stop(&self) {
        self.signal(Signal::STOP);
        // Until it is stopped it answers.
        let stat = format!("/proc/{}/stat", self.child.id());
        while !std::fs::read_to_string(&stat).unwrap().contains(") T ") {
            std::thread::yield_now();
        }
    }

    /// SIGCONT: it goes on where it was.
    pub fn go_on(&self) {
        self.signal(Signal::CONT);
    }

    /// SIGKILL.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// The same again, after it was killed.
    pub fn start_again(&mut self) {
        let begun = Instant::now();
        loop {
            self.child = run(&self.args);
            if self.wait() {
                return;
            }
            // Somebody's outgoing connection may have taken its port.
            assert!(
                begun.elapsed() < Duration::from_secs(60),
                "its port is taken"
            );
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Says something to it over a connection of its own, and takes one line of what it answers.
    pub fn raw(&self, text: &str) -> String {
        let mut io = TcpStream::connect(&self.name).unwrap();
        io.write_all(text.as_bytes()).unwrap();
        let mut answer = Vec::new();
        let mut byte = [0];
        while io.read(&mut byte).unwrap() == 1 && byte != *b"\n" {
            answer.push(byte[0]);
        }
        String::from_utf8(answer).unwrap().trim_end().to_owned()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn run(args: &Vec<String>) -> Child {
    let child = Command::new("memcached")
        .args(["-U", "0", "-m", "64", "-u", "root"])
        .args(args)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    match child {
        Ok(child) => child,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            panic!(
                "memcached is missing: ./test.sh installs it (Debian: apt-get install memcached)"
            )
        }
        Err(error) => panic!("memcached does not start: {error}"),
    }
}

/// A builder that waits longer than a busy machine takes.
pub fn patient() -> MemcachedBuilder {
    Memcached::builder().timeout(Duration::from_secs(30))
}

/// A client of these servers.
pub fn client(servers: &[&Server]) -> Memcached {
    let names = servers.iter().map(|server| &server.name);
    patient().servers(names).build().unwrap()
}
