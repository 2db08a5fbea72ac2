//! One run: store, read without the cache, read with it while a server dies and returns.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use cache_layer::memcached::ServerStats;
use cache_layer::{Cache, Memcached};
use examples::child::Emulator;
use examples::memcached::Memcached as Server;
use indicatif::{ProgressBar, ProgressStyle};
use s3_client::HttpPool;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};

use crate::Failure;
use crate::args::Args;
use crate::keys::Zipf;
use crate::meter::{Asked, Meter, Span, Times, quantile, times};
use crate::stores::{Stores, Which};
use crate::table::{Mark, Point, Report};
use crate::things::{ITEM, Thing};

/// How many memcached there are.
const SERVERS: usize = 3;

/// Points of the plot for each half.
const POINTS: u32 = 60;

/// What the tasks of all phases share.
struct World {
    /// The objects by key, then the items.
    things: Vec<Thing>,
    keys: usize,
    zipf: Zipf,
    /// Shares of items and of writes.
    items: f64,
    writes: f64,
    meter: Meter,
}

/// Runs it all.
pub(crate) async fn run(args: &Args) -> Result<Report, Failure> {
    let about = |what: &str| {
        let what = what.to_owned();
        move |error: std::io::Error| Failure(format!("{what}: {error}"))
    };
    let mut servers = Vec::new();
    for _ in 0..SERVERS {
        servers.push(Server::start(&args.memcached).map_err(about("memcached"))?);
    }
    let mut late = Vec::new();
    if !args.latency.is_zero() {
        late.push(format!("--fault=1:delay:{}", args.latency.as_millis()));
    }
    let emulator = Emulator::start(&late).map_err(about("the emulator"))?;

    let cache = cache(args, &servers)?;
    let pool = HttpPool::builder().max_connections(args.connections.into());
    let pool = pool.build();
    let plain = Stores::new(&emulator, &pool, None)?;
    let cached = Stores::new(&emulator, &pool, Some(&cache))?;
    let world = Arc::new(World::new(args));

    plain.create().await?;
    fill(&world, &plain, args).await?;
    let without = phase(&world, &plain, args, None).await?;
    let mut stage = Stage {
        cache: cache.clone(),
        ports: servers.iter().map(|server| server.addr.port()).collect(),
        servers: servers.into_iter().map(Some).collect(),
        victim: None,
        marks: Vec::new(),
    };
    let with = phase(&world, &cached, args, Some(&mut stage)).await?;
    Ok(Report {
        keys: args.keys,
        tasks: args.tasks,
        exponent: args.exponent,
        latency: args.latency,
        servers: SERVERS,
        without: without.whole("without cache"),
        with: with.whole("with cache"),
        parts: with.parts(&stage.marks),
        marks: stage.marks,
        points_without: without.points,
        points_with: with.points,
        stats: cache.stats(),
        seen: world.meter.counts(),
        price_get: args.price_get,
        price_box_hour: args.price_box_hour,
    })
}

fn cache(args: &Args, servers: &[Server]) -> Result<Cache, Failure> {
    let addresses = servers.iter().map(|server| server.addr.to_string());
    let memcached = Memcached::builder()
        .servers(addresses)
        // A dead server is asked for more often than by default, as this is over soon.
        .retry_interval(Duration::from_millis(250), Duration::from_secs(1))
        .build()
        .map_err(|error| Failure(error.to_string()))?;
    Cache::builder(memcached, Duration::from_secs(args.cache_ttl.into()))
        .build()
        .map_err(|error| Failure(error.to_string()))
}

impl World {
    fn new(args: &Args) -> Self {
        let keys = args.keys as usize;
        let size = |number| {
            if number < keys {
                args.size as usize
            } else {
                ITEM
            }
        };
        let thing = |number| Thing::new(args.seed << 24 ^ number as u64, size(number));
        Self {
            things: (0..2 * keys).map(thing).collect(),
            keys,
            zipf: Zipf::new(args.keys, args.exponent),
            items: args.items,
            writes: args.writes,
            meter: Meter::default(),
        }
    }

    fn thing(&self, which: Which) -> &Thing {
        let first = if which.item { self.keys } else { 0 };
        &self.things[first + which.key]
    }

    /// Reads and writes until it is told to stop.
    async fn work(&self, stores: &Stores, stop: &AtomicBool, mut random: fastrand::Rng) {
        while !stop.load(Ordering::Relaxed) {
            let which = Which {
                key: self.zipf.draw(&mut random),
                item: random.f64() < self.items,
            };
            let begun = match random.f64() < self.writes {
                true => self.thing(which).write(),
                false => None,
            };
            let Some(write) = begun else {
                self.read(stores, which, false).await;
                continue;
            };
            match stores.put(which, write.content()).await {
                Ok(()) => {
                    write.ended();
                    self.meter.wrote();
                    self.read(stores, which, true).await;
                }
                Err(error) => self.meter.failed(&error),
            }
        }
    }

    async fn read(&self, stores: &Stores, which: Which, after_write: bool) {
        let thing = self.thing(which);
        let since = thing.since();
        let start = Instant::now();
        match stores.get(which).await {
            Ok(found) => {
                let took = start.elapsed();
                let verdict = thing.judge(since, &found);
                self.meter.read(took, verdict, after_write);
            }
            Err(error) => self.meter.failed(&error),
        }
    }
}

/// Stores every thing at version 0.
async fn fill(world: &Arc<World>, stores: &Stores, args: &Args) -> Result<(), Failure> {
    let bar = bar(world.things.len() as u64, "store");
    let next = Arc::new(AtomicUsize::new(0));
    let mut tasks = JoinSet::new();
    for _ in 0..args.tasks {
        let (world, stores, next, bar) = (world.clone(), stores.clone(), next.clone(), bar.clone());
        tasks.spawn(async move {
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= world.things.len() {
                    return Ok(());
                }
                let which = Which {
                    key: number % world.keys,
                    item: number >= world.keys,
                };
                let content = world.thing(which).content(0);
                stores
                    .put(which, content)
                    .await
                    .map_err(|error| Failure(error.to_string()))?;
                bar.inc(1);
            }
        });
    }
    while let Some(end) = tasks.join_next().await {
        end.unwrap_or_else(|error| Err(Failure(error.to_string())))?;
    }
    bar.finish_and_clear();
    Ok(())
}

/// The cache's servers, and what is done to them.
struct Stage {
    cache: Cache,
    ports: Vec<u16>,
    servers: Vec<Option<Server>>,
    victim: Option<usize>,
    /// When, in seconds.
    marks: Vec<(Mark, f64)>,
}

impl Stage {
    /// Does what is due after this share of the time.
    async fn advance(&mut self, share: f64, start: Instant) -> Result<(), Failure> {
        let done = |mark| self.marks.iter().any(|(m, _)| *m == mark);
        let (mark, at) = if !done(Mark::Killed) && share >= 1.0 / 3.0 {
            self.victim = self.most_used();
            let at = start.elapsed();
            self.act(Server::kill).await?;
            (Mark::Killed, at)
        } else if !done(Mark::Restarted) && share >= 2.0 / 3.0 {
            self.act(Server::start_again).await?;
            (Mark::Restarted, start.elapsed())
        } else if done(Mark::Restarted) && !done(Mark::Rejoined) && self.has_rejoined() {
            (Mark::Rejoined, start.elapsed())
        } else {
            return Ok(());
        };
        self.marks.push((mark, at.as_secs_f64()));
        Ok(())
    }

    fn most_used(&self) -> Option<usize> {
        let hits = |number: &usize| self.figures(*number).map(|server| server.hits);
        (0..self.servers.len()).max_by_key(hits)
    }

    fn has_rejoined(&self) -> bool {
        let server = self.victim.and_then(|victim| self.figures(victim));
        server.is_some_and(|server| server.rejoins > 0)
    }

    /// What the client says of a server.
    fn figures(&self, number: usize) -> Option<ServerStats> {
        let port = self.ports.get(number)?;
        let all = self.cache.memcached().stats();
        all.into_iter().find(|server| server.server.port() == *port)
    }

    /// Does something to the victim on another thread, as it waits for a process.
    async fn act(
        &mut self,
        what: impl FnOnce(&mut Server) -> std::io::Result<()> + Send + 'static,
    ) -> Result<(), Failure> {
        let Some(place) = self.victim.and_then(|victim| self.servers.get_mut(victim)) else {
            return Ok(());
        };
        let Some(mut server) = place.take() else {
            return Ok(());
        };
        let acted = tokio::task::spawn_blocking(move || {
            let outcome = what(&mut server);
            (server, outcome)
        });
        let (server, outcome) = acted
            .await
            .map_err(|error| Failure(format!("memcached: {error}")))?;
        *place = Some(server);
        outcome.map_err(|error| Failure(format!("memcached: {error}")))
    }
}

/// What was measured in one phase.
struct Measured {
    points: Vec<Point>,
    /// The times of the reads up to each point, and what the cache was asked by then.
    pieces: Vec<(f64, Times, Option<Asked>)>,
}

impl Measured {
    fn whole(&self, name: &'static str) -> Span {
        self.span(name, 0.0, f64::INFINITY)
    }

    /// The time before the kill, that until the restart, and that after it.
    fn parts(&self, marks: &[(Mark, f64)]) -> Vec<Span> {
        let at = |mark| {
            let found = marks.iter().find(|(m, _)| *m == mark);
            found.map_or(f64::INFINITY, |(_, at)| *at)
        };
        let (killed, restarted) = (at(Mark::Killed), at(Mark::Restarted));
        vec![
            self.span("  before the kill", 0.0, killed),
            self.span("  one server less", killed, restarted),
            self.span("  after its return", restarted, f64::INFINITY),
        ]
    }

    /// From one time to another, to the nearest points.
    fn span(&self, name: &'static str, from: f64, to: f64) -> Span {
        let mut all = times();
        let (mut start, mut end) = (0.0, 0.0);
        let (mut before, mut after) = (None, None);
        for (at, times, asked) in &self.pieces {
            if *at <= from {
                (start, before) = (*at, *asked);
            } else if *at <= to {
                // All have the same bounds.
                let _ = all.add(times);
                (end, after) = (*at, *asked);
            }
        }
        Span {
            name,
            elapsed: Duration::from_secs_f64(f64::max(end - start, 0.0)),
            times: all,
            asked: after.map(|after| after.since(before.unwrap_or_default())),
        }
    }
}

/// Has the tasks read for as long as the arguments say, and measures; with a stage, through its cache.
async fn phase(
    world: &Arc<World>,
    stores: &Stores,
    args: &Args,
    mut stage: Option<&mut Stage>,
) -> Result<Measured, Failure> {
    let bar = bar(
        u64::from(POINTS),
        if stage.is_some() {
            "with cache"
        } else {
            "without"
        },
    );
    let stop = Arc::new(AtomicBool::new(false));
    let mut tasks = JoinSet::new();
    let mut seeds = fastrand::Rng::with_seed(args.seed);
    for _ in 0..args.tasks {
        let (world, stores, stop) = (world.clone(), stores.clone(), stop.clone());
        let random = seeds.fork();
        tasks.spawn(async move { world.work(&stores, &stop, random).await });
    }
    let start = Instant::now();
    let mut tick = interval(Duration::from_secs_f64(args.seconds / f64::from(POINTS)));
    tick.set_missed_tick_behavior(MissedTickBehavior::Skip);
    tick.tick().await;
    let mut measured = Measured {
        points: Vec::new(),
        pieces: Vec::new(),
    };
    let (mut last, mut last_at) = (Asked::default(), 0.0);
    loop {
        tick.tick().await;
        let at = start.elapsed().as_secs_f64();
        let times = world.meter.take();
        let asked = stage.as_ref().map(|stage| Asked::of(&stage.cache.stats()));
        let point = Point {
            at,
            per_second: times.len() as f64 / f64::max(at - last_at, 1e-6),
            p99_ms: (!times.is_empty()).then(|| quantile(&times, 0.99)),
            hit_rate: asked.and_then(|asked| asked.since(last).rate()),
        };
        bar.set_position((at / args.seconds * f64::from(POINTS)) as u64);
        bar.set_message(point.to_string());
        measured.points.push(point);
        measured.pieces.push((at, times, asked));
        (last, last_at) = (asked.unwrap_or_default(), at);
        if at >= args.seconds {
            break;
        }
        if let Some(stage) = stage.as_deref_mut() {
            stage.advance(at / args.seconds, start).await?;
        }
    }
    stop.store(true, Ordering::Relaxed);
    while let Some(end) = tasks.join_next().await {
        end.map_err(|error| Failure(error.to_string()))?;
    }
    // What ends after the time is compared, and not in the figures.
    let _ = world.meter.take();
    bar.finish_and_clear();
    Ok(measured)
}

/// A bar that only a terminal shows.
fn bar(length: u64, title: &'static str) -> ProgressBar {
    let style = ProgressStyle::with_template("{prefix:<10} {wide_bar} {msg}");
    ProgressBar::new(length)
        .with_prefix(title)
        .with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}
