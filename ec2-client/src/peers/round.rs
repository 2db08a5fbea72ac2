//! One whole list, or none.

use aws_core::paginate::Paged;
use aws_core::{Error, Result, RetryConfig};

use super::find::{Peers, Resolved};
use super::tracker::{Round, Sighting};
use crate::instances::{DescribeInstances, State};

/// Which instances a list is to hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum States {
    /// Those that run; failures are repeated as the client has it.
    Running,
    /// All that still may be told of, so that an end is seen and not only missed; a failure is the watch's to repeat.
    Alive,
}

impl States {
    /// A request whose failures are repeated by whom they are to be repeated by.
    pub(super) fn repeated(self, request: DescribeInstances) -> DescribeInstances {
        match self {
            Self::Running => request,
            Self::Alive => request.retry(RetryConfig::none().adaptive(false)),
        }
    }
}

/// All but terminated, which are listed for up to an hour for nothing.
const ALIVE: [State; 5] = [
    State::Pending,
    State::Running,
    State::ShuttingDown,
    State::Stopping,
    State::Stopped,
];

/// Fetches all pages.
pub(super) async fn fetch(peers: &Peers, resolved: &Resolved, states: States) -> Result<Round> {
    let request = peers.client.instances().select(resolved.selection.clone());
    let mut request = states.repeated(match states {
        States::Running => request.running(),
        States::Alive => request.states(ALIVE),
    });
    let mut round = Round::default();
    loop {
        if round.pages == peers.max_pages {
            return Err(Error::protocol(format!(
                "the list has more than {} pages: narrow the selection, or allow for more",
                peers.max_pages
            )));
        }
        let (page, next) = request.fetch().await?;
        round.pages += 1;
        let sightings = page.instances.iter().map(|instance| Sighting {
            id: instance.id.clone(),
            state: instance.state,
            peer: match instance.state {
                State::Running => peers.peer(instance, resolved.me.as_deref()),
                _ => None,
            },
        });
        round.sightings.extend(sightings);
        match next {
            Some(next) => request = next,
            None => return Ok(round),
        }
    }
}
