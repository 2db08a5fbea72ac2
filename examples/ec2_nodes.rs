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
use serde_json::{Value, json};

/// Tells which instances of EC2 join and leave a cluster, as they do.
#[derive(Parser, Debug)]
#[command(name = "ec2_nodes")]
struct Args {
    #[command(flatten)]
    ec2: Ec2Args,

    /// Seconds between two lists, but for some jitter. Defaults to 30, and to 1 where the instances are made up.
    #[arg(long, value_name = "SECONDS")]
    every: Option<u64>,

    /// Port to put behind the addresses.
    #[arg(long, value_name = "PORT")]
    port: Option<u16>,

    /// What stands before the @ of a node's name.
    #[arg(long, value_name = "NAME")]
    app: Option<String>,

    /// Print the nodes that there are, and end.
    #[arg(long)]
    once: bool,

    /// Print a JSON object a line.
    #[arg(long)]
    json: bool,

    /// End after so many events. Without it, it goes on until Ctrl-C.
    #[arg(long, value_name = "COUNT", conflicts_with = "once")]
    events: Option<usize>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let args = Args::parse();
    let outcome = run(&args).await.map(|()| true);
    examples::exit("ec2_nodes", outcome)
}

async fn run(args: &Args) -> Result<(), Box<dyn Error>> {
    let cloud = args.ec2.open()?;
    let usual = if cloud.made_up.is_some() { 1 } else { 30 };
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
    let mut left = args.events.unwrap_or(usize::MAX);
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
        PeerEvent::Ready { count } => note(args, "ready", &format!("{count} nodes")),
        PeerEvent::Skipped { id, .. } => {
            note(args, "skipped", &format!("{id} has no such address"))
        }
        PeerEvent::Stretched { every } => {
            let seconds = every.as_secs();
            note(
                args,
                "stretched",
                &format!("a list every {seconds} s, as there are so many"),
            )
        }
        PeerEvent::Failing(error, since) => {
            let seconds = since.elapsed().as_secs();
            note(args, "failing", &format!("for {seconds} s: {error}"))
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
    writeln!(
        io::stdout(),
        "{event:<9} {}  {:<15} {zone:<11} {}{why}",
        peer.id,
        peer.address,
        peer.name
    )
}

fn note(args: &Args, event: &str, text: &str) -> io::Result<()> {
    match args.json {
        true => line_of(&json!({"event": event, "text": text})),
        false => writeln!(io::stdout(), "{event:<9} {text}"),
    }
}

fn line_of(value: &Value) -> io::Result<()> {
    writeln!(io::stdout(), "{value}")
}
