//! The example that shows spans and metrics does, and the table of metrics has what it prints.

mod common;

use std::collections::BTreeSet;
use std::path::Path;

use common::{example, outcome};

/// The lines of the tree whose first line begins so, and holds this.
fn tree<'a>(text: &'a str, begins: &str, holds: &str) -> Vec<&'a str> {
    let mut lines = text.lines();
    let found = |line: &&str| line.starts_with(begins) && line.contains(holds);
    let first = lines.find(found);
    let first = first.unwrap_or_else(|| panic!("no {begins} with {holds} in:\n{text}"));
    let below = lines.take_while(|line| line.starts_with(' '));
    std::iter::once(first).chain(below).collect()
}

#[test]
fn spans_and_metrics_are_printed() {
    let (code, text, stderr) = outcome(&mut example("observed"));
    assert_eq!((code, &*stderr), (Some(0), ""));

    let put = tree(&text, "S3.PutObject", "outcome=ok");
    for field in [
        "rpc.service=S3",
        "rpc.method=PutObject",
        "aws.s3.bucket=photos",
        "aws.s3.key=2009/cat.jpg",
        "signature=V2",
        "attempts=2",
        "http.request.body.size=4",
        "aws.request_id=",
    ] {
        assert!(put[0].contains(field), "{field} is not in {}", put[0]);
    }
    let attempts: Vec<_> = put
        .iter()
        .filter(|line| line.starts_with("    attempt"))
        .collect();
    assert_eq!(attempts.len(), 2, "{put:?}");
    assert!(attempts[0].contains("resend_count=0") && attempts[0].contains("error.type=SlowDown"));
    assert!(attempts[1].contains("resend_count=1") && !attempts[1].contains("error"));
    let sent = put
        .iter()
        .filter(|line| line.starts_with("        http.client.request"));
    assert_eq!(sent.count(), 2, "{put:?}");

    let missed = tree(&text, "S3.GetObject", "cache=miss");
    assert!(missed[0].contains("attempts=1"), "{missed:?}");
    assert!(missed.len() == 3, "{missed:?}");
    let cached = tree(&text, "S3.GetObject", "cache=hit");
    assert_eq!(cached.len(), 1, "a hit asks nobody: {cached:?}");
    assert!(!cached[0].contains("attempts"), "{cached:?}");
    let missing = tree(&text, "S3.HeadObject", "outcome=error");
    assert!(missing[0].contains("otel.status_code=ERROR"), "{missing:?}");
    assert!(text.contains("404: not found: it does not exist"), "{text}");

    for line in [
        r#"aws_client_operations_total{service="S3",operation="PutObject",outcome="ok"} 1"#,
        r#"aws_client_attempts_total{service="S3",operation="PutObject"} 2"#,
        r#"aws_client_retries_total{service="S3",operation="PutObject"} 1"#,
        r#"aws_client_errors_total{service="S3",operation="PutObject",class="throttled"} 1"#,
        r#"aws_client_operations_total{service="S3",operation="HeadObject",outcome="not_found"} 1"#,
        // One of two was answered by the cache, and is no operation that was sent.
        r#"aws_client_operations_total{service="S3",operation="GetObject",outcome="ok"} 1"#,
        r#"aws_client_attempts_total{service="S3",operation="GetObject"} 1"#,
        r#"aws_client_cache_reads_total{service="S3",operation="GetObject",result="hit"} 1"#,
        r#"aws_client_cache_reads_total{service="S3",operation="GetObject",result="miss"} 1"#,
        r#"aws_client_cost{service="SimpleDB",operation="PutAttributes"} 0.0000"#,
        r#"aws_pool_connections{origin="http://127.0.0.1"#,
        r#"aws_pool_depth{origin="http://127.0.0.1"#,
    ] {
        assert!(text.contains(line), "{line} is not in:\n{text}");
    }
    // No label names what somebody stores.
    let metrics = text.lines().filter(|line| line.starts_with("aws_"));
    let named = |line: &&str| line.contains("photos") || line.contains("cat.jpg");
    assert_eq!(metrics.filter(named).count(), 0);
    assert!(!text.contains("Signature=") && !text.contains("AWS4-HMAC"));
}

#[test]
fn the_table_has_every_metric() {
    let (_, text, _) = outcome(&mut example("observed"));
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../aws-core/src/metrics/table.md");
    let table = std::fs::read_to_string(file).unwrap();
    let kinds: BTreeSet<_> = table
        .lines()
        .filter_map(|line| {
            let mut cells = line.strip_prefix("| `")?.split(" | ");
            let name = cells.next()?.trim_end_matches('`');
            // The exporter makes summaries of histograms.
            let kind = cells.next()?.replace("histogram", "summary");
            Some(format!("{name} {kind}"))
        })
        .collect();
    let printed: BTreeSet<_> = text
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE ").map(str::to_owned))
        .collect();
    let unknown: Vec<_> = printed.difference(&kinds).collect();
    assert!(unknown.is_empty(), "not in the table: {unknown:?}");
    // What the day of the example does not bring.
    let rare = [
        "aws_client_throttle_waits_total counter",
        "aws_pool_closed_total counter",
    ];
    let missing: Vec<_> = kinds
        .difference(&printed)
        .filter(|name| !rare.contains(&name.as_str()))
        .collect();
    assert!(
        missing.is_empty(),
        "in the table, and not printed: {missing:?}"
    );
}
