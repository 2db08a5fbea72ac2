//! What S3 allows, checked before anything is sent.

use aws_core::{Error, Result};

/// The most bytes of one upload: 5 GiB.
pub(crate) const MAX_PUT: u64 = 5 << 30;
/// The most bytes of names and values of user metadata.
pub(crate) const MAX_METADATA: usize = 2048;

/// A bucket's name: 3 to 255 of `a-z A-Z 0-9 . - _`.
///
/// That is what stores have ever allowed. Names that are also legal in DNS (up to 63, lower case) are the only
/// ones that are ever put into a host, and it is for the server to refuse others.
pub(crate) fn bucket(name: &str) -> Result<()> {
    let legal = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_');
    let dots = name.bytes().all(|b| b == b'.');
    if (3..=255).contains(&name.len()) && name.bytes().all(legal) && !dots {
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
        n => Err(Error::invalid(format!(
            "the key {:?} has {n} bytes, over the limit of 1024",
            short(key)
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

/// Names and values of user metadata.
pub(crate) fn metadata<'a>(pairs: impl Iterator<Item = (&'a str, &'a str)>) -> Result<()> {
    let mut total = 0;
    for (name, value) in pairs {
        let token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
        if name.is_empty() || !name.bytes().all(token) {
            return Err(Error::invalid(format!(
                "the metadata name {:?} is not a header name",
                short(name)
            )));
        }
        if !value.bytes().all(|b| (0x20..0x7f).contains(&b)) {
            return Err(Error::invalid(format!(
                "the metadata value of {name} is not printable ASCII"
            )));
        }
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

fn short(text: &str) -> String {
    text.chars().take(80).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_name_the_value() {
        for name in [
            "photos",
            "my.photos",
            "Photos_2009",
            "a-b",
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
    fn metadata_is_ascii_and_bounded() {
        let check = |name: &str, value: &str| metadata([(name, value)].into_iter());
        assert!(check("a", &"x".repeat(2047)).is_ok());
        assert!(
            check("a", &"x".repeat(2048))
                .unwrap_err()
                .to_string()
                .contains("2049")
        );
        for (name, value) in [("", "x"), ("a b", "x"), ("a", "x\n"), ("a", "\u{e9}")] {
            assert!(check(name, value).is_err());
        }
    }
}
