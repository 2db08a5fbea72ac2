//! What the URL of a store says: its bucket, the path in it, and at Amazon and R2 where it is.
//!
//! The forms are those of `AmazonS3Builder::with_url` in `object_store` 0.14.

use object_store::Result;
use object_store::path::Path;

use crate::error::any;

/// What a URL says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) bucket: String,
    pub(crate) path: Path,
    pub(crate) region: Option<String>,
    pub(crate) endpoint: Option<String>,
    /// Whether the bucket is a part of the host.
    pub(crate) in_host: Option<bool>,
}

impl Place {
    fn new(bucket: &str, path: &str) -> Result<Self> {
        if bucket.is_empty() {
            return Err(unknown());
        }
        Ok(Self {
            bucket: bucket.to_owned(),
            path: Path::from_url_path(path)?,
            region: None,
            endpoint: None,
            in_host: None,
        })
    }

    /// Reads a URL. One with a password, a query or a fragment is refused, and is not shown.
    pub(crate) fn parse(url: &str) -> Result<Self> {
        let (scheme, rest) = url.split_once("://").ok_or_else(unknown)?;
        if rest.contains(['?', '#', '@']) {
            return Err(unknown());
        }
        let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
        match scheme {
            "s3" | "s3a" => Self::new(host, path),
            "https" => Self::of_host(&host.to_ascii_lowercase(), path),
            _ => Err(unknown()),
        }
    }

    /// What a host of Amazon's or of R2's says.
    fn of_host(host: &str, path: &str) -> Result<Self> {
        let (first, below) = path.split_once('/').unwrap_or((path, ""));
        if let Some(account) = host.strip_suffix(".r2.cloudflarestorage.com") {
            if account.split('.').count() > 2 {
                return Err(unknown());
            }
            return Ok(Self {
                region: Some("auto".to_owned()),
                endpoint: Some(format!("https://{host}")),
                ..Self::new(first, below)?
            });
        }
        let name = host.strip_suffix(".amazonaws.com").ok_or_else(unknown)?;
        let labels: Vec<&str> = name.split('.').collect();
        match labels[..] {
            ["s3", region] => Ok(Self {
                region: Some(region.to_owned()),
                ..Self::new(first, below)?
            }),
            ["s3", "dualstack", region] => Ok(Self {
                region: Some(region.to_owned()),
                endpoint: Some(format!("https://{host}")),
                ..Self::new(first, below)?
            }),
            // It has no region: the one that is said elsewhere is signed for.
            [bucket, "s3"] => Ok(Self {
                endpoint: Some("https://s3.amazonaws.com".to_owned()),
                in_host: Some(true),
                ..Self::new(bucket, path)?
            }),
            [bucket, "s3", region] => Ok(Self {
                region: Some(region.to_owned()),
                in_host: Some(true),
                ..Self::new(bucket, path)?
            }),
            [bucket, "s3", "dualstack", region] => Ok(Self {
                region: Some(region.to_owned()),
                endpoint: Some(format!("https://s3.dualstack.{region}.amazonaws.com")),
                in_host: Some(true),
                ..Self::new(bucket, path)?
            }),
            _ => Err(unknown()),
        }
    }
}

fn unknown() -> object_store::Error {
    any(
        "the URL of a store is s3://bucket/path, with its server in the option aws_endpoint, or one of Amazon's or R2's \
         such as https://s3.eu-west-1.amazonaws.com/bucket/path",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_say_where_the_bucket_is() {
        for (url, bucket, path, region, endpoint, in_host) in [
            (
                "s3://my.photos/a%20b/c",
                "my.photos",
                "a b/c",
                None,
                None,
                None,
            ),
            ("s3a://photos", "photos", "", None, None, None),
            (
                "https://s3.eu-west-1.amazonaws.com/my.photos/2009/x",
                "my.photos",
                "2009/x",
                Some("eu-west-1"),
                None,
                None,
            ),
            (
                "https://s3.dualstack.eu-west-1.amazonaws.com/photos/2009",
                "photos",
                "2009",
                Some("eu-west-1"),
                Some("https://s3.dualstack.eu-west-1.amazonaws.com"),
                None,
            ),
            (
                "https://photos.s3.amazonaws.com/2009/x",
                "photos",
                "2009/x",
                None,
                Some("https://s3.amazonaws.com"),
                Some(true),
            ),
            // A name that looks like the service's.
            (
                "https://s3photos.s3.eu-west-1.amazonaws.com/2009/x",
                "s3photos",
                "2009/x",
                Some("eu-west-1"),
                None,
                Some(true),
            ),
            (
                "https://photos.s3.dualstack.eu-west-1.amazonaws.com/2009",
                "photos",
                "2009",
                Some("eu-west-1"),
                Some("https://s3.dualstack.eu-west-1.amazonaws.com"),
                Some(true),
            ),
            (
                "https://0123.r2.cloudflarestorage.com/photos/2009",
                "photos",
                "2009",
                Some("auto"),
                Some("https://0123.r2.cloudflarestorage.com"),
                None,
            ),
            (
                "https://0123.EU.r2.cloudflarestorage.com/photos",
                "photos",
                "",
                Some("auto"),
                Some("https://0123.eu.r2.cloudflarestorage.com"),
                None,
            ),
        ] {
            let place = Place::parse(url).unwrap();
            assert_eq!(
                (&*place.bucket, place.path.as_ref()),
                (bucket, path),
                "{url}"
            );
            assert_eq!(place.region.as_deref(), region, "{url}");
            assert_eq!(place.endpoint.as_deref(), endpoint, "{url}");
            assert_eq!(place.in_host, in_host, "{url}");
        }
    }

    /// Besides those that `object_store` refuses in its own test.
    #[test]
    fn other_urls_are_refused() {
        for url in [
            "",
            "photos",
            "s3://",
            "s3:///x",
            "mailto://photos/path",
            "http://s3.eu-west-1.amazonaws.com/photos",
            "https://s3.photos.mydomain.com",
            "https://s3.photos.foo.amazonaws.com",
            "https://photos.mydomain.region.amazonaws.com",
            "https://photos.s3.region.bar.amazonaws.com",
            "https://photos.foo.s3.amazonaws.com",
            "https://account.r2.eu.cloudflarestorage.com/photos",
            "https://a.b.c.r2.cloudflarestorage.com/photos",
            "https://s3.eu-west-1.amazonaws.com",
            "https://s3.eu-west-1.amazonaws.com.evil.example/photos",
            "https://hidden@s3.eu-west-1.amazonaws.com/photos",
            "s3://photos/x?hidden",
            "s3://photos/x#hidden",
        ] {
            let error = Place::parse(url).expect_err(url);
            let shown = format!("{error} {error:?}");
            assert!(
                shown.contains("s3://bucket/path") && !shown.contains("hidden"),
                "{shown}"
            );
        }
    }
}
