//! A prefix of keys in a bucket, written `s3://bucket/prefix`.

use std::fmt;
use std::str::FromStr;

use crate::error::Error;

/// A bucket and a prefix of its keys, which stands for a folder: `s3://bucket/a/b` is what lies below `a/b/`, and
/// `s3://bucket` is the whole bucket.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Url {
    bucket: String,
    /// Empty, or with a slash at its end.
    prefix: String,
}

impl Url {
    /// The bucket.
    pub fn bucket(&self) -> &str {
        &self.bucket
    }

    /// What all keys begin with: empty, or with a slash at its end.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// The key of a file below it.
    pub fn key(&self, name: &str) -> String {
        let mut key = String::with_capacity(self.prefix.len() + name.len());
        key.push_str(&self.prefix);
        key.push_str(name);
        key
    }

    /// Whether a text has the form of one: it begins with `s3://`.
    pub fn is_one(text: &str) -> bool {
        text.starts_with("s3://")
    }
}

impl FromStr for Url {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let rest = text.strip_prefix("s3://").unwrap_or_default();
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        if bucket.is_empty() {
            let text = text.escape_debug();
            return Err(Error::usage(format!(
                "{text} is not of the form s3://bucket/prefix"
            )));
        }
        let good = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
        if !(3..=255).contains(&bucket.len()) || !bucket.bytes().all(good) {
            let bucket = bucket.escape_debug();
            return Err(Error::usage(format!(
                "the bucket {bucket} does not have 3 to 255 letters, digits, dots, hyphens and underscores"
            )));
        }
        let mut prefix = prefix.to_owned();
        if !prefix.is_empty() && !prefix.ends_with('/') {
            prefix.push('/');
        }
        Ok(Self {
            bucket: bucket.to_owned(),
            prefix,
        })
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "s3://{}/{}", self.bucket, self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_stands_for_a_folder() {
        for (text, bucket, prefix) in [
            ("s3://box", "box", ""),
            ("s3://box/", "box", ""),
            ("s3://box/a", "box", "a/"),
            ("s3://box/a/b/", "box", "a/b/"),
        ] {
            let url: Url = text.parse().unwrap();
            assert_eq!((url.bucket(), url.prefix()), (bucket, prefix), "{text}");
            assert_eq!(url.key("x"), format!("{prefix}x"));
            assert_eq!(url.to_string().parse::<Url>().ok(), Some(url));
        }
        for text in [
            "",
            "box/a",
            "s3:/box",
            "s3://",
            "s3:///a",
            "s3://b/a",
            "s3://b:x/a",
        ] {
            assert!(text.parse::<Url>().is_err(), "{text}");
        }
    }
}
