//! Who may do what with an object.

use s3_client::config::{CannedAcl, Grant, Grantee, Permission};

use crate::store::Store;

#[tokio::test]
async fn access_control() {
    let store = Store::start().await;
    let bucket = store.bucket().await;
    bucket.put("k", "x").await.unwrap();
    let first = bucket.get_object_acl("k").await.unwrap();
    assert_eq!(first.grants.len(), 1);
    let everybody = Some(Grantee::group(Grantee::ALL_USERS));
    bucket
        .put("k", "x")
        .acl(CannedAcl::PublicRead)
        .await
        .unwrap();
    let public = bucket.get_object_acl("k").await.unwrap();
    let reads = |grant: &&Grant| grant.grantee == everybody;
    let grant = public.grants.iter().find(reads).unwrap();
    assert_eq!(grant.permission, Some(Permission::Read));
    bucket
        .put_object_acl("k", CannedAcl::Private)
        .await
        .unwrap();
    let private = bucket.get_object_acl("k").await.unwrap();
    assert_eq!(private.grants.len(), 1);

    // A list is stored as it was fetched and changed.
    let mut acl = private.clone();
    acl.grants.push(
        Grant::new()
            .grantee(Grantee::group(Grantee::AUTHENTICATED_USERS))
            .permission(Permission::ReadAcp),
    );
    bucket.put_object_acl("k", acl).await.unwrap();
    let changed = bucket.get_object_acl("k").await.unwrap();
    assert_eq!(changed.grants.len(), 2);
    assert_eq!(changed.owner, first.owner);
    let grant = bucket.put("granted", "x");
    let grant = grant.grant(Permission::Read, Grantee::group(Grantee::ALL_USERS));
    grant.await.unwrap();
    let granted = bucket.get_object_acl("granted").await.unwrap();
    assert!(
        granted
            .grants
            .iter()
            .any(|grant| grant.grantee == everybody)
    );

    let missing = bucket.get_object_acl("no").await.unwrap_err();
    assert!(missing.is_not_found());
    let unknown = bucket.put_object_acl("k", CannedAcl::from("mine")).await;
    assert_eq!(unknown.unwrap_err().status(), Some(400));
}
