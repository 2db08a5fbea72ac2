/// What an operation that changes one object tells a cache.
macro_rules! changes_object {
    () => {
        #[cfg(feature = "cache")]
        fn cache(&self) -> aws_core::cached::CacheUse<'_> {
            $crate::cached::write(&self.wire)
        }
    };
}

/// What an operation that changes things of a bucket that it does not name tells a cache.
macro_rules! changes_bucket {
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
        type Service = $crate::wire::S3;

        fn origin(&self) -> &pipeline_pool::Origin {
            self.wire.origin()
        }

        fn resource(&self) -> Option<&std::sync::Arc<str>> {
            self.wire.bucket()
        }

        fn overrides(&self) -> Option<&aws_core::Overrides> {
            Some(self.wire.overrides())
        }

        fn request(
            &self,
            service: &$crate::wire::S3,
            attempt: &aws_core::operation::Attempt<'_>,
        ) -> aws_core::Result<pipeline_pool::Request> {
            match attempt.place() {
                None => self.wire.request(service, attempt),
                Some(place) => self.wire.moved(place).request(service, attempt),
            }
        }

        fn key(&self) -> Option<std::borrow::Cow<'_, str>> {
            self.wire.key()
        }

        fn place(&self, service: &$crate::wire::S3) -> Option<aws_core::Place> {
            service.redirects.place(self.wire.bucket())
        }

        fn redirect(
            &self,
            service: &$crate::wire::S3,
            redirect: &aws_core::operation::Redirect<'_>,
        ) -> std::result::Result<Option<aws_core::Place>, String> {
            service.redirects.follow(self.wire.bucket(), redirect)
        }

        fn extra_time(&self) -> std::time::Duration {
            self.wire.extra_time()
        }

        fn can_repeat(&self) -> bool {
            self.wire.can_repeat()
        }
    };
}
