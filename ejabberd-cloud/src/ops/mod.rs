//! The calls: what each is called, which arguments it has, and which action of the stores does it.
//!
//! A call is `{STORE_VERB, Argument…}`; each store has a file here with the verbs that it has, and a table of them at
//! its head. JIDs, names and texts are binaries in UTF-8, times are integers, and what is not there is the atom `none`.
//!
//! What the stores keep as they get it (stanzas, options) is not looked at here.

mod args;
mod auth;
mod caps;
mod last;
mod muc;
mod muclog;
mod offline;
mod privacy;
mod private;
mod pubsub;
mod roster;
mod shared;
mod vcard;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::timeout;

use cloud_stores::caps::Caps;
use cloud_stores::muc::{Nicks, Rooms};
use cloud_stores::muc_log::MucLog;
use cloud_stores::pubsub::PubSub;
use cloud_stores::shared_roster::SharedRoster;
use cloud_stores::{Error, Kind, Stores};

use crate::connect::Opening;
use crate::etf::Term;
use crate::log::{Failures, line};
use crate::port::Handler;
use args::Args;

/// Why a call was not done: the kind, which its caller sees, and the reason, which the log has.
#[derive(Debug)]
pub(crate) struct Failure {
    kind: Kind,
    why: String,
}

impl Failure {
    /// A call that this program does not know, or not in this form.
    fn invalid(why: impl Into<String>) -> Self {
        Self {
            kind: Kind::Invalid,
            why: why.into(),
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self {
            kind: error.kind(),
            why: error.to_string(),
        }
    }
}

/// What a call gives.
type Done = Result<Term, Failure>;

/// How many bytes of messages or items are given in one answer, unless the first has more: much less than an answer may have
/// (`MAX_ANSWER`), and more than one of them can have. Whoever wants the others asks for them.
const PORTION: usize = 16 << 20;

/// How often what was said in rooms is written to its pages.
const LOG_PAUSE: Duration = Duration::from_secs(5);

/// The stores with those parts of them that remember something from one call to the next.
#[derive(Debug)]
pub(crate) struct Opened {
    stores: Stores,
    caps: Caps,
    rooms: Rooms,
    nicks: Nicks,
    log: MucLog,
    pubsub: PubSub,
    shared: SharedRoster,
}

impl Opened {
    pub(crate) fn new(stores: Stores, public_log: bool) -> Self {
        Self {
            caps: stores.caps(),
            rooms: stores.rooms(),
            nicks: stores.nicks(),
            log: stores.muc_log().public(public_log),
            pubsub: stores.pubsub(),
            shared: stores.shared_roster(),
            stores,
        }
    }

    /// Writes what was said in rooms, again and again.
    pub(crate) async fn write_log(&self) {
        self.log.run(LOG_PAUSE).await;
    }

    /// Writes what was said in rooms and is not written yet, once the server is gone.
    pub(crate) async fn finish(&self) {
        let lost = match timeout(LOG_PAUSE, self.log.flush()).await {
            Ok(Ok(())) => return,
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("it was not done within {LOG_PAUSE:?}"),
        };
        line(format_args!(
            "the last lines of the logs of rooms are lost: {lost}"
        ));
    }
}

/// Does calls on the stores, as soon as they are open.
#[derive(Debug)]
pub(crate) struct Calls {
    opening: watch::Receiver<Opening>,
    failures: Failures,
}

impl Calls {
    pub(crate) fn new(opening: watch::Receiver<Opening>) -> Self {
        Self {
            opening,
            failures: Failures::default(),
        }
    }

    /// The stores; waits while they are being opened for the first time.
    async fn opened(&self) -> Result<Arc<Opened>, Failure> {
        let mut opening = self.opening.clone();
        let state = opening
            .wait_for(|state| !matches!(state, Opening::Trying))
            .await;
        match state.as_deref() {
            Ok(Opening::Open(opened)) => Ok(Arc::clone(opened)),
            _ => Err(Failure {
                kind: Kind::Unavailable,
                why: "the stores are not open yet".to_owned(),
            }),
        }
    }

    async fn run(&self, operation: &str, args: Args) -> Done {
        if operation == "ping" {
            args.end()?;
            return Ok(Term::atom("pong"));
        }
        let unknown = || {
            Failure::invalid("there is no such call: shims and program are of different versions")
        };
        let (store, verb) = operation.split_once('_').ok_or_else(unknown)?;
        let opened = self.opened().await?;
        let stores = &opened.stores;
        // Boxed, so that a call of a small store does not take as much memory as one of the largest.
        match store {
            "auth" => Box::pin(auth::call(&stores.auth(), verb, args)).await,
            "offline" => Box::pin(offline::call(&stores.offline(), verb, args)).await,
            "privacy" => Box::pin(privacy::call(&stores.privacy(), verb, args)).await,
            "private" => Box::pin(private::call(&stores.private(), verb, args)).await,
            "roster" => Box::pin(roster::call(&stores.roster(), verb, args)).await,
            "vcard" => Box::pin(vcard::call(&stores.vcards(), verb, args)).await,
            "caps" => Box::pin(caps::call(&opened.caps, verb, args)).await,
            "muc" => Box::pin(muc::call(&opened.rooms, &opened.nicks, verb, args)).await,
            "muclog" => muclog::call(&opened.log, verb, args),
            "pubsub" => Box::pin(pubsub::call(&opened.pubsub, verb, args)).await,
            "shared" => Box::pin(shared::call(&opened.shared, verb, args)).await,
            "last" => Box::pin(last::call(&stores.last(), verb, args)).await,
            _ => Err(unknown()),
        }
    }
}

impl Handler for Calls {
    async fn call(&self, request: Term) -> Result<Term, Kind> {
        let (operation, args) = Args::of(request)?;
        self.run(operation.as_str(), args).await.map_err(|failure| {
            self.failures
                .note(operation.as_str(), failure.kind, &failure.why);
            failure.kind
        })
    }
}
