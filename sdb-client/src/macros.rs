/// Says of an operation that it changes the items that it names.
macro_rules! changes_items {
    () => {
        fn changes(&self) -> aws_core::operation::Changes<'_> {
            aws_core::operation::Changes::Keys(self.wire.items())
        }
    };
}

/// Says of an operation that it changes a whole domain.
macro_rules! changes_domain {
    () => {
        fn changes(&self) -> aws_core::operation::Changes<'_> {
            aws_core::operation::Changes::Anything
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

        fn key(&self) -> Option<&str> {
            self.wire.item()
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
