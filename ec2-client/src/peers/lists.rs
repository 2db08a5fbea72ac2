//! The stream of whole lists.

use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::Stream;

use super::peer::Peer;
use super::watch::Watch;

/// All members of a cluster, by id, after the first whole list and after each change, as a [`Stream`]; made by
/// [`Watch::into_lists`].
///
/// A reader who is slow gets the latest list and no others. Failures change nothing, and are logged at the level `debug`.
///
/// ```
/// # use ec2_client::{Credentials, Ec2Client, Peer};
/// use cache_layer::{Memcached, Server};
/// use futures_util::StreamExt as _;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let service = emulator::Emulator::start_blocking()?;
/// # service.ec2().set(r#"{"InstanceId": "i-1", "PrivateIpAddress": "10.0.0.1", "Tags": {"role": "cache"}}"#)?;
/// # let keys = Credentials::new(service.access_key(), service.secret_key());
/// # let ec2 = Ec2Client::builder().endpoint(service.url()).credentials(keys).build()?;
/// let mut lists = ec2.peers().tag("role", "cache").port(11211).watch().into_lists();
/// // There is no memcached client without a server: the first list that has one makes it.
/// let first = loop {
///     let list = lists.next().await.ok_or("the runtime has ended")?;
///     if !list.is_empty() {
///         break list;
///     }
/// };
/// let memcached = Memcached::builder().servers(first.iter().map(|peer| &peer.address)).build()?;
/// let servers = |peers: Vec<Peer>| -> Vec<Server> {
///     peers.iter().filter_map(|peer| peer.address.parse().ok()).collect()
/// };
/// let follower = memcached.clone();
/// tokio::spawn(async move { follower.follow(lists.map(servers)).await });
/// assert_eq!(memcached.servers()[0].to_string(), "10.0.0.1:11211");
/// # Ok(()) }
/// ```
#[must_use = "nothing is asked for until the stream is read"]
pub struct Lists {
    watch: Watch,
    /// Of the list that was given last.
    version: Option<u64>,
}

impl Lists {
    pub(super) fn new(watch: Watch) -> Self {
        Self {
            watch,
            version: None,
        }
    }

    /// The next list; nothing after the end of the runtime.
    pub async fn next(&mut self) -> Option<Vec<Peer>> {
        poll_fn(|cx| Pin::new(&mut *self).poll_next(cx)).await
    }
}

impl Stream for Lists {
    type Item = Vec<Peer>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Vec<Peer>>> {
        let given = self.version;
        let found = self.watch.poll_with(cx, |tracker| {
            let list = tracker.list();
            list.filter(|(version, _)| Some(*version) != given)
        });
        found.map(|found| {
            let (version, list) = found?;
            self.version = Some(version);
            Some(list)
        })
    }
}

impl fmt::Debug for Lists {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Lists").field(&self.watch).finish()
    }
}
