//! Who runs what, and waiting until all do.

use std::time::{Duration, Instant};

use super::follow::NodeReport;
use super::layout::{Channel, check_node};
use super::pointer::{Place, Pointer, Pointers};
use super::store::App;
use crate::error::{Error, Result};

/// The first pause between two looks at what nodes say, and the longest.
const FIRST_LOOK: Duration = Duration::from_millis(100);
const LAST_LOOK: Duration = Duration::from_secs(2);

/// Which release is pointed at, and what nodes say.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Status {
    /// The last move of the pointer, if anything is published.
    pub pointer: Option<Pointer>,
    /// What nodes say of themselves, in the order of their names.
    pub nodes: Vec<NodeReport>,
    /// What is wrong if there is no pointer.
    nothing: Error,
}

impl Status {
    /// The last move of the pointer.
    ///
    /// # Errors
    /// When nothing is published; it names the pointer.
    pub fn published(&self) -> Result<&Pointer> {
        self.pointer.as_ref().ok_or_else(|| self.nothing.clone())
    }
}

/// What has become of nodes that were waited for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Waited {
    /// Those that run the release, in the order of their names.
    pub there: Vec<String>,
    /// Those where it failed, and how.
    pub failed: Vec<(String, String)>,
    /// Those that have said nothing of it.
    pub missing: Vec<String>,
    /// Those whose word cannot be read, and why.
    pub unreadable: Vec<(String, String)>,
}

impl Waited {
    /// Whether all nodes run it.
    pub fn is_done(&self) -> bool {
        self.failed.is_empty() && self.is_known()
    }

    /// Whether all nodes have said how it went.
    fn is_known(&self) -> bool {
        self.missing.is_empty() && self.unreadable.is_empty()
    }
}

impl App {
    /// Reads which release is pointed at, and what all nodes say: one request for each node, and a few; of
    /// [nodes in SimpleDB](Self::reports_in) one in all.
    ///
    /// # Errors
    /// As the store says, and when the pointer is none. A report that is none is shown as a failure of its node.
    pub async fn status(&self, place: &Place, channel: &Channel) -> Result<Status> {
        let pointers = Pointers {
            place: place.clone(),
            channel: channel.clone(),
            ..Pointers::of(self)
        };
        let pointer = pointers.last(None).await?;
        let nodes = self.all_reports().await?;
        Ok(Status {
            pointer,
            nodes,
            nothing: pointers.nothing(),
        })
    }

    /// Waits until these nodes run a release by this move of the pointer or a later one, or until one of them has failed and
    /// all others have said how it went, or until the time is over.
    ///
    /// # Errors
    /// As the store says, and when a name is none.
    pub async fn wait_for(
        &self,
        release: u64,
        seq: u64,
        nodes: &[String],
        most: Duration,
    ) -> Result<Waited> {
        for node in nodes {
            check_node(node)?;
        }
        let begun = Instant::now();
        let mut pause = FIRST_LOOK;
        loop {
            let waited = judge(release, seq, nodes, &self.reports_of(nodes).await?);
            let left = most.saturating_sub(begun.elapsed());
            if waited.is_known() || left.is_zero() {
                return Ok(waited);
            }
            tokio::time::sleep(pause.min(left)).await;
            pause = (pause * 2).min(LAST_LOOK);
        }
    }
}

/// What nodes have come to, by what they say.
fn judge(release: u64, seq: u64, nodes: &[String], reports: &[NodeReport]) -> Waited {
    let mut waited = Waited::default();
    for node in nodes {
        let said = reports.iter().find(|report| report.node == *node);
        // What was said of an earlier move is no word about this one.
        let said = said.filter(|report| report.is_unreadable() || report.seq >= Some(seq));
        match said {
            Some(report) if report.is_unreadable() => {
                waited
                    .unreadable
                    .push((node.clone(), report.result.clone()));
            }
            Some(report) if report.is_ok() && report.release == Some(release) => {
                waited.there.push(node.clone());
            }
            Some(report) if !report.is_ok() => {
                waited.failed.push((node.clone(), report.result.clone()));
            }
            _ => waited.missing.push(node.clone()),
        }
    }
    waited.there.sort_unstable();
    waited.failed.sort_unstable();
    waited.missing.sort_unstable();
    waited.unreadable.sort_unstable();
    waited
}

#[cfg(test)]
mod tests {
    use super::*;

    fn says(node: &str, release: u64, seq: u64, result: Result<u64, &str>) -> NodeReport {
        NodeReport::new(
            node,
            Some(release),
            Some(seq),
            0,
            &result.map_err(str::to_owned),
        )
    }

    #[test]
    fn only_what_was_said_of_this_move_counts() {
        let nodes: Vec<String> = ["c", "a", "b", "d", "e", "f"].map(str::to_owned).into();
        let reports = [
            says("a", 42, 57, Ok(42)),
            says("b", 41, 57, Err("no")),
            // It has failed before, with another release; and one that runs it by an earlier move.
            says("c", 41, 56, Err("then")),
            says("d", 42, 56, Ok(42)),
            says("x", 42, 57, Ok(42)),
            NodeReport::unreadable("f", "it is no report".to_owned()),
        ];
        let waited = judge(42, 57, &nodes, &reports);
        assert_eq!(waited.there, ["a"]);
        assert_eq!(waited.failed, [("b".to_owned(), "no".to_owned())]);
        assert_eq!(waited.missing, ["c", "d", "e"]);
        let unreadable = [("f".to_owned(), "it is no report".to_owned())];
        assert_eq!(waited.unreadable, unreadable);
        assert!(!waited.is_done());
        assert!(!judge(42, 57, &nodes[5..], &reports).is_done());
        assert!(judge(42, 57, &nodes[1..2], &reports).is_done());
    }
}
