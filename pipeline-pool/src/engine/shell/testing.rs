//! An endpoint whose connections are pipes within the process, for the tests of the shell.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::DuplexStream;
use tokio::sync::mpsc;

use super::endpoint::Endpoint;
use super::extra_permit::ExtraPermits;
use super::open::{Dialing, Open};
use super::permits::SharedPermits;
use super::spare_buffers::SpareBuffers;
use crate::connect::{Io, Opened, Stream};
use crate::engine::config::Config;
use crate::engine::core::testing::Toy;
use crate::protocol::ConnectionId;

/// Opens connections within the process, whose servers' ends are the test's.
struct PipeOpener {
    servers: mpsc::UnboundedSender<DuplexStream>,
    rtt: Option<Duration>,
}

impl Open<Toy> for PipeOpener {
    fn open<'a>(&'a self, _: &'a dyn ExtraPermits, _: ConnectionId) -> Dialing<'a, Toy> {
        Box::pin(async {
            let (client, server) = tokio::io::duplex(1024);
            let _ = self.servers.send(server);
            let client: Box<dyn Io> = Box::new(client);
            let opened = Opened {
                stream: Stream::from(client),
                rtt: self.rtt,
                lease: None,
            };
            Ok((opened, Toy))
        })
    }

    fn name(&self) -> String {
        "toy".to_owned()
    }
}

/// An endpoint, and the servers' ends of the connections that it opens.
pub(crate) fn endpoint(
    config: Config,
    permits: &Arc<SharedPermits>,
    rtt: Option<Duration>,
) -> (Arc<Endpoint<Toy>>, mpsc::UnboundedReceiver<DuplexStream>) {
    let (servers, ends) = mpsc::unbounded_channel();
    let opener = Box::new(PipeOpener { servers, rtt });
    let buffers = Arc::new(SpareBuffers::new(config.read_buffer));
    let endpoint = Endpoint::new(config, opener, permits.clone(), buffers);
    (endpoint, ends)
}
