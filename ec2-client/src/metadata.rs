//! The metadata service of the instance that this program runs on.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;
use std::time::Duration;

use aws_core::credentials::{self, CredentialsError};
use aws_core::{Error, Kind, Result, Transport};
use aws_sigv2::escape;

/// The [metadata service](https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/ec2-instance-metadata.html) of the instance
/// that this program runs on: who it is.
///
/// It speaks version 2 alone, by the same dialogue as the keys of an instance's role; where it is and how it is turned off
/// is said [there](credentials::Metadata). On a machine that is no instance each question fails within a second with
/// [`Kind::Connect`].
///
/// ```no_run
/// # async fn doc() -> ec2_client::Result<()> {
/// let metadata = ec2_client::Metadata::new();
/// println!("{} in {}", metadata.instance_id().await?, metadata.region().await?);
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, Default)]
pub struct Metadata(credentials::Metadata);

impl Metadata {
    /// The service that the variables of this process name; else [the usual address](credentials::Metadata::IPV4).
    pub fn new() -> Self {
        Self::default()
    }

    /// The service at this address, `http://host[:port]`, for example [the one over IPv6](credentials::Metadata::IPV6).
    pub fn at(url: impl Into<String>) -> Self {
        Self(credentials::Metadata::new().endpoint(url))
    }

    /// The longest time of one attempt of one request. Defaults to 1 s.
    #[must_use]
    pub fn timeout(self, timeout: Duration) -> Self {
        Self(self.0.timeout(timeout))
    }

    /// Sends over this transport. Defaults to a pool of its own.
    #[must_use]
    pub fn transport(self, transport: impl Transport + 'static) -> Self {
        Self(self.0.transport(transport))
    }

    /// What is at this path, which begins with `/latest/`; nothing where the instance does not have it.
    ///
    /// # Errors
    /// [`Kind::Connect`] when the service is not there, else [`Kind::Protocol`].
    pub async fn get(&self, path: &str) -> Result<Option<String>> {
        self.0.get(path).await.map_err(failed)
    }

    async fn data(&self, name: &str) -> Result<Option<String>> {
        let text = self.get(&format!("/latest/meta-data/{name}")).await?;
        Ok(text.map(|text| text.trim().to_owned()))
    }

    async fn needed(&self, name: &str) -> Result<String> {
        let text = self.data(name).await?;
        text.filter(|text| !text.is_empty())
            .ok_or_else(|| Error::protocol(format!("the metadata service has no {name}")))
    }

    async fn address<T: FromStr>(&self, name: &str) -> Result<Option<T>> {
        let text = self.data(name).await?.filter(|text| !text.is_empty());
        let read = |text: String| {
            let bad = |_| Error::protocol(format!("the metadata service's {name} is no address"));
            text.parse().map_err(bad)
        };
        text.map(read).transpose()
    }

    /// The id of the instance.
    ///
    /// # Errors
    /// As [`get`](Self::get), here and in the methods below.
    pub async fn instance_id(&self) -> Result<String> {
        self.needed("instance-id").await
    }

    /// The region, for example `eu-west-1`.
    pub async fn region(&self) -> Result<String> {
        self.needed("placement/region").await
    }

    /// The availability zone, for example `eu-west-1a`.
    pub async fn zone(&self) -> Result<String> {
        self.needed("placement/availability-zone").await
    }

    /// The address in the network of the instance.
    pub async fn local_ipv4(&self) -> Result<Option<Ipv4Addr>> {
        self.address("local-ipv4").await
    }

    /// The address in the internet.
    pub async fn public_ipv4(&self) -> Result<Option<Ipv4Addr>> {
        self.address("public-ipv4").await
    }

    /// The address over IPv6.
    pub async fn ipv6(&self) -> Result<Option<Ipv6Addr>> {
        self.address("ipv6").await
    }

    /// The name that resolves within the network of the instance.
    pub async fn local_hostname(&self) -> Result<Option<String>> {
        self.data("local-hostname").await
    }

    /// The names of the security groups that the instance is a member of.
    pub async fn security_groups(&self) -> Result<Vec<String>> {
        let text = self.data("security-groups").await?.unwrap_or_default();
        let names = text.lines().map(str::trim).filter(|name| !name.is_empty());
        Ok(names.map(str::to_owned).collect())
    }

    /// The value of a tag of the instance; nothing where it has no such tag, or does not
    /// [let the service tell of its tags](https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/work-with-tags-in-IMDS.html),
    /// which it does not unless it is told to. The service cannot tell of the keys `.`, `..` and `_index`, and is not asked
    /// for them.
    pub async fn tag(&self, key: &str) -> Result<Option<String>> {
        // These are no keys but the list of them, or its parent: what comes would be taken for a value.
        if matches!(key, "" | "." | ".." | "_index") {
            return Ok(None);
        }
        let mut path = "/latest/meta-data/tags/instance/".to_owned();
        escape::push_component(&mut path, key);
        self.get(&path).await
    }

    /// The [identity document](https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instance-identity-documents.html).
    pub async fn identity(&self) -> Result<Identity> {
        let members = self.0.identity().await.map_err(failed)?;
        let find = |name: &str| {
            let found = members.iter().find(|(other, _)| other == name);
            found.map(|(_, value)| value.clone())
        };
        let need = |name: &str| {
            find(name)
                .ok_or_else(|| Error::protocol(format!("the identity document has no {name}")))
        };
        Ok(Identity {
            account: need("accountId")?,
            region: need("region")?,
            zone: need("availabilityZone")?,
            instance_id: need("instanceId")?,
            instance_type: find("instanceType"),
            image: find("imageId"),
            architecture: find("architecture"),
            private_ip: find("privateIp").and_then(|text| text.parse().ok()),
        })
    }
}

impl From<credentials::Metadata> for Metadata {
    fn from(inner: credentials::Metadata) -> Self {
        Self(inner)
    }
}

/// What an instance's identity document says.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Identity {
    /// The account that the instance belongs to, 12 digits.
    pub account: String,
    /// The region.
    pub region: String,
    /// The availability zone.
    pub zone: String,
    /// The id of the instance.
    pub instance_id: String,
    /// The type of the machine, for example `t4g.small`.
    pub instance_type: Option<String>,
    /// What it was launched from.
    pub image: Option<String>,
    /// The architecture of the machine: `arm64`, `x86_64`, …
    pub architecture: Option<String>,
    /// The address in its network.
    pub private_ip: Option<IpAddr>,
}

fn failed(cause: CredentialsError) -> Error {
    let kind = match cause.is_absent() {
        true => Kind::Connect,
        false => Kind::Protocol,
    };
    Error::new(kind, cause.to_string()).with_told_cause(cause)
}
