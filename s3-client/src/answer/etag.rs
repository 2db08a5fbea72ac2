//! What entity tags tell of the bytes.
//!
//! [Common response headers](https://docs.aws.amazon.com/AmazonS3/latest/API/RESTCommonResponseHeaders.html): the
//! tag of an object that came by one put is the MD5 digest of its bytes, unless it is encrypted with a key of KMS
//! or of the caller's; that of one that came in parts is the digest of their digests, with their number.

use aws_core::Error;
use md5::{Digest, Md5};

use crate::answer::object::ObjectHead;

/// The digest that a tag is, if it is one.
pub(crate) fn md5(tag: &str) -> Option<[u8; 16]> {
    let hex = tag.trim_matches('"').as_bytes();
    if hex.len() != 32 {
        return None;
    }
    let mut digest = [0; 16];
    for (byte, pair) in digest.iter_mut().zip(hex.chunks_exact(2)) {
        let digit = |b: u8| char::from(b).to_digit(16);
        *byte = (digit(pair[0])? * 16 + digit(pair[1])?) as u8;
    }
    Some(digest)
}

/// Whether what is stored has a tag that says nothing of its bytes.
fn is_opaque(head: &ObjectHead) -> bool {
    head.header("x-amz-server-side-encryption-customer-algorithm")
        .is_some()
        || head
            .header("x-amz-server-side-encryption")
            .is_some_and(|kind| kind.starts_with("aws:kms"))
}

/// Whether an answer has other bytes than are stored, since something on the way has unpacked them: then neither tag nor
/// checksums are of these. A weak tag ([RFC 9110, 8.8.1](https://www.rfc-editor.org/rfc/rfc9110#section-8.8.1)) says so,
/// a warning 214 ([RFC 7234, 5.5.6](https://www.rfc-editor.org/rfc/rfc7234#section-5.5.6)), and Google's store, which
/// [unpacks](https://cloud.google.com/storage/docs/transcoding) what was stored as `gzip`.
pub(crate) fn is_transformed(head: &ObjectHead) -> bool {
    let stored = head.header("x-goog-stored-content-encoding");
    let unpacked = |stored| stored != "identity" && head.header("content-encoding") != Some(stored);
    head.etag().is_some_and(|tag| tag.starts_with("W/"))
        || head
            .header("warning")
            .is_some_and(|warning| warning.starts_with("214 "))
        || stored.is_some_and(unpacked)
}

/// The digest of the bytes of an answer, if it has all of them and says it.
pub(crate) fn md5_of_whole(head: &ObjectHead) -> Option<[u8; 16]> {
    if is_opaque(head) || is_transformed(head) || head.range().is_some() {
        return None;
    }
    md5(head.etag()?)
}

/// The digest that a store has taken of what it has been sent, if it says it.
pub(crate) fn md5_of_sent(head: &ObjectHead) -> Option<[u8; 16]> {
    md5(head.etag()?).filter(|_| !is_opaque(head))
}

/// The tag, without quotes, of the object that parts of these digests make.
pub(crate) fn of_parts(digests: &[[u8; 16]]) -> String {
    use std::fmt::Write as _;
    let mut all = Md5::new();
    for digest in digests {
        all.update(digest);
    }
    let mut tag = String::with_capacity(40);
    for byte in all.finalize() {
        let _infallible = write!(tag, "{byte:02x}");
    }
    let _infallible = write!(tag, "-{}", digests.len());
    tag
}

/// The tag in its quotes, which some stores leave out in XML.
pub(crate) fn quoted(tag: String) -> String {
    if tag.starts_with('"') || tag.starts_with("W/\"") || tag.is_empty() {
        tag
    } else {
        format!("\"{tag}\"")
    }
}

/// Bytes that are not those of the tag.
pub(crate) fn mismatch() -> Error {
    Error::protocol("the bytes are not those of the entity tag: their MD5 digest is another")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(fields: &[(&str, &str)]) -> ObjectHead {
        let fields = fields.iter().map(|(n, v)| (*n, v.as_bytes()));
        ObjectHead::new(pipeline_pool::Head::new(200, fields))
    }

    const EMPTY: &str = "\"d41d8cd98f00b204e9800998ecf8427e\"";

    #[test]
    fn only_digests_are_taken_for_digests() {
        let empty: [u8; 16] = Md5::digest(b"").into();
        assert_eq!(md5(EMPTY), Some(empty));
        for tag in [
            "",
            "\"\"",
            "\"d41d8cd98f00b204e9800998ecf8427e-1\"",
            "\"g41d8cd98f00b204e9800998ecf8427e\"",
        ] {
            assert_eq!(md5(tag), None, "{tag}");
        }
        assert_eq!(md5_of_whole(&head(&[("etag", EMPTY)])), Some(empty));
        for (name, value) in [
            ("x-amz-server-side-encryption", "aws:kms"),
            ("x-amz-server-side-encryption", "aws:kms:dsse"),
            ("x-amz-server-side-encryption-customer-algorithm", "AES256"),
            ("content-range", "bytes 0-1/3"),
            ("warning", "214 proxy \"Transformation Applied\""),
        ] {
            assert_eq!(
                md5_of_whole(&head(&[("etag", EMPTY), (name, value)])),
                None,
                "{value}"
            );
        }
        let ours = head(&[("etag", EMPTY), ("x-amz-server-side-encryption", "AES256")]);
        assert_eq!(md5_of_sent(&ours), Some(empty));
        assert_eq!(quoted("x".to_owned()), "\"x\"");
        assert_eq!(quoted("\"x\"".to_owned()), "\"x\"");
        assert_eq!(quoted("W/\"x\"".to_owned()), "W/\"x\"");
    }

    #[test]
    fn the_tag_of_parts() {
        // md5("a"), md5("b"); the digest of both by Python's hashlib.
        let parts = [Md5::digest(b"a").into(), Md5::digest(b"b").into()];
        assert_eq!(of_parts(&parts), "96e024ba2074fe77e8e965ba43a704be-2");
    }
}
