//! The calls: what each is called, which arguments it has, and which action of the stores does it.
//!
//! A call is `{STORE_VERB, Argument…}`; each store has a file here with the verbs that it has, and a table of them at
//! its head. JIDs, names and texts are binaries in UTF-8, times are integers, and what is not there is the atom `none`.
//!
//! What the stores keep as they get it (stanzas, options) is not looked at here.

mod args;
mod auth;
mod last;
mod offline;
mod privacy;
mod private;
mod roster;
mod vcard;

use tokio::sync::watch;

use cloud_stores::{Error, Kind, Stores};

use crate::connect::Opening;
use crate::etf::Term;
use crate::log::Failures;
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
    async fn stores(&self) -> Result<Stores, Failure> {
        let mut opening = self.opening.clone();
        let state = opening
            .wait_for(|state| !matches!(state, Opening::Trying))
            .await;
        match state.as_deref() {
            Ok(Opening::Open(stores)) => Ok(stores.clone()),
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
        let stores = self.stores().await?;
        // Boxed, so that a call of a small store does not take as much memory as one of the largest.
        match store {
            "auth" => Box::pin(auth::call(&stores.auth(), verb, args)).await,
            "offline" => Box::pin(offline::call(&stores.offline(), verb, args)).await,
            "privacy" => Box::pin(privacy::call(&stores.privacy(), verb, args)).await,
            "private" => Box::pin(private::call(&stores.private(), verb, args)).await,
            "roster" => Box::pin(roster::call(&stores.roster(), verb, args)).await,
            "vcard" => Box::pin(vcard::call(&stores.vcards(), verb, args)).await,
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
