//! What may happen to a request, and what has.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Flag;
use super::events::Wish;
use super::wire::{Answered, Source, Wire};
use crate::engine::core::call::Caller;
use crate::error::{Error, Kind, Sent};
use crate::protocol::ConnectionId;

/// How late a timer may be: drivers do not set theirs for less than a millisecond.
pub(super) const SLACK: Duration = Duration::from_millis(2);

/// A request, and all that is known of it.
pub(super) struct Record {
    pub(super) site: usize,
    pub(super) wish: Wish,
    pub(super) bound: Option<ConnectionId>,
    pub(super) submitted: Instant,
    pub(super) deadline: Instant,
    pub(super) caller: Option<Caller<Wire>>,
    pub(super) flag: Arc<Flag>,
    pub(super) source: Option<Arc<std::sync::Mutex<Source>>>,
    /// The connections that it was encoded on, and that bytes of it were written to.
    pub(super) encoded: Vec<usize>,
    pub(super) touched: Vec<usize>,
    /// All of it was written to a connection.
    pub(super) whole: bool,
    /// A server has answered it.
    pub(super) answered: bool,
    /// It may not be sent any more: it was the first on a connection that came to grief.
    pub(super) barred: bool,
    /// What its caller has heard; nothing while it waits, or when it has gone away.
    pub(super) outcome: Option<Result<(), (Kind, Sent)>>,
}

impl Record {
    /// Whether nobody waits for it any more.
    pub(super) fn is_over(&self) -> bool {
        self.caller.is_none()
    }

    /// It is encoded on a connection.
    pub(super) fn note_encoded(&mut self, uid: usize, now: Instant) -> Result<(), String> {
        if self.is_over() {
            return Err("it is encoded though nobody waits for it".into());
        }
        if self.deadline <= now {
            return Err("it is encoded after its deadline".into());
        }
        self.encoded.push(uid);
        Ok(())
    }

    /// Its first bytes are written to a connection.
    pub(super) fn note_touched(
        &mut self,
        uid: usize,
        name: ConnectionId,
        hedged: bool,
    ) -> Result<(), String> {
        if !self.wish.repeatable && !self.touched.is_empty() {
            return Err("it may run once, and is sent twice".into());
        }
        if self.barred && !hedged {
            return Err("it is sent again after it was the first where something was wrong".into());
        }
        if self.bound.is_some_and(|bound| bound != name) {
            return Err("it is sent to another connection than that it is bound to".into());
        }
        if let Some(Err((kind, Sent::No))) = self.outcome {
            return Err(format!(
                "it is sent after its caller was told that it was not: {kind:?}"
            ));
        }
        self.touched.push(uid);
        Ok(())
    }

    /// Its caller hears of a reply.
    ///
    /// Where the server has sent an answer that nobody asked for (`forged`), a protocol without names
    /// cannot tell whose the answers after that are.
    pub(super) fn note_reply(
        &mut self,
        id: usize,
        reply: &Answered,
        forged: bool,
    ) -> Result<(), String> {
        let right = usize::from(reply.id) == id && self.answered;
        if !right && !forged {
            return Err(format!("it is answered by {reply:?}"));
        }
        if !self.touched.contains(&reply.on) {
            return Err(format!(
                "it is answered on {}, where it was not sent",
                reply.on
            ));
        }
        self.outcome = Some(Ok(()));
        Ok(())
    }

    /// Its caller hears of a failure.
    pub(super) fn note_failure(&mut self, error: &Error, hedging: bool) -> Result<(), String> {
        let sent = error.sent();
        let told = (error.kind(), sent);
        if (sent == Sent::No) != self.touched.is_empty() {
            // What is encoded when its time is up may still go out.
            let encoded = !self.encoded.is_empty() && error.kind() == Kind::Timeout;
            if sent == Sent::No || !(encoded || hedging) {
                return Err(format!(
                    "its caller hears {told:?}, and it was sent on {:?}",
                    self.touched
                ));
            }
        }
        if sent == Sent::All && !self.whole {
            return Err("its caller hears that all of it was sent, and it was not".into());
        }
        self.outcome = Some(Err(told));
        Ok(())
    }
}
