//! The settings of an emulator, and its start.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::thread;
use std::time::Duration;

use tokio::net::TcpListener;

use crate::accounts::{Account, Accounts};
use crate::disk::DiskOptions;
use crate::ec2::Ec2Half;
use crate::ec2::options::Ec2Options;
use crate::faults::Faults;
use crate::s3::S3Half;
use crate::s3::http::auth::Checker;
use crate::s3::http::versions::{Signatures, Taken};
use crate::sdb::SdbHalf;
use crate::sdb::options::SdbOptions;
use crate::server::{Emulator, Running, Shared, serve};
use crate::users::{User, Users};

const DEFAULT_ACCESS_KEY: &str = "AKIDEMULATOR";
const DEFAULT_SECRET_KEY: &str = "emulator-secret-key";

/// Settings of an [`Emulator`], from [`Emulator::builder`].
#[derive(Clone, Debug)]
#[must_use]
pub struct Builder {
    listen: SocketAddr,
    first: (String, User),
    users: Users,
    accounts: Accounts,
    skew: Duration,
    domain: Option<String>,
    taken: Taken,
    part_min: u64,
    dir: Option<PathBuf>,
    fsync: bool,
    journal_max: Option<u64>,
    sdb: SdbOptions,
    ec2: Ec2Options,
}

impl Default for Builder {
    fn default() -> Self {
        let accounts = Accounts::default();
        let user = User {
            account: accounts.first(),
            secret: DEFAULT_SECRET_KEY.to_owned(),
            token: None,
        };
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            first: (DEFAULT_ACCESS_KEY.to_owned(), user),
            users: Users::default(),
            accounts,
            skew: Duration::from_secs(15 * 60),
            domain: None,
            taken: Taken::default(),
            part_min: 5 << 20,
            dir: None,
            fsync: false,
            journal_max: None,
            sdb: SdbOptions::default(),
            ec2: Ec2Options::default(),
        }
    }
}

impl Builder {
    /// The address to listen on. Defaults to a free port of 127.0.0.1.
    pub fn listen(mut self, addr: SocketAddr) -> Self {
        self.listen = addr;
        self
    }

    /// The port of 127.0.0.1 to listen on; 0, the default, takes a free one.
    pub fn port(self, port: u16) -> Self {
        self.listen(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))
    }

    /// Adds a user of the first account. The first one added is the one that [`Emulator::access_key`] names, in
    /// place of a default user that exists only if none is added. Users of one account may do the same, and in S3
    /// that is everything with the buckets of their account.
    pub fn user(self, access_key: impl Into<String>, secret_key: impl Into<String>) -> Self {
        let account = self.accounts.first();
        self.add(account, access_key.into(), secret_key.into(), None)
    }

    /// Adds another account, with one user. In S3 it may do with the buckets of others what their access control
    /// lists and policies say; SimpleDB knows one account only, and its domains are for all users.
    /// [`Emulator::account_of`] tells its number and names.
    pub fn account(mut self, access_key: impl Into<String>, secret_key: impl Into<String>) -> Self {
        let account = self.accounts.add();
        self.add(account, access_key.into(), secret_key.into(), None)
    }

    /// Adds a user with temporary credentials: its requests have to carry `session_token`, and
    /// are refused with `InvalidToken` (S3), `InvalidClientTokenId` (SimpleDB) or `AuthFailure`
    /// (EC2) otherwise.
    pub fn user_with_token(
        self,
        access_key: impl Into<String>,
        secret_key: impl Into<String>,
        session_token: impl Into<String>,
    ) -> Self {
        let token = Some(session_token.into());
        let account = self.accounts.first();
        self.add(account, access_key.into(), secret_key.into(), token)
    }

    fn add(
        mut self,
        account: Arc<Account>,
        access_key: String,
        secret: String,
        token: Option<String>,
    ) -> Self {
        let user = User {
            account,
            secret,
            token,
        };
        if self.users.is_empty() {
            self.first = (access_key.clone(), user.clone());
        }
        self.users.insert(access_key, user);
        self
    }

    /// How far the date of a request may be from the clock. Defaults to 15 minutes, as in S3.
    pub fn skew(mut self, skew: Duration) -> Self {
        self.skew = skew;
        self
    }

    /// The domain under which `bucket.domain` is a virtual-hosted request; a port in it counts
    /// for nothing. Without it, the default, every S3 request is path-style.
    pub fn domain(mut self, domain: impl Into<String>) -> Self {
        self.domain = Some(domain.into());
        self
    }

    /// The versions of signatures that the S3 half takes. Defaults to both.
    pub fn signatures(mut self, versions: Signatures) -> Self {
        self.taken.versions = versions;
        self
    }

    /// The one region that Version 4 may be signed for in the S3 half; other requests are refused with an answer that
    /// names it. Without it, the default, any region is taken.
    pub fn region(mut self, name: impl Into<String>) -> Self {
        self.taken.region = Some(name.into());
        self
    }

    /// The least that a part of a multipart upload may hold, other than its last, in bytes.
    /// Defaults to 5 MiB, as in S3.
    pub fn part_min(mut self, bytes: u64) -> Self {
        self.part_min = bytes;
        self
    }

    /// Keeps all that S3 and SimpleDB hold in this folder, which is made if it is not there: S3 in `s3` of it, SimpleDB
    /// in `sdb`, unless [`SdbOptions::dir`] says another. Without it, the default, all is gone with the emulator.
    ///
    /// What a request was acknowledged for is there after the process is killed at any moment. One emulator at a time can
    /// use a folder. Its form is its own, and may change between versions. Owners are kept as they were: the emulator is to
    /// be started with the same [accounts](Self::account) in the same order.
    ///
    /// Bodies of more than 32 KiB are files, which are written once and not held in memory.
    pub fn dir(mut self, dir: impl Into<PathBuf>) -> Self {
        self.dir = Some(dir.into());
        self
    }

    /// Whether an answer waits until what it tells of is on the disk itself, so that it also outlives a loss of power.
    /// Writes that wait at the same time share one flush of the journal; a body of more than 32 KiB is flushed by itself.
    /// Defaults to false; without [`dir`](Self::dir) the emulator does not start.
    pub fn fsync(mut self, fsync: bool) -> Self {
        self.fsync = fsync;
        self
    }

    /// How long the journal of each half gets before it is folded into a snapshot, in bytes. Defaults to 64 MiB; without
    /// [`dir`](Self::dir) the emulator does not start.
    pub fn journal_max(mut self, bytes: u64) -> Self {
        self.journal_max = Some(bytes);
        self
    }

    /// Where and how the half with this folder is kept, if it is.
    fn disk(&self, folder: &str) -> io::Result<Option<DiskOptions>> {
        let dir = self.dir.as_ref().map(|dir| dir.join(folder));
        DiskOptions::new(dir, self.fsync, self.journal_max, "")
    }

    /// Limits, modes and folder of the SimpleDB half. Defaults to Amazon's limits, in memory.
    pub fn sdb(mut self, options: SdbOptions) -> Self {
        self.sdb = options;
        self
    }

    /// What the EC2 half does differently. Defaults to a table that is empty until
    /// [`Emulator::ec2`] is told of instances.
    pub fn ec2(mut self, options: Ec2Options) -> Self {
        self.ec2 = options;
        self
    }

    /// Starts the emulator on the runtime this is called from.
    ///
    /// # Errors
    ///
    /// When the address cannot be listened on, a folder cannot be used (another emulator has
    /// it, or what it holds is damaged), or EC2's file of instances cannot be read.
    pub async fn start(self) -> io::Result<Emulator> {
        let listener = TcpListener::bind(self.listen).await;
        let listener = listener.map_err(|error| at(self.listen, error))?;
        let addr = listener.local_addr()?;
        let (shared, first) = self.into_parts()?;
        Emulator::run(addr, first, shared, |shared, stopping| {
            Ok(Running::Task(tokio::spawn(serve(
                listener, shared, stopping,
            ))))
        })
    }

    /// Starts the emulator on a thread and a runtime of its own, so that it serves callers that
    /// block, and does not take turns with a `current_thread` runtime of the caller.
    ///
    /// # Errors
    ///
    /// When the thread cannot be started, and as [`start`](Self::start).
    pub fn start_blocking(self) -> io::Result<Emulator> {
        let listener = std::net::TcpListener::bind(self.listen);
        let listener = listener.map_err(|error| at(self.listen, error))?;
        listener.set_nonblocking(true)?;
        let addr = listener.local_addr()?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let listener = {
            let _entered = runtime.enter();
            TcpListener::from_std(listener)?
        };
        let (shared, first) = self.into_parts()?;
        Emulator::run(addr, first, shared, |shared, stopping| {
            let thread = thread::Builder::new()
                .name("emulator".into())
                .spawn(move || runtime.block_on(serve(listener, shared, stopping)))?;
            Ok(Running::Thread(thread))
        })
    }

    fn into_parts(mut self) -> io::Result<(Arc<Shared>, (String, User))> {
        if self.users.is_empty() {
            let (access_key, user) = self.first.clone();
            self.users.insert(access_key, user);
        }
        let s3_disk = self.disk("s3")?;
        let sdb_disk = match self.sdb.disk() {
            Ok(Some(own)) => Some(own),
            // What its options say of a folder is said of the one of both.
            Ok(None) | Err(_) if self.dir.is_some() => {
                let disk = self.disk("sdb")?;
                disk.map(|disk| self.sdb.refine(disk))
            }
            none => none?,
        };
        let checker = Checker {
            users: self.users.clone(),
            skew: self.skew,
            domain: self.domain.clone(),
            taken: self.taken,
        };
        let faults = Faults::default();
        let counters = Arc::default();
        let users = self.users.clone();
        let ec2 = Ec2Half::new(self.users.clone(), self.first.clone(), self.skew, self.ec2)?;
        let sdb = SdbHalf::new(
            self.users,
            self.skew,
            &self.sdb,
            sdb_disk,
            Arc::clone(&counters),
        )?;
        let s3 = S3Half::new(
            checker,
            self.accounts,
            self.part_min,
            faults.clone(),
            s3_disk.as_ref(),
        )?;
        let shared = Shared {
            domain: self.domain,
            users,
            s3,
            faults,
            sdb,
            ec2,
            counters,
            request_ids: AtomicU64::new(1),
        };
        Ok((Arc::new(shared), self.first))
    }
}

/// An error of listening, with the address.
fn at(addr: SocketAddr, error: io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{addr}: {error}"))
}
