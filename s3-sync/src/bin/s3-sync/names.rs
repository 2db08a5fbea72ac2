//! `s3-sync names`: which keys below a prefix cannot be names of files.

use s3_sync::Url;
use s3_sync::names::Names;
use serde_json::json;

use crate::Outcome;
use crate::common::{Common, Failure};
use crate::output::Output;
use crate::progress::Progress;

/// Tells which keys below a prefix cannot be the names of files in a folder, and why.
///
/// Exits with 1 if there are any.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The prefix: s3://bucket/prefix.
    prefix: Url,
    /// The folder is on a file system that takes names for one that differ in case only, as on macOS.
    #[arg(long)]
    folding: bool,
}

impl Args {
    pub(crate) async fn run(self, common: &Common, output: &Output) -> Result<Outcome, Failure> {
        let bucket = common.bucket(&self.prefix)?;
        let progress = Progress::new(common);
        let mut names = Names::new().folding(self.folding);
        let mut objects = bucket.list().prefix(self.prefix.prefix()).objects();
        let (mut all, mut bytes, mut bad) = (0, 0, 0);
        while let Some(object) = objects.try_next().await? {
            let key = &*object.key;
            let name = key.strip_prefix(self.prefix.prefix()).unwrap_or(key);
            // It is the index, or stands for a folder: a run passes it over.
            let is_index = name.rsplit('/').next() == Some(s3_sync::INDEX_NAME);
            if is_index || (name.is_empty() || name.ends_with('/')) && object.size == 0 {
                continue;
            }
            all += 1;
            bytes += object.size;
            progress.set((all, all), (bytes, bytes));
            if let Err(error) = names.admit(name) {
                bad += 1;
                output.tell(
                    format_args!("{error}"),
                    || json!({"event": "name", "key": name, "error": error.fault().to_string()}),
                )?;
            }
        }
        if !common.quiet {
            output.tell(
                format_args!("{all} keys, of which {bad} cannot be names of files"),
                || json!({"event": "end", "keys": all, "bad": bad}),
            )?;
        }
        Ok(if bad == 0 {
            Outcome::Done
        } else {
            Outcome::InPart
        })
    }
}
