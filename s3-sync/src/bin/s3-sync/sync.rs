//! `s3-sync sync`: brings a target level with a source.

use s3_sync::{Price, Report};
use serde_json::json;

use crate::Outcome;
use crate::common::{Common, Failure};
use crate::headers::HeaderArgs;
use crate::output::Output;
use crate::patterns::pattern;
use crate::running::{self, Choice, Place};

/// Brings a target level with a source by content: what differs is moved, and nothing else.
///
/// One of them is a folder and the other s3://bucket/prefix, or both are prefixes of one store, which copies by itself.
/// Contents are compared by their SHA-256, which the object .s3-sync beside the objects tells, by entity tags that are digests,
/// or by reading.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// What is to be there: a folder or s3://bucket/prefix.
    source: Place,
    /// Where it is to be: s3://bucket/prefix or a folder.
    target: Place,
    #[command(flatten)]
    choice: Choice,
    /// Delete what only the target has, after all else and only if nothing has failed.
    #[arg(long)]
    delete: bool,
    /// How many deletes are allowed: a number, or a share of the target such as 80%. Defaults to 1,000 and to half of the target.
    #[arg(long, value_name = "N|N%", requires = "delete")]
    max_delete: Option<s3_sync::MaxDelete>,
    /// Upload what matches this after all else, such as pages that name what has to be there. May be given several times.
    #[arg(long, value_name = "PATTERN", value_parser = pattern)]
    last: Vec<String>,
    /// The target is a website: upload *.html, index.json and sw.js after all else.
    #[arg(long)]
    site: bool,
    #[command(flatten)]
    headers: HeaderArgs,
    /// Have files on the disk before it ends (fsync).
    #[arg(long)]
    fsync: bool,
    /// Take names for one that differ in case only, as the file system of the target does. It is found out for the folder itself,
    /// and not for each folder in it.
    #[arg(long)]
    folding: bool,
    /// Print what would be done and what it would cost at Amazon, and do nothing.
    #[arg(long, short = 'n')]
    dry_run: bool,
    /// Print a line for each file or object that is moved or deleted.
    #[arg(long, short, conflicts_with = "quiet")]
    verbose: bool,
}

impl Args {
    pub(crate) async fn run(self, common: &Common, output: &Output) -> Result<Outcome, Failure> {
        let mut options = self.choice.options()?;
        options.delete = self.delete;
        options.max_delete = self.max_delete.unwrap_or_default();
        options.last = running::last(&self.last, self.site)?;
        options.cache_control = self.headers.cache_control()?;
        options.content_encoding = self.headers.content_encoding()?;
        options.content_type = self.headers.content_type()?;
        options.fsync = self.fsync;
        options.folding = self.folding;
        options.dry_run = self.dry_run;
        let (source, target) = (self.source, self.target);
        let report = running::run(common, output, source, target, options, self.verbose).await?;
        if self.dry_run || !common.quiet {
            tell(&report, self.dry_run, output)?;
        }
        Ok(match report.is_complete() {
            true => Outcome::Done,
            false => Outcome::InPart,
        })
    }
}

fn tell(report: &Report, dry_run: bool, output: &Output) -> Result<(), Failure> {
    let Report {
        same,
        moved,
        bytes,
        deleted,
        kept,
        skipped,
        failed,
        price,
        ..
    } = report;
    let event = || {
        json!({
            "event": "end", "dry_run": dry_run, "same": same, "moved": moved, "bytes": bytes, "deleted": deleted,
            "kept": kept, "skipped": skipped, "failed": failed, "puts": price.puts, "gets": price.gets,
            "delete_requests": price.deletes, "dollars": price.dollars(),
        })
    };
    let would = if dry_run { "would be " } else { "" };
    output.tell(
        format_args!(
            "{moved} {would}moved ({bytes} bytes), {same} the same, {deleted} {would}deleted, {kept} only in the target, \
             {skipped} passed over, {failed} failed"
        ),
        event,
    )?;
    if dry_run && !output.is_json() {
        let Price { puts, gets, .. } = price;
        let dollars = price.dollars();
        let basis = Price::BASIS;
        output.tell(
            format_args!("{puts} puts, copies and lists and {gets} gets: ${dollars:.4} ({basis})"),
            || json!({}),
        )?;
    }
    Ok(())
}
