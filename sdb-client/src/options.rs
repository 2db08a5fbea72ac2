//! What every request can be told besides what its verb is about.

use aws_core::Overrides;

/// What a request does differently from its client.
pub(crate) type Options = Overrides;

/// Gives a request with a field `options: Options` the setters that every request has.
///
/// `options!(Get);` is for a type without parameters, `options!(Write<C>, C);` for one with them, and writes
///
/// ```text
/// impl<C> Write<C> {
///     pub fn timeout(mut self, timeout: Duration) -> Self { self.options.timeout(timeout); self }
///     // and so on for `retry` and `cache`
/// }
/// ```
macro_rules! options {
    ($request:ty $(, $($generics:tt)+)?) => {
        impl $(<$($generics)+>)? $request {
            /// The longest time of this request, all its attempts and pauses included. Defaults to
            /// [the client's](crate::SdbBuilder::timeout).
            pub fn timeout(mut self, timeout: std::time::Duration) -> Self {
                self.options.timeout(timeout);
                self
            }

            /// How failed attempts of this request are repeated. Defaults to [the client's](crate::SdbBuilder::retry),
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
        }
    };
}
