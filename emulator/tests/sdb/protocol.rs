//! The ten operations, their conditions and limits, and what signatures may be.

use emulator::Emulator;

use crate::bench::{Signer, bench, iso8601};
use crate::wire::{Wire, now};

#[tokio::test]
async fn domains_come_and_go() {
    let mut bench = bench().await;
    bench.ok("CreateDomain", &[("DomainName", "dom")]).await;
    for name in ["abc", "x.y-z_1"] {
        bench.ok("CreateDomain", &[("DomainName", name)]).await;
    }
    let first = bench
        .ok("ListDomains", &[("MaxNumberOfDomains", "2")])
        .await;
    assert_eq!(first.all("DomainName"), ["abc", "dom"]);
    let token = [("NextToken", first.all("NextToken")[0])];
    let second = bench.ok("ListDomains", &token).await;
    assert_eq!(second.all("DomainName"), ["x.y-z_1"]);
    assert!(second.all("NextToken").is_empty());
    bench.ok("DeleteDomain", &[("DomainName", "abc")]).await;
    bench.ok("DeleteDomain", &[("DomainName", "abc")]).await;
    for (action, params, expected) in [
        ("CreateDomain", vec![], (400, "MissingParameter")),
        (
            "CreateDomain",
            vec![("DomainName", "ab")],
            (400, "InvalidParameterValue"),
        ),
        (
            "CreateDomain",
            vec![("DomainName", "a b c")],
            (400, "InvalidParameterValue"),
        ),
        (
            "DomainMetadata",
            vec![("DomainName", "abc")],
            (400, "NoSuchDomain"),
        ),
        (
            "ListDomains",
            vec![("MaxNumberOfDomains", "101")],
            (400, "InvalidParameterValue"),
        ),
        (
            "ListDomains",
            vec![("NextToken", "junk")],
            (400, "InvalidNextToken"),
        ),
        ("Dance", vec![], (400, "InvalidAction")),
        ("", vec![], (400, "MissingAction")),
        (
            "ListDomains",
            vec![("Version", "2011-11-07")],
            (400, "NoSuchVersion"),
        ),
    ] {
        let reply = bench.call(action, &params).await;
        assert_eq!(reply.error(), expected, "{action} {params:?}");
        assert_eq!(reply.all("RequestID").len(), 1);
        assert_eq!(reply.all("BoxUsage").len(), 1);
    }
}

#[tokio::test]
async fn attributes_are_put_read_and_deleted() {
    let mut bench = bench().await;
    bench
        .put(
            "i",
            &[("a", "1"), ("a", "2"), ("é +~", "<&>"), ("empty", "")],
        )
        .await;
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    assert_eq!(
        bench.get("i").await,
        [
            pair("a", "1"),
            pair("a", "2"),
            pair("empty", ""),
            pair("é +~", "&lt;&amp;&gt;")
        ]
    );
    let dom = ("DomainName", "dom");
    let item = ("ItemName", "i");
    let replace = [
        dom,
        item,
        ("Attribute.9.Name", "a"),
        ("Attribute.9.Value", "3"),
        ("Attribute.9.Replace", "true"),
    ];
    bench.ok("PutAttributes", &replace).await;
    let some = [
        dom,
        item,
        ("AttributeName.2", "a"),
        ("AttributeName.7", "none"),
    ];
    let some = bench.ok("GetAttributes", &some).await;
    assert_eq!(
        (some.all("Name"), some.all("Value")),
        (vec!["a"], vec!["3"])
    );
    let metadata = bench.ok("DomainMetadata", &[dom]).await;
    for (name, count) in [
        ("ItemCount", "1"),
        ("ItemNamesSizeBytes", "1"),
        ("AttributeNameCount", "3"),
        ("AttributeNamesSizeBytes", "11"),
        ("AttributeValueCount", "3"),
        ("AttributeValuesSizeBytes", "4"),
    ] {
        assert_eq!(metadata.all(name), [count], "{name}");
    }
    bench
        .ok(
            "DeleteAttributes",
            &[dom, item, ("Attribute.0.Name", "empty")],
        )
        .await;
    let pair = [("Attribute.0.Name", "a"), ("Attribute.0.Value", "3")];
    bench
        .ok("DeleteAttributes", &[dom, item, pair[0], pair[1]])
        .await;
    assert_eq!(bench.get("i").await.len(), 1);
    bench.ok("DeleteAttributes", &[dom, item]).await;
    assert_eq!(bench.get("i").await, []);
}

#[tokio::test]
async fn what_xml_cannot_carry_comes_in_base64() {
    let mut bench = bench().await;
    bench
        .put("bell\u{7}", &[("a", "line\r"), ("b\u{1}", "tab\t\n")])
        .await;
    let found = bench.select("select * from dom").await;
    for expected in [
        "<Name encoding=\"base64\">YmVsbAc=</Name>",
        "<Attribute><Name>a</Name><Value encoding=\"base64\">bGluZQ0=</Value></Attribute>",
        "<Attribute><Name encoding=\"base64\">YgE=</Name><Value>tab\t\n</Value></Attribute>",
    ] {
        assert!(found.text().contains(expected), "{}", found.text());
    }
}

#[tokio::test]
async fn conditions_guard_writes() {
    let mut bench = bench().await;
    bench.put("i", &[("v", "1"), ("m", "1"), ("m", "2")]).await;
    let base = [
        ("DomainName", "dom"),
        ("ItemName", "i"),
        ("Attribute.1.Name", "v"),
        ("Attribute.1.Value", "1"),
    ];
    let name = |name| ("Expected.1.Name", name);
    let value = |value| ("Expected.1.Value", value);
    let absent = ("Expected.1.Exists", "false");
    for action in ["PutAttributes", "DeleteAttributes"] {
        for (condition, expected) in [
            (vec![name("v"), value("0")], (409, "ConditionalCheckFailed")),
            (vec![name("v"), absent], (409, "ConditionalCheckFailed")),
            (vec![name("x"), value("0")], (404, "AttributeDoesNotExist")),
            (vec![name("m"), value("1")], (409, "MultiValuedAttribute")),
            (vec![name("v")], (400, "IncompleteExpectedExpression")),
            (
                vec![name("v"), value("1"), absent],
                (400, "ExistsAndExpectedValue"),
            ),
            (vec![name("v"), value("1")], (200, "")),
        ] {
            let params = [base.as_slice(), &condition].concat();
            let reply = bench.call(action, &params).await;
            assert_eq!(reply.error(), expected, "{action} {condition:?}");
        }
    }
    let created = [base.as_slice(), &[name("v"), absent]].concat();
    bench.ok("PutAttributes", &created).await;
}

#[tokio::test]
async fn batches_are_whole_and_limited() {
    let mut bench = bench().await;
    let batch = [
        ("DomainName", "dom"),
        ("Item.3.ItemName", "b"),
        ("Item.3.Attribute.2.Name", "x"),
        ("Item.3.Attribute.2.Value", "1"),
        ("Item.0.ItemName", "a"),
        ("Item.0.Attribute.0.Name", "x"),
        ("Item.0.Attribute.0.Value", "2"),
    ];
    bench.ok("BatchPutAttributes", &batch).await;
    let found = bench.select("select itemName() from dom").await;
    assert_eq!(found.all("Name"), ["a", "b"]);
    let twice: Vec<_> = batch
        .iter()
        .map(|(name, value)| (*name, if *value == "b" { "a" } else { *value }))
        .collect();
    let twice = bench.call("BatchPutAttributes", &twice).await;
    assert_eq!(twice.error(), (400, "DuplicateItemName"));
    let names: Vec<_> = (0..26)
        .map(|n| (format!("Item.{n}.ItemName"), n.to_string()))
        .collect();
    let mut many = vec![("DomainName", "dom")];
    many.extend(
        names
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str())),
    );
    let many = bench.call("BatchDeleteAttributes", &many).await;
    assert_eq!(many.error(), (409, "NumberSubmittedItemsExceeded"));
    let part = [
        ("DomainName", "dom"),
        ("Item.0.ItemName", "a"),
        ("Item.1.ItemName", "b"),
        ("Item.1.Attribute.0.Name", "x"),
        ("Item.1.Attribute.0.Value", "9"),
    ];
    bench.ok("BatchDeleteAttributes", &part).await;
    let found = bench.select("select itemName() from dom").await;
    assert_eq!(found.all("Name"), ["b"]);
}

#[tokio::test]
async fn selects_filter_sort_count_and_page() {
    let mut bench = bench().await;
    for (item, year, tags) in [
        ("i1", "1959", ["a", "b"]),
        ("i2", "1934", ["a", "c"]),
        ("i3", "2007", ["c", "d"]),
        ("i4", "1979", ["b", "d"]),
    ] {
        let pairs = [("year", year), ("tag", tags[0]), ("tag", tags[1])];
        bench.put(item, &pairs).await;
    }
    for (expression, expected) in [
        (
            "select itemName() from dom where year > '1950' order by year desc",
            vec!["i3", "i4", "i1"],
        ),
        (
            "SELECT itemName() FROM `dom` WHERE tag = 'a' AND tag = 'b'",
            vec![],
        ),
        (
            "select itemName() from dom where tag = 'a' intersection tag = 'b'",
            vec!["i1"],
        ),
        (
            "select itemName() from dom where every(tag) in ('c', 'd')",
            vec!["i3"],
        ),
        (
            "select itemName() from dom where year like '19%' and tag != 'a' limit 1",
            vec!["i1"],
        ),
    ] {
        let found = bench.select(expression).await;
        assert_eq!(found.all("Name"), expected, "{expression}");
    }
    let expression = "select year from dom where year is not null order by year limit 3";
    let first = bench.select(expression).await;
    assert_eq!(first.all("Value"), ["1934", "1959", "1979"]);
    let token = ("NextToken", first.all("NextToken")[0]);
    let second = bench
        .ok("Select", &[("SelectExpression", expression), token])
        .await;
    assert_eq!(second.all("Value"), ["2007"]);
    let count = bench.select("select count(*) from dom").await;
    assert!(count.text().contains(
        "<Item><Name>Domain</Name><Attribute><Name>Count</Name><Value>4</Value></Attribute></Item>"
    ));
    for (params, expected) in [
        (
            vec![("SelectExpression", "select from dom")],
            (400, "InvalidQueryExpression"),
        ),
        (
            vec![("SelectExpression", "select * from dom order by year")],
            (400, "InvalidSortExpression"),
        ),
        (
            vec![("SelectExpression", "select * from nope")],
            (400, "NoSuchDomain"),
        ),
        (
            vec![("SelectExpression", "select * from dom"), token],
            (400, "InvalidNextToken"),
        ),
        (
            vec![
                ("SelectExpression", "select * from dom"),
                ("ConsistentRead", "x"),
            ],
            (400, "InvalidParameterValue"),
        ),
    ] {
        let reply = bench.call("Select", &params).await;
        assert_eq!(reply.error(), expected, "{params:?}");
    }
}

#[tokio::test]
async fn every_way_to_sign_is_taken() {
    let emulator = Emulator::start().await.unwrap();
    let mut wire = Wire::open(emulator.addr()).await;
    let params = [("Action", "ListDomains")];
    for method in ["GET", "POST"] {
        for sha1 in [false, true] {
            for bare_host in [false, true] {
                let mut signer = Signer::new(&emulator);
                signer.method = method;
                signer.sha1 = sha1;
                if bare_host {
                    signer.signed_host = emulator.addr().ip().to_string();
                }
                let reply = wire.call(&signer.request(&params)).await;
                assert_eq!(
                    reply.status,
                    200,
                    "{method} {sha1} {bare_host}: {}",
                    reply.text()
                );
            }
        }
    }
    let signer = Signer::new(&emulator);
    let expires = iso8601(now() + 7200);
    let later = signer.request(&[params[0], ("Expires", &expires)]);
    assert_eq!(wire.call(&later).await.status, 200);
}

#[tokio::test]
async fn who_may_not_sign_is_refused() {
    let emulator = Emulator::builder()
        .user("AK", "secret")
        .user_with_token("TEMP", "temporary", "to/ken")
        .start()
        .await
        .unwrap();
    let mut wire = Wire::open(emulator.addr()).await;
    let signer = Signer::new(&emulator);
    let action = ("Action", "ListDomains");
    let with = |params: &[(&str, &str)], change: &dyn Fn(&mut Signer)| {
        let mut signer = signer.clone();
        change(&mut signer);
        signer.request(&[&[action], params].concat())
    };
    let past = iso8601(now() - 1);
    let temporary = |signer: &mut Signer| {
        signer.access_key = "TEMP".into();
        signer.secret = "temporary".into();
    };
    let same: &dyn Fn(&mut Signer) = &|_| ();
    let missing = b"GET /?Action=ListDomains HTTP/1.1\r\nhost: x\r\n\r\n".to_vec();
    for (request, expected) in [
        (with(&[], same), (200, "")),
        (with(&[], &|signer| signer.drift = 14 * 60), (200, "")),
        (
            with(&[], &|signer| signer.drift = 16 * 60),
            (400, "RequestExpired"),
        ),
        (
            with(&[], &|signer| signer.drift = -16 * 60),
            (400, "RequestExpired"),
        ),
        (with(&[("Expires", &past)], same), (400, "RequestExpired")),
        (
            with(&[("Timestamp", "today")], same),
            (400, "InvalidParameterValue"),
        ),
        (
            with(&[], &|signer| signer.access_key = "NO".into()),
            (403, "InvalidClientTokenId"),
        ),
        (
            with(&[], &|signer| signer.secret.push('x')),
            (403, "SignatureDoesNotMatch"),
        ),
        (
            with(&[], &|signer| signer.signed_host = "x".into()),
            (403, "SignatureDoesNotMatch"),
        ),
        (
            with(&[("SignatureVersion", "1")], same),
            (400, "InvalidParameterValue"),
        ),
        (
            with(&[("SignatureMethod", "MD5")], same),
            (400, "InvalidParameterValue"),
        ),
        (with(&[], &temporary), (403, "InvalidClientTokenId")),
        (
            with(&[("SecurityToken", "other")], &temporary),
            (403, "InvalidClientTokenId"),
        ),
        (with(&[("SecurityToken", "to/ken")], &temporary), (200, "")),
        (missing, (403, "AuthMissingFailure")),
    ] {
        let reply = wire.call(&request).await;
        assert_eq!(
            reply.error(),
            expected,
            "{}",
            String::from_utf8_lossy(&request)
        );
        assert!(!reply.text().contains("secret"));
    }
    assert_eq!(emulator.stats().refused, 12);
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_order() {
    let mut bench = bench().await;
    let mut batch = Vec::new();
    for n in 0..20 {
        let domain = format!("domain{n:02}");
        let make = [("Action", "CreateDomain"), ("DomainName", domain.as_str())];
        batch.extend(bench.signer.request(&make));
        let list = [("Action", "ListDomains")];
        batch.extend(bench.signer.request(&list));
    }
    bench.wire.send(&batch).await;
    for n in 0..20 {
        assert_eq!(bench.wire.reply(false).await.status, 200);
        assert_eq!(bench.wire.reply(false).await.all("DomainName").len(), n + 2);
    }
    let stats = bench.emulator.stats();
    assert_eq!((stats.sdb_requests, stats.connections_max), (41, 1));
    assert!(stats.pipeline_max > 1, "{stats:?}");
}

#[tokio::test]
async fn nonsense_gets_an_answer() {
    let emulator = Emulator::start().await.unwrap();
    let signer = Signer::new(&emulator);
    let select = |expression: &str| {
        signer.request(&[("Action", "Select"), ("SelectExpression", expression)])
    };
    let post = |body: &str| {
        format!(
            "POST / HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\
             content-type: application/x-www-form-urlencoded\r\n\r\n{body}",
            body.len()
        )
        .into_bytes()
    };
    let large = "a".repeat((2 << 20) + 1);
    for (request, expected) in [
        (post(""), (403, "AuthMissingFailure")),
        (post("%ff=%fe&&==&%"), (403, "AuthMissingFailure")),
        (post("AWSAccessKeyId=%ff"), (400, "InvalidParameterValue")),
        (post(&large), (413, "RequestEntityTooLarge")),
        (
            select(&"not ".repeat(10_000)),
            (400, "InvalidQueryExpression"),
        ),
        (select("'"), (400, "InvalidQueryExpression")),
    ] {
        // One that is not read to its end ends the connection.
        let mut wire = Wire::open(emulator.addr()).await;
        let reply = wire.call(&request).await;
        assert_eq!(reply.error(), expected);
    }
}
