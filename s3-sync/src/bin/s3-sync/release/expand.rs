//! `s3-sync release expand`.

use s3_sync::Url;
use serde_json::json;

use super::options::{PointerArgs, ReportArgs, app};
use crate::Outcome;
use crate::common::{Common, Failure};
use crate::headers::HeaderArgs;
use crate::output::Output;

/// Copy a release, file by file, to where a web server finds it: TARGET/NUMBER/PATH.
///
/// The store copies by itself, and only what is not there. Point the web server to the folder of the number when this has ended
/// with 0: it is whole then.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The application, as s3://bucket/prefix.
    url: Url,
    /// Where the folder of the release is made, as s3://bucket/prefix of the same store.
    target: Url,
    /// The number of the release. Defaults to the current one.
    release: Option<u64>,
    #[command(flatten)]
    headers: HeaderArgs,
    #[command(flatten)]
    pointer: PointerArgs,
}

impl Args {
    pub(crate) async fn run(self, common: &Common, output: &Output) -> Result<Outcome, Failure> {
        let app = app(common, &self.url, &self.pointer, &ReportArgs::default())?;
        let mut expand = app
            .expand(&self.target)
            .channel(self.pointer.channel())
            .place(self.pointer.place()?)
            .content_type(self.headers.content_type()?)
            .cache_control(self.headers.cache_control()?)
            .content_encoding(self.headers.content_encoding()?);
        if let Some(number) = self.release {
            expand = expand.release(number);
        }
        let done = expand.send().await?;
        output.tell(
            format_args!(
                "release {} is in {}: {} files, {} bytes; {} files copied",
                done.release, done.url, done.files, done.bytes, done.copied
            ),
            || {
                json!({
                    "event": "expanded", "release": done.release, "url": done.url.to_string(), "files": done.files,
                    "bytes": done.bytes, "copied": done.copied,
                })
            },
        )?;
        Ok(Outcome::Done)
    }
}
