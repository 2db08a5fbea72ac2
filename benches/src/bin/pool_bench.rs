//! Runs clients in processes of their own, in turns, and compares them.

use std::ffi::OsString;
use std::io::Write;
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::PathBuf;
use std::time::Duration;

use benches::child::{Running, boto3, client, counts};
use benches::clients::s3::S3;
use benches::keys::{Keys, VARIABLE};
use benches::memcached::contest::{self, ClientArgs};
use benches::progress::Progress;
use benches::report::{Goals, Report};
use benches::scenario::{NAMES, Options, Program, Scenario, Target, needs_a_server};
use benches::server::{Mode, millis};
use benches::{BoxError, turns};
use clap::builder::PossibleValuesParser;
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
    /// Run one client of memcached, and print the sample as JSON.
    #[command(name = MEMCACHED_CLIENT)]
    MemcachedClient(ClientArgs),
    /// Be the server.
    Serve(benches::server::Args),
}

const MEMCACHED_CLIENT: &str = "memcached-client";

/// The scenario that is about memcached, and not about a pool's clients.
const MEMCACHED: &str = "memcached";

fn names() -> impl Iterator<Item = &'static str> {
    NAMES.into_iter().chain([MEMCACHED])
}

#[derive(clap::Args)]
struct Args {
    /// Which scenarios; all that need no server of one's own, without it.
    #[arg(long, value_delimiter = ',', value_parser = PossibleValuesParser::new(names()))]
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
    /// The bytes of each body, or the keys of a listing, in place of the scenario's own.
    #[arg(long)]
    body: Option<usize>,
    /// For rgw and far: ACCESS:SECRET, for the whole clients, and for links that the others GET.
    /// Better given in the environment, where nobody else sees it.
    #[arg(long, env = VARIABLE, hide_env_values = true)]
    keys: Option<Keys>,
    /// For rgw and far, with keys: store the object at the target first, and make the bucket.
    #[arg(long, requires = "endpoint")]
    upload: bool,
    /// For far: the rate beside hyper's that must be reached.
    #[arg(long, default_value_t = 0.97)]
    wanted: f64,
    /// A program that runs the AWS SDK, as the package in `sdk` makes it.
    #[arg(long)]
    sdk: Option<PathBuf>,
    /// A Python that has boto3, for simpledb.
    #[arg(long)]
    boto3: Option<PathBuf>,
    /// Print the goals of all scenarios in one table at the end.
    #[arg(long)]
    goals: bool,
    /// Print JSON instead of tables; with a file, write it there as well as the tables here.
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "-")]
    json: Option<PathBuf>,
}

fn main() -> Result<(), BoxError> {
    let cli = Cli::parse();
    let mut out = std::io::stdout();
    match cli.command {
        Some(Command::Serve(args)) => return args.serve(),
        Some(Command::MemcachedClient(args)) => {
            let sample = contest::run(args)?;
            writeln!(out, "{}", serde_json::to_string(&sample)?)?;
            // A thread that blocks is not waited for.
            std::process::exit(0);
        }
        Some(Command::Client(args)) => {
            let sample = benches::client::run(&args)?;
            writeln!(out, "{}", serde_json::to_string(&sample)?)?;
            return Ok(());
        }
        None => {}
    }
    let mut args = cli.args;
    if args.scenario.is_empty() {
        let alone = |name: &&str| !needs_a_server(name);
        args.scenario = names().filter(alone).map(str::to_owned).collect();
    }
    if args.upload && args.keys.is_none() {
        return Err("--upload needs --keys".into());
    }
    // memcached is none of these.
    let mut scenarios = Vec::new();
    let mut turns = 0;
    for name in &args.scenario {
        let scenario = match name.as_str() {
            MEMCACHED => None,
            name => Some(scenario(name, &args)?),
        };
        turns += match &scenario {
            Some(scenario) => scenario.contenders.len() * args.reps,
            None => contest::turns(args.reps),
        };
        scenarios.push((name.as_str(), scenario));
    }
    let progress = Progress::new(turns);
    let to_file = args.json.as_ref().filter(|path| path.as_os_str() != "-");
    let tables = args.json.is_none() || to_file.is_some();
    let (mut reports, mut failures) = (Vec::new(), Vec::new());
    for (name, scenario) in &scenarios {
        let report = match scenario {
            Some(scenario) => measure(name, scenario, &args, &progress),
            None => {
                let usual = contest::Args::default();
                let work = contest::Args {
                    body: args.body.unwrap_or(usual.body),
                    warm_up: args.warm_up,
                    time: args.time,
                    ..usual
                };
                contest::measure(&work, args.reps, MEMCACHED_CLIENT, &progress)
            }
        };
        let report = match report {
            Ok(report) => report,
            // What the others gave is not lost by it.
            Err(error) => {
                failures.push(format!("{name} was not measured: {error}"));
                continue;
            }
        };
        if tables && args.goals {
            progress.print(&report.figures())?;
        } else if tables {
            progress.print(&report)?;
        }
        reports.push(report);
    }
    drop(progress);
    if tables && args.goals {
        write!(out, "{}", Goals(&reports))?;
    }
    if let Some(path) = &args.json {
        let goals: Vec<_> = Goals(&reports).rows().collect();
        let json = if args.goals {
            serde_json::to_string_pretty(&serde_json::json!({
                "goals": goals,
                "scenarios": reports,
            }))?
        } else {
            serde_json::to_string_pretty(&reports)?
        };
        match to_file {
            Some(_) => std::fs::write(path, json)?,
            None => writeln!(out, "{json}")?,
        }
    }
    if failures.is_empty() {
        Ok(())
    } else {
        Err(failures.join("; ").into())
    }
}

/// The scenario as the options want it.
fn scenario(name: &str, args: &Args) -> Result<Scenario, BoxError> {
    let options = Options {
        latency: args.latency,
        sdk: args.sdk.is_some(),
        boto3: args.boto3.is_some(),
        keys: args.keys.is_some(),
        wanted: args.wanted,
    };
    let mut scenario = Scenario::named(name, &options).ok_or("no such scenario")?;
    if !args.only.is_empty() {
        let wanted = |name: &str| args.only.iter().any(|only| only == name);
        scenario.contenders.retain(|c| wanted(c.name));
    }
    Ok(scenario)
}

fn measure(
    name: &str,
    scenario: &Scenario,
    args: &Args,
    progress: &Progress,
) -> Result<Report, BoxError> {
    let given = matches!(scenario.target, Target::Given);
    let body = args.body.unwrap_or(scenario.size);
    let roots = Roots::new();
    let server = match &scenario.target {
        Target::Own(mode) => {
            let mode = Mode {
                body,
                tls: scenario.tls.then(|| roots.0.clone()),
                ..mode.clone()
            };
            Some(Running::own(&mode, &[0])?)
        }
        Target::Nginx { puts } => {
            let tls = scenario.tls.then_some(roots.0.as_path());
            Some(Running::nginx(&args.target, body, *puts, tls, &[0])?)
        }
        Target::Given => None,
    };
    let addr = match (&server, &args.endpoint) {
        (Some(server), _) => server.addr,
        (None, Some(endpoint)) => resolve(endpoint)?,
        (None, None) => return Err("it needs --endpoint".into()),
    };
    // Our own server takes any keys, and is not to see others.
    let keys = args.keys.as_ref().filter(|_| given);
    let unsigned = match keys {
        Some(keys) => prepare(addr, args, body, keys)?,
        None => args.target.clone(),
    };
    // Counts are asked for without TLS.
    let counted = matches!(scenario.target, Target::Own(_)) && !scenario.tls;
    let mut common: Vec<OsString> = vec![
        format!("--server={addr}").into(),
        format!("--body={body}").into(),
        format!("--warm-up={}", args.warm_up.as_secs_f64() * 1e3).into(),
        format!("--time={}", args.time.as_secs_f64() * 1e3).into(),
    ];
    if scenario.tls {
        common.extend(["--roots".into(), roots.0.clone().into()]);
    }
    let clients: Vec<&'static str> = scenario.contenders.iter().map(|c| c.name).collect();
    turns::take(
        name,
        scenario.about,
        &clients,
        &scenario.goals,
        args.reps,
        progress,
        |i| {
            let contender = &scenario.contenders[i];
            if counted {
                counts(addr, true)?;
            }
            let mut line = vec!["client".into()];
            line.extend_from_slice(&contender.args);
            line.extend_from_slice(&common);
            let target = if contender.signs {
                &args.target
            } else {
                &unsigned
            };
            line.push(format!("--target={target}").into());
            let program = |path: &Option<PathBuf>| path.clone().ok_or("there is no such program");
            let mut sample = match contender.program {
                Program::This => client(None, &line, keys),
                Program::Sdk => client(Some(&program(&args.sdk)?), &line, keys),
                Program::Boto3 => boto3(&program(&args.boto3)?, &line),
            }?;
            if counted {
                let seen = counts(addr, false)?;
                (sample.sockets, sample.opened) = (seen.most, seen.total);
            }
            Ok(sample)
        },
    )
}

/// The file that the server's certificate is in, removed when this is dropped.
struct Roots(PathBuf);

impl Roots {
    fn new() -> Self {
        let name = format!("bench-certificate-{}.pem", std::process::id());
        Self(std::env::temp_dir().join(name))
    }
}

impl Drop for Roots {
    fn drop(&mut self) {
        // There is one only where TLS is spoken.
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Stores the object if that is asked for. Returns what clients GET that do not sign.
fn prepare(addr: SocketAddr, args: &Args, body: usize, keys: &Keys) -> Result<String, BoxError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let s3 = S3::new(&format!("http://{addr}"), &args.target, keys, Some(1), None)?;
        if args.upload {
            s3.upload(body).await?;
        }
        s3.link().await
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
