//! HTTP/1.1 ([RFC 9112](https://www.rfc-editor.org/rfc/rfc9112)): messages, and the protocol that frames them.

pub(crate) mod body;
mod chunked;
pub(crate) mod codec;
pub(crate) mod decode;
pub(crate) mod head;
mod lines;
mod octets;
pub(crate) mod request;
pub(crate) mod response;
#[cfg(any(test, fuzzing))]
mod testing;
pub(crate) mod wait;

pub use body::Body;
pub use request::{BodyError, FieldName, Method, Request};
pub use response::{Head, Headers, Response};
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub use testing::check;
