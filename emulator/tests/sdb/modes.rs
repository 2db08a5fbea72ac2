//! What reads can meet on demand, and the limits that can be chosen.

use std::time::Duration;

use emulator::{Emulator, Fault, Rule, SdbModes, SdbOptions};

use crate::bench::{Bench, bench, bench_with};

/// What a read sees of the item `i`.
async fn value(bench: &mut Bench, consistent: bool) -> String {
    let consistent = if consistent { "true" } else { "false" };
    let params = [
        ("DomainName", "dom"),
        ("ItemName", "i"),
        ("ConsistentRead", consistent),
    ];
    let reply = bench.ok("GetAttributes", &params).await;
    reply.all("Value").join(" ")
}

async fn replace(bench: &mut Bench, value: &str) {
    let params = [
        ("DomainName", "dom"),
        ("ItemName", "i"),
        ("Attribute.1.Name", "v"),
        ("Attribute.1.Value", value),
        ("Attribute.1.Replace", "true"),
    ];
    bench.ok("PutAttributes", &params).await;
}

/// What 40 reads see after five writes.
async fn seen(seed: u64) -> Vec<String> {
    let stale = SdbModes::default()
        .seed(seed)
        .stale(Duration::from_secs(3600));
    let mut bench = bench_with(SdbOptions::default().modes(stale)).await;
    for n in 1..=5 {
        replace(&mut bench, &n.to_string()).await;
    }
    let mut seen = Vec::new();
    for _ in 0..40 {
        seen.push(value(&mut bench, false).await);
        assert_eq!(value(&mut bench, true).await, "5");
    }
    seen
}

#[tokio::test]
async fn a_read_may_see_the_past_as_its_seed_says() {
    let seen_by_1 = seen(1).await;
    for value in ["", "1", "2", "3", "4", "5"] {
        assert!(
            seen_by_1.iter().any(|seen| seen == value),
            "{value}: {seen_by_1:?}"
        );
    }
    assert_eq!(seen(1).await, seen_by_1);
    assert_ne!(seen(2).await, seen_by_1);
}

#[tokio::test]
async fn a_select_sees_one_moment_of_the_past() {
    let mut bench = bench().await;
    bench.put("old", &[("v", "0")]).await;
    bench
        .emulator
        .set_sdb_modes(SdbModes::default().stale(Duration::from_secs(3600)));
    let batch = [
        ("DomainName", "dom"),
        ("Item.1.ItemName", "i1"),
        ("Item.1.Attribute.1.Name", "v"),
        ("Item.1.Attribute.1.Value", "1"),
        ("Item.2.ItemName", "i2"),
        ("Item.2.Attribute.1.Name", "v"),
        ("Item.2.Attribute.1.Value", "2"),
    ];
    bench.ok("BatchPutAttributes", &batch).await;
    let old = [("DomainName", "dom"), ("ItemName", "old")];
    bench.ok("DeleteAttributes", &old).await;
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..60 {
        let expression = "select itemName() from dom where v >= '0' order by v desc";
        let found = bench.select(expression).await;
        seen.insert(found.all("Name").join(" "));
        let params = [("SelectExpression", expression), ("ConsistentRead", "true")];
        let found = bench.ok("Select", &params).await;
        assert_eq!(found.all("Name"), ["i2", "i1"]);
    }
    // Before the batch, before the delete, and now; never a part of the batch.
    let seen: Vec<_> = seen.iter().map(String::as_str).collect();
    assert_eq!(seen, ["i2 i1", "i2 i1 old", "old"]);
    bench.emulator.set_sdb_modes(SdbModes::default());
    assert_eq!(bench.select("select * from dom").await.all("Name").len(), 4);
}

#[tokio::test]
async fn throttling_is_a_fault_like_others() {
    let mut bench = bench().await;
    let faults = bench.emulator.faults();
    faults.add(Rule::script([Fault::none(), Fault::slow_down()]).operation("ListDomains"));
    bench.ok("ListDomains", &[]).await;
    let reply = bench.call("ListDomains", &[]).await;
    assert_eq!(reply.error(), (503, "ServiceUnavailable"));
    bench.ok("ListDomains", &[]).await;
}

/// On a clock that goes on by itself when nothing else can.
#[tokio::test(start_paused = true)]
async fn latency_is_a_fault_like_others() {
    let hour = Duration::from_secs(3600);
    let mut bench = bench().await;
    let faults = bench.emulator.faults();
    let late = async |bench: &mut Bench| {
        let start = tokio::time::Instant::now();
        bench.ok("ListDomains", &[]).await;
        let took = start.elapsed();
        assert!(took < hour || (hour..2 * hour).contains(&took), "{took:?}");
        took >= hour
    };
    assert!(!late(&mut bench).await);
    // As the command line has it.
    faults.add_spec("1:delay:3600000").unwrap();
    assert!(late(&mut bench).await);
    bench.put("i", &[("v", "1")]).await;
    faults.clear();
    assert!(!late(&mut bench).await);
    // What was late was done all the same.
    assert_eq!(value(&mut bench, true).await, "1");
    faults.add(Rule::new(Fault::delay(hour)).operation("Select"));
    assert!(!late(&mut bench).await);
    let mut some = Vec::new();
    for _ in 0..2 {
        faults.clear();
        faults.seed(7);
        faults.add_spec("0.3:delay:3600000").unwrap();
        let mut late_ones = Vec::new();
        for n in 0..40 {
            if late(&mut bench).await {
                late_ones.push(n);
            }
        }
        assert!((4..=20).contains(&late_ones.len()), "{late_ones:?}");
        some.push(late_ones);
    }
    assert_eq!(some[0], some[1]);
}

#[tokio::test]
async fn ceilings_can_be_chosen() {
    let options = SdbOptions::default()
        .domains_max(2)
        .domain_pairs_max(3)
        .domain_bytes_max(100);
    let mut bench = bench_with(options).await;
    bench.ok("CreateDomain", &[("DomainName", "two")]).await;
    let reply = bench.call("CreateDomain", &[("DomainName", "three")]).await;
    assert_eq!(reply.error(), (409, "NumberDomainsExceeded"));
    bench.ok("CreateDomain", &[("DomainName", "two")]).await;
    bench.put("i", &[("a", "1"), ("a", "2"), ("a", "3")]).await;
    let put = |value| {
        [
            ("DomainName", "dom"),
            ("ItemName", "j"),
            ("Attribute.1.Name", "a"),
            ("Attribute.1.Value", value),
        ]
    };
    let reply = bench.call("PutAttributes", &put("1")).await;
    assert_eq!(reply.error(), (409, "NumberDomainAttributesExceeded"));
    bench
        .ok(
            "DeleteAttributes",
            &[("DomainName", "dom"), ("ItemName", "i")],
        )
        .await;
    let large = "x".repeat(99);
    let reply = bench.call("PutAttributes", &put(&large)).await;
    assert_eq!(reply.error(), (409, "NumberDomainBytesExceeded"));
    bench.ok("PutAttributes", &put(&large[..98])).await;
}

#[tokio::test]
async fn there_are_250_domains() {
    let mut bench = bench().await;
    for n in 1..250 {
        bench
            .ok("CreateDomain", &[("DomainName", &format!("d{n:03}"))])
            .await;
    }
    let reply = bench.call("CreateDomain", &[("DomainName", "d250")]).await;
    assert_eq!(reply.error(), (409, "NumberDomainsExceeded"));
    let first = bench.ok("ListDomains", &[]).await;
    assert_eq!(first.all("DomainName").len(), 100);
}

#[tokio::test]
async fn a_select_that_takes_too_long_is_over() {
    let options = SdbOptions::default().select_time_max(Duration::ZERO);
    let mut bench = bench_with(options).await;
    let reply = bench
        .call("Select", &[("SelectExpression", "select * from dom")])
        .await;
    assert_eq!(reply.error(), (408, "RequestTimeout"));
}

#[tokio::test]
async fn what_selects_looked_at_is_counted() {
    let mut bench = bench().await;
    for n in 0..50 {
        bench
            .put(&format!("i{n}"), &[("n", &format!("{n:02}"))])
            .await;
    }
    let before = bench.emulator.stats().sdb_rows;
    bench.select("select * from dom where n = '07'").await;
    assert_eq!(bench.emulator.stats().sdb_rows - before, 1);
    bench.select("select * from dom where not n = '07'").await;
    assert_eq!(bench.emulator.stats().sdb_rows - before, 51);
}

#[test]
fn the_folder_of_an_emulator_has_to_be_one() {
    let options = SdbOptions::default().dir("/dev/null/sdb");
    let error = Emulator::builder()
        .sdb(options)
        .start_blocking()
        .unwrap_err();
    assert!(error.to_string().starts_with("/dev/null/sdb: "), "{error}");
}
