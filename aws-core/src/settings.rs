//! What the builders of the clients have in common.

/// Gives the builder of a client, which has a field `dispatch: DispatchBuilder`, the settings that every client has and
/// says in the same words; and, unless it is `uncached`, those of one whose operations are about things with keys, and
/// whose reads can go through a cache, for which it has a field `cache: aws_core::cache::Settings`.
///
/// ```text
/// settings!(Builder);
/// // writes, among others
/// impl Builder {
///     /// How failed attempts are repeated.
///     pub fn retry(mut self, retry: RetryConfig) -> Self {
///         self.dispatch.retry(retry);
///         self
///     }
/// }
/// ```
#[doc(hidden)]
#[macro_export]
macro_rules! settings {
    ($builder:ty) => {
        $crate::settings!($builder, uncached);

        impl $builder {
            /// Where the key of the object, or the name of the item, that an operation is about may be shown: in errors and
            /// spans. Defaults to [`KeyVisibility::Errors`](crate::settings::KeyVisibility::Errors).
            pub fn show_keys(mut self, keys: $crate::KeyVisibility) -> Self {
                self.dispatch.show_keys(keys);
                self
            }

            /// Shares the entries of the cache with all clients that name the same owner: they must be allowed to read
            /// the same (feature `cache`). Defaults to an owner of its own for each access key.
            #[cfg(feature = "cache")]
            pub fn cache_owner(mut self, owner: impl Into<std::sync::Arc<str>>) -> Self {
                self.cache.owner(owner);
                self
            }
        }
    };
    ($builder:ty, uncached) => {
        impl $builder {
            /// Whose requests they are: fixed [`Credentials`](crate::Credentials), or a
            /// [provider](crate::credentials) of them, asked once and again before they expire. Has no default but what the
            /// builder names.
            pub fn credentials(
                mut self,
                provider: impl $crate::ProvideCredentials + 'static,
            ) -> Self {
                self.dispatch.credentials(provider);
                self
            }

            /// Takes what it is not told from the environment of the process and the files under `~/.aws`, as the SDKs of
            /// AWS do: keys by the [standard chain](crate::credentials::Chain::standard), the region, the endpoint, how
            /// attempts are repeated, which certificates are trusted and which proxies requests go through. Setters
            /// count first, in whatever order they are called; a pool or a transport that is given goes its own way, and
            /// certificates and proxies of the environment that it passes over are named in a warning. The tables of
            /// names are in [`shared_config`](crate::shared_config). The variables are read by this call, and the
            /// files, which are small, by `build`; what is wrong with them is an error of `build`.
            pub fn from_env(self) -> Self {
                self.from_variables($crate::shared_config::Variables::process())
            }

            /// As [`from_env`](Self::from_env), with these variables in place of those of the process.
            pub fn from_variables(mut self, variables: $crate::shared_config::Variables) -> Self {
                self.dispatch.environment(variables);
                self
            }

            /// Sends over this pool, which other clients can share. Defaults to one of its own.
            pub fn pool(self, pool: ::pipeline_pool::HttpPool) -> Self {
                self.transport(pool)
            }

            /// Sets up the client's own pool, such as the number of its connections: `.pool_with(|pool|
            /// pool.max_connections(8))`. What the environment says of certificates and proxies holds in it, where this says
            /// nothing else. May be said several times: each goes on from what those before have set. Not together with
            /// [`pool`](Self::pool) or [`transport`](Self::transport). Defaults to the pool's defaults.
            pub fn pool_with(
                mut self,
                set_up: impl FnOnce(
                    ::pipeline_pool::HttpPoolBuilder,
                ) -> ::pipeline_pool::HttpPoolBuilder
                + Send
                + Sync
                + 'static,
            ) -> Self {
                self.dispatch.pool_with(set_up);
                self
            }

            /// Sends over this transport instead of a pool.
            pub fn transport(mut self, transport: impl $crate::Transport + 'static) -> Self {
                self.dispatch.transport(transport);
                self
            }

            /// Whether a [`pool`](Self::pool) or a [`transport`](Self::transport) was given, so that there is no pool for
            /// [`pool_with`](Self::pool_with) to set up.
            pub fn has_transport(&self) -> bool {
                self.dispatch.has_transport()
            }

            /// How failed attempts are repeated. Defaults to [`RetryConfig::new`](crate::RetryConfig::new).
            pub fn retry(mut self, retry: $crate::RetryConfig) -> Self {
                self.dispatch.retry(retry);
                self
            }

            /// Tells the time by this clock. Defaults to the system's, corrected by what the server says of it.
            pub fn clock(mut self, clock: $crate::Clock) -> Self {
                self.dispatch.clock(clock);
                self
            }

            /// Tells this function of each attempt of each request when it is over: what it was, how long it took and
            /// how it ended. It runs in the caller's task. May be said several times.
            pub fn on_attempt(
                mut self,
                hook: impl Fn(&$crate::AttemptEvent<'_>) + Send + Sync + 'static,
            ) -> Self {
                self.dispatch.on_attempt(hook);
                self
            }

            /// Shows each attempt to this before it is signed, when it may add header fields, and when it is over. May
            /// be said several times.
            pub fn middleware(mut self, middleware: impl $crate::Middleware + 'static) -> Self {
                self.dispatch.middleware(middleware);
                self
            }
        }
    };
}
