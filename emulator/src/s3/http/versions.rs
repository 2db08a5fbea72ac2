//! Which signatures are taken: of which version, and of Version 4 for which region.
//!
//! Stores differ in both, and clients have to cope: with these settings the emulator stands in for any of them.

use hyper::StatusCode;

use crate::s3::http::error::Refusal;

/// The region that buckets are in which were made without one.
const HOME: &str = "us-east-1";

/// The versions of signatures that S3 requests, links and forms may have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Signatures {
    /// Version 2 and Version 4, as at Amazon in its older regions.
    #[default]
    Both,
    /// Version 2 only. Version 4 is refused as by Riak CS: `InvalidRequest`, with a message that names it.
    V2,
    /// Version 4 only. Version 2 is refused as by Amazon in its newer regions: `InvalidRequest`, with a message that
    /// asks for `AWS4-HMAC-SHA256`.
    V4,
}

/// What is taken.
#[derive(Clone, Debug, Default)]
pub(crate) struct Taken {
    pub(crate) versions: Signatures,
    /// The one region that Version 4 may be signed for; any, without it.
    pub(crate) region: Option<String>,
}

impl Taken {
    pub(crate) fn check_v2(&self) -> Result<(), Refusal> {
        match self.versions {
            Signatures::V4 => Err(refused(
                "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256.",
            )),
            Signatures::Both | Signatures::V2 => Ok(()),
        }
    }

    /// Checks the scope of a signature of Version 4, which is behind its access key; `code` is that of the error for a
    /// region that is wrong.
    pub(crate) fn check_v4(
        &self,
        credential: Option<&str>,
        code: &'static str,
    ) -> Result<(), Refusal> {
        if self.versions == Signatures::V2 {
            return Err(refused(
                "The authorization mechanism you have provided (AWS4-HMAC-SHA256) is not supported.",
            ));
        }
        self.check_region(credential, code)
    }

    /// Refuses a scope whose region is none, or is not the one; the answer says which to sign for.
    fn check_region(&self, credential: Option<&str>, code: &'static str) -> Result<(), Refusal> {
        let region = credential.and_then(|scope| scope.split('/').nth(2));
        let legal = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        let fits = |region: &str| match &self.region {
            Some(own) => region == own,
            None => !region.is_empty() && region.bytes().all(legal),
        };
        match region.filter(|region| !fits(region)) {
            None => Ok(()),
            Some(region) => {
                let own = self.region.as_deref().unwrap_or(HOME);
                Err(Refusal::new(
                    StatusCode::BAD_REQUEST,
                    code,
                    format!("The region '{region}' is wrong; expecting '{own}'"),
                )
                .with("Region", own))
            }
        }
    }
}

fn refused(message: &'static str) -> Refusal {
    Refusal::new(StatusCode::BAD_REQUEST, "InvalidRequest", message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_taken() {
        let taken = |versions, region: Option<&str>| Taken {
            versions,
            region: region.map(str::to_owned),
        };
        let scope = Some("AK/20260101/us-east-1/s3/aws4_request");
        for (taken, by_v2, by_v4) in [
            (taken(Signatures::Both, None), true, true),
            (taken(Signatures::V2, None), true, false),
            (taken(Signatures::V4, None), false, true),
            (taken(Signatures::Both, Some("us-east-1")), true, true),
            (taken(Signatures::Both, Some("garage")), true, false),
            (taken(Signatures::V4, Some("RegionOne")), false, false),
        ] {
            let found = (taken.check_v2(), taken.check_v4(scope, "Code"));
            assert_eq!(
                (found.0.is_ok(), found.1.is_ok()),
                (by_v2, by_v4),
                "{taken:?}"
            );
        }
        let odd = Some("AK/20260101/us east/s3/aws4_request");
        assert!(taken(Signatures::Both, None).check_v4(odd, "Code").is_err());
        assert!(taken(Signatures::Both, None).check_v4(None, "Code").is_ok());
    }
}
