//! What every request can be told besides what its verb is about.

use aws_core::Overrides;

/// What a request does differently from its client.
pub(crate) type Options = Overrides;

/// Gives a request with a field `options: Options` the setters that every request has.
///
/// `options!(Put);` is for a type without parameters, `options!(Get<M>, M: Mode);` for one with them, and writes
///
/// ```text
/// impl<M: Mode> Get<M> {
///     pub fn timeout(mut self, timeout: Duration) -> Self { self.options.timeout(timeout); self }
///     // and so on for `header`, `retry`, `cache`, `request_payer` and `expected_bucket_owner`
/// }
/// ```
macro_rules! options {
    ($request:ty $(, $($generics:tt)+)?) => {
        impl $(<$($generics)+>)? $request {
            /// Sends this header field too, in place of one of the same name that the request has. It is signed where
            /// the scheme signs it: with Version 2 those are the names that begin with `x-amz-`.
            ///
            /// Sending fails with [`Kind::Invalid`](crate::Kind::Invalid), naming the field, when it is one that the
            /// client itself writes: `Host`, `Date`, `Authorization`, `Content-Length`, and what belongs to the
            /// connection.
            pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
                self.options.header(name, value);
                self
            }

            /// The longest time of this request, all its attempts and pauses included, up to the head of its answer.
            /// Defaults to [the client's](crate::S3Builder::timeout).
            pub fn timeout(mut self, timeout: std::time::Duration) -> Self {
                self.options.timeout(timeout);
                self
            }

            /// How failed attempts of this request are repeated. Defaults to [the client's](crate::S3Builder::retry),
            /// whose budget it shares in any case.
            pub fn retry(mut self, retry: $crate::request::RetryConfig) -> Self {
                self.options.retry(retry);
                self
            }

            /// What this request does with the client's cache (feature `cache`). Defaults to using it. Writes tell it in
            /// any case.
            #[cfg(feature = "cache")]
            pub fn cache(mut self, mode: $crate::request::CacheMode) -> Self {
                self.options.cache(mode);
                self
            }

            /// Agrees to pay for this request to a bucket [whose requesters
            /// pay](https://docs.aws.amazon.com/AmazonS3/latest/userguide/RequesterPaysBuckets.html). Defaults to no:
            /// such a bucket then answers `AccessDenied`.
            pub fn request_payer(self) -> Self {
                self.header("x-amz-request-payer", "requester")
            }

            /// Sends it only to a bucket of [this account](https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucket-owner-condition.html),
            /// 12 digits; else `AccessDenied`. Defaults to any.
            pub fn expected_bucket_owner(self, account: impl Into<String>) -> Self {
                self.header("x-amz-expected-bucket-owner", account)
            }
        }
    };
}
