//! Who the peers are, and how they are reached.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use aws_core::{Error, Result};

use super::address::{Address, Addresses};
use super::pace::MAX_INTERVAL;
use super::peer::Peer;
use super::round::{self, States};
use super::watch::Watch;
use crate::client::Ec2Client;
use crate::instances::{AUTO_SCALING_GROUP, Instance};
use crate::metadata::Metadata;
use crate::selection::Selection;

/// The shortest interval.
const MIN_INTERVAL: Duration = Duration::from_secs(1);

/// What makes an instance a peer of the one that this program runs on.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LikeMe {
    /// It is a member of all security groups that this one is a member of.
    SecurityGroups,
    /// It is a member of the same Auto Scaling group.
    AutoScalingGroup,
    /// It has the same value of the tag of this key.
    Tag(String),
}

type Name = Arc<dyn Fn(&Peer) -> String + Send + Sync>;
pub(super) type Random = Arc<dyn Fn() -> f64 + Send + Sync>;

/// Finds the members of a cluster; made by [`Ec2Client::peers`]. All of its selectors must hold; without any, every
/// running instance of the region is a peer. See [the module](super) for the rules.
///
/// It asks for nothing but the permission `ec2:DescribeInstances`.
#[must_use = "nothing is looked for before once() or watch()"]
#[derive(Clone)]
pub struct Peers {
    pub(super) client: Ec2Client,
    pub(crate) selection: Selection,
    like_me: Vec<LikeMe>,
    me: Option<String>,
    metadata: Option<Metadata>,
    pub(super) address: Address,
    port: Option<u16>,
    app: Option<String>,
    name: Option<Name>,
    pub(super) every: Duration,
    pub(super) max_pages: u32,
    random: Option<Random>,
}

impl Peers {
    pub(crate) fn new(client: Ec2Client) -> Self {
        Self {
            client,
            selection: Selection::default(),
            like_me: Vec::new(),
            me: None,
            metadata: None,
            address: Address::default(),
            port: None,
            app: None,
            name: None,
            every: Duration::from_secs(30),
            max_pages: 100,
            random: None,
        }
    }

    /// Selects only those that have in common with the instance that this program runs on what is named here. It asks the
    /// [metadata service](Self::metadata) who that is; a tag or group that the service does not tell is looked up with
    /// DescribeInstances. That is found out once, before the first list.
    pub fn like_me(mut self, what: LikeMe) -> Self {
        self.like_me.push(what);
        self
    }

    /// Asks this metadata service which instance this program runs on, so that [`Peer::is_me`] is told. Defaults to not
    /// asking; [`like_me`](Self::like_me) asks [the usual one](Metadata::new).
    pub fn metadata(mut self, metadata: Metadata) -> Self {
        self.metadata = Some(metadata);
        self
    }

    /// The id of the instance that this program runs on, for [`Peer::is_me`]. Defaults to what the metadata service says,
    /// if it is asked at all.
    pub fn me(mut self, id: impl Into<String>) -> Self {
        self.me = Some(id.into());
        self
    }

    /// Which address peers are reached at. Defaults to [`Address::Private`]. An instance without it is no peer, and
    /// [`Skipped`](super::PeerEvent::Skipped) says so.
    pub fn address(mut self, which: Address) -> Self {
        self.address = which;
        self
    }

    /// The port to put behind [`Peer::address`]. Defaults to none.
    pub fn port(mut self, port: u16) -> Self {
        self.port = Some(port);
        self
    }

    /// What stands before the `@` of the usual [`name`](Self::name), as in names of Erlang's nodes. Defaults to nothing, and
    /// no `@`.
    pub fn app(mut self, app: impl Into<String>) -> Self {
        self.app = Some(app.into());
        self
    }

    /// What a peer is called; the function is given one without a name. Defaults to the private DNS name, or the id of an
    /// instance that has none, behind the [app](Self::app).
    pub fn name(mut self, name: impl Fn(&Peer) -> String + Send + Sync + 'static) -> Self {
        self.name = Some(Arc::new(name));
        self
    }

    /// The time between two lists, but for [jitter](super). Defaults to 30 s; 1 s to a day, others are moved to the nearest
    /// end.
    pub fn every(mut self, interval: Duration) -> Self {
        self.every = interval.clamp(MIN_INTERVAL, MAX_INTERVAL);
        self
    }

    /// The most pages of 1,000 instances of one list; a longer one is a failure. Defaults to 100, at least 1.
    pub fn max_pages(mut self, pages: u32) -> Self {
        self.max_pages = pages.max(1);
        self
    }

    /// Where the randomness of pauses comes from: a function that returns 0 to 1; what is beyond is moved to the nearest
    /// end. Defaults to a generator seeded by the operating system, which also stands in for a number that is none.
    pub fn random(mut self, random: impl Fn() -> f64 + Send + Sync + 'static) -> Self {
        self.random = Some(Arc::new(random));
        self
    }

    /// The peers now, by id: for scripts. Repeated as the client's [retries](crate::Ec2Builder::retry) have it.
    ///
    /// # Errors
    /// When there is no whole list, or no metadata service that was to be asked.
    pub async fn once(self) -> Result<Vec<Peer>> {
        let resolved = self.resolve(States::Running).await?;
        let round = round::fetch(&self, &resolved, States::Running).await?;
        let seen = round.into_sightings().into_values();
        Ok(seen.filter_map(|sighting| sighting.peer).collect())
    }

    /// A stream of what changes. It works in a task of its own, of the tokio runtime in which it is first read, until it is
    /// dropped.
    pub fn watch(self) -> Watch {
        Watch::new(self)
    }

    pub(super) fn draw(&self) -> f64 {
        match self.random.as_ref().map(|random| random()) {
            // No pause can be made of what is no number.
            Some(random) if !random.is_nan() => random.clamp(0.0, 1.0),
            _ => fastrand::f64(),
        }
    }

    /// Finds out what depends on the instance that this program runs on.
    pub(super) async fn resolve(&self, states: States) -> Result<Resolved> {
        let mut selection = self.selection.clone();
        let mut me = self.me.clone();
        if self.metadata.is_some() || !self.like_me.is_empty() {
            let metadata = self.metadata.clone().unwrap_or_default();
            let id = match me {
                Some(id) => id,
                None => metadata.instance_id().await?,
            };
            for what in &self.like_me {
                self.narrow(&mut selection, what, &metadata, &id, states)
                    .await?;
            }
            me = Some(id);
        }
        Ok(Resolved { selection, me })
    }

    async fn narrow(
        &self,
        selection: &mut Selection,
        what: &LikeMe,
        metadata: &Metadata,
        me: &str,
        states: States,
    ) -> Result<()> {
        let key = match what {
            LikeMe::SecurityGroups => {
                let groups = metadata.security_groups().await?;
                if groups.is_empty() {
                    return Err(Error::protocol(format!("{me} has no security group")));
                }
                groups
                    .iter()
                    .for_each(|group| selection.security_group(group));
                return Ok(());
            }
            LikeMe::AutoScalingGroup => AUTO_SCALING_GROUP,
            LikeMe::Tag(key) => key,
        };
        let told = metadata.tag(key).await?;
        let value = match told {
            Some(value) => value,
            None => self.own_tag(key, me, states).await?,
        };
        selection.tag(key, &value);
        Ok(())
    }

    /// The value of a tag of this instance, which does not let its metadata service tell.
    async fn own_tag(&self, key: &str, me: &str, states: States) -> Result<String> {
        let request = states.repeated(self.client.instances().id(me));
        let page = request.send().await?;
        let mut found = page.instances.iter().filter(|instance| instance.id == me);
        let tag = found.next().and_then(|instance| instance.tag(key));
        tag.map(str::to_owned)
            .ok_or_else(|| Error::invalid(format!("{me}, which this runs on, has no tag {key:?}")))
    }

    /// An instance as a peer; nothing if it lacks the address.
    pub(super) fn peer(&self, instance: &Instance, me: Option<&str>) -> Option<Peer> {
        let addresses = Addresses::of(instance);
        let address = addresses.text(self.address, self.port)?;
        let mut peer = Peer {
            id: instance.id.clone(),
            name: String::new(),
            address,
            addresses,
            zone: instance.zone.clone(),
            tags: instance.tags.clone(),
            launched: instance.launched,
            is_me: me == Some(&instance.id),
        };
        peer.name = match &self.name {
            Some(name) => name(&peer),
            None => {
                let host = peer.addresses.private_dns.as_ref().unwrap_or(&peer.id);
                match &self.app {
                    Some(app) => format!("{app}@{host}"),
                    None => host.clone(),
                }
            }
        };
        Some(peer)
    }
}

/// Which instances are meant.
impl Peers {
    /// Selects only members of this security group, by its name or its id (`sg-…`), and of all of them if there are several.
    pub fn security_group(mut self, group: impl AsRef<str>) -> Self {
        self.selection.security_group(group.as_ref());
        self
    }

    /// Selects only those with this tag and value. Neither is a pattern: `*` and `?` stand for themselves.
    pub fn tag(mut self, key: impl AsRef<str>, value: impl AsRef<str>) -> Self {
        self.selection.tag(key.as_ref(), value.as_ref());
        self
    }

    /// Selects only members of this Auto Scaling group. It is found by the tag that Auto Scaling sets, so that nothing
    /// but `ec2:DescribeInstances` has to be allowed.
    pub fn auto_scaling_group(mut self, name: impl AsRef<str>) -> Self {
        self.selection
            .tag(crate::instances::AUTO_SCALING_GROUP, name.as_ref());
        self
    }

    /// Selects only those in this VPC, by its id.
    pub fn vpc(mut self, id: impl AsRef<str>) -> Self {
        self.selection.exact("vpc-id", id.as_ref());
        self
    }

    /// Selects only those in this availability zone, for example `eu-west-1a`.
    pub fn zone(mut self, name: impl AsRef<str>) -> Self {
        self.selection.exact("availability-zone", name.as_ref());
        self
    }

    /// Selects only those for which this
    /// [filter](https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeInstances.html) holds with one
    /// of the values: 1 to 200 of up to 255 characters. In a value `*` stands for any text and `?` for one
    /// character, unless a backslash is before it. Up to 50 filters must all hold; the service refuses one that
    /// it does not know with `InvalidParameterValue`.
    pub fn filter<V: Into<String>>(
        mut self,
        name: impl Into<String>,
        values: impl IntoIterator<Item = V>,
    ) -> Self {
        let values = values.into_iter().map(Into::into).collect();
        self.selection.filter(name, values);
        self
    }
}

/// What was found out about the instance that this program runs on.
#[derive(Clone, Debug)]
pub(super) struct Resolved {
    pub(super) selection: Selection,
    pub(super) me: Option<String>,
}

impl fmt::Debug for Peers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Peers")
            .field("client", &self.client)
            .field("selection", &self.selection)
            .field("like_me", &self.like_me)
            .field("address", &self.address)
            .field("port", &self.port)
            .field("every", &self.every)
            .field("max_pages", &self.max_pages)
            .finish_non_exhaustive()
    }
}
