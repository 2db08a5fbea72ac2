//! Listings.

use aws_core::transport::ResponseFuture;
use pipeline_pool::{Head, Origin, Request, Response};
use s3_client::config::{Status, Versioning};
use s3_client::transport::Transport;
use s3_client::{Credentials, Kind, S3Client};

use crate::store::{Feature, Store};

#[tokio::test]
async fn listings_come_in_pages() {
    let store = Store::start().await;
    let photos = store.bucket().await;
    for i in 0..25 {
        photos.put(format!("2009/{i:02}.jpg"), "x").await.unwrap();
        photos
            .put(format!("2010/{}/{i:02}.jpg", i % 3), "x")
            .await
            .unwrap();
    }
    let objects = photos
        .list()
        .prefix("2009/")
        .page_size(10)
        .objects()
        .try_collect_all()
        .await
        .unwrap();
    assert_eq!(objects.len(), 25);
    assert!(objects.is_sorted_by(|a, b| a.key < b.key));
    assert!(
        objects
            .iter()
            .all(|o| o.size == 1 && o.etag.is_some() && o.last_modified.is_some())
    );
    let after = photos
        .list()
        .prefix("2009/")
        .start_after("2009/22.jpg")
        .await
        .unwrap();
    assert_eq!(after.objects.len(), 2);
    let mut pages = photos
        .list()
        .delimiter("/")
        .prefix("2010/")
        .page_size(2)
        .pages();
    let mut prefixes = Vec::new();
    while let Some(page) = pages.try_next().await.unwrap() {
        assert!(page.objects.is_empty() && page.prefixes.len() <= 2);
        prefixes.extend(page.prefixes);
    }
    assert_eq!(prefixes, ["2010/0/", "2010/1/", "2010/2/"]);
    assert_eq!(
        photos.list().page_size(1001).await.unwrap_err().kind(),
        Kind::Invalid
    );
}

#[tokio::test]
async fn the_first_version_of_listing() {
    let store = Store::start().await;
    let photos = store.bucket().await;
    let mut keys: Vec<String> = (0..7).map(|i| format!("a/{i}")).collect();
    keys.extend([
        "b c+d%".to_owned(),
        "e\u{1}f".to_owned(),
        "\u{e9}/\u{1f600}".to_owned(),
    ]);
    for key in &keys {
        photos.put(key, "x").await.unwrap();
    }
    keys.sort();
    let listed = photos.list_v1().page_size(3).objects();
    let listed = listed.try_collect_all().await.unwrap();
    let names: Vec<_> = listed.iter().map(|object| &object.key).collect();
    assert_eq!(names, keys.iter().collect::<Vec<_>>());
    assert!(listed.iter().all(|object| object.owner.is_some()));

    let mut pages = photos.list_v1().delimiter("/").page_size(2).pages();
    let (mut objects, mut prefixes) = (Vec::new(), Vec::new());
    while let Some(page) = pages.try_next().await.unwrap() {
        assert!(page.objects.len() + page.prefixes.len() <= 2);
        objects.extend(page.objects.into_iter().map(|object| object.key));
        prefixes.extend(page.prefixes);
    }
    assert_eq!(objects, ["b c+d%", "e\u{1}f"]);
    assert_eq!(prefixes, ["a/", "\u{e9}/"]);
    let page = photos.list_v1().prefix("a/").marker("a/4").await.unwrap();
    assert_eq!(page.objects.len(), 2);
    assert_eq!(page.next_token, None);
    let page = photos.list_v1().prefix("a/").page_size(2).await.unwrap();
    assert_eq!(page.next_token.as_deref(), Some("a/1"));
    let none = photos.list_v1().page_size(0).await.unwrap_err();
    assert_eq!(none.kind(), Kind::Invalid);
}

#[tokio::test]
async fn owners_are_told_when_asked() {
    let store = Store::start().await;
    let photos = store.bucket().await;
    photos.put("k", "x").await.unwrap();
    let asked = photos.list().fetch_owner(true).await.unwrap();
    assert!(asked.objects[0].owner.is_some());
    let asked = photos.list().restore_status(true).await.unwrap();
    assert_eq!(asked.objects[0].restore, None);
}

#[tokio::test]
async fn versions_are_listed() {
    let store = Store::start().await;
    let photos = store.bucket().await;
    photos.put("a b", "0").await.unwrap();
    photos
        .put_config(Versioning::from(Status::Enabled))
        .await
        .unwrap();
    for key in ["a b", "c+\u{1}", "d/1", "d/2"] {
        photos.put(key, "1").await.unwrap();
        photos.put(key, "22").await.unwrap();
    }
    photos.delete("c+\u{1}").await.unwrap();

    let all = photos.list_versions().page_size(2).versions();
    let mut all = all.try_collect_all().await.unwrap();
    all.sort_by(|a, b| a.key.cmp(&b.key));
    let of = |key: &str| {
        all.iter()
            .filter(|v| v.key == key)
            .cloned()
            .collect::<Vec<_>>()
    };
    let first = of("a b");
    assert_eq!(first.len(), 3);
    assert!(first.iter().any(|version| version.version_id == "null"));
    assert_eq!(first.iter().filter(|version| version.is_latest).count(), 1);
    let latest = first.iter().find(|version| version.is_latest).unwrap();
    assert_eq!((latest.size, latest.is_marker), (2, false));
    assert!(latest.etag.is_some() && latest.last_modified.is_some());
    let deleted = of("c+\u{1}");
    assert_eq!(deleted.len(), 3);
    assert!(
        deleted
            .iter()
            .any(|version| version.is_marker && version.is_latest)
    );
    assert_eq!(all.len(), 10);
    let mut ids: Vec<_> = all.iter().map(|v| (&v.key, &v.version_id)).collect();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 10);

    let mut pages = photos.list_versions().delimiter("/").page_size(1).pages();
    let mut prefixes = Vec::new();
    while let Some(page) = pages.try_next().await.unwrap() {
        assert!(page.versions.len() + page.prefixes.len() <= 1, "{page:?}");
        prefixes.extend(page.prefixes);
    }
    assert_eq!(prefixes, ["d/"]);
    let after = photos.list_versions().key_marker("d/1").await.unwrap();
    let left: Vec<_> = after.versions.iter().map(|v| v.key.as_str()).collect();
    if store.lacks(Feature::KeyMarkerOfAllVersions) {
        assert_eq!(left, ["d/1", "d/1", "d/2", "d/2"]);
    } else {
        assert_eq!(left, ["d/2", "d/2"]);
    }
    let lone = photos
        .list_versions()
        .version_marker("v")
        .await
        .unwrap_err();
    assert_eq!(lone.kind(), Kind::Invalid);
    let page = photos.list_versions().page_size(1).await.unwrap();
    let marked = photos.list_versions().key_marker(page.next_key.unwrap());
    let second = marked
        .version_marker(page.next_version.unwrap())
        .page_size(1)
        .await
        .unwrap();
    assert_eq!(second.versions[0].key, "a b");
    assert_ne!(second.versions[0].version_id, page.versions[0].version_id);
}

/// A store whose pages lead to each other in a circle.
#[derive(Debug)]
struct Circle;

impl Transport for Circle {
    fn send(&self, _: &Origin, request: Request) -> ResponseFuture {
        let target = request.target();
        let after = |name: &str| {
            let (_, rest) = target.split_once(&format!("{name}="))?;
            rest.split('&').next()?.parse::<u32>().ok()
        };
        let last = ["continuation-token", "&marker", "key-marker"]
            .iter()
            .find_map(|name| after(name));
        let next = (last.unwrap_or(0) + 1) % 5;
        let root = if target.contains("versions=") {
            "ListVersionsResult"
        } else if target.contains("?uploads") {
            "ListMultipartUploadsResult"
        } else {
            "ListBucketResult"
        };
        let page = format!(
            "<{root}><IsTruncated>true</IsTruncated><NextContinuationToken>{next}</NextContinuationToken>\
             <NextMarker>{next}</NextMarker><NextKeyMarker>{next}</NextKeyMarker></{root}>"
        );
        ResponseFuture::ready(Ok(Response::new(
            Head::new(200, []),
            bytes::Bytes::from(page),
        )))
    }
}

#[tokio::test]
async fn a_listing_in_circles_is_an_error() {
    let keys = Credentials::new("id", "secret");
    let client = S3Client::builder().endpoint("http://h").credentials(keys);
    let photos = client.transport(Circle).build().unwrap().bucket("photos");
    let errors = [
        photos
            .list()
            .objects()
            .try_next()
            .await
            .map(drop)
            .unwrap_err(),
        photos
            .list_v1()
            .objects()
            .try_next()
            .await
            .map(drop)
            .unwrap_err(),
        photos
            .list_versions()
            .versions()
            .try_next()
            .await
            .map(drop)
            .unwrap_err(),
        photos
            .list_multipart()
            .stream()
            .try_next()
            .await
            .map(drop)
            .unwrap_err(),
    ];
    for error in errors {
        assert_eq!(error.kind(), Kind::Protocol);
        assert!(error.to_string().contains("does not get on"), "{error}");
    }
}
