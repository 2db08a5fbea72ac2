//! What the scenarios are.

use std::time::Duration;

use super::{Options, Scenario, Target};
use crate::goal::Bound::{AtLeast, AtMost, Shown};
use crate::goal::Metric::{Cpu, Errors, Extra, Over50, P50, P98, P99, P999, Rate, Rss, Sockets};
use crate::server::{Mode, Tail};

/// As many requests in flight as tasks, on 8 connections.
const DEEP: &str = "--connections 8 --depth 32";

pub(super) fn named(name: &str, options: &Options) -> Option<Scenario> {
    Some(match name {
        "fast" => fast(options),
        "nginx" => nginx(options),
        "put" => put(options, own(options, 0.0, Mode::default())),
        "put-nginx" => put(options, Target::Nginx { puts: true }),
        "latency5" => latency5(options),
        "serial" => serial(options),
        "tail" => tail(options),
        "callers" => callers(options),
        "packed" => packed(options),
        "fdlimit" => fdlimit(options),
        "multithread" => multithread(options),
        "rss" => rss(options),
        "closing" => closing(options),
        "burst" => burst(options),
        "nagle" => nagle(options),
        "rgw" => rgw(options),
        "far" => far(options),
        _ => return None,
    })
}

/// Our own server, with this latency in milliseconds unless another is asked for.
pub(super) fn own(options: &Options, latency: f64, mode: Mode) -> Target {
    let usual = Duration::from_secs_f64(latency / 1e3);
    let latency = options.latency.unwrap_or(usual);
    Target::Own(Mode { latency, ..mode })
}

fn fast(options: &Options) -> Scenario {
    Scenario::new(
        "256 tasks, 8 connections, concurrent server",
        own(options, 0.0, Mode::default()),
    )
    .run("pool 8x32", &format!("pool {DEEP}"))
    .s3("s3 8x32", DEEP)
    .run("raw 8x32", &format!("raw {DEEP}"))
    .run("hyper 256", "hyper")
    .peers("")
    .signed("")
    .sdk(options, "")
    .alone(Rate, "s3 8x32", AtLeast(400e3))
    .over(Cpu, "s3 8x32", "object_store V4", AtMost(1.0 / 14.0))
    .over(Cpu, "s3 8x32", "aws-sdk-s3", AtMost(1.0 / 40.0))
    .over(Cpu, "s3 8x32", "object_store", Shown)
    .alone(Rate, "pool 8x32", AtLeast(400e3))
    .over(Cpu, "pool 8x32", "raw 8x32", Shown)
    .over(Cpu, "pool 8x32", "hyper 256", Shown)
    .over(Cpu, "pool 8x32", "object_store", AtMost(1.0 / 14.0))
    .over(Cpu, "pool 8x32", "aws-sdk-s3", AtMost(1.0 / 40.0))
}

fn nginx(options: &Options) -> Scenario {
    Scenario::new(
        "256 tasks, 8 connections, nginx, a static file",
        Target::Nginx { puts: false },
    )
    .run("pool 8x32", &format!("pool {DEEP}"))
    .run("pool 8", "pool --connections 8")
    .s3("s3 8x32", DEEP)
    .s3("s3 8", "--connections 8")
    .run("raw 8x32", &format!("raw {DEEP}"))
    .run("hyper 256", "hyper")
    .peers("")
    .signed("")
    .sdk(options, "")
    .over(Cpu, "s3 8x32", "hyper 256", AtMost(1.0))
    .over(Cpu, "s3 8", "hyper 256", AtMost(1.0))
    .over(Cpu, "s3 8x32", "object_store V4", AtMost(1.0 / 2.7))
    .over(Cpu, "s3 8x32", "aws-sdk-s3", Shown)
    .over(Cpu, "pool 8x32", "hyper 256", AtMost(1.0))
    .over(Cpu, "pool 8", "hyper 256", AtMost(1.0))
    .over(Cpu, "pool 8x32", "object_store", AtMost(1.0 / 2.7))
    .over(Rate, "pool 8x32", "hyper 256", Shown)
}

fn put(options: &Options, target: Target) -> Scenario {
    let about = match target {
        Target::Nginx { .. } => "64 tasks that PUT 1 KiB, 8 connections, nginx, into a file",
        _ => "64 tasks that PUT 1 KiB, 8 connections, concurrent server",
    };
    let deep = format!("--put --tasks 64 {DEEP}");
    let each = "--put --tasks 64";
    Scenario::new(about, target)
        .run("pool 8x32", &format!("pool {deep}"))
        .s3("s3 8x32", &deep)
        .run("raw 8x8", &format!("raw {each} --connections 8 --depth 8"))
        .run("hyper 64", &format!("hyper {each}"))
        .peers(each)
        .signed(each)
        .sdk(options, each)
        .alone(Errors, "s3 8x32", AtMost(0.0))
        .over(Cpu, "s3 8x32", "hyper 64", Shown)
        .over(Cpu, "s3 8x32", "object_store V4", Shown)
        .over(Cpu, "s3 8x32", "aws-sdk-s3", Shown)
        .over(Rate, "s3 8x32", "object_store V4", Shown)
        .alone(Errors, "pool 8x32", AtMost(0.0))
        .over(Cpu, "pool 8x32", "hyper 64", Shown)
        .over(Cpu, "pool 8x32", "object_store", Shown)
        .over(Rate, "pool 8x32", "hyper 64", Shown)
}

fn latency5(options: &Options) -> Scenario {
    let seconds = options.latency.map_or(5e-3, |l| l.as_secs_f64());
    let most = 0.95 * 256.0 / seconds;
    let mut scenario = Scenario::new(
        "256 tasks, 8 connections, 5 ms an answer",
        own(options, 5.0, Mode::default()),
    )
    .run("pool 8x32", &format!("pool {DEEP}"))
    .s3("s3 8x32", DEEP)
    .run("hyper 8", "hyper --connections 8")
    .run("hyper 256", "hyper")
    .peers("--connections 8");
    for client in ["s3 8x32", "pool 8x32"] {
        scenario = scenario
            .over(Rate, client, "hyper 8", AtLeast(30.0))
            .over(Rate, client, "reqwest", AtLeast(30.0))
            .over(Rate, client, "object_store", AtLeast(30.0))
            .alone(Rate, client, AtLeast(most));
    }
    scenario
}

fn serial(options: &Options) -> Scenario {
    let mode = Mode {
        serial: true,
        ..Mode::default()
    };
    let mut scenario = Scenario::new(
        "256 tasks, 8 connections, each worked in order, 1 ms an answer",
        own(options, 1.0, mode),
    )
    .run("pool 8", "pool --connections 8")
    .run("pool 8x32", &format!("pool {DEEP}"))
    .s3("s3 8", "--connections 8")
    .s3("s3 8x32", DEEP)
    .run("hyper 8", "hyper --connections 8")
    .peers("--connections 8");
    for client in ["s3 8", "s3 8x32", "pool 8", "pool 8x32"] {
        for peer in ["hyper 8", "reqwest"] {
            scenario = scenario.over(Rate, client, peer, AtLeast(1.0)).over(
                P99,
                client,
                peer,
                AtMost(1.0),
            );
        }
    }
    scenario
}

fn tail(options: &Options) -> Scenario {
    let late = Tail {
        share: 0.005,
        late: Duration::from_millis(100),
    };
    let mode = Mode {
        tail: Some(late),
        ..Mode::default()
    };
    let mut scenario = Scenario::new(
        "256 tasks, 0.5 % of the answers late by 100 ms",
        own(options, 0.0, mode),
    )
    .run("pool 64", "pool --connections 64")
    .s3("s3 64", "--connections 64")
    .run("hyper 64", "hyper --connections 64")
    .run("hyper 256", "hyper");
    for client in ["s3 64", "pool 64"] {
        scenario = scenario
            .over(Rate, client, "hyper 256", AtLeast(1.0))
            .over(P98, client, "hyper 256", AtMost(1.0))
            .over(Over50, client, "hyper 256", AtMost(2.0));
    }
    scenario
}

/// What callers wait for under a tail: the wait for a connection, the wait behind a late answer, and the
/// server's time together.
fn callers(options: &Options) -> Scenario {
    let late = Tail {
        share: 0.01,
        late: Duration::from_millis(100),
    };
    let mode = Mode {
        tail: Some(late),
        ..Mode::default()
    };
    let mut scenario = Scenario::new(
        "256 tasks, 5 ms an answer, 1 % of the answers late by 100 ms",
        own(options, 5.0, mode),
    )
    .run("pool", "pool")
    .run("pool fixed 1", "pool --depth 1 --fixed")
    .run("pool fixed 4", "pool --depth 4 --fixed")
    .run("pool hedged", "pool --hedge 0.1")
    .run("pool fixed 4 hedged", "pool --depth 4 --fixed --hedge 0.1")
    .s3("s3", "")
    .run("hyper 256", "hyper");
    for client in ["s3", "pool"] {
        scenario = scenario
            .over(Rate, client, "hyper 256", AtLeast(0.8))
            .over(P50, client, "hyper 256", AtMost(1.0))
            .over(P99, client, "hyper 256", Shown)
            .over(P999, client, "hyper 256", AtMost(1.1))
            .alone(Over50, client, AtMost(0.045))
            .over(Cpu, client, "hyper 256", AtMost(0.6));
    }
    scenario
        .over(Rate, "pool", "pool fixed 4", AtLeast(0.9))
        .over(Rate, "pool hedged", "hyper 256", AtLeast(0.8))
        .over(P50, "pool hedged", "hyper 256", AtMost(1.0))
        .over(P999, "pool hedged", "hyper 256", AtMost(0.6))
        .alone(Over50, "pool hedged", AtMost(0.01))
        .alone(Extra, "pool hedged", AtMost(0.1))
        .alone(Over50, "pool fixed 4 hedged", Shown)
        .alone(Over50, "hyper 256", Shown)
}

/// As few sockets as help: the pool as it comes beside one that is told to use 8 connections.
fn packed(options: &Options) -> Scenario {
    Scenario::new(
        "64, 256 and 4,096 tasks, the default pool beside 8 connections, concurrent server",
        own(options, 0.0, Mode::default()),
    )
    .run("pool, 64 tasks", "pool --tasks 64")
    .run("pool 8x32, 64 tasks", &format!("pool {DEEP} --tasks 64"))
    .run("pool, 256 tasks", "pool")
    .run("pool 8x32, 256 tasks", &format!("pool {DEEP}"))
    .run("pool, 4096 tasks", "pool --tasks 4096")
    .run(
        "pool 8x32, 4096 tasks",
        &format!("pool {DEEP} --tasks 4096"),
    )
    .over(Rate, "pool, 64 tasks", "pool 8x32, 64 tasks", AtLeast(0.85))
    .over(
        Rate,
        "pool, 256 tasks",
        "pool 8x32, 256 tasks",
        AtLeast(0.85),
    )
    .over(
        Rate,
        "pool, 4096 tasks",
        "pool 8x32, 4096 tasks",
        AtLeast(0.85),
    )
    .over(Cpu, "pool, 256 tasks", "pool 8x32, 256 tasks", Shown)
}

/// A burst is one "request" of it. With four rounds of 64 connections 256 requests take four times
/// the server's 20 ms, and what the client does itself comes on top.
fn burst(options: &Options) -> Scenario {
    let threads = "--workers 2 --cores=0,1";
    let few = "--burst --tasks 64";
    let many = "--burst --tasks 256";
    let scenario = Scenario::new(
        "64 and 256 requests at once without a connection, 20 ms an answer; times are of whole bursts",
        own(options, 20.0, Mode::default()),
    )
    .run("pool 64", &format!("pool {few}"))
    .run("pool 64 refused", &format!("pool {few} --refuse 3"))
    .run("pool 64 mt", &format!("pool {few} {threads}"))
    .run("hyper 64", &format!("hyper {few} --connections 64"))
    .run("hyper 64 mt", &format!("hyper {few} --connections 64 {threads}"))
    .run("pool 256", &format!("pool {many}"))
    .run("pool 256 refused", &format!("pool {many} --refuse 3"))
    .run("pool 256 mt", &format!("pool {many} {threads}"))
    .run("hyper 256x64", &format!("hyper {many} --connections 64"))
    .run("hyper 256", &format!("hyper {many}"))
    .when(cfg!(feature = "peers"), |s| {
        s.run("object_store 64", &format!("object-store {few}"))
            .run("object_store 256", &format!("object-store {many}"))
    })
    .over(P50, "pool 64", "hyper 64", AtMost(1.3))
    .over(P50, "pool 64 mt", "hyper 64 mt", AtMost(1.3))
    .over(P50, "pool 64 refused", "hyper 64", AtMost(1.3))
    .over(P50, "pool 64", "object_store 64", Shown)
    .over(P50, "pool 256", "hyper 256x64", Shown)
    .over(P50, "pool 256", "hyper 256", Shown)
    .over(P50, "pool 256", "object_store 256", Shown);
    ["pool 256", "pool 256 refused", "pool 256 mt"]
        .into_iter()
        .fold(scenario, |s, client| {
            s.alone(P50, client, AtMost(4.6 * 20.0))
        })
}

fn fdlimit(options: &Options) -> Scenario {
    let limits = "--tasks 1024 --files 256";
    let workers = format!("{limits} --workers 2 --cores=0,1");
    let mut scenario = Scenario::new(
        "1,024 tasks, 256 file descriptors",
        own(options, 0.0, Mode::default()),
    )
    .run("pool", &format!("pool {limits}"))
    .run("pool mt", &format!("pool {workers}"))
    .run("pool 400", &format!("pool --connections 400 {limits}"))
    .s3("s3", limits)
    .s3("s3 mt", &workers)
    .run("hyper 1024", &format!("hyper {limits}"))
    .peers(limits);
    for client in ["s3", "s3 mt", "pool", "pool mt"] {
        scenario = scenario
            .alone(Errors, client, AtMost(0.0))
            .alone(Sockets, client, AtMost(64.0));
    }
    scenario.alone(Errors, "pool 400", AtMost(0.0))
}

fn multithread(options: &Options) -> Scenario {
    let one = format!("{DEEP} --workers 2");
    let all = format!("{one} --cores=0,1");
    Scenario::new(
        "256 tasks, 8 connections, two workers against one thread",
        own(options, 0.0, Mode::default()),
    )
    .run("pool", &format!("pool {DEEP}"))
    .run("pool mt core 1", &format!("pool {one}"))
    .run("pool mt all cores", &format!("pool {all}"))
    .s3("s3", DEEP)
    .s3("s3 mt core 1", &one)
    .s3("s3 mt all cores", &all)
    .run("hyper 256", "hyper")
    .run("hyper 256 mt all cores", "hyper --workers 2 --cores=0,1")
    .over(Cpu, "s3 mt core 1", "s3", AtMost(1.5))
    .over(Cpu, "s3 mt all cores", "s3", AtMost(1.5))
    .over(Cpu, "pool mt core 1", "pool", AtMost(1.5))
    .over(Cpu, "pool mt all cores", "pool", AtMost(1.5))
    .over(Cpu, "hyper 256 mt all cores", "hyper 256", Shown)
}

fn rss(options: &Options) -> Scenario {
    let tasks = "--tasks 1024";
    let mut scenario = Scenario::new("1,024 tasks in flight", own(options, 0.0, Mode::default()))
        .run("pool 8x32", &format!("pool {tasks} {DEEP}"))
        .run("pool", &format!("pool {tasks}"))
        .s3("s3 8x32", &format!("{tasks} {DEEP}"))
        .s3("s3", tasks)
        .run("hyper 1024", &format!("hyper {tasks}"))
        .peers(tasks)
        .sdk(options, tasks);
    for client in ["s3 8x32", "s3", "pool 8x32", "pool"] {
        scenario = scenario.alone(Rss, client, AtMost(10.0));
    }
    scenario
}

fn closing(options: &Options) -> Scenario {
    let mode = Mode {
        close_after: Some(100),
        announce: false,
        ..Mode::default()
    };
    Scenario::new(
        "256 tasks, 8 connections, closed after 100 answers without a word",
        own(options, 0.0, mode),
    )
    .run("pool 8", "pool --connections 8")
    .run("pool 8x32", &format!("pool {DEEP}"))
    .s3("s3 8x32", DEEP)
    .run("hyper 8", "hyper --connections 8")
    .peers("--connections 8")
    .alone(Errors, "s3 8x32", AtMost(0.0))
    .alone(Errors, "pool 8", AtMost(0.0))
    .alone(Errors, "pool 8x32", AtMost(0.0))
    .over(Rate, "pool 8", "hyper 8", Shown)
}

/// 8 connections, and one task on one; peers are bounded to 8. The whole client only where the
/// server takes what it signs: then object_store signs as well.
fn delayed(scenario: Scenario, signing: bool) -> Scenario {
    let (eight, one) = ("--connections 8", "--connections 1 --tasks 1");
    let mut scenario = scenario
        .run("pool 8", &format!("pool {eight}"))
        .run("pool 1, 1 task", &format!("pool {one}"))
        .run("hyper 8", &format!("hyper {eight}"))
        .run("hyper 1, 1 task", &format!("hyper {one}"));
    scenario = if signing {
        scenario
            .s3("s3 8", eight)
            .s3("s3 1, 1 task", one)
            .reqwest(eight)
            .signed(eight)
    } else {
        scenario.peers(eight)
    };
    for (client, alone) in [("s3 8", "s3 1, 1 task"), ("pool 8", "pool 1, 1 task")] {
        if !signing && client == "s3 8" {
            continue;
        }
        for peer in ["hyper 8", "reqwest", "object_store", "object_store V4"] {
            scenario = scenario.over(Rate, client, peer, AtLeast(15.0));
        }
        scenario = scenario.alone(P50, alone, AtMost(1.0));
    }
    scenario.alone(P50, "hyper 1, 1 task", Shown)
}

fn nagle(options: &Options) -> Scenario {
    let mode = Mode {
        nagle: true,
        ..Mode::default()
    };
    delayed(
        Scenario::new(
            "head and body in two writes, Nagle's algorithm on",
            own(options, 0.0, mode),
        ),
        true,
    )
}

/// A server whose own work is most of the time: what is asked is that the pool loses nothing of it beside a loop that
/// acknowledges what the server waits for, on as many sockets. What a second request on each socket gains is shown.
fn rgw(options: &Options) -> Scenario {
    let raw = |n, depth| format!("raw --connections {n} --depth {depth} --quick-ack");
    let scenario = delayed(
        Scenario::new(
            "a server that is up, such as Ceph RGW as shipped",
            Target::Given,
        ),
        options.keys,
    );
    let scenario = scenario
        .run("pool 1", "pool --connections 1")
        .run("pool 64", "pool --connections 64")
        .run("raw 1", &raw(1, 1))
        .run("raw 8", &raw(8, 1))
        .run("raw 64", &raw(64, 1))
        .run("raw 1x2", &raw(1, 2))
        .run("raw 64x2", &raw(64, 2));
    scenario
        .over(Rate, "pool 1", "raw 1", AtLeast(0.95))
        .over(Rate, "pool 8", "raw 8", AtLeast(0.95))
        .over(Rate, "pool 64", "raw 64", AtLeast(0.95))
        .over(Rate, "pool 1", "raw 1x2", Shown)
        .over(Rate, "pool 64", "raw 64x2", Shown)
        .over(Rate, "raw 8", "hyper 8", Shown)
        .over(Cpu, "pool 8", "raw 8", Shown)
}

fn far(options: &Options) -> Scenario {
    Scenario::new("256 tasks, a server that is up and far away", Target::Given)
        .run("pool 64", "pool --connections 64")
        .when(options.keys, |s| s.s3("s3 64", "--connections 64"))
        .run("hyper 256", "hyper")
        .when(options.keys, |s| {
            s.over(Rate, "s3 64", "hyper 256", AtLeast(options.wanted))
        })
        .over(Rate, "pool 64", "hyper 256", AtLeast(options.wanted))
}
