//! The SimpleDB half: the Query protocol over domains in memory, and on disk if that is wanted.
//!
//! See the [API reference](https://docs.aws.amazon.com/AmazonSimpleDB/latest/DeveloperGuide/SDB_API_Operations.html).
//! All users are of one account, and share its domains.

mod actions;
#[cfg(feature = "cli")]
pub(crate) mod args;
mod error;
pub(crate) mod options;
mod params;
mod price;
pub(crate) mod record;
mod request;
mod select;
pub(crate) mod store;
mod token;
mod verify;
mod xml;

use std::io;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use hyper::body::{Body, Bytes};
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{Request, Response};

use self::actions::Answer;
use self::error::SdbResult;
use self::options::{Limits, SdbModes, SdbOptions};
use self::params::SdbParams;
use self::request::Call;
use self::store::Domains;
use self::verify::verify;
use crate::disk::{self, DiskOptions};
use crate::encode::{hex, md5};
use crate::stats::Counters;
use crate::users::Users;

/// Where SimpleDB's writes are written down.
pub(crate) type SdbJournal = disk::Journal<Domains>;

/// Answers SimpleDB requests.
#[derive(Debug)]
pub(crate) struct SdbHalf {
    users: Users,
    skew: Duration,
    limits: Limits,
    modes: Arc<Modes>,
    counters: Arc<Counters>,
    domains: Arc<Domains>,
    journal: SdbJournal,
    /// How often chance was asked.
    draws: AtomicU64,
}

/// The modes of now, which may be changed at any time.
#[derive(Debug, Default)]
pub(crate) struct Modes(RwLock<SdbModes>);

impl Modes {
    pub(crate) fn set(&self, modes: SdbModes) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = modes;
    }

    fn get(&self) -> SdbModes {
        *self.0.read().unwrap_or_else(PoisonError::into_inner)
    }
}

impl SdbHalf {
    pub(crate) fn new(
        users: Users,
        skew: Duration,
        options: &SdbOptions,
        disk: Option<DiskOptions>,
        counters: Arc<Counters>,
    ) -> io::Result<Self> {
        let domains = Arc::default();
        let journal = match &disk {
            Some(disk) => SdbJournal::open(disk, &domains)?,
            None => SdbJournal::none(),
        };
        let modes = Modes(RwLock::new(options.modes));
        Ok(Self {
            users,
            skew,
            limits: options.limits,
            modes: Arc::new(modes),
            counters,
            domains,
            journal,
            draws: AtomicU64::new(0),
        })
    }

    pub(crate) fn modes(&self) -> Arc<Modes> {
        Arc::clone(&self.modes)
    }

    /// The answer, and whether the signature check refused the request.
    pub(crate) async fn call<B>(
        &self,
        request: Request<B>,
        serial: u64,
        now: SystemTime,
    ) -> (Response<String>, bool)
    where
        B: Body<Data = Bytes>,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let request_id = request_id(serial);
        let modes = self.modes.get();
        let (answer, refused) = match request::read(request).await {
            Ok((call, params)) => {
                let target = call.target();
                match verify(&self.users, self.skew, target, &params, now) {
                    Ok(()) => (self.answer(&call, &params, modes).await, false),
                    Err(error) => (Err(error), true),
                }
            }
            Err(error) => (Err(error), false),
        };
        let (status, body) = match answer {
            Ok((action, answer)) => {
                self.counters.charge(answer.box_usage);
                let result = answer.result.as_deref();
                let body = xml::response(action, result, &request_id, answer.box_usage);
                (hyper::StatusCode::OK, body)
            }
            Err(error) => {
                self.counters.charge(price::ERROR);
                let body = xml::error(&error, &request_id, price::ERROR);
                (error.status(), body)
            }
        };
        let mut response = Response::new(body);
        *response.status_mut() = status;
        let kind = HeaderValue::from_static("text/xml");
        response.headers_mut().insert(CONTENT_TYPE, kind);
        (response, refused)
    }

    async fn answer(
        &self,
        call: &Call,
        params: &SdbParams,
        modes: SdbModes,
    ) -> SdbResult<(&'static str, Answer)> {
        let (action, answer) = self.act(call, params, modes)?;
        if let Some(ticket) = answer.ticket {
            self.journal.wait(ticket).await?;
        }
        Ok((action, answer))
    }
}

fn request_id(serial: u64) -> String {
    let id = hex(&md5(&serial.to_le_bytes()));
    let mut out = String::with_capacity(36);
    for (index, digit) in id.chars().enumerate() {
        if matches!(index, 8 | 12 | 16 | 20) {
            out.push('-');
        }
        out.push(digit);
    }
    out
}
