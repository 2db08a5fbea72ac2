//! Servers and clients as processes of their own.

use std::ffi::OsString;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::keys::{Keys, VARIABLE};
use crate::load::Sample;
use crate::server::{self, Counts, Mode, STATS_PATH};
use crate::{BoxError, machine};

/// A server that is stopped when this is dropped.
#[derive(Debug)]
pub struct Running {
    child: Child,
    /// Where it listens.
    pub addr: SocketAddr,
    /// Its files, to be removed.
    files: Option<PathBuf>,
}

impl Running {
    /// Starts this program as a server, on these cores.
    ///
    /// # Errors
    /// When it does not start.
    pub fn own(mode: &Mode, cores: &[usize]) -> Result<Self, BoxError> {
        let mut child = Command::new(std::env::current_exe()?)
            .arg("serve")
            .args(server::Args::of(mode, cores))
            .stdout(Stdio::piped())
            .spawn()?;
        let mut line = String::new();
        if let Some(out) = child.stdout.take() {
            BufReader::new(out).read_line(&mut line)?;
        }
        let Some(addr) = line
            .trim()
            .strip_prefix("listening ")
            .and_then(|a| a.parse().ok())
        else {
            child.kill()?;
            return Err("the server did not start".into());
        };
        Ok(Self {
            child,
            addr,
            files: None,
        })
    }

    /// Starts nginx in one process on these cores, serving one file of `body` bytes at `target`,
    /// and with `puts` storing what is PUT; over TLS if there is a file for its certificate.
    ///
    /// # Errors
    /// When nginx is not installed or does not start.
    pub fn nginx(
        target: &str,
        body: usize,
        puts: bool,
        tls: Option<&Path>,
        cores: &[usize],
    ) -> Result<Self, BoxError> {
        let addr = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let files = std::env::temp_dir().join(format!("bench-nginx-{}", std::process::id()));
        let file = files.join("root").join(target.trim_start_matches('/'));
        std::fs::create_dir_all(file.parent().ok_or("the target must be a path")?)?;
        std::fs::write(&file, vec![b'x'; body])?;
        let dir = files.display();
        // nginx tells no entity tag of what it has stored, and some clients insist on one.
        let puts = if puts {
            "dav_methods PUT; add_header ETag '\"0\"';"
        } else {
            ""
        };
        let (ssl, identity) = match tls {
            Some(certificate) => {
                let key = files.join("key.pem");
                crate::tls::files(certificate, &key)?;
                let (certificate, key) = (certificate.display(), key.display());
                let identity = format!("ssl_certificate {certificate}; ssl_certificate_key {key};");
                (" ssl", identity)
            }
            None => ("", String::new()),
        };
        // A single process, so that stopping it stops all of it. Apart from the requests per
        // connection (1,000 by default) it is as Debian ships it.
        let config = format!(
            "daemon off; master_process off; worker_processes 1; pid {dir}/pid;\n\
             error_log {dir}/error.log;\nevents {{ worker_connections 4096; }}\n\
             http {{ access_log off; sendfile on; tcp_nopush on; keepalive_requests 1000000000;\n\
             client_body_temp_path {dir}/t1; proxy_temp_path {dir}/t2; fastcgi_temp_path {dir}/t3;\n\
             uwsgi_temp_path {dir}/t4; scgi_temp_path {dir}/t5;\n\
             ssl_protocols TLSv1.2 TLSv1.3; ssl_prefer_server_ciphers on;\n\
             server {{ listen {addr}{ssl}; {identity} root {dir}/root; {puts} }} }}\n"
        );
        std::fs::write(files.join("nginx.conf"), config)?;
        let mut nginx = Command::new("nginx");
        nginx
            .arg("-e")
            .arg(files.join("error.log"))
            .arg("-c")
            .arg(files.join("nginx.conf"));
        // A process inherits the cores of the thread that starts it.
        let cores = cores.to_vec();
        let start = move || -> Result<Child, BoxError> {
            machine::pin(&cores)?;
            Ok(nginx.spawn()?)
        };
        let child = std::thread::spawn(start)
            .join()
            .map_err(|_| "nginx did not start")??;
        let running = Self {
            child,
            addr,
            files: Some(files),
        };
        let until = Instant::now() + Duration::from_secs(5);
        while TcpStream::connect(addr).is_err() {
            if Instant::now() > until {
                return Err("nginx does not listen".into());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(running)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if let Some(files) = &self.files {
            let _ = std::fs::remove_dir_all(files);
        }
    }
}

/// Runs a program as a client with these arguments and keys, to its end: this one, or another.
///
/// # Errors
/// When it fails, or prints no sample.
pub fn client(
    program: Option<&Path>,
    args: &[OsString],
    keys: Option<&Keys>,
) -> Result<Sample, BoxError> {
    let mut command = match program {
        Some(program) => Command::new(program),
        None => Command::new(std::env::current_exe()?),
    };
    match keys {
        Some(keys) => command.env(VARIABLE, keys.as_str()),
        None => command.env_remove(VARIABLE),
    };
    let output = command.args(args).stderr(Stdio::inherit()).output()?;
    if !output.status.success() {
        return Err(format!("the client ended with {}", output.status).into());
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// Runs the program of `simpledb.py` with this Python, as [`client`].
///
/// # Errors
/// When it fails, or prints no sample.
pub fn boto3(python: &Path, args: &[OsString]) -> Result<Sample, BoxError> {
    let mut line = vec!["-c".into(), include_str!("simpledb.py").into()];
    line.extend_from_slice(args);
    client(Some(python), &line, None)
}

/// Asks one of our own servers what it has seen, and has it count anew if `reset`.
///
/// # Errors
/// When it does not answer.
pub fn counts(addr: SocketAddr, reset: bool) -> Result<Counts, BoxError> {
    let mut stream = TcpStream::connect(addr)?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    let query = if reset { "?reset" } else { "" };
    stream.write_all(format!("GET {STATS_PATH}{query} HTTP/1.1\r\nhost: x\r\n\r\n").as_bytes())?;
    let mut input = Vec::new();
    let mut chunk = [0; 1024];
    loop {
        if let Some(head) = memchr::memmem::find(&input, b"\r\n\r\n")
            && let Ok(counts) = serde_json::from_slice(&input[head + 4..])
        {
            return Ok(counts);
        }
        let n = stream.read(&mut chunk)?;
        if n == 0 {
            return Err("the server gave no counts".into());
        }
        input.extend_from_slice(&chunk[..n]);
    }
}
