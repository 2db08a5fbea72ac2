//! A client over the emulator.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};

use aws_core::transport::{ResponseFuture, Transport};
use emulator::Emulator;
use pipeline_pool::{Head, HttpPool, Origin, Request, Response, Sent};
use sdb_client::{Credentials, Domain, Item, SdbBuilder, SdbClient};

pub(crate) async fn emulator() -> Emulator {
    Emulator::start().await.unwrap()
}

pub(crate) fn builder(service: &Emulator) -> SdbBuilder {
    SdbClient::builder()
        .endpoint(service.url())
        .credentials(Credentials::new(service.access_key(), service.secret_key()))
}

/// An empty domain.
pub(crate) async fn domain(service: &Emulator) -> Domain {
    let domain = builder(service).build().unwrap().domain("users");
    domain.create().await.unwrap();
    domain
}

/// The pairs of an item in order.
pub(crate) fn pairs(item: &Item) -> Vec<(&str, &str)> {
    let mut pairs: Vec<_> = item
        .attributes
        .iter()
        .map(|a| (a.name.as_str(), a.value.as_str()))
        .collect();
    pairs.sort_unstable();
    pairs
}

/// What happens to one request on its way to the emulator.
pub(crate) enum Act {
    /// It goes there, and its answer comes back.
    Pass,
    /// It goes there and is worked; its answer is lost.
    LoseAnswer,
    /// It is lost on its way, after it was written: nobody can tell from [`Act::LoseAnswer`].
    LoseRequest,
    /// The connection is refused: it was not sent.
    Refuse,
    /// It does not go there: this is the answer.
    Reply(u16, String),
    /// First this, then the other.
    After(Pin<Box<dyn Future<Output = ()> + Send>>, Box<Act>),
}

type Decide = dyn Fn(&str) -> Act + Send + Sync;

/// A way to the emulator that a test decides about, by the form (or the query) of each request.
#[derive(Clone)]
pub(crate) struct Script {
    pool: HttpPool,
    decide: Arc<Decide>,
    seen: Arc<Mutex<Vec<String>>>,
}

impl Script {
    pub(crate) fn new(decide: impl Fn(&str) -> Act + Send + Sync + 'static) -> Self {
        Self {
            pool: HttpPool::builder().build(),
            decide: Arc::new(decide),
            seen: Arc::default(),
        }
    }

    /// The forms of all requests, attempts counted.
    pub(crate) fn seen(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }

    /// How many requests there were of this action.
    pub(crate) fn count(&self, action: &str) -> usize {
        let action = format!("Action={action}&");
        let seen = self.seen.lock().unwrap();
        seen.iter().filter(|form| form.contains(&action)).count()
    }
}

impl std::fmt::Debug for Script {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Script").finish_non_exhaustive()
    }
}

impl Transport for Script {
    fn send(&self, origin: &Origin, request: Request) -> ResponseFuture {
        let form = match request.whole_body() {
            Some(body) if !body.is_empty() => String::from_utf8_lossy(body).into_owned(),
            _ => request.target().to_owned(),
        };
        let act = (self.decide)(&form);
        self.seen.lock().unwrap().push(form);
        let (pool, origin) = (self.pool.clone(), origin.clone());
        ResponseFuture::new(async move {
            let mut act = act;
            while let Act::After(first, then) = act {
                first.await;
                act = *then;
            }
            let lost = |sent| {
                let kind = match sent {
                    Sent::No => pipeline_pool::Kind::Connect,
                    _ => pipeline_pool::Kind::Closed,
                };
                Err(pipeline_pool::Error::new(kind, "scripted").with_sent(sent))
            };
            match act {
                Act::Pass | Act::After(..) => pool.send(&origin, request).await,
                Act::LoseAnswer => {
                    pool.send(&origin, request).await?;
                    lost(Sent::All)
                }
                Act::LoseRequest => lost(Sent::All),
                Act::Refuse => lost(Sent::No),
                Act::Reply(status, body) => {
                    let body = bytes::Bytes::from(body);
                    Ok(Response::new(Head::new(status, []), body))
                }
            }
        })
    }
}

/// The form of an error of SimpleDB.
pub(crate) fn error(status: u16, code: &str) -> Act {
    Act::Reply(
        status,
        format!(
            "<Response><Errors><Error><Code>{code}</Code><Message>scripted</Message>\
             <BoxUsage>0.25</BoxUsage></Error></Errors><RequestID>r</RequestID></Response>"
        ),
    )
}
