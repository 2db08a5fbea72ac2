//! `s3-sync release publish`.

use std::path::PathBuf;
use std::time::SystemTime;

use s3_sync::Url;
use s3_sync::release::{Channel, PublishEnd, Published};
use serde_json::json;

use super::nodes::WaitArgs;
use super::options::{PointerArgs, ReportArgs, SignArgs, app, moment, on, waits};
use super::status::told;
use crate::Outcome;
use crate::common::{Common, Failure};
use crate::output::Output;
use crate::patterns::PatternArgs;

/// Make a release of a folder, and have nodes run it.
///
/// Only contents are sent that no release has. The release gets the next number, whoever else publishes at the same time; its
/// files are regular ones, with their permissions. Without a change nothing is stored.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The folder.
    folder: PathBuf,
    /// The application, as s3://bucket/prefix.
    url: Url,
    /// What is said of the release.
    #[arg(long, value_name = "TEXT", default_value = "")]
    note: String,
    /// Nodes fetch it at once and change to it at this moment: 2026-11-30T21:00:00Z, or +5m for five minutes from now.
    #[arg(long, value_name = "TIME", value_parser = moment)]
    at: Option<SystemTime>,
    /// Make a release also if the current one has these very files.
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    patterns: PatternArgs,
    /// How many files are read and sent at once.
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = clap::value_parser!(u16).range(1..=1024))]
    concurrency: u16,
    #[command(flatten)]
    wait: WaitArgs,
    #[command(flatten)]
    pointer: PointerArgs,
    #[command(flatten)]
    reports: ReportArgs,
    #[command(flatten)]
    sign: SignArgs,
}

impl Args {
    pub(crate) async fn run(self, common: &Common, output: &Output) -> Result<Outcome, Failure> {
        let app = app(common, &self.url, &self.pointer, &self.reports)?;
        let mut publish = app
            .publish(&self.folder)
            .note(self.note)
            .patterns(self.patterns.patterns()?)
            .on_wait(waits(&self.url, common))
            .channel(self.pointer.channel())
            .place(self.pointer.place()?)
            .even_unchanged(self.force)
            .concurrency(self.concurrency.into());
        if let Some(at) = self.at {
            publish = publish.at(at);
        }
        if let Some(key) = self.sign.key()? {
            publish = publish.sign_key(key);
        }
        // Wrong names are told before anything is stored.
        let who = self.wait.who().await?;
        let published = publish.send().await?;
        tell(&published, &self.pointer.channel(), output)?;
        let Some((nodes, most)) = who else {
            return Ok(Outcome::Done);
        };
        let waited = app.wait_for(published.release, published.seq, &nodes, most);
        told(&waited.await?, published.release, output)
    }
}

fn tell(published: &Published, channel: &Channel, output: &Output) -> std::io::Result<()> {
    let Published {
        release,
        seq,
        files,
        bytes,
        sent,
        sent_bytes,
        ..
    } = published;
    let on = on(channel);
    let (end, line) = match published.end {
        PublishEnd::Current => ("current", format!("release {release} is current{on}")),
        PublishEnd::Overtaken => (
            "overtaken",
            format!(
                "release {release} is there; a later one, published at the same time, is current{on}"
            ),
        ),
        PublishEnd::Unchanged => (
            "unchanged",
            format!("release {release} is current{on} and has these files already"),
        ),
        _ => ("ended", format!("release {release} is there")),
    };
    output.tell(
        format_args!("{line}: {files} files, {bytes} bytes; {sent} contents sent, {sent_bytes} bytes"),
        || {
            json!({
                "event": "published", "release": release, "channel": channel.name(), "seq": seq, "end": end, "files": files, "bytes": bytes,
                "sent": sent, "sent_bytes": sent_bytes,
            })
        },
    )
}
