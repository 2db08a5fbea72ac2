//! What all operations of SimpleDB have in common: how one is told to the dispatcher of `aws-core`.
//!
//! An operation of this crate is a small value that says what its row in the table of
//! [idempotency](crate::idempotency) is, what it changes, and how its answer is read ([`SdbOperation`]). Together with
//! the request that was made for it, it is a [`Call`], which is the [`Operation`] that is sent.

use std::sync::Arc;

use aws_core::idempotency::Row;
use aws_core::operation::{self, Answer, Attempt};
use aws_core::{Idempotency, Operation, Overrides, Result, Service};
use pipeline_pool::{Origin, Request};

/// A request before it is signed, of one of the two protocols: forms, and the JSON of exports.
pub(crate) trait Unsigned: Send + Sync {
    /// The service that signs it.
    type Service: Service;

    fn origin(&self) -> &Origin;

    fn domain(&self) -> Option<&Arc<str>>;

    fn overrides(&self) -> &Overrides;

    /// The request, signed for this attempt.
    fn request(&self, service: &Self::Service, attempt: &Attempt<'_>) -> Result<Request>;

    /// The item that it is about, where that is one.
    fn item(&self) -> Option<&str> {
        None
    }

    /// The names of all items that it is about.
    fn items(&self) -> Vec<&str> {
        Vec::new()
    }
}

/// One operation of SimpleDB, apart from its request.
pub(crate) trait SdbOperation: Send + Sync {
    /// The form of its request.
    type Request: Unsigned;
    /// The value that the operation answers with.
    type Output;
    /// Its row in the table of what may be sent twice, which names it too.
    const ROW: Row;
    /// What it changes, which a cache has to know.
    const CHANGES: Changes = Changes::Nothing;

    /// Whether it may be sent twice. Defaults to what [`ROW`](Self::ROW) says.
    fn idempotency(&self) -> Idempotency {
        Self::ROW.idempotency
    }

    /// Reads the answer to this request.
    fn parse(
        &self,
        request: &Self::Request,
        service: &<Self::Request as Unsigned>::Service,
        answer: Answer,
    ) -> Result<Self::Output>;

    /// The things that it changes. Defaults to what [`CHANGES`](Self::CHANGES) says.
    fn changes<'a>(&'a self, request: &'a Self::Request) -> operation::Changes<'a> {
        match Self::CHANGES {
            Changes::Nothing => operation::Changes::Nothing,
            Changes::Items => operation::Changes::Keys(request.items()),
            Changes::Domain => operation::Changes::Anything,
        }
    }
}

/// This is what an operation changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Changes {
    /// It reads, or changes no item.
    Nothing,
    /// The items that the request names.
    Items,
    /// All items of the domain.
    Domain,
}

/// An operation with its request, ready to be sent.
pub(crate) struct Call<O: SdbOperation> {
    pub(crate) request: O::Request,
    pub(crate) operation: O,
}

impl<O: SdbOperation> Call<O> {
    pub(crate) fn new(request: O::Request, operation: O) -> Self {
        Self { request, operation }
    }
}

impl<O: SdbOperation> Operation for Call<O> {
    type Service = <O::Request as Unsigned>::Service;
    type Output = O::Output;
    const NAME: &'static str = O::ROW.operation;

    fn idempotency(&self) -> Idempotency {
        self.operation.idempotency()
    }

    fn origin(&self) -> &Origin {
        self.request.origin()
    }

    fn resource(&self) -> Option<&Arc<str>> {
        self.request.domain()
    }

    fn key(&self) -> Option<&str> {
        self.request.item()
    }

    fn overrides(&self) -> Option<&Overrides> {
        Some(self.request.overrides())
    }

    fn request(&self, service: &Self::Service, attempt: &Attempt<'_>) -> Result<Request> {
        self.request.request(service, attempt)
    }

    fn parse(&self, service: &Self::Service, answer: Answer) -> Result<O::Output> {
        self.operation.parse(&self.request, service, answer)
    }

    fn changes(&self) -> operation::Changes<'_> {
        self.operation.changes(&self.request)
    }
}
