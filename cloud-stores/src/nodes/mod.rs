//! Which nodes of a cluster are there: leases in S3 ([`Stores::nodes`](crate::Stores::nodes)), and what a node makes of
//! them ([`NodeWatch`]).
//!
//! *Problem:* Nodes that keep nothing come and go, and must find each other without a list of addresses; one that is gone
//! has to be removed from the cluster, by one of the others and by one only. *Decision:* Each node has an object
//! `nodes/NAME`, which it renews before it expires. Whoever is to remove a node *claims* its lease first, on condition that
//! nothing has changed: of many that try, one succeeds. *Cost:* A write for each node each third of a lease, and a list and
//! a read of each lease as often as a node looks.
//!
//! Expiry is the time of the node that has the lease, judged by the clock of the one that looks: they may differ by the
//! [skew](NodeWatch::new) that is allowed. Nothing is removed by clocks alone: see [`NodeWatch`].
//!
//! ```text
//!             join                     renew
//!   (none) ──────────► held by a life ◄──────┐
//!      ▲   leave │           │  │            │
//!      └─────────┘           │  └────────────┘
//!      ▲                     │ claim, once it ran out        join, under the same name: a new life
//!      │    removed          ▼
//!      └───────────── being removed by another ── its time is over ──► claimed by a third
//! ```

mod founder;
mod lease;
mod secret;
mod watch;

pub use self::founder::Founder;
pub use self::lease::{MAX_NODE_DETAILS, NodeLease, NodeLeases, OwnLease};
pub use self::secret::MAX_SECRET;
pub use self::watch::{NodeEvent, NodeWatch};
