//! XML that clients keep with the server.

use bytes::Bytes;
use cloud_stores::Kind;

use crate::kit::{World, jid};

const NOTES: &str = "storage:rosternotes";
const MARKS: &str = "storage:bookmarks";

fn xml(text: &'static str) -> Bytes {
    Bytes::from_static(text.as_bytes())
}

#[tokio::test]
async fn elements_come_back() {
    let world = World::start().await;
    let private = world.stores.private();
    let ann = jid("ann");
    let long = "urn:".to_owned() + &"x".repeat(3000);
    private
        .set(
            &ann,
            &[
                (NOTES, xml("<n/>")),
                (MARKS, xml("<m/>")),
                ("", xml("<e/>")),
            ],
        )
        .await
        .unwrap();
    private
        .set(&ann, &[(&*long, xml("<l/>")), ("a/b c", xml("<s/>"))])
        .await
        .unwrap();
    private
        .set(&jid("anna"), &[(NOTES, xml("<other/>"))])
        .await
        .unwrap();
    for (namespace, element) in [
        (NOTES, "<n/>"),
        ("", "<e/>"),
        (&long, "<l/>"),
        ("a/b c", "<s/>"),
    ] {
        assert_eq!(
            private.get(&ann, namespace).await.unwrap().unwrap(),
            element
        );
    }
    assert_eq!(private.get(&ann, "urn:xx").await.unwrap(), None);
    private
        .set(&ann, &[(NOTES, xml("<n>2</n>"))])
        .await
        .unwrap();
    assert_eq!(private.get(&ann, NOTES).await.unwrap().unwrap(), "<n>2</n>");
    assert_eq!(private.all(&ann).await.unwrap().len(), 5);
    private.remove(&ann).await.unwrap();
    private.remove(&ann).await.unwrap();
    assert!(private.all(&ann).await.unwrap().is_empty());
    assert_eq!(
        world.left().await,
        ["it/private/anna@example.com/storage%3Arosternotes"]
    );
}

#[tokio::test]
async fn each_action_asks_for_as_much_as_it_says() {
    let world = World::start().await;
    let private = world.stores.private();
    let ann = jid("ann");
    let both = [(NOTES, xml("<n/>")), (MARKS, xml("<m/>"))];
    let (_, requests) = world.requests(private.set(&ann, &both)).await;
    assert_eq!(requests, ["PutObject"; 2]);
    let (_, requests) = world.requests(private.get(&ann, NOTES)).await;
    assert_eq!(requests, ["GetObject"]);
    let (_, requests) = world.requests(private.all(&ann)).await;
    assert_eq!(requests, ["ListObjectsV2", "GetObject", "GetObject"]);
    let (_, requests) = world.requests(private.remove(&ann)).await;
    assert_eq!(requests, ["ListObjectsV2", "DeleteObjects"]);
    let (_, requests) = world.requests(private.remove(&ann)).await;
    assert_eq!(requests, ["ListObjectsV2"]);
}

#[tokio::test]
async fn an_element_over_the_limit_is_named_and_nothing_is_sent() {
    let world = World::start().await;
    let large = Bytes::from(vec![b'x'; (4 << 20) + 1]);
    let set = [(NOTES, xml("<n/>")), (MARKS, large)];
    let private = world.stores.private();
    let (error, requests) = world.requests(private.set(&jid("ann"), &set)).await;
    let error = error.unwrap_err();
    assert_eq!(error.kind(), Kind::TooLarge);
    assert_eq!(
        error.message(),
        "the element has 4194305 bytes, over the limit of 4194304"
    );
    assert!(requests.is_empty());
}

#[tokio::test]
async fn a_cache_knows_that_there_is_none_and_is_told_when_there_is() {
    let world = World::cached().await;
    let private = world.stores.private();
    let ann = jid("ann");
    assert_eq!(private.get(&ann, NOTES).await.unwrap(), None);
    let (none, requests) = world.requests(private.get(&ann, NOTES)).await;
    assert!(
        none.unwrap().is_none() && requests.is_empty(),
        "{requests:?}"
    );
    private.set(&ann, &[(NOTES, xml("<n/>"))]).await.unwrap();
    assert_eq!(private.get(&ann, NOTES).await.unwrap().unwrap(), "<n/>");
    // What another node stores is listed, and then not absent.
    assert_eq!(private.get(&ann, MARKS).await.unwrap(), None);
    let other = world.another(|builder| builder).await;
    other
        .private()
        .set(&ann, &[(MARKS, xml("<m/>"))])
        .await
        .unwrap();
    assert_eq!(private.all(&ann).await.unwrap().len(), 2);
}

#[tokio::test]
async fn an_outage_is_no_absence() {
    let world = World::start().await;
    let private = world.stores.private();
    world.outage();
    for error in [
        private.get(&jid("ann"), NOTES).await.unwrap_err(),
        private.all(&jid("ann")).await.unwrap_err(),
        private
            .set(&jid("ann"), &[(NOTES, xml("<n/>"))])
            .await
            .unwrap_err(),
        private.remove(&jid("ann")).await.unwrap_err(),
    ] {
        assert_eq!(
            (error.kind(), error.about()),
            (Kind::Unavailable, "private data of ann@example.com")
        );
    }
    // A bucket that is gone, and a page of something on the way, are no absence either.
    world.calm();
    let page = "HTTP/1.1 404 Not Found\r\ncontent-length: 9\r\n\r\nNot found";
    let page = emulator::Rule::new(emulator::Fault::garbage(page)).operation("GetObject");
    world.faults().add(page);
    let error = private.get(&jid("ann"), NOTES).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Unavailable);
    world.calm();
    let (bucket, _) = world.clients();
    bucket.purge().await.unwrap();
    bucket.delete_bucket().await.unwrap();
    let error = private.get(&jid("ann"), NOTES).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Unavailable);
}
