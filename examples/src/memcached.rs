//! memcached as a child process, on a free port of this machine.

use std::io::{self, Error, ErrorKind};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// A server that ends with this value.
#[derive(Debug)]
pub struct Memcached {
    program: String,
    /// Where it listens.
    pub addr: SocketAddr,
    child: Child,
}

impl Memcached {
    /// Starts this program on a free port, and waits until it takes connections.
    ///
    /// # Errors
    /// When it is not installed, with how to install it, or does not start.
    pub fn start(program: &str) -> io::Result<Self> {
        let mut refused = Error::other("no port is free");
        for _ in 0..20 {
            let addr = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
            match up(program, addr) {
                Ok(child) => {
                    return Ok(Self {
                        program: program.to_owned(),
                        addr,
                        child,
                    });
                }
                // Another program may have taken the port meanwhile.
                Err(error) if error.kind() == ErrorKind::BrokenPipe => refused = error,
                Err(error) => return Err(error),
            }
        }
        Err(refused)
    }

    /// Kills it with SIGKILL: it can say goodbye to nobody.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn kill(&mut self) -> io::Result<()> {
        self.child.kill()?;
        self.child.wait().map(drop)
    }

    /// Starts it again where it was, and empty.
    ///
    /// # Errors
    /// As [`start`](Self::start); when its port is taken and stays so.
    pub fn start_again(&mut self) -> io::Result<()> {
        let until = Instant::now() + Duration::from_secs(10);
        loop {
            match up(&self.program, self.addr) {
                Ok(child) => {
                    self.child = child;
                    return Ok(());
                }
                // A connection that somebody opens to elsewhere may have its port for a while.
                Err(error) if error.kind() == ErrorKind::BrokenPipe && Instant::now() < until => {
                    sleep(Duration::from_millis(50));
                }
                Err(error) => return Err(error),
            }
        }
    }
}

impl Drop for Memcached {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Starts it; that it ends at once is a broken pipe.
fn up(program: &str, addr: SocketAddr) -> io::Result<Child> {
    let port = addr.port().to_string();
    let mut command = Command::new(program);
    command
        .args(["-l", "127.0.0.1", "-p", &port, "-U", "0", "-u", "nobody"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let mut child = command.spawn().map_err(|error| match error.kind() {
        ErrorKind::NotFound => Error::new(
            ErrorKind::NotFound,
            format!("there is no {program}: install it, as by `apt install memcached`"),
        ),
        _ => Error::new(error.kind(), format!("{program}: {error}")),
    })?;
    let until = Instant::now() + Duration::from_secs(30);
    while TcpStream::connect(addr).is_err() {
        if let Some(status) = child.try_wait()? {
            let text = format!("{program} ended at once, with {status}");
            return Err(Error::new(ErrorKind::BrokenPipe, text));
        }
        if Instant::now() > until {
            child.kill()?;
            child.wait()?;
            return Err(Error::other(format!("{program} does not listen")));
        }
        sleep(Duration::from_millis(10));
    }
    Ok(child)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_program_is_a_sentence() {
        let error = Memcached::start("/nonexistent/memcached").unwrap_err();
        let text = error.to_string();
        assert!(
            text.contains("/nonexistent/memcached") && text.contains("install"),
            "{text}"
        );
    }

    #[test]
    fn what_is_no_server_is_said_to_end() {
        let error = Memcached::start("true").unwrap_err();
        assert!(error.to_string().contains("ended at once"), "{error}");
    }

    #[test]
    fn it_comes_back_where_it_was() {
        let mut server = Memcached::start("memcached").unwrap();
        server.kill().unwrap();
        assert!(TcpStream::connect(server.addr).is_err());
        server.start_again().unwrap();
        assert!(TcpStream::connect(server.addr).is_ok());
    }
}
