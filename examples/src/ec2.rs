//! What the examples about EC2 share: which instances are meant, and a cloud that is made up.

use std::error::Error;
use std::time::Duration;

use clap::ValueEnum;
use ec2_client::peers::{Address, Peers};
use ec2_client::{Credentials, DescribeInstances, Ec2Client, Signature};
use emulator::Emulator;

/// Which instances, and where.
#[derive(clap::Args, Clone, Debug)]
pub struct Ec2Args {
    /// Address of the service; defaults to the region's. Without it and a region, an emulator with made-up instances.
    #[arg(long, env = "EC2_ENDPOINT", value_name = "URL", value_parser = crate::endpoint)]
    endpoint: Option<String>,

    /// Region, for example eu-west-1. Keys are those of the environment, of profiles or of the instance's role.
    #[arg(long, env = "AWS_REGION", value_name = "NAME")]
    region: Option<String>,

    /// How requests are signed: v2 for servers that take nothing newer.
    #[arg(long, value_enum, default_value_t = Version::V4)]
    signature: Version,

    /// Only instances with this tag; may be given several times.
    #[arg(long = "tag", value_name = "KEY=VALUE", value_parser = tag)]
    tags: Vec<(String, String)>,

    /// Only members of this security group, by name or id; may be given several times.
    #[arg(long = "security-group", value_name = "GROUP")]
    groups: Vec<String>,

    /// Only members of this Auto Scaling group.
    #[arg(long, value_name = "NAME")]
    auto_scaling_group: Option<String>,

    /// Only instances in this VPC.
    #[arg(long, value_name = "ID")]
    vpc: Option<String>,

    /// Only instances in this availability zone.
    #[arg(long, value_name = "NAME")]
    zone: Option<String>,

    /// The address that they are reached at.
    #[arg(long, value_enum, default_value_t = Reached::Private)]
    pub address: Reached,
}

/// A version of the signature.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Version {
    V2,
    V4,
}

/// An address of an instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Reached {
    /// IPv4 within its network.
    Private,
    /// IPv4 in the internet.
    Public,
    /// IPv6.
    V6,
    /// The name within its network.
    PrivateDns,
    /// The name in the internet.
    PublicDns,
}

impl From<Reached> for Address {
    fn from(reached: Reached) -> Self {
        match reached {
            Reached::Private => Self::Private,
            Reached::Public => Self::Public,
            Reached::V6 => Self::V6,
            Reached::PrivateDns => Self::PrivateDns,
            Reached::PublicDns => Self::PublicDns,
        }
    }
}

fn tag(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("KEY=VALUE is expected".to_owned()),
    }
}

/// A client, and the cloud that it talks to if that is made up.
#[derive(Debug)]
pub struct Cloud {
    /// The client.
    pub client: Ec2Client,
    /// The emulator, which serves until this value is dropped.
    pub made_up: Option<Emulator>,
}

impl Ec2Args {
    /// The service that was asked for, or an emulator with [made-up instances](MADE_UP), which the program then says.
    ///
    /// # Errors
    /// When the emulator cannot be started, or an address or region is none.
    pub fn open(&self, program: &str) -> Result<Cloud, Box<dyn Error>> {
        let signature = match self.signature {
            Version::V2 => Signature::V2,
            Version::V4 => Signature::V4,
        };
        let mut builder = Ec2Client::builder().signature(signature);
        let mut made_up = None;
        if self.endpoint.is_none() && self.region.is_none() {
            crate::say(
                program,
                format_args!(
                    "these instances are made up; --region or --endpoint asks for real ones"
                ),
            );
            let emulator = Emulator::start_blocking()?;
            emulator.ec2().put(MADE_UP)?;
            let keys = Credentials::new(emulator.access_key(), emulator.secret_key());
            builder = builder.endpoint(emulator.url()).credentials(keys);
            made_up = Some(emulator);
        }
        if let Some(region) = &self.region {
            builder = builder.region(region);
        }
        if let Some(endpoint) = &self.endpoint {
            builder = builder.endpoint(endpoint);
        }
        let client = builder.build()?;
        Ok(Cloud { client, made_up })
    }

    /// The running instances that are meant.
    pub fn instances(&self, client: &Ec2Client) -> DescribeInstances {
        let mut request = client.instances().running();
        for (key, value) in &self.tags {
            request = request.tag(key, value);
        }
        for group in &self.groups {
            request = request.security_group(group);
        }
        if let Some(name) = &self.auto_scaling_group {
            request = request.auto_scaling_group(name);
        }
        if let Some(id) = &self.vpc {
            request = request.vpc(id);
        }
        if let Some(name) = &self.zone {
            request = request.zone(name);
        }
        request
    }

    /// The peers that are meant, asked for so often.
    pub fn peers(&self, client: &Ec2Client, every: Duration) -> Peers {
        let mut request = client.peers().address(self.address.into()).every(every);
        for (key, value) in &self.tags {
            request = request.tag(key, value);
        }
        for group in &self.groups {
            request = request.security_group(group);
        }
        if let Some(name) = &self.auto_scaling_group {
            request = request.auto_scaling_group(name);
        }
        if let Some(id) = &self.vpc {
            request = request.vpc(id);
        }
        if let Some(name) = &self.zone {
            request = request.zone(name);
        }
        request
    }
}

/// Six instances that nobody pays for, one of them stopped.
pub const MADE_UP: &str = r#"[
    {"InstanceId": "i-0aa0000000000001", "PrivateIpAddress": "10.0.1.11", "PublicIpAddress": "54.170.1.11",
     "SecurityGroups": ["chat"], "Tags": {"Name": "chat-1", "cluster": "chat"},
     "Placement": {"AvailabilityZone": "eu-west-1a"}, "LaunchTime": "2026-11-02T08:00:00.000Z"},
    {"InstanceId": "i-0aa0000000000002", "PrivateIpAddress": "10.0.2.12", "PublicIpAddress": "54.170.1.12",
     "SecurityGroups": ["chat"], "Tags": {"Name": "chat-2", "cluster": "chat"},
     "Placement": {"AvailabilityZone": "eu-west-1b"}, "LaunchTime": "2026-11-02T08:00:10.000Z"},
    {"InstanceId": "i-0aa0000000000003", "PrivateIpAddress": "10.0.3.13", "PublicIpAddress": "54.170.1.13",
     "SecurityGroups": ["chat"], "Tags": {"Name": "chat-3", "cluster": "chat"}, "State": "stopped",
     "Placement": {"AvailabilityZone": "eu-west-1c"}, "LaunchTime": "2026-11-02T08:00:20.000Z"},
    {"InstanceId": "i-0bb0000000000001", "PrivateIpAddress": "10.0.1.21", "SecurityGroups": ["cache"],
     "Tags": {"Name": "cache-1", "cluster": "cache"}, "InstanceType": "r8g.large",
     "Placement": {"AvailabilityZone": "eu-west-1a"}, "LaunchTime": "2026-10-01T06:30:00.000Z"},
    {"InstanceId": "i-0bb0000000000002", "PrivateIpAddress": "10.0.2.22", "SecurityGroups": ["cache"],
     "Tags": {"Name": "cache 2; $(reboot)", "cluster": "cache"}, "InstanceType": "r8g.large",
     "Placement": {"AvailabilityZone": "eu-west-1b"}, "LaunchTime": "2026-10-01T06:30:00.000Z"},
    {"InstanceId": "i-0cc0000000000001", "PrivateIpAddress": "10.0.3.31", "Ipv6Address": "2a05:d018::31",
     "SecurityGroups": ["build"], "Placement": {"AvailabilityZone": "eu-west-1c"}, "InstanceType": "c8g.xlarge"}
]"#;
