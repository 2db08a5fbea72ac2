//! What `sync`, `diff` and `verify` have in common: their two sides, which files they look at, and what they tell meanwhile.

use std::io;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::SystemTime;

use s3_sync::{
    Error, Event, Links, Newer, Options, Patterns, Report, Side, SizeRange, Trust, Url, sync,
};
use serde_json::json;

use crate::Outcome;
use crate::common::{Common, Failure};
use crate::output::{Output, say};
use crate::patterns::PatternArgs;
use crate::progress::Progress;

/// A folder or a prefix.
#[derive(Clone, Debug)]
pub(crate) enum Place {
    Folder(PathBuf),
    Prefix(Url),
}

impl FromStr for Place {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        match Url::is_one(text) {
            true => Ok(Self::Prefix(text.parse()?)),
            false if text.is_empty() => Err(Error::usage("a folder has a name")),
            // A slip of the pen is no folder that is to be made.
            false if is_like_a_url(text) => {
                let text = text.escape_debug();
                Err(Error::usage(format!(
                    "{text} is not of the form s3://bucket/prefix; a folder of this name is ./{text}"
                )))
            }
            false => Ok(Self::Folder(text.into())),
        }
    }
}

/// Whether a text was meant to be an address: `https://x`, `S3://x`, `s3:/x`.
fn is_like_a_url(text: &str) -> bool {
    let scheme = text.split_once(":/").map(|(scheme, _)| scheme);
    scheme.is_some_and(|scheme| {
        !scheme.is_empty() && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric())
    })
}

impl Place {
    fn side(self, client: &s3_client::S3Client) -> Side {
        match self {
            Self::Folder(path) => Side::Folder(path),
            Self::Prefix(url) => Side::prefix(client.bucket(url.bucket()), url),
        }
    }
}

/// Two sides that are compared, of which neither is changed.
#[derive(Debug, clap::Args)]
pub(crate) struct Comparison {
    /// A folder or s3://bucket/prefix.
    source: Place,
    /// The other: s3://bucket/prefix or a folder.
    target: Place,
    #[command(flatten)]
    choice: Choice,
}

impl Comparison {
    /// Compares them as `set` has it, and tells how many differ, which `differing` reads from the report.
    pub(crate) async fn run(
        self,
        common: &Common,
        output: &Output,
        set: impl FnOnce(&mut Options),
        differing: impl FnOnce(&Report) -> u64,
    ) -> Result<Outcome, Failure> {
        let mut options = self.choice.options()?;
        set(&mut options);
        let report = run(common, output, self.source, self.target, options, false).await?;
        let differ = differing(&report);
        if !common.quiet {
            output.tell(
                format_args!("{differ} differ, {} are the same, {} failed", report.same, report.failed),
                || json!({"event": "end", "differ": differ, "same": report.same, "failed": report.failed}),
            )?;
        }
        Ok(match differ == 0 && report.failed == 0 {
            true => Outcome::Done,
            false => Outcome::InPart,
        })
    }
}

/// Which files are looked at, and how they are compared.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Choice {
    #[command(flatten)]
    patterns: PatternArgs,
    /// Look only at the keys in this file, one a line; - is standard input.
    #[arg(long, value_name = "FILE")]
    files_from: Option<PathBuf>,
    /// Look only at files of the source that were changed within this time, such as 90s, 30m, 12h or 7d.
    #[arg(long, value_name = "AGE", value_parser = |age: &str| Newer::within(age, SystemTime::now()))]
    newer: Option<Newer>,
    /// Look only at files of the source of these sizes, such as ..1M or 10K...
    #[arg(long, value_name = "RANGE")]
    size: Option<SizeRange>,
    /// Read what symbolic links of a folder lead to, if that lies within the folder. Defaults to passing them over.
    #[arg(long)]
    follow_links: bool,
    /// Take objects for the same that have the same size, where nothing tells their content; else they are read.
    #[arg(long)]
    trust_size: bool,
    /// Do not take entity tags for digests: for stores whose tags look like MD5 and are not.
    #[arg(long)]
    opaque_etags: bool,
    /// How many requests are under way at most.
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = clap::value_parser!(u16).range(1..=4096))]
    concurrency: u16,
    /// Remember digests of local files in this folder. Defaults to s3-sync in the user's folder for caches.
    #[arg(long, value_name = "FOLDER")]
    state: Option<PathBuf>,
    /// Remember nothing, and read all files.
    #[arg(long, conflicts_with = "state")]
    no_state: bool,
}

impl Choice {
    pub(crate) fn options(&self) -> Result<Options, Failure> {
        let mut options = Options {
            patterns: self.patterns.patterns()?,
            ..Options::default()
        };
        if let Some(path) = &self.files_from {
            options.only = Some(s3_sync::keys_of(&read(path)?)?);
        }
        options.newer = self.newer;
        options.size = self.size;
        if self.follow_links {
            options.links = Links::Follow;
        }
        options.trust = Trust {
            size: self.trust_size,
            opaque_etags: self.opaque_etags,
        };
        options.concurrency = self.concurrency.into();
        if let Some(folder) = &self.state {
            options.state = Some(folder.clone());
        }
        if self.no_state {
            options.state = None;
        }
        Ok(options)
    }
}

fn read(path: &std::path::Path) -> Result<String, Failure> {
    let read = match path == std::path::Path::new("-") {
        true => io::read_to_string(io::stdin()),
        false => std::fs::read_to_string(path),
    };
    read.map_err(|cause| {
        let path = path.display();
        Failure::Error(Error::usage(format!(
            "--files-from {path}: cannot read it: {cause}"
        )))
    })
}

/// The patterns of what comes last.
pub(crate) fn last(given: &[String], site: bool) -> Result<Option<Patterns>, Error> {
    let pages: &[&str] = match site {
        true => &["*.html", "index.json", "sw.js"],
        false => &[],
    };
    let all = pages
        .iter()
        .copied()
        .chain(given.iter().map(String::as_str));
    let mut last = None;
    for pattern in all {
        last = Some(last.unwrap_or_else(Patterns::default).exclude(pattern)?);
    }
    Ok(last)
}

/// Runs, and tells what happens.
pub(crate) async fn run(
    common: &Common,
    output: &Output,
    source: Place,
    target: Place,
    options: Options,
    verbose: bool,
) -> Result<Report, Failure> {
    let client = common.client()?;
    let each = verbose || options.dry_run;
    let run = sync(source.side(&client), target.side(&client)).options(options);
    let progress = Progress::new(common);
    let mut broken = None;
    let ran = run
        .run_with(
            |event| match tell(common, output, &progress, each, &event) {
                Ok(()) => ControlFlow::Continue(()),
                Err(error) => {
                    broken = Some(error);
                    ControlFlow::Break(())
                }
            },
        )
        .await;
    match broken {
        Some(error) => Err(Failure::Output(error)),
        None => Ok(ran?),
    }
}

fn tell(
    common: &Common,
    output: &Output,
    progress: &Progress,
    each: bool,
    event: &Event<'_>,
) -> io::Result<()> {
    match event {
        // Each of many files in text would bury what matters: it is told where it is the answer, or was asked for.
        Event::Did { action, key, size } if each || output.is_json() => {
            let action = action.as_str();
            output.tell(
                format_args!("{action} {}", key.escape_debug()),
                || json!({"event": action, "key": key, "size": size}),
            )
        }
        Event::Differs { key, what } => output.tell(
            format_args!("differs {}: {what}", key.escape_debug()),
            || json!({"event": "differs", "key": key, "what": what}),
        ),
        Event::Failed(error) if output.is_json() => output.tell(
            format_args!(""),
            || json!({"event": "failed", "about": error.about(), "error": error.to_string()}),
        ),
        Event::Failed(error) => {
            progress.aside(|| say(format_args!("{error}")));
            Ok(())
        }
        Event::Skipped(skipped) if output.is_json() => output.tell(
            format_args!(""),
            || json!({"event": "skipped", "key": skipped.key, "reason": skipped.reason}),
        ),
        Event::Skipped(skipped) if !common.quiet => {
            let (key, reason) = (skipped.key.escape_debug(), skipped.reason);
            progress.aside(|| say(format_args!("{key} is passed over: {reason}")));
            Ok(())
        }
        Event::Warning(warning) if output.is_json() => output.tell(
            format_args!(""),
            || json!({"event": "warning", "warning": warning}),
        ),
        Event::Warning(warning) => {
            progress.aside(|| say(format_args!("{warning}")));
            Ok(())
        }
        Event::Progress(report) => {
            let Report {
                moved,
                to_move,
                bytes,
                bytes_to_move,
                ..
            } = **report;
            progress.set((moved, to_move), (bytes, bytes_to_move));
            Ok(())
        }
        _ => Ok(()),
    }
}
