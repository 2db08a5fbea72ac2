//! The part of the command line that is about SimpleDB.

use std::path::PathBuf;
use std::time::Duration;

use super::options::{SdbModes, SdbOptions};

#[derive(clap::Args, Debug)]
#[command(next_help_heading = "SimpleDB")]
pub(crate) struct SdbArgs {
    /// Folder to keep SimpleDB's domains in, and nothing of S3. Not together with --dir.
    #[arg(long, value_name = "DIR")]
    sdb_dir: Option<PathBuf>,

    /// The most domains there may be.
    #[arg(long, value_name = "COUNT", default_value_t = 250)]
    sdb_domains_max: usize,

    /// The most bytes of names and values in a domain.
    #[arg(long, value_name = "BYTES", default_value_t = 10 << 30)]
    sdb_domain_bytes_max: u64,

    /// The most pairs of name and value in a domain.
    #[arg(long, value_name = "COUNT", default_value_t = 1_000_000_000)]
    sdb_domain_pairs_max: u64,

    /// How long a select may run before it answers with what it has.
    #[arg(long, value_name = "MILLISECONDS", default_value_t = 5000)]
    sdb_select_time_max: u64,

    /// Let reads without ConsistentRead miss writes that are younger than this.
    #[arg(long, value_name = "MILLISECONDS", default_value_t = 0)]
    sdb_stale: u64,

    /// End every page and count of a select after so many items were looked at.
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..))]
    sdb_rows_max: Option<u32>,

    /// What the chance of stale reads is drawn from.
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    sdb_seed: u64,
}

impl SdbArgs {
    pub(crate) fn options(self) -> SdbOptions {
        let mut modes = SdbModes::default()
            .seed(self.sdb_seed)
            .stale(Duration::from_millis(self.sdb_stale));
        if let Some(rows) = self.sdb_rows_max {
            modes = modes.rows_max(usize::try_from(rows).unwrap_or(usize::MAX));
        }
        let options = SdbOptions::default()
            .modes(modes)
            .domains_max(self.sdb_domains_max)
            .domain_bytes_max(self.sdb_domain_bytes_max)
            .domain_pairs_max(self.sdb_domain_pairs_max)
            .select_time_max(Duration::from_millis(self.sdb_select_time_max));
        match self.sdb_dir {
            Some(dir) => options.dir(dir),
            None => options,
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        sdb: SdbArgs,
    }

    fn options(args: &[&str]) -> Result<SdbOptions, clap::Error> {
        let line = Line::try_parse_from([&["emulator"], args].concat())?;
        Ok(line.sdb.options())
    }

    #[test]
    fn the_command_line_says_what_the_options_say() {
        let defaults = (options(&[]).unwrap(), SdbOptions::default());
        assert_eq!(format!("{:?}", defaults.0), format!("{:?}", defaults.1));
        let modes = SdbModes::default()
            .seed(7)
            .stale(Duration::from_millis(1500))
            .rows_max(3);
        let said = SdbOptions::default()
            .dir("a/b")
            .domains_max(1)
            .domain_bytes_max(2)
            .domain_pairs_max(3)
            .select_time_max(Duration::from_millis(4))
            .modes(modes);
        let line = "--sdb-dir a/b --sdb-domains-max 1 --sdb-domain-bytes-max 2 \
                    --sdb-domain-pairs-max 3 --sdb-select-time-max 4 --sdb-seed 7 --sdb-stale 1500 --sdb-rows-max 3";
        let line: Vec<_> = line.split_whitespace().collect();
        assert_eq!(
            format!("{:?}", options(&line).unwrap()),
            format!("{said:?}")
        );
        for wrong in ["--sdb-rows-max=0", "--sdb-stale=x"] {
            assert!(options(&[wrong]).is_err(), "{wrong}");
        }
    }
}
