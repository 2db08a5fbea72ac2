//! A command for each running instance: SSH to all of them.
//!
//! ```text
//! cargo run --example ec2_panes                                  # a table of made-up instances
//! cargo run --example ec2_panes -- --json
//! cargo run --example ec2_panes -- --ssh-config >> ~/.ssh/config
//! cargo run --example ec2_panes -- --region eu-west-1 --tag cluster=chat --tmux --user admin
//! ```
//!
//! The command is a template, `ssh {user}@{address}` unless told otherwise. Others that work:
//!
//! - `aws ssm start-session --target {id}`: Session Manager, which needs no open port;
//! - `aws ec2-instance-connect ssh --instance-id {id} --os-user {user}`: EC2 Instance Connect, which needs no key.
//!
//! No shell reads it: it is split at blanks, and each word becomes one argument whatever is put into it.

mod ssh_config;
mod template;
mod tmux;

use std::error::Error;
use std::io::{self, Write};
use std::process::ExitCode;

use clap::Parser;
use ec2_client::Instance;
use examples::ec2::{Ec2Args, Reached};
use examples::table::Table;
use serde_json::json;
use template::{Node, Template};

/// The command while instances are made up: nobody would answer.
const HARMLESS: &str = "echo here would be: ssh {user}@{address} ({id}, {zone})";
const SSH: &str = "ssh {user}@{address}";

/// Lists running instances of EC2, and opens a pane for each of them.
#[derive(Parser, Debug)]
#[command(name = "ec2_panes")]
struct Args {
    #[command(flatten)]
    ec2: Ec2Args,

    /// Print a JSON object a line.
    #[arg(long, conflicts_with_all = ["tmux", "ssh_config"])]
    json: bool,

    /// Open a pane of tmux for each, in a session and on a server of its own.
    #[arg(long, conflicts_with = "ssh_config")]
    tmux: bool,

    /// Print Host blocks for ~/.ssh/config.
    #[arg(long)]
    ssh_config: bool,

    /// The command of each pane: {user}, {address}, {id}, {name} and {zone} are put in. Defaults to
    /// ssh {user}@{address}; where the instances are made up, to an echo of that.
    #[arg(long, value_name = "TEMPLATE", value_parser = template::parse)]
    command: Option<Template>,

    /// Whom to log in as.
    #[arg(long, default_value = "ec2-user", value_parser = template::word)]
    user: String,

    /// What the session of tmux and its server are called.
    #[arg(long, default_value = "ec2-panes", value_parser = tmux::session)]
    session: String,

    /// Do not attach to the session.
    #[arg(long, requires = "tmux")]
    detached: bool,

    /// The most panes; for more instances none is opened.
    #[arg(long, value_name = "COUNT", default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..))]
    max: u16,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let mut words = std::env::args().skip(1);
    if words.next().as_deref() == Some(tmux::IN_PANE) {
        let command: Vec<String> = words.collect();
        return examples::exit("ec2_panes", Err(tmux::become_command(&command)));
    }
    let args = Args::parse();
    examples::exit(
        "ec2_panes",
        examples::printed(run(&args).await.map(|()| true)),
    )
}

async fn run(args: &Args) -> Result<(), Box<dyn Error>> {
    let cloud = args.ec2.open("ec2_panes")?;
    let request = args.ec2.instances(&cloud.client);
    let mut instances = request.items().try_collect_all().await?;
    instances.sort_unstable_by(|a, b| (a.name(), &a.id).cmp(&(b.name(), &b.id)));
    if instances.is_empty() {
        say("no such instance runs");
    }
    if args.json {
        return Ok(json_lines(&instances, args.ec2.address)?);
    }
    if !args.tmux && !args.ssh_config {
        return Ok(table(&instances, args.ec2.address)?);
    }
    let nodes: Vec<Node> = instances
        .iter()
        .filter_map(|instance| {
            let address = address(instance, args.ec2.address)?;
            Node::new(instance, &address, &args.user)
        })
        .collect();
    if nodes.len() < instances.len() {
        let skipped = instances.len() - nodes.len();
        say(&format!(
            "{skipped} left out, which have no address of the kind asked for"
        ));
    }
    if args.ssh_config {
        write!(io::stdout(), "{}", ssh_config::blocks(&nodes, &args.user))?;
        return Ok(());
    }
    if nodes.is_empty() {
        return Err("there is nothing to open a pane for".into());
    }
    if nodes.len() > args.max.into() {
        let (count, max) = (nodes.len(), args.max);
        return Err(format!(
            "{count} instances, and at most {max} panes are opened: ask for fewer, or say --max"
        )
        .into());
    }
    let template = match &args.command {
        Some(template) => template.clone(),
        None if cloud.made_up.is_some() => template::parse(HARMLESS)?,
        None => template::parse(SSH)?,
    };
    let commands = nodes.iter().map(|node| template.fill(node));
    let commands = commands.collect::<Result<Vec<_>, _>>()?;
    tmux::open(&args.session, &commands, args.detached)?;
    Ok(())
}

/// Tells a person something that is no output.
fn say(text: &str) {
    examples::say("ec2_panes", format_args!("{text}"));
}

fn address(instance: &Instance, which: Reached) -> Option<String> {
    match which {
        Reached::Private => instance.private_ip.map(|ip| ip.to_string()),
        Reached::Public => instance.public_ip.map(|ip| ip.to_string()),
        Reached::V6 => instance.ipv6.first().map(ToString::to_string),
        Reached::PrivateDns => instance.private_dns.clone(),
        Reached::PublicDns => instance.public_dns.clone(),
    }
}

fn table(instances: &[Instance], which: Reached) -> io::Result<()> {
    let mut table = Table::new(["NAME", "ID", "STATE", "ADDRESS", "ZONE", "TYPE", "GROUPS"]);
    for instance in instances {
        let or_dash = |text: Option<&str>| text.unwrap_or("-").to_owned();
        let groups: Vec<_> = instance
            .security_groups
            .iter()
            .map(|group| &*group.name)
            .collect();
        table.row([
            or_dash(instance.name()),
            instance.id.clone(),
            instance.state.to_string(),
            or_dash(address(instance, which).as_deref()),
            or_dash(instance.zone.as_deref()),
            or_dash(instance.instance_type.as_deref()),
            groups.join(","),
        ]);
    }
    write!(io::stdout(), "{table}")
}

fn json_lines(instances: &[Instance], which: Reached) -> io::Result<()> {
    for instance in instances {
        let groups: Vec<_> = instance
            .security_groups
            .iter()
            .map(|group| &*group.name)
            .collect();
        let line = json!({
            "id": instance.id,
            "name": instance.name(),
            "state": instance.state.as_str(),
            "address": address(instance, which),
            "private_ip": instance.private_ip,
            "public_ip": instance.public_ip,
            "ipv6": instance.ipv6,
            "zone": instance.zone,
            "type": instance.instance_type,
            "groups": groups,
            "tags": instance.tags,
        });
        writeln!(io::stdout(), "{line}")?;
    }
    Ok(())
}
