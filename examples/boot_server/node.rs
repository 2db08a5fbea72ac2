//! A node: this program as a process of its own, which follows until it is killed or its parent has ended.

use std::error::Error;
use std::io::{self, BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use examples::say;
use s3_client::{Credentials, S3Client};
use s3_sync::release::{App, Hooks, Notice};

/// The first argument that makes this program a node.
const ROLE: &str = "run-node";
/// What a node prints when it holds in the middle of a change.
const HELD: &str = "held";

/// Runs as a node if this process was started as one.
pub(crate) fn run_if_asked() -> Option<ExitCode> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let (role, args) = args.split_first()?;
    if role != ROLE {
        return None;
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let ran = runtime
        .map_err(Box::from)
        .and_then(|runtime| runtime.block_on(Box::pin(run(args))));
    Some(match ran {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say("boot_server: node", format_args!("{error}"));
            ExitCode::FAILURE
        }
    })
}

async fn run(args: &[String]) -> Result<(), Box<dyn Error>> {
    let [endpoint, url, folder, name, hold] = args else {
        return Err("a node has five arguments".into());
    };
    // It ends with its parent, however that ends.
    std::thread::spawn(|| {
        let _end = io::copy(&mut io::stdin().lock(), &mut io::sink());
        std::process::exit(0);
    });
    let access = std::env::var("AWS_ACCESS_KEY_ID")?;
    let secret = std::env::var("AWS_SECRET_ACCESS_KEY")?;
    let client = S3Client::builder()
        .endpoint(endpoint)
        .credentials(Credentials::new(access, secret))
        .build()?;
    let app = App::new(&client, &url.parse()?);
    let log = Path::new(folder).join("commands");
    let command = |what: &str| format!("echo {what} >> '{}'", log.display());
    let hooks = Hooks::new()
        .on("chat/**", command("restart chat"))?
        .on("mail/**", command("restart mail"))?;
    let written = AtomicU64::new(0);
    let hold = hold == HELD;
    let follow = app
        .follow(folder)
        .name(name)
        .every(Duration::from_millis(50))
        .hooks(hooks);
    let follow = follow
        .concurrency(if hold { 1 } else { 64 })
        .on_step(move |step| {
            // The manifest and the first content are there; the second is about to be written.
            if hold && step.what == "write" && written.fetch_add(1, Ordering::Relaxed) == 2 {
                print(HELD);
                std::thread::sleep(Duration::from_secs(3600));
            }
        });
    let follow = follow.on_notice(|notice| match notice {
        Notice::Changed(release) => print(&release.number.to_string()),
        Notice::Failed(error) => say("boot_server: node", format_args!("{error}")),
        _ => {}
    });
    Ok(follow.start()?.run().await?)
}

/// Tells the parent, which may have ended.
fn print(line: &str) {
    let _unread = writeln!(io::stdout().lock(), "{line}");
}

/// A node that runs.
#[derive(Debug)]
pub(crate) struct Node {
    child: Child,
    lines: io::Lines<BufReader<std::process::ChildStdout>>,
}

impl Node {
    /// Starts a node that follows the application in this folder.
    pub(crate) fn start(
        endpoint: &str,
        keys: (&str, &str),
        url: &str,
        folder: &Path,
        name: &str,
        hold: bool,
    ) -> io::Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .args([ROLE, endpoint, url])
            .arg(folder)
            .args([name, if hold { HELD } else { "" }])
            .env("AWS_ACCESS_KEY_ID", keys.0)
            .env("AWS_SECRET_ACCESS_KEY", keys.1)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let stdout = child
            .stdout
            .take()
            .ok_or_else(|| io::Error::other("a node has no output"))?;
        let lines = BufReader::new(stdout).lines();
        Ok(Self { child, lines })
    }

    /// Waits until it runs this release.
    pub(crate) fn wait_for(&mut self, release: u64) -> io::Result<()> {
        self.wait(&release.to_string())
    }

    /// Waits until it is in the middle of a change.
    pub(crate) fn wait_until_held(&mut self) -> io::Result<()> {
        self.wait(HELD)
    }

    fn wait(&mut self, expected: &str) -> io::Result<()> {
        for line in self.lines.by_ref() {
            if line? == expected {
                return Ok(());
            }
        }
        Err(io::Error::other("a node has ended"))
    }

    /// Kills it, by SIGKILL.
    pub(crate) fn kill(mut self) -> io::Result<()> {
        self.child.kill()?;
        self.child.wait().map(drop)
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ended = self.child.kill();
        let _status = self.child.wait();
    }
}
