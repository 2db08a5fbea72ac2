//! Documents about buckets.

#![allow(
    clippy::unwrap_used,
    reason = "this is test code outside of a test function"
)]

use s3_client::config::{
    AbortUploads, Accelerate, Cors, CorsRule, DefaultEncryption, DeleteMarkerReplication,
    Encryption, EncryptionRule, Expiration, IndexDocument, Lifecycle, LifecycleAnd,
    LifecycleFilter, LifecycleRule, Location, Logging, NoncurrentExpiration, Notification,
    ObjectOwnership, Ownership, Payer, Redirect, Replication, ReplicationDestination,
    ReplicationFilter, ReplicationRule, RequestPayment, RoutingCondition, RoutingRule, Status,
    Tagging, Transition, Versioning, Website,
};

use s3_client::{Bucket, Kind};

use crate::store::{Feature, Store};

#[tokio::test]
async fn where_a_bucket_is() {
    let store = Store::start().await;
    let bucket = store.bucket().await;
    let location = bucket.get_config::<Location>().await.unwrap();
    if store.lacks(Feature::Regions) {
        // The name of all that it has, which its administrator chose.
        let here = std::env::var("S3_TEST_LOCATION").unwrap_or("default".into());
        assert_eq!(location.constraint, here);
        let same = store.client().bucket(store.name());
        same.create().location(&*here).await.unwrap();
        assert_eq!(same.get_config::<Location>().await.unwrap(), location);
        let elsewhere = store.client().bucket(store.name());
        let refused = elsewhere.create().location("ap-south-2").await.unwrap_err();
        assert_eq!(refused.code(), Some("InvalidLocationConstraint"));
    } else {
        assert_eq!(
            (location.constraint.as_str(), location.region()),
            ("", "us-east-1")
        );
        let west = store.client().bucket(store.name());
        west.create().location("eu-west-1").await.unwrap();
        assert_eq!(
            west.get_config::<Location>().await.unwrap().region(),
            "eu-west-1"
        );
    }
    let nowhere = store.client().bucket(store.name());
    assert!(
        nowhere
            .get_config::<Location>()
            .await
            .unwrap_err()
            .is_not_found()
    );
    let refused = nowhere.create().location("</x>").await.unwrap_err();
    assert_eq!(refused.kind(), Kind::Invalid);
    let unknown = nowhere.create().location("us-east-1").await.unwrap_err();
    assert_eq!(unknown.code(), Some("InvalidLocationConstraint"));
}

#[tokio::test]
async fn versioning() {
    let store = Store::start().await;
    let bucket = store.bucket().await;
    assert_eq!(
        bucket.get_config::<Versioning>().await.unwrap(),
        Versioning::new()
    );
    for status in [Status::Enabled, Status::Suspended] {
        bucket
            .put_config(Versioning::from(status.clone()))
            .await
            .unwrap();
        let now = bucket.get_config::<Versioning>().await.unwrap();
        assert_eq!(now.status, Some(status));
    }
    let error = bucket.put_config(Versioning::new()).await.unwrap_err();
    assert_eq!(error.status(), Some(400), "{error}");
}

#[tokio::test]
async fn cors() {
    let store = Store::start().await;
    let bucket = store.bucket().await;
    let missing = bucket.get_config::<Cors>().await.unwrap_err();
    assert!(missing.is_not_found() && missing.code() == Some("NoSuchCORSConfiguration"));
    let cors = Cors::new()
        .rule(
            CorsRule::new()
                .id("first & <last>")
                .allowed_method("GET")
                .allowed_method("PUT")
                .allowed_origin("https://example.com")
                .allowed_header("x-amz-*")
                .expose_header("etag")
                .max_age_seconds(600),
        )
        .rule(
            CorsRule::new()
                .id("2")
                .allowed_method("HEAD")
                .allowed_origin("*"),
        );
    bucket.put_config(cors.clone()).await.unwrap();
    let now = bucket.get_config::<Cors>().await.unwrap();
    assert_eq!(now.rules.len(), 2);
    for rule in &cors.rules {
        let stored = now
            .rules
            .iter()
            .find(|stored| stored.id == rule.id)
            .unwrap();
        let sorted = |all: &[String]| {
            let mut all = all.to_vec();
            all.sort();
            all
        };
        assert_eq!(
            sorted(&stored.allowed_methods),
            sorted(&rule.allowed_methods)
        );
        assert_eq!(stored.allowed_origins, rule.allowed_origins);
        assert_eq!(stored.allowed_headers, rule.allowed_headers);
        assert_eq!(stored.max_age_seconds, rule.max_age_seconds);
    }
    bucket.delete_config::<Cors>().await.unwrap();
    bucket.delete_config::<Cors>().await.unwrap();
    assert!(
        bucket
            .get_config::<Cors>()
            .await
            .unwrap_err()
            .is_not_found()
    );
    let empty = bucket.put_config(Cors::new()).await.unwrap_err();
    assert_eq!(empty.code(), Some("MalformedXML"));
}

#[tokio::test]
async fn lifecycles() {
    let store = Store::start().await;
    let bucket = store.bucket().await;
    let missing = bucket.get_config::<Lifecycle>().await.unwrap_err();
    assert_eq!(missing.code(), Some("NoSuchLifecycleConfiguration"));
    let day = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_893_456_000);
    let rule = |id: &str| LifecycleRule::new().id(id).status(Status::Enabled);
    let both = LifecycleAnd::new()
        .prefix("a/")
        .tag(("k", "v & w"))
        .tag(("l", ""));
    let lifecycle = Lifecycle::new()
        .rule(
            rule("days")
                .filter(LifecycleFilter::new().prefix("thumbs/"))
                .expiration(Expiration::new().days(30))
                .noncurrent_expiration(NoncurrentExpiration::new().noncurrent_days(7))
                .abort_uploads(AbortUploads::new().days_after_initiation(3)),
        )
        .rule(
            rule("date")
                .filter(LifecycleFilter::new().and(both.clone()))
                .status(Status::Disabled)
                .expiration(Expiration::new().date(day)),
        )
        .rule(
            rule("markers")
                .filter(LifecycleFilter::new().prefix("m/"))
                .expiration(Expiration::new().expired_object_delete_marker(true)),
        );
    bucket.put_config(lifecycle.clone()).await.unwrap();
    let now = bucket.get_config::<Lifecycle>().await.unwrap();
    let of = |id: &str| {
        let mut rules = now.rules.iter();
        rules.find(|rule| rule.id.as_deref() == Some(id)).unwrap()
    };
    let days = of("days");
    assert_eq!(days.status, Some(Status::Enabled));
    assert_eq!(
        days.filter.as_ref().unwrap().prefix.as_deref(),
        Some("thumbs/")
    );
    assert_eq!(days.expiration.as_ref().unwrap().days, Some(30));
    assert_eq!(
        days.noncurrent_expiration.as_ref().unwrap().noncurrent_days,
        Some(7)
    );
    assert_eq!(
        days.abort_uploads.as_ref().unwrap().days_after_initiation,
        Some(3)
    );
    let date = of("date");
    assert_eq!(date.status, Some(Status::Disabled));
    assert_eq!(date.expiration.as_ref().unwrap().date, Some(day));
    assert_eq!(date.filter.as_ref().unwrap().and, Some(both));
    let markers = of("markers").expiration.as_ref().unwrap();
    assert_eq!(markers.expired_object_delete_marker, Some(true));
    // What was fetched can be stored as it is.
    bucket.put_config(now.clone()).await.unwrap();
    assert_eq!(bucket.get_config::<Lifecycle>().await.unwrap(), now);

    let glacier = Transition::new().days(30).storage_class("GLACIER");
    let filter = LifecycleFilter::new();
    let moved = Lifecycle::new().rule(rule("moves").filter(filter).transition(glacier.clone()));
    bucket.put_config(moved).await.unwrap();
    let now = bucket.get_config::<Lifecycle>().await.unwrap();
    assert_eq!(now.rules[0].transitions, [glacier]);
    bucket.delete_config::<Lifecycle>().await.unwrap();
    assert!(
        bucket
            .get_config::<Lifecycle>()
            .await
            .unwrap_err()
            .is_not_found()
    );
    let empty = bucket.put_config(Lifecycle::new()).await.unwrap_err();
    assert_eq!(empty.status(), Some(400), "{empty}");
}

#[tokio::test]
async fn tags() {
    let store = Store::start().await;
    let bucket = store.bucket().await;
    assert_eq!(
        bucket.get_config::<Tagging>().await.unwrap_err().code(),
        Some("NoSuchTagSet")
    );
    let tagging: Tagging = [("project", "caf\u{e9} & <tea>"), ("team", "")]
        .into_iter()
        .collect();
    bucket.put_config(tagging.clone()).await.unwrap();
    let mut now = bucket.get_config::<Tagging>().await.unwrap();
    now.tags.sort_by(|a, b| a.key.cmp(&b.key));
    assert_eq!(now, tagging);
    bucket.delete_config::<Tagging>().await.unwrap();
    bucket.delete_config::<Tagging>().await.unwrap();
    assert!(
        bucket
            .get_config::<Tagging>()
            .await
            .unwrap_err()
            .is_not_found()
    );
    let many: Tagging = (0..51).map(|i| (i.to_string(), "")).collect();
    assert_eq!(
        bucket.put_config(many).await.unwrap_err().kind(),
        Kind::Invalid
    );
}

#[tokio::test]
async fn websites() {
    let store = Store::start().await;
    let bucket = store.bucket().await;
    let rule = RoutingRule::new()
        .condition(RoutingCondition::new().key_prefix_equals("docs/"))
        .redirect(
            Redirect::new()
                .host_name("example.com")
                .replace_key_prefix_with("doc/"),
        );
    let website = Website::new()
        .index_document(IndexDocument::new().suffix("index.html"))
        .routing_rule(rule);
    let put = bucket.put_config(website.clone()).await;
    if store.lacks(Feature::Websites) {
        assert_eq!(put.unwrap_err().status(), Some(405));
        return;
    }
    put.unwrap();
    assert_eq!(bucket.get_config::<Website>().await.unwrap(), website);
    bucket.delete_config::<Website>().await.unwrap();
    let missing = bucket.get_config::<Website>().await.unwrap_err();
    assert_eq!(missing.code(), Some("NoSuchWebsiteConfiguration"));
    let bad = Website::new().index_document(IndexDocument::new().suffix("a/b"));
    assert_eq!(
        bucket.put_config(bad).await.unwrap_err().status(),
        Some(400)
    );
}

#[tokio::test]
async fn who_pays() {
    let store = Store::start().await;
    let bucket = store.bucket().await;
    for payer in [Payer::BucketOwner, Payer::Requester] {
        let payment = RequestPayment::new().payer(payer);
        bucket.put_config(payment.clone()).await.unwrap();
        assert_eq!(
            bucket.get_config::<RequestPayment>().await.unwrap(),
            payment
        );
    }
}

#[tokio::test]
async fn what_amazon_alone_has() {
    let store = Store::start().await;
    let bucket = store.bucket().await;
    if store.lacks(Feature::AmazonsConfigs) {
        return what_is_said_instead(&bucket).await;
    }
    let ownership = bucket.get_config::<Ownership>().await.unwrap_err();
    assert_eq!(ownership.code(), Some("OwnershipControlsNotFoundError"));
    bucket
        .put_config(Ownership::from(ObjectOwnership::ObjectWriter))
        .await
        .unwrap();
    assert_eq!(
        bucket.get_config::<Ownership>().await.unwrap(),
        ObjectOwnership::ObjectWriter.into()
    );
    bucket.delete_config::<Ownership>().await.unwrap();

    let aes = DefaultEncryption::new().algorithm("AES256");
    let encryption = Encryption::new().rule(EncryptionRule::new().by_default(aes.clone()));
    bucket.put_config(encryption.clone()).await.unwrap();
    assert_eq!(bucket.get_config::<Encryption>().await.unwrap(), encryption);
    bucket.delete_config::<Encryption>().await.unwrap();
    let default = bucket.get_config::<Encryption>().await.unwrap();
    assert_eq!(default.rules[0].by_default, Some(aes));

    assert_eq!(
        bucket.get_config::<Logging>().await.unwrap(),
        Logging::new()
    );
    assert_eq!(
        bucket.get_config::<Notification>().await.unwrap(),
        Notification::new()
    );
    assert_eq!(
        bucket.get_config::<Accelerate>().await.unwrap().status,
        None
    );
}

/// Parameters that RGW 16 does not know are overlooked: it lists the bucket, creates it, or deletes it.
async fn what_is_said_instead(bucket: &Bucket) {
    bucket.put("k", "so that it is not deleted").await.unwrap();
    for listed in [
        bucket.get_config::<Ownership>().await.unwrap_err(),
        bucket.get_config::<Accelerate>().await.unwrap_err(),
        bucket.get_config::<Encryption>().await.unwrap_err(),
    ] {
        assert_eq!(listed.kind(), Kind::Protocol);
        assert!(listed.to_string().contains("ListBucketResult"), "{listed}");
    }
    let aes = DefaultEncryption::new().algorithm("AES256");
    let encryption = Encryption::new().rule(EncryptionRule::new().by_default(aes));
    let owner = Ownership::from(ObjectOwnership::ObjectWriter);
    for created in [
        bucket.put_config(encryption).await.unwrap_err(),
        bucket.put_config(owner).await.unwrap_err(),
    ] {
        let said = (created.status(), created.code());
        assert_eq!(said, (Some(400), Some("InvalidArgument")), "{created}");
    }
    for deleted in [
        bucket.delete_config::<Encryption>().await.unwrap_err(),
        bucket.delete_config::<Ownership>().await.unwrap_err(),
    ] {
        let said = (deleted.status(), deleted.code());
        assert_eq!(said, (Some(409), Some("BucketNotEmpty")), "{deleted}");
    }
    assert_eq!(
        bucket.get_config::<Logging>().await.unwrap(),
        Logging::new()
    );
    let logging = bucket.put_config(Logging::new()).await.unwrap_err();
    assert_eq!(logging.status(), Some(405), "{logging}");
    assert_eq!(
        bucket.get_config::<Notification>().await.unwrap(),
        Notification::new()
    );
}

#[tokio::test]
async fn replication() {
    let store = Store::start().await;
    let bucket = store.bucket().await;
    let rule = ReplicationRule::new()
        .id("all")
        .priority(1)
        .filter(ReplicationFilter::new().prefix("logs/"))
        .status(Status::Enabled)
        .delete_markers(DeleteMarkerReplication::new().status(Status::Disabled))
        .destination(ReplicationDestination::new().bucket("arn:aws:s3:::elsewhere"));
    let replication = Replication::new()
        .role("arn:aws:iam::123456789012:role/replication")
        .rule(rule);
    let missing = bucket.get_config::<Replication>().await;
    if store.lacks(Feature::AmazonsConfigs) {
        assert_eq!(missing.unwrap(), Replication::new());
        return;
    }
    let missing = missing.unwrap_err();
    assert_eq!(
        missing.code(),
        Some("ReplicationConfigurationNotFoundError")
    );
    let unversioned = bucket.put_config(replication.clone()).await;
    assert_eq!(unversioned.unwrap_err().code(), Some("InvalidRequest"));
    bucket
        .put_config(Versioning::from(Status::Enabled))
        .await
        .unwrap();
    bucket.put_config(replication.clone()).await.unwrap();
    assert_eq!(
        bucket.get_config::<Replication>().await.unwrap(),
        replication
    );
    bucket.delete_config::<Replication>().await.unwrap();
    assert!(
        bucket
            .get_config::<Replication>()
            .await
            .unwrap_err()
            .is_not_found()
    );
    let none = bucket.put_config(Replication::new()).await;
    assert_eq!(none.unwrap_err().kind(), Kind::Invalid);
}
