//! Nodes of ejabberd that find each other by what is in the stores, and end with this program.

use std::fs::File;
use std::io::{self, Error};
use std::net::SocketAddr;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use emulator::Emulator;
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

/// What this program is called where ejabberd starts it.
pub(crate) const PROGRAM: &str = "ejabberd-cloud";
/// How long a node may take to start.
const START: Duration = Duration::from_secs(120);
/// How long a command may take.
const COMMAND: Duration = Duration::from_secs(60);

/// All nodes, and the folder with what they write.
pub(crate) struct Nodes {
    folder: TempDir,
    nodes: Vec<Node>,
}

struct Node {
    address: String,
    /// Nothing once it was killed.
    child: Option<Child>,
}

impl Nodes {
    /// Compiles what ejabberd needs.
    ///
    /// # Errors
    /// When Erlang or ejabberd is missing, with how to install it.
    pub(crate) fn prepare() -> io::Result<Self> {
        let folder = TempDir::with_prefix("chat_cloud")?;
        let built = Command::new(package().join("erlang/build.sh"))
            .arg(folder.path().join("shims"))
            .output()?;
        if !built.status.success() {
            let said = String::from_utf8_lossy(&built.stderr).into_owned();
            return Err(Error::other(said.trim().to_owned()));
        }
        // Under this name it is what ejabberd starts: see main.
        let programs = folder.path().join("bin");
        std::fs::create_dir(&programs)?;
        symlink(std::env::current_exe()?, programs.join(PROGRAM))?;
        Ok(Self {
            folder,
            nodes: Vec::new(),
        })
    }

    /// Starts one more node, which joins those that are there.
    pub(crate) async fn start(
        &mut self,
        emulator: &Emulator,
        memcached: Option<SocketAddr>,
    ) -> io::Result<()> {
        let number = self.nodes.len() + 1;
        let name = format!("n{number}");
        // Of this program alone, as long as it runs.
        let process = std::process::id();
        let address = format!(
            "127.{}.{}.{number}",
            100 + process / 250 % 150,
            1 + process % 250
        );
        let folder = self.folder.path();
        let said = File::create(folder.join(format!("{name}.out")))?;
        let path = std::env::var("PATH").unwrap_or_default();
        // It ends with this program, however that ends.
        let mut command = Command::new("setpriv");
        command
            .args(["--pdeathsig", "KILL", "bash"])
            .arg(package().join("scripts/node.sh"))
            .arg(folder.join(&name))
            .env("SHIMS", folder.join("shims"))
            .env("ADDRESS", &address)
            .env("NAME", &name)
            .env("COOKIE", format!("chat_cloud{process}"))
            .env("PATH", format!("{}:{path}", folder.join("bin").display()))
            .env("AWS_ACCESS_KEY_ID", emulator.access_key())
            .env("AWS_SECRET_ACCESS_KEY", emulator.secret_key())
            .env("EJABBERD_CLOUD_BUCKET", "chat")
            .env("EJABBERD_CLOUD_CREATE_BUCKET", "true")
            .env("EJABBERD_CLOUD_S3_ENDPOINT", emulator.url())
            .env("EJABBERD_CLOUD_SDB_ENDPOINT", emulator.url())
            .stdin(Stdio::null())
            .stdout(said.try_clone()?)
            .stderr(said);
        if let Some(server) = memcached {
            command.env("EJABBERD_CLOUD_CACHE_SERVERS", server.to_string());
            command.env("EJABBERD_CLOUD_CACHE_TTL", "60");
        }
        let child = command.spawn()?;
        self.nodes.push(Node {
            address: address.clone(),
            child: Some(child),
        });
        let until = Instant::now() + START;
        while post(&address, "status", &Value::Null).await.is_err() {
            let ended = self
                .nodes
                .last_mut()
                .and_then(|node| node.child.as_mut()?.try_wait().transpose());
            if ended.is_some() || Instant::now() > until {
                return Err(Error::other(format!(
                    "the node {name} does not start: {}",
                    self.said(&name)
                )));
            }
            sleep(Duration::from_millis(100)).await;
        }
        Ok(())
    }

    /// Kills a node with SIGKILL: it can say goodbye to nobody.
    pub(crate) fn kill(&mut self, number: usize) -> io::Result<()> {
        match self
            .nodes
            .get_mut(number)
            .and_then(|node| node.child.take())
        {
            Some(mut child) => child.kill().and_then(|()| child.wait().map(drop)),
            None => Ok(()),
        }
    }

    /// The addresses of those that run.
    pub(crate) fn addresses(&self) -> Vec<String> {
        let running = self.nodes.iter().filter(|node| node.child.is_some());
        running.map(|node| node.address.clone()).collect()
    }

    /// The last lines of what a node has printed, or has written to its log.
    fn said(&self, name: &str) -> String {
        let read = |path: PathBuf| std::fs::read_to_string(path).unwrap_or_default();
        let folder = self.folder.path();
        let text = read(folder.join(format!("{name}.out")))
            + &read(folder.join(name).join("log/ejabberd.log"));
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(5)..].join("; ")
    }
}

impl Drop for Nodes {
    fn drop(&mut self) {
        for number in 0..self.nodes.len() {
            // There is nobody left to tell.
            let _ = self.kill(number);
        }
    }
}

/// The folder with the scripts and the shims.
fn package() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../ejabberd-cloud")
}

/// A command of ejabberd's administration, and its answer.
pub(crate) async fn post(address: &str, command: &str, arguments: &Value) -> io::Result<Value> {
    let arguments = match arguments {
        Value::Null => "{}".to_owned(),
        arguments => arguments.to_string(),
    };
    let talk = async {
        let mut server = TcpStream::connect((address, 5280)).await?;
        let request = format!(
            "POST /api/{command} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\n\r\n{arguments}",
            arguments.len()
        );
        server.write_all(request.as_bytes()).await?;
        let mut answer = String::new();
        server.read_to_string(&mut answer).await?;
        io::Result::Ok(answer)
    };
    let answer = timeout(COMMAND, talk).await;
    let answer = answer.map_err(|_| Error::other(format!("{command} is not answered")))??;
    match answer.split_once("\r\n\r\n") {
        Some((head, body)) if head.starts_with("HTTP/1.1 200") => {
            serde_json::from_str(body).map_err(|error| Error::other(format!("{command}: {error}")))
        }
        _ => Err(Error::other(format!("{command} is refused: {answer}"))),
    }
}
