//! `s3-sync release list`.

use s3_sync::Url;
use s3_sync::release::ListedRelease;
use serde_json::json;

use super::options::{PointerArgs, ReportArgs, app, date};
use crate::Outcome;
use crate::common::{Common, Failure};
use crate::output::{Output, say};

/// Tell which releases there are, and which are current.
///
/// Exits with 1 if a manifest cannot be read.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The application, as s3://bucket/prefix.
    url: Url,
    /// Tell the last so many, and those that are current.
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
    last: u32,
    #[command(flatten)]
    pointer: PointerArgs,
}

impl Args {
    pub(crate) async fn run(self, common: &Common, output: &Output) -> Result<Outcome, Failure> {
        let app = app(common, &self.url, &self.pointer, &ReportArgs::default())?;
        let last = usize::try_from(self.last).unwrap_or(usize::MAX);
        let channels = [self.pointer.channel()];
        let place = self.pointer.place()?;
        let releases = app.releases(last, &place, &channels).await?;
        let mut outcome = Outcome::Done;
        for release in &releases {
            outcome = tell(release, output)?.and(outcome);
        }
        Ok(outcome)
    }
}

fn tell(release: &ListedRelease, output: &Output) -> Result<Outcome, Failure> {
    let number = release.number;
    let current = release.current.iter().map(ToString::to_string);
    let current: Vec<String> = current.collect();
    let about = match &release.about {
        Ok(about) => about,
        Err(error) if output.is_json() => {
            let event = || json!({"event": "release", "release": number, "current": current, "error": error.to_string()});
            output.tell(format_args!(""), event)?;
            return Ok(Outcome::InPart);
        }
        Err(error) => {
            let named = current
                .iter()
                .map(|channel| format!("; {channel} names it"));
            say(format_args!("{error}{}", named.collect::<String>()));
            return Ok(Outcome::InPart);
        }
    };
    let (files, bytes, created) = (about.files, about.bytes, date(about.created));
    let mut line = format!("release {number} of {created}: {files} files, {bytes} bytes");
    let digest = about.manifest.to_string();
    line.push_str(", manifest ");
    line.push_str(&digest[..12]);
    for channel in &current {
        line.push_str(", ");
        line.push_str(channel);
    }
    if !about.note.is_empty() {
        line.push_str(": ");
        line.extend(about.note.escape_debug());
    }
    output.tell(format_args!("{line}"), || {
        json!({
            "event": "release", "release": number, "created": created, "manifest": digest, "parent": about.parent,
            "files": files, "bytes": bytes, "note": about.note, "current": current,
        })
    })?;
    Ok(Outcome::Done)
}
