//! Tells which nodes of a cluster join and leave, as they do.
//!
//! ```text
//! cargo run --example ec2_nodes                                  # a made-up cloud, in which something happens
//! cargo run --example ec2_nodes -- --once --json                 # what there is, for scripts
//! cargo run --example ec2_nodes -- --region eu-west-1 --tag cluster=chat --every 30
//! ```

use std::error::Error;
use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use ec2_client::{Peer, PeerEvent};
use emulator::Ec2Table;
use examples::ec2::{Ec2Args, MADE_UP};
use examples::table::plain;
use serde_json::{Value, json};

/// Tells which instances of EC2 join and leave a cluster, as they do.
#[derive(Parser, Debug)]
#[command(name = "ec2_nodes")]
struct Args {
    #[command(flatten)]
    ec2: Ec2Args,

    /// Seconds between two lists, less or more a fifth. Defaults to 30, and to 2 where the instances are made up.
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=86_400))]
    every: Option<u64>,

    /// Port to put behind the addresses.
    #[arg(long, value_name = "PORT")]
    port: Option<u16>,

    /// What stands before the @ of a node's name. Without it, a name is the private DNS name alone.
    #[arg(long, value_name = "NAME")]
    app: Option<String>,

    /// Print the nodes that there are, and end.
    #[arg(long)]
    once: bool,

    /// Print a JSON object a line: "event" tells what it is about.
    #[arg(long)]
    json: bool,

    /// End after so many events. Without it, it goes on until Ctrl-C.
    #[arg(long, value_name = "COUNT", conflicts_with = "once", value_parser = clap::value_parser!(u64).range(1..))]
    events: Option<u64>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let args = Args::parse();
    examples::exit(
        "ec2_nodes",
        examples::printed(run(&args).await.map(|()| true)),
    )
}

async fn run(args: &Args) -> Result<(), Box<dyn Error>> {
    let cloud = args.ec2.open("ec2_nodes")?;
    let usual = if cloud.made_up.is_some() { 2 } else { 30 };
    let every = Duration::from_secs(args.every.unwrap_or(usual));
    let mut peers = args.ec2.peers(&cloud.client, every);
    if let Some(port) = args.port {
        peers = peers.port(port);
    }
    if let Some(app) = &args.app {
        peers = peers.app(app);
    }
    if args.once {
        for peer in peers.once().await? {
            print(args, "there", &peer, None)?;
        }
        return Ok(());
    }
    let mut watch = peers.watch();
    let story = cloud
        .made_up
        .as_ref()
        .map(|emulator| happen(emulator.ec2()));
    let story = story.map(tokio::spawn);
    let mut left = args.events.unwrap_or(u64::MAX);
    while left > 0
        && let Some(event) = watch.next().await
    {
        tell(args, &event)?;
        left -= 1;
    }
    if let Some(story) = story {
        story.abort();
    }
    Ok(())
}

/// What happens in the made-up cloud, again and again.
async fn happen(table: Ec2Table) {
    let new = r#"{"InstanceId": "i-0aa0000000000009", "PrivateIpAddress": "10.0.1.19", "SecurityGroups": ["chat"],
        "Tags": {"Name": "chat-9", "cluster": "chat"}, "Placement": {"AvailabilityZone": "eu-west-1a"}}"#;
    let pause = || tokio::time::sleep(Duration::from_secs(3));
    loop {
        pause().await;
        // These make sense, and cannot fail.
        let _ = table.put(new);
        pause().await;
        let _ = table.set_state("i-0aa0000000000002", "shutting-down");
        pause().await;
        table.remove("i-0bb0000000000001");
        pause().await;
        pause().await;
        let _ = table.set(MADE_UP);
    }
}

fn tell(args: &Args, event: &PeerEvent) -> io::Result<()> {
    match event {
        PeerEvent::Joined(peer) => print(args, "joined", peer, None),
        PeerEvent::Changed(peer) => print(args, "changed", peer, None),
        PeerEvent::Left(peer, why) => print(args, "left", peer, Some(why.to_string())),
        PeerEvent::Ready { count } => {
            let nodes = if *count == 1 { "node" } else { "nodes" };
            let text = format!("{count} {nodes}, and all of them are told");
            note(args, json!({"event": "ready", "count": count}), &text)
        }
        PeerEvent::Skipped { id, .. } => {
            let text = format!("{id} runs, but has no address of the kind asked for");
            note(args, json!({"event": "skipped", "id": id}), &text)
        }
        PeerEvent::Stretched { every } => {
            let seconds = every.as_secs_f64();
            let text = format!("a list every {seconds:.1} s, as there are so many nodes");
            note(args, json!({"event": "stretched", "every": seconds}), &text)
        }
        PeerEvent::Failing(error, since) => {
            let seconds = since.elapsed().as_secs();
            let text = format!("no list for {seconds} s, what is known stays: {error}");
            let line = json!({"event": "failing", "seconds": seconds, "error": error.to_string()});
            note(args, line, &text)
        }
        _ => Ok(()),
    }
}

fn print(args: &Args, event: &str, peer: &Peer, why: Option<String>) -> io::Result<()> {
    if args.json {
        let line = json!({
            "event": event,
            "id": peer.id,
            "name": peer.name,
            "address": peer.address,
            "zone": peer.zone,
            "tags": peer.tags,
            "why": why,
        });
        return line_of(&line);
    }
    let zone = peer.zone.as_deref().unwrap_or("-");
    let why = why.map_or(String::new(), |why| format!("  ({why})"));
    let line = format!(
        "{event:<9} {:<19}  {:<15} {zone:<11} {}{why}",
        peer.id, peer.address, peer.name
    );
    writeln!(io::stdout(), "{}", plain(&line))
}

/// An event that is about no peer: as a line of JSON, or as its name and a text.
fn note(args: &Args, line: Value, text: &str) -> io::Result<()> {
    match args.json {
        true => line_of(&line),
        false => {
            let event = line["event"].as_str().unwrap_or_default();
            writeln!(io::stdout(), "{event:<9} {}", plain(text))
        }
    }
}

fn line_of(value: &Value) -> io::Result<()> {
    writeln!(io::stdout(), "{value}")
}
