//! The front for a node of a cluster: who else is there, who begins, who is gone.
//!
//! ```text
//!   server (cloud_node.erl)                 this program                       S3, or EC2
//!      │ ◄──── there: these others ────────────│ ◄── leases, each third of one ───│
//!      │ ───── begin: may I? ─────────────────►│ ─── the founder's object ───────►│
//!      │ ◄──── true: of many, one ─────────────│                                  │
//!      │ ───── running: joined, known ────────►│                                  │
//!      │ ◄──── remove: this one is gone ───────│ ─── a claim ────────────────────►│
//!      │ ───── removed ───────────────────────►│ ─── its lease ──────────────────►│
//!      │ ───── leave ─────────────────────────►│ ─── the own lease ──────────────►│
//! ```
//!
//! *Problem:* Nodes that keep nothing have to find each other when they start, before their server does anything, and one
//! that is gone has to be removed from what the others know. *Decision:* A second process of this program, which the server
//! starts before everything else, and which lives as long as Erlang does: the lease of a node does not depend on
//! whether ejabberd is started anew, or on the process that serves the stores. Where it ends without having been told to leave,
//! its server was killed: the lease runs out. *Cost:* Some megabytes of memory, and two connections.

mod instances;
mod leases;
mod message;
#[cfg(test)]
mod testing;

use std::collections::VecDeque;
use std::io;
use std::time::SystemTime;

use cloud_stores::Stores;
use ec2_client::peers::{Address, Lists, Peers};
use ec2_client::{Ec2Client, HttpPool};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::sync::mpsc::{Receiver, channel};
use tokio::time::{Instant, Interval, MissedTickBehavior, interval};

use crate::connect::Wrong;
use crate::log::line;
use crate::settings::{Discovery, NodeSettings};
use instances::{InstanceView, parts};
use leases::LeaseView;
use message::{Heard, Told};

/// Serves one node until its server ends or leaves, as soon as the stores are open. `peers` are what is looked for in EC2, if
/// nodes are found there.
///
/// # Errors
/// As the stores cannot be opened; and where the server says what is no message.
pub(crate) async fn serve(
    input: impl AsyncRead + Unpin + Send + 'static,
    mut output: impl AsyncWrite + Unpin,
    opening: impl Future<Output = Result<Stores, cloud_stores::Error>>,
    settings: &NodeSettings,
    peers: Option<Peers>,
) -> Result<(), Wrong> {
    let mut messages = listen(input);
    let mut early = VecDeque::new();
    let stores = tokio::select! {
        stores = opening => stores?,
        () = hear_to_the_end(&mut messages, &mut early) => match early.pop_back() {
            Some(Err(error)) => return Err(error.into()),
            // There is no lease to give back.
            Some(Ok(Heard::Leave)) => return Ok(tell(&mut output, vec![Told::Left]).await?),
            _ => return Ok(()),
        },
    };
    let nodes = stores.nodes();
    let view = match peers {
        None => View::Leases(Box::new(LeaseView::new(
            nodes,
            &settings.name,
            settings.lease(),
        ))),
        Some(peers) => View::Instances(
            Box::new(InstanceView::new(nodes, &settings.name)),
            peers.watch().into_lists(),
        ),
    };
    let mut ticks = interval(settings.lease() / 3);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let node = Node {
        view,
        running: Vec::new(),
        known: Vec::new(),
        output,
    };
    Ok(node.run(early, messages, ticks).await?)
}

/// What is looked for in EC2, where the settings say so.
///
/// # Errors
/// Settings that make no client.
pub(crate) fn peers(settings: &NodeSettings) -> Result<Option<Peers>, Wrong> {
    if settings.discovery == Discovery::Leases {
        return Ok(None);
    }
    let mut ec2 = Ec2Client::builder()
        .region(&settings.stores.region)
        .pool(HttpPool::builder().max_connections(1).build());
    if let Some(url) = &settings.ec2_endpoint {
        ec2 = ec2.endpoint(url);
    }
    let mut peers = ec2.build()?.peers().every(settings.lease() / 3);
    for tag in &settings.ec2_tags {
        let (key, value) = tag
            .split_once('=')
            .ok_or_else(|| format!("the tag {tag:?} is not KEY=VALUE"))?;
        peers = peers.tag(key, value);
    }
    for group in &settings.ec2_security_groups {
        peers = peers.security_group(group);
    }
    if let Some(group) = &settings.ec2_auto_scaling_group {
        peers = peers.auto_scaling_group(group);
    }
    if settings.ec2_tags.is_empty()
        && settings.ec2_security_groups.is_empty()
        && settings.ec2_auto_scaling_group.is_none()
    {
        return Err(
            "which instances of EC2 are nodes has to be said, by a tag, a security group or an Auto Scaling group".into(),
        );
    }
    // The names of nodes have addresses or names of hosts in them, as that of this one has.
    let host = parts(&settings.name).1;
    let address = match host.parse::<std::net::IpAddr>() {
        Ok(_) => Address::Private,
        Err(_) => Address::PrivateDns,
    };
    Ok(Some(peers.address(address)))
}

/// What the server says, and how it came to an end that is none.
type Messages = Receiver<io::Result<Heard>>;

/// Reads messages in a task of its own, since reading cannot be given up half way.
fn listen(mut input: impl AsyncRead + Unpin + Send + 'static) -> Messages {
    let (heard, messages) = channel(16);
    tokio::spawn(async move {
        while let Some(next) = message::next(&mut input).await.transpose() {
            let is_last = next.is_err();
            if heard.send(next).await.is_err() || is_last {
                return;
            }
        }
    });
    messages
}

/// Takes what the server says until it has ended, or leaves.
async fn hear_to_the_end(messages: &mut Messages, heard: &mut VecDeque<io::Result<Heard>>) {
    while let Some(message) = messages.recv().await {
        let is_last = matches!(message, Ok(Heard::Leave));
        heard.push_back(message);
        if is_last {
            return;
        }
    }
}

/// Tells the server. One that is gone hears nothing, which is no error: that it is gone is then seen by its silence.
async fn tell(output: &mut (impl AsyncWrite + Unpin), told: Vec<Told>) -> io::Result<()> {
    for told in told {
        match output.write_all(&told.frame()).await {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(()),
            told => told?,
        }
    }
    output.flush().await
}

/// Where it is seen who is there.
enum View {
    Leases(Box<LeaseView>),
    Instances(Box<InstanceView>, Lists),
}

struct Node<W> {
    view: View,
    running: Vec<String>,
    known: Vec<String>,
    output: W,
}

impl<W: AsyncWrite + Unpin> Node<W> {
    async fn run(
        mut self,
        mut early: VecDeque<io::Result<Heard>>,
        mut messages: Messages,
        mut ticks: Interval,
    ) -> io::Result<()> {
        loop {
            let heard = async {
                match early.pop_front() {
                    None => messages.recv().await,
                    early => early,
                }
            };
            let told = tokio::select! {
                heard = heard => match heard {
                    None => return Ok(()),
                    Some(heard) => match heard? {
                        Heard::Leave => {
                            if let View::Leases(leases) = &mut self.view {
                                leases.leave().await;
                            }
                            return tell(&mut self.output, vec![Told::Left]).await;
                        }
                        heard => self.hear(heard).await,
                    },
                },
                list = next_list(&mut self.view) => list,
                _ = ticks.tick() => self.look().await,
            };
            tell(&mut self.output, told).await?;
        }
    }

    async fn look(&mut self) -> Vec<Told> {
        match &mut self.view {
            View::Leases(leases) => {
                leases
                    .look(&self.running, SystemTime::now(), Instant::now())
                    .await
            }
            View::Instances(instances, _) => instances.gone(&self.running, &self.known),
        }
    }

    async fn hear(&mut self, heard: Heard) -> Vec<Told> {
        match heard {
            Heard::Running { running, known } => {
                self.running = running;
                self.known = known;
                Vec::new()
            }
            Heard::Begin(reached) => {
                let begun = match &mut self.view {
                    View::Leases(leases) => leases.begin(&reached, SystemTime::now()).await,
                    View::Instances(instances, _) => {
                        instances.begin(&reached, Instant::now()).await
                    }
                };
                let begun = begun.unwrap_or_else(|error| {
                    line(format_args!("the cluster cannot be begun yet: {error}"));
                    false
                });
                vec![Told::Begin(begun)]
            }
            Heard::Removed(name, is_done) => {
                match &mut self.view {
                    View::Leases(leases) => leases.removed(&name, is_done).await,
                    View::Instances(instances, _) => instances.removed(&name),
                }
                Vec::new()
            }
            // The end, which is seen to before.
            Heard::Leave => Vec::new(),
        }
    }
}

/// The next list of instances; there is none, ever, where leases say who is there.
async fn next_list(view: &mut View) -> Vec<Told> {
    match view {
        View::Leases(_) => std::future::pending().await,
        View::Instances(instances, lists) => match lists.next().await {
            Some(peers) => vec![instances.take(&peers)],
            None => std::future::pending().await,
        },
    }
}
