//! The members of a cluster, as they come and go.
//!
//! [`Peers`] says who they are and how they are reached; [`Watch`] is a stream of what changes, and [`Lists`] one of whole
//! lists. The rules:
//!
//! 1. Only a **whole** list changes anything. A page that fails, an answer that is cut or is none of EC2's, and a refusal
//!    are [`PeerEvent::Failing`], and what is known stays.
//! 2. A peer joins when it runs. It has left as soon as a list shows it shutting down, stopping, stopped or terminated.
//!    One that is merely missing has left after two whole lists without it, since EC2 is eventually consistent.
//! 3. Lists are asked for in pages of 1,000, and in at most [so many](Peers::max_pages) pages.
//! 4. The time between two lists is drawn anew each time from 80 to 120 % of the [interval](Peers::every). After a refusal
//!    for too many requests (`RequestLimitExceeded`) or a failure of the service (status 500 and above) it is drawn from 0
//!    to a bound that doubles each time; once the bound is 5 minutes, from 5 to 6 minutes. All watches of a client share
//!    that pause, and one of them tries first. After any other failure it is the same for that watch alone, and never
//!    shorter than the interval where a repetition will not help.
//! 5. The cluster as a whole stays below a quarter of what EC2 allows an account, which is 20 lists a second of all who
//!    use it: the time between two lists is at least 0.2 s for each peer and page, with an interval of a day as the
//!    longest. [`PeerEvent::Stretched`] says when that is more than was asked for.
//! 6. Events of one list come together, ordered by id. A reader who is slow is told the difference between what it has been
//!    told and what is known now: nothing queues up.
//! 7. Requests are POST forms; no event, error, log line or `Debug` shows a secret or a signature.
//!
//! What decides all that (`tracker`, `pace`, `delay`) has no clock and no socket; what asks and waits is thin.
//!
//! *Problem:* A peer that is taken for gone is cut off by all others, and one bad list would cut off all. *Decision:*
//! `tracker` takes lists, failures and times, and gives events, without IO; `pace` and `delay` say when the next list
//! is due. Only a whole list changes anything. What is told is the difference between what was told and what is, so
//! that nothing queues up for a slow reader. *Cost:* A peer that died is told as gone when a list shows it, and not
//! before.

mod address;
mod delay;
mod find;
mod lists;
mod pace;
mod peer;
mod round;
mod tracker;
mod watch;

pub use address::{Address, Addresses};
pub(crate) use delay::SharedDelay;
pub use find::{LikeMe, Peers};
pub use lists::Lists;
pub use peer::{Peer, PeerEvent, Why};
pub use watch::Watch;
