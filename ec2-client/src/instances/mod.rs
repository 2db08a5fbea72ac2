//! Listing instances.
//!
//! [DescribeInstances](https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeInstances.html) is eventually
//! consistent: an instance can be missing from a list for a while after its start, and stays in it for up to an hour after
//! its end, `terminated` and without addresses. The order of a list is not promised.

mod describe;
mod instance;
mod read;

pub use describe::{DescribeInstances, InstancePage, InstancePages, Instances};
pub use instance::{Instance, SecurityGroup, State};

/// The key of the tag by which Auto Scaling marks the members of a group; its value is the group's name.
pub const AUTO_SCALING_GROUP: &str = "aws:autoscaling:groupName";
