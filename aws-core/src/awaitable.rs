//! What makes a verb's request something to await.

/// Lets a request be awaited as it is, by its method `send`.
///
/// ```text
/// awaitable!(Get, Object);
/// // writes
/// impl IntoFuture for Get {
///     type Output = Result<Object>;
///     type IntoFuture = Pin<Box<dyn Future<Output = Result<Object>> + Send>>;
///
///     fn into_future(self) -> Self::IntoFuture {
///         Box::pin(self.send())
///     }
/// }
/// ```
#[doc(hidden)]
#[macro_export]
macro_rules! awaitable {
    ($request:ty, $output:ty $(, $($generics:tt)+)?) => {
        impl $(<$($generics)+>)? ::std::future::IntoFuture for $request {
            type Output = $crate::Result<$output>;
            type IntoFuture = std::pin::Pin<Box<dyn ::std::future::Future<Output = Self::Output> + Send>>;

            fn into_future(self) -> Self::IntoFuture {
                Box::pin(self.send())
            }
        }
    };
}
