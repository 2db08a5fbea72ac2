//! A node of ejabberd with an emulator under it.

use std::fs::File;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::cloud::Cloud;
use crate::faults::{Held, Refused};
use crate::memcached::Server as Memcached;
use crate::meter::Meter;
use crate::tools::{package, shims};

/// How long a node may take to start, on a machine that does much else.
const START: Duration = Duration::from_secs(90);

/// The port on which nodes talk to each other, each at an address of its own.
const DISTRIBUTION: &str = "14369";

/// What is special about a node.
#[derive(Clone)]
pub(crate) struct Plan {
    /// What the node is called before the `@`, if others can join it.
    pub(crate) name: Option<&'static str>,
    /// The domain that is served, as a machine in the network does it: by TLS alone.
    pub(crate) domain: Option<&'static str>,
    /// How many seconds a call waits.
    pub(crate) timeout: u32,
    /// Whether ejabberd keeps what it has read.
    pub(crate) caches: bool,
    /// Whether a memcached stands in front of the stores.
    pub(crate) memcached: bool,
    /// Whether passwords are checked by `ejabberd-cloud extauth`.
    pub(crate) external: bool,
    /// How many stanzas a session keeps that are not acknowledged, if not as many as by default.
    pub(crate) unacknowledged: Option<u32>,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            name: None,
            domain: None,
            timeout: 20,
            caches: true,
            memcached: false,
            external: false,
            unacknowledged: None,
        }
    }
}

/// A node that runs until it is dropped.
pub(crate) struct Node {
    pub(crate) emulator: Arc<Cloud>,
    pub(crate) meter: Meter,
    pub(crate) held: Held,
    pub(crate) refused: Refused,
    pub(crate) address: String,
    plan: Plan,
    child: Child,
    _memcached: Option<Memcached>,
    folder: TempDir,
}

/// An address of the loopback network that no other test has, in this process or in another one.
fn address() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    let process = std::process::id();
    let next = NEXT.fetch_add(1, Ordering::Relaxed);
    assert!(next < 255, "too many nodes for one process");
    format!(
        "127.{}.{}.{next}",
        1 + process / 250 % 250,
        1 + process % 250
    )
}

impl Node {
    pub(crate) fn start(plan: &Plan) -> Self {
        let mut node = Self::spawn(plan, Arc::new(Cloud::start()), address());
        node.wait();
        node
    }

    /// Another node of the same plan and on the same stores, which is to join this one.
    pub(crate) fn another(&self) -> Self {
        let mut node = Self::spawn(&self.plan, Arc::clone(&self.emulator), address());
        node.wait();
        node
    }

    /// Puts the certificate of this node into the bucket, from where others take theirs.
    pub(crate) fn share_certificate(&self, bucket: &str) {
        let file = self.folder.path().join("run/certificate.pem");
        let mut set = Command::new(env!("CARGO_BIN_EXE_ejabberd-cloud"));
        set.args(["secret", "certificate", "--set", "--bucket", bucket]);
        let set = self
            .emulator
            .tell(&mut set)
            .stdin(File::open(file).expect("a certificate"));
        assert!(
            set.status().expect("the program").success(),
            "it is not set"
        );
    }

    /// Nodes of one cluster, which start at the same time.
    pub(crate) fn cluster<const N: usize>(plans: [&Plan; N]) -> [Self; N] {
        let emulator = Arc::new(Cloud::start());
        let mut nodes = plans.map(|plan| Self::spawn(plan, Arc::clone(&emulator), address()));
        nodes.iter_mut().for_each(Self::wait);
        nodes
    }

    fn spawn(plan: &Plan, emulator: Arc<Cloud>, address: String) -> Self {
        let folder = TempDir::new().expect("a folder");
        let configuration = folder.path().join("plan.yml");
        std::fs::write(&configuration, configured(plan)).expect("a file");
        let program = PathBuf::from(env!("CARGO_BIN_EXE_ejabberd-cloud"));
        let path = std::env::var("PATH").unwrap_or_default();
        let said = File::create(folder.path().join("said")).expect("a file");
        let scripts = package().join("scripts");
        let run = folder.path().join("run");
        let mut node = match plan.domain {
            Some(domain) => {
                let mut serve = Command::new(scripts.join("serve.sh"));
                serve.arg(domain).env("RUN", &run);
                serve.env("LISTEN", &address).env("HTTP_ADDRESS", &address);
                serve.env("SELF_SIGNED", "true");
                serve
            }
            None => {
                let mut node = Command::new(scripts.join("node.sh"));
                node.arg(&run).arg(&configuration).env("COOKIE", "test");
                node.env("EJABBERD_CLOUD_BUCKET", &emulator.bucket);
                node
            }
        };
        let memcached = plan.memcached.then(Memcached::start);
        if let Some(server) = &memcached {
            // What is kept does not expire while a test counts on it.
            node.env("EJABBERD_CLOUD_CACHE_SERVERS", &server.name);
            node.env("EJABBERD_CLOUD_CACHE_TTL", "3600");
        }
        let child = emulator.tell(&mut node)
            .env("SHIMS", shims())
            .env("ADDRESS", &address)
            .env("NAME", plan.name.unwrap_or_default())
            .env("DIST_PORT", DISTRIBUTION)
            .env("ERL_EXTRA", "-s cloud_probe")
            .env("PATH", format!("{}:{path}", program.parent().expect("a folder").display()))
            .env("EJABBERD_CLOUD_CREATE_BUCKET", "true")
            // Its end is that of the node.
            .stdin(Stdio::piped())
            .stdout(said.try_clone().expect("a file"))
            .stderr(said)
            .spawn()
            .expect("bash is needed");
        Self {
            meter: Meter::default(),
            held: Held::default(),
            refused: Refused::default(),
            emulator,
            address,
            plan: plan.clone(),
            child,
            _memcached: memcached,
            folder,
        }
    }

    /// Ends the node at once, with all that it has.
    pub(crate) fn kill(&mut self) {
        self.child.kill().expect("a child");
        self.child.wait().expect("its end");
    }

    /// Waits until the node has ended by itself.
    pub(crate) fn died(&mut self) {
        // Waiting would close its standard input, and the probe would end the node for that.
        let _open = self.child.stdin.take();
        self.child.wait().expect("its end");
    }

    /// Has the node end as it does when its machine is shut down, and gives its exit status.
    pub(crate) fn stop(&mut self) -> Option<i32> {
        let id = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        // Waiting would close it, and the probe would end the node for that.
        let _open = self.child.stdin.take();
        kill_process(id.expect("an id"), Signal::TERM).expect("a child");
        self.child.wait().expect("its end").code()
    }

    /// Starts a node that has ended, under its name and at its address, with an empty folder.
    pub(crate) fn restart(&mut self) {
        assert!(
            self.child.try_wait().expect("a child").is_some(),
            "it has not ended"
        );
        let address = self.address.clone();
        *self = Self::spawn(&self.plan, Arc::clone(&self.emulator), address);
        self.wait();
    }

    /// The arguments of its process.
    pub(crate) fn arguments(&self) -> String {
        let bytes = std::fs::read(format!("/proc/{}/cmdline", self.child.id()));
        let text = String::from_utf8_lossy(&bytes.expect("a process")).replace('\0', " ");
        assert!(text.contains("-s ejabberd"), "{text}");
        text
    }

    /// The name of the node.
    pub(crate) fn name(&self) -> String {
        format!("{}@{}", self.plan.name.expect("a name"), self.address)
    }

    fn wait(&mut self) {
        let begun = Instant::now();
        while self.try_http("/api/status", "{}").is_none() {
            let ended = self.child.try_wait().expect("a child");
            assert!(ended.is_none(), "the node ended: {}", self.said());
            assert!(
                begun.elapsed() < START,
                "the node does not start: {}",
                self.said()
            );
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// What the node and its program have printed.
    pub(crate) fn said(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("said")).unwrap_or_default()
    }

    /// The process of the program that the node has started: its child's child, since Erlang starts programs by a helper.
    /// There is none for a moment after it has ended.
    pub(crate) fn program(&self) -> Option<u32> {
        let below = |parent: u32| {
            let list = std::fs::read_to_string(format!("/proc/{parent}/task/{parent}/children"))
                .unwrap_or_default();
            list.split_whitespace()
                .filter_map(|id| id.parse().ok())
                .collect::<Vec<u32>>()
        };
        // One that has ended and was not yet waited for has no arguments.
        let is_it = |id: &u32| {
            let arguments = std::fs::read(format!("/proc/{id}/cmdline")).unwrap_or_default();
            let mut arguments = arguments.split(|byte| *byte == 0);
            let name = arguments.next().unwrap_or_default();
            name.ends_with(b"/ejabberd-cloud") && arguments.next() == Some(b"port")
        };
        let helpers = below(self.child.id());
        helpers.into_iter().flat_map(below).find(is_it)
    }

    /// What the node's web server answers to a POST.
    pub(crate) fn http(&self, path: &str, body: &str) -> String {
        self.try_http(path, body)
            .unwrap_or_else(|| panic!("{path} has no answer: {}", self.said()))
    }

    /// The same, or nothing while the node is away.
    pub(crate) fn try_http(&self, path: &str, body: &str) -> Option<String> {
        post(&self.address, path, body)
    }
}

/// What the web server of the node at this address answers to a POST, unless it refuses or is not there.
pub(crate) fn post(address: &str, path: &str, body: &str) -> Option<String> {
    let mut server = TcpStream::connect((address, 5280)).ok()?;
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    server.write_all(format!("{head}{body}").as_bytes()).ok()?;
    let mut answer = String::new();
    server.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    head.starts_with("HTTP/1.1 200").then(|| body.to_owned())
}

impl Drop for Node {
    fn drop(&mut self) {
        // The program ends with it, since that is the end of its standard input; but not one that was stopped.
        if let Some(program) = self
            .program()
            .and_then(|id| Pid::from_raw(i32::try_from(id).ok()?))
        {
            let _ = kill_process(program, Signal::KILL);
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("the node said:\n{}", self.said());
        }
    }
}

/// The configuration that is shipped, with what is special about this node.
fn configured(plan: &Plan) -> String {
    let mut text =
        std::fs::read_to_string(package().join("scripts/ejabberd.yml")).expect("the configuration");
    let mut replace = |from: &str, to: &str| {
        assert_eq!(
            text.matches(from).count(),
            1,
            "{from:?} in the configuration"
        );
        text = text.replace(from, to);
    };
    replace(
        "mod_cloud: {}",
        &format!("mod_cloud: {{timeout: {}, lease: 3}}", plan.timeout),
    );
    replace(
        "/api: mod_http_api",
        "/api: mod_http_api\n      /probe: cloud_probe",
    );
    replace("use_cache: true", &format!("use_cache: {}", plan.caches));
    // Less than by default, so that few people and nodes are too many.
    replace("search: true", "search: true\n    matches: 3");
    replace(
        "plugins: [flat, pep]",
        "plugins: [flat, pep]\n    max_nodes_discoitems: 4",
    );
    if let Some(most) = plan.unacknowledged {
        replace(
            "{resend_on_timeout: true}",
            &format!("{{resend_on_timeout: true, max_ack_queue: {most}}}"),
        );
    }
    if plan.external {
        replace(
            "auth_method: cloud",
            "auth_method: external\nextauth_program: \"ejabberd-cloud extauth\"\nextauth_pool_size: 2\nauth_use_cache: false",
        );
        replace("auth_password_format: scram\n", "");
    }
    text
}
