//! The service: what is the same for all its operations.

use std::sync::Arc;

use aws_core::{ErrorBody, Service};
use aws_sigv2::s3::SubResources;
use pipeline_pool::Head;

use crate::digest::{self, Demands};
use crate::negotiate::{self, Memory};
use crate::route::{BucketAddress, Redirects};
use crate::signature::Signer;

#[derive(Debug)]
pub(crate) struct S3 {
    signer: Signer,
    /// What Version 2 signs of a query.
    pub(crate) sub_resources: SubResources,
    /// Whether Version 4 signs bodies.
    pub(crate) sign_bodies: bool,
    /// The region for a bucket that wants Version 4 and does not say which.
    pub(crate) region: String,
    /// What buckets want, when the client is to find out by itself.
    pub(crate) memory: Option<Memory>,
    /// The length in bytes from which on a body waits until the store wants it.
    pub(crate) expect_from: Option<u64>,
    /// Where buckets are that are not at the endpoint.
    pub(crate) redirects: Redirects,
    /// Which buckets want digests.
    pub(crate) demands: Demands,
}

impl S3 {
    pub(crate) fn new(signer: Signer) -> Self {
        Self {
            signer,
            sub_resources: SubResources::BASE,
            sign_bodies: true,
            region: "us-east-1".to_owned(),
            memory: None,
            expect_from: Some(1 << 20),
            redirects: Redirects::default(),
            demands: Demands::default(),
        }
    }

    /// How requests about this bucket, or about none, are signed.
    pub(crate) fn signer(&self, bucket: Option<&Arc<str>>) -> Signer {
        let learnt = self.memory.as_ref().and_then(|m| m.signer(bucket));
        learnt.unwrap_or_else(|| self.signer.clone())
    }
}

impl Service for S3 {
    const NAME: &'static str = "S3";
    const ERROR_DETAILS: &'static [&'static str] = &[
        "BucketName",
        "Condition",
        "Endpoint",
        "Region",
        "RequestTime",
        "ServerTime",
    ];
    type Destination = BucketAddress;

    fn learn(&self, bucket: Option<&Arc<str>>, head: &Head, error: &mut ErrorBody) -> bool {
        if let Some(bucket) = bucket
            && digest::is_demanded(head, error)
        {
            self.demands.learn(bucket);
            error.add_hint(
                "(Give the request a checksum or content_md5(true), or send bytes or a file.)",
            );
            return true;
        }
        if self.signer == Signer::Anonymous {
            return false;
        }
        let Some(wanted) = negotiate::wanted(head, error) else {
            return false;
        };
        let region = wanted.region.unwrap_or(&self.region).to_owned();
        let before = self.signer(bucket);
        let same = matches!(&before, Signer::V4(scope) if scope.region() == region);
        if same {
            return false;
        }
        match &self.memory {
            None => {
                error.add_hint(&format!(
                    "(Give the builder .signature(Signature::v4({region:?})), or .negotiate(true).)"
                ));
                false
            }
            Some(memory) => {
                memory.learn(bucket, &region);
                // A redirect that says where to is not for the same host.
                error.code.is_none() || !(300..400).contains(&head.status())
            }
        }
    }
}
