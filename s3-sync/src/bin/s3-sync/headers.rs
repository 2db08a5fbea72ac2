//! What is said of objects that are stored: `--cache-control`, `--content-encoding` and `--content-type`.

use s3_sync::{Error, Rules};

/// Rules for headers.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct HeaderArgs {
    /// Set the Cache-Control of what matches: PATTERN=VALUE. The last that matches counts.
    #[arg(long, value_name = "PATTERN=VALUE", value_parser = rule)]
    cache_control: Vec<String>,
    /// Set the Content-Encoding of what matches, such as '*.gz=gzip'.
    #[arg(long, value_name = "PATTERN=VALUE", value_parser = rule)]
    content_encoding: Vec<String>,
    /// Set the media type of what matches. Defaults to that of the suffix.
    #[arg(long, value_name = "PATTERN=VALUE", value_parser = rule)]
    content_type: Vec<String>,
}

impl HeaderArgs {
    pub(crate) fn cache_control(&self) -> Result<Rules, Error> {
        rules(&self.cache_control)
    }

    pub(crate) fn content_encoding(&self) -> Result<Rules, Error> {
        rules(&self.content_encoding)
    }

    pub(crate) fn content_type(&self) -> Result<Rules, Error> {
        rules(&self.content_type)
    }
}

/// A rule `pattern=value` that has a meaning.
fn rule(text: &str) -> Result<String, Error> {
    Rules::default().rule(text)?;
    Ok(text.to_owned())
}

/// The rules `pattern=value`.
fn rules(given: &[String]) -> Result<Rules, Error> {
    given
        .iter()
        .try_fold(Rules::default(), |rules, rule| rules.rule(rule))
}
