//! Which files are meant: `--exclude` and `--include`.

use s3_sync::{Error, Patterns};

/// Patterns in the order in which they were given.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct PatternArgs {
    /// Leave out what matches, in the forms of .gitignore. Of all --exclude and --include the last that matches counts.
    #[arg(long, value_name = "PATTERN", value_parser = pattern)]
    exclude: Vec<String>,
    /// Take in again what matches.
    #[arg(long, value_name = "PATTERN", value_parser = pattern)]
    include: Vec<String>,
}

impl PatternArgs {
    /// All of them in order, which clap does not keep between two options.
    pub(crate) fn patterns(&self) -> Result<Patterns, Error> {
        if self.exclude.is_empty() && self.include.is_empty() {
            return Ok(Patterns::default());
        }
        let mut patterns = Patterns::default();
        let mut args = std::env::args_os()
            .skip(1)
            .filter_map(|arg| arg.into_string().ok());
        while let Some(arg) = args.next() {
            if arg == "--" {
                break;
            }
            let (name, value) = match arg.split_once('=') {
                Some((name, value)) => (name, Some(value.to_owned())),
                None => (&*arg, None),
            };
            let mut value = || value.clone().or_else(|| args.next()).unwrap_or_default();
            patterns = match name {
                "--exclude" => patterns.exclude(&value())?,
                "--include" => patterns.include(&value())?,
                _ => patterns,
            };
        }
        Ok(patterns)
    }
}

/// A pattern that has a meaning, for the command line to be refused otherwise.
pub(crate) fn pattern(text: &str) -> Result<String, Error> {
    Patterns::default().exclude(text)?;
    Ok(text.to_owned())
}
