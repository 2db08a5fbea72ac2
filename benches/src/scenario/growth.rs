//! What a GET costs with more tasks, more bytes and more origins: curves without a step.
//!
//! Each point is held against the one before it: a GET may cost at most 1.3 times what that grew by. Where tasks and
//! origins grow it should cost the same, and where bytes do, at most as many times as much as there are.

use super::list::own;
use super::{Options, Scenario};
use crate::goal::Bound::{AtMost, Shown};
use crate::goal::Metric::{Cpu, Errors};
use crate::server::{Content, Mode};

/// How much more than by proportion.
const STEEPEST: f64 = 1.3;

pub(super) fn named(name: &str, options: &Options) -> Option<Scenario> {
    Some(match name {
        "growth-tasks" => tasks(options),
        "growth-bytes" => bytes(options),
        "growth-origins" => origins(options),
        _ => return None,
    })
}

fn tasks(options: &Options) -> Scenario {
    let points = [
        ("1 task", 1),
        ("4 tasks", 4),
        ("16 tasks", 16),
        ("64 tasks", 64),
        ("256 tasks", 256),
        ("1024 tasks", 1024),
        ("4096 tasks", 4096),
    ];
    let about = "1 to 4,096 tasks, the S3 client with its default pool";
    let scenario = Scenario::new(about, own(options, 0.0, Mode::default()));
    let scenario = points.iter().fold(scenario, |s, (name, tasks)| {
        s.s3(name, &format!("--tasks {tasks}"))
    });
    points.windows(2).fold(scenario, |s, pair| {
        s.over(Cpu, pair[1].0, pair[0].0, AtMost(STEEPEST))
    })
}

/// 64 KiB is where bodies no longer come whole, and so there are points on both sides of it.
fn bytes(options: &Options) -> Scenario {
    let points: [(&str, usize); 9] = [
        ("64 B", 64),
        ("1 KiB", 1 << 10),
        ("4 KiB", 4 << 10),
        ("16 KiB", 16 << 10),
        ("60 KiB", 60 << 10),
        ("68 KiB", 68 << 10),
        ("128 KiB", 128 << 10),
        ("256 KiB", 256 << 10),
        ("1 MiB", 1 << 20),
    ];
    let mode = Mode {
        content: Content::Sized,
        ..Mode::default()
    };
    let scenario = Scenario::new(
        "bodies of 64 B to 1 MiB, 16 tasks, the S3 client with its default pool",
        own(options, 0.0, mode),
    );
    let scenario = points.iter().fold(scenario, |s, (name, size)| {
        s.s3(
            name,
            &format!("--tasks 16 --expect {size} --from /bench/size-{size}"),
        )
    });
    points.windows(2).fold(scenario, |s, pair| {
        let growth = pair[1].1 as f64 / pair[0].1 as f64;
        s.over(Cpu, pair[1].0, pair[0].0, AtMost(STEEPEST * growth))
    })
}

/// With one origin requests share connections and writes, with many each has its own: so one is told not to pipeline.
///
/// What more sockets than fit into the processor's caches cost a client that does least is shown by hyper's curve.
fn origins(options: &Options) -> Scenario {
    Scenario::new(
        "1, 100 and 10,000 origins in one pool, 256 tasks; they are one server under many names",
        own(options, 0.0, Mode::default()),
    )
    .run("1 origin, fixed 1", "pool --depth 1 --fixed")
    .run("100 origins", "pool --origins 100")
    .run("1000 origins", "pool --origins 1000")
    .run("10000 origins", "pool --origins 10000")
    .run("hyper 100", "hyper --origins 100")
    .run("hyper 1000", "hyper --origins 1000")
    .over(Cpu, "100 origins", "1 origin, fixed 1", AtMost(STEEPEST))
    .over(Cpu, "1000 origins", "100 origins", AtMost(STEEPEST))
    .over(Cpu, "10000 origins", "1000 origins", AtMost(STEEPEST))
    .over(Cpu, "10000 origins", "100 origins", Shown)
    .over(Cpu, "hyper 1000", "hyper 100", Shown)
    .over(Cpu, "1000 origins", "hyper 1000", Shown)
    .alone(Errors, "10000 origins", AtMost(0.0))
}
