//! Documents that say who may do what with a bucket.

#![allow(
    clippy::unwrap_used,
    reason = "this is test code outside of a test function"
)]

use s3_client::config::{
    Acl, CannedAcl, Grant, Grantee, Permission, Policy, PolicyStatus, PublicAccessBlock,
};

use s3_client::Kind;

use crate::store::{Feature, Store};

#[tokio::test]
async fn access_control_lists() {
    let store = Store::start().await;
    let bucket = store.bucket().await;
    let first = bucket.get_config::<Acl>().await.unwrap();
    let owner = first.owner.clone().unwrap();
    assert_eq!(first.grants.len(), 1);
    assert_eq!(first.grants[0].permission, Some(Permission::FullControl));

    bucket.put_config(CannedAcl::PublicRead).await.unwrap();
    let public = bucket.get_config::<Acl>().await.unwrap();
    let everybody = Grant::new()
        .grantee(Grantee::group(Grantee::ALL_USERS))
        .permission(Permission::Read);
    assert!(public.grants.contains(&everybody), "{public:?}");

    let id = owner.id.clone().unwrap();
    let acl = Acl::new()
        .owner(owner)
        .grant(
            Grant::new()
                .grantee(Grantee::account(&*id))
                .permission(Permission::FullControl),
        )
        .grant(
            Grant::new()
                .grantee(Grantee::group(Grantee::AUTHENTICATED_USERS))
                .permission(Permission::ReadAcp),
        );
    bucket.put_config(acl).await.unwrap();
    let now = bucket.get_config::<Acl>().await.unwrap();
    assert_eq!(now.grants.len(), 2);
    let has = |p: Permission| now.grants.iter().any(|g| g.permission.as_ref() == Some(&p));
    assert!(
        has(Permission::FullControl) && has(Permission::ReadAcp),
        "{now:?}"
    );
    // What was fetched can be stored as it is.
    bucket.put_config(now.clone()).await.unwrap();
    assert_eq!(bucket.get_config::<Acl>().await.unwrap(), now);

    let made = store.client().bucket(store.name());
    made.create().acl(CannedAcl::PublicRead).await.unwrap();
    assert!(
        made.get_config::<Acl>()
            .await
            .unwrap()
            .grants
            .contains(&everybody)
    );
    let made = store.client().bucket(store.name());
    let create = made
        .create()
        .grant(Permission::Read, Grantee::group(Grantee::ALL_USERS));
    create
        .grant(Permission::FullControl, Grantee::account(&*id))
        .await
        .unwrap();
    assert!(
        made.get_config::<Acl>()
            .await
            .unwrap()
            .grants
            .contains(&everybody)
    );

    let odd = bucket
        .put_config(CannedAcl::from("mine"))
        .await
        .unwrap_err();
    assert_eq!(odd.status(), Some(400), "{odd}");
    assert!(
        made.create()
            .grant("DANCE", Grantee::account("x"))
            .await
            .is_err()
    );
}

#[tokio::test]
async fn policies() {
    let store = Store::start().await;
    let bucket = store.bucket().await;
    assert_eq!(
        bucket.get_config::<Policy>().await.unwrap_err().code(),
        Some("NoSuchBucketPolicy")
    );
    let text = format!(
        r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::{}/*"}}]}}"#,
        bucket.name()
    );
    bucket
        .put_config(Policy::from(text.as_str()))
        .await
        .unwrap();
    assert_eq!(bucket.get_config::<Policy>().await.unwrap().as_str(), text);
    assert!(bucket.get_config::<PolicyStatus>().await.unwrap().is_public);
    bucket
        .put_config(Policy::from(text.replace("Allow", "Deny")))
        .await
        .unwrap();
    assert!(!bucket.get_config::<PolicyStatus>().await.unwrap().is_public);
    let bad = bucket
        .put_config(Policy::from("{\"Statement\":1"))
        .await
        .unwrap_err();
    assert_eq!(bad.status(), Some(400), "{bad}");
    bucket.delete_config::<Policy>().await.unwrap();
    bucket.delete_config::<Policy>().await.unwrap();
    assert!(
        bucket
            .get_config::<Policy>()
            .await
            .unwrap_err()
            .is_not_found()
    );
    let long = bucket
        .put_config(Policy::new("x".repeat(20_481)))
        .await
        .unwrap_err();
    assert_eq!(long.kind(), Kind::Invalid);
}

#[tokio::test]
async fn public_access() {
    let store = Store::start().await;
    let bucket = store.bucket().await;
    let unset = bucket.get_config::<PublicAccessBlock>().await;
    check_unset(&store, unset);
    let block = PublicAccessBlock::new()
        .block_public_acls(true)
        .ignore_public_acls(false)
        .block_public_policy(true)
        .restrict_public_buckets(false);
    bucket.put_config(block.clone()).await.unwrap();
    assert_eq!(
        bucket.get_config::<PublicAccessBlock>().await.unwrap(),
        block
    );
    bucket.delete_config::<PublicAccessBlock>().await.unwrap();
    check_unset(&store, bucket.get_config::<PublicAccessBlock>().await);
}

/// No block was stored.
fn check_unset(store: &Store, answer: s3_client::Result<PublicAccessBlock>) {
    let block = answer
        .as_ref()
        .ok()
        .and_then(|block| block.block_public_acls);
    let code = answer.as_ref().err().and_then(|error| error.code());
    if store.lacks(Feature::UnsetPublicAccessBlock) {
        assert_eq!((block, code), (Some(false), None));
    } else {
        let missing = Some("NoSuchPublicAccessBlockConfiguration");
        assert_eq!((block, code), (None, missing));
    }
}
