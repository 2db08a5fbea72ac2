//! What an error is about: the operation, the server, and the thing in question.

use std::fmt;
use std::sync::Arc;

use pipeline_pool::Origin;

use super::show::{OneLine, Quoted};
use crate::operation::{Operation, Service};
use crate::visibility::KeyVisibility;

/// Which operation, where, on what.
#[derive(Clone, Debug, Default)]
pub(crate) struct Site {
    /// Empty, as that of the operation, while only the thing in question is known.
    pub(crate) service: &'static str,
    pub(crate) operation: &'static str,
    /// Nothing of a request that was refused before it was made.
    pub(crate) origin: Option<Origin>,
    pub(crate) resource: Option<Arc<str>>,
    pub(crate) key: Option<Box<str>>,
}

impl Site {
    /// That of an operation, without its key: costs no allocation.
    pub(crate) fn of<O: Operation>(operation: &O, origin: &Origin) -> Self {
        Self {
            service: O::Service::NAME,
            operation: O::NAME,
            origin: Some(origin.clone()),
            resource: operation.resource().cloned(),
            key: None,
        }
    }

    /// That of an operation, with its key where that may be shown.
    pub(crate) fn keyed<O: Operation>(operation: &O, origin: &Origin, keys: KeyVisibility) -> Self {
        let mut site = Self::of(operation, origin);
        if keys.in_errors() {
            site.key = operation.key().map(Into::into);
        }
        site
    }

    /// Names the operation, if none is named.
    pub(super) fn name(&mut self, service: &'static str, operation: &'static str) {
        if self.operation.is_empty() {
            (self.service, self.operation) = (service, operation);
        }
    }
}

impl fmt::Display for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.operation.is_empty() {
            true => f.write_str("a request")?,
            false => write!(f, "{} {}", self.service, self.operation)?,
        }
        if let Some(origin) = &self.origin {
            write!(f, " at {origin}")?;
        }
        if let Some(resource) = &self.resource {
            write!(f, " on {}", OneLine(resource))?;
        }
        match &self.key {
            Some(key) => write!(f, ", {}", Quoted(key)),
            None => Ok(()),
        }
    }
}
