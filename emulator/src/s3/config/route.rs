//! Configurations of buckets: checked for form, stored, and given back as they were put.
//!
//! They come as a route of the engine, which would else read them into types of its own and lose what those
//! lack. Policies, access control lists, ownership, the public access block, CORS, default encryption and object locks
//! are kept to; the others change nothing that the emulator does.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use base64::prelude::*;
use bytes::Bytes;
use http_body_util::{BodyExt, Limited};
use hyper::header::{CONTENT_TYPE, HOST, HeaderValue};
use hyper::http::Extensions;
use hyper::{HeaderMap, Method, StatusCode, Uri};
use s3s::route::S3Route;
use s3s::{Body, S3Error, S3ErrorCode, S3Request, S3Response, S3Result, s3_error};

use crate::encode;
use crate::s3::access::actions::of_configuration;
use crate::s3::access::{self, Caller};
use crate::s3::config::rules;
use crate::s3::config::schema::{Node, forms};
use crate::s3::http::auth::Verified;
use crate::s3::http::host;
use crate::s3::model::acl::{Acl, Parties};
use crate::s3::model::error::{denied, invalid_digest, malformed_xml};
use crate::s3::model::store::{Bucket, Store};
use crate::s3::model::versions::Status;

/// The most bytes of a document.
const BODY_MAX: usize = 1 << 20;

/// What a bucket's configurations are, by the parameter that names them.
#[derive(Debug, Default)]
pub(in crate::s3) struct Configs(Mutex<BTreeMap<&'static str, Bytes>>);

impl Configs {
    pub(in crate::s3) fn get(&self, query: &str) -> Option<Bytes> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.get(query).cloned()
    }

    pub(in crate::s3) fn all(&self) -> BTreeMap<&'static str, Bytes> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.clone()
    }

    pub(in crate::s3) fn set(&self, configs: BTreeMap<&'static str, Bytes>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = configs;
    }
}

/// What is answered where nothing was put.
#[derive(Clone, Copy, Debug)]
enum Unset {
    /// This document.
    Document(&'static str),
    /// This code, as 404.
    Missing(&'static str, &'static str),
    /// What the code of this configuration says.
    Special,
}

/// One kind of configuration.
#[derive(Debug)]
struct ConfigKind {
    query: &'static str,
    root: &'static str,
    unset: Unset,
    put: bool,
    delete: bool,
}

const fn kind(query: &'static str, root: &'static str, unset: Unset) -> ConfigKind {
    ConfigKind {
        query,
        root,
        unset,
        put: true,
        delete: matches!(unset, Unset::Missing(..)),
    }
}

const KINDS: &[ConfigKind] = &[
    kind("acl", "AccessControlPolicy", Unset::Special),
    kind(
        "policy",
        "",
        Unset::Missing("NoSuchBucketPolicy", "The bucket policy does not exist"),
    ),
    ConfigKind {
        put: false,
        ..kind("policyStatus", "", Unset::Special)
    },
    kind(
        "cors",
        "CORSConfiguration",
        Unset::Missing(
            "NoSuchCORSConfiguration",
            "The CORS configuration does not exist",
        ),
    ),
    kind(
        "lifecycle",
        "LifecycleConfiguration",
        Unset::Missing(
            "NoSuchLifecycleConfiguration",
            "The lifecycle configuration does not exist",
        ),
    ),
    kind(
        "tagging",
        "Tagging",
        Unset::Missing("NoSuchTagSet", "The TagSet does not exist"),
    ),
    kind(
        "website",
        "WebsiteConfiguration",
        Unset::Missing(
            "NoSuchWebsiteConfiguration",
            "The specified bucket does not have a website configuration",
        ),
    ),
    // Amazon encrypts what says nothing, and has a configuration after it was deleted too.
    ConfigKind {
        delete: true,
        ..kind(
            "encryption",
            "ServerSideEncryptionConfiguration",
            Unset::Document(
                "<ServerSideEncryptionConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Rule>\
                 <ApplyServerSideEncryptionByDefault><SSEAlgorithm>AES256</SSEAlgorithm>\
                 </ApplyServerSideEncryptionByDefault><BucketKeyEnabled>false</BucketKeyEnabled></Rule>\
                 </ServerSideEncryptionConfiguration>",
            ),
        )
    },
    kind(
        "publicAccessBlock",
        "PublicAccessBlockConfiguration",
        Unset::Missing(
            "NoSuchPublicAccessBlockConfiguration",
            "The public access block configuration was not found",
        ),
    ),
    kind(
        "ownershipControls",
        "OwnershipControls",
        Unset::Missing(
            "OwnershipControlsNotFoundError",
            "The bucket ownership controls were not found",
        ),
    ),
    kind(
        "logging",
        "BucketLoggingStatus",
        Unset::Document("<BucketLoggingStatus xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"/>"),
    ),
    ConfigKind {
        delete: false,
        ..kind(
            "object-lock",
            "ObjectLockConfiguration",
            Unset::Missing(
                "ObjectLockConfigurationNotFoundError",
                "Object Lock configuration does not exist for this bucket",
            ),
        )
    },
    kind(
        "replication",
        "ReplicationConfiguration",
        Unset::Missing(
            "ReplicationConfigurationNotFoundError",
            "The replication configuration was not found",
        ),
    ),
    kind(
        "notification",
        "NotificationConfiguration",
        Unset::Document(
            "<NotificationConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"/>",
        ),
    ),
    kind(
        "requestPayment",
        "RequestPaymentConfiguration",
        Unset::Document(
            "<RequestPaymentConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">\
             <Payer>BucketOwner</Payer></RequestPaymentConfiguration>",
        ),
    ),
    kind(
        "accelerate",
        "AccelerateConfiguration",
        Unset::Document(
            "<AccelerateConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"/>",
        ),
    ),
];

/// The parameter of this name, if it is one of a configuration.
pub(in crate::s3) fn known(query: &str) -> Option<&'static str> {
    let kind = KINDS.iter().find(|kind| kind.query == query)?;
    Some(kind.query)
}

/// Takes the requests about configurations.
#[derive(Debug)]
pub(in crate::s3) struct Route {
    pub(in crate::s3) store: Arc<Store>,
    pub(in crate::s3) domain: Option<String>,
}

impl Route {
    /// The bucket and the kind that a request is about, if it is about one.
    fn target(&self, uri: &Uri, headers: &HeaderMap) -> Option<(String, &'static ConfigKind)> {
        let kind = uri.query()?.split('&').find_map(|pair| {
            let name = pair.split('=').next().unwrap_or_default();
            KINDS.iter().find(|kind| kind.query == name)
        })?;
        let host = headers.get(HOST).and_then(|value| value.to_str().ok());
        let path = uri.path().trim_start_matches('/');
        if let Some(bucket) = host::bucket(self.domain.as_deref(), host.unwrap_or_default()) {
            return path.is_empty().then_some((bucket, kind));
        }
        let bucket = path.strip_suffix('/').unwrap_or(path);
        if bucket.is_empty() || bucket.contains('/') {
            return None;
        }
        let bucket = String::from_utf8(encode::form_decode(bucket.as_bytes())).ok()?;
        Some((bucket, kind))
    }

    fn get(&self, bucket: &str, kind: &ConfigKind) -> S3Result<S3Response<Body>> {
        let bucket = self.store.bucket(bucket)?;
        let document = match (bucket.configs.get(kind.query), kind.unset) {
            _ if kind.query == "acl" => {
                let acl = bucket.acl().document(&bucket.owner, &self.store.accounts);
                acl.document().into()
            }
            (Some(document), _) => document,
            (None, Unset::Document(document)) => Bytes::from_static(document.as_bytes()),
            (None, Unset::Missing(code, message)) => {
                return Err(error(StatusCode::NOT_FOUND, code, message));
            }
            (None, Unset::Special) => {
                let policy = bucket.configs.get("policy").ok_or_else(|| {
                    let message = "The bucket policy does not exist";
                    error(StatusCode::NOT_FOUND, "NoSuchBucketPolicy", message)
                })?;
                let public = rules::policy_is_public(&policy).to_string();
                let status = vec![Node::new("IsPublic", &public)];
                Node::of("PolicyStatus", status).document().into()
            }
        };
        let kind = if kind.query == "policy" {
            "application/json"
        } else {
            "application/xml"
        };
        let mut response = S3Response::new(Body::from(document));
        let kind = HeaderValue::from_static(kind);
        response.headers.insert(CONTENT_TYPE, kind);
        Ok(response)
    }

    fn put(
        &self,
        bucket: &str,
        kind: &ConfigKind,
        headers: &HeaderMap,
        body: Bytes,
    ) -> S3Result<S3Response<Body>> {
        check_digest(headers, &body)?;
        let mut lock = None;
        let at = self.store.bucket(bucket)?;
        let parties = Parties {
            accounts: &self.store.accounts,
            owner: &at.owner,
            bucket_owner: &at.owner,
        };
        let mut acl = given_acl(kind, headers, &body, parties)?;
        let document = if kind.query == "policy" {
            rules::check_policy(&body)?;
            if rules::policy_is_public(&body) && at.blocks("BlockPublicPolicy") {
                return Err(denied());
            }
            body
        } else if acl.is_some() {
            body
        } else {
            let node = Node::parse(&body).filter(|node| {
                let forms = forms(kind.root).unwrap_or_default();
                let form = forms.first().map_or("", |(_, form)| form);
                node.name == kind.root && node.fits(form, forms)
            });
            let mut node = node.ok_or_else(malformed_xml)?;
            rules::check(&mut node)?;
            if kind.query == "acl" {
                acl = Some(Acl::from_document(&node, parties)?);
            }
            let document = node.document().into();
            lock = Some(node).filter(|_| kind.query == "object-lock");
            document
        };
        let pen = self.store.pen(bucket);
        self.store.within(bucket, |bucket| {
            bucket.change(pen, |settings| {
                if let Some(lock) = &lock {
                    settings.set_lock(lock)?;
                }
                if kind.query == "replication" && settings.status != Some(Status::Enabled) {
                    return Err(s3_error!(
                        InvalidRequest,
                        "Versioning must be 'Enabled' on the bucket to apply a replication configuration"
                    ));
                }
                match acl {
                    Some(acl) => {
                        access::check_given(bucket, &acl, false)?;
                        settings.acl = acl;
                    }
                    None => {
                        check_ownership(bucket, kind, &document)?;
                        settings.configs.insert(kind.query, document);
                    }
                }
                Ok(())
            })
        })?;
        let status = match kind.query {
            "policy" | "tagging" => StatusCode::NO_CONTENT,
            _ => StatusCode::OK,
        };
        Ok(S3Response::with_status(Body::empty(), status))
    }
}

#[async_trait::async_trait]
impl S3Route for Route {
    fn is_match(&self, _: &Method, uri: &Uri, headers: &HeaderMap, _: &mut Extensions) -> bool {
        self.target(uri, headers).is_some()
    }

    async fn check_access(&self, request: &mut S3Request<Body>) -> S3Result<()> {
        let verified = request.extensions.get::<Verified>();
        let caller = Caller(verified.map(|verified| Arc::clone(&verified.0)));
        let Some((bucket, kind)) = self.target(&request.uri, &request.headers) else {
            return Ok(());
        };
        let reads = request.method == Method::GET;
        let needs = of_configuration(kind.query, reads, request.method == Method::DELETE);
        let asked = access::Request {
            caller: &caller,
            headers: &request.headers,
            query: request.uri.query(),
        };
        let target = access::Target {
            bucket: &bucket,
            key: None,
            version: None,
        };
        asked.check(&self.store, needs, target)?;
        access::check_expected(&self.store, &request.headers, &bucket, None)
    }

    async fn call(&self, request: S3Request<Body>) -> S3Result<S3Response<Body>> {
        let (bucket, kind) = self
            .target(&request.uri, &request.headers)
            .ok_or_else(|| s3_error!(InvalidRequest, "no configuration is named"))?;
        match request.method {
            Method::GET => self.get(&bucket, kind),
            Method::PUT if kind.put => {
                self.store.bucket(&bucket)?;
                let body = Limited::new(request.input, BODY_MAX).collect().await;
                let body = body.map_err(|_| {
                    s3_error!(MaxMessageLengthExceeded, "Your request was too big.")
                })?;
                self.put(&bucket, kind, &request.headers, body.to_bytes())
            }
            Method::DELETE if kind.delete => {
                let pen = self.store.pen(&bucket);
                self.store.within(&bucket, |bucket| {
                    bucket.change(pen, |settings| {
                        settings.configs.remove(kind.query);
                        Ok(())
                    })
                })?;
                let status = StatusCode::NO_CONTENT;
                Ok(S3Response::with_status(Body::empty(), status))
            }
            _ => Err(s3_error!(
                MethodNotAllowed,
                "The specified method is not allowed against this resource."
            )),
        }
    }
}

/// The access control list that a request's header fields name, in place of a document.
fn given_acl(
    kind: &ConfigKind,
    headers: &HeaderMap,
    body: &[u8],
    parties: Parties<'_>,
) -> S3Result<Option<Acl>> {
    if kind.query != "acl" {
        return Ok(None);
    }
    let field = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let given = Acl::from_fields(field, parties)?;
    if given.is_some() && !body.is_empty() {
        return Err(s3_error!(
            UnexpectedContent,
            "This request does not support content"
        ));
    }
    Ok(given)
}

/// Refuses to make the owner of a bucket that of all in it while the bucket is shared by its list.
fn check_ownership(bucket: &Bucket, kind: &ConfigKind, document: &[u8]) -> S3Result<()> {
    let enforces = kind.query == "ownershipControls"
        && Node::parse(document)
            .and_then(|node| {
                Some(node.child("Rule")?.text_of("ObjectOwnership") == "BucketOwnerEnforced")
            })
            .unwrap_or(false);
    if enforces && !bucket.acl().is_only_of(&bucket.owner) {
        return Err(error(
            StatusCode::BAD_REQUEST,
            "InvalidBucketAclWithObjectOwnership",
            "Bucket cannot have ACLs set with ObjectOwnership's BucketOwnerEnforced setting",
        ));
    }
    Ok(())
}

fn check_digest(headers: &HeaderMap, body: &[u8]) -> S3Result<()> {
    let Some(digest) = headers.get("content-md5") else {
        return Ok(());
    };
    let digest = BASE64_STANDARD.decode(digest.as_bytes()).ok();
    let digest = digest
        .filter(|digest| digest.len() == 16)
        .ok_or_else(invalid_digest)?;
    if digest != encode::md5(body) {
        return Err(s3_error!(
            BadDigest,
            "The Content-MD5 you specified did not match what we received."
        ));
    }
    Ok(())
}

/// An error of a code that the engine may not know.
pub(in crate::s3) fn error(
    status: StatusCode,
    code: &'static str,
    message: &'static str,
) -> S3Error {
    let code = S3ErrorCode::from_bytes(code.as_bytes()).unwrap_or(S3ErrorCode::InvalidRequest);
    let mut error = S3Error::with_message(code, message);
    error.set_status_code(status);
    error
}
