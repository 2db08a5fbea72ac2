//! The names of the nodes that are waited for: as they are written, or as EC2 says which instances there are.

use std::time::Duration;

use ec2_client::{Ec2Client, Metadata};
use s3_sync::Error;
use s3_sync::release::check_node;

use super::options::span;
use crate::common::Failure;

/// Who is waited for, and how long.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct WaitArgs {
    /// Wait so long at most until the nodes run it, and exit with 1 if one does not, with its name.
    #[arg(long, value_name = "TIME", value_parser = span, requires = "nodes")]
    wait: Option<Duration>,
    /// The names of the nodes to wait for, with commas. `ec2:tag:NAME=VALUE` stands for the running instances of EC2 that
    /// have this tag, which follow with `--instance-name`.
    #[arg(long, value_name = "NAMES", value_delimiter = ',', requires = "wait")]
    nodes: Vec<String>,
}

impl WaitArgs {
    /// The names and the time, if anybody is waited for.
    pub(crate) async fn who(&self) -> Result<Option<(Vec<String>, Duration)>, Failure> {
        let Some(most) = self.wait else {
            return Ok(None);
        };
        let mut names = Vec::new();
        for node in &self.nodes {
            match node.strip_prefix("ec2:") {
                None => {
                    check_node(node)?;
                    names.push(node.clone());
                }
                Some(filter) => names.extend(instances(node, filter).await?),
            }
        }
        names.sort_unstable();
        names.dedup();
        Ok(Some((names, most)))
    }
}

/// The identifiers of running instances.
async fn instances(node: &str, filter: &str) -> Result<Vec<String>, Failure> {
    let tag = filter
        .strip_prefix("tag:")
        .and_then(|tag| tag.split_once('='));
    let Some((name, value)) = tag.filter(|(name, _)| !name.is_empty()) else {
        let node = node.escape_debug();
        return Err(Error::usage(format!(
            "--nodes {node}: it is not of the form ec2:tag:NAME=VALUE"
        ))
        .into());
    };
    let client = Ec2Client::from_env().map_err(|error| Error::usage(error.to_string()))?;
    let mut found = client.instances().running().tag(name, value).items();
    let mut names = Vec::new();
    while let Some(instance) = found.try_next().await? {
        names.push(instance.id);
    }
    if names.is_empty() {
        // To wait for nobody would be to say that all is well.
        let node = node.escape_debug();
        return Err(
            Error::usage(format!("--nodes {node}: no running instance has this tag")).into(),
        );
    }
    Ok(names)
}

/// The identifier of the instance of EC2 that this program runs on.
pub(crate) async fn own_instance() -> Result<String, Failure> {
    Ok(Metadata::new().instance_id().await?)
}
