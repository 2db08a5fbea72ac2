//! Calls that are refused, against the table of `refusals.txt`, and calls that are too large.

use std::time::Duration;

use crate::bench::{Bench, bench};
use crate::wire::Wire;

const CASES: &str = include_str!("refusals.txt");

/// Bytes of a form, decoded.
fn decode(text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        out.push(match byte {
            b'+' => b' ',
            b'%' => {
                let digits = [bytes.next().unwrap(), bytes.next().unwrap()];
                u8::from_str_radix(std::str::from_utf8(&digits).unwrap(), 16).unwrap()
            }
            byte => byte,
        });
    }
    out
}

/// Writes out the letters that `$n` stands for.
fn grow(text: &str) -> String {
    text.replace("$1025", &"x".repeat(1025))
}

async fn items(bench: &mut Bench) -> String {
    let params = [
        ("SelectExpression", "select * from dom"),
        ("ConsistentRead", "true"),
    ];
    let reply = bench.ok("Select", &params).await;
    let text = reply.text();
    let end = text.find("<ResponseMetadata>").unwrap();
    text[..end].to_owned()
}

#[tokio::test]
async fn every_case_of_the_table_holds() {
    let mut bench = bench().await;
    bench.put("i", &[("v", "1"), ("m", "1"), ("m", "2")]).await;
    let before = items(&mut bench).await;
    let (mut cases, mut wrong) = (0, Vec::new());
    let mut lines = CASES
        .lines()
        .skip(6)
        .filter(|line| !line.is_empty() && !line.starts_with(' '));
    while let Some(call) = lines.next() {
        let expected = grow(lines.next().unwrap());
        let (action, form) = call.split_once(' ').unwrap_or((call, ""));
        let pairs: Vec<(Vec<u8>, Vec<u8>)> = form
            .split('&')
            .filter(|pair| !pair.is_empty())
            .map(|pair| {
                let (name, value) = pair.split_once('=').unwrap();
                (decode(name), decode(&grow(value)))
            })
            .collect();
        let request = bench.signer.request_of(action, &pairs);
        let reply = bench.wire.call(&request).await;
        let code = reply.error().1;
        let message = reply.all("Message").first().copied().unwrap_or_default();
        let found = format!("{} {code} {message}", reply.status);
        if found.trim_end() != expected {
            wrong.push(format!("{call}\n  found {found}\n  not   {expected}"));
        }
        cases += 1;
    }
    assert!(
        wrong.is_empty(),
        "{} of {cases}:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    assert!(cases > 70, "{cases}");
    assert_eq!(items(&mut bench).await, before);
}

fn batch(items: usize, pairs: usize, bytes: usize) -> Vec<(String, String)> {
    let mut params = vec![("DomainName".to_owned(), "dom".to_owned())];
    for item in 0..items {
        params.push((
            format!("Item.{item}.ItemName"),
            format!("i{item}-{items}-{pairs}"),
        ));
        for pair in 0..pairs {
            let prefix = format!("Item.{item}.Attribute.{pair}");
            params.push((format!("{prefix}.Name"), format!("a{pair}")));
            params.push((format!("{prefix}.Value"), "x".repeat(bytes)));
        }
    }
    params
}

#[tokio::test]
async fn what_is_too_large_is_refused_at_its_limit() {
    let mut bench = bench().await;
    let call = async |bench: &mut Bench, action, params: &[(String, String)]| {
        let params: Vec<_> = params
            .iter()
            .map(|(name, value)| (&**name, &**value))
            .collect();
        let reply = bench.call(action, &params).await;
        (reply.status, reply.error().1.to_owned())
    };
    let ok = (200, String::new());
    let code = |status, code: &str| (status, code.to_owned());
    for (action, params, expected) in [
        ("BatchPutAttributes", batch(25, 1, 1024), ok.clone()),
        (
            "BatchPutAttributes",
            batch(26, 1, 1),
            code(409, "NumberSubmittedItemsExceeded"),
        ),
        ("BatchPutAttributes", batch(1, 256, 1), ok.clone()),
        (
            "BatchPutAttributes",
            batch(1, 257, 1),
            code(409, "NumberSubmittedAttributesExceeded"),
        ),
        ("BatchPutAttributes", batch(4, 200, 1024), ok),
        (
            "BatchPutAttributes",
            batch(5, 200, 1024),
            code(413, "RequestEntityTooLarge"),
        ),
        (
            "BatchDeleteAttributes",
            batch(26, 0, 0),
            code(409, "NumberSubmittedItemsExceeded"),
        ),
        (
            "BatchDeleteAttributes",
            batch(5, 200, 1024),
            code(413, "RequestEntityTooLarge"),
        ),
    ] {
        let len = params.len();
        assert_eq!(
            call(&mut bench, action, &params).await,
            expected,
            "{action} {len}"
        );
    }
    let mut names = vec![
        ("DomainName".to_owned(), "dom".to_owned()),
        ("ItemName".to_owned(), "i0".to_owned()),
    ];
    names.extend((0..256).map(|n| (format!("AttributeName.{n}"), format!("a{n}"))));
    assert_eq!(call(&mut bench, "GetAttributes", &names).await.0, 200);
    names.push(("AttributeName.256".to_owned(), "a".to_owned()));
    let many = call(&mut bench, "GetAttributes", &names).await;
    assert_eq!(many, code(400, "TooManyRequestedAttributes"));
    // The longest of everything is taken: an item of 256 pairs of 2 KiB, escaped.
    let (name, value) = ("é".repeat(510), "€".repeat(341));
    let mut params = vec![
        ("DomainName".to_owned(), "dom".to_owned()),
        ("ItemName".to_owned(), "ü".repeat(512)),
    ];
    for n in 0..200 {
        params.push((format!("Attribute.{n}.Name"), format!("{name}{n:03}")));
        params.push((format!("Attribute.{n}.Value"), value.clone()));
    }
    assert_eq!(call(&mut bench, "PutAttributes", &params).await.0, 200);
}

#[tokio::test]
async fn an_item_that_is_full_stays_as_it_was() {
    let mut bench = bench().await;
    let values: Vec<_> = (0..256).map(|n| n.to_string()).collect();
    let pairs: Vec<_> = values.iter().map(|value| ("a", value.as_str())).collect();
    bench.put("i", &pairs).await;
    let base = [
        ("DomainName", "dom"),
        ("ItemName", "i"),
        ("Attribute.1.Name", "b"),
    ];
    let params = [&base[..], &[("Attribute.1.Value", "1")]].concat();
    let reply = bench.call("PutAttributes", &params).await;
    assert_eq!(reply.error(), (409, "NumberItemAttributesExceeded"));
    // A pair that is there already needs no place.
    bench.put("i", &[("a", "7")]).await;
    assert_eq!(bench.get("i").await.len(), 256);
}

#[tokio::test]
async fn a_form_that_never_ends_does_not_hold_others_up() {
    let mut bench = bench().await;
    let mut slow = Wire::open(bench.emulator.addr()).await;
    slow.send(
        b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\n\
          content-type: application/x-www-form-urlencoded\r\n\r\nAction=",
    )
    .await;
    let listed = tokio::time::timeout(Duration::from_secs(60), bench.ok("ListDomains", &[]));
    assert_eq!(listed.await.unwrap().all("DomainName"), ["dom"]);
}
