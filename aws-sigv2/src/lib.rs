//! AWS Signature Version 2, sans-IO: S3 headers, presigned links, POST policies and the Query API.
//!
//! "Version 2" names two unrelated schemes, and this crate does both:
//!
//! | module | scheme | spoken by |
//! |---|---|---|
//! | [`s3`] | HMAC-SHA1 over verb, headers and resource; also presigned links | Ceph RGW, Swift, MinIO, Riak CS, older S3 buckets |
//! | [`policy`] | HMAC-SHA1 over a JSON policy, for browser uploads | the same |
//! | [`query`] | HMAC-SHA256 (or SHA1) over sorted parameters | SimpleDB, older EC2-style services |
//!
//! [`mac`] is the hashing under all of them, for signers of other schemes too; [`date`] and [`escape`] are
//! their spellings.
//!
//! Everything here is a pure function of its arguments. There is no socket, no clock, no HTTP type and no
//! thread: the caller says what the request is and what time it is, and gets back what to add to it.
//! The text that is signed can always be looked at (`string_to_sign`), which is what to compare when a
//! server answers `SignatureDoesNotMatch`.
//!
//! Not here: Signature Version 4, the retired versions 0, 1 and 3, sending requests, fetching or refreshing
//! credentials, and verifying signatures.
//!
//! # Example
//!
//! ```
//! use aws_sigv2::{Credentials, s3};
//!
//! let credentials = Credentials::new("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY");
//! let request = s3::S3Request {
//!     method: "GET",
//!     bucket: Some("johnsmith"), // johnsmith.s3.amazonaws.com
//!     path: "/photos/puppy.jpg",
//!     query: "",
//!     headers: [("Date", "Tue, 27 Mar 2007 19:36:42 +0000")],
//! };
//! assert_eq!(
//!     request.string_to_sign(&credentials),
//!     "GET\n\n\nTue, 27 Mar 2007 19:36:42 +0000\n/johnsmith/photos/puppy.jpg",
//! );
//! let authorization = request.sign(&credentials);
//! assert_eq!(authorization.value(), "AWS AKIAIOSFODNN7EXAMPLE:bWq2s1WEIj+Ydj0vQ697zp+IXMU=");
//!
//! // The same object as a link that works until 2007-03-29T03:40:20Z.
//! assert_eq!(
//!     request.presign(&credentials, 1_175_139_620),
//!     "AWSAccessKeyId=AKIAIOSFODNN7EXAMPLE&Expires=1175139620&Signature=NpgCjnDzrM%2BWFzoENXmpNDUsSn8%3D",
//! );
//! ```

// On docs.rs each item says which feature it needs.
#![cfg_attr(docsrs, feature(doc_cfg))]

mod canonical;
mod credentials;
pub mod date;
pub mod escape;
pub mod mac;
pub mod policy;
pub mod query;
pub mod s3;

pub use credentials::Credentials;
