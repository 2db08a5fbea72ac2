//! [Signature Version 4](https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv.html), sans-IO: headers,
//! links, chunks of streamed bodies and what goes behind them, POST policies.
//!
//! Everything here is a pure function of its arguments: there is no clock, no socket and no HTTP type. The caller
//! says what the request is and what time it is, and gets back what to add to it. The texts that are signed
//! ([`Request::canonical_request`], [`Request::string_to_sign`]) can be looked at, which is what to compare when a
//! server answers `SignatureDoesNotMatch`.
//!
//! A [`Scope`] is a region and a service, and the rules by which that service signs:
//!
//! | | [`Scope::s3`] | [`Scope::new`] (all others) |
//! |---|---|---|
//! | path | as sent, escaped once | without `.`, `..` and empty segments, and escaped a second time |
//! | `x-amz-content-sha256` | sent and signed | not sent, unless [asked for](Scope::with_content_sha256) |
//! | the body of a link | not signed | signed |
//!
//! What is signed of the header fields: all that are given but those that proxies change (`authorization`,
//! `connection`, `expect`, `transfer-encoding`, `user-agent`, `x-amzn-trace-id`). Names are written in lowercase and
//! sorted; values lose surrounding spaces, runs of spaces become one, folded lines are joined by a space, and
//! repeated fields are joined by `,`. The query is read as servers read it (`+` is a space), escaped anew and sorted.
//!
//! Not here: asymmetric signatures (`SigV4a`) and event streams.
//!
//! # Example
//!
//! The first example of [the S3 documentation](https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html):
//!
//! ```
//! use std::time::{Duration, SystemTime};
//! use aws_core::Credentials;
//! use aws_core::v4::{Payload, Request, Scope};
//!
//! let credentials = Credentials::new("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY");
//! let scope = Scope::s3("us-east-1");
//! let request = Request {
//!     method: "GET",
//!     path: "/test.txt",
//!     query: "",
//!     headers: [("host", "examplebucket.s3.amazonaws.com"), ("range", "bytes=0-9")],
//!     payload: Payload::Bytes(b""),
//! };
//! let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1_369_353_600);
//! let authorization = request.sign(&scope, &credentials, time);
//! assert_eq!(
//!     authorization.value(),
//!     "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request, \
//!      SignedHeaders=host;range;x-amz-content-sha256;x-amz-date, \
//!      Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
//! );
//! // These go onto the request: authorization, x-amz-date, x-amz-content-sha256.
//! assert_eq!(authorization.headers().count(), 3);
//! ```

mod authorization;
mod canonical;
mod chunk;
mod fields;
mod hex;
mod key;
mod payload;
pub mod policy;
mod request;
mod scope;
mod time;

pub use authorization::Authorization;
pub use chunk::{CHUNK, ChunkSigner, Chunks, MIN_CHUNK, Trailer, trailed_len};
pub use payload::Payload;
pub use request::{MAX_EXPIRES, Request};
pub use scope::Scope;
pub use time::AmzDate;

/// The name of the algorithm, as requests carry it.
pub const ALGORITHM: &str = "AWS4-HMAC-SHA256";
