//! `cached_reads` from the outside.
#![allow(clippy::unwrap_used)]

mod common;

use std::process::Command;

use common::{example, outcome};

fn cached_reads() -> Command {
    example("cached_reads")
}

#[test]
fn every_read_is_right_while_a_server_dies_and_returns() {
    let plot = std::env::temp_dir().join(format!("cached-reads-{}.svg", std::process::id()));
    let mut command = cached_reads();
    command.args([
        "--keys",
        "50",
        "--tasks",
        "8",
        "--seconds",
        "3",
        "--writes",
        "0.1",
    ]);
    command.args(["--items", "0.3", "--latency", "1ms", "--json", "--plot"]);
    let (code, stdout, stderr) = outcome(command.arg(&plot));
    let picture = std::fs::read_to_string(&plot);
    let _ = std::fs::remove_file(&plot);
    assert_eq!((code, &*stderr), (Some(0), ""), "{stdout}");

    let report: serde_json::Value = serde_json::from_str(&stdout).unwrap();
    for figure in ["wrong", "old", "failed"] {
        assert_eq!(report[figure], 0, "{figure}: {report}");
    }
    for figure in ["compared", "writes", "reads_after_write", "saved_requests"] {
        assert!(report[figure].as_u64() > Some(0), "{figure}: {report}");
    }
    assert!(report["saved_dollars"].as_f64() > Some(0.0));
    assert_eq!(report["writes"], report["reads_after_write"]);
    let at = |mark: &str| report[mark].as_f64().unwrap();
    assert!(1.0 <= at("killed_at") && at("killed_at") < at("restarted_at"));
    let names = ["without cache", "with cache", "before the kill"];
    let spans = report["spans"].as_array().unwrap();
    for (span, name) in spans.iter().zip(names) {
        assert_eq!(span["name"], name);
        assert!(span["reads"].as_u64() > Some(0), "{span}");
    }
    assert_eq!(spans.len(), 5);
    assert!(spans[0]["hit_rate"].is_null());
    assert!(spans[1]["hit_rate"].as_f64() > Some(0.0));

    let picture = picture.unwrap();
    assert!(picture.starts_with("<svg") && picture.contains("</svg>"));
    for word in ["killed", "restarted", "p99", "without the cache"] {
        assert!(picture.contains(word), "no {word} in\n{picture}");
    }
}

#[test]
fn the_table_has_every_figure() {
    let mut command = cached_reads();
    command.args([
        "--keys",
        "20",
        "--tasks",
        "4",
        "--seconds",
        "1",
        "--latency",
        "0ms",
    ]);
    let (code, stdout, stderr) = outcome(&mut command);
    assert_eq!((code, &*stderr), (Some(0), ""), "{stdout}");
    for words in [
        "reads/s",
        "p50 ms",
        "p99 ms",
        "without cache",
        "with cache",
        "before the kill",
        "one server less",
        "after its return",
        "killed at ",
        "restarted at ",
        " per 1,000 GETs",
        ": 0 wrong, 0 old, 0 failed",
    ] {
        assert!(stdout.contains(words), "no {words} in\n{stdout}");
    }
}

#[test]
fn what_cannot_be_done_is_one_line() {
    let mut command = cached_reads();
    let (code, stdout, stderr) = outcome(command.args(["--memcached", "/nonexistent/memcached"]));
    assert_eq!((code, &*stdout), (Some(1), ""));
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
    assert!(
        stderr.contains("/nonexistent/memcached") && stderr.contains("install"),
        "{stderr}"
    );
    for wrong in [
        ["--writes", "2"],
        ["--seconds", "0"],
        ["--latency", "soon"],
        ["--keys", "0"],
        ["--price-get", "free"],
    ] {
        let (code, _, stderr) = outcome(cached_reads().args(wrong));
        assert_eq!(code, Some(2), "{stderr}");
        assert!(stderr.contains(wrong[0]), "{stderr}");
    }
    let (code, stdout, _) = outcome(cached_reads().arg("--help"));
    assert_eq!(code, Some(0));
    for flag in [
        "--keys",
        "--size",
        "--exponent",
        "--items",
        "--writes",
        "--seed",
        "--seconds",
        "--tasks",
        "--latency",
        "--connections",
        "--cache-ttl",
        "--memcached",
        "--price-get",
        "--price-box-hour",
        "--plot",
        "--json",
    ] {
        assert!(stdout.contains(flag), "no {flag} in\n{stdout}");
    }
}
