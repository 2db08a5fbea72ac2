//! What every listing can be asked.

use std::borrow::Cow;

use aws_core::Result;
use pipeline_pool::Method;

use crate::bucket::Bucket;
use crate::limits;
use crate::request::options::Options;
use crate::unsigned::UnsignedRequest;

/// What every listing can be asked.
#[derive(Clone, Debug, Default)]
pub(super) struct ListParams {
    pub(super) prefix: Option<String>,
    pub(super) delimiter: Option<String>,
    pub(super) page_size: Option<u32>,
    pub(super) restore_status: bool,
}

impl ListParams {
    /// The request for a page; `more` are parameters of one kind of listing.
    pub(super) fn wire(
        &self,
        bucket: &Bucket,
        options: &Options,
        kind: Option<(&str, &str)>,
        more: &[(&str, Option<&str>)],
    ) -> Result<UnsignedRequest> {
        let page_size = self
            .page_size
            .map(|keys| limits::page_size(keys).map(|()| keys.to_string()))
            .transpose()?;
        let mut wire = UnsignedRequest::bucket_root(Method::Get, bucket)?;
        wire.options(options.clone());
        if let Some((name, value)) = kind {
            wire.query(name, value);
        }
        // XML cannot carry every character that a key can have.
        wire.query("encoding-type", "url");
        let own = [
            ("prefix", self.prefix.as_deref()),
            ("delimiter", self.delimiter.as_deref()),
            ("max-keys", page_size.as_deref()),
        ];
        for (name, value) in own.iter().chain(more) {
            if let Some(value) = value {
                wire.query(name, value);
            }
        }
        if self.restore_status {
            wire.fields(vec![(
                Cow::Borrowed("x-amz-optional-object-attributes"),
                "RestoreStatus".to_owned(),
            )])?;
        }
        Ok(wire)
    }
}
