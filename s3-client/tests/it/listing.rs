//! Listings.

use s3_client::Kind;

use crate::store::Store;

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
