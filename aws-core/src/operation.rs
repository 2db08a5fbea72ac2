//! What an operation is: a pure value that can encode itself and read its answer.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use aws_sigv2::Credentials;
use aws_sigv2::date::HttpDate;
use bytes::Bytes;
use pipeline_pool::{Head, Origin, Request};

use crate::body::Body;
use crate::classify::{Class, Idempotency};
use crate::clock;
use crate::endpoint::Place;
use crate::envelope::ErrorBody;
use crate::error::Result;
use crate::overrides::Overrides;

/// What is the same for all operations of one service.
pub trait Service: Send + Sync {
    /// The name in errors and traces, for example `S3`.
    const NAME: &'static str;

    /// Reads the body of an error answer; nothing if it cannot be read. Defaults to the known envelopes.
    fn parse_error(&self, head: &Head, body: &[u8]) -> Option<ErrorBody> {
        let _ = head;
        ErrorBody::parse(body)
    }

    /// Learns from an error answer how requests about this bucket or domain have to be signed, and returns
    /// whether the same operation, signed anew, may succeed now: it is then tried again at once, twice at most.
    /// May add to the message what to set. An answer to HEAD has an empty error. Defaults to no.
    fn learn(&self, resource: Option<&Arc<str>>, head: &Head, error: &mut ErrorBody) -> bool {
        let _ = (resource, head, error);
        false
    }

    /// What an error means, where this service differs from [`class_of`](crate::classify::class_of).
    fn class(&self, status: u16, code: Option<&str>) -> Option<Class> {
        let _ = (status, code);
        None
    }
}

/// One request to a service, as a value: no socket and no clock in it.
pub trait Operation: Send + Sync {
    /// The service it belongs to.
    type Service: Service;
    /// What it answers with.
    type Output;
    /// The name in errors and traces, as the service writes it.
    const NAME: &'static str;
    /// Whether the answer is handed on as it comes. If not, it is read whole first, under the operation's
    /// deadline and up to [so many bytes](Self::max_answer), and an error document in it is that error, whatever the status
    /// says: S3 begins to answer some requests before it knows how they end.
    const STREAMS: bool = false;

    /// Whether it may run twice.
    fn idempotency(&self) -> Idempotency;

    /// Where it goes.
    fn origin(&self) -> &Origin;

    /// The bucket or domain that it is about.
    fn resource(&self) -> Option<&Arc<str>>;

    /// The key of the object or the name of the item that it is about: for those who watch. Defaults to none.
    fn key(&self) -> Option<Cow<'_, str>> {
        None
    }

    /// Where it goes instead of to its [`origin`](Self::origin), as far as the service has learnt that. Defaults to
    /// nowhere.
    fn place(&self, service: &Self::Service) -> Option<Place> {
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
    ) -> std::result::Result<Option<Place>, String> {
        let _ = (service, redirect);
        Ok(None)
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

    /// Reads the answer.
    ///
    /// # Errors
    /// When it is not what this operation answers with.
    fn parse(&self, service: &Self::Service, answer: Answer) -> Result<Self::Output>;
}

/// What an operation changes of its bucket or domain.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Changes<'a> {
    /// Nothing: it reads.
    #[default]
    Nothing,
    /// The things of these names.
    Keys(Vec<Cow<'a, str>>),
    /// Things that nobody can name, or all of them.
    Anything,
}

/// What an answer says of where a request belongs.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Redirect<'a> {
    /// The server that answered.
    pub from: &'a Origin,
    /// 301, 307 or 308: all but 307 are for good.
    pub status: u16,
    /// Its `Location`, an absolute or relative URL.
    pub location: Option<&'a str>,
    /// Its `x-amz-bucket-region`, or the region in its error.
    pub region: Option<&'a str>,
    /// The host in its error.
    pub endpoint: Option<&'a str>,
}

impl<'a> Redirect<'a> {
    /// A redirect made by hand: for tests of operations.
    pub fn new(from: &'a Origin, status: u16) -> Self {
        Self {
            from,
            status,
            location: None,
            region: None,
            endpoint: None,
        }
    }
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
    pub(crate) place: Option<&'a Place>,
}

impl<'a> Attempt<'a> {
    /// An attempt made by hand: for tests of operations.
    pub fn new(credentials: &'a Credentials, now: SystemTime) -> Self {
        Self {
            credentials,
            now,
            number: 1,
            headers: &[],
            place: None,
        }
    }

    /// The same attempt with these [`headers`](Self::headers): for tests of operations.
    #[must_use]
    pub fn with_headers(mut self, headers: &'a [(String, String)]) -> Self {
        self.headers = headers;
        self
    }

    /// The same attempt at this [`place`](Self::place): for tests of operations.
    #[must_use]
    pub fn with_place(mut self, place: &'a Place) -> Self {
        self.place = Some(place);
        self
    }

    /// Where it goes, and what has to be signed, if that is not the operation's own place.
    pub fn place(&self) -> Option<&'a Place> {
        self.place
    }

    /// Whose request it is.
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
    /// Status and fields.
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
