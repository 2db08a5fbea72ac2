//! The task of a connection, up to the moment when it can be used.

use std::any::Any;
use std::future::{Future, poll_fn};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use tokio::runtime;

use super::counters::add;
use super::driver::{Driver, now};
use super::endpoint::Endpoint;
use super::permits::Permit;
use super::runtimes::{here, incapable};
use crate::connect::is_exhausted;
use crate::engine::core::connection::ConnId;
use crate::error::{Error, Kind};
use crate::event::Event;
use crate::protocol::Protocol;

/// Opens the connection and serves it to its end. To be spawned with nothing locked: a runtime that
/// goes down drops it at once.
pub(super) fn run<P: Protocol>(
    endpoint: Arc<Endpoint<P>>,
    id: ConnId,
    permit: Permit,
) -> impl Future<Output = ()> + Send {
    // Made now, as the task may never be polled.
    let dial = Dial {
        endpoint,
        id,
        permit: Some(permit),
        home: here(),
    };
    open_and_serve(dial)
}

async fn open_and_serve<P: Protocol>(mut dial: Dial<P>) {
    let (endpoint, id) = (dial.endpoint.clone(), dial.id);
    let limit = endpoint.config.connect_timeout;
    let begun = now();
    let connection = endpoint.lock().name(id);
    let dialing = async {
        let dialing = endpoint.opener.open(&endpoint, connection);
        match tokio::time::timeout(limit, dialing).await {
            Ok(opened) => opened,
            Err(_) => {
                let text = format!(
                    "no connection to {} within {limit:?} (connect_timeout of the pool)",
                    endpoint.name
                );
                Err(Error::new(Kind::Connect, text))
            }
        }
    };
    let opened = contained(dialing).await;
    let Some(permit) = dial.permit.take() else {
        return;
    };
    drop(dial);
    match opened {
        Ok((opened, protocol)) => {
            add(&endpoint.counters.opened, 1);
            let took = now().saturating_duration_since(begun);
            endpoint.tell(&Event::Opened { took });
            endpoint.opened(id, opened.rtt, now());
            Driver::new(endpoint, id, permit, opened, protocol).await;
        }
        Err(error) => {
            // The permit goes first: those who wait may want it at once.
            drop(permit);
            endpoint.tell(&Event::OpenFailed {
                error: error.clone(),
            });
            endpoint.open_failed(id, &error, lacks_descriptor(&error), now());
        }
    }
}

/// Makes an error of a panic, so that those who wait hear of it and nobody tries the same again.
async fn contained<T>(future: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    let mut future = pin!(future);
    let caught = poll_fn(|cx| {
        let polled = catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx)));
        match polled {
            Ok(polled) => polled.map(Ok),
            Err(panic) => Poll::Ready(Err(panic)),
        }
    });
    match caught.await {
        Ok(result) => result,
        Err(panic) if is_of_runtime(&*panic) => Err(incapable()),
        Err(_) => {
            let text = "opening a connection panicked, which was reported when it did";
            Err(Error::new(Kind::Connect, text))
        }
    }
}

/// Whether tokio panicked for want of a driver. It offers no way to ask before.
fn is_of_runtime(panic: &(dyn Any + Send)) -> bool {
    let text = match panic.downcast_ref::<String>() {
        Some(text) => text,
        None => panic.downcast_ref::<&str>().copied().unwrap_or_default(),
    };
    text.contains("A Tokio 1.x context was found, but")
}

/// Whether there was no file descriptor to open it with.
fn lacks_descriptor(error: &Error) -> bool {
    let mut cause = error.cause();
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
struct Dial<P: Protocol> {
    endpoint: Arc<Endpoint<P>>,
    id: ConnId,
    permit: Option<Permit>,
    home: Option<runtime::Id>,
}

impl<P: Protocol> Drop for Dial<P> {
    fn drop(&mut self) {
        if let Some(permit) = self.permit.take() {
            drop(permit);
            self.endpoint.withdrawn(self.id);
            self.endpoint.bounce_all(self.home);
        }
    }
}
