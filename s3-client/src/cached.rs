//! What a cache keeps of objects, and what it can answer from that exactly as the store would.
//!
//! Whole current objects are kept, as a plain GET brings them. Conditions and ranges on them are worked out here, by
//! [RFC 9110, 13.2.2](https://www.rfc-editor.org/rfc/rfc9110#section-13.2.2) and
//! [14](https://www.rfc-editor.org/rfc/rfc9110#section-14); whatever else a request asks for goes past the cache, and
//! so does what would be an error, which is the store's to word.

use std::borrow::Cow;

use aws_core::cache::{Cacheable, Lookup, Snapshot};
use aws_core::time::parse_http;
use bytes::Bytes;
use pipeline_pool::Head;

use crate::answer::object::ObjectHead;
use crate::operation::{Call, S3Operation};
use crate::unsigned::UnsignedRequest;

/// An operation of S3 that can be answered from a cache, or whose success tells what a cache would find; as
/// [`Cacheable`], with the request at hand.
pub(crate) trait CachedOperation: S3Operation {
    /// What it looks for in the cache. Defaults to nothing.
    fn lookup<'a>(&self, wire: &'a UnsignedRequest) -> Lookup<'a> {
        let _ = wire;
        Lookup::Past
    }

    /// The answer to this very request out of what is kept of the whole object; nothing if only the store knows it.
    fn out_of(&self, wire: &UnsignedRequest, snapshot: Snapshot) -> Option<Snapshot> {
        let _ = wire;
        Some(snapshot)
    }

    /// Whether this answer says that there is no such object. Defaults to no.
    fn is_absence(&self, snapshot: &Snapshot) -> bool {
        let _ = snapshot;
        false
    }

    /// Whether an answer with this head may be kept. Defaults to yes.
    fn may_be_kept(&self, head: &Head) -> bool {
        let _ = head;
        true
    }

    /// What a read would find now that this has been written, if all of it is known. Defaults to nothing.
    fn wrote(&self, wire: &UnsignedRequest, output: &Self::Output) -> Option<Snapshot> {
        let _ = (wire, output);
        None
    }
}

impl<O: CachedOperation> Cacheable for Call<O> {
    /// S3's second name of a request.
    const PASSING_FIELDS: &'static [&'static str] = &["x-amz-id-2"];

    fn lookup(&self) -> Lookup<'_> {
        self.operation.lookup(&self.wire)
    }

    fn out_of(&self, snapshot: Snapshot) -> Option<Snapshot> {
        self.operation.out_of(&self.wire, snapshot)
    }

    fn is_absence(&self, snapshot: &Snapshot) -> bool {
        self.operation.is_absence(snapshot)
    }

    fn may_be_kept(&self, head: &Head) -> bool {
        self.operation.may_be_kept(head)
    }

    fn wrote(&self, output: &O::Output) -> Option<Snapshot> {
        self.operation.wrote(&self.wire, output)
    }
}

/// Fields of a request that can be worked out from what is kept.
const WORKED_OUT: [&str; 5] = [
    "if-match",
    "if-modified-since",
    "if-none-match",
    "if-unmodified-since",
    "range",
];

/// What a GET (`fills`) or a HEAD looks for in the cache.
pub(crate) fn lookup(wire: &UnsignedRequest, fills: bool) -> Lookup<'_> {
    let known = |name: &str| WORKED_OUT.contains(&name);
    let fields = wire.own_fields();
    if wire.has_query() || !fields.iter().all(|(name, _)| known(name)) {
        return Lookup::Past;
    }
    match wire.key() {
        Some(key) if fills && fields.is_empty() => Lookup::Whole(key),
        Some(key) => Lookup::Part(key),
        None => Lookup::Past,
    }
}

/// Whether an answer to a GET says that there is no such object.
pub(crate) fn is_absence(snapshot: &Snapshot) -> bool {
    let code = b"<Code>NoSuchKey</Code>";
    snapshot.head.status() == 404 && snapshot.body.windows(code.len()).any(|w| w == code)
}

/// The answer to this request out of what is kept of the whole object.
pub(crate) fn answer(
    wire: &UnsignedRequest,
    snapshot: Snapshot,
    may_be_unchanged: bool,
) -> Option<Snapshot> {
    let fields = wire.own_fields();
    if fields.is_empty() {
        return Some(snapshot);
    }
    let field = |name: &str| {
        let found = fields.iter().find(|(n, _)| n == name);
        found.map(|(_, value)| value.as_str())
    };
    let etag = snapshot.head.header("etag");
    let stored = snapshot.head.header("last-modified").and_then(parse_http);
    // RFC 9110, 8.8.3.2: a weak tag is that of no bytes, and only the comparison of If-None-Match takes it.
    let lists = |tags: &str, weak: bool| {
        let own = |tag: &str| match tag.trim().strip_prefix("W/") {
            Some(tag) if weak => Some(unquoted(tag)) == etag.map(unquoted),
            Some(_) => false,
            None => Some(unquoted(tag)) == etag.map(unquoted),
        };
        tags.trim() == "*" || tags.split(',').any(own)
    };
    if let Some(tags) = field("if-match") {
        if !lists(tags, false) {
            return None;
        }
    } else if let Some(date) = field("if-unmodified-since")
        && stored? > parse_http(date)?
    {
        return None;
    }
    let unchanged = match (field("if-none-match"), field("if-modified-since")) {
        (Some(tags), _) => lists(tags, true),
        (None, Some(date)) => stored? <= parse_http(date)?,
        (None, None) => false,
    };
    if unchanged {
        return may_be_unchanged.then(|| Snapshot {
            head: with_fields(304, &snapshot.head, &[]),
            body: Bytes::new(),
        });
    }
    match field("range") {
        Some(range) => ranged(&snapshot, range),
        None => Some(snapshot),
    }
}

fn unquoted(tag: &str) -> &str {
    tag.trim().trim_matches('"')
}

fn ranged(snapshot: &Snapshot, range: &str) -> Option<Snapshot> {
    let len = snapshot.body.len();
    let (first, last) = range.strip_prefix("bytes=")?.split_once('-')?;
    let (start, end) = match (first.parse::<usize>(), last.parse::<usize>()) {
        (Ok(first), Ok(last)) => (first, last.saturating_add(1).min(len)),
        (Ok(first), Err(_)) if last.is_empty() => (first, len),
        (Err(_), Ok(n)) if first.is_empty() => (len.saturating_sub(n), len),
        _ => return None,
    };
    if start >= end {
        return None;
    }
    let range = format!("bytes {start}-{}/{len}", end - 1);
    let size = (end - start).to_string();
    Some(Snapshot {
        head: with_fields(
            206,
            &snapshot.head,
            &[("content-range", &range), ("content-length", &size)],
        ),
        body: snapshot.body.slice(start..end),
    })
}

/// The same head with another status and these fields, and without the length of the whole.
fn with_fields(status: u16, head: &Head, more: &[(&str, &str)]) -> Head {
    let old = head
        .headers()
        .filter(|(name, _)| !name.eq_ignore_ascii_case("content-length"));
    Head::new(
        status,
        old.chain(more.iter().map(|(name, value)| (*name, value.as_bytes()))),
    )
}

/// Whether an answer to a GET is one of the store's: every object has a tag, and a page of some proxy has none.
pub(crate) fn may_be_kept(head: &Head) -> bool {
    head.header("etag").is_some()
}

/// What a GET finds after a put of this body with these fields; nothing if not all of it is known.
///
/// All but `Last-Modified`, that is: the store does not tell it, and its `Date` is that of the answer, not of the
/// object. So nothing that depends on it is worked out from this.
pub(crate) fn wrote(wire: &UnsignedRequest, stored: &ObjectHead) -> Option<Snapshot> {
    let body = wire.whole_payload()?;
    let named = |name: &str| {
        matches!(
            name,
            "cache-control"
                | "content-disposition"
                | "content-encoding"
                | "content-language"
                | "content-type"
                | "expires"
        ) || name.starts_with("x-amz-meta-")
    };
    // These say how it is to be stored, and nothing that a read repeats.
    let silent = |name: &str| matches!(name, "if-match" | "if-none-match" | "content-md5");
    let fields = wire.own_fields();
    let typed = fields.iter().any(|(name, _)| name == "content-type");
    if !typed || !fields.iter().all(|(name, _)| named(name) || silent(name)) {
        return None;
    }
    let head = stored.fields();
    let etag = head.header("etag")?;
    let version = head.header("x-amz-version-id");
    let size = body.len().to_string();
    let of_put = fields.iter().filter(|(name, _)| named(name));
    let of_put = of_put.map(|(name, value)| (Cow::as_ref(name), value.as_bytes()));
    let own = [
        ("accept-ranges", "bytes"),
        ("content-length", &size),
        ("etag", etag),
    ];
    let own = own
        .into_iter()
        .chain(version.map(|id| ("x-amz-version-id", id)));
    let own = own.map(|(name, value)| (name, value.as_bytes()));
    // What the bucket does by default is told by reads in the same fields.
    let by_default = head.headers().filter(|(name, _)| {
        let name = name.to_ascii_lowercase();
        name.starts_with("x-amz-server-side-encryption") || name == "x-amz-expiration"
    });
    Some(Snapshot {
        head: Head::new(200, of_put.chain(own).chain(by_default)),
        body,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Credentials, S3Client};
    use pipeline_pool::Method;

    fn wire(fields: &[(&'static str, &str)]) -> UnsignedRequest {
        let client = S3Client::builder()
            .endpoint("http://h")
            .credentials(Credentials::new("i", "s"));
        let bucket = client.build().unwrap().bucket("photos");
        let mut wire = UnsignedRequest::object(Method::Get, &bucket, "a b").unwrap();
        let fields = fields
            .iter()
            .map(|(n, v)| (Cow::Borrowed(*n), (*v).to_owned()));
        wire.fields(fields.collect()).unwrap();
        wire
    }

    fn whole() -> Snapshot {
        let head: [(&str, &[u8]); 4] = [
            ("ETag", b"\"abc\""),
            ("Last-Modified", b"Thu, 30 Apr 2026 00:00:00 GMT"),
            ("content-length", b"10"),
            ("x-amz-meta-a", b"b"),
        ];
        Snapshot {
            head: Head::new(200, head),
            body: Bytes::from_static(b"0123456789"),
        }
    }

    fn status(fields: &[(&'static str, &str)]) -> Option<u16> {
        answer(&wire(fields), whole(), true).map(|snapshot| snapshot.head.status())
    }

    #[test]
    fn what_is_plain_fills_and_what_is_special_goes_past() {
        assert_eq!(lookup(&wire(&[]), true), Lookup::Whole("a b"));
        assert_eq!(lookup(&wire(&[]), false), Lookup::Part("a b"));
        assert_eq!(
            lookup(&wire(&[("range", "bytes=0-1")]), true),
            Lookup::Part("a b")
        );
        let secret = wire(&[("x-amz-server-side-encryption-customer-key", "k")]);
        assert_eq!(lookup(&secret, true), Lookup::Past);
        let mut version = wire(&[]);
        version.query("versionId", "v");
        assert_eq!(lookup(&version, true), Lookup::Past);
    }

    #[test]
    fn what_a_bucket_does_by_default_is_kept_of_a_put() {
        let mut wire = wire(&[("content-type", "text/x")]);
        wire.body(Bytes::from_static(b"meow"));
        let told: [(&str, &[u8]); 5] = [
            ("ETag", b"\"4a4be40c96ac6314e91d93f38043a634\""),
            ("Date", b"Thu, 30 Apr 2026 00:00:00 GMT"),
            ("X-Amz-Server-Side-Encryption", b"aws:kms"),
            ("x-amz-server-side-encryption-aws-kms-key-id", b"key"),
            ("x-amz-id-2", b"7"),
        ];
        let snapshot = wrote(&wire, &ObjectHead::new(Head::new(200, told))).unwrap();
        let field = |name: &str| snapshot.head.header(name);
        assert_eq!(field("x-amz-server-side-encryption"), Some("aws:kms"));
        let key = field("x-amz-server-side-encryption-aws-kms-key-id");
        assert_eq!((key, field("x-amz-id-2")), (Some("key"), None));
        assert_eq!(field("content-type"), Some("text/x"));
    }

    #[test]
    fn conditions_are_worked_out_in_their_order() {
        const BEFORE: &str = "Wed, 29 Apr 2026 00:00:00 GMT";
        const AT: &str = "Thu, 30 Apr 2026 00:00:00 GMT";
        assert_eq!(status(&[("if-match", "\"abc\"")]), Some(200));
        assert_eq!(status(&[("if-match", "*")]), Some(200));
        assert_eq!(status(&[("if-match", "\"x\", \"abc\"")]), Some(200));
        assert_eq!(status(&[("if-match", "\"x\"")]), None);
        assert_eq!(status(&[("if-none-match", "\"abc\"")]), Some(304));
        assert_eq!(status(&[("if-none-match", "\"x\"")]), Some(200));
        // Weak tags: the same for a copy that one has, not for a change that depends on the bytes.
        assert_eq!(status(&[("if-none-match", "W/\"abc\"")]), Some(304));
        assert_eq!(status(&[("if-none-match", "\"x\", W/\"abc\"")]), Some(304));
        assert_eq!(status(&[("if-none-match", "W/\"x\"")]), Some(200));
        assert_eq!(status(&[("if-match", "W/\"abc\"")]), None);
        assert_eq!(status(&[("if-modified-since", AT)]), Some(304));
        assert_eq!(status(&[("if-modified-since", BEFORE)]), Some(200));
        assert_eq!(status(&[("if-unmodified-since", AT)]), Some(200));
        assert_eq!(status(&[("if-unmodified-since", BEFORE)]), None);
        // The tag counts for more than the time.
        assert_eq!(
            status(&[("if-none-match", "\"x\""), ("if-modified-since", AT)]),
            Some(200)
        );
        assert_eq!(
            status(&[("if-match", "\"abc\""), ("if-unmodified-since", BEFORE)]),
            Some(200)
        );
        assert_eq!(status(&[("if-modified-since", "yesterday")]), None);
        let unchanged = answer(&wire(&[("if-none-match", "*")]), whole(), true).unwrap();
        assert!(unchanged.body.is_empty());
        assert_eq!(unchanged.head.header("etag"), Some("\"abc\""));
        // Nobody asked whether it has changed.
        assert!(answer(&wire(&[("if-none-match", "*")]), whole(), false).is_none());
    }

    #[test]
    fn ranges_are_cut_out() {
        for (range, bytes, said) in [
            ("bytes=0-3", "0123", "bytes 0-3/10"),
            ("bytes=8-", "89", "bytes 8-9/10"),
            ("bytes=8-99", "89", "bytes 8-9/10"),
            ("bytes=-3", "789", "bytes 7-9/10"),
            ("bytes=-30", "0123456789", "bytes 0-9/10"),
            ("bytes=0-18446744073709551615", "0123456789", "bytes 0-9/10"),
        ] {
            let snapshot = answer(&wire(&[("range", range)]), whole(), false).unwrap();
            assert_eq!(
                (snapshot.head.status(), &snapshot.body[..]),
                (206, bytes.as_bytes())
            );
            assert_eq!(snapshot.head.header("content-range"), Some(said));
            let size = bytes.len().to_string();
            assert_eq!(snapshot.head.header("content-length"), Some(size.as_str()));
            assert_eq!(snapshot.head.header("x-amz-meta-a"), Some("b"));
        }
        for range in [
            "bytes=10-",
            "bytes=20-30",
            "bytes=5-4",
            "bytes=-0",
            "bytes=x-",
            "bytes=0-1,3-4",
            "items=0-1",
        ] {
            assert_eq!(status(&[("range", range)]), None, "{range}");
        }
    }
}
