//! What the program is told: arguments, each of which an environment variable can give as well.
//!
//! *Problem:* A setting that is misspelled or unknown, and passed over in silence, keeps a server's people in another
//! bucket than was meant. *Decision:* An argument that is not known ends the program with status 2, and so does a variable
//! whose name begins with `EJABBERD_CLOUD_` and is none of those that `--help` names. Keys are never arguments, which every
//! user of a machine can read: they come from where Amazon's own tools look for them. *Cost:* A newer configuration does
//! not start an older program.

use std::ffi::OsString;
use std::time::Duration;

use clap::{Args, CommandFactory, Parser, Subcommand, ValueEnum};

/// What the names of all variables that are settings begin with.
const VARIABLES: &str = "EJABBERD_CLOUD_";

/// Keeps the state of an XMPP server in Amazon S3 and SimpleDB, and in stores that speak their protocols.
///
/// The server starts this program and talks to it over standard input and output. Nothing else is written to standard
/// output; standard error has one line for each thing that goes wrong.
///
/// The keys come from the environment (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN), from a web identity,
/// from the profile AWS_PROFILE in ~/.aws/credentials and ~/.aws/config, or from the role of the container or of the machine,
/// whichever is there first.
///
/// Exit status: 0 when standard input ended, 1 after an error, 2 for settings that are wrong.
#[derive(Debug, Parser)]
#[command(
    name = "ejabberd-cloud",
    version,
    subcommand_required = true,
    arg_required_else_help = true
)]
pub(crate) struct Settings {
    /// Which protocol the server speaks.
    #[command(subcommand)]
    pub(crate) front: Front,
}

/// The two ways to talk to a server.
#[derive(Debug, Subcommand)]
pub(crate) enum Front {
    /// Serve an Erlang port with {packet, 4}, as the shims for ejabberd open it.
    Port {
        #[command(flatten)]
        stores: StoreSettings,

        /// How many calls may be under way at once; further ones wait in the pipe.
        #[arg(long, value_name = "COUNT", env = "EJABBERD_CLOUD_MAX_CALLS", default_value_t = 512,
              value_parser = clap::value_parser!(u32).range(1..=100_000))]
        max_calls: u32,

        /// Let everybody read the logs of rooms, by an access control list on each page.
        ///
        /// The bucket has to take such lists, which new ones at Amazon do not: there, a policy of the bucket does the same.
        #[arg(long, env = "EJABBERD_CLOUD_PUBLIC_LOG")]
        public_log: bool,
    },
    /// Serve a node of a cluster, by an Erlang port with {packet, 4}, as the shim cloud_node opens it: who else is there.
    Node(NodeSettings),
    /// Print a secret that all nodes share, which is kept in the bucket; end with status 3 if there is none.
    ///
    /// Whoever can read the bucket can read it. Standard output is to be a file that nobody else may read.
    Secret {
        #[command(flatten)]
        stores: StoreSettings,

        /// What it is called: cookie, or certificate.
        name: String,

        /// Make a random one of 32 letters and digits if there is none.
        #[arg(long, conflicts_with = "set")]
        random: bool,

        /// Set it to what comes on standard input, at most 65,536 bytes, and print nothing.
        #[arg(long)]
        set: bool,
    },
    /// Serve ejabberd's protocol of external authentication: auth, isuser, setpass, tryregister and removeuser, one at a time.
    ///
    /// It can answer nothing but yes and no, so that a server which uses it offers PLAIN alone, and when the store cannot be
    /// asked this program ends, with status 1.
    Extauth {
        #[command(flatten)]
        stores: StoreSettings,
    },
}

/// Where the stores are, and how they are asked.
#[derive(Clone, Debug, Args)]
pub(crate) struct StoreSettings {
    /// The bucket, which has to be there, unless --create-bucket is given.
    #[arg(long, value_name = "NAME", env = "EJABBERD_CLOUD_BUCKET")]
    pub(crate) bucket: String,

    /// Make the bucket if there is none.
    #[arg(long, env = "EJABBERD_CLOUD_CREATE_BUCKET")]
    pub(crate) create_bucket: bool,

    /// What all keys and names of domains begin with: 1 to 64 letters, digits, hyphens, dots and underscores.
    ///
    /// Nodes of one service have the same prefix; services of different prefixes see nothing of each other.
    #[arg(
        long,
        value_name = "NAME",
        env = "EJABBERD_CLOUD_PREFIX",
        default_value = "xmpp"
    )]
    pub(crate) prefix: String,

    /// Over how many domains each kind of thing is spread, 1 to 48; 4 if it is not said.
    ///
    /// The first node of a service fixes it. Another number is an error then.
    #[arg(long, value_name = "COUNT", env = "EJABBERD_CLOUD_SHARDS")]
    pub(crate) shards: Option<u32>,

    /// The region of both services, where their endpoints are not given.
    #[arg(
        long,
        value_name = "NAME",
        env = "EJABBERD_CLOUD_REGION",
        default_value = "us-east-1"
    )]
    pub(crate) region: String,

    /// Where S3 is, such as http://127.0.0.1:7480. Defaults to Amazon's in the region.
    #[arg(long, value_name = "URL", env = "EJABBERD_CLOUD_S3_ENDPOINT")]
    pub(crate) s3_endpoint: Option<String>,

    /// Where SimpleDB is. Defaults to Amazon's in the region.
    #[arg(long, value_name = "URL", env = "EJABBERD_CLOUD_SDB_ENDPOINT")]
    pub(crate) sdb_endpoint: Option<String>,

    /// How requests to S3 are signed.
    #[arg(
        long,
        value_name = "VERSION",
        env = "EJABBERD_CLOUD_SIGNATURE",
        default_value = "auto"
    )]
    pub(crate) signature: SignatureVersion,

    /// Send the tag of a conditional write without its quotes, as Ceph RGW up to version 16 wants it.
    #[arg(long, env = "EJABBERD_CLOUD_UNQUOTED_IF_MATCH")]
    pub(crate) unquoted_if_match: bool,

    /// A memcached server that reads may be answered from, HOST:PORT or HOST:PORT and a weight; may be given several times.
    ///
    /// All nodes have to name the same servers in the same order.
    #[arg(
        long = "cache-server",
        value_name = "SERVER",
        env = "EJABBERD_CLOUD_CACHE_SERVERS",
        value_delimiter = ','
    )]
    pub(crate) cache_servers: Vec<String>,

    /// How long a cache keeps what it has, in seconds, 1 to 86,400: for so long may the change of a node that could not
    /// tell the cache be missed, a changed password too.
    #[arg(long, value_name = "SECONDS", env = "EJABBERD_CLOUD_CACHE_TTL", default_value_t = 10,
          value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub(crate) cache_ttl: u64,

    /// How many connections there may be to S3 and SimpleDB together.
    #[arg(long, value_name = "COUNT", env = "EJABBERD_CLOUD_MAX_CONNECTIONS", default_value_t = 32,
          value_parser = clap::value_parser!(u16).range(1..=4096))]
    pub(crate) max_connections: u16,

    /// How long one call may take, all its requests and their retries included, in milliseconds, 100 to 600,000.
    #[arg(long, value_name = "MILLISECONDS", env = "EJABBERD_CLOUD_DEADLINE_MS", default_value_t = 18_000,
          value_parser = clap::value_parser!(u64).range(100..=600_000))]
    pub(crate) deadline_ms: u64,
}

impl StoreSettings {
    /// How long one call may take.
    pub(crate) fn deadline(&self) -> Duration {
        Duration::from_millis(self.deadline_ms)
    }
}

/// How the nodes of a cluster find each other.
#[derive(Clone, Debug, Args)]
pub(crate) struct NodeSettings {
    #[command(flatten)]
    pub(crate) stores: StoreSettings,

    /// The name of this node, as Erlang has it: ejabberd@10.0.0.7.
    #[arg(long, value_name = "NAME")]
    pub(crate) name: String,

    /// How long the lease of a node lasts, in seconds, 3 to 3,600; the same for all nodes.
    ///
    /// It is renewed, and those of others are looked at, each third of it. A node that is gone is removed from the cluster
    /// one to two lengths after its last renewal; its people can log in elsewhere at once.
    #[arg(long = "lease", value_name = "SECONDS", env = "EJABBERD_CLOUD_LEASE", default_value_t = 30,
          value_parser = clap::value_parser!(u64).range(3..=3600))]
    pub(crate) lease_seconds: u64,

    /// Where nodes find each other.
    #[arg(
        long,
        value_name = "WHERE",
        env = "EJABBERD_CLOUD_DISCOVERY",
        default_value = "leases"
    )]
    pub(crate) discovery: Discovery,

    /// A tag that the instances of all nodes have, KEY=VALUE; may be given several times.
    #[arg(
        long = "ec2-tag",
        value_name = "TAG",
        env = "EJABBERD_CLOUD_EC2_TAGS",
        value_delimiter = ','
    )]
    pub(crate) ec2_tags: Vec<String>,

    /// A security group that the instances of all nodes are in, by its name or its id; may be given several times.
    #[arg(
        long = "ec2-security-group",
        value_name = "GROUP",
        env = "EJABBERD_CLOUD_EC2_SECURITY_GROUPS",
        value_delimiter = ','
    )]
    pub(crate) ec2_security_groups: Vec<String>,

    /// The Auto Scaling group of all nodes.
    #[arg(
        long,
        value_name = "NAME",
        env = "EJABBERD_CLOUD_EC2_AUTO_SCALING_GROUP"
    )]
    pub(crate) ec2_auto_scaling_group: Option<String>,

    /// Where EC2 is. Defaults to Amazon's in the region.
    #[arg(long, value_name = "URL", env = "EJABBERD_CLOUD_EC2_ENDPOINT")]
    pub(crate) ec2_endpoint: Option<String>,
}

impl NodeSettings {
    /// How long a lease lasts.
    pub(crate) fn lease(&self) -> Duration {
        Duration::from_secs(self.lease_seconds)
    }

    /// How the stores are asked for leases: no single call may take so long that a renewal comes late, unless the lease is
    /// shorter than a call may well take, and nothing comes from a cache.
    pub(crate) fn stores(&self) -> StoreSettings {
        let third = (self.lease_seconds * 1000 / 3).max(5000);
        StoreSettings {
            deadline_ms: self.stores.deadline_ms.min(third),
            cache_servers: Vec::new(),
            max_connections: 2,
            ..self.stores.clone()
        }
    }
}

/// Where nodes find each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Discovery {
    /// By leases in S3, which take nothing but the bucket.
    Leases,
    /// By the instances of EC2 that have a tag, are in a security group or in an Auto Scaling group. It takes the
    /// permission ec2:DescribeInstances.
    Ec2,
}

/// How requests to S3 are signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum SignatureVersion {
    /// Version 4 at Amazon, Version 2 elsewhere.
    Auto,
    /// Version 2.
    V2,
    /// Version 4, in the region of --region.
    V4,
}

impl Settings {
    /// Reads the arguments, the program's name first, and what the variables of the environment give beside them.
    ///
    /// # Errors
    ///
    /// What is wrong, as text for a person; also the text of `--help` and `--version`.
    pub(crate) fn read(arguments: impl IntoIterator<Item = OsString>) -> Result<Self, clap::Error> {
        Self::check(std::env::vars_os().map(|(name, _)| name))?;
        Self::try_parse_from(arguments)
    }

    /// Refuses variables that look like settings and are none.
    fn check(variables: impl Iterator<Item = OsString>) -> Result<(), clap::Error> {
        let command = Self::command();
        let known = |name: &str| {
            let mut arguments = command
                .get_subcommands()
                .flat_map(clap::Command::get_arguments);
            arguments.any(|argument| argument.get_env().is_some_and(|env| env == name))
        };
        for name in variables {
            let name = name.to_string_lossy();
            if name.starts_with(VARIABLES) && !known(&name) {
                let text = format!(
                    "the environment variable {name} is no setting of this program; --help names them"
                );
                return Err(Self::command().error(clap::error::ErrorKind::UnknownArgument, text));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(arguments: &[&str]) -> Result<Settings, clap::Error> {
        Settings::try_parse_from(std::iter::once("ejabberd-cloud").chain(arguments.iter().copied()))
    }

    #[test]
    fn the_definition_is_sound() {
        Settings::command().debug_assert();
    }

    #[test]
    fn defaults_are_those_of_the_help() {
        let settings = read(&["port", "--bucket", "chat"]).expect("enough");
        let Front::Port {
            stores,
            max_calls,
            public_log,
        } = settings.front
        else {
            panic!("another front")
        };
        assert_eq!((max_calls, public_log), (512, false));
        assert_eq!(
            (
                stores.bucket.as_str(),
                stores.prefix.as_str(),
                stores.shards
            ),
            ("chat", "xmpp", None)
        );
        assert_eq!(stores.deadline(), Duration::from_secs(18));
        assert!(stores.cache_servers.is_empty());
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (arguments, named) in [
            (&["port"][..], "--bucket"),
            (&["port", "--bucket", "b", "--buckets", "c"], "--buckets"),
            (&["port", "--bucket", "b", "--deadline-ms", "99"], "99"),
            (
                &["port", "--bucket", "b", "--max-calls", "0"],
                "--max-calls",
            ),
            (
                &["extauth", "--bucket", "b", "--max-calls", "7"],
                "--max-calls",
            ),
            (&["port", "--bucket", "b", "--signature", "v3"], "v3"),
            (&["ports"], "ports"),
            (&["node", "--bucket", "b"], "--name"),
            (
                &["node", "--bucket", "b", "--name", "a@b", "--lease", "2"],
                "--lease",
            ),
            (
                &[
                    "node",
                    "--bucket",
                    "b",
                    "--name",
                    "a@b",
                    "--discovery",
                    "dns",
                ],
                "dns",
            ),
        ] {
            let error = read(arguments).expect_err("wrong");
            assert!(error.to_string().contains(named), "{error}");
            assert_eq!(error.exit_code(), 2);
        }
    }

    #[test]
    fn unknown_variables_are_named() {
        let check = |name: &str| Settings::check(std::iter::once(name.into()));
        assert!(check("EJABBERD_CLOUD_BUCKET").is_ok());
        assert!(check("EJABBERD_CONFIG_PATH").is_ok());
        let error = check("EJABBERD_CLOUD_BUKET").expect_err("unknown");
        assert!(
            error.to_string().contains("EJABBERD_CLOUD_BUKET"),
            "{error}"
        );
        assert_eq!(error.exit_code(), 2);
    }
}
