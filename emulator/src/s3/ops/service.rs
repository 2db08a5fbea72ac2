//! The engine's operations, each handed to the module that knows it.

use std::ops::Deref;
use std::sync::Arc;

use s3s::dto::*;
use s3s::{S3, S3Request, S3Response, S3Result, TrailingHeaders, s3_error};

use crate::s3::access::actions;
use crate::s3::access::{Caller, Request, Target, Writer};
use crate::s3::config::route;
use crate::s3::config::schema::Node;
use crate::s3::http::form::{FormAcl, FormTags};
use crate::s3::model::acl::{Acl, Parties, owner_of};
use crate::s3::model::error::malformed_xml;
use crate::s3::model::lock;
use crate::s3::model::store::{Settings, Store};
use crate::s3::model::versions::Status;
use crate::s3::ops::archive;
use crate::s3::ops::copy;
use crate::s3::ops::delete;
use crate::s3::ops::list;
use crate::s3::ops::list_uploads;
use crate::s3::ops::list_versions;
use crate::s3::ops::multipart;
use crate::s3::ops::object;
use crate::s3::ops::object_settings;

/// Tells who sent a request.
fn caller<T>(req: &S3Request<T>) -> Caller {
    req.extensions.get::<Caller>().cloned().unwrap_or_default()
}

/// What comes behind its body, where that was checked before.
fn trailers<T>(req: &S3Request<T>) -> Option<TrailingHeaders> {
    let checked = req.extensions.get::<TrailingHeaders>();
    checked.or(req.trailing_headers.as_ref()).cloned()
}

type Reply<T> = S3Result<S3Response<T>>;

fn answer<T>(output: T) -> Reply<T> {
    Ok(S3Response::new(output))
}

/// The store, as the engine calls it.
#[derive(Debug)]
pub(in crate::s3) struct Engine(pub(in crate::s3) Arc<Store>);

impl Deref for Engine {
    type Target = Store;

    fn deref(&self) -> &Store {
        &self.0
    }
}

#[async_trait::async_trait]
impl S3 for Engine {
    async fn list_buckets(&self, req: S3Request<ListBucketsInput>) -> Reply<ListBucketsOutput> {
        let account = caller(&req).owner();
        let prefix = req.input.prefix.unwrap_or_default();
        let after = req.input.continuation_token.unwrap_or_default();
        let mut buckets: Vec<_> = self
            .list(&account)
            .into_iter()
            .filter(|(name, _)| name.starts_with(&prefix) && *name > after)
            .map(|(name, created)| Bucket {
                name: Some(name),
                creation_date: Some(Timestamp::from(created)),
                ..Default::default()
            })
            .collect();
        let max = req
            .input
            .max_buckets
            .and_then(|max| usize::try_from(max).ok());
        let mut next = None;
        if let Some(max) = max.filter(|max| *max > 0 && buckets.len() > *max) {
            buckets.truncate(max);
            next = buckets.last().and_then(|bucket| bucket.name.clone());
        }
        answer(ListBucketsOutput {
            buckets: Some(buckets),
            continuation_token: next,
            owner: Some(owner_of(&account)),
            prefix: (!prefix.is_empty()).then_some(prefix),
        })
    }

    async fn create_bucket(&self, req: S3Request<CreateBucketInput>) -> Reply<CreateBucketOutput> {
        let field = |name: &str| req.headers.get(name).and_then(|value| value.to_str().ok());
        if [".-", "-."]
            .iter()
            .any(|pair| req.input.bucket.contains(pair))
        {
            return Err(s3_error!(
                InvalidBucketName,
                "The specified bucket is not valid."
            ));
        }
        let owner = caller(&req).owner();
        let parties = Parties {
            accounts: &self.accounts,
            owner: &owner,
            bucket_owner: &owner,
        };
        let acl = Acl::from_fields(field, parties)?;
        let ownership = req.input.object_ownership.as_ref();
        let enforced =
            ownership.is_some_and(|it| it.as_str() == ObjectOwnership::BUCKET_OWNER_ENFORCED);
        if enforced && acl.as_ref().is_some_and(|acl| !acl.is_only_of(&owner)) {
            return Err(route::error(
                hyper::StatusCode::BAD_REQUEST,
                "InvalidBucketAclWithObjectOwnership",
                "Bucket cannot have ACLs set with ObjectOwnership's BucketOwnerEnforced setting",
            ));
        }
        let location = req
            .input
            .create_bucket_configuration
            .and_then(|given| given.location_constraint)
            .map(|region| region.as_str().to_owned());
        if location.as_deref() == Some("us-east-1") {
            return Err(s3_error!(
                InvalidLocationConstraint,
                "The specified location-constraint is not valid"
            ));
        }
        let acl = acl.unwrap_or_else(|| Acl::private(&owner));
        let mut settings = Settings {
            acl,
            ..Settings::default()
        };
        if let Some(ownership) = ownership {
            let rule = vec![Node::new("ObjectOwnership", ownership.as_str())];
            let controls = Node::of("OwnershipControls", vec![Node::of("Rule", rule)]);
            let document = controls.document().into();
            settings.configs.insert("ownershipControls", document);
        }
        if req.input.object_lock_enabled_for_bucket.unwrap_or(false) {
            let enabled = vec![Node::new("ObjectLockEnabled", "Enabled")];
            let lock = Node::of("ObjectLockConfiguration", enabled);
            settings.status = Some(Status::Enabled);
            settings.set_lock(&lock)?;
            settings
                .configs
                .insert("object-lock", lock.document().into());
        }
        let location = location.unwrap_or_default();
        self.create(&req.input.bucket, location, owner, settings)?;
        answer(CreateBucketOutput {
            location: Some(format!("/{}", req.input.bucket)),
        })
    }

    async fn head_bucket(&self, req: S3Request<HeadBucketInput>) -> Reply<HeadBucketOutput> {
        self.bucket(&req.input.bucket)?;
        answer(HeadBucketOutput {
            bucket_region: Some("us-east-1".into()),
            ..Default::default()
        })
    }

    async fn delete_bucket(&self, req: S3Request<DeleteBucketInput>) -> Reply<DeleteBucketOutput> {
        self.delete(&req.input.bucket)?;
        Ok(S3Response::with_status(
            DeleteBucketOutput::default(),
            hyper::StatusCode::NO_CONTENT,
        ))
    }

    async fn get_bucket_location(
        &self,
        req: S3Request<GetBucketLocationInput>,
    ) -> Reply<GetBucketLocationOutput> {
        let location = self.bucket(&req.input.bucket)?.location.clone();
        answer(GetBucketLocationOutput {
            location_constraint: (!location.is_empty()).then(|| location.into()),
        })
    }

    async fn get_bucket_versioning(
        &self,
        req: S3Request<GetBucketVersioningInput>,
    ) -> Reply<GetBucketVersioningOutput> {
        let status = self.bucket(&req.input.bucket)?.read().status;
        // A bucket that never was versioned says so by an empty document.
        let status = status.map(|status| match status {
            Status::Enabled => BucketVersioningStatus::ENABLED,
            Status::Suspended => BucketVersioningStatus::SUSPENDED,
        });
        answer(GetBucketVersioningOutput {
            status: status.map(BucketVersioningStatus::from_static),
            ..Default::default()
        })
    }

    async fn put_bucket_versioning(
        &self,
        req: S3Request<PutBucketVersioningInput>,
    ) -> Reply<PutBucketVersioningOutput> {
        let given = req.input.versioning_configuration.status;
        let status = match given.as_ref().map(BucketVersioningStatus::as_str) {
            Some(BucketVersioningStatus::ENABLED) => Status::Enabled,
            Some(BucketVersioningStatus::SUSPENDED) => Status::Suspended,
            _ => {
                return Err(s3_error!(
                    IllegalVersioningConfigurationException,
                    "The Versioning element must be specified"
                ));
            }
        };
        let pen = self.pen(&req.input.bucket);
        self.within(&req.input.bucket, |bucket| {
            bucket.change(pen, |settings| {
                if settings.lock.is_some() && status != Status::Enabled {
                    return Err(route::error(
                        hyper::StatusCode::CONFLICT,
                        "InvalidBucketState",
                        "An Object Lock configuration is present on this bucket, so the versioning \
                         state cannot be changed.",
                    ));
                }
                settings.status = Some(status);
                Ok(())
            })
        })?;
        answer(PutBucketVersioningOutput::default())
    }

    async fn list_object_versions(
        &self,
        req: S3Request<ListObjectVersionsInput>,
    ) -> Reply<ListObjectVersionsOutput> {
        answer(list_versions::list(self, req.input)?)
    }

    async fn list_objects(&self, req: S3Request<ListObjectsInput>) -> Reply<ListObjectsOutput> {
        answer(list::list(self, req.input)?)
    }

    async fn list_objects_v2(
        &self,
        req: S3Request<ListObjectsV2Input>,
    ) -> Reply<ListObjectsV2Output> {
        answer(list::list_v2(self, req.input)?)
    }

    async fn put_object(&self, mut req: S3Request<PutObjectInput>) -> Reply<PutObjectOutput> {
        if let Some(FormAcl(acl)) = req.extensions.get() {
            req.input.acl = Some(ObjectCannedACL::from(acl.clone()));
        }
        if let Some(FormTags(tags)) = req.extensions.get() {
            req.input.tagging = Some(tags.clone());
        }
        let (caller, trailers) = (caller(&req), trailers(&req));
        let writer = Writer {
            store: self,
            caller: &caller,
        };
        answer(object::put(writer, req.input, trailers).await?)
    }

    async fn get_object(&self, req: S3Request<GetObjectInput>) -> Reply<GetObjectOutput> {
        answer(object::get(self, &req.input)?)
    }

    async fn head_object(&self, req: S3Request<HeadObjectInput>) -> Reply<HeadObjectOutput> {
        let tags = object::tag_count(self, &req.input)?;
        let mut response = S3Response::new(object::head(self, req.input)?);
        if tags > 0 {
            let name = hyper::header::HeaderName::from_static("x-amz-tagging-count");
            response.headers.insert(name, tags.into());
        }
        Ok(response)
    }

    async fn copy_object(&self, req: S3Request<CopyObjectInput>) -> Reply<CopyObjectOutput> {
        let caller = caller(&req);
        let writer = Writer {
            store: self,
            caller: &caller,
        };
        answer(copy::copy(writer, req.input, &req.headers)?)
    }

    async fn delete_object(&self, req: S3Request<DeleteObjectInput>) -> Reply<DeleteObjectOutput> {
        Ok(S3Response::with_status(
            delete::delete(self, &req.input)?,
            hyper::StatusCode::NO_CONTENT,
        ))
    }

    async fn get_object_tagging(
        &self,
        req: S3Request<GetObjectTaggingInput>,
    ) -> Reply<GetObjectTaggingOutput> {
        answer(object_settings::get_tagging(self, &req.input)?)
    }

    async fn put_object_tagging(
        &self,
        req: S3Request<PutObjectTaggingInput>,
    ) -> Reply<PutObjectTaggingOutput> {
        answer(object_settings::put_tagging(self, req.input)?)
    }

    async fn delete_object_tagging(
        &self,
        req: S3Request<DeleteObjectTaggingInput>,
    ) -> Reply<DeleteObjectTaggingOutput> {
        Ok(S3Response::with_status(
            object_settings::delete_tagging(self, &req.input)?,
            hyper::StatusCode::NO_CONTENT,
        ))
    }

    async fn get_object_acl(&self, req: S3Request<GetObjectAclInput>) -> Reply<GetObjectAclOutput> {
        answer(object_settings::get_acl(self, &req.input)?)
    }

    async fn put_object_acl(&self, req: S3Request<PutObjectAclInput>) -> Reply<PutObjectAclOutput> {
        let caller = caller(&req);
        let writer = Writer {
            store: self,
            caller: &caller,
        };
        answer(object_settings::put_acl(writer, req.input)?)
    }

    async fn get_object_retention(
        &self,
        req: S3Request<GetObjectRetentionInput>,
    ) -> Reply<GetObjectRetentionOutput> {
        answer(lock::get_retention(self, &req.input)?)
    }

    async fn put_object_retention(
        &self,
        req: S3Request<PutObjectRetentionInput>,
    ) -> Reply<PutObjectRetentionOutput> {
        answer(lock::put_retention(self, &req.input)?)
    }

    async fn get_object_legal_hold(
        &self,
        req: S3Request<GetObjectLegalHoldInput>,
    ) -> Reply<GetObjectLegalHoldOutput> {
        answer(lock::get_hold(self, &req.input)?)
    }

    async fn put_object_legal_hold(
        &self,
        req: S3Request<PutObjectLegalHoldInput>,
    ) -> Reply<PutObjectLegalHoldOutput> {
        answer(lock::put_hold(self, &req.input)?)
    }

    async fn restore_object(
        &self,
        req: S3Request<RestoreObjectInput>,
    ) -> Reply<RestoreObjectOutput> {
        archive::restore(self, &req.input)
    }

    async fn get_object_attributes(
        &self,
        req: S3Request<GetObjectAttributesInput>,
    ) -> Reply<GetObjectAttributesOutput> {
        answer(object_settings::get_attributes(self, &req.input)?)
    }

    async fn delete_objects(
        &self,
        req: S3Request<DeleteObjectsInput>,
    ) -> Reply<DeleteObjectsOutput> {
        let who = caller(&req);
        let bypass = req.input.bypass_governance_retention.unwrap_or(false);
        let Delete { objects, quiet } = req.input.delete;
        if objects.is_empty() || objects.len() > 1000 {
            return Err(malformed_xml());
        }
        let request = Request {
            caller: &who,
            headers: &req.headers,
            query: None,
        };
        let name = req.input.bucket.as_str();
        let refused: Vec<_> = objects
            .iter()
            .map(|entry| {
                let version = entry.version_id.as_deref();
                let (action, needs) = actions::of_operation("DeleteObject", version.is_some());
                let target = Target {
                    bucket: name,
                    key: Some(&entry.key),
                    version,
                };
                request.check(self, (action, needs), target).err()
            })
            .collect();
        let pen = self.pen(name);
        let (deleted, errors) = self.within(name, |bucket| {
            let mut stored = bucket.write();
            let mut failed = Vec::new();
            let mut deleted = Vec::new();
            for (entry, refused) in objects.into_iter().zip(refused) {
                let (key, version_id) = (entry.key.clone(), entry.version_id.clone());
                let done = match refused {
                    Some(error) => Err(error),
                    None => delete::delete_one(&mut stored, pen, entry, bypass),
                };
                match done {
                    Ok(one) => deleted.push(one),
                    Err(error) => failed.push(Error {
                        key: Some(key),
                        version_id,
                        code: Some(error.code().as_str().to_owned()),
                        message: error.message().map(str::to_owned),
                    }),
                }
            }
            Ok((deleted, failed))
        })?;
        answer(DeleteObjectsOutput {
            deleted: (!quiet.unwrap_or(false)).then_some(deleted),
            errors: (!errors.is_empty()).then_some(errors),
            ..Default::default()
        })
    }

    async fn create_multipart_upload(
        &self,
        req: S3Request<CreateMultipartUploadInput>,
    ) -> Reply<CreateMultipartUploadOutput> {
        let caller = caller(&req);
        let writer = Writer {
            store: self,
            caller: &caller,
        };
        answer(multipart::create(writer, req.input)?)
    }

    async fn upload_part(&self, req: S3Request<UploadPartInput>) -> Reply<UploadPartOutput> {
        let trailers = trailers(&req);
        answer(multipart::upload_part(self, req.input, trailers).await?)
    }

    async fn upload_part_copy(
        &self,
        req: S3Request<UploadPartCopyInput>,
    ) -> Reply<UploadPartCopyOutput> {
        answer(multipart::upload_part_copy(self, &req.input)?)
    }

    async fn complete_multipart_upload(
        &self,
        req: S3Request<CompleteMultipartUploadInput>,
    ) -> Reply<CompleteMultipartUploadOutput> {
        answer(multipart::complete(self, req.input)?)
    }

    async fn abort_multipart_upload(
        &self,
        req: S3Request<AbortMultipartUploadInput>,
    ) -> Reply<AbortMultipartUploadOutput> {
        multipart::abort(self, &req.input)?;
        Ok(S3Response::with_status(
            AbortMultipartUploadOutput::default(),
            hyper::StatusCode::NO_CONTENT,
        ))
    }

    async fn list_parts(&self, req: S3Request<ListPartsInput>) -> Reply<ListPartsOutput> {
        answer(list_uploads::list_parts(self, req.input)?)
    }

    async fn list_multipart_uploads(
        &self,
        req: S3Request<ListMultipartUploadsInput>,
    ) -> Reply<ListMultipartUploadsOutput> {
        answer(list_uploads::list_uploads(self, req.input)?)
    }
}
