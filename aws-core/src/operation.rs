//! What an operation is: a pure value that can encode itself and read its answer.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use aws_sigv2::Credentials;
use aws_sigv2::date::HttpDate;
use bytes::Bytes;
use pipeline_pool::{Head, Origin, Request};

use crate::body::Body;
use crate::classify::{Class, Idempotency};
use crate::clock;
use crate::dispatch::Dispatch;
use crate::envelope::ErrorBody;
use crate::error::{Error, Result};
use crate::overrides::Overrides;

/// What is the same for all operations of one service.
pub trait Service: Send + Sync {
    /// The name in errors and traces, for example `S3`.
    const NAME: &'static str;
    /// Elements of an error document, besides its code and message, that [`Error::detail`] gives. Not the string to sign,
    /// the signature and the like, which some services send back. Defaults to none.
    const ERROR_DETAILS: &'static [&'static str] = &[];
    /// The element of an answer's body that is the service's identifier of the request, where that is not in the head.
    /// Defaults to none.
    const REQUEST_ID: Option<&'static str> = None;
    /// Where a request can go besides to its operation's own origin: [`Origin`], where there is nothing more to say of
    /// such a place.
    type Destination: Destination;

    /// Reads the body of an error answer; nothing if it cannot be read. Defaults to the known envelopes.
    fn parse_error(&self, head: &Head, body: &[u8]) -> Option<ErrorBody> {
        let _ = head;
        ErrorBody::parse(body, Self::ERROR_DETAILS)
    }

    /// Which state of what the service has [learnt](Self::learn) about this bucket or domain its requests are signed by
    /// now. The number differs after each lesson that changes how they are signed. Defaults to 0, for a service that
    /// learns nothing.
    fn lesson(&self, resource: Option<&Arc<str>>) -> u64 {
        let _ = resource;
        0
    }

    /// Learns from an error answer how requests about this bucket or domain have to be signed, and returns
    /// whether the same operation, signed anew, may succeed now: it is then tried again at once, three times at most.
    /// `lesson` is what [`lesson`](Self::lesson) returned before the request was signed, so that an answer to a request
    /// of an older state is told from one to a request of the present state.
    /// May add to the message what to set. An answer to HEAD has an empty error. Defaults to no.
    fn learn(
        &self,
        resource: Option<&Arc<str>>,
        head: &Head,
        error: &mut ErrorBody,
        lesson: u64,
    ) -> bool {
        let _ = (resource, head, error, lesson);
        false
    }

    /// How requests about this bucket or domain are signed, as far as is known: `V2`, `V4` or `none`, for spans. Defaults
    /// to an empty text.
    fn signature(&self, resource: Option<&Arc<str>>) -> &'static str {
        let _ = resource;
        ""
    }

    /// The span of an operation, of the level `DEBUG`. It should have the fields of the default, which are recorded as
    /// the operation goes on, and those that name what this service's operations are about. Defaults to a span that names
    /// neither.
    fn span(&self, start: &SpanStart<'_>) -> tracing::Span {
        tracing::debug_span!(
            "operation",
            otel.name = %start,
            otel.kind = "client",
            rpc.system = "aws-api",
            rpc.service = start.service,
            rpc.method = start.operation,
            signature = start.signature,
            attempts = tracing::field::Empty,
            cache = tracing::field::Empty,
            outcome = tracing::field::Empty,
            http.request.body.size = tracing::field::Empty,
            http.response.body.size = tracing::field::Empty,
            http.response.status_code = tracing::field::Empty,
            aws.request_id = tracing::field::Empty,
            error.type = tracing::field::Empty,
            otel.status_code = tracing::field::Empty,
        )
    }

    /// What an error means, where this service differs from [`class_of`](crate::classify::class_of).
    fn class(&self, status: u16, code: Option<&str>) -> Option<Class> {
        let _ = (status, code);
        None
    }
}

/// What is known of an operation when its span begins. `Display` is the name of the span, for example `S3.GetObject`.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct SpanStart<'a> {
    /// The name of the service: `S3`.
    pub service: &'static str,
    /// The name of the operation: `GetObject`.
    pub operation: &'static str,
    /// The bucket or domain.
    pub resource: Option<&'a str>,
    /// The key of the object or the name of the item, where [`KeyVisibility`](crate::KeyVisibility) has it in spans.
    pub key: Option<&'a str>,
    /// How requests about this are signed, as [`Service::signature`] says.
    pub signature: &'static str,
}

impl fmt::Display for SpanStart<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.service, self.operation)
    }
}

/// Where a request goes instead of to its operation's own origin.
pub trait Destination: Clone + fmt::Debug + Send + Sync + 'static {
    /// The server that the request goes to.
    fn origin(&self) -> &Origin;
}

impl Destination for Origin {
    fn origin(&self) -> &Origin {
        self
    }
}

/// Where requests of an operation go instead of to its own origin.
pub type DestinationOf<O> = <<O as Operation>::Service as Service>::Destination;

/// One request to a service, as a value: no socket and no clock in it.
pub trait Operation: Send + Sync {
    /// The service it belongs to.
    type Service: Service;
    /// The value that the operation answers with.
    type Output;
    /// The name in errors and traces, as the service writes it.
    const NAME: &'static str;
    /// Whether the answer is handed on as it comes. If not, it is read whole first, under the operation's
    /// deadline and up to [so many bytes](Self::max_answer), and an error document in it is that error, whatever the status
    /// says: S3 begins to answer some requests before it knows how they end.
    const STREAMS: bool = false;

    /// Whether it may run twice.
    fn idempotency(&self) -> Idempotency;

    /// The server that the request goes to.
    fn origin(&self) -> &Origin;

    /// The bucket or domain that it is about.
    fn resource(&self) -> Option<&Arc<str>>;

    /// The key of the object or the name of the item that it is about, which hooks are told. Defaults to none.
    fn key(&self) -> Option<&str> {
        None
    }

    /// Where it goes instead of to its [`origin`](Self::origin), as far as the service has learnt that. Defaults to
    /// nowhere.
    fn place(&self, service: &Self::Service) -> Option<DestinationOf<Self>> {
        let _ = service;
        None
    }

    /// Where an answer that sends it elsewhere (301, 307 or 308) takes it; nothing reports that answer as an error.
    /// It is signed anew for that place, since the answer means that it has not run. It must be a place that may
    /// see requests signed with these credentials. Defaults to nothing.
    ///
    /// # Errors
    /// A sentence for the error: why it is not followed, and what to set.
    fn redirect(
        &self,
        service: &Self::Service,
        redirect: &Redirect<'_>,
    ) -> std::result::Result<Option<DestinationOf<Self>>, String> {
        let _ = (service, redirect);
        Ok(None)
    }

    /// What has to happen before its first attempt while the service does not know yet how to sign: another operation
    /// that finds it out is waited for, or a small request is sent ahead by `dispatch`. It is awaited within the time
    /// of the operation, and what it returns is dropped when the operation ends. Defaults to nothing.
    fn before<'a>(
        &'a self,
        service: &'a Self::Service,
        dispatch: &'a Dispatch,
    ) -> Option<Before<'a>> {
        let _ = (service, dispatch);
        None
    }

    /// What this request does differently from its client. Defaults to nothing.
    fn overrides(&self) -> Option<&Overrides> {
        None
    }

    /// What it changes of its bucket or domain. Defaults to nothing.
    fn changes(&self) -> Changes<'_> {
        Changes::Nothing
    }

    /// The request, signed; asked for again for each attempt. It carries and signs
    /// [`Attempt::headers`] besides its own.
    ///
    /// # Errors
    /// When it cannot be sent: nothing is tried then.
    fn request(&self, service: &Self::Service, attempt: &Attempt<'_>) -> Result<Request>;

    /// The [`request`](Self::request), for a [place](Self::place) that it was [sent on](Self::redirect) to. Defaults to
    /// the same request: an operation that goes to other places says what differs there.
    ///
    /// # Errors
    /// As [`request`](Self::request).
    fn request_at(
        &self,
        service: &Self::Service,
        attempt: &Attempt<'_>,
        place: &DestinationOf<Self>,
    ) -> Result<Request> {
        let _ = place;
        self.request(service, attempt)
    }

    /// Time beyond what the client allows, for what has to be moved or made: a large body, or an answer that
    /// takes the server long. Counts for the whole operation and for each attempt. Defaults to none.
    fn extra_time(&self) -> Duration {
        Duration::ZERO
    }

    /// Whether [`request`](Self::request) can still be made; asked before each further attempt. A body that is
    /// a stream of the caller's is gone once it has been read from. Defaults to yes.
    fn can_repeat(&self) -> bool {
        true
    }

    /// Whether it may succeed when it is sent again after a refusal for another request that was under way
    /// ([`Class::Conflict`]). Defaults to yes.
    fn repeats_conflicts(&self) -> bool {
        true
    }

    /// Whether an answer of this status goes to [`parse`](Self::parse). Defaults to 200 to 299.
    fn accepts(&self, status: u16) -> bool {
        (200..300).contains(&status)
    }

    /// The most bytes of an answer that is read whole. Defaults to [`MAX_ANSWER`].
    fn max_answer(&self) -> usize {
        MAX_ANSWER
    }

    /// Reads the answer of the service.
    ///
    /// # Errors
    /// When it is not what this operation answers with.
    fn parse(&self, service: &Self::Service, answer: Answer) -> Result<Self::Output>;
}

/// What [`Operation::before`] returns: a future of something that is held until the operation ends.
pub type Before<'a> = Pin<Box<dyn Future<Output = Option<Held>> + Send + 'a>>;

/// Something that is held while an operation runs, and tells by its drop that it has ended.
pub type Held = Box<dyn Send + Sync>;

/// What an operation changes of its bucket or domain.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Changes<'a> {
    /// The operation reads, and changes nothing.
    #[default]
    Nothing,
    /// The things of these names.
    Keys(Vec<&'a str>),
    /// Things whose names are not known, or all of them.
    Anything,
}

/// An answer that sends a request elsewhere.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Redirect<'a> {
    /// The server that answered.
    pub from: &'a Origin,
    /// Its status, which is 301, 307 or 308, and its fields: all but 307 are for good.
    pub head: &'a Head,
    /// The error in its body.
    pub error: &'a Error,
}

impl<'a> Redirect<'a> {
    /// A redirect made by hand: for tests of operations.
    pub fn new(from: &'a Origin, head: &'a Head, error: &'a Error) -> Self {
        Self { from, head, error }
    }

    /// A field of the answer; an empty one says nothing.
    pub fn field(&self, name: &str) -> Option<&'a str> {
        stated(self.head, name)
    }
}

/// The value of a field; an empty one says nothing.
pub(crate) fn stated<'a>(head: &'a Head, name: &str) -> Option<&'a str> {
    head.header(name).filter(|value| !value.is_empty())
}

/// The most bytes of an answer that is read whole, unless its operation allows for more: 16 MiB.
pub const MAX_ANSWER: usize = 16 << 20;

/// What one attempt is signed with.
#[derive(Clone, Copy, Debug)]
pub struct Attempt<'a> {
    pub(crate) credentials: &'a Credentials,
    pub(crate) now: SystemTime,
    pub(crate) number: u32,
    pub(crate) headers: &'a [(String, String)],
}

impl<'a> Attempt<'a> {
    /// An attempt made by hand: for tests of operations.
    pub fn new(credentials: &'a Credentials, now: SystemTime) -> Self {
        Self {
            credentials,
            now,
            number: 1,
            headers: &[],
        }
    }

    /// The same attempt with these [`headers`](Self::headers): for tests of operations.
    #[must_use]
    pub fn with_headers(mut self, headers: &'a [(String, String)]) -> Self {
        self.headers = headers;
        self
    }

    /// The credentials that the request is signed with.
    pub fn credentials(&self) -> &'a Credentials {
        self.credentials
    }

    /// The time of the attempt by the server's clock.
    pub fn now(&self) -> SystemTime {
        self.now
    }

    /// That time as the `Date` header has it.
    pub fn http_date(&self) -> HttpDate {
        clock::http_date(self.now)
    }

    /// The number of the attempt, from 1.
    pub fn number(&self) -> u32 {
        self.number
    }

    /// Header fields to send and to sign besides the operation's own, in place of those of the same name: lower-case
    /// names, each once. They are from [`Overrides::header`] and from what listens to attempts.
    pub fn headers(&self) -> &'a [(String, String)] {
        self.headers
    }
}

/// An answer that the operation accepts.
#[derive(Debug)]
pub struct Answer {
    /// The status and the header fields.
    pub head: Head,
    /// The body; whole unless the operation streams.
    pub body: Body,
    /// Whether it comes from a cache: this request has cost nothing.
    pub cached: bool,
}

impl Answer {
    /// The body's bytes, or none if it streams.
    pub fn bytes(&self) -> Bytes {
        self.body.as_whole().cloned().unwrap_or_default()
    }
}
