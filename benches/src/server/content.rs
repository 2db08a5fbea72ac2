//! What the server answers with besides one small body: pages of a listing, and large objects.
//!
//! Both are made beforehand as far as they can be, so that the server costs little beside the client: the keys of all
//! pages are the same text, and a large object is one byte repeated, which is written from one small buffer.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::ops::Range;
use std::sync::Mutex;
use std::sync::PoisonError;

use clap::ValueEnum;
use md5::{Digest, Md5};
use memchr::memmem::find;
use s3_client::Checksum;

/// The most keys of a page.
const PAGE: usize = 1000;

/// What a server has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Content {
    /// One body of so many bytes, whatever is asked for.
    #[default]
    Body,
    /// A bucket of so many keys, listed in pages of 1,000.
    Listing,
    /// One object of so many bytes, whole and in ranges, with its checksum; what is PUT is answered by its MD5 digest.
    Large,
    /// Bodies of as many bytes as the target ends with, such as `/bench/size-4096`.
    Sized,
    /// The answers of SimpleDB: to PutAttributes below `/put`, to GetAttributes below `/get`, to Select below `/select`.
    SimpleDb,
}

/// An answer that is made for its request: its head with what comes first of the body, and how many bytes follow.
pub(super) struct Made {
    pub(super) bytes: Vec<u8>,
    pub(super) rest: u64,
}

/// What is ready of the content.
pub(super) enum Ready {
    Body,
    Listing { keys: usize, page: String },
    Large(Object),
    SimpleDb { select: String },
    Sized,
}

impl Ready {
    pub(super) fn new(content: Content, size: usize) -> Self {
        match content {
            Content::Body => Self::Body,
            Content::Listing => Self::Listing {
                keys: size,
                page: contents(size.min(PAGE)),
            },
            Content::Large => Self::Large(Object::new(size as u64)),
            Content::Sized => Self::Sized,
            Content::SimpleDb => Self::SimpleDb { select: items() },
        }
    }

    /// The answer to a request of this head, if it has one of its own; `sent` is the length of the request's body.
    pub(super) fn answer(&self, head: &[u8], sent: usize) -> Option<Made> {
        match self {
            Self::Body => None,
            Self::Listing { keys, page } => listing(head, *keys, page),
            Self::Large(object) => object.answer(head, sent),
            Self::Sized => sized(head),
            Self::SimpleDb { select } => simpledb(head, select),
        }
    }
}

/// The elements of so many keys, as S3 writes them.
fn contents(keys: usize) -> String {
    let mut all = String::new();
    for i in 0..keys {
        let _infallible = write!(
            all,
            "<Contents><Key>folder/of/objects/object-{i:08}.dat</Key><LastModified>2026-04-30T12:34:56.000Z\
             </LastModified><ETag>&quot;0f343b0931126a20f133d67c2b0{i:05}&quot;</ETag><Size>{}</Size>\
             <StorageClass>STANDARD</StorageClass></Contents>",
            1024 + i
        );
    }
    all
}

/// A page of a listing; which one stands in the token of the request.
fn listing(head: &[u8], keys: usize, page: &str) -> Option<Made> {
    let line = head.split(|&b| b == b'\r').next()?;
    find(line, b"list-type=2")?;
    let number = parameter(line, b"continuation-token=").unwrap_or(0) as usize;
    let left = keys.saturating_sub(number * PAGE);
    let encoding = match find(line, b"encoding-type=url") {
        Some(_) => "<EncodingType>url</EncodingType>",
        None => "",
    };
    let (more, page) = if left > PAGE {
        let next = number + 1;
        let token = format!("<NextContinuationToken>{next}</NextContinuationToken>");
        (format!("<IsTruncated>true</IsTruncated>{token}"), page)
    } else {
        let end = page.match_indices("<Contents>").nth(left);
        let page = &page[..end.map_or(page.len(), |(at, _)| at)];
        ("<IsTruncated>false</IsTruncated>".to_owned(), page)
    };
    Some(xml(&format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<ListBucketResult \
         xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Name>bench</Name><Prefix></Prefix>\
         <KeyCount>{}</KeyCount><MaxKeys>1000</MaxKeys>{encoding}{more}{page}</ListBucketResult>",
        left.min(PAGE)
    )))
}

/// The number behind this text.
fn parameter(line: &[u8], name: &[u8]) -> Option<u64> {
    let rest = &line[find(line, name)? + name.len()..];
    let digits = rest.iter().take_while(|b| b.is_ascii_digit()).count();
    std::str::from_utf8(&rest[..digits]).ok()?.parse().ok()
}

fn xml(body: &str) -> Made {
    let len = body.len();
    let head = format!(
        "HTTP/1.1 200 OK\r\nServer: bench\r\nContent-Type: application/xml\r\nContent-Length: {len}\r\n\r\n"
    );
    Made {
        bytes: [head.as_bytes(), body.as_bytes()].concat(),
        rest: 0,
    }
}

/// Bodies up to this size are joined with other answers.
const JOINED: usize = 64 << 10;

/// A body of as many bytes as the target says.
fn sized(head: &[u8]) -> Option<Made> {
    let line = head.split(|&b| b == b'\r').next()?;
    let len = usize::try_from(parameter(line, b"/size-")?).ok()?;
    let mut bytes = format!(
        "HTTP/1.1 200 OK\r\nServer: bench\r\nContent-Type: application/octet-stream\r\nContent-Length: {len}\r\n\
         ETag: \"0f343b0931126a20\"\r\nx-amz-request-id: 0000000000000000\r\n\r\n"
    )
    .into_bytes();
    if len > JOINED {
        let rest = len as u64;
        return Some(Made { bytes, rest });
    }
    bytes.resize(bytes.len() + len, BYTE);
    Some(Made { bytes, rest: 0 })
}

/// What SimpleDB answers to a request of this path.
fn simpledb(head: &[u8], select: &str) -> Option<Made> {
    let line = head.split(|&b| b == b'\r').next()?;
    let path = line.split(|&b| b == b' ').nth(1)?;
    let (action, result) = if path.starts_with(b"/put") {
        ("PutAttributes", String::new())
    } else if path.starts_with(b"/get") {
        let result = format!(
            "<GetAttributesResult>{}</GetAttributesResult>",
            attributes(17)
        );
        ("GetAttributes", result)
    } else if path.starts_with(b"/select") {
        ("Select", format!("<SelectResult>{select}</SelectResult>"))
    } else {
        return None;
    };
    Some(xml(&format!(
        "<?xml version=\"1.0\"?>\n<{action}Response xmlns=\"http://sdb.amazonaws.com/doc/2009-04-15/\">{result}\
         <ResponseMetadata><RequestId>b1e8f1f7-42e9-494c-ad09-2674e557526d</RequestId>\
         <BoxUsage>0.0000219907</BoxUsage></ResponseMetadata></{action}Response>"
    )))
}

/// The items of a page of a selection.
fn items() -> String {
    let item = |i| format!("<Item><Name>item-{i:06}</Name>{}</Item>", attributes(i));
    (0..100).map(item).collect()
}

/// The attributes of an item.
fn attributes(i: usize) -> String {
    let version = format!("{i:04}");
    let all = [
        ("name", "Ann Example"),
        ("mail", "ann@example.org"),
        ("version", version.as_str()),
        ("city", "Springfield &amp; Sons"),
    ];
    all.map(|(name, value)| {
        format!("<Attribute><Name>{name}</Name><Value>{value}</Value></Attribute>")
    })
    .concat()
}

/// One large object, all of whose bytes are [`BYTE`].
pub(super) struct Object {
    size: u64,
    checksum: String,
    /// The MD5 digests of so many bytes, as they were asked for.
    tags: Mutex<BTreeMap<usize, String>>,
}

/// What large objects consist of.
pub(super) const BYTE: u8 = b'x';
/// How many bytes of one are at hand.
pub(super) const PATTERN: usize = 1 << 20;

impl Object {
    fn new(size: u64) -> Self {
        let pattern = vec![BYTE; PATTERN];
        let mut hasher = Checksum::Crc64Nvme.hasher();
        let mut left = size;
        while left > 0 {
            let n = left.min(PATTERN as u64);
            hasher.update(&pattern[..n as usize]);
            left -= n;
        }
        Self {
            size,
            checksum: hasher.finish(),
            tags: Mutex::default(),
        }
    }

    fn answer(&self, head: &[u8], sent: usize) -> Option<Made> {
        let line = head.split(|&b| b == b'\r').next()?;
        match line.split(|&b| b == b' ').next()? {
            b"GET" => Some(self.body(range(head))),
            b"HEAD" => {
                let made = self.body(None);
                Some(Made { rest: 0, ..made })
            }
            b"PUT" => Some(self.stored(sent)),
            b"POST" if find(line, b"uploads").is_some() => Some(xml(
                "<InitiateMultipartUploadResult><Bucket>bench</Bucket><Key>object</Key><UploadId>1</UploadId>\
                 </InitiateMultipartUploadResult>",
            )),
            b"POST" => Some(xml(
                "<CompleteMultipartUploadResult><Location>/bench/object</Location><Bucket>bench</Bucket>\
                 <Key>object</Key><ETag>&quot;0f343b0931126a20f133d67c2b018a3b-128&quot;</ETag>\
                 </CompleteMultipartUploadResult>",
            )),
            _ => None,
        }
    }

    /// All of it, or a range.
    fn body(&self, range: Option<Range<u64>>) -> Made {
        let (status, about, rest) = match range {
            Some(range) if range.start < self.size => {
                let (start, end) = (range.start, range.end.min(self.size));
                let last = end - 1;
                let field = format!("Content-Range: bytes {start}-{last}/{}\r\n", self.size);
                ("206 Partial Content", field, end - start)
            }
            _ => {
                let field = format!(
                    "x-amz-checksum-crc64nvme: {}\r\nx-amz-checksum-type: FULL_OBJECT\r\n",
                    self.checksum
                );
                ("200 OK", field, self.size)
            }
        };
        let head = format!(
            "HTTP/1.1 {status}\r\nServer: bench\r\nContent-Type: application/octet-stream\r\nContent-Length: {rest}\r\n\
             Last-Modified: Thu, 30 Apr 2026 00:00:00 GMT\r\nETag: \"0f343b0931126a20f133d67c2b018a3b-128\"\r\n\
             Accept-Ranges: bytes\r\nx-amz-request-id: 0000000000000000\r\n{about}\r\n"
        );
        Made {
            bytes: head.into_bytes(),
            rest,
        }
    }

    /// The answer to a PUT of so many bytes.
    fn stored(&self, sent: usize) -> Made {
        let mut tags = self.tags.lock().unwrap_or_else(PoisonError::into_inner);
        let tag = tags.entry(sent).or_insert_with(|| {
            let digest = Md5::digest(vec![BYTE; sent]);
            digest.iter().map(|byte| format!("{byte:02x}")).collect()
        });
        let head = format!(
            "HTTP/1.1 200 OK\r\nServer: bench\r\nETag: \"{tag}\"\r\nContent-Length: 0\r\n\r\n"
        );
        Made {
            bytes: head.into_bytes(),
            rest: 0,
        }
    }
}

/// The range that a head asks for.
fn range(head: &[u8]) -> Option<Range<u64>> {
    let text = std::str::from_utf8(head).ok()?.to_ascii_lowercase();
    let value = text.split("\r\nrange: bytes=").nth(1)?;
    let (start, rest) = value.split_once('-')?;
    let last: u64 = rest.split("\r\n").next()?.trim().parse().ok()?;
    Some(start.parse().ok()?..last.checked_add(1)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(made: Option<Made>) -> (String, u64) {
        let made = made.unwrap();
        (String::from_utf8(made.bytes).unwrap(), made.rest)
    }

    #[test]
    fn a_listing_has_all_its_keys_in_pages() {
        let ready = Ready::new(Content::Listing, 2500);
        let mut keys = 0;
        for (token, more) in [
            ("", true),
            ("&continuation-token=1", true),
            ("&continuation-token=2", false),
        ] {
            let head = format!("GET /b?list-type=2{token} HTTP/1.1\r\n");
            let (page, _) = text(ready.answer(head.as_bytes(), 0));
            keys += page.matches("<Key>").count();
            assert_eq!(page.contains("<IsTruncated>true"), more, "{token}");
            assert!(!page.contains("EncodingType"), "nobody asked for it");
        }
        assert_eq!(keys, 2500);
        assert!(ready.answer(b"GET /b/k HTTP/1.1\r\n", 0).is_none());
    }

    #[test]
    fn a_large_object_comes_whole_and_in_ranges() {
        let ready = Ready::new(Content::Large, 1000);
        let (whole, rest) = text(ready.answer(b"GET /b/k HTTP/1.1\r\nhost: x\r\n", 0));
        assert!(whole.contains("x-amz-checksum-crc64nvme: ") && rest == 1000);
        let (head, rest) = text(ready.answer(b"HEAD /b/k HTTP/1.1\r\nhost: x\r\n", 0));
        assert!(head.contains("Content-Length: 1000\r\n") && rest == 0);
        let asked = b"GET /b/k HTTP/1.1\r\nRange: bytes=900-1999\r\nhost: x\r\n";
        let (part, rest) = text(ready.answer(asked, 0));
        assert!(part.contains("Content-Range: bytes 900-999/1000\r\n") && rest == 100);
        assert!(!part.contains("checksum"));
        // By Python's hashlib: md5(b"xx").
        let (put, _) = text(ready.answer(b"PUT /b/k HTTP/1.1\r\n", 2));
        assert!(
            put.contains("\"9336ebf25087d91c818ee6e9ec29f8c1\""),
            "{put}"
        );
    }
}
