//! A request, encoded while it is built.

mod field_name;

pub use self::field_name::FieldName;

use std::fmt;
use std::pin::Pin;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_core::Stream;

use super::octets::{is_target, is_text};
use crate::error::{Error, Kind};
use crate::origin::Origin;

/// A request method ([RFC 9110, 9.3](https://www.rfc-editor.org/rfc/rfc9110#section-9.3)).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Method {
    /// The request reads what the target names.
    Get,
    /// The request reads the header fields alone: the answer has no body.
    Head,
    /// The request stores its body at the target.
    Put,
    /// Have the server process the body.
    Post,
    /// The request removes what the target names.
    Delete,
    /// The request asks which methods the target allows.
    Options,
}

impl Method {
    /// The name as it goes on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Head => "HEAD",
            Self::Put => "PUT",
            Self::Post => "POST",
            Self::Delete => "DELETE",
            Self::Options => "OPTIONS",
        }
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why a streamed request body could not be read.
pub type BodyError = Box<dyn std::error::Error + Send + Sync>;

pub(crate) type BodyStream = Pin<Box<dyn Stream<Item = Result<Bytes, BodyError>> + Send>>;

/// This is what a request carries behind its header fields.
pub(crate) enum Payload {
    None,
    Whole(Bytes),
    Stream {
        stream: BodyStream,
        len: Option<u64>,
        /// Something has been taken from the stream.
        begun: bool,
    },
}

/// An HTTP/1.1 request.
///
/// Built by [`Request::new`] or [`Request::encoded`], then [`header`](Self::header) or [`field`](Self::field), and a body.
/// The pool itself writes `host`, `content-length`, `transfer-encoding`, `connection` and `expect`; they cannot be set here.
pub struct Request {
    pub(crate) method: Method,
    /// Request line and fields, each with its line end; the empty line is not in it.
    pub(crate) head: String,
    target_len: usize,
    pub(crate) payload: Payload,
    pub(crate) repeatable: bool,
    pub(crate) reads: bool,
    pub(crate) alone: bool,
    pub(crate) timeout: Option<Duration>,
    pub(crate) deadline: Option<Instant>,
    pub(crate) expect: Option<Duration>,
}

impl Request {
    /// A request for `target`: a path as it goes on the wire (percent-encoded), with its query.
    ///
    /// GET, HEAD, PUT, DELETE and OPTIONS start as [repeatable](Self::repeatable), POST does not.
    ///
    /// # Errors
    /// [`Kind::Invalid`] when the target does not begin with `/` (or is not `*`, with OPTIONS) or
    /// has a space, a `#`, a control character or a byte over 126.
    pub fn new(method: Method, origin: &Origin, target: &str) -> Result<Self, Error> {
        Self::begin(method, origin, target.len(), |head| head.push_str(target))
    }

    /// Makes the same request as [`new`](Self::new), but `write` appends the target, percent-encoded, straight to the
    /// text that is sent. That text holds the start of the request line already, which `write` must not change. `room` is
    /// the number of bytes that the target is expected to have; a longer one only takes another allocation.
    ///
    /// # Errors
    /// [`Kind::Invalid`] for a target that [`new`](Self::new) refuses, and when `write` has changed what was there.
    #[inline]
    pub fn encoded(
        method: Method,
        origin: &Origin,
        room: usize,
        write: impl FnOnce(&mut String),
    ) -> Result<Self, Error> {
        let name = method.as_str();
        Self::begin(method, origin, room, |head| {
            write(head);
            let rest = head.strip_prefix(name);
            if rest.is_none_or(|rest| !rest.starts_with(' ')) {
                // Nothing is left that could be a target.
                head.clear();
            }
        })
    }

    /// A request whose target is appended by `write`.
    #[inline]
    fn begin(
        method: Method,
        origin: &Origin,
        room: usize,
        write: impl FnOnce(&mut String),
    ) -> Result<Self, Error> {
        let authority = origin.authority();
        let mut head = String::with_capacity(room + authority.len() + 320);
        head.push_str(method.as_str());
        head.push(' ');
        let start = head.len();
        write(&mut head);
        let target = head.get(start..).unwrap_or_default();
        let asterisk = target == "*" && method == Method::Options;
        if !(target.starts_with('/') || asterisk) || !is_target(target.as_bytes()) {
            // The target stays out of the text: its query may hold a signature.
            return Err(Error::new(Kind::Invalid, "illegal request target"));
        }
        let target_len = target.len();
        head.push_str(" HTTP/1.1\r\nhost: ");
        head.push_str(authority);
        head.push_str("\r\n");
        Ok(Self {
            method,
            head,
            target_len,
            payload: Payload::None,
            repeatable: method != Method::Post,
            reads: matches!(method, Method::Get | Method::Head | Method::Options),
            alone: false,
            timeout: None,
            deadline: None,
            expect: None,
        })
    }

    /// Adds a header field.
    ///
    /// # Errors
    /// [`Kind::Invalid`] when the name is not a token, is one that the pool writes itself, or
    /// when the value has a control character other than a tab.
    pub fn header(&mut self, name: &str, value: &str) -> Result<(), Error> {
        field_name::check(name)?;
        self.push_field(name, &[value])
    }

    /// Adds a header field whose name was checked when it was made. Its value is these parts one after another, with
    /// nothing between them; they are copied straight into what is sent, so that no string has to be made of them. A field
    /// of a name that the request has already is sent besides it, as by [`header`](Self::header).
    ///
    /// # Errors
    /// [`Kind::Invalid`] when the value has a control character other than a tab.
    #[inline]
    pub fn field(&mut self, name: FieldName, value: &[&str]) -> Result<(), Error> {
        self.push_field(name.as_str(), value)
    }

    #[inline]
    fn push_field(&mut self, name: &str, value: &[&str]) -> Result<(), Error> {
        let len: usize = value.iter().map(|part| part.len()).sum();
        let head = &mut self.head;
        let before = head.len();
        head.reserve(name.len() + len + 4);
        head.push_str(name);
        head.push_str(": ");
        let start = head.len();
        value.iter().for_each(|part| head.push_str(part));
        if !is_text(head.as_bytes().get(start..).unwrap_or_default()) {
            head.truncate(before);
            return Err(illegal_value(name));
        }
        head.push_str("\r\n");
        Ok(())
    }

    /// Carries these bytes as the body; `content-length` follows from them.
    pub fn body(&mut self, body: impl Into<Bytes>) {
        self.payload = Payload::Whole(body.into());
    }

    /// Carries a streamed body of `len` bytes, or of unknown length (sent in chunks).
    ///
    /// Such a request has its connection alone, and it cannot be repeated by the pool. A stream
    /// that yields more or fewer bytes than `len` fails the request with [`Kind::Body`].
    pub fn stream<S>(&mut self, len: Option<u64>, stream: S)
    where
        S: Stream<Item = Result<Bytes, BodyError>> + Send + 'static,
    {
        self.payload = Payload::Stream {
            stream: Box::pin(stream),
            len,
            begun: false,
        };
    }

    /// Says whether the server may run this request twice with the same outcome.
    ///
    /// A repeatable request is pipelined with others and replayed by the pool when its
    /// connection dies; any other has nothing pipelined with it and is sent once.
    pub fn repeatable(&mut self, yes: bool) {
        self.repeatable = yes;
    }

    /// Says whether the request only reads. The pool may send such a request a second time beside the
    /// first where it was told to [hedge](crate::HttpPoolBuilder::hedge), if it is repeatable too.
    ///
    /// Defaults to what the method says: yes for GET, HEAD and OPTIONS
    /// ([RFC 9110, 9.2.1](https://www.rfc-editor.org/rfc/rfc9110#section-9.2.1)), no for the others.
    pub fn reads(&mut self, yes: bool) {
        self.reads = yes;
    }

    /// Gives the request a connection alone, with nothing pipelined behind it: for answers that
    /// are large or slow. Defaults to no.
    pub fn alone(&mut self, yes: bool) {
        self.alone = yes;
    }

    /// The longest time from sending to the head of the answer, waiting in line included.
    /// Defaults to the pool's own.
    pub fn timeout(&mut self, timeout: Duration) {
        self.timeout = Some(timeout);
    }

    /// Sends the head first, with `Expect: 100-continue`, and the body when the server says that it
    /// wants it, or when it has said nothing for this long: for bodies that are too large to be sent
    /// for nothing. Such a request has its connection alone. Defaults to none: the body goes out at
    /// once, and so does that of a request that has none.
    ///
    /// An answer that comes instead is the answer to the request; nothing has then been taken from
    /// a streamed body. After two requests in a row to which a server says nothing it is asked by
    /// one request a minute, until it answers that.
    ///
    /// [RFC 9110, 10.1.1](https://www.rfc-editor.org/rfc/rfc9110#section-10.1.1)
    pub fn expect_continue(&mut self, patience: Option<Duration>) {
        self.expect = patience;
    }

    /// The instant by which the head of the answer must be here, whatever [`timeout`](Self::timeout) says.
    pub fn deadline(&mut self, deadline: Instant) {
        self.deadline = Some(deadline);
    }

    /// Whether the head is sent first, and for how long the body then waits for the server.
    pub fn expects_continue(&self) -> Option<Duration> {
        self.expect
    }

    /// The method.
    pub fn method(&self) -> Method {
        self.method
    }

    /// The target, as given to [`new`](Self::new) or written by [`encoded`](Self::encoded).
    pub fn target(&self) -> &str {
        let start = self.method.as_str().len() + 1;
        &self.head[start..start + self.target_len]
    }

    /// The header fields in the order they will be sent, `host` first.
    pub fn headers(&self) -> impl Iterator<Item = (&str, &str)> {
        let start = self.method.as_str().len() + 1 + self.target_len + " HTTP/1.1\r\n".len();
        self.head[start..]
            .split_terminator("\r\n")
            .filter_map(|line| line.split_once(": "))
    }

    /// The body, when it is not streamed; empty when there is none.
    pub fn whole_body(&self) -> Option<&[u8]> {
        match &self.payload {
            Payload::None => Some(&[]),
            Payload::Whole(bytes) => Some(bytes),
            Payload::Stream { .. } => None,
        }
    }

    /// Whether the request is [repeatable](Self::repeatable) as it stands: a streamed body never is.
    pub fn is_repeatable(&self) -> bool {
        self.repeatable && !matches!(self.payload, Payload::Stream { .. })
    }

    /// Whether all of the body is still here to be sent from its beginning.
    pub(crate) fn is_untouched(&self) -> bool {
        !matches!(self.payload, Payload::Stream { begun: true, .. })
    }

    /// The bytes that the body will have, when that is known.
    pub fn body_len(&self) -> Option<u64> {
        match &self.payload {
            Payload::None => Some(0),
            Payload::Whole(bytes) => Some(bytes.len() as u64),
            Payload::Stream { len, .. } => *len,
        }
    }

    /// Takes the body as a stream, for a transport that is not this pool.
    pub fn take_body(&mut self) -> crate::http1::Body {
        match std::mem::replace(&mut self.payload, Payload::None) {
            Payload::None => crate::http1::Body::empty(),
            Payload::Whole(bytes) => bytes.into(),
            Payload::Stream { stream, len, .. } => {
                crate::http1::Body::from_stream(len, crate::http1::body::BodyErrors(stream))
            }
        }
    }

    /// The same request once more, if it only reads and its body is no stream.
    pub(crate) fn duplicate(&self) -> Option<Self> {
        if !self.reads {
            return None;
        }
        let payload = match &self.payload {
            Payload::None => Payload::None,
            Payload::Whole(bytes) => Payload::Whole(bytes.clone()),
            Payload::Stream { .. } => return None,
        };
        Some(Self {
            head: self.head.clone(),
            payload,
            ..*self
        })
    }

    /// The time allowed, when set by [`timeout`](Self::timeout).
    pub fn get_timeout(&self) -> Option<Duration> {
        self.timeout
    }
}

#[cold]
fn illegal_value(name: &str) -> Error {
    // The value stays out of the text: it may be a secret.
    Error::new(
        Kind::Invalid,
        format!("illegal character in the value of the header {name}"),
    )
}

/// Shows the method and the names of the header fields: values, target and body may hold secrets.
impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.headers().map(|(name, _)| name).collect();
        f.debug_struct("Request")
            .field("method", &self.method)
            .field("headers", &names)
            .field("body_len", &self.body_len())
            .field("repeatable", &self.repeatable)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
