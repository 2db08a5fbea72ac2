//! The service: what is the same for all its operations.

use std::sync::Arc;

use aws_core::operation::{Redirect, SpanStart};
use aws_core::{ErrorBody, Service};
use aws_sigv2::s3::SubResources;
use pipeline_pool::Head;
use tracing::{Span, field};

use crate::digest;
use crate::route::{BucketAddress, Memory, Redirects};
use crate::sign::Signer;
use crate::sign::agreement::{Agreement, Lesson};
use crate::sign::first::Gate;
use crate::sign::refusal::refusal;

#[derive(Debug)]
pub(crate) struct S3 {
    /// How requests are signed.
    agreement: Agreement,
    /// Which request goes first while that is not known.
    pub(crate) gate: Gate,
    /// What Version 2 signs of a query.
    pub(crate) sub_resources: SubResources,
    /// Whether Version 4 signs bodies.
    pub(crate) sign_bodies: bool,
    /// What is known of buckets.
    pub(crate) memory: Memory,
    /// The length in bytes from which on a body waits until the store wants it.
    pub(crate) expect_from: Option<u64>,
    /// Which answers may send a request elsewhere.
    pub(crate) redirects: Redirects,
}

impl S3 {
    pub(crate) fn new(agreement: Agreement) -> Self {
        Self {
            gate: Gate::new(!agreement.is_open()),
            agreement,
            sub_resources: SubResources::BASE,
            sign_bodies: true,
            memory: Memory::default(),
            expect_from: Some(1 << 20),
            redirects: Redirects::default(),
        }
    }

    /// How requests about this bucket, or about none, are signed.
    pub(crate) fn signer(&self, bucket: Option<&Arc<str>>) -> Signer {
        self.agreement.signer(&self.memory, bucket)
    }

    /// Whether nothing is known of how requests about this bucket are to be signed, and nothing was said.
    pub(crate) fn is_unknown(&self, bucket: Option<&Arc<str>>) -> bool {
        self.agreement.is_unknown(&self.memory, bucket)
    }

    /// Notes that a request has succeeded.
    pub(crate) fn succeeded(&self) {
        self.agreement.succeeded();
        self.gate.open();
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

    fn lesson(&self, bucket: Option<&Arc<str>>) -> u64 {
        self.memory.lesson(bucket)
    }

    fn learn(
        &self,
        bucket: Option<&Arc<str>>,
        head: &Head,
        error: &mut ErrorBody,
        lesson: u64,
    ) -> bool {
        if let Some(bucket) = bucket
            && digest::is_demanded(head, error)
        {
            self.memory.learn_digest(bucket);
            error.add_hint(
                "(Give the request a checksum or content_md5(true), or send bytes or a file.)",
            );
            return true;
        }
        let Some(refusal) = refusal(head, error) else {
            self.answered(bucket, head.status(), error);
            return false;
        };
        match self.agreement.learn(&self.memory, bucket, refusal, lesson) {
            Lesson::Nothing => false,
            // A redirect that says where to is not for the same host.
            Lesson::SignAgain => error.code.is_none() || !(300..400).contains(&head.status()),
            Lesson::Hint(hint) => {
                error.add_hint(&hint);
                false
            }
        }
    }
}

impl S3 {
    /// Notes an error that is not about the signature's version: the store has read the signature, and says something
    /// else about the request. What a busy store or something on the way to it answers, says nothing of that.
    fn answered(&self, bucket: Option<&Arc<str>>, status: u16, error: &mut ErrorBody) {
        if !(400..500).contains(&status) || matches!(status, 408 | 429) {
            return;
        }
        let Some(code) = error.code.as_deref() else {
            // Without a body, as to HEAD, it may be a refusal of the version; one that is no error of a store's is of
            // something on the way.
            if status == 403
                && !error.is_foreign()
                && let Some(doubt) = self.agreement.doubt(&self.memory, bucket)
            {
                error.add_hint(&doubt);
            }
            return;
        };
        if !matches!(status, 400 | 401 | 403) {
            self.agreement.succeeded();
        } else if matches!(code, "SignatureDoesNotMatch" | "AccessDenied")
            && let Some(doubt) = self.agreement.doubt(&self.memory, bucket)
        {
            error.add_hint(&doubt);
        }
        self.gate.open();
    }
}
