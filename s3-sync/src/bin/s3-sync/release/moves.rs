//! `s3-sync release rollback` and `promote`.

use s3_sync::Url;
use s3_sync::release::{Channel, Move};
use serde_json::json;

use super::options::{PointerArgs, ReportArgs, SignArgs, app, on, waits};
use crate::Outcome;
use crate::common::{Common, Failure};
use crate::output::Output;

/// Have nodes run an earlier release.
#[derive(Debug, clap::Args)]
pub(crate) struct Rollback {
    /// The application, as s3://bucket/prefix.
    url: Url,
    /// The number of the release. Defaults to the last one before the current.
    release: Option<u64>,
    #[command(flatten)]
    pointer: PointerArgs,
    #[command(flatten)]
    sign: SignArgs,
}

/// Have all nodes run what the nodes of a channel run.
#[derive(Debug, clap::Args)]
pub(crate) struct Promote {
    /// The application, as s3://bucket/prefix.
    url: Url,
    /// The channel whose release it is.
    #[arg(long, value_name = "NAME", default_value = "canary")]
    from: Channel,
    #[command(flatten)]
    pointer: PointerArgs,
    #[command(flatten)]
    sign: SignArgs,
}

impl Rollback {
    pub(crate) async fn run(self, common: &Common, output: &Output) -> Result<Outcome, Failure> {
        let moving =
            app(common, &self.url, &self.pointer, &ReportArgs::default())?.rollback(self.release);
        let moving = moving.on_wait(waits(&self.url, common));
        run(moving, &self.pointer, &self.sign, output).await
    }
}

impl Promote {
    pub(crate) async fn run(self, common: &Common, output: &Output) -> Result<Outcome, Failure> {
        let moving =
            app(common, &self.url, &self.pointer, &ReportArgs::default())?.promote(self.from);
        let moving = moving.on_wait(waits(&self.url, common));
        run(moving, &self.pointer, &self.sign, output).await
    }
}

async fn run(
    moving: Move,
    pointer: &PointerArgs,
    sign: &SignArgs,
    output: &Output,
) -> Result<Outcome, Failure> {
    let mut moving = moving.channel(pointer.channel()).place(pointer.place()?);
    if let Some(key) = sign.key()? {
        moving = moving.sign_key(key);
    }
    let moved = moving.send().await?;
    let (release, seq) = (moved.release, moved.seq);
    let channel = pointer.channel();
    let on = on(&channel);
    output.tell(
        format_args!("release {release} is current{on}, by move {seq}"),
        || json!({"event": "moved", "release": release, "channel": channel.name(), "seq": seq}),
    )?;
    Ok(Outcome::Done)
}
