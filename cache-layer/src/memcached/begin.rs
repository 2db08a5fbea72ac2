//! How a connection begins: the login, which protocol is spoken, and the longest value.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::{Buf, BytesMut};
use pipeline_pool::{Begin, Beginning, ConnectionId, Error, Io, Kind};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use zeroize::Zeroizing;

use super::Dialect;
use super::wire::{self, Codec, number, take_line};

/// How long a server that hangs up at the meta protocol is not asked for it again.
const CLASSIC_AFTER_HANG_UP: Duration = Duration::from_secs(600);
/// How many lines of settings are read at most.
const MAX_SETTINGS: usize = 1000;

/// A name and a password, as memcached's `--auth-file` has them.
#[derive(Clone)]
pub(crate) struct Login {
    pub(crate) user: String,
    pub(crate) password: Zeroizing<String>,
}

/// The password is left out.
impl std::fmt::Debug for Login {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Login")
            .field("user", &self.user)
            .finish_non_exhaustive()
    }
}

/// What a server's connections share.
#[derive(Debug)]
pub(crate) struct Greeting {
    pub(crate) login: Option<Login>,
    pub(crate) dialect: Dialect,
    /// The longest answer that is read, in bytes.
    pub(crate) max_read: usize,
    /// The server's `item_size_max`, in bytes; 0 while it is not known.
    pub(crate) item_size: AtomicUsize,
    /// Whether the server gives its entries no numbers (`memcached -C`), so that it cannot grant the right to fill.
    pub(crate) no_cas: AtomicBool,
    /// When the server hung up at the meta protocol.
    hung_up: Mutex<Option<Instant>>,
}

impl Greeting {
    pub(crate) fn new(login: Option<Login>, dialect: Dialect, max_read: usize) -> Self {
        Self {
            login,
            dialect,
            max_read,
            item_size: AtomicUsize::new(0),
            no_cas: AtomicBool::new(false),
            hung_up: Mutex::default(),
        }
    }

    fn hung_up(&self) -> std::sync::MutexGuard<'_, Option<Instant>> {
        self.hung_up.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn login(&self, talk: &mut Talk<'_>) -> Result<(), Error> {
        let Some(Login { user, password }) = &self.login else {
            return Ok(());
        };
        // The server does not look at the key.
        let len = user.len() + 1 + password.len();
        let mut text = Zeroizing::new(Vec::with_capacity(len + 32));
        text.extend_from_slice(format!("set login 0 0 {len}\r\n{user} ").as_bytes());
        text.extend_from_slice(password.as_bytes());
        text.extend_from_slice(b"\r\n");
        talk.say(&text).await?;
        match &talk.line().await?[..] {
            b"STORED" => Ok(()),
            _ => Err(Error::new(Kind::Connect, "the login was refused")),
        }
    }

    /// Asks for the meta protocol, and for the settings beside it.
    async fn ask(&self, talk: &mut Talk<'_>) -> Result<wire::WireDialect, Error> {
        let forced = self.dialect == Dialect::Meta;
        talk.say(b"mn\r\nstats settings\r\n").await?;
        let answer = match talk.line().await {
            Ok(answer) => answer,
            Err(error) if error.kind() == Kind::Closed => {
                if forced {
                    let text = "the server hung up at the meta protocol";
                    return Err(Error::new(Kind::Connect, text));
                }
                *self.hung_up() = Some(Instant::now());
                return Err(error);
            }
            Err(error) => return Err(error),
        };
        let dialect = match &answer[..] {
            b"MN" => wire::WireDialect::Meta,
            b"ERROR" if !forced => wire::WireDialect::Classic,
            b"ERROR" => {
                let text = "the server does not speak the meta protocol";
                return Err(Error::new(Kind::Connect, text));
            }
            _ => return Err(Error::new(Kind::Connect, "the server is no memcached")),
        };
        for _ in 0..MAX_SETTINGS {
            let line = talk.line().await?;
            let Some(setting) = line.strip_prefix(b"STAT ") else {
                // This is the end, or a proxy that has no settings.
                return Ok(dialect);
            };
            if let Some(size) = setting.strip_prefix(b"item_size_max ")
                && let Some(size) = number(size)
            {
                self.item_size.store(size, Ordering::Relaxed);
            }
            if let Some(cas) = setting.strip_prefix(b"cas_enabled ")
                && self.no_cas.swap(cas == b"no", Ordering::Relaxed) != (cas == b"no")
                && cas == b"no"
            {
                tracing::warn!(
                    "memcached runs without CAS (-C): nothing can be filled under a lease"
                );
            }
        }
        Err(Error::new(
            Kind::Connect,
            "the server's settings do not end",
        ))
    }

    /// Sees that a server that hung up at the meta protocol speaks the classic one.
    async fn confirm(&self, talk: &mut Talk<'_>) -> Result<(), Error> {
        talk.say(b"get a\r\n").await?;
        let line = talk.line().await?;
        if let Some(value) = line.strip_prefix(b"VALUE a ") {
            let len = value.split(|b| *b == b' ').nth(1).and_then(number::<usize>);
            let len = len.filter(|len| *len <= self.max_read);
            let len = len.ok_or_else(|| Error::new(Kind::Connect, "the server is no memcached"))?;
            talk.skip(len + 2).await?;
            talk.line().await?;
        }
        Ok(())
    }
}

/// Begins the connections of one server.
#[derive(Debug)]
pub(crate) struct Greeter(pub(crate) Arc<Greeting>);

impl Begin<Codec> for Greeter {
    fn begin<'a>(&'a self, io: &'a mut dyn Io, connection: ConnectionId) -> Beginning<'a, Codec> {
        Box::pin(async move {
            let mut talk = Talk {
                io,
                input: BytesMut::new(),
            };
            let greeting = &*self.0;
            greeting.login(&mut talk).await?;
            let hung_up = *greeting.hung_up();
            let hung_up = hung_up.is_some_and(|at| at.elapsed() < CLASSIC_AFTER_HANG_UP);
            let dialect = match greeting.dialect {
                Dialect::Classic => wire::WireDialect::Classic,
                Dialect::Auto if hung_up => {
                    greeting.confirm(&mut talk).await.inspect_err(|_| {
                        // That it hung up was no sign of a protocol, since the server was going down.
                        *greeting.hung_up() = None;
                    })?;
                    wire::WireDialect::Classic
                }
                Dialect::Auto | Dialect::Meta => greeting.ask(&mut talk).await?,
            };
            match talk.input.is_empty() {
                true => Ok(Codec::new(dialect, connection, greeting.max_read)),
                false => Err(Error::new(
                    Kind::Connect,
                    "the server says more than was asked",
                )),
            }
        })
    }
}

/// A connection before the pool has it, which is asked one question at a time.
struct Talk<'a> {
    io: &'a mut dyn Io,
    input: BytesMut,
}

impl Talk<'_> {
    async fn say(&mut self, text: &[u8]) -> Result<(), Error> {
        self.io.write_all(text).await.map_err(closed)?;
        self.io.flush().await.map_err(closed)
    }

    async fn read(&mut self) -> Result<(), Error> {
        match self.io.read_buf(&mut self.input).await {
            Ok(0) => Err(closed(io::ErrorKind::UnexpectedEof.into())),
            Ok(_) => Ok(()),
            Err(error) => Err(closed(error)),
        }
    }

    async fn line(&mut self) -> Result<bytes::Bytes, Error> {
        loop {
            if let Some(line) = take_line(&mut self.input)? {
                return Ok(line);
            }
            self.read().await?;
        }
    }

    async fn skip(&mut self, mut bytes: usize) -> Result<(), Error> {
        while bytes > 0 {
            if self.input.is_empty() {
                self.read().await?;
            }
            let here = bytes.min(self.input.len());
            self.input.advance(here);
            bytes -= here;
        }
        Ok(())
    }
}

fn closed(error: io::Error) -> Error {
    let text = "the connection was lost before it could be used";
    Error::new(Kind::Closed, text).with_source(error)
}
