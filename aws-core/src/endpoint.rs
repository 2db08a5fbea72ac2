//! Where a service is.

use pipeline_pool::Origin;

use crate::error::{Error, Result};

/// The address of a service.
///
/// One [`Origin`] is the source of the connection, of the `Host` header and of what is signed of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    origin: Origin,
}

impl Endpoint {
    /// Reads `http://host[:port]` or `https://host[:port]`.
    ///
    /// # Errors
    /// [`Kind::Invalid`](crate::Kind::Invalid), with a sentence that says what is wrong.
    pub fn parse(url: &str) -> Result<Self> {
        let origin = Origin::parse(url).map_err(|e| Error::invalid(e.detail()))?;
        if origin.is_tls() && cfg!(not(feature = "tls")) {
            return Err(Error::invalid(format!(
                "{origin}: https needs the feature tls"
            )));
        }
        Ok(Self::new(origin))
    }

    /// The service at this origin.
    pub fn new(origin: Origin) -> Self {
        Self { origin }
    }

    /// The server that the endpoint names.
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// Whether the host is one of Amazon's.
    pub fn is_amazon(&self) -> bool {
        let host = self.origin.host();
        ["amazonaws.com", "amazonaws.com.cn"].iter().any(|domain| {
            host.strip_suffix(domain)
                .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amazon_is_told_by_the_whole_of_a_domain() {
        for (url, amazon) in [
            ("http://amazonaws.com", true),
            ("http://sts.eu-west-1.amazonaws.com", true),
            ("http://sts.cn-north-1.amazonaws.com.cn:81", true),
            ("http://notamazonaws.com", false),
            ("http://amazonaws.com.evil.example", false),
            ("http://127.0.0.1:9000", false),
        ] {
            assert_eq!(Endpoint::parse(url).unwrap().is_amazon(), amazon, "{url}");
        }
    }

    #[test]
    fn a_bad_address_is_refused_with_a_sentence() {
        for url in [
            "",
            "host:80",
            "ftp://h",
            "http://",
            "http://h/path",
            "http://h:99999",
        ] {
            let error = Endpoint::parse(url).expect_err(url);
            assert_eq!(error.kind(), crate::Kind::Invalid);
            assert!(error.to_string().contains("endpoint"), "{error}");
        }
    }
}
