//! A domain. Its verbs are in the files of their names: those about items and the domain itself in `ops`.

use std::sync::Arc;

use aws_core::Error;

use crate::client::SdbClient;

/// A domain: the place for verbs about it and its items. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Domain {
    pub(crate) client: SdbClient,
    pub(crate) name: Arc<str>,
}

impl Domain {
    /// The name of the domain.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The client that sends its requests.
    pub fn client(&self) -> &SdbClient {
        &self.client
    }

    /// The error of a request that cannot be made, told what it is about.
    pub(crate) fn refused(&self, error: Error, item: Option<&str>) -> Error {
        error.about(Some(&self.name), item, self.client.key_visibility())
    }
}
