//! The scenarios: which server, which clients, which goals.

mod growth;
mod large;
mod list;

use std::ffi::OsString;
use std::time::Duration;

use crate::goal::{Bound, Goal, Metric};
use crate::server::Mode;

/// The names of all scenarios.
pub const NAMES: [&str; 29] = [
    "fast",
    "nginx",
    "put",
    "put-nginx",
    "latency5",
    "serial",
    "tail",
    "callers",
    "packed",
    "fdlimit",
    "multithread",
    "rss",
    "closing",
    "burst",
    "nagle",
    "listing",
    "down",
    "up",
    "put4k",
    "simpledb",
    "tls",
    "tls64k",
    "tls-nginx",
    "tls64k-nginx",
    "growth-tasks",
    "growth-bytes",
    "growth-origins",
    "rgw",
    "far",
];

/// Whether a scenario needs a server that is up already.
pub fn needs_a_server(name: &str) -> bool {
    matches!(name, "rgw" | "far")
}

/// What a scenario depends on besides its name.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Takes the place of the latency that its server usually has.
    pub latency: Option<Duration>,
    /// Whether there is a program that runs the AWS SDK.
    pub sdk: bool,
    /// Whether there is a Python that has boto3.
    pub boto3: bool,
    /// Whether there are keys for a server that is up already.
    pub keys: bool,
    /// For `far`: the rate beside hyper's that must be reached.
    pub wanted: f64,
}

impl Default for Options {
    /// No SDK, no keys; `far` wants 0.97.
    fn default() -> Self {
        Self {
            latency: None,
            sdk: false,
            boto3: false,
            keys: false,
            wanted: 0.97,
        }
    }
}

/// Where requests go.
#[derive(Clone, Debug)]
pub enum Target {
    /// A server of ours.
    Own(Mode),
    /// nginx with a static file.
    Nginx {
        /// Whether it stores what is PUT.
        puts: bool,
    },
    /// A server that is up already.
    Given,
}

/// What runs a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Program {
    /// This program.
    This,
    /// The one with the AWS SDK.
    Sdk,
    /// Python, with a program that uses boto3.
    Boto3,
}

/// One client with its settings.
#[derive(Clone, Debug)]
pub struct Contender {
    /// Its name in the tables.
    pub name: &'static str,
    /// What runs it.
    pub program: Program,
    /// Its options.
    pub args: Vec<OsString>,
    /// Whether it signs its requests by itself.
    pub signs: bool,
}

/// A server, the clients that take turns on it, and what must come of it.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// What it is about, in a line.
    pub about: &'static str,
    /// The server.
    pub target: Target,
    /// Whether our own server, or nginx, speaks TLS.
    pub tls: bool,
    /// Bytes of each body, or keys of a listing, unless another size is asked for.
    pub size: usize,
    /// The clients.
    pub contenders: Vec<Contender>,
    /// The goals.
    pub goals: Vec<Goal>,
}

impl Scenario {
    /// The scenario of this name, if there is one.
    pub fn named(name: &str, options: &Options) -> Option<Self> {
        list::named(name, options)
            .or_else(|| large::named(name, options))
            .or_else(|| growth::named(name, options))
    }

    fn new(about: &'static str, target: Target) -> Self {
        Self {
            about,
            target,
            tls: false,
            size: 1024,
            contenders: Vec::new(),
            goals: Vec::new(),
        }
    }

    fn over_tls(mut self) -> Self {
        self.tls = true;
        self
    }

    fn of_size(mut self, size: usize) -> Self {
        self.size = size;
        self
    }

    fn contender(mut self, name: &'static str, program: Program, args: &str, signs: bool) -> Self {
        let mut args: Vec<OsString> = args.split_whitespace().map(Into::into).collect();
        if !args
            .iter()
            .any(|arg| arg.to_string_lossy().starts_with("--cores"))
        {
            args.push("--cores=1".into());
        }
        self.contenders.push(Contender {
            name,
            program,
            args,
            signs,
        });
        self
    }

    /// Adds a client that does not sign; the options are separated by blanks.
    fn run(self, name: &'static str, args: &str) -> Self {
        self.contender(name, Program::This, &format!("--client {args}"), false)
    }

    /// Adds the whole S3 client of this workspace.
    fn s3(self, name: &'static str, args: &str) -> Self {
        self.contender(name, Program::This, &format!("--client s3 {args}"), true)
    }

    /// Adds reqwest, if it is built in.
    fn reqwest(self, args: &str) -> Self {
        self.when(cfg!(feature = "peers"), |s| {
            s.run("reqwest", &format!("reqwest {args}"))
        })
    }

    /// Adds reqwest and object_store, if they are built in.
    fn peers(self, args: &str) -> Self {
        self.reqwest(args).when(cfg!(feature = "peers"), |s| {
            s.run("object_store", &format!("object-store {args}"))
        })
    }

    /// Adds object_store as it is used, signing its requests, if it is built in.
    fn signed(self, args: &str) -> Self {
        let args = format!("--client object-store-signed {args}");
        self.when(cfg!(feature = "peers"), |s| {
            s.contender("object_store V4", Program::This, &args, true)
        })
    }

    /// Adds object_store, unsigned and signing, if it is built in.
    fn stores(self, args: &str) -> Self {
        let line = format!("object-store {args}");
        self.when(cfg!(feature = "peers"), |s| s.run("object_store", &line))
            .signed(args)
    }

    /// Adds the AWS SDK, if there is a program that runs it.
    fn sdk(self, options: &Options, args: &str) -> Self {
        self.when(options.sdk, |s| {
            s.contender("aws-sdk-s3", Program::Sdk, args, true)
        })
    }

    /// Adds boto3, if there is a Python that has it.
    fn boto3(self, options: &Options, name: &'static str, args: &str) -> Self {
        self.when(options.boto3, |s| {
            s.contender(name, Program::Boto3, args, true)
        })
    }

    /// Adds what depends on something.
    fn when(self, yes: bool, then: impl FnOnce(Self) -> Self) -> Self {
        if yes { then(self) } else { self }
    }

    fn over(
        mut self,
        metric: Metric,
        client: &'static str,
        peer: &'static str,
        bound: Bound,
    ) -> Self {
        // A peer that is not built in is not compared with.
        if self.contenders.iter().any(|c| c.name == peer) {
            self.goals.push(Goal {
                metric,
                client,
                peer: Some(peer),
                bound,
            });
        }
        self
    }

    fn alone(mut self, metric: Metric, client: &'static str, bound: Bound) -> Self {
        self.goals.push(Goal {
            metric,
            client,
            peer: None,
            bound,
        });
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::{Args, Work};
    use clap::Parser;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        args: Args,
    }

    #[derive(Parser)]
    struct SdkCli {
        #[command(flatten)]
        work: Work,
    }

    /// Each scenario as it is without anything, and with all that can be had.
    fn all() -> impl Iterator<Item = (&'static str, Scenario)> {
        NAMES.into_iter().flat_map(|name| {
            [false, true].map(|yes| {
                let options = Options {
                    sdk: yes,
                    boto3: yes,
                    keys: yes,
                    ..Options::default()
                };
                (name, Scenario::named(name, &options).unwrap())
            })
        })
    }

    #[test]
    fn every_client_has_options_that_are_understood() {
        for (name, scenario) in all() {
            for contender in &scenario.contenders {
                let line = ["x", "--server=127.0.0.1:1"].map(OsString::from);
                let line = line.into_iter().chain(contender.args.iter().cloned());
                let error = match contender.program {
                    Program::This => Cli::try_parse_from(line).map(|cli| cli.args.work).err(),
                    Program::Sdk => SdkCli::try_parse_from(line).map(|cli| cli.work).err(),
                    // Its options are read by Python.
                    Program::Boto3 => None,
                };
                assert!(error.is_none(), "{name}, {}: {error:?}", contender.name);
            }
        }
        assert!(Scenario::named("nothing", &Options::default()).is_none());
    }

    #[test]
    fn every_goal_is_about_clients_that_run() {
        for (name, scenario) in all() {
            let runs = |n: &str| scenario.contenders.iter().any(|c| c.name == n);
            assert!(!scenario.goals.is_empty(), "{name}");
            for goal in &scenario.goals {
                assert!(
                    runs(goal.client) && goal.peer.is_none_or(runs),
                    "{name}: {goal:?}"
                );
            }
        }
    }

    #[test]
    fn names_are_given_once() {
        for (name, scenario) in all() {
            let mut names: Vec<_> = scenario.contenders.iter().map(|c| c.name).collect();
            names.sort_unstable();
            let all = names.len();
            names.dedup();
            assert_eq!(names.len(), all, "{name}");
        }
    }
}
