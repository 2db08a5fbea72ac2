//! The scenarios: which server, which clients, which goals.

use std::ffi::OsString;
use std::time::Duration;

use crate::goal::Bound::{AtLeast, AtMost, Shown};
use crate::goal::{Bound, Goal, Metric};
use crate::server::{Mode, Tail};

/// The names of all scenarios.
pub const NAMES: [&str; 12] = [
    "fast",
    "nginx",
    "latency5",
    "serial",
    "tail",
    "fdlimit",
    "multithread",
    "rss",
    "closing",
    "nagle",
    "rgw",
    "far",
];

/// Where requests go.
#[derive(Clone, Debug)]
pub enum Target {
    /// A server of ours.
    Own(Mode),
    /// nginx with a static file.
    Nginx,
    /// A server that is up already.
    Given,
}

/// One client with its settings.
#[derive(Clone, Debug)]
pub struct Contender {
    /// Its name in the tables.
    pub name: &'static str,
    /// Its options.
    pub args: Vec<OsString>,
}

/// A server, the clients that take turns on it, and what must come of it.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// What it is about, in a line.
    pub about: &'static str,
    /// The server.
    pub target: Target,
    /// The clients.
    pub contenders: Vec<Contender>,
    /// The goals.
    pub goals: Vec<Goal>,
}

impl Scenario {
    fn new(about: &'static str, target: Target) -> Self {
        Self {
            about,
            target,
            contenders: Vec::new(),
            goals: Vec::new(),
        }
    }

    /// Adds a client; the options are separated by blanks.
    fn run(mut self, name: &'static str, args: &str) -> Self {
        let mut args: Vec<OsString> = args.split_whitespace().map(Into::into).collect();
        if !args
            .iter()
            .any(|arg| arg.to_string_lossy().starts_with("--cores"))
        {
            args.push("--cores=1".into());
        }
        self.contenders.push(Contender { name, args });
        self
    }

    /// Adds reqwest and object_store, if they are built in.
    fn peers(mut self, args: &str) -> Self {
        if cfg!(feature = "peers") {
            self = self
                .run("reqwest", &format!("--client reqwest {args}"))
                .run("object_store", &format!("--client object-store {args}"));
        }
        self
    }

    /// Adds object_store as it is used, signing its requests, if it is built in.
    fn signed(self, args: &str) -> Self {
        if cfg!(feature = "peers") {
            self.run(
                "object_store V4",
                &format!("--client object-store-signed {args}"),
            )
        } else {
            self
        }
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

    /// The scenario of this name. `latency` takes the place of the server's usual one.
    pub fn named(name: &str, latency: Option<Duration>) -> Option<Self> {
        let own = |usual: f64, mode: Mode| {
            let latency = latency.unwrap_or(Duration::from_secs_f64(usual / 1e3));
            Target::Own(Mode { latency, ..mode })
        };
        let plain = Mode::default;
        Some(match name {
            "fast" => Self::new(
                "256 tasks, 8 connections, concurrent server",
                own(0.0, plain()),
            )
            .run("pool 8x32", "--client pool --connections 8 --depth 32")
            .run("s3 8x32", "--client s3 --connections 8 --depth 32")
            .run("raw 8x32", "--client raw --connections 8 --depth 32")
            .run("hyper 256", "--client hyper")
            .peers("")
            .signed("")
            .alone(Metric::Rate, "s3 8x32", AtLeast(400e3))
            .over(
                Metric::Cpu,
                "s3 8x32",
                "object_store V4",
                AtMost(1.0 / 14.0),
            )
            .over(Metric::Cpu, "s3 8x32", "object_store", Shown)
            .alone(Metric::Rate, "pool 8x32", AtLeast(400e3))
            .over(Metric::Cpu, "pool 8x32", "raw 8x32", Shown)
            .over(Metric::Cpu, "pool 8x32", "hyper 256", Shown)
            .over(Metric::Cpu, "pool 8x32", "object_store", AtMost(1.0 / 14.0)),
            "nginx" => Self::new(
                "256 tasks, 8 connections, nginx, a static file",
                Target::Nginx,
            )
            .run("pool 8x32", "--client pool --connections 8 --depth 32")
            .run("pool 8", "--client pool --connections 8")
            .run("s3 8x32", "--client s3 --connections 8 --depth 32")
            .run("raw 8x32", "--client raw --connections 8 --depth 32")
            .run("hyper 256", "--client hyper")
            .peers("")
            .signed("")
            .over(Metric::Cpu, "s3 8x32", "hyper 256", AtMost(1.0))
            .over(Metric::Cpu, "s3 8x32", "object_store V4", AtMost(1.0 / 2.7))
            .over(Metric::Cpu, "pool 8x32", "hyper 256", AtMost(1.0))
            .over(Metric::Cpu, "pool 8", "hyper 256", AtMost(1.0))
            .over(Metric::Cpu, "pool 8x32", "object_store", AtMost(1.0 / 2.7))
            .over(Metric::Rate, "pool 8x32", "hyper 256", Shown),
            "latency5" => {
                let ms = latency.map_or(5.0, |l| l.as_secs_f64() * 1e3);
                Self::new(
                    "256 tasks, 8 connections, 5 ms an answer",
                    own(5.0, plain()),
                )
                .run("pool 8x32", "--client pool --connections 8 --depth 32")
                .run("hyper 8", "--client hyper --connections 8")
                .run("hyper 256", "--client hyper")
                .peers("--connections 8")
                .over(Metric::Rate, "pool 8x32", "hyper 8", AtLeast(30.0))
                .over(Metric::Rate, "pool 8x32", "reqwest", AtLeast(30.0))
                .over(Metric::Rate, "pool 8x32", "object_store", AtLeast(30.0))
                .alone(
                    Metric::Rate,
                    "pool 8x32",
                    AtLeast(0.95 * 256.0 / (ms / 1e3)),
                )
            }
            "serial" => Self::new(
                "256 tasks, 8 connections, each worked in order, 1 ms an answer",
                own(
                    1.0,
                    Mode {
                        serial: true,
                        ..plain()
                    },
                ),
            )
            .run("pool 8", "--client pool --connections 8")
            .run("pool 8x32", "--client pool --connections 8 --depth 32")
            .run("hyper 8", "--client hyper --connections 8")
            .peers("--connections 8")
            .over(Metric::Rate, "pool 8", "hyper 8", AtLeast(1.0))
            .over(Metric::P99, "pool 8", "hyper 8", AtMost(1.0))
            .over(Metric::Rate, "pool 8x32", "hyper 8", AtLeast(1.0))
            .over(Metric::P99, "pool 8x32", "hyper 8", AtMost(1.0))
            .over(Metric::Rate, "pool 8", "reqwest", AtLeast(1.0))
            .over(Metric::P99, "pool 8", "reqwest", AtMost(1.0)),
            "tail" => {
                let tail = Tail {
                    share: 0.005,
                    late: Duration::from_millis(100),
                };
                Self::new(
                    "256 tasks, 0.5 % of the answers late by 100 ms",
                    own(
                        0.0,
                        Mode {
                            tail: Some(tail),
                            ..plain()
                        },
                    ),
                )
                .run("pool 64", "--client pool --connections 64")
                .run("hyper 64", "--client hyper --connections 64")
                .run("hyper 256", "--client hyper")
                .over(Metric::Rate, "pool 64", "hyper 256", AtLeast(1.0))
                .over(Metric::P98, "pool 64", "hyper 256", AtMost(1.0))
                .over(Metric::Over50, "pool 64", "hyper 256", AtMost(2.0))
            }
            "fdlimit" => {
                let limits = "--tasks 1024 --files 256";
                Self::new("1,024 tasks, 256 file descriptors", own(0.0, plain()))
                    .run("pool", &format!("--client pool {limits}"))
                    .run(
                        "pool mt",
                        &format!("--client pool --workers 2 --cores=0,1 {limits}"),
                    )
                    .run(
                        "pool 400",
                        &format!("--client pool --connections 400 {limits}"),
                    )
                    .run("hyper 1024", &format!("--client hyper {limits}"))
                    .peers(limits)
                    .alone(Metric::Errors, "pool", AtMost(0.0))
                    .alone(Metric::Sockets, "pool", AtMost(64.0))
                    .alone(Metric::Errors, "pool mt", AtMost(0.0))
                    .alone(Metric::Sockets, "pool mt", AtMost(64.0))
                    .alone(Metric::Errors, "pool 400", AtMost(0.0))
            }
            "multithread" => Self::new(
                "256 tasks, 8 connections, two workers against one thread",
                own(0.0, plain()),
            )
            .run("pool", "--client pool --connections 8 --depth 32")
            .run(
                "pool mt core 1",
                "--client pool --connections 8 --depth 32 --workers 2",
            )
            .run(
                "pool mt all cores",
                "--client pool --connections 8 --depth 32 --workers 2 --cores=0,1",
            )
            .run("hyper 256", "--client hyper")
            .run(
                "hyper 256 mt all cores",
                "--client hyper --workers 2 --cores=0,1",
            )
            .over(Metric::Cpu, "pool mt core 1", "pool", AtMost(1.5))
            .over(Metric::Cpu, "pool mt all cores", "pool", AtMost(1.5))
            .over(Metric::Cpu, "hyper 256 mt all cores", "hyper 256", Shown),
            "rss" => Self::new("1,024 tasks in flight", own(0.0, plain()))
                .run(
                    "pool 8x32",
                    "--client pool --tasks 1024 --connections 8 --depth 32",
                )
                .run("pool", "--client pool --tasks 1024")
                .run("hyper 1024", "--client hyper --tasks 1024")
                .peers("--tasks 1024")
                .alone(Metric::Rss, "pool 8x32", AtMost(10.0))
                .alone(Metric::Rss, "pool", AtMost(10.0)),
            "closing" => Self::new(
                "256 tasks, 8 connections, closed after 100 answers without a word",
                own(
                    0.0,
                    Mode {
                        close_after: Some(100),
                        announce: false,
                        ..plain()
                    },
                ),
            )
            .run("pool 8", "--client pool --connections 8")
            .run("pool 8x32", "--client pool --connections 8 --depth 32")
            .run("hyper 8", "--client hyper --connections 8")
            .peers("--connections 8")
            .alone(Metric::Errors, "pool 8", AtMost(0.0))
            .alone(Metric::Errors, "pool 8x32", AtMost(0.0))
            .over(Metric::Rate, "pool 8", "hyper 8", Shown),
            "nagle" | "rgw" => {
                let (about, target) = if name == "nagle" {
                    let mode = Mode {
                        nagle: true,
                        ..plain()
                    };
                    (
                        "head and body in two writes, Nagle's algorithm on",
                        own(0.0, mode),
                    )
                } else {
                    (
                        "a server that is up, such as Ceph RGW as shipped",
                        Target::Given,
                    )
                };
                Self::new(about, target)
                    .run("pool 8", "--client pool --connections 8")
                    .run("hyper 8", "--client hyper --connections 8")
                    .run("pool 1, 1 task", "--client pool --connections 1 --tasks 1")
                    .run(
                        "hyper 1, 1 task",
                        "--client hyper --connections 1 --tasks 1",
                    )
                    .peers("--connections 8")
                    .over(Metric::Rate, "pool 8", "hyper 8", AtLeast(15.0))
                    .over(Metric::Rate, "pool 8", "reqwest", AtLeast(15.0))
                    .over(Metric::Rate, "pool 8", "object_store", AtLeast(15.0))
                    .alone(Metric::P50, "pool 1, 1 task", AtMost(1.0))
                    .alone(Metric::P50, "hyper 1, 1 task", Shown)
            }
            "far" => Self::new("256 tasks, a server that is up and far away", Target::Given)
                .run("pool 64", "--client pool --connections 64")
                .run("hyper 256", "--client hyper")
                .over(Metric::Rate, "pool 64", "hyper 256", AtLeast(0.97)),
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::Args;
    use clap::Parser;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        args: Args,
    }

    #[test]
    fn every_client_has_options_that_are_understood() {
        for name in NAMES {
            let scenario = Scenario::named(name, None).unwrap();
            for contender in &scenario.contenders {
                let line = ["x", "--server=127.0.0.1:1"].map(OsString::from);
                let line = line.into_iter().chain(contender.args.iter().cloned());
                let args = Cli::try_parse_from(line).map(|cli| cli.args);
                assert!(args.is_ok(), "{name}, {}: {:?}", contender.name, args.err());
            }
        }
        assert!(Scenario::named("nothing", None).is_none());
    }

    #[test]
    fn every_goal_is_about_clients_that_run() {
        for name in NAMES {
            let scenario = Scenario::named(name, None).unwrap();
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
}
