//! Batches of any number of items, the size of a domain, and what each operation costs.

use sdb_client::request::RetryConfig;
use sdb_client::{Code, DeleteItem, Kind, PutItem};

use crate::common::{Act, Script, builder, domain, emulator, error, pairs};

fn numbered(n: usize) -> PutItem {
    PutItem::new(format!("i{n:03}")).replace("n", n.to_string())
}

#[tokio::test]
async fn any_number_of_items_goes_in_legal_batches() {
    let service = emulator().await;
    let script = Script::new(|_| Act::Pass);
    let sdb = builder(&service).transport(script.clone()).build().unwrap();
    let users = sdb.domain("users");
    users.create().await.unwrap();
    let put = users.batch_put().items((0..60).map(numbered)).parallel(2);
    let done = put.await.unwrap();
    assert_eq!(done.failures().count(), 0);
    let sizes: Vec<_> = done.batches.iter().map(|b| b.items.len()).collect();
    assert_eq!(
        (sizes, script.count("BatchPutAttributes")),
        (vec![25, 25, 10], 3)
    );
    assert_eq!(done.batches[1].items[0], "i025");
    let usage = done.into_result().unwrap();
    assert!(usage.requests == 3 && usage.box_usage > 0.0);

    let size = users.metadata().await.unwrap();
    assert_eq!((size.items, size.item_name_bytes), (60, 240));
    assert_eq!((size.attribute_names, size.attribute_name_bytes), (1, 1));
    assert_eq!(
        (size.attribute_values, size.attribute_value_bytes),
        (60, 110)
    );
    assert_eq!(size.bytes(), 351);
    let age = std::time::SystemTime::now().duration_since(size.counted_at);
    assert!(age.unwrap().as_secs() < 3600);

    let names = (0..58).map(|n| format!("i{n:03}"));
    let delete = users.batch_delete().items(names);
    let delete = delete.item(DeleteItem::new("i058").value("n", "58"));
    let delete = delete.item(DeleteItem::new("i059").value("n", "other"));
    assert_eq!(delete.await.unwrap().into_result().unwrap().requests, 3);
    assert_eq!(users.metadata().await.unwrap().items, 1);
    let none = users.batch_put().await.unwrap();
    assert!(none.batches.is_empty());
}

#[tokio::test]
async fn an_item_that_is_there_twice_is_written_in_order() {
    let service = emulator().await;
    let users = domain(&service).await;
    let write = |value: &str| PutItem::new("u").replace("v", value);
    let mut put = users
        .batch_put()
        .item(write("1"))
        .items((0..30).map(numbered));
    put = put
        .item(write("2"))
        .item(PutItem::new("u").add("tag", "t"))
        .item(write("3"));
    let done = put.await.unwrap();
    let sizes: Vec<_> = done.batches.iter().map(|b| b.items.len()).collect();
    assert_eq!(sizes, [25, 6, 1, 1, 1]);
    done.into_result().unwrap();
    let item = users.get("u").consistent(true).await.unwrap().item;
    assert_eq!(pairs(&item), [("tag", "t"), ("v", "3")]);
}

#[tokio::test]
async fn one_batch_that_fails_leaves_the_others() {
    let service = emulator().await;
    let script = Script::new(|form| {
        if form.contains("i030") {
            error(409, "NumberDomainBytesExceeded")
        } else {
            Act::Pass
        }
    });
    let sdb = builder(&service).transport(script.clone()).build().unwrap();
    let users = sdb.domain("users");
    users.create().await.unwrap();
    let again = PutItem::new("i031").replace("n", "new");
    let more = PutItem::new("i001").replace("n", "new");
    let put = users
        .batch_put()
        .items((0..75).map(numbered))
        .item(again)
        .item(more);
    let done = put.await.unwrap();
    let failed: Vec<_> = done.failures().map(|b| b.items.len()).collect();
    // The batch, and the second write to an item of it, which was not sent.
    assert_eq!(failed, [25, 1]);
    let first = done.failures().next().unwrap();
    assert!(first.items.contains(&"i030".to_owned()));
    let why = first.result.as_ref().unwrap_err();
    assert_eq!(Code::of(why), Some(Code::NumberDomainBytesExceeded));
    let second = done.failures().nth(1).unwrap();
    assert_eq!(second.items, ["i031"]);
    assert!(!second.result.as_ref().unwrap_err().may_have_been_sent());
    assert_eq!(
        Code::of(&done.into_result().unwrap_err()),
        Some(Code::NumberDomainBytesExceeded)
    );
    assert_eq!(users.metadata().await.unwrap().items, 50);
    let item = users.get("i001").consistent(true).await.unwrap().item;
    assert_eq!(item.first("n"), Some("new"));
}

#[tokio::test]
async fn a_lost_answer_is_asked_for_again() {
    let service = emulator().await;
    let lost = std::sync::atomic::AtomicBool::new(false);
    let script = Script::new(move |form| {
        let batch = form.contains("Action=BatchPut");
        match batch && !lost.swap(batch, std::sync::atomic::Ordering::Relaxed) {
            true => Act::LoseAnswer,
            false => Act::Pass,
        }
    });
    let sdb = builder(&service)
        .transport(script.clone())
        .retry(RetryConfig::new().random(|| 0.0))
        .build()
        .unwrap();
    let users = sdb.domain("users");
    users.create().await.unwrap();
    let put = users.batch_put().items((0..3).map(numbered));
    put.await.unwrap().into_result().unwrap();
    assert_eq!(script.count("BatchPutAttributes"), 2);
}

#[tokio::test]
async fn an_item_too_large_for_a_batch_goes_alone() {
    let service = emulator().await;
    let script = Script::new(|_| Act::Pass);
    let sdb = builder(&service).transport(script.clone()).build().unwrap();
    let users = sdb.domain("users");
    users.create().await.unwrap();
    let large = |name: &str| {
        (0..256).fold(PutItem::new(name), |item, i| {
            item.add(
                format!("{i:04}{}", "\u{e9}".repeat(510)),
                "\u{e9}".repeat(512),
            )
        })
    };
    let put = users
        .batch_put()
        .item(large("a"))
        .item(numbered(1))
        .item(large("b"));
    put.await.unwrap().into_result().unwrap();
    assert_eq!(script.count("PutAttributes"), 3);
    assert_eq!(script.count("BatchPutAttributes"), 0);
    let item = users.get("b").consistent(true).await.unwrap().item;
    assert_eq!(item.attributes.len(), 256);
}

#[tokio::test]
async fn limits_are_checked_before_anything_is_sent() {
    let service = emulator().await;
    let users = domain(&service).await;
    let served = service.stats().requests;
    let long = "x".repeat(1025);
    let puts = [
        PutItem::new("u"),
        PutItem::new("").add("a", "b"),
        PutItem::new(long.as_str()).add("a", "b"),
        PutItem::new("u").add("a", long.as_str()),
        PutItem::new("u").replace("", "b"),
        (0..257).fold(PutItem::new("u"), |put, i| put.add("n", i.to_string())),
    ];
    for put in puts {
        let batch = users.batch_put().items((0..30).map(numbered)).item(put);
        assert_eq!(batch.await.unwrap_err().kind(), Kind::Invalid);
    }
    let batch = users.batch_put().item(numbered(1)).parallel(0);
    assert_eq!(batch.await.unwrap_err().kind(), Kind::Invalid);
    let batch = users.batch_delete().items(["a", "b", ""]);
    assert_eq!(batch.await.unwrap_err().kind(), Kind::Invalid);
    let nowhere = builder(&service).build().unwrap().domain("a b");
    let batch = nowhere.batch_put().item(numbered(1));
    assert_eq!(batch.await.unwrap_err().kind(), Kind::Invalid);
    assert_eq!(service.stats().requests, served);
}

#[tokio::test]
async fn short_requests_go_in_the_url_on_demand() {
    let service = emulator().await;
    let script = Script::new(|_| Act::Pass);
    let sdb = builder(&service)
        .transport(script.clone())
        .use_get(true)
        .build()
        .unwrap();
    let users = sdb.domain("users");
    users.create().await.unwrap();
    let text = "a b+c%41&d=e;f caf\u{e9} \u{1} '\"`";
    users.put(text).replace(text, text).await.unwrap();
    let item = users.get(text).consistent(true).await.unwrap().item;
    assert_eq!(pairs(&item), [(text, text)]);
    assert!(script.seen().iter().all(|form| form.starts_with("/?")));
    let long = (0..10).fold(users.put("u"), |put, i| {
        put.add(i.to_string(), "x".repeat(1024))
    });
    long.await.unwrap();
    assert!(script.seen().last().unwrap().starts_with("AWSAccessKeyId="));
}

#[tokio::test]
async fn each_operation_has_its_cost() {
    let service = emulator().await;
    let sdb = builder(&service).build().unwrap();
    let users = sdb.domain("users");
    assert_eq!(sdb.usage_by_operation(), []);
    users.create().await.unwrap();
    users.put("u").add("a", "b").await.unwrap();
    users.get("u").await.unwrap();
    users.get("v").await.unwrap();
    sdb.domain("nowhere").get("u").await.unwrap_err();
    users
        .batch_put()
        .item(numbered(1))
        .item(numbered(2))
        .await
        .unwrap()
        .into_result()
        .unwrap();
    let costs = sdb.usage_by_operation();
    let requests: Vec<_> = costs
        .iter()
        .map(|(name, total)| (*name, total.requests))
        .collect();
    assert_eq!(
        requests,
        [
            ("CreateDomain", 1),
            ("PutAttributes", 1),
            ("BatchPutAttributes", 1),
            ("GetAttributes", 3)
        ]
    );
    let sum: f64 = costs.iter().map(|(_, total)| total.box_usage).sum();
    assert!((sum - sdb.usage().box_usage).abs() < 1e-9 && sum > 0.0);
}
