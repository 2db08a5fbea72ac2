//! One instance of the table, read from JSON as `aws ec2 describe-instances` prints it.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::encode::{hex, md5};

/// The state of an instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum InstanceState {
    Pending,
    Running,
    ShuttingDown,
    Terminated,
    Stopping,
    Stopped,
}

impl InstanceState {
    const ALL: [Self; 6] = [
        Self::Pending,
        Self::Running,
        Self::ShuttingDown,
        Self::Terminated,
        Self::Stopping,
        Self::Stopped,
    ];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::ShuttingDown => "shutting-down",
            Self::Terminated => "terminated",
            Self::Stopping => "stopping",
            Self::Stopped => "stopped",
        }
    }

    /// See [InstanceState](https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_InstanceState.html).
    pub(super) fn code(self) -> u8 {
        match self {
            Self::Pending => 0,
            Self::Running => 16,
            Self::ShuttingDown => 32,
            Self::Terminated => 48,
            Self::Stopping => 64,
            Self::Stopped => 80,
        }
    }

    pub(super) fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }
}

#[derive(Clone, Debug)]
pub(super) struct Group {
    pub(super) id: String,
    pub(super) name: String,
}

/// An instance. Its addresses are asked for by methods, since they depend on its state.
#[derive(Clone, Debug)]
pub(super) struct InstanceRow {
    pub(super) id: String,
    pub(super) reservation: String,
    pub(super) owner: String,
    pub(super) state: InstanceState,
    private_ip: Option<String>,
    public_ip: Option<String>,
    ipv6: Vec<String>,
    private_dns: String,
    public_dns: String,
    pub(super) groups: Vec<Group>,
    pub(super) tags: BTreeMap<String, String>,
    pub(super) zone: String,
    pub(super) placement_group: String,
    pub(super) tenancy: String,
    pub(super) vpc: String,
    pub(super) subnet: String,
    pub(super) launched: String,
    pub(super) index: u64,
    pub(super) kind: String,
    pub(super) image: String,
    pub(super) key_name: Option<String>,
    pub(super) architecture: String,
    /// The ARN of the instance profile, which has a role.
    pub(super) profile: Option<String>,
    /// Whether the metadata service tells the tags.
    pub(super) metadata_tags: bool,
}

impl InstanceRow {
    fn has_addresses(&self) -> bool {
        self.state != InstanceState::Terminated
    }

    fn has_public(&self) -> bool {
        self.has_addresses() && self.state != InstanceState::Stopped
    }

    pub(super) fn private_ip(&self) -> Option<&str> {
        let shown = self.private_ip.as_deref();
        shown.filter(|_| self.has_addresses())
    }

    pub(super) fn public_ip(&self) -> Option<&str> {
        let shown = self.public_ip.as_deref();
        shown.filter(|_| self.has_public())
    }

    pub(super) fn ipv6(&self) -> &[String] {
        match self.has_addresses() {
            true => &self.ipv6,
            false => &[],
        }
    }

    pub(super) fn private_dns(&self) -> Option<&str> {
        let shown = !self.private_dns.is_empty() && self.has_addresses();
        shown.then_some(&self.private_dns)
    }

    pub(super) fn public_dns(&self) -> Option<&str> {
        let shown = !self.public_dns.is_empty() && self.has_public();
        shown.then_some(&self.public_dns)
    }

    /// The zone without its letter.
    pub(super) fn region(&self) -> &str {
        self.zone.trim_end_matches(|c: char| c.is_ascii_lowercase())
    }

    /// Reads an instance; what it lacks is made up from its id.
    pub(super) fn read(value: &Value, reservation: &Value) -> Result<Self, String> {
        let text = |name: &str| value[name].as_str().filter(|text| !text.is_empty());
        let id = text("InstanceId").ok_or("an instance has no InstanceId")?;
        let legal = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
        if !id.starts_with("i-") || id.len() < 3 || !id.bytes().all(legal) {
            return Err(format!("{id:?} is no InstanceId"));
        }
        let bad = |what: &str| format!("{id}: {what}");
        let state = match &value["State"] {
            Value::Null => "running",
            Value::String(name) => name,
            object => object["Name"].as_str().unwrap_or_default(),
        };
        let state = InstanceState::parse(state).ok_or_else(|| bad("State is none"))?;
        let digest = md5(id.as_bytes());
        let made = |prefix: &str| format!("{prefix}-{}", &hex(&digest)[..17]);
        let owned = |name: &str, default: &str| text(name).unwrap_or(default).to_owned();
        let private_ip = match &value["PrivateIpAddress"] {
            Value::Null => Some(format!("10.{}.{}.{}", digest[0], digest[1], digest[2])),
            other => other
                .as_str()
                .map(str::to_owned)
                .filter(|ip| !ip.is_empty()),
        };
        let zone = value["Placement"]["AvailabilityZone"].as_str();
        let zone = zone.unwrap_or("us-east-1a").to_owned();
        let region = zone.trim_end_matches(|c: char| c.is_ascii_lowercase());
        let dashes = |ip: &str| ip.replace('.', "-");
        let private_dns = match (text("PrivateDnsName"), &private_ip) {
            (Some(name), _) => name.to_owned(),
            (None, Some(ip)) if region == "us-east-1" => format!("ip-{}.ec2.internal", dashes(ip)),
            (None, Some(ip)) => format!("ip-{}.{region}.compute.internal", dashes(ip)),
            (None, None) => String::new(),
        };
        let public_ip = text("PublicIpAddress").map(str::to_owned);
        let public_dns = match (text("PublicDnsName"), &public_ip) {
            (Some(name), _) => name.to_owned(),
            (None, Some(ip)) => format!("ec2-{}.{region}.compute.amazonaws.com", dashes(ip)),
            (None, None) => String::new(),
        };
        Ok(Self {
            reservation: reservation["ReservationId"]
                .as_str()
                .map_or_else(|| made("r"), str::to_owned),
            owner: reservation["OwnerId"]
                .as_str()
                .unwrap_or("123456789012")
                .to_owned(),
            state,
            ipv6: ipv6(value),
            private_dns,
            public_dns,
            groups: groups(&value["SecurityGroups"]).ok_or_else(|| bad("SecurityGroups"))?,
            tags: tags(&value["Tags"]).ok_or_else(|| bad("Tags"))?,
            placement_group: value["Placement"]["GroupName"]
                .as_str()
                .unwrap_or_default()
                .to_owned(),
            tenancy: value["Placement"]["Tenancy"]
                .as_str()
                .unwrap_or("default")
                .to_owned(),
            vpc: owned("VpcId", "vpc-0a1b2c3d4e5f60718"),
            subnet: owned("SubnetId", "subnet-0a1b2c3d4e5f60718"),
            launched: owned("LaunchTime", "2026-11-30T00:00:00.000Z"),
            index: value["AmiLaunchIndex"].as_u64().unwrap_or(0),
            kind: owned("InstanceType", "t4g.small"),
            image: owned("ImageId", "ami-0a1b2c3d4e5f60718"),
            key_name: text("KeyName").map(str::to_owned),
            architecture: owned("Architecture", "arm64"),
            profile: value["IamInstanceProfile"]["Arn"]
                .as_str()
                .map(str::to_owned),
            metadata_tags: value["MetadataOptions"]["InstanceMetadataTags"] == "enabled",
            id: id.to_owned(),
            private_ip,
            public_ip,
            zone,
        })
    }
}

/// The addresses of `Ipv6Address` and of the network interfaces, each once.
fn ipv6(value: &Value) -> Vec<String> {
    let mut found = Vec::new();
    let mut add = |value: &Value| {
        if let Some(address) = value.as_str()
            && !address.is_empty()
            && !found.iter().any(|other| other == address)
        {
            found.push(address.to_owned());
        }
    };
    add(&value["Ipv6Address"]);
    for interface in value["NetworkInterfaces"].as_array().into_iter().flatten() {
        let addresses = interface["Ipv6Addresses"].as_array();
        for address in addresses.into_iter().flatten() {
            add(&address["Ipv6Address"]);
        }
    }
    found
}

/// Groups: `{"GroupId": …, "GroupName": …}`, or a name alone.
fn groups(value: &Value) -> Option<Vec<Group>> {
    let id = |name: &str| format!("sg-{}", &hex(&md5(name.as_bytes()))[..17]);
    let Value::Array(list) = value else {
        let name = "default".to_owned();
        let default = Group {
            id: id(&name),
            name,
        };
        return value.is_null().then(|| vec![default]);
    };
    let read = |group: &Value| {
        let name = group.as_str().or(group["GroupName"].as_str())?.to_owned();
        let id = group["GroupId"]
            .as_str()
            .map_or_else(|| id(&name), str::to_owned);
        Some(Group { id, name })
    };
    list.iter().map(read).collect()
}

/// Tags: a list of `{"Key": …, "Value": …}`, or an object of keys and values.
fn tags(value: &Value) -> Option<BTreeMap<String, String>> {
    match value {
        Value::Null => Some(BTreeMap::new()),
        Value::Object(tags) => tags
            .iter()
            .map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())))
            .collect(),
        Value::Array(tags) => tags
            .iter()
            .map(|tag| {
                let (key, value) = (tag["Key"].as_str()?, tag["Value"].as_str()?);
                Some((key.to_owned(), value.to_owned()))
            })
            .collect(),
        _ => None,
    }
}
