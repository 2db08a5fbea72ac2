//! The listener, and the road from a request to the service it is for.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::header::{CONTENT_LENGTH, CONTENT_TYPE, DATE, HeaderName, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response};
use s3s::Body;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

use crate::accounts::{Account, FIRST_NUMBER};
use crate::builder::Builder;
use crate::ec2::table::Ec2Table;
use crate::ec2::{Ec2Half, is_ec2, is_metadata, is_signed_for_ec2};
use crate::encode::form_pairs;
use crate::faults::{Begin, Fault, Faults, Gone, Seen, Service, begin, finish};
use crate::s3::S3Half;
use crate::sdb::options::SdbModes;
use crate::sdb::{Modes, SdbHalf};
use crate::socket::{Replies, Socket};
use crate::stats::{Connection, Counters, Stats};
use crate::users::{User, Users};

/// The most that a request's head may take, in bytes; S3 allows 8 KiB, and keys escape to 3 KiB.
const HEAD_MAX: usize = 64 << 10;
/// The most fields in it: of metadata with the shortest names 8 KiB hold some 500.
const HEADERS_MAX: usize = 640;
/// The most that a form may hold, in bytes, for rules of faults to look at it.
const FORM_MAX: usize = 8 << 20;
/// The most that a form may hold, in bytes, for what is in it to say that it is EC2's.
const EC2_FORM_MAX: u64 = 256 << 10;

pub(crate) enum Running {
    Task(JoinHandle<()>),
    Thread(thread::JoinHandle<()>),
}

/// A running emulator. Dropping it stops it and closes its connections.
pub struct Emulator {
    addr: SocketAddr,
    first: (String, User),
    users: Users,
    counters: Arc<Counters>,
    faults: Faults,
    sdb_modes: Arc<Modes>,
    ec2: Ec2Table,
    stop: watch::Sender<bool>,
    running: Option<Running>,
}

impl fmt::Debug for Emulator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Emulator")
            .field("addr", &self.addr)
            .field("access_key", &self.first.0)
            .finish_non_exhaustive()
    }
}

impl Emulator {
    /// An emulator at this address, which `start` sets going.
    pub(crate) fn run(
        addr: SocketAddr,
        first: (String, User),
        shared: Arc<Shared>,
        start: impl FnOnce(Arc<Shared>, watch::Receiver<bool>) -> std::io::Result<Running>,
    ) -> std::io::Result<Self> {
        let (stop, stopping) = watch::channel(false);
        let counters = Arc::clone(&shared.counters);
        let faults = shared.faults.clone();
        let sdb_modes = shared.sdb.modes();
        let ec2 = shared.ec2.table();
        Ok(Self {
            addr,
            first,
            users: shared.users.clone(),
            counters,
            faults,
            sdb_modes,
            ec2,
            stop,
            running: Some(start(shared, stopping)?),
        })
    }

    /// Starts an emulator with the default settings of [`Builder`]: a free loopback port and one
    /// user, on the runtime this is called from.
    ///
    /// # Errors
    ///
    /// When no port can be listened on.
    pub async fn start() -> std::io::Result<Self> {
        Self::builder().start().await
    }

    /// Like [`start`](Self::start), on a thread and a runtime of its own.
    ///
    /// # Errors
    ///
    /// As [`Builder::start_blocking`].
    pub fn start_blocking() -> std::io::Result<Self> {
        Self::builder().start_blocking()
    }

    /// Settings to start from.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// The address at which the emulator listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Where it listens, as a URL without a path: `http://127.0.0.1:40123`.
    pub fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// The number of the first account, whose users are those of [`Builder::user`]: requests that [expect another
    /// owner](https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucket-owner-condition.html) of its buckets are
    /// refused.
    pub fn account(&self) -> &'static str {
        FIRST_NUMBER
    }

    /// The account of the user with this access key, if there is one.
    pub fn account_of(&self, access_key: &str) -> Option<&Account> {
        self.users.get(access_key).map(|user| &*user.account)
    }

    /// The access key of its first user.
    pub fn access_key(&self) -> &str {
        &self.first.0
    }

    /// The secret key of its first user.
    pub fn secret_key(&self) -> &str {
        &self.first.1.secret
    }

    /// The session token of its first user, if it has one.
    pub fn session_token(&self) -> Option<&str> {
        self.first.1.token.as_deref()
    }

    /// What it has seen so far.
    pub fn stats(&self) -> Stats {
        self.counters.snapshot()
    }

    /// What it does wrong on purpose.
    pub fn faults(&self) -> Faults {
        self.faults.clone()
    }

    /// Sets what reads of SimpleDB meet from now on.
    pub fn set_sdb_modes(&self, modes: SdbModes) {
        self.sdb_modes.set(modes);
    }

    /// The instances that its EC2 tells of, which may be changed at any time.
    pub fn ec2(&self) -> Ec2Table {
        self.ec2.clone()
    }

    /// Stops it, and waits until the port is free and every connection is closed.
    pub async fn shutdown(mut self) {
        self.stop.send_replace(true);
        match self.running.take() {
            // Neither panics nor is cancelled by anyone else; there is nothing to report.
            Some(Running::Task(task)) => drop(task.await),
            Some(Running::Thread(thread)) => {
                let joined = tokio::task::spawn_blocking(move || thread.join());
                drop(joined.await);
            }
            None => {}
        }
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        self.stop.send_replace(true);
        match self.running.take() {
            Some(Running::Task(task)) => task.abort(),
            // The thread leaves at its next turn, as no request of it blocks.
            Some(Running::Thread(thread)) => drop(thread.join()),
            None => {}
        }
    }
}

/// This is what all connections share.
pub(crate) struct Shared {
    pub(crate) faults: Faults,
    /// The domain of virtual-hosted requests.
    pub(crate) domain: Option<String>,
    pub(crate) users: Users,
    pub(crate) s3: S3Half,
    pub(crate) sdb: SdbHalf,
    pub(crate) ec2: Ec2Half,
    pub(crate) counters: Arc<Counters>,
    pub(crate) request_ids: AtomicU64,
}

/// Serves until it is told to stop.
pub(crate) async fn serve(
    listener: TcpListener,
    shared: Arc<Shared>,
    mut stopping: watch::Receiver<bool>,
) {
    // Dropped with this future, and every connection with it.
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                if let Ok((stream, _)) = accepted {
                    let shared = Arc::clone(&shared);
                    connections.spawn(connection(stream, shared));
                } else {
                    // Out of descriptors, most likely: let some connections end first.
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
            }
            Some(_) = connections.join_next() => {}
            // Also when the sender is gone: nobody could stop it any more.
            _ = stopping.changed() => break,
        }
    }
    connections.shutdown().await;
}

async fn connection(stream: TcpStream, shared: Arc<Shared>) {
    // Without it pipelined answers wait for acknowledgements; a socket that cannot have it works.
    let _ = stream.set_nodelay(true);
    let connection = Connection::open(&shared.counters);
    let (socket, replies) = Socket::new(stream, Arc::clone(&connection));
    let outgoing = replies.clone();
    let service = service_fn(move |request| {
        connection.request();
        let (shared, outgoing) = (Arc::clone(&shared), outgoing.clone());
        async move {
            let answer = shared.answer(request).await;
            if let Err(gone) = &answer {
                end(&outgoing, gone).await;
            }
            answer
        }
    });
    let served = http1::Builder::new()
        .half_close(true)
        .max_buf_size(HEAD_MAX)
        .max_headers(HEADERS_MAX)
        .serve_connection(socket, service);
    replies.drive(served).await;
}

/// Ends a connection without an answer, after the answers before it.
async fn end(outgoing: &Replies, gone: &Gone) {
    // Hyper flushes what it has of them when this request rests.
    tokio::task::yield_now().await;
    match gone {
        Gone::Reset => outgoing.reset(),
        Gone::Garbage(bytes) => outgoing.push(bytes),
    }
}

impl Shared {
    async fn answer(&self, request: Request<Incoming>) -> Result<Response<Body>, Gone> {
        let serial = self.request_ids.fetch_add(1, Ordering::Relaxed);
        let (service, mut request) = route(request.map(Body::from)).await;
        Counters::count(match service {
            Service::S3 => &self.counters.s3,
            Service::SimpleDb => &self.counters.sdb,
            Service::Ec2 => &self.counters.ec2,
            Service::Metadata => &self.counters.metadata,
        });
        if self.faults.is_idle() {
            return Ok(self.serve(request, service, serial, None).await);
        }
        let seen;
        (seen, request) = self.look(request, service).await;
        let Some(fault) = self.faults.pick(&seen) else {
            return Ok(self.serve(request, service, serial, None).await);
        };
        let request_id = format!("{serial:016X}");
        match begin(&fault, &seen, request, &request_id).await {
            Begin::Serve(request) => {
                let response = self.serve(request, service, serial, Some(&fault)).await;
                finish(&fault, response).await
            }
            Begin::Answer(response) => Ok(self.sign_off(response, service, request_id)),
            Begin::Gone(gone) => Err(gone),
        }
    }

    /// What rules can see of a request; a form has to be read for it.
    async fn look(&self, request: Request<Body>, service: Service) -> (Seen, Request<Body>) {
        let (parts, body) = request.into_parts();
        let query = match service {
            Service::SimpleDb | Service::Ec2 => service,
            Service::S3 => {
                let domain = self.domain.as_deref();
                let seen = Seen::s3(parts.method.as_str(), &parts.uri, &parts.headers, domain);
                return (seen, Request::from_parts(parts, body));
            }
            Service::Metadata => {
                let seen = Seen::metadata(&parts.method, &parts.uri);
                return (seen, Request::from_parts(parts, body));
            }
        };
        // One that is too large or does not end is refused as one without parameters.
        let read = Limited::new(body, FORM_MAX).collect().await;
        let form = read.map(|body| body.to_bytes()).unwrap_or_default();
        let seen = Seen::form(query, &parts.method, &parts.uri, &form);
        (seen, Request::from_parts(parts, Body::from(form)))
    }

    async fn serve(
        &self,
        request: Request<Body>,
        service: Service,
        serial: u64,
        fault: Option<&Fault>,
    ) -> Response<Body> {
        let now = self.faults.now();
        let request_id = format!("{serial:016X}");
        let text =
            |(response, refused): (Response<String>, bool)| (response.map(Body::from), refused);
        let (response, refused) = match service {
            Service::SimpleDb => text(self.sdb.call(request, serial, now).await),
            Service::S3 => self.s3.call(request, &request_id, now).await,
            Service::Ec2 => {
                let view = fault.map(Fault::view).unwrap_or_default();
                text(self.ec2.call(request, &request_id, now, &view).await)
            }
            Service::Metadata => text(self.ec2.metadata(&request, now)),
        };
        if refused {
            Counters::count(&self.counters.refused);
        }
        self.sign_off(response, service, request_id)
    }

    /// Adds what every answer has.
    fn sign_off(
        &self,
        mut response: Response<Body>,
        service: Service,
        request_id: String,
    ) -> Response<Body> {
        if self.faults.clock_ahead() != 0
            && let Ok(date) = HeaderValue::try_from(httpdate::fmt_http_date(self.faults.now()))
        {
            response.headers_mut().insert(DATE, date);
        }
        if service == Service::S3
            && let Ok(value) = HeaderValue::try_from(request_id)
        {
            let name = HeaderName::from_static("x-amz-request-id");
            response.headers_mut().insert(name, value);
        }
        response
    }
}

/// Tells whose a request is. A form that may be EC2's or SimpleDB's has to be read for it.
async fn route(request: Request<Body>) -> (Service, Request<Body>) {
    if is_metadata(&request) {
        return (Service::Metadata, request);
    }
    if !is_query(&request) {
        return (Service::S3, request);
    }
    let query = request.uri().query().unwrap_or_default();
    if is_signed_for_ec2(&request) || is_ec2(&form_pairs(query.as_bytes())) {
        return (Service::Ec2, request);
    }
    let length = request.headers().get(CONTENT_LENGTH);
    let length = length.and_then(|length| length.to_str().ok()?.parse().ok());
    if !length.is_some_and(|length| (1..=EC2_FORM_MAX).contains(&length)) {
        return (Service::SimpleDb, request);
    }
    let (parts, body) = request.into_parts();
    // A form that does not end is none of EC2's, and SimpleDB refuses it.
    let form = match body.collect().await {
        Ok(body) => body.to_bytes(),
        Err(_) => return (Service::SimpleDb, Request::from_parts(parts, Body::empty())),
    };
    let service = match is_ec2(&form_pairs(&form)) {
        true => Service::Ec2,
        false => Service::SimpleDb,
    };
    (service, Request::from_parts(parts, Body::from(form)))
}

/// Requests of the Query APIs are a GET or POST of `/` with an `Action`; S3 has no form POST of `/`, so
/// such a form need not be read to know that it is none of S3's.
fn is_query<B>(request: &Request<B>) -> bool {
    if request.uri().path() != "/" {
        return false;
    }
    let has_action = request
        .uri()
        .query()
        .is_some_and(|query| query.split('&').any(|pair| pair.starts_with("Action=")));
    let is_form = || {
        let kind = request.headers().get(CONTENT_TYPE);
        kind.is_some_and(|kind| {
            let kind = kind.as_bytes();
            let form = b"application/x-www-form-urlencoded";
            kind.len() >= form.len() && kind[..form.len()].eq_ignore_ascii_case(form)
        })
    };
    match *request.method() {
        Method::GET => has_action,
        Method::POST => has_action || is_form(),
        _ => false,
    }
}
