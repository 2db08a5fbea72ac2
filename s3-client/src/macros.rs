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
            self.wire.request(service, attempt)
        }

        fn extra_time(&self) -> std::time::Duration {
            self.wire.extra_time()
        }

        fn can_repeat(&self) -> bool {
            self.wire.can_repeat()
        }
    };
}
