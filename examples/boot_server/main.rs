//! A boot server and its nodes: see `--help`.

mod counts;
mod node;
mod story;

use std::error::Error;
use std::io::{self, Write};
use std::process::ExitCode;

use clap::Parser;
use examples::say;
use examples::table::{Table, grouped};
use serde_json::json;

use story::{Report, tell};

/// Publishes a release, has three nodes follow it, changes two files, and kills one node in the middle of the change.
///
/// The store is an emulator that lives as long as this program, and the nodes are processes of their own. The first release
/// has two applications, chat and mail. Each node runs a command for an application when one of its files has changed, as
/// if to restart it. For the second release two files of chat are changed. The last node is killed by SIGKILL when it
/// has fetched one of them; it has to have the first release then, whole, and the second one when it is started again. At
/// the end all trees are compared byte by byte. A table tells what was asked of the store in each step, and what was moved.
///
/// The exit code is 1 if a node has another tree than it should.
#[derive(Parser, Debug)]
#[command(name = "boot_server", version)]
struct Args {
    /// How many files the release has, 4 or more.
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = clap::value_parser!(u32).range(4..=100_000))]
    files: u32,

    /// How many bytes a file has.
    #[arg(long, value_name = "N", default_value_t = 4096, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    size: u32,

    /// How many nodes there are, 1 or more.
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..=100))]
    nodes: u16,

    /// Print the report as JSON.
    #[arg(long)]
    json: bool,
}

fn main() -> ExitCode {
    if let Some(code) = node::run_if_asked() {
        return code;
    }
    let args = Args::parse();
    let told = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(Box::<dyn Error>::from)
        .and_then(|runtime| runtime.block_on(Box::pin(tell(args.files, args.size, args.nodes))));
    let printed = told.and_then(|report| {
        print(&report, args.json)?;
        Ok(report.is_right())
    });
    match printed {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            say("boot_server", format_args!("{error}"));
            ExitCode::FAILURE
        }
    }
}

fn print(report: &Report, json: bool) -> io::Result<()> {
    let mut out = io::stdout().lock();
    if json {
        let steps = report.steps.iter().map(|step| {
            json!({
                "step": step.name, "requests": step.requests, "sent": step.sent, "sent_bytes": step.sent_bytes,
                "fetched": step.fetched, "fetched_bytes": step.fetched_bytes,
            })
        });
        let nodes = report.nodes.iter().map(|node| {
            json!({"node": node.name, "release": node.release, "whole": node.whole, "commands": node.commands})
        });
        let report = json!({
            "steps": steps.collect::<Vec<_>>(), "nodes": nodes.collect::<Vec<_>>(),
            "killed": {"node": report.killed, "whole": report.killed_whole},
        });
        return writeln!(out, "{report:#}");
    }
    let heads = [
        "",
        "requests",
        "contents sent",
        "bytes",
        "contents fetched",
        "bytes",
    ];
    let mut table = Table::new(heads).numbers();
    for step in &report.steps {
        let counts = [
            step.requests,
            step.sent,
            step.sent_bytes,
            step.fetched,
            step.fetched_bytes,
        ];
        let mut row = vec![step.name.to_owned()];
        row.extend(counts.map(grouped));
        table.row(row);
    }
    writeln!(out, "{table}")?;
    let whole = |whole: bool| if whole { "whole" } else { "NOT WHOLE" };
    writeln!(
        out,
        "{} was killed when it had one of the two new files; its release was 1 then, {}.",
        report.killed,
        whole(report.killed_whole)
    )?;
    for node in &report.nodes {
        let commands = node.commands.join(", ");
        let (release, whole) = (node.release, whole(node.whole));
        writeln!(
            out,
            "{} runs release {release}, {whole}; commands: {commands}",
            node.name
        )?;
    }
    Ok(())
}
