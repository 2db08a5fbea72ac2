//! Who may do what: the owner of a bucket, whom its access control lists let, and what its policy says.
//!
//! ```text
//! request ──► the policy denies it ─────────────────────────────► refused
//!         └─► the policy allows it, and is no public one that
//!             the bucket restricts to its own account ──────────► let in
//!         └─► silent: the owner, or who is granted what the
//!             request needs by the list of the bucket or object ► let in, else refused
//! ```
//!
//! Lists count for nothing where the bucket enforces its owner's ownership, and what they grant to groups
//! counts for nothing where the bucket ignores public lists. Users of an account may do what the account may.
//!
//! See [How Amazon S3 authorizes a request](https://docs.aws.amazon.com/AmazonS3/latest/userguide/how-s3-evaluates-access-control.html).

pub(in crate::s3) mod actions;
pub(in crate::s3) mod engine;
pub(in crate::s3) mod policy;

use std::sync::Arc;

use hyper::{HeaderMap, StatusCode};
use s3s::{S3Error, S3Result};
use serde_json::Value;

use self::actions::Needs;
use self::policy::{PolicyRequest, Verdict};
use crate::accounts::Account;
use crate::encode;
use crate::s3::config::route::error;
use crate::s3::model::acl::{Acl, Parties, Permission};
use crate::s3::model::error::denied;
use crate::s3::model::store::{Bucket, Object, Store};

/// The account that signed a request, or none if nobody did.
#[derive(Clone, Debug, Default)]
pub(crate) struct Caller(pub(crate) Option<Arc<Account>>);

impl Caller {
    fn account(&self) -> Option<&Account> {
        self.0.as_deref()
    }

    /// Whose is what it writes.
    pub(in crate::s3) fn owner(&self) -> Arc<Account> {
        let account = self.0.clone();
        account.unwrap_or_else(|| Arc::new(Account::anonymous()))
    }

    pub(in crate::s3) fn is(&self, account: &Account) -> bool {
        self.account() == Some(account)
    }
}

/// A request, as far as it is asked who may send it.
#[derive(Clone, Copy, Debug)]
pub(in crate::s3) struct Request<'a> {
    pub(in crate::s3) caller: &'a Caller,
    pub(in crate::s3) headers: &'a HeaderMap,
    pub(in crate::s3) query: Option<&'a str>,
}

/// What a request is about.
#[derive(Clone, Copy, Debug)]
pub(in crate::s3) struct Target<'a> {
    pub(in crate::s3) bucket: &'a str,
    pub(in crate::s3) key: Option<&'a str>,
    pub(in crate::s3) version: Option<&'a str>,
}

impl Request<'_> {
    fn field(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// Refuses a request of somebody who may not send it; what is not there is left to the operation to say.
    pub(in crate::s3) fn check(
        &self,
        store: &Store,
        (action, needs): (&str, Needs),
        target: Target<'_>,
    ) -> S3Result<()> {
        let Ok(bucket) = store.bucket(target.bucket) else {
            return Ok(());
        };
        if self.may(&bucket, (action, needs), target) {
            return Ok(());
        }
        Err(denied())
    }

    /// Whether the caller may do this with a bucket or an object in it.
    fn may(&self, bucket: &Bucket, (action, needs): (&str, Needs), target: Target<'_>) -> bool {
        if needs == Needs::EachKey {
            return true;
        }
        let owns = self.caller.is(&bucket.owner);
        // Whoever locks itself out by a policy can still mend it.
        if owns && action.ends_with("BucketPolicy") {
            return true;
        }
        let found = target
            .key
            .map(|key| bucket.read().find(key, target.version));
        let object = found.as_ref().and_then(|found| found.as_ref().ok());
        let object = object.map(|(object, _)| &**object);
        let lists = Lists::of(bucket);
        match self.verdict(bucket, action, target, object) {
            Verdict::Denied => return false,
            // A policy says nothing of objects that another account owns in the bucket.
            Verdict::Allowed
                if owns
                    || lists.lets_policy(bucket)
                        && (lists.enforced
                            || object.is_none_or(|o| o.headers.owner == bucket.owner)) =>
            {
                let is_told = !matches!(needs, Needs::Object(_)) || object.is_some();
                return is_told || owns || self.may_see(bucket, target.bucket, lists);
            }
            _ => {}
        }
        let account = self.caller.account();
        let of_bucket =
            |wanted| owns || !lists.enforced && bucket.acl().permits(account, wanted, lists.public);
        match needs {
            Needs::Account => account.is_some(),
            Needs::Owner => owns,
            Needs::Bucket(wanted) => of_bucket(wanted),
            Needs::Object(wanted) => match object {
                Some(_) if lists.enforced => owns,
                Some(object) => {
                    self.caller.is(&object.headers.owner)
                        || object.headers.acl.permits(account, wanted, lists.public)
                }
                None => owns || self.may_see(bucket, target.bucket, lists),
            },
            Needs::EachKey => true,
        }
    }

    /// Whether the caller is told what is not in a bucket: only who may list it is, whatever else is allowed
    /// ([GetObject](https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html#API_GetObject_RequestSyntax), "If the
    /// object you request doesn't exist").
    fn may_see(&self, bucket: &Bucket, name: &str, lists: Lists) -> bool {
        let target = Target {
            bucket: name,
            key: None,
            version: None,
        };
        let account = self.caller.account();
        match self.verdict(bucket, "s3:ListBucket", target, None) {
            Verdict::Denied => false,
            Verdict::Allowed if lists.lets_policy(bucket) => true,
            _ => {
                !lists.enforced
                    && bucket
                        .acl()
                        .permits(account, Permission::Read, lists.public)
            }
        }
    }

    fn verdict(
        &self,
        bucket: &Bucket,
        action: &str,
        target: Target<'_>,
        object: Option<&Object>,
    ) -> Verdict {
        let Some(policy) = bucket.configs.get("policy") else {
            return Verdict::Silent;
        };
        let policy: Value = serde_json::from_slice(&policy).unwrap_or_default();
        let name = target.bucket;
        let asked = PolicyRequest {
            account: self.caller.account(),
            action,
            resource: match target.key {
                Some(key) => format!("arn:aws:s3:::{name}/{key}"),
                None => format!("arn:aws:s3:::{name}"),
            },
            context: self.context(object),
        };
        policy::evaluate(&policy, &asked)
    }

    /// What conditions of policies can ask for.
    ///
    /// See [Condition keys for Amazon S3](https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html#amazons3-policy-keys).
    fn context(&self, object: Option<&Object>) -> Vec<(String, String)> {
        // It listens on the loopback unless it is told otherwise, and has no TLS.
        let mut context = vec![
            ("aws:SourceIp".to_owned(), "127.0.0.1".to_owned()),
            ("aws:SecureTransport".to_owned(), "false".to_owned()),
        ];
        let mut add = |name: String, value: &str| context.push((name, value.to_owned()));
        if let Some(account) = self.caller.account() {
            add("aws:PrincipalAccount".into(), account.number());
        }
        for (name, value) in self.headers {
            let (name, Ok(value)) = (name.as_str(), value.to_str()) else {
                continue;
            };
            match name {
                "referer" => add("aws:Referer".into(), value),
                "user-agent" => add("aws:UserAgent".into(), value),
                "if-match" | "if-none-match" => add(format!("s3:{name}"), value),
                "x-amz-copy-source" => {
                    let decoded = encode::form_decode(value.as_bytes());
                    let source = String::from_utf8_lossy(&decoded);
                    add(format!("s3:{name}"), source.trim_start_matches('/'));
                }
                _ if name.starts_with("x-amz-") => add(format!("s3:{name}"), value),
                _ => {}
            }
        }
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        for (name, value) in encode::form_pairs(self.query.unwrap_or_default().as_bytes()) {
            if matches!(
                name.as_slice(),
                b"prefix" | b"delimiter" | b"max-keys" | b"versionId"
            ) {
                add(format!("s3:{}", text(name)), &text(value));
            }
        }
        let tagging = self.field("x-amz-tagging").unwrap_or_default();
        for (name, value) in encode::form_pairs(tagging.as_bytes()) {
            let name = text(name);
            add("s3:RequestObjectTagKeys".into(), &name);
            add(format!("s3:RequestObjectTag/{name}"), &text(value));
        }
        for tag in object.iter().flat_map(|object| &object.headers.tags) {
            if let (Some(name), Some(value)) = (&tag.key, &tag.value) {
                add(format!("s3:ExistingObjectTag/{name}"), value);
            }
        }
        context
    }
}

/// How far the lists and the policy of a bucket count.
#[derive(Clone, Copy, Debug)]
struct Lists {
    /// The owner of the bucket owns all in it, and lists count for nothing.
    enforced: bool,
    /// Grants to groups count.
    public: bool,
}

impl Lists {
    fn of(bucket: &Bucket) -> Self {
        Self {
            enforced: bucket.ownership().as_deref() == Some("BucketOwnerEnforced"),
            public: !bucket.blocks("IgnorePublicAcls"),
        }
    }

    /// Whether the policy of the bucket is for other accounts too.
    fn lets_policy(self, bucket: &Bucket) -> bool {
        let policy = bucket.configs.get("policy").unwrap_or_default();
        !(bucket.blocks("RestrictPublicBuckets")
            && crate::s3::config::rules::policy_is_public(&policy))
    }
}

/// Who stores an object, and where.
#[derive(Clone, Copy, Debug)]
pub(in crate::s3) struct Writer<'a> {
    pub(in crate::s3) store: &'a Store,
    pub(in crate::s3) caller: &'a Caller,
}

/// That lists cannot be given where the owner of the bucket owns all in it.
pub(in crate::s3) fn no_lists() -> S3Error {
    error(
        StatusCode::BAD_REQUEST,
        "AccessControlListNotSupported",
        "The bucket does not allow ACLs",
    )
}

/// Whose a new object is, and its access control list: as the request names it or spells it out in fields.
pub(in crate::s3) fn of_new(
    writer: Writer<'_>,
    bucket: &Bucket,
    canned: Option<&str>,
    fields: [(&str, Option<&str>); 4],
) -> S3Result<(Arc<Account>, Acl)> {
    let Writer { store, caller } = writer;
    let ownership = bucket.ownership();
    let gives_up = canned == Some("bucket-owner-full-control");
    let owner = match ownership.as_deref() {
        Some("BucketOwnerEnforced") => Arc::clone(&bucket.owner),
        Some("BucketOwnerPreferred") if gives_up => Arc::clone(&bucket.owner),
        _ => caller.owner(),
    };
    let parties = Parties {
        accounts: &store.accounts,
        owner: &owner,
        bucket_owner: &bucket.owner,
    };
    let field = |name: &str| match name {
        "x-amz-acl" => canned,
        _ => fields
            .iter()
            .find(|(n, _)| *n == name)
            .and_then(|(_, value)| *value),
    };
    let given = Acl::from_fields(field, parties)?;
    if let Some(given) = &given {
        check_given(bucket, given, gives_up)?;
    }
    let acl = given.unwrap_or_else(|| Acl::private(&owner));
    Ok((owner, acl))
}

/// Refuses a list that the settings of the bucket do not let be given.
pub(in crate::s3) fn check_given(bucket: &Bucket, given: &Acl, gives_up: bool) -> S3Result<()> {
    let enforced = bucket.ownership().as_deref() == Some("BucketOwnerEnforced");
    let harmless = gives_up || given.is_only_of(&bucket.owner) && given.gives_all_to(&bucket.owner);
    if enforced && !harmless {
        return Err(no_lists());
    }
    if given.is_public() && bucket.blocks("BlockPublicAcls") {
        return Err(denied());
    }
    Ok(())
}

/// Refuses what is meant for the buckets of another account.
///
/// [Verifying bucket ownership](https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucket-owner-condition.html)
pub(in crate::s3) fn check_expected(
    store: &Store,
    headers: &HeaderMap,
    bucket: &str,
    source: Option<&str>,
) -> S3Result<()> {
    let expected = [
        ("x-amz-expected-bucket-owner", Some(bucket)),
        ("x-amz-source-expected-bucket-owner", source),
    ];
    for (field, bucket) in expected {
        let (Some(wanted), Some(bucket)) = (headers.get(field), bucket) else {
            continue;
        };
        let bucket = store.bucket(bucket);
        if bucket.is_ok_and(|bucket| wanted != bucket.owner.number()) {
            return Err(denied());
        }
    }
    Ok(())
}

/// The bucket, key and version that a copy reads, as its field names them.
pub(in crate::s3) fn copy_source(headers: &HeaderMap) -> Option<(String, String, Option<String>)> {
    let text = headers.get("x-amz-copy-source")?.to_str().ok()?;
    let (path, version) = match text.split_once("?versionId=") {
        Some((path, version)) => (path, Some(version.to_owned())),
        None => (text, None),
    };
    // A plus stands for itself in a path.
    let path = encode::form_decode(path.replace('+', "%2B").as_bytes());
    let path = String::from_utf8(path).ok()?;
    let (bucket, key) = path.strip_prefix('/').unwrap_or(&path).split_once('/')?;
    Some((bucket.to_owned(), key.to_owned(), version))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_of_copies() {
        let source = |text: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert("x-amz-copy-source", text.parse().unwrap());
            copy_source(&headers)
        };
        let named = |key: &str, version: Option<&str>| {
            Some(("b".to_owned(), key.to_owned(), version.map(str::to_owned)))
        };
        assert_eq!(source("/b/a+b%20c"), named("a+b c", None));
        assert_eq!(source("b/k?versionId=v"), named("k", Some("v")));
        assert_eq!(source("b"), None);
    }
}
