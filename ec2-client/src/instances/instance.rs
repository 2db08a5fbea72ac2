//! An instance, as far as it is read.

use std::collections::BTreeMap;
use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::time::SystemTime;

/// An EC2 [instance](https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_Instance.html), with what tells where it
/// is and whose it is. What an instance does not have is absent; a stopped one has no public address, a terminated one
/// none at all.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Instance {
    /// The id is `i-` and hexadecimal digits.
    pub id: String,
    /// The state says whether the instance runs.
    pub state: State,
    /// The address in its network.
    pub private_ip: Option<Ipv4Addr>,
    /// The address in the internet.
    pub public_ip: Option<Ipv4Addr>,
    /// The addresses over IPv6 of all of its network interfaces, the first the one that EC2 calls the instance's.
    pub ipv6: Vec<Ipv6Addr>,
    /// The name that resolves within its network.
    pub private_dns: Option<String>,
    /// The name that resolves in the internet.
    pub public_dns: Option<String>,
    /// The groups that it is a member of, in no particular order.
    pub security_groups: Vec<SecurityGroup>,
    /// Its tags; values may be empty.
    pub tags: BTreeMap<String, String>,
    /// The availability zone, for example `eu-west-1a`.
    pub zone: Option<String>,
    /// The placement group.
    pub placement_group: Option<String>,
    /// The tenancy is `default`, `dedicated` or `host`.
    pub tenancy: Option<String>,
    /// The VPC.
    pub vpc: Option<String>,
    /// The subnet.
    pub subnet: Option<String>,
    /// When it was last started.
    pub launched: Option<SystemTime>,
    /// Its number among those that were launched together, from 0.
    pub launch_index: Option<u32>,
    /// The type of the machine, for example `t4g.small`.
    pub instance_type: Option<String>,
    /// What it was launched from, `ami-…`.
    pub image: Option<String>,
    /// The key pair that may log in.
    pub key_name: Option<String>,
    /// The architecture of the image: `arm64`, `x86_64`, …
    pub architecture: Option<String>,
    /// Why it is in its state, if the service says so.
    pub reason: Option<String>,
    /// The ARN of its instance profile.
    pub profile: Option<String>,
    /// What it was launched by, `r-…`.
    pub reservation: Option<String>,
    /// The account that it belongs to.
    pub owner: Option<String>,
}

impl Instance {
    pub(crate) fn new(id: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            state: State::Pending,
            private_ip: None,
            public_ip: None,
            ipv6: Vec::new(),
            private_dns: None,
            public_dns: None,
            security_groups: Vec::new(),
            tags: BTreeMap::new(),
            zone: None,
            placement_group: None,
            tenancy: None,
            vpc: None,
            subnet: None,
            launched: None,
            launch_index: None,
            instance_type: None,
            image: None,
            key_name: None,
            architecture: None,
            reason: None,
            profile: None,
            reservation: None,
            owner: None,
        }
    }

    /// The value of a tag.
    pub fn tag(&self, key: &str) -> Option<&str> {
        self.tags.get(key).map(String::as_str)
    }

    /// The tag `Name`, by which consoles show an instance.
    pub fn name(&self) -> Option<&str> {
        self.tag("Name").filter(|name| !name.is_empty())
    }

    #[cfg(test)]
    pub(crate) fn add_security_group(&mut self, id: &str, name: &str) {
        self.security_groups.push(SecurityGroup {
            id: id.to_owned(),
            name: name.to_owned(),
        });
    }
}

/// A security group.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct SecurityGroup {
    /// The id is `sg-` and hexadecimal digits.
    pub id: String,
    /// Its name.
    pub name: String,
}

/// The [state](https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_InstanceState.html) of an instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum State {
    /// It is being started.
    Pending,
    /// It runs.
    Running,
    /// It is being ended for good.
    ShuttingDown,
    /// It has ended for good.
    Terminated,
    /// It is being stopped.
    Stopping,
    /// It may be started again.
    Stopped,
    /// A state with this code, which this library does not know.
    Other(u8),
}

impl State {
    pub(crate) const KNOWN: [Self; 6] = [
        Self::Pending,
        Self::Running,
        Self::ShuttingDown,
        Self::Terminated,
        Self::Stopping,
        Self::Stopped,
    ];

    /// The code, of which only the low byte means something.
    pub(crate) fn from_code(code: u32) -> Self {
        match code & 0xff {
            0 => Self::Pending,
            16 => Self::Running,
            32 => Self::ShuttingDown,
            48 => Self::Terminated,
            64 => Self::Stopping,
            80 => Self::Stopped,
            other => Self::Other(u8::try_from(other).unwrap_or(u8::MAX)),
        }
    }

    pub(crate) fn from_name(name: &str) -> Option<Self> {
        Self::KNOWN.into_iter().find(|state| state.as_str() == name)
    }

    /// The state as the service writes it; `unknown` for one that this library does not know.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::ShuttingDown => "shutting-down",
            Self::Terminated => "terminated",
            Self::Stopping => "stopping",
            Self::Stopped => "stopped",
            Self::Other(_) => "unknown",
        }
    }
}

/// The state as the service writes it.
impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
