//! An object that was fetched, and what its header fields say.

use std::fmt;
use std::ops::Range;
use std::time::SystemTime;

use aws_core::Body;
use aws_core::time::{parse_http, parse_iso8601};

use crate::checksum::{Checksum, VerifiedBy};
use crate::config::Retention;
use crate::request::attributes::LEGAL_HOLD;

/// An object that was fetched.
#[derive(Debug)]
pub struct Object {
    /// What is known of it.
    pub head: ObjectHead,
    /// Its bytes: here whole when they are few, else a stream.
    pub body: Body,
    pub(crate) verified_by: Option<VerifiedBy>,
}

impl Object {
    /// What the body is compared with, where [`Get::verify`](crate::request::Get::verify) asked for that and there is anything.
    pub fn verified_by(&self) -> Option<VerifiedBy> {
        self.verified_by
    }
}

/// What an answer's header fields say of an object.
///
/// They are kept as they came and read when asked for.
#[derive(Clone)]
pub struct ObjectHead(pipeline_pool::Head);

impl ObjectHead {
    pub(crate) fn new(head: pipeline_pool::Head) -> Self {
        Self(head)
    }

    pub(crate) fn fields(&self) -> &pipeline_pool::Head {
        &self.0
    }

    /// The entity tag, in its quotes.
    pub fn etag(&self) -> Option<&str> {
        self.0.header("etag")
    }

    /// The size of the whole object in bytes, also when only a range of it was fetched.
    pub fn size(&self) -> Option<u64> {
        match self.0.header("content-range") {
            Some(range) => range.rsplit_once('/')?.1.parse().ok(),
            None => self.0.header("content-length")?.parse().ok(),
        }
    }

    /// Which bytes of the object were fetched, when it was a range.
    pub fn range(&self) -> Option<Range<u64>> {
        let (range, _) = self
            .0
            .header("content-range")?
            .strip_prefix("bytes ")?
            .split_once('/')?;
        let (first, last) = range.split_once('-')?;
        Some(first.parse().ok()?..last.parse::<u64>().ok()?.checked_add(1)?)
    }

    /// When it was stored, to the second.
    pub fn last_modified(&self) -> Option<SystemTime> {
        parse_http(self.0.header("last-modified")?)
    }

    /// The media type, for example `image/jpeg`.
    pub fn content_type(&self) -> Option<&str> {
        self.0.header("content-type")
    }

    /// From when on proxies look for the object again (`Expires`); nothing if that is no date.
    pub fn expires(&self) -> Option<SystemTime> {
        parse_http(self.0.header("expires")?)
    }

    /// The value of one entry of the user's metadata; the name in any case, without `x-amz-meta-`.
    pub fn metadata(&self, name: &str) -> Option<&str> {
        self.all_metadata()
            .find(|(n, _)| n.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }

    /// The user's metadata: names as they came, without `x-amz-meta-`.
    pub fn all_metadata(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.headers().filter_map(|(name, value)| {
            const PREFIX: &str = "x-amz-meta-";
            let prefix = name.get(..PREFIX.len())?;
            let ours = prefix.eq_ignore_ascii_case(PREFIX);
            Some((&name[PREFIX.len()..], std::str::from_utf8(value).ok()?)).filter(|_| ours)
        })
    }

    /// The version, in a bucket that keeps versions.
    pub fn version_id(&self) -> Option<&str> {
        self.0.header("x-amz-version-id")
    }

    /// The storage class; nothing for the store's own.
    pub fn storage_class(&self) -> Option<&str> {
        self.0.header("x-amz-storage-class")
    }

    /// How the store encrypts it with keys that it or the key management service keeps: `AES256`, `aws:kms`,
    /// `aws:kms:dsse`.
    pub fn encryption(&self) -> Option<&str> {
        self.0.header("x-amz-server-side-encryption")
    }

    /// Whether it is encrypted with a [key of the customer's](crate::request::CustomerKey).
    pub fn has_customer_key(&self) -> bool {
        let name = "x-amz-server-side-encryption-customer-algorithm";
        self.0.header(name).is_some()
    }

    /// How many tags it has, where the answer to a GET says it.
    pub fn tag_count(&self) -> Option<u32> {
        self.0.header("x-amz-tagging-count")?.parse().ok()
    }

    /// How many parts it came in, where one [part](crate::request::Get::part) of it was asked for.
    pub fn parts(&self) -> Option<u32> {
        self.0.header("x-amz-mp-parts-count")?.parse().ok()
    }

    /// How far it is [brought back](crate::Bucket::restore) from an archive: `ongoing-request="true"`, or
    /// `ongoing-request="false", expiry-date="..."`. Nothing where that was not asked for.
    pub fn restore(&self) -> Option<&str> {
        self.0.header("x-amz-restore")
    }

    /// How the store [keeps it from removal](crate::Bucket::put_object_retention), and until when.
    pub fn retention(&self) -> Option<Retention> {
        let mode = self.0.header("x-amz-object-lock-mode")?;
        let until = self.0.header("x-amz-object-lock-retain-until-date")?;
        Some((mode, parse_iso8601(until)?).into())
    }

    /// Whether it is [held](crate::Bucket::put_object_legal_hold); nothing where the store does not say it.
    pub fn legal_hold(&self) -> Option<bool> {
        let status = self.0.header(LEGAL_HOLD)?;
        Some(status == "ON")
    }

    /// A checksum that the store keeps, in Base64, where it was asked for: by [`Get::verify`](crate::request::Get::verify) or
    /// [`Head::checksums`](crate::request::Head::checksums). That of an object that came in parts may be one
    /// [of checksums](Self::is_composite), and then ends in their number: `...=-3`.
    pub fn checksum(&self, checksum: Checksum) -> Option<&str> {
        self.0.header(checksum.header())
    }

    /// Whether the checksums are of those of parts, so that they say nothing of the bytes in one.
    pub fn is_composite(&self) -> bool {
        match self.0.header("x-amz-checksum-type") {
            Some(kind) => kind.eq_ignore_ascii_case("COMPOSITE"),
            // Stores that do not say what they have still number the parts, and `-` is no character of Base64.
            None => Checksum::ALL
                .into_iter()
                .filter_map(|checksum| self.checksum(checksum))
                .any(|value| value.contains('-')),
        }
    }

    /// The service's identifier of the request.
    pub fn request_id(&self) -> Option<&str> {
        self.0.header("x-amz-request-id")
    }

    /// Any other field, by name in any case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.0.header(name)
    }
}

impl fmt::Debug for ObjectHead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ObjectHead")
            .field("etag", &self.etag())
            .field("size", &self.size())
            .field("content_type", &self.content_type())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::RetentionMode;

    fn head(fields: &[(&str, &str)]) -> ObjectHead {
        ObjectHead::new(pipeline_pool::Head::new(
            206,
            fields.iter().map(|(n, v)| (*n, v.as_bytes())),
        ))
    }

    #[test]
    fn fields_are_typed() {
        let whole = head(&[
            ("ETag", "\"x\""),
            ("Content-Length", "10"),
            ("X-Amz-Meta-Mood", "sleepy"),
            ("x-amz-met", "short"),
            ("Last-Modified", "Tue, 27 Mar 2007 19:36:42 GMT"),
            ("x-amz-object-lock-mode", "COMPLIANCE"),
            (
                "x-amz-object-lock-retain-until-date",
                "2031-02-01T00:00:00.000000001Z",
            ),
            ("x-amz-object-lock-legal-hold", "OFF"),
        ]);
        let retention = whole.retention().unwrap();
        assert_eq!(retention.mode, Some(RetentionMode::Compliance));
        assert!(retention.until.is_some());
        assert_eq!(whole.legal_hold(), Some(false));
        assert_eq!(
            (whole.etag(), whole.size(), whole.range()),
            (Some("\"x\""), Some(10), None)
        );
        assert_eq!(whole.metadata("mood"), Some("sleepy"));
        assert_eq!(
            whole.all_metadata().collect::<Vec<_>>(),
            [("Mood", "sleepy")]
        );
        assert!(whole.last_modified().is_some());
        let part = head(&[("content-length", "3"), ("content-range", "bytes 2-4/10")]);
        assert_eq!((part.size(), part.range()), (Some(10), Some(2..5)));
        for bad in ["", "bytes */10", "bytes 1-18446744073709551615/*", "x"] {
            let odd = head(&[("content-range", bad)]);
            assert_eq!(odd.range(), None, "{bad}");
        }
    }
}
