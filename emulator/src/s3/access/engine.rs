//! Where the engine asks who may do what: of every operation, before its input is read.

use std::sync::Arc;

use s3s::S3Result;
use s3s::access::{S3Access, S3AccessContext};
use s3s::path::S3Path;

use super::actions::{self, Needs};
use super::{Caller, Request, Target};
use crate::encode;
use crate::s3::http::auth::Verified;
use crate::s3::model::store::Store;
use crate::users::Users;

/// Lets in who may do what is asked.
pub(in crate::s3) struct Access {
    pub(in crate::s3) store: Arc<Store>,
    /// Those who may have signed a form, which the engine checks itself.
    pub(in crate::s3) users: Users,
}

#[async_trait::async_trait]
impl S3Access for Access {
    async fn check(&self, cx: &mut S3AccessContext<'_>) -> S3Result<()> {
        let verified = cx.extensions_mut().get::<Verified>();
        let account = verified.map(|verified| Arc::clone(&verified.0));
        let by_form = || {
            let user = self.users.get(&cx.credentials()?.access_key)?;
            Some(Arc::clone(&user.account))
        };
        let caller = Caller(account.or_else(by_form));
        cx.extensions_mut().insert(caller.clone());
        let (bucket, key) = match cx.s3_path() {
            S3Path::Root => ("", None),
            S3Path::Bucket { bucket } => (&**bucket, None),
            S3Path::Object { bucket, key } => (&**bucket, Some(&**key)),
        };
        let query = encode::form_pairs(cx.uri().query().unwrap_or_default().as_bytes());
        let version = query.iter().find(|(name, _)| name == b"versionId");
        let version = version.and_then(|(_, id)| std::str::from_utf8(id).ok());
        let operation = cx.s3_op().name();
        let (action, needs) = actions::of_operation(operation, version.is_some());
        if needs == Needs::Account {
            return caller.0.map(|_| ()).ok_or_else(super::denied);
        }
        let request = Request {
            caller: &caller,
            headers: cx.headers(),
            query: cx.uri().query(),
        };
        let target = Target {
            bucket,
            key,
            version,
        };
        request.check(&self.store, (action, needs), target)?;
        let source = super::copy_source(cx.headers());
        let source = source.filter(|_| operation == "CopyObject" || operation == "UploadPartCopy");
        let source_bucket = source.as_ref().map(|(bucket, ..)| bucket.as_str());
        super::check_expected(&self.store, cx.headers(), bucket, source_bucket)?;
        if let Some((bucket, key, version)) = &source {
            let of_version = version.is_some();
            let needs = actions::of_operation("GetObject", of_version);
            let target = Target {
                bucket,
                key: Some(key),
                version: version.as_deref(),
            };
            request.check(&self.store, needs, target)?;
        }
        Ok(())
    }
}
