//! Runs clients in processes of their own, in turns, and compares them.

use std::ffi::OsString;
use std::io::Write;
use std::net::{SocketAddr, ToSocketAddrs};
use std::time::Duration;

use benches::child::{Running, client, counts};
use benches::report::{Report, Run};
use benches::scenario::{NAMES, Scenario, Target};
use benches::server::millis;
use benches::{BoxError, machine};
use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(about = "Measures the pool beside its peers.")]
#[command(args_conflicts_with_subcommands = true)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    args: Args,
}

#[derive(Subcommand)]
enum Command {
    /// Run one client against a server that is up, and print the sample as JSON.
    Client(benches::client::Args),
    /// Be the server.
    Serve(benches::server::Args),
}

#[derive(clap::Args)]
struct Args {
    /// Which scenarios; all that need no server of one's own, without it.
    #[arg(long, value_delimiter = ',', value_parser = NAMES)]
    scenario: Vec<String>,
    /// How often each client has its turn.
    #[arg(long, default_value_t = 7)]
    reps: usize,
    /// Milliseconds of warm-up in each turn: the pool learns its depth in that time.
    #[arg(long, default_value = "2500", value_parser = millis)]
    warm_up: Duration,
    /// Milliseconds that are measured in each turn.
    #[arg(long, default_value = "1500", value_parser = millis)]
    time: Duration,
    /// Milliseconds of work per request, in place of the scenario's own.
    #[arg(long, value_parser = millis)]
    latency: Option<Duration>,
    /// Only these clients, by their names in the table.
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// For rgw and far: the server, as [http://]HOST:PORT.
    #[arg(long)]
    endpoint: Option<String>,
    /// For rgw and far: what to GET, such as the path and query of a presigned link.
    #[arg(long, default_value = "/bench/object")]
    target: String,
    /// For rgw and far: the bytes of that object.
    #[arg(long, default_value_t = 1024)]
    body: usize,
    /// Print JSON instead of tables.
    #[arg(long)]
    json: bool,
}

fn main() -> Result<(), BoxError> {
    let cli = Cli::parse();
    let mut out = std::io::stdout();
    match cli.command {
        Some(Command::Serve(args)) => return args.serve(),
        Some(Command::Client(args)) => {
            let sample = benches::client::run(&args)?;
            writeln!(out, "{}", serde_json::to_string(&sample)?)?;
            return Ok(());
        }
        None => {}
    }
    let mut args = cli.args;
    if args.scenario.is_empty() {
        let alone = |name: &&str| !matches!(*name, "rgw" | "far");
        args.scenario = NAMES.into_iter().filter(alone).map(str::to_owned).collect();
    }
    let mut reports = Vec::new();
    for name in &args.scenario {
        let report = measure(name, &args)?;
        if !args.json {
            writeln!(out, "{report}")?;
        }
        reports.push(report);
    }
    if args.json {
        writeln!(out, "{}", serde_json::to_string_pretty(&reports)?)?;
    }
    Ok(())
}

fn measure(name: &str, args: &Args) -> Result<Report, BoxError> {
    let mut scenario = Scenario::named(name, args.latency).ok_or("no such scenario")?;
    if !args.only.is_empty() {
        scenario
            .contenders
            .retain(|c| args.only.iter().any(|only| only == c.name));
    }
    let server = match &scenario.target {
        Target::Own(mode) => Some(Running::own(mode, &[0])?),
        Target::Nginx => Some(Running::nginx(&args.target, args.body, &[0])?),
        Target::Given => None,
    };
    let addr = match &server {
        Some(server) => server.addr,
        None => resolve(
            args.endpoint
                .as_deref()
                .ok_or("this scenario needs --endpoint")?,
        )?,
    };
    let counted = matches!(scenario.target, Target::Own(_));
    let common: Vec<OsString> = vec![
        format!("--server={addr}").into(),
        format!("--target={}", args.target).into(),
        format!("--body={}", args.body).into(),
        format!("--warm-up={}", args.warm_up.as_secs_f64() * 1e3).into(),
        format!("--time={}", args.time.as_secs_f64() * 1e3).into(),
    ];
    let empty = |c: &benches::scenario::Contender| Run {
        client: c.name,
        samples: Vec::new(),
    };
    let mut runs: Vec<Run> = scenario.contenders.iter().map(empty).collect();
    let before = machine::load()?;
    for rep in 0..args.reps {
        for i in 0..runs.len() {
            // Another one begins each time: who follows whom may matter.
            let i = (i + rep) % runs.len();
            if counted {
                counts(addr, true)?;
            }
            let mut line = scenario.contenders[i].args.clone();
            line.extend_from_slice(&common);
            let mut sample = client(&line)?;
            if counted {
                let seen = counts(addr, false)?;
                (sample.sockets, sample.opened) = (seen.most, seen.total);
            }
            runs[i].samples.push(sample);
        }
    }
    let of = |name: &str| {
        runs.iter()
            .find(|r| r.client == name)
            .map(|r| r.samples.as_slice())
    };
    let judge = |goal: &benches::goal::Goal| match goal.peer {
        Some(peer) => Some(goal.judge(of(goal.client)?, Some(of(peer)?))),
        None => Some(goal.judge(of(goal.client)?, None)),
    };
    let goals = scenario.goals.iter().filter_map(judge).collect();
    Ok(Report {
        scenario: name.to_owned(),
        about: scenario.about,
        load: [before, machine::load()?],
        goals,
        runs,
    })
}

fn resolve(endpoint: &str) -> Result<SocketAddr, BoxError> {
    let host = endpoint
        .strip_prefix("http://")
        .unwrap_or(endpoint)
        .trim_end_matches('/');
    Ok(host
        .to_socket_addrs()?
        .next()
        .ok_or("the endpoint has no address")?)
}
