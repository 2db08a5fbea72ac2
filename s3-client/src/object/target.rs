use aws_core::Result;
use pipeline_pool::Method;

use crate::bucket::Bucket;
use crate::limits;
use crate::request::options::Options;
use crate::wire::Wire;

/// Which object, and which version of it, a request about a sub-resource is about.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    pub(crate) bucket: Bucket,
    pub(crate) key: String,
    pub(crate) version: Option<String>,
}

impl Target {
    pub(crate) fn new(bucket: Bucket, key: String) -> Self {
        Self {
            bucket,
            key,
            version: None,
        }
    }

    /// A request about this sub-resource of it.
    pub(crate) fn wire(&self, method: Method, query: &str, options: Options) -> Result<Wire> {
        let mut wire = Wire::object(method, &self.bucket, &self.key)?;
        wire.query(query, "");
        if let Some(version) = &self.version {
            limits::version(version)?;
            wire.query("versionId", version);
        }
        wire.options(options);
        Ok(wire)
    }
}
