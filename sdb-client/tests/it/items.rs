//! Domains, items and selections over the emulator, which checks every signature by itself.

use crate::common::{builder, domain, emulator, pairs};
use futures_util::TryStreamExt as _;
use sdb_client::query::{quote_name, quote_value};
use sdb_client::{Expected, Item, Kind};

#[tokio::test]
async fn domains_are_made_listed_and_removed() {
    let service = emulator().await;
    let sdb = builder(&service).build().unwrap();
    for i in 0..7 {
        sdb.domain(format!("domain-{i}")).create().await.unwrap();
    }
    sdb.domain("domain-0").create().await.unwrap();
    let names = sdb
        .list_domains()
        .page_size(3)
        .names()
        .try_collect_all()
        .await
        .unwrap();
    assert_eq!(
        names,
        (0..7).map(|i| format!("domain-{i}")).collect::<Vec<_>>()
    );
    let pages: Vec<_> = sdb
        .list_domains()
        .page_size(3)
        .pages()
        .try_collect()
        .await
        .unwrap();
    assert_eq!(pages.len(), 3);
    sdb.domain("domain-3").delete_domain().await.unwrap();
    sdb.domain("domain-3").delete_domain().await.unwrap();
    assert_eq!(sdb.list_domains().await.unwrap().names.len(), 6);
    let error = sdb.domain("domain-3").get("x").await.unwrap_err();
    assert_eq!(
        (error.code(), error.is_not_found(), error.attempts()),
        (Some("NoSuchDomain"), true, 1)
    );
    assert_eq!(error.resource(), Some("domain-3"));
    assert!(error.request_id().is_some());
}

#[tokio::test]
async fn an_item_is_a_set_of_pairs() {
    let service = emulator().await;
    let users = domain(&service).await;
    let get = |name: &str| users.get(name).consistent(true);
    users
        .put("u")
        .add("tag", "a")
        .add("tag", "b")
        .replace("name", "Ann")
        .await
        .unwrap();
    users
        .put("u")
        .add("tag", "b")
        .add("tag", "c")
        .replace("name", "Eve")
        .await
        .unwrap();
    let item = get("u").await.unwrap().item;
    assert_eq!(item.name, "u");
    assert_eq!(
        pairs(&item),
        [("name", "Eve"), ("tag", "a"), ("tag", "b"), ("tag", "c")]
    );
    assert_eq!(
        (
            item.first("name"),
            item.all("tag").count(),
            item.first("none")
        ),
        (Some("Eve"), 3, None)
    );
    let some = get("u").attributes(["name", "none"]).await.unwrap().item;
    assert_eq!(pairs(&some), [("name", "Eve")]);

    users
        .delete("u")
        .value("tag", "a")
        .value("tag", "none")
        .await
        .unwrap();
    assert_eq!(get("u").await.unwrap().item.all("tag").count(), 2);
    users.delete("u").attribute("tag").await.unwrap();
    assert_eq!(pairs(&get("u").await.unwrap().item), [("name", "Eve")]);
    users.delete("u").await.unwrap();
    users.delete("u").await.unwrap();
    assert!(get("u").await.unwrap().item.is_empty());
}

#[tokio::test]
async fn any_text_makes_the_round_trip() {
    let service = emulator().await;
    let users = domain(&service).await;
    let long = "x".repeat(1024);
    for text in [
        "a b+c%41&d=e;f",
        "caf\u{e9} \u{65e5}\u{672c} \u{1f600}",
        "<&>\"'",
        "~-_.!*()",
        " lead and trail ",
        "tab\tnew\nline",
        "cr\rlf\r\n",
        "control\u{1}\u{7f}",
        "]]>",
        "\u{fffd}",
        &long,
    ] {
        users
            .put(text)
            .replace(text, text)
            .await
            .unwrap_or_else(|e| panic!("put {text:?}: {e}"));
        let item = users.get(text).consistent(true).await.unwrap().item;
        assert_eq!(pairs(&item), [(text, text)]);
        let query = format!(
            "select * from users where {} = {}",
            quote_name(text),
            quote_value(text)
        );
        let found = users_select(&service, query).await;
        assert_eq!(found.len(), 1, "{text:?}");
        assert_eq!(
            (found[0].name.as_str(), pairs(&found[0])),
            (text, vec![(text, text)])
        );
    }
    users.put("empty").replace("a", "").await.unwrap();
    assert_eq!(
        users
            .get("empty")
            .consistent(true)
            .await
            .unwrap()
            .item
            .first("a"),
        Some("")
    );
}

async fn users_select(service: &emulator::Emulator, query: String) -> Vec<Item> {
    let sdb = builder(service).build().expect("a client");
    sdb.select(query)
        .consistent(true)
        .items()
        .try_collect_all()
        .await
        .expect("items")
}

#[tokio::test]
async fn conditions() {
    let service = emulator().await;
    let users = domain(&service).await;
    let put = |version: &str| users.put("u").replace("version", version);
    put("1").expect(Expected::absent("version")).await.unwrap();
    assert!(
        put("1")
            .expect(Expected::absent("version"))
            .await
            .unwrap_err()
            .is_condition_failed()
    );
    put("2")
        .expect(Expected::equals("version", "1"))
        .await
        .unwrap();
    let error = put("3")
        .expect(Expected::equals("version", "1"))
        .await
        .unwrap_err();
    assert_eq!(
        (error.code(), error.is_condition_failed()),
        (Some("ConditionalCheckFailed"), true)
    );
    let error = put("3")
        .expect(Expected::equals("none", "1"))
        .await
        .unwrap_err();
    assert!(
        error.is_condition_failed() && !error.is_not_found(),
        "{error}"
    );
    let late = users
        .delete("u")
        .expect(Expected::equals("version", "1"))
        .await
        .unwrap_err();
    assert!(late.is_condition_failed());
    users
        .delete("u")
        .expect(Expected::equals("version", "2"))
        .await
        .unwrap();
    assert!(
        users
            .get("u")
            .consistent(true)
            .await
            .unwrap()
            .item
            .is_empty()
    );
}

#[tokio::test]
async fn selections_come_in_pages() {
    let service = emulator().await;
    let users = domain(&service).await;
    let sdb = builder(&service).build().unwrap();
    for i in 0..25 {
        users
            .put(format!("u{i:02}"))
            .replace("n", format!("{i:02}"))
            .await
            .unwrap();
    }
    let all = "select n from users where n >= '05' order by n desc limit 10";
    let pages: Vec<_> = sdb
        .select(all)
        .consistent(true)
        .pages()
        .try_collect()
        .await
        .unwrap();
    assert!(
        pages.len() >= 2
            && pages
                .iter()
                .all(|p| p.items.len() <= 10 && p.usage.box_usage > 0.0)
    );
    let names: Vec<&str> = pages
        .iter()
        .flat_map(|p| &p.items)
        .map(|i| i.name.as_str())
        .collect();
    assert_eq!((names.len(), names[0], names[19]), (20, "u24", "u05"));
    let counted = sdb
        .select("select count(*) from users")
        .consistent(true)
        .await
        .unwrap();
    assert_eq!(counted.items[0].first("Count"), Some("25"));
    let error = sdb.select("select nonsense").await.unwrap_err();
    assert_eq!((error.status(), error.kind()), (Some(400), Kind::Service));
}

#[tokio::test]
async fn usage_adds_up() {
    let service = emulator().await;
    let sdb = builder(&service).build().unwrap();
    let users = sdb.domain("users");
    let mut sum = users.create().await.unwrap().box_usage;
    sum += users.put("u").add("a", "b").await.unwrap().box_usage;
    sum += sdb
        .clone()
        .domain("users")
        .get("u")
        .await
        .unwrap()
        .usage
        .box_usage;
    assert!(sum > 0.0);
    let total = sdb.usage();
    assert_eq!(total.requests, 3);
    assert!((total.box_usage - sum).abs() < 1e-9, "{total:?} {sum}");
    sdb.domain("nowhere").get("u").await.unwrap_err();
    assert_eq!(sdb.usage().requests, 4, "errors are billed too");
}

#[tokio::test]
async fn limits_are_checked_before_sending() {
    let service = emulator().await;
    let users = domain(&service).await;
    let served = service.stats().requests;
    let long = "x".repeat(1025);
    let mut many = users.put("u");
    for i in 0..257 {
        many = many.add("n", i.to_string());
    }
    for error in [
        users.put("u").await.unwrap_err(),
        users.put("").add("a", "b").await.unwrap_err(),
        users.put(long.as_str()).add("a", "b").await.unwrap_err(),
        users.put("u").add(long.as_str(), "b").await.unwrap_err(),
        users.put("u").add("a", long.as_str()).await.unwrap_err(),
        many.await.unwrap_err(),
        users
            .delete("u")
            .value("a", long.as_str())
            .await
            .unwrap_err(),
        builder(&service)
            .build()
            .unwrap()
            .domain("a b")
            .create()
            .await
            .unwrap_err(),
        builder(&service)
            .build()
            .unwrap()
            .list_domains()
            .page_size(101)
            .await
            .unwrap_err(),
    ] {
        assert_eq!(
            (error.kind(), error.attempts(), error.may_have_been_sent()),
            (Kind::Invalid, 0, false),
            "{error}"
        );
    }
    assert_eq!(service.stats().requests, served);
}
