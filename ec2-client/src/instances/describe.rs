//! The request that lists instances.

use std::sync::Arc;
use std::time::Duration;

use aws_core::operation::{Answer, Attempt};
use aws_core::paginate::{Cursor, IntoItems, Items, Listing, Pages};
use aws_core::{Error, Idempotency, Operation, Overrides, Result, RetryConfig, awaitable};
use pipeline_pool::{Origin, Request};

use super::instance::{Instance, State};
use super::read;
use crate::client::Ec2Client;
use crate::idempotency;
use crate::limits;
use crate::selection::Selection;
use crate::wire::{Ec2, UnsignedRequest};

/// The most instances of a page that the service gives.
const MAX_PAGE: u32 = 1000;

/// The most bytes of a page: a thousand instances of 128 KiB. One with fifteen network interfaces of fifty addresses each
/// takes about as much.
const MAX_ANSWER: usize = 128 << 20;

/// A request that lists instances; made by [`Ec2Client::instances`]. All of its selectors must hold.
///
/// [`items`](Self::items) and [`pages`](Self::pages) make streams of it; awaited, it gives one page.
#[must_use = "nothing is sent until this is awaited or made a stream"]
#[derive(Clone, Debug)]
pub struct DescribeInstances {
    client: Ec2Client,
    pub(crate) selection: Selection,
    ids: Vec<String>,
    page_size: Option<u32>,
    cursor: Cursor<Arc<str>>,
    options: Overrides,
}

/// The stream of [`DescribeInstances::items`].
pub type Instances = Items<DescribeInstances>;
/// The stream of [`DescribeInstances::pages`].
pub type InstancePages = Pages<DescribeInstances>;

/// One page of instances.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct InstancePage {
    /// The instances, in no promised order.
    pub instances: Vec<Instance>,
    /// Where the next page begins; nothing on the last. It belongs to the selectors that it came with.
    pub next_token: Option<String>,
    /// The service's identifier of the request.
    pub request_id: Option<String>,
}

impl IntoItems for InstancePage {
    type Item = Instance;

    fn into_items(self) -> impl Iterator<Item = Instance> {
        self.instances.into_iter()
    }
}

impl DescribeInstances {
    pub(crate) fn new(client: Ec2Client) -> Self {
        Self {
            client,
            selection: Selection::default(),
            ids: Vec::new(),
            page_size: None,
            cursor: Cursor::default(),
            options: Overrides::default(),
        }
    }

    pub(crate) fn select(mut self, selection: Selection) -> Self {
        self.selection = selection;
        self
    }

    /// Selects only instances that run.
    pub fn running(self) -> Self {
        self.states([State::Running])
    }

    /// Selects only those in one of these states.
    pub fn states(mut self, states: impl IntoIterator<Item = State>) -> Self {
        let names = states.into_iter().map(|state| state.as_str().to_owned());
        self.selection
            .filter("instance-state-name", names.collect());
        self
    }

    /// Selects only the instance of this id, and of others that are named so: up to 1,000, which come in one page. The service
    /// answers `InvalidInstanceID.NotFound` when it does not know one of them.
    pub fn id(mut self, id: impl Into<String>) -> Self {
        self.ids.push(id.into());
        self
    }

    /// The most instances of one page, 5 to 1,000; not together with [`id`](Self::id). Defaults to 1,000: the service
    /// allows twice the rate of requests that name a page size, and does not time out on them.
    pub fn page_size(mut self, instances: u32) -> Self {
        self.page_size = Some(instances);
        self
    }

    /// Goes on where an earlier page of the same selectors ended.
    pub fn token(mut self, token: impl Into<Arc<str>>) -> Self {
        self.cursor.set(token.into());
        self
    }

    /// The longest time of one request, all its attempts and pauses included. Defaults to
    /// [the client's](crate::Ec2Builder::timeout).
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.options.timeout(timeout);
        self
    }

    /// How failed attempts of this request are repeated. Defaults to [the client's](crate::Ec2Builder::retry), whose
    /// budget it shares in any case.
    pub fn retry(mut self, retry: RetryConfig) -> Self {
        self.options.retry(retry);
        self
    }

    /// The instances, one after another; page after page is fetched as they are read.
    pub fn items(self) -> Instances {
        Items::new(self)
    }

    /// The pages.
    pub fn pages(self) -> InstancePages {
        Pages::new(self)
    }

    /// Fetches one page.
    ///
    /// # Errors
    /// [`Kind::Protocol`](crate::Kind::Protocol) when the answer is no list of instances, whatever its status says;
    /// otherwise as sending and the service say: `InvalidParameterValue` for a filter that it does not know or a token
    /// of other selectors, `UnauthorizedOperation` without the permission `ec2:DescribeInstances`.
    pub async fn send(self) -> Result<InstancePage> {
        self.page().await
    }
}

/// Which instances are meant.
impl DescribeInstances {
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

awaitable!(DescribeInstances, InstancePage);

impl Listing for DescribeInstances {
    type Page = InstancePage;
    type Token = Arc<str>;

    fn cursor(&mut self) -> &mut Cursor<Arc<str>> {
        &mut self.cursor
    }

    fn next(page: &InstancePage) -> Option<Arc<str>> {
        page.next_token.as_deref().map(Into::into)
    }

    async fn ask(&self) -> Result<InstancePage> {
        let mut wire = UnsignedRequest::new(
            &self.client,
            DescribeInstancesOperation::NAME,
            self.options.clone(),
        );
        self.selection.write(&mut wire)?;
        limits::ids(self.ids.len())?;
        for (index, id) in (1..).zip(&self.ids) {
            wire.param(format!("InstanceId.{index}"), &**id);
        }
        match self.page_size {
            Some(_) if !self.ids.is_empty() => {
                return Err(Error::invalid(
                    "a page size together with instance ids, which the service refuses",
                ));
            }
            Some(size) => limits::page_size(size)?,
            None => {}
        }
        if self.ids.is_empty() {
            let size = self.page_size.unwrap_or(MAX_PAGE);
            wire.param("MaxResults", size.to_string());
        }
        if let Some(token) = self.cursor.at() {
            wire.param("NextToken", &**token);
        }
        let operation = DescribeInstancesOperation { wire };
        let mut page = self.client.call(&operation).await?;
        page.instances
            .retain(|instance| self.selection.accepts(instance));
        Ok(page)
    }
}

struct DescribeInstancesOperation {
    wire: UnsignedRequest,
}

impl Operation for DescribeInstancesOperation {
    type Service = Ec2;
    type Output = InstancePage;
    const NAME: &'static str = idempotency::DESCRIBE_INSTANCES.operation;

    fn idempotency(&self) -> Idempotency {
        idempotency::DESCRIBE_INSTANCES.idempotency
    }

    fn origin(&self) -> &Origin {
        self.wire.origin()
    }

    fn resource(&self) -> Option<&Arc<str>> {
        None
    }

    fn overrides(&self) -> Option<&Overrides> {
        Some(self.wire.overrides())
    }

    fn request(&self, service: &Ec2, attempt: &Attempt<'_>) -> Result<Request> {
        self.wire.request(service, attempt)
    }

    fn max_answer(&self) -> usize {
        MAX_ANSWER
    }

    fn parse(&self, _: &Ec2, answer: Answer) -> Result<InstancePage> {
        Ok(read::page(&answer.bytes())?)
    }
}
