//! The part of the command line that is about EC2.

use std::path::PathBuf;

use super::options::Ec2Options;

#[derive(clap::Args, Debug)]
#[command(next_help_heading = "EC2")]
pub(crate) struct Ec2Args {
    /// JSON of the instances that DescribeInstances and the metadata service tell of, as `aws ec2 describe-instances` prints
    /// it; read again when it has changed. Without it there are none.
    #[arg(long, value_name = "FILE")]
    ec2_instances: Option<PathBuf>,

    /// The instance that the metadata service speaks for. Without it, the first by id that runs.
    #[arg(long, value_name = "ID")]
    ec2_me: Option<String>,

    /// Refuse requests beyond Amazon's limits: 100 and 20 a second with a filter or page size, else 50 and 10.
    #[arg(long)]
    ec2_throttle: bool,

    /// Refuse Signature Version 2, as newer regions do.
    #[arg(long)]
    ec2_refuse_v2: bool,
}

impl Ec2Args {
    /// The options, and the instance that the metadata service speaks for.
    pub(crate) fn options(self) -> (Ec2Options, Option<String>) {
        let options = Ec2Options {
            file: self.ec2_instances,
            throttle: self.ec2_throttle,
            refuse_v2: self.ec2_refuse_v2,
        };
        (options, self.ec2_me)
    }
}
