//! A file, or an object in S3.

use std::error::Error;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use s3_client::S3Client;

/// Where a dump is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A file of this machine.
    File(PathBuf),
    /// An object, written `s3://bucket/key`.
    Object {
        /// The bucket.
        bucket: String,
        /// The key.
        key: String,
    },
}

impl FromStr for Place {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let Some(rest) = text.strip_prefix("s3://") else {
            return Ok(Self::File(text.into()));
        };
        match rest.split_once('/') {
            Some((bucket, key)) if !bucket.is_empty() && !key.is_empty() => Ok(Self::Object {
                bucket: bucket.into(),
                key: key.into(),
            }),
            _ => Err(format!("{text} is not of the form s3://bucket/key")),
        }
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Object { bucket, key } => write!(f, "s3://{bucket}/{key}"),
        }
    }
}

impl Place {
    /// A file beside it with this ending; for an object, one in the folder for temporary files.
    pub fn beside(&self, ending: &str) -> PathBuf {
        match self {
            Self::File(path) => path.with_added_extension(ending),
            Self::Object { bucket, key } => {
                // A key may be longer than the name of a file.
                let mut hash = DefaultHasher::new();
                (bucket, key).hash(&mut hash);
                let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
                let text: String = key.chars().map(plain).take(100).collect();
                let name = format!("{text}-{:016x}.{ending}", hash.finish());
                std::env::temp_dir().join(name)
            }
        }
    }

    /// Puts a finished file there; the file is gone afterwards. An object needs its store.
    ///
    /// # Errors
    /// When it cannot be moved or sent.
    pub async fn store(&self, file: &Path, s3: Option<&S3Client>) -> Result<(), Box<dyn Error>> {
        match (self, s3) {
            (Self::File(path), _) => std::fs::rename(file, path)
                .map_err(|error| format!("{}: {error}", path.display()))?,
            (Self::Object { bucket, key }, Some(s3)) => {
                s3.bucket(bucket.as_str()).put_file(key, file).await?;
                std::fs::remove_file(file)?;
            }
            (Self::Object { .. }, None) => return Err(format!("{self}: there is no store").into()),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_read() {
        assert_eq!("a/b".parse(), Ok(Place::File("a/b".into())));
        let object: Place = "s3://b/k/l".parse().unwrap();
        assert_eq!(object.to_string(), "s3://b/k/l");
        let name = |text: &str| text.parse::<Place>().unwrap().beside("part");
        let file = name("s3://b/k/l");
        let file = file.file_name().unwrap().to_str().unwrap();
        assert!(
            file.starts_with("k-l-") && file.ends_with(".part"),
            "{file}"
        );
        assert_ne!(name("s3://b/k/l"), name("s3://b/k-l"));
        let long = name(&format!("s3://b/{}", "k/".repeat(500)));
        assert!(long.file_name().unwrap().len() < 200);
        for text in ["s3://", "s3://b", "s3://b/", "s3:///k"] {
            assert!(text.parse::<Place>().is_err(), "{text}");
        }
    }
}
