//! What every request can be told besides what its verb is about.

use aws_core::Overrides;

/// What a request does differently from its client.
pub(crate) type Options = Overrides;

/// Gives a request with a field `options: Options` the setters that every request has.
macro_rules! options {
    ($request:ty) => {
        impl $request {
            /// The longest time of this request, all its attempts and pauses included. Defaults to
            /// [the client's](crate::SdbBuilder::timeout).
            pub fn timeout(mut self, timeout: std::time::Duration) -> Self {
                self.options.timeout(timeout);
                self
            }

            /// How failed attempts of this request are repeated. Defaults to [the client's](crate::SdbBuilder::retry),
            /// whose budget it shares in any case.
            pub fn retry(mut self, retry: $crate::RetryConfig) -> Self {
                self.options.retry(retry);
                self
            }

            /// What this request does with the client's cache (feature `cache`). Defaults to using it. Writes tell it in
            /// any case.
            #[cfg(feature = "cache")]
            pub fn cache(mut self, mode: $crate::CacheMode) -> Self {
                self.options.cache(mode);
                self
            }
        }
    };
}
