//! The digest that goes with an upload which an object lock may touch.
//!
//! S3 refuses to keep an object under a retention or a hold unless a digest or a checksum comes with its bytes
//! ([considerations](https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lock-managing.html)). Where nothing was
//! said, one is sent if the request itself locks the object, or if its bucket is known to want one: a bucket with a
//! retention by default says so by refusing, and is remembered. The MD5 digest of bytes and files is sent, which every store
//! takes; behind a stream, which can be read only once, goes a CRC32, if Version 4 signs the request.
//!
//! ```text
//!             no digest          400, "Content-MD5 … is required"
//!   put ─────────────────▶ store ────────────────────────────────▶ the bucket is remembered
//!                            ▲                                       │ bytes: signed anew, with the digest
//!                            └───────────────────────────────────────┘ file: read, then sent anew
//! ```

use std::future::poll_fn;

use aws_core::{Error, ErrorBody, Kind, Result};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use md5::{Digest as _, Md5};
use pipeline_pool::Head;

use crate::checksum::Checksum;
use crate::request::body::Payload;

/// Bodies over this size are hashed on a thread where nobody else waits.
const LARGE: usize = 1 << 20;

/// What follows a stream that has to have some checksum: the one that every SDK sends.
pub(crate) const BEHIND_STREAMS: Checksum = Checksum::Crc32;

/// Whether a store has refused an upload for want of a digest. Amazon's code is that of any bad request, so that its
/// sentence decides; MinIO has a code for it.
pub(crate) fn is_demanded(head: &Head, error: &ErrorBody) -> bool {
    let message = error.message.as_deref().unwrap_or_default();
    head.status() == 400
        && match error.code.as_deref() {
            Some("InvalidRequest") => {
                message.contains("Content-MD5") && message.contains("required")
            }
            Some("MissingContentMD5") => true,
            _ => false,
        }
}

/// The MD5 digest of a body in Base64; nothing of a stream. A file is read for it.
///
/// # Errors
/// [`Kind::Body`] when the file cannot be read.
pub(crate) async fn md5(payload: &Payload) -> Result<Option<String>> {
    if payload.is_once() {
        return Ok(None);
    }
    if let Some(pieces) = payload.at_hand() {
        if payload.len() <= LARGE as u64 {
            return Ok(Some(of_pieces(&pieces)));
        }
        let hashed = tokio::task::spawn_blocking(move || of_pieces(&pieces)).await;
        return hashed
            .map(Some)
            .map_err(|_| Error::new(Kind::Shutdown, "the runtime is shutting down"));
    }
    let mut hash = Md5::new();
    let mut pieces = payload.open()?;
    while let Some(piece) = poll_fn(|cx| pieces.as_mut().poll_next(cx)).await {
        let piece = piece.map_err(|cause| {
            let text = format!("the body could not be read for its MD5 digest: {cause}");
            Error::new(Kind::Body, text)
        })?;
        hash.update(&piece);
    }
    Ok(Some(STANDARD.encode(hash.finalize())))
}

/// The MD5 digest of bytes in pieces, in Base64.
pub(crate) fn of_pieces(pieces: &[Bytes]) -> String {
    let mut hash = Md5::new();
    pieces.iter().for_each(|piece| hash.update(piece));
    STANDARD.encode(hash.finalize())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_for_want_of_a_digest_are_known() {
        let put = "Content-MD5 OR x-amz-checksum- HTTP header is required for Put Object requests with Object Lock parameters";
        let old =
            "Content-MD5 HTTP header is required for Put Part requests with Object Lock parameters";
        for (status, code, message, demanded) in [
            (400, "InvalidRequest", put, true),
            (400, "InvalidRequest", old, true),
            (400, "MissingContentMD5", "", true),
            (403, "InvalidRequest", put, false),
            (
                400,
                "InvalidRequest",
                "Bucket is missing Object Lock Configuration",
                false,
            ),
            (400, "InvalidRequest", "A prefix is required", false),
            (
                400,
                "InvalidRequest",
                "Content-MD5 and a checksum exclude each other",
                false,
            ),
            (400, "InvalidArgument", put, false),
            (
                400,
                "InvalidDigest",
                "The Content-MD5 you specified is not valid",
                false,
            ),
        ] {
            let head = Head::new(status, std::iter::empty::<(&str, &[u8])>());
            let error = ErrorBody::new(code, message);
            assert_eq!(is_demanded(&head, &error), demanded, "{code} {message}");
        }
        assert!(!is_demanded(
            &Head::new(400, std::iter::empty::<(&str, &[u8])>()),
            &ErrorBody::default()
        ));
    }

    #[tokio::test]
    async fn digests_are_of_all_bytes() {
        // By Python's hashlib: md5(b"ab"), and md5(b"x" * (3 << 20)).
        let small = Payload::pieces([Bytes::from_static(b"a"), Bytes::from_static(b"b")]);
        let ab = md5(&small).await.unwrap();
        assert_eq!(ab.as_deref(), Some("GH70Q2Ei0cwvQNwrkvDroA=="));
        let pieces = (0..3).map(|_| Bytes::from(vec![b'x'; 1 << 20]));
        let large = md5(&Payload::pieces(pieces)).await.unwrap();
        assert_eq!(large.as_deref(), Some("wYh/DJcK+kgZSt9/XFBGlg=="));
        let empty = md5(&Payload::None).await.unwrap();
        assert_eq!(empty.as_deref(), Some("1B2M2Y8AsgTpgAmY7PhCfg=="));
    }
}
