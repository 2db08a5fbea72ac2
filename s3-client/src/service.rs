//! The service: what is the same for all its operations.

use std::sync::Arc;

use aws_core::operation::{Redirect, SpanStart};
use aws_core::{ErrorBody, Service};
use aws_sigv2::s3::SubResources;
use pipeline_pool::Head;
use tracing::{Span, field};

use crate::digest;
use crate::negotiate;
use crate::route::{BucketAddress, Memory, Redirects};
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
    /// Whether the client signs as a server asks for, instead of saying what to set.
    pub(crate) negotiate: bool,
    /// What is known of buckets.
    pub(crate) memory: Memory,
    /// The length in bytes from which on a body waits until the store wants it.
    pub(crate) expect_from: Option<u64>,
    /// Which answers may send a request elsewhere.
    pub(crate) redirects: Redirects,
}

impl S3 {
    pub(crate) fn new(signer: Signer) -> Self {
        Self {
            signer,
            sub_resources: SubResources::BASE,
            sign_bodies: true,
            region: "us-east-1".to_owned(),
            negotiate: false,
            memory: Memory::default(),
            expect_from: Some(1 << 20),
            redirects: Redirects::default(),
        }
    }

    /// How requests about this bucket, or about none, are signed.
    pub(crate) fn signer(&self, bucket: Option<&Arc<str>>) -> Signer {
        let learnt = self.memory.signer(bucket);
        learnt.unwrap_or_else(|| self.signer.clone())
    }

    /// Where an answer sends a request about this bucket.
    pub(crate) fn follow(
        &self,
        bucket: Option<&Arc<str>>,
        redirect: &Redirect<'_>,
    ) -> Result<Option<BucketAddress>, String> {
        self.redirects.follow(&self.memory, bucket, redirect)
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

    fn signature(&self, bucket: Option<&Arc<str>>) -> &'static str {
        match self.signer(bucket) {
            Signer::Anonymous => "none",
            Signer::V2 => "V2",
            Signer::V4(_) => "V4",
        }
    }

    /// With OpenTelemetry's [names for S3](https://opentelemetry.io/docs/specs/semconv/object-stores/s3/).
    fn span(&self, start: &SpanStart<'_>) -> Span {
        tracing::debug_span!(
            "operation",
            otel.name = %start,
            otel.kind = "client",
            rpc.system = "aws-api",
            rpc.service = start.service,
            rpc.method = start.operation,
            aws.s3.bucket = start.resource,
            aws.s3.key = start.key,
            signature = start.signature,
            attempts = field::Empty,
            cache = field::Empty,
            outcome = field::Empty,
            http.request.body.size = field::Empty,
            http.response.body.size = field::Empty,
            http.response.status_code = field::Empty,
            aws.request_id = field::Empty,
            error.type = field::Empty,
            otel.status_code = field::Empty,
        )
    }

    fn learn(&self, bucket: Option<&Arc<str>>, head: &Head, error: &mut ErrorBody) -> bool {
        if let Some(bucket) = bucket
            && digest::is_demanded(head, error)
        {
            self.memory.learn_digest(bucket);
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
        if !self.negotiate {
            error.add_hint(&format!(
                "(Give the builder .signature(Signature::v4({region:?})), or .negotiate(true).)"
            ));
            return false;
        }
        self.memory.learn_region(bucket, &region);
        // A redirect that says where to is not for the same host.
        error.code.is_none() || !(300..400).contains(&head.status())
    }
}
