//! Select expressions that are built, over the emulator.

use futures_util::TryStreamExt as _;
use sdb_client::query::{Filter, Query, attr, every, item_name};
use sdb_client::{Domain, Kind};

use crate::common::{Act, Script, builder, domain, emulator, error};

/// The names of the items for which a filter holds, in order.
async fn found(users: &Domain, sdb: &sdb_client::SdbClient, filter: Filter) -> Vec<String> {
    let query = Query::names(users.name()).filter(filter);
    let select = sdb.select(query).consistent(true);
    let items = select.items().try_collect_all().await.unwrap();
    let mut names: Vec<_> = items.into_iter().map(|item| item.name).collect();
    names.sort_unstable();
    names
}

#[tokio::test]
async fn every_form_of_filter_means_what_it_says() {
    let service = emulator().await;
    let users = domain(&service).await;
    let sdb = builder(&service).build().unwrap();
    let data: [(&str, &[(&str, &str)]); 5] = [
        (
            "ann",
            &[("age", "030"), ("tag", "a"), ("tag", "b"), ("from", "x")],
        ),
        ("bob", &[("age", "041"), ("tag", "b")]),
        ("cyd", &[("age", "007"), ("note", "3%")]),
        ("o'hara", &[("age", "039"), ("note", "a 'quoted' `name`")]),
        ("zoe", &[("tag", "c"), ("note", "30")]),
    ];
    for (name, pairs) in data {
        let put = pairs
            .iter()
            .fold(users.put(name), |put, (n, v)| put.add(*n, *v));
        put.await.unwrap();
    }
    let table = [
        (attr("age").eq("030"), "ann"),
        (attr("age").ne("030"), "bob cyd o'hara"),
        (attr("age").lt("030"), "cyd"),
        (attr("age").le("030"), "ann cyd"),
        (attr("age").gt("030"), "bob o'hara"),
        (attr("age").ge("030"), "ann bob o'hara"),
        (attr("age").between("030", "039"), "ann o'hara"),
        (attr("tag").is_in(["a", "c"]), "ann zoe"),
        (attr("tag").is_null(), "cyd o'hara"),
        (attr("tag").is_not_null(), "ann bob zoe"),
        (attr("tag").ne("b"), "ann zoe"),
        (every("tag").ne("b"), "zoe"),
        (every("tag").eq("b"), "bob"),
        (attr("tag").eq("a").and(attr("tag").eq("b")), ""),
        (attr("tag").eq("a").intersection(attr("tag").eq("b")), "ann"),
        (attr("tag").eq("a").or(attr("age").eq("041")), "ann bob"),
        (!attr("tag").eq("b"), "cyd o'hara zoe"),
        (
            !(attr("tag").eq("b").or(attr("age").eq("007"))),
            "o'hara zoe",
        ),
        (item_name().starts_with("o'"), "o'hara"),
        (item_name().ends_with("b"), "bob"),
        (item_name().contains("o"), "bob o'hara zoe"),
        (item_name().is_in(["ann", "nobody", "zoe"]), "ann zoe"),
        (attr("note").contains("'quoted' `na"), "o'hara"),
        (attr("note").not_starts_with("3"), "o'hara"),
        (attr("note").like("3%"), "cyd zoe"),
        (attr("note").starts_with("3%"), "cyd"),
        (attr("note").ends_with("%"), "cyd"),
        (attr("note").contains("%"), "cyd"),
        (attr("note").not_contains("%"), "o'hara zoe"),
        (attr("from").eq("x"), "ann"),
    ];
    for (filter, names) in table {
        let text = Query::all(users.name()).filter(filter.clone()).to_string();
        let expected: Vec<_> = names.split_whitespace().collect();
        assert_eq!(found(&users, &sdb, filter).await, expected, "{text}");
    }

    let oldest = users
        .query()
        .filter(attr("age").gt(""))
        .order_by_desc(attr("age"));
    let page = sdb.select(oldest.limit(2)).consistent(true).await.unwrap();
    let names: Vec<_> = page.items.iter().map(|item| item.name.as_str()).collect();
    assert_eq!(names, ["bob", "o'hara"]);
    let ages = Query::attributes(users.name(), ["age", "from"]).filter(attr("tag").eq("a"));
    let page = sdb.select(ages).consistent(true).await.unwrap();
    assert_eq!(
        crate::common::pairs(&page.items[0]),
        [("age", "030"), ("from", "x")]
    );
}

#[tokio::test]
async fn a_count_is_added_up_over_pages() {
    let service = emulator().await;
    let users = domain(&service).await;
    let sdb = builder(&service).build().unwrap();
    for i in 0..25 {
        users.put(format!("u{i:02}")).add("n", "1").await.unwrap();
    }
    let query = Query::count(users.name()).filter(attr("n").eq("1"));
    let total = sdb.select(&query).consistent(true).count().await.unwrap();
    assert_eq!(total.count, 25);
    assert!(total.usage.requests >= 1 && total.usage.box_usage > 0.0);
    let parts = sdb.select(query.limit(10)).consistent(true).counts();
    let parts: Vec<_> = parts.try_collect().await.unwrap();
    assert_eq!(parts.iter().map(|(count, _)| count).sum::<u64>(), 25);

    let error = sdb.select(users.query()).count().await.unwrap_err();
    assert_eq!(error.kind(), Kind::Protocol);
}

/// One page of a selection.
fn page(items: &str, token: &str) -> Act {
    Act::Reply(
        200,
        format!(
            "<SelectResponse><SelectResult>{items}<NextToken>{token}</NextToken></SelectResult><ResponseMetadata>\
             <RequestId>r</RequestId><BoxUsage>0.5</BoxUsage></ResponseMetadata></SelectResponse>"
        ),
    )
}

#[tokio::test]
async fn parts_of_a_count_may_be_missing_or_nonsense() {
    let service = emulator().await;
    let count = |n: &str| {
        format!(
            "<Item><Name>Domain</Name><Attribute><Name>Count</Name><Value>{n}</Value></Attribute></Item>"
        )
    };
    for (last, expected) in [("5", Some(12)), ("x", None)] {
        let script = Script::new(move |form| {
            if form.contains("NextToken=t2") {
                page(&count(last), "")
            } else if form.contains("NextToken=t1") {
                page("", "t2")
            } else {
                page(&count("7"), "t1")
            }
        });
        let sdb = builder(&service).transport(script.clone()).build().unwrap();
        let total = sdb.select(Query::count("users")).count().await;
        assert_eq!(script.count("Select"), 3);
        match (expected, total) {
            (Some(expected), Ok(total)) => {
                assert_eq!(total.count, expected);
                assert_eq!((total.usage.requests, total.usage.box_usage), (3, 1.5));
            }
            (None, Err(error)) => assert_eq!(error.kind(), Kind::Protocol),
            (_, total) => panic!("{total:?}"),
        }
    }
}

/// Answers with tokens that go round: `t0` to the last, and from `t0` again.
fn circle(pages: usize) -> Script {
    let at = std::sync::atomic::AtomicUsize::new(0);
    Script::new(move |form| {
        let at = at.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        if at > 100 * pages {
            return error(400, "TooManyRounds");
        }
        let token = format!("t{}", at % pages);
        if form.contains("Action=ListDomains") {
            let names = "<DomainName>dom</DomainName>";
            let list = format!("{names}<NextToken>{token}</NextToken>");
            let list = format!("<ListDomainsResult>{list}</ListDomainsResult>");
            Act::Reply(
                200,
                format!("<ListDomainsResponse>{list}</ListDomainsResponse>"),
            )
        } else {
            page("", &token)
        }
    })
}

#[tokio::test]
async fn a_service_that_sends_it_round_in_circles_is_an_error() {
    let service = emulator().await;
    for pages in [1, 2, 3, 10] {
        let script = circle(pages);
        let sdb = builder(&service).transport(script.clone()).build().unwrap();
        let kinds = [
            sdb.select(Query::count("users")).count().await.unwrap_err(),
            sdb.select(Query::all("users"))
                .items()
                .try_next()
                .await
                .unwrap_err(),
            sdb.list_domains()
                .names()
                .try_collect_all()
                .await
                .unwrap_err(),
        ];
        for error in kinds {
            assert_eq!(error.kind(), Kind::Protocol, "{pages}: {error}");
            assert!(error.to_string().contains("comes back"), "{error}");
        }
        let requests = script.seen().len();
        assert!(requests <= 12 * pages + 12, "{pages}: {requests}");
    }
}

#[tokio::test]
async fn a_selection_without_end_lets_other_tasks_run() {
    let service = emulator().await;
    let at = std::sync::atomic::AtomicUsize::new(0);
    let endless =
        Script::new(
            move |_| match at.fetch_add(1, std::sync::atomic::Ordering::Relaxed) {
                at @ ..100_000 => page("", &format!("t{at}")),
                _ => error(400, "TooManyPages"),
            },
        );
    let sdb = builder(&service).transport(endless).build().unwrap();
    for counting in [true, false] {
        let select = sdb.select(Query::all("users"));
        let endless = tokio::spawn(async move {
            match counting {
                true => select.count().await.map(drop),
                false => select.items().try_next().await.map(drop),
            }
        });
        // There is one thread. The task was polled once it is given back.
        tokio::task::yield_now().await;
        tokio::task::yield_now().await;
        endless.abort();
        assert!(endless.await.unwrap_err().is_cancelled());
    }
}

#[tokio::test]
async fn the_condition_alone_decides_which_items_come_back() {
    let service = emulator().await;
    let users = domain(&service).await;
    let sdb = builder(&service).build().unwrap();
    users.put("ann").add("age", "030").await.unwrap();
    users.put("bob").add("name", "Bob").await.unwrap();
    let ages = || Query::attributes(users.name(), ["age"]);
    let page = sdb.select(ages()).consistent(true).await.unwrap();
    let found: Vec<_> = page
        .items
        .iter()
        .map(|item| (item.name.as_str(), item.first("age")))
        .collect();
    assert_eq!(found, [("ann", Some("030")), ("bob", None)]);
    let with = ages().filter(attr("age").is_not_null());
    let page = sdb.select(with).consistent(true).await.unwrap();
    assert_eq!(page.items.len(), 1);
}

#[tokio::test]
async fn a_query_over_its_limits_is_not_sent() {
    let service = emulator().await;
    let users = domain(&service).await;
    let sdb = builder(&service).build().unwrap();
    let served = service.stats().requests;
    let many = (0..20).fold(attr("a").eq("x"), |f, i| f.or(attr("a").eq(i.to_string())));
    let error = sdb.select(users.query().filter(many)).await.unwrap_err();
    assert_eq!((error.kind(), error.attempts()), (Kind::Invalid, 0));
    assert!(error.to_string().contains("21 comparisons"), "{error}");
    let error = sdb
        .select(users.query().limit(2501))
        .items()
        .try_next()
        .await;
    assert_eq!(error.unwrap_err().kind(), Kind::Invalid);
    assert_eq!(service.stats().requests, served);
}
