//! The task of a connection, up to the moment when it can be used.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::driver::{Driver, now};
use super::endpoint::Endpoint;
use super::permits::Permit;
use super::slot::ConnId;
use crate::connect::is_exhausted;
use crate::error::{Error, Kind};
use crate::event::Event;
use crate::protocol::Protocol;

/// Opens the connection and serves it to its end. To be spawned with nothing locked: a runtime that
/// goes down drops it at once.
pub(crate) fn run<P: Protocol>(
    endpoint: Arc<Endpoint<P>>,
    id: ConnId,
    permit: Permit,
) -> impl Future<Output = ()> + Send {
    // Made now, as the task may never be polled.
    let opening = Opening {
        endpoint,
        id,
        permit: Some(permit),
    };
    open_and_serve(opening)
}

async fn open_and_serve<P: Protocol>(mut opening: Opening<P>) {
    let (endpoint, id) = (opening.endpoint.clone(), opening.id);
    let limit = endpoint.config.connect_timeout;
    let begun = now();
    let connection = endpoint.lock().connection(id);
    let opening_now = endpoint.opener.open(&endpoint, connection);
    let opened = match tokio::time::timeout(limit, opening_now).await {
        Ok(opened) => opened,
        Err(_) => {
            let text = format!("no connection to {} within {limit:?}", endpoint.name);
            Err(Error::new(Kind::Connect, text))
        }
    };
    let Some(permit) = opening.permit.take() else {
        return;
    };
    drop(opening);
    match opened {
        Ok((opened, protocol)) => {
            endpoint.counters.opened.fetch_add(1, Ordering::Relaxed);
            let took = now().saturating_duration_since(begun);
            endpoint.tell(&Event::Opened { took });
            endpoint.lock().opened(id, opened.rtt);
            Driver::new(endpoint, id, permit, opened, protocol).await;
        }
        Err(error) => {
            // The permit goes first: those who wait may want it at once.
            drop(permit);
            endpoint.tell(&Event::OpenFailed {
                error: error.clone(),
            });
            endpoint.open_failed(id, &error, lacks_descriptor(&error), now());
            endpoint.pump(now());
        }
    }
}

/// Whether there was no file descriptor to open it with.
fn lacks_descriptor(error: &Error) -> bool {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if let Some(io) = error.downcast_ref::<io::Error>()
            && is_exhausted(io)
        {
            return true;
        }
        cause = error.source();
    }
    false
}

/// A connection being opened; sees to its place when the runtime goes away meanwhile.
struct Opening<P: Protocol> {
    endpoint: Arc<Endpoint<P>>,
    id: ConnId,
    permit: Option<Permit>,
}

impl<P: Protocol> Drop for Opening<P> {
    fn drop(&mut self) {
        if let Some(permit) = self.permit.take() {
            drop(permit);
            self.endpoint.lock().remove(self.id);
            self.endpoint.bounce_all();
        }
    }
}
