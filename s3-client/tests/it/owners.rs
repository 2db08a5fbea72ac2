//! Requests that are only for a bucket of one account.

use std::sync::{Arc, Mutex};

use aws_core::transport::ResponseFuture;
use pipeline_pool::{HttpPool, Origin, Request};
use s3_client::config::{
    Acl, CannedAcl, Cors, Lifecycle, Location, Logging, Payer, Policy, PublicAccessBlock,
    RequestPayment, Tagging, Versioning,
};
use s3_client::transport::Transport;
use s3_client::{Bucket, Error, Result, Signature};

use crate::files::{Folder, noise};
use crate::store::{Feature, Store};

const FIELD: &str = "x-amz-expected-bucket-owner";
const OTHER: &str = "111122223333";
const MIN: usize = 5 << 20;

/// A request as it went out: what it was, whose bucket it expected, and the field that signs it.
type Sent = (String, Option<String>, String);

#[derive(Clone, Debug)]
struct Watched {
    pool: HttpPool,
    sent: Arc<Mutex<Vec<Sent>>>,
}

impl Transport for Watched {
    fn send(&self, origin: &Origin, request: Request) -> ResponseFuture {
        let field = |wanted: &str| {
            let mut fields = request.headers();
            let field = fields.find(|(name, _)| name.eq_ignore_ascii_case(wanted));
            field.map(|(_, value)| value.to_owned())
        };
        let what = format!("{:?} {}", request.method(), request.target());
        let signed = field("authorization").unwrap_or_default();
        let sent = (what, field(FIELD), signed);
        self.sent.lock().expect("a lock").push(sent);
        Transport::send(&self.pool, origin, request)
    }
}

/// How each request has ended: well, or with this status and code.
type Outcomes = Vec<(&'static str, Result<(), (Option<u16>, Option<String>)>)>;

fn said(error: &Error) -> (Option<u16>, Option<String>) {
    (error.status(), error.code().map(str::to_owned))
}

/// Sends every request that there is, in buckets and of objects that `plain` makes.
async fn all(plain: &Bucket, watched: &Bucket, owner: Option<&str>) -> Outcomes {
    let mut outcomes = Outcomes::new();
    macro_rules! sent {
        ($($name:literal: $request:expr;)+) => {$(
            let request = $request;
            let request = match owner {
                Some(owner) => request.expected_bucket_owner(owner),
                None => request,
            };
            let outcome = request.await;
            outcomes.push(($name, outcome.map(drop).map_err(|error| said(&error))));
        )+};
    }
    let folder = Folder::new();
    for key in ["k", "other", "third"] {
        plain.put(key, "x").await.expect("an object");
    }
    let uploads = [
        plain.create_multipart("m").await.expect("an upload"),
        plain.create_multipart("m").await.expect("an upload"),
    ];
    let part = uploads[0].part(1, "x").await.expect("a part");
    let [done, aborted] = uploads.map(|upload| watched.multipart("m", upload.id()));
    let b = watched;
    let tags: Tagging = [("a", "b")].into_iter().collect();
    sent! {
        "put": b.put("k", "x");
        "get": b.get("k");
        "head": b.head("k");
        "copy": b.copy("k", "k2");
        "put_object_tagging": b.put_object_tagging("k", tags.clone());
        "get_object_tagging": b.get_object_tagging("k");
        "delete_object_tagging": b.delete_object_tagging("k");
        "get_object_attributes": b.get_object_attributes("k");
        "get_object_acl": b.get_object_acl("k");
        "put_object_acl": b.put_object_acl("k", CannedAcl::Private);
        "restore": b.restore("k", 1);
        "list": b.list();
        "list_v1": b.list_v1();
        "list_versions": b.list_versions();
        "list_multipart": b.list_multipart();
        "head_bucket": b.head_bucket();
        "is_empty": b.is_empty();
        "put_config acl": b.put_config(CannedAcl::Private);
        "get_config acl": b.get_config::<Acl>();
        "put_config tagging": b.put_config(tags.clone());
        "get_config tagging": b.get_config::<Tagging>();
        "delete_config tagging": b.delete_config::<Tagging>();
        "put_config request_payment": b.put_config(RequestPayment::new().payer(Payer::BucketOwner));
        "get_config request_payment": b.get_config::<RequestPayment>();
        "get_config location": b.get_config::<Location>();
        "get_config versioning": b.get_config::<Versioning>();
        "get_config policy": b.get_config::<Policy>();
        "get_config cors": b.get_config::<Cors>();
        "delete_config cors": b.delete_config::<Cors>();
        "get_config lifecycle": b.get_config::<Lifecycle>();
        "get_config public_access_block": b.get_config::<PublicAccessBlock>();
        "get_config logging": b.get_config::<Logging>();
        "create_multipart": b.create_multipart("n");
        "part": done.part(1, "x");
        "copy_part": aborted.copy_part(1, b.name(), "k");
        "parts": done.parts();
        "complete": done.complete([part]);
        "abort": aborted.abort();
        "upload": b.upload("u", "small");
        "upload in parts": b.upload("u", noise(MIN + 1)).part_size(MIN as u64);
    }
    let download = watched.download("k");
    let download = match owner {
        Some(owner) => download.expected_bucket_owner(owner),
        None => download,
    };
    let outcome = download.to_file(folder.file("k")).await;
    outcomes.push(("download", outcome.map(drop).map_err(|error| said(&error))));
    sent! { "delete": b.delete("third"); }
    let delete = b.delete_many(["other"]);
    let delete = match owner {
        Some(owner) => delete.expected_bucket_owner(owner),
        None => delete,
    };
    let (_, outcome) = delete.results().next().await.expect("one result");
    outcomes.push((
        "delete_many",
        outcome.map(drop).map_err(|error| said(&error)),
    ));
    sent! {
        "purge": b.purge();
        "delete_bucket": b.delete_bucket();
    }
    outcomes
}

#[tokio::test]
async fn every_request_may_expect_an_owner() {
    let store = Store::start().await;
    for signature in [Signature::V2, Signature::v4("us-east-1")] {
        let v4 = matches!(signature, Signature::V4 { .. });
        let run = async |owner: Option<&str>| {
            let sent = Arc::default();
            let watched = Watched {
                pool: store.pool(),
                sent: Arc::clone(&sent),
            };
            let builder = || store.builder().signature(signature.clone());
            let plain = store.bucket_of(&builder().build().unwrap()).await;
            let client = builder().transport(watched).build().unwrap();
            let outcomes = all(&plain, &client.bucket(plain.name()), owner).await;
            let sent = std::mem::take(&mut *sent.lock().unwrap());
            assert!(sent.len() >= outcomes.len());
            for (what, expected, signed) in &sent {
                assert_eq!(expected.as_deref(), owner, "{what}");
                // A server that takes Version 2 has found it in what was signed.
                if v4 && owner.is_some() {
                    let list = signed.split("SignedHeaders=").nth(1).unwrap();
                    assert!(list.contains(FIELD), "{what}: {signed}");
                }
            }
            outcomes
        };
        let usual = run(None).await;
        let wrong = run(Some(OTHER)).await;
        if store.lacks(Feature::ExpectedOwners) {
            assert_eq!(wrong, usual, "it is overlooked");
        } else {
            for (name, outcome) in wrong {
                let (status, code) = outcome.expect_err(name);
                assert_eq!(status, Some(403), "{name}: {code:?}");
                // The answer to a HEAD has no code.
                assert!(code.is_none_or(|code| code == "AccessDenied"), "{name}");
            }
        }
        if let Some(account) = store.account() {
            assert_eq!(run(Some(account)).await, usual);
        }
    }
}
