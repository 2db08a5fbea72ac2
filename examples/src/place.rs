//! A file, or an object in S3.

use std::error::Error;
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
                let name = format!("{bucket}-{key}.{ending}").replace('/', "-");
                std::env::temp_dir().join(name)
            }
        }
    }

    /// Puts a finished file there; the file is gone afterwards.
    ///
    /// # Errors
    /// When it cannot be moved or sent.
    pub async fn store(&self, file: &Path, s3: &S3Client) -> Result<(), Box<dyn Error>> {
        match self {
            Self::File(path) => std::fs::rename(file, path)?,
            Self::Object { bucket, key } => {
                s3.bucket(bucket.as_str()).put_file(key, file).await?;
                std::fs::remove_file(file)?;
            }
        }
        Ok(())
    }

    /// A file with what is there: itself, or a copy of the object, which is the caller's to remove.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn fetch(&self, s3: &S3Client) -> Result<PathBuf, Box<dyn Error>> {
        match self {
            Self::File(path) => Ok(path.clone()),
            Self::Object { bucket, key } => {
                let copy = self.beside("copy");
                let mut file = std::fs::File::create(&copy)?;
                let mut body = s3.bucket(bucket.as_str()).get(key).await?.body;
                while let Some(piece) = body.chunk().await {
                    std::io::Write::write_all(&mut file, &piece?)?;
                }
                Ok(copy)
            }
        }
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
        assert!(object.beside("part").ends_with("b-k-l.part"));
        for text in ["s3://", "s3://b", "s3://b/", "s3:///k"] {
            assert!(text.parse::<Place>().is_err(), "{text}");
        }
    }
}
