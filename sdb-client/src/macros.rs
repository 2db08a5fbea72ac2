/// What an operation that changes items tells a cache.
macro_rules! changes_items {
    () => {
        #[cfg(feature = "cache")]
        fn cache(&self) -> aws_core::cached::CacheUse<'_> {
            aws_core::cached::CacheUse::Write(self.wire.items())
        }
    };
}

/// What an operation that changes a whole domain tells a cache.
macro_rules! changes_domain {
    () => {
        #[cfg(feature = "cache")]
        fn cache(&self) -> aws_core::cached::CacheUse<'_> {
            aws_core::cached::CacheUse::WriteAll
        }
    };
}

/// What every operation takes from its [`Wire`](crate::wire::Wire).
macro_rules! from_wire {
    () => {
        type Service = $crate::wire::Sdb;

        fn origin(&self) -> &pipeline_pool::Origin {
            self.wire.origin()
        }

        fn resource(&self) -> Option<&std::sync::Arc<str>> {
            self.wire.domain()
        }

        fn key(&self) -> Option<std::borrow::Cow<'_, str>> {
            self.wire.item().map(Into::into)
        }

        fn overrides(&self) -> Option<&aws_core::Overrides> {
            Some(self.wire.overrides())
        }

        fn request(
            &self,
            service: &$crate::wire::Sdb,
            attempt: &aws_core::operation::Attempt<'_>,
        ) -> aws_core::Result<pipeline_pool::Request> {
            self.wire.request(service, attempt)
        }
    };
}
