//! What S3 allows, checked before anything is sent.

use std::time::{SystemTime, UNIX_EPOCH};

use aws_core::{Error, Result};

use crate::config::{Root as _, Tagging};

/// The most bytes of one upload: 5 GiB.
pub(crate) const MAX_PUT: u64 = 5 << 30;
/// The most tags of an object.
const MAX_TAGS: usize = 10;
/// The most bytes of a version's identifier.
const MAX_VERSION: usize = 1024;
/// The most parts of an object.
pub(crate) const MAX_PARTS: u32 = 10_000;
/// The most bytes of names and values of user metadata.
pub(crate) const MAX_METADATA: usize = 2048;

/// A bucket's name: 3 to 255 of `a-z A-Z 0-9 . - _`.
///
/// That is what stores have ever allowed. Names that are also legal in DNS (up to 63, lower case) are the only
/// ones that are ever put into a host, and it is for the server to refuse others. In front of a name Ceph's RADOS
/// Gateway takes that of a [tenant](https://docs.ceph.com/en/latest/radosgw/multitenancy/), which may be empty, and a
/// colon.
pub(crate) fn bucket(name: &str) -> Result<()> {
    let (tenant, own) = name.split_once(':').unwrap_or(("", name));
    let legal = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_');
    let dots = own.bytes().all(|b| b == b'.');
    if (3..=255).contains(&own.len())
        && own.bytes().all(legal)
        && !dots
        && tenant.len() <= 255
        && tenant
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'_')
    {
        return Ok(());
    }
    Err(Error::invalid(format!(
        "the bucket name {:?} is not 3 to 255 letters, digits, dots, hyphens and underscores",
        short(name)
    )))
}

/// A key: 1 to 1,024 bytes.
pub(crate) fn key(key: &str) -> Result<()> {
    match key.len() {
        0 => Err(Error::invalid("the key is empty")),
        1..=1024 => Ok(()),
        // Which key it is, is told where keys may be shown.
        n => Err(Error::invalid(format!(
            "the key has {n} bytes, over the limit of 1024"
        ))),
    }
}

/// The body of one upload.
pub(crate) fn put(len: u64) -> Result<()> {
    if len <= MAX_PUT {
        return Ok(());
    }
    Err(Error::invalid(format!(
        "the body has {len} bytes, over the limit of {MAX_PUT} for one upload"
    )))
}

/// A header field of a link, which others have to send as it was signed.
pub(crate) fn link_field(name: &str, value: &str) -> Result<()> {
    if !is_header_name(name) || name.eq_ignore_ascii_case("host") {
        return Err(Error::invalid(format!(
            "{:?} is not the name of a header that a link can demand",
            short(name)
        )));
    }
    if !value.bytes().all(|b| (0x20..0x7f).contains(&b)) || value.trim_matches(' ') != value {
        return Err(Error::invalid(format!(
            "the value of the header {name} is not printable ASCII without spaces around it"
        )));
    }
    Ok(())
}

fn is_header_name(name: &str) -> bool {
    let token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    !name.is_empty() && name.bytes().all(token)
}

/// Names and values of user metadata.
pub(crate) fn metadata<'a>(pairs: impl Iterator<Item = (&'a str, &'a str)>) -> Result<()> {
    let mut total = 0;
    for (name, value) in pairs {
        if !is_header_name(name) {
            return Err(Error::invalid(format!(
                "the metadata name {:?} is not a header name",
                short(name)
            )));
        }
        field(name, value)?;
        total += name.len() + value.len();
    }
    if total > MAX_METADATA {
        return Err(Error::invalid(format!(
            "the metadata has {total} bytes, over the limit of {MAX_METADATA}"
        )));
    }
    Ok(())
}

/// The size of a page: 1 to 1,000.
pub(crate) fn page_size(keys: u32) -> Result<()> {
    if (1..=1000).contains(&keys) {
        return Ok(());
    }
    Err(Error::invalid(format!(
        "a page size of {keys} is not within 1 to 1000"
    )))
}

/// The value of a header field: printable ASCII without blanks around it, which the way would drop. What a server makes
/// of other characters differs, and so does the signature that it computes over them.
pub(crate) fn field(name: &str, value: &str) -> Result<()> {
    // Of the value no more than one character is told: it may be a secret.
    if let Some(c) = value.chars().find(|c| !matches!(c, ' '..='~')) {
        return Err(Error::invalid(format!(
            "the value of {name} has the character {c:?}, which is not printable ASCII"
        )));
    }
    if value.trim_matches(' ') != value {
        return Err(Error::invalid(format!(
            "the value of {name} begins or ends with a blank"
        )));
    }
    Ok(())
}

/// The value of a parameter that becomes a header field of the answer: no control characters. It is percent-encoded, so
/// that other characters reach the store as they are.
pub(crate) fn parameter(name: &str, value: &str) -> Result<()> {
    match value.chars().find(|c| c.is_control()) {
        None => Ok(()),
        Some(c) => Err(Error::invalid(format!(
            "the value of {name} has the control character {c:?}"
        ))),
    }
}

/// A time that a header field can tell: of the years 1970 to 9999.
pub(crate) fn time(name: &str, time: SystemTime) -> Result<()> {
    const END: u64 = 253_402_300_800;
    match time.duration_since(UNIX_EPOCH) {
        Ok(since) if since.as_secs() < END => Ok(()),
        Ok(since) => Err(Error::invalid(format!(
            "the time of {name}, {} s after 1970, is not before the year 10000",
            since.as_secs()
        ))),
        Err(error) => Err(Error::invalid(format!(
            "the time of {name}, {} s before 1970, is none that can be sent",
            error.duration().as_secs()
        ))),
    }
}

/// Until when an object is kept: some time after now, of the years up to 9999.
pub(crate) fn retain_until(until: SystemTime, now: SystemTime) -> Result<()> {
    time("retention", until)?;
    match now.duration_since(until) {
        Err(_) => Ok(()),
        Ok(ago) => Err(Error::invalid(format!(
            "the end of the retention is {} s ago, and not in the future",
            ago.as_secs()
        ))),
    }
}

/// The tags of an object.
pub(crate) fn object_tags(tagging: &Tagging) -> Result<()> {
    let n = tagging.tags.len();
    if n > MAX_TAGS {
        return Err(Error::invalid(format!(
            "there are {n} tags, over the limit of {MAX_TAGS} of an object"
        )));
    }
    tagging.check()
}

/// A version's identifier: 1 to 1,024 bytes.
pub(crate) fn version(id: &str) -> Result<()> {
    match id.len() {
        0 => Err(Error::invalid("the version is empty")),
        n if n > MAX_VERSION => Err(Error::invalid(format!(
            "the version {:?} has {n} bytes, over the limit of {MAX_VERSION}",
            short(id)
        ))),
        _ => Ok(()),
    }
}

/// The number of a part: 1 to 10,000.
pub(crate) fn part(number: u32) -> Result<()> {
    if (1..=MAX_PARTS).contains(&number) {
        return Ok(());
    }
    Err(Error::invalid(format!(
        "the part number {number} is not within 1 to {MAX_PARTS}"
    )))
}

fn short(text: &str) -> String {
    text.chars().take(80).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn limits_name_the_value() {
        for name in [
            "photos",
            "my.photos",
            "Photos_2009",
            "a-b",
            "tenant_1:a-b",
            ":photos",
            &"x".repeat(255),
        ] {
            assert!(bucket(name).is_ok(), "{name}");
        }
        for name in [
            "",
            "ab",
            "...",
            "a/b",
            "a b",
            "caf\u{e9}",
            "a\r\nb",
            "a?b",
            "a:b",
            "tenant:",
            "a-b:photos",
            "a/b:photos",
            "a:b:photos",
            &"x".repeat(256),
        ] {
            assert!(bucket(name).is_err(), "{name}");
        }
        assert!(key(&"x".repeat(1024)).is_ok());
        let error = key(&"\u{e9}".repeat(513)).unwrap_err().to_string();
        assert!(error.contains("1026") && error.contains("1024"), "{error}");
        assert!(put(MAX_PUT).is_ok() && put(MAX_PUT + 1).is_err());
        assert!(page_size(0).is_err() && page_size(1).is_ok() && page_size(1001).is_err());
    }

    #[test]
    fn times_fields_and_numbers() {
        let at = |s| UNIX_EPOCH + Duration::from_secs(s);
        assert!(time("expires", at(0)).is_ok() && time("expires", at(253_402_300_799)).is_ok());
        let late = time("expires", at(253_402_300_800))
            .unwrap_err()
            .to_string();
        assert!(
            late.contains("expires") && late.contains("253402300800"),
            "{late}"
        );
        let early = time("expires", UNIX_EPOCH - Duration::from_secs(7)).unwrap_err();
        assert!(early.to_string().contains("7 s before"), "{early}");
        assert!(field("content-type", "a/b; c=\"~ d\"").is_ok() && field("x", "").is_ok());
        for bad in [
            "a\nb",
            "a\0",
            "\u{7f}",
            "secret\r",
            "secret\u{e9}",
            " secret",
            "secret ",
        ] {
            let error = field("content-type", bad).unwrap_err().to_string();
            assert!(
                error.contains("content-type") && !error.contains("secret"),
                "{error}"
            );
        }
        assert!(parameter("response-content-type", "a/b; c=\"\u{e9}\"").is_ok());
        assert!(parameter("response-content-type", "a\nb").is_err());
        assert!(version("").is_err() && version("null").is_ok());
        assert!(version(&"v".repeat(1025)).is_err());
        assert!(part(0).is_err() && part(1).is_ok() && part(10_000).is_ok());
        assert!(part(10_001).unwrap_err().to_string().contains("10001"));
    }

    #[test]
    fn an_object_has_ten_tags() {
        let tags = |n: usize| (0..n).map(|i| (i.to_string(), "")).collect::<Tagging>();
        assert!(object_tags(&tags(10)).is_ok());
        let error = object_tags(&tags(11)).unwrap_err().to_string();
        assert!(error.contains("11") && error.contains("10"), "{error}");
        let long = Tagging::new().tag(("k".repeat(129), ""));
        assert!(object_tags(&long).unwrap_err().to_string().contains("129"));
    }

    #[test]
    fn metadata_is_ascii_and_bounded() {
        let check = |name: &str, value: &str| metadata([(name, value)].into_iter());
        assert!(check("a", &"x".repeat(2047)).is_ok());
        assert!(
            check("a", &"x".repeat(2048))
                .unwrap_err()
                .to_string()
                .contains("2049")
        );
        for (name, value) in [
            ("", "x"),
            ("a b", "x"),
            ("a", "x\n"),
            ("a", "\u{e9}"),
            ("a", " x"),
        ] {
            assert!(check(name, value).is_err());
        }
    }
}
