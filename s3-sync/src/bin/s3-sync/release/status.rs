//! `s3-sync release status`.

use s3_sync::Url;
use s3_sync::release::Waited;
use serde_json::json;

use super::nodes::WaitArgs;
use super::options::{PointerArgs, ReportArgs, app, date, on};
use crate::Outcome;
use crate::common::{Common, Failure};
use crate::output::{Output, say};

/// Tell which release is current, and what each node runs.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The application, as s3://bucket/prefix.
    url: Url,
    #[command(flatten)]
    wait: WaitArgs,
    #[command(flatten)]
    pointer: PointerArgs,
    #[command(flatten)]
    reports: ReportArgs,
}

impl Args {
    pub(crate) async fn run(self, common: &Common, output: &Output) -> Result<Outcome, Failure> {
        let app = app(common, &self.url, &self.pointer, &self.reports)?;
        let status = app
            .status(&self.pointer.place()?, &self.pointer.channel())
            .await?;
        let pointer = status.published()?;
        let (release, seq) = (pointer.target.release, pointer.seq);
        let at = pointer.at.map(date);
        let line = at
            .as_ref()
            .map(|at| format!(", from {at} on"))
            .unwrap_or_default();
        let channel = self.pointer.channel();
        let on = on(&channel);
        output.tell(
            format_args!("release {release} is current{on}, by move {seq}{line}"),
            || json!({"event": "current", "release": release, "channel": channel.name(), "seq": seq, "at": at}),
        )?;
        for node in &status.nodes {
            let runs = node
                .release
                .map_or("nothing".to_owned(), |release| format!("release {release}"));
            let (name, since) = (&node.node, date(node.since));
            let result = match node.is_ok() {
                true => node.result.clone(),
                false => format!("it has failed: {}", node.result.escape_debug()),
            };
            let of = node
                .channel
                .as_deref()
                .map(|channel| format!(" of {channel}"));
            let of = of.unwrap_or_default();
            let line = match node.is_unreadable() {
                true => format!(
                    "the report of {name} cannot be read: {}",
                    node.result.escape_debug()
                ),
                false => format!("{name} runs {runs}{of} since {since}: {result}"),
            };
            output.tell(format_args!("{line}"), || {
                json!({
                    "event": "node", "node": name, "release": node.release, "channel": node.channel, "seq": node.seq,
                    "since": since, "result": node.result, "unreadable": node.is_unreadable(),
                })
            })?;
        }
        match self.wait.who().await? {
            None => Ok(Outcome::Done),
            Some((nodes, most)) => {
                let waited = app.wait_for(release, seq, &nodes, most).await?;
                told(&waited, release, output)
            }
        }
    }
}

/// Tells what came of waiting.
pub(super) fn told(waited: &Waited, release: u64, output: &Output) -> Result<Outcome, Failure> {
    let there = waited.there.len();
    output.tell(format_args!("{there} nodes run release {release}"), || {
        json!({
            "event": "waited", "release": release, "there": waited.there, "missing": waited.missing,
            "failed": waited.failed.iter().map(|(node, _)| node).collect::<Vec<_>>(),
            "unreadable": waited.unreadable.iter().map(|(node, _)| node).collect::<Vec<_>>(),
        })
    })?;
    for (node, why) in &waited.failed {
        say(format_args!("{node} has failed: {}", why.escape_debug()));
    }
    for (node, why) in &waited.unreadable {
        say(format_args!(
            "what {node} says of itself cannot be read, so that it is not known to run release {release}: {}",
            why.escape_debug()
        ));
    }
    for node in &waited.missing {
        say(format_args!(
            "{node} has not changed to release {release} in time"
        ));
    }
    Ok(match waited.is_done() {
        true => Outcome::Done,
        false => Outcome::InPart,
    })
}
