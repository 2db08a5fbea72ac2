//! What opens the connections of an endpoint.

use std::future::Future;
use std::pin::Pin;

use super::extra_permit::ExtraPermits;
use crate::connect::Opened;
use crate::error::Error;
use crate::protocol::ConnectionId;

/// A connection being opened, and the protocol value that will speak on it.
pub(crate) type Dialing<'a, P> =
    Pin<Box<dyn Future<Output = Result<(Opened, P), Error>> + Send + 'a>>;

/// Opens the connections of an endpoint.
pub(crate) trait Open<P>: Send + Sync {
    /// Opens one, to be known by this name. Sockets beside it are taken under extra permits.
    fn open<'a>(
        &'a self,
        permits: &'a dyn ExtraPermits,
        connection: ConnectionId,
    ) -> Dialing<'a, P>;
    /// The name of the place, for errors.
    fn name(&self) -> String;
}
