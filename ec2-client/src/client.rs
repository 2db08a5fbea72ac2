//! The client and its builder.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use aws_core::credentials::Chain;
use aws_core::dispatch::{Dispatch, DispatchBuilder};
use aws_core::shared_config::{ServiceId, Variant, choose_endpoint};
use aws_core::{Endpoint, Error, Operation, Result};

use crate::instances::DescribeInstances;
use crate::peers::{Peers, SharedDelay};
use crate::signature::{Signature, Signer, check_region, region_of};
use crate::wire::Ec2;

/// Amazon EC2, in variables and profiles.
const EC2: ServiceId = ServiceId {
    host: "ec2",
    id: "EC2",
    settings: &[],
};

/// A client of the EC2 of one region; cheap to clone.
#[derive(Clone)]
pub struct Ec2Client(Arc<Inner>);

struct Inner {
    endpoint: Endpoint,
    service: Ec2,
    dispatch: Dispatch,
    /// What the watches of this client wait for when the service asks for fewer requests.
    delay: SharedDelay,
}

impl Ec2Client {
    /// A builder with the defaults. It has to be told a [region](Ec2Builder::region) or an
    /// [endpoint](Ec2Builder::endpoint); keys are those of the standard [chain](crate::credentials::Chain::standard)
    /// unless it is given [others](Ec2Builder::credentials).
    pub fn builder() -> Ec2Builder {
        Ec2Builder {
            region: None,
            endpoint: None,
            fips: None,
            dual_stack: None,
            signature: Signature::default(),
            dispatch: Dispatch::builder(),
        }
    }

    /// A client of what the environment and the files under `~/.aws` say: `builder().from_env().build()`.
    /// [`Ec2Builder::from_env`] tells of all.
    ///
    /// # Errors
    /// [`Kind::Invalid`](crate::Kind::Invalid) when nothing says a region or an endpoint, or a setting cannot be read.
    pub fn from_env() -> Result<Self> {
        Self::builder().from_env().build()
    }

    /// Lists instances, those of the whole region unless its setters say otherwise.
    ///
    /// [DescribeInstances](https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeInstances.html)
    pub fn instances(&self) -> DescribeInstances {
        DescribeInstances::new(self.clone())
    }

    /// Finds the members of a cluster: [once](Peers::once), or as they [come and go](Peers::watch).
    pub fn peers(&self) -> Peers {
        Peers::new(self.clone())
    }

    /// The endpoint that requests go to.
    pub fn endpoint(&self) -> &Endpoint {
        &self.0.endpoint
    }

    pub(crate) async fn call<O: Operation<Service = Ec2>>(
        &self,
        operation: &O,
    ) -> Result<O::Output> {
        self.0.dispatch.call(&self.0.service, operation).await
    }

    pub(crate) fn delay(&self) -> &SharedDelay {
        &self.0.delay
    }
}

impl fmt::Debug for Ec2Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ec2Client")
            .field("endpoint", &self.0.endpoint)
            .field("dispatch", &self.0.dispatch)
            .finish_non_exhaustive()
    }
}

/// Builds an [`Ec2Client`].
#[derive(Debug)]
#[must_use = "nothing is built before build()"]
pub struct Ec2Builder {
    region: Option<String>,
    endpoint: Option<String>,
    fips: Option<bool>,
    dual_stack: Option<bool>,
    signature: Signature,
    dispatch: DispatchBuilder,
}

impl Ec2Builder {
    /// The region, for example `eu-west-1`: requests go to its
    /// [endpoint](https://docs.aws.amazon.com/ec2/latest/devguide/ec2-endpoints.html) and are signed for it. Defaults to
    /// the one that the host of the [endpoint](Self::endpoint) names, and to `us-east-1` where it names none.
    pub fn region(mut self, region: impl Into<String>) -> Self {
        self.region = Some(region.into());
        self
    }

    /// The address of the service: `http://host[:port][/path]` or `https://host[:port][/path]`; a path stands in front
    /// of that of each request, and is signed with it. Defaults to the region's.
    pub fn endpoint(mut self, url: impl Into<String>) -> Self {
        self.endpoint = Some(url.into());
        self
    }

    /// Whether the region's endpoint is the one with [FIPS](https://aws.amazon.com/compliance/fips/). Defaults to no;
    /// not together with an [endpoint](Self::endpoint).
    pub fn fips(mut self, yes: bool) -> Self {
        self.fips = Some(yes);
        self
    }

    /// Whether the region's endpoint is the one that has IPv6 addresses too. Defaults to no; not together with an
    /// [endpoint](Self::endpoint).
    pub fn dual_stack(mut self, yes: bool) -> Self {
        self.dual_stack = Some(yes);
        self
    }

    /// Sets how requests are signed. Defaults to [`Signature::V4`].
    pub fn signature(mut self, signature: Signature) -> Self {
        self.signature = signature;
        self
    }

    /// The longest time of one request, all its attempts and pauses included. Defaults to 30 s.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.dispatch.timeout(timeout);
        self
    }

    /// The client. Nothing is connected yet.
    ///
    /// # Errors
    /// [`Kind::Invalid`](crate::Kind::Invalid) when there is neither a region nor an endpoint, or one of them is none.
    pub fn build(mut self) -> Result<Ec2Client> {
        let config = self.dispatch.configure(EC2)?;
        self.dispatch.credentials_or(Chain::standard);
        let region = self.region.or(config.region);
        if let Some(region) = &region {
            check_region(region)?;
        }
        let said = self.endpoint.or(config.endpoint);
        if said.is_none() && region.is_none() {
            return Err(Error::invalid(
                "neither a region nor an endpoint is set: give the builder one, or set AWS_REGION and have the builder \
                 read the environment by from_env()",
            ));
        }
        let variant = Variant::new(
            self.fips.or(config.fips).unwrap_or(false),
            self.dual_stack.or(config.dual_stack).unwrap_or(false),
        );
        let endpoint = choose_endpoint(EC2, said.as_deref(), region.as_deref(), variant)?;
        let named = region_of(endpoint.origin().host());
        let region = region.as_deref().unwrap_or(named);
        Ok(Ec2Client(Arc::new(Inner {
            service: Ec2 {
                signer: Signer::new(self.signature, region),
            },
            dispatch: self.dispatch.build_for(&endpoint)?,
            endpoint,
            delay: SharedDelay::default(),
        })))
    }
}

aws_core::settings!(Ec2Builder, uncached);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_needs_a_place() {
        let error = Ec2Client::builder().build().unwrap_err();
        assert!(error.to_string().contains("region"), "{error}");
        assert!(Ec2Client::builder().region("a b").build().is_err());
        assert!(Ec2Client::builder().endpoint("ftp://h").build().is_err());
        let elsewhere = Ec2Client::builder().endpoint("http://h").region("a b");
        assert!(elsewhere.build().is_err(), "it would be signed");
        let client = Ec2Client::builder().endpoint("http://h:81").build();
        assert_eq!(client.unwrap().endpoint().origin().authority(), "h:81");
    }

    #[test]
    fn requests_are_signed_for_the_region_of_the_host_unless_another_is_said() {
        let host = || Ec2Client::builder().endpoint("http://ec2.eu-west-1.amazonaws.com");
        let signer = |builder: Ec2Builder| format!("{:?}", builder.build().unwrap().0.service);
        let shown = signer(host());
        assert!(shown.contains("eu-west-1"), "{shown}");
        let shown = signer(host().region("us-west-2"));
        assert!(shown.contains("us-west-2") && !shown.contains("eu-west-1"));
    }

    #[cfg(feature = "tls")]
    #[test]
    fn the_environment_says_what_the_builder_was_not_told() {
        use aws_core::shared_config::Variables;
        let said = Variables::from_iter([
            ("AWS_REGION", "eu-west-1"),
            ("AWS_USE_FIPS_ENDPOINT", "true"),
        ]);
        let builder = || Ec2Client::builder().from_variables(said.clone());
        let host = |builder: Ec2Builder| builder.build().unwrap().endpoint().origin().to_string();
        assert_eq!(host(builder()), "https://ec2-fips.eu-west-1.amazonaws.com");
        let plain = builder().fips(false).region("us-west-2");
        assert_eq!(host(plain), "https://ec2.us-west-2.amazonaws.com");
        let elsewhere = said
            .clone()
            .with("AWS_ENDPOINT_URL_EC2", "http://cloud.example/compute");
        let elsewhere = Ec2Client::builder()
            .from_variables(elsewhere)
            .fips(false)
            .build();
        assert_eq!(elsewhere.unwrap().endpoint().path(), "/compute");
        let nothing = Ec2Client::builder()
            .from_variables(Variables::default())
            .build();
        assert!(nothing.unwrap_err().to_string().contains("AWS_REGION"));
    }

    #[cfg(feature = "tls")]
    #[test]
    fn a_region_has_its_endpoint() {
        let client = Ec2Client::builder().region("eu-west-1").dual_stack(true);
        let client = client.build().unwrap();
        let host = client.endpoint().origin().host().to_owned();
        assert_eq!(host, "ec2.eu-west-1.api.aws");
        let shown = format!("{client:?}");
        assert!(shown.contains("ec2.eu-west-1.api.aws"), "{shown}");
    }
}
