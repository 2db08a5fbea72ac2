//! The order of things: checks, then each step by both clients in turns.

use std::error::Error;
use std::process::Stdio;
use std::time::Duration;

use emulator::{Emulator, Fault, Rule};
use examples::say;
use indicatif::ProgressBar;
use s3_client::Bucket;
use tokio::process::Command;

use crate::args::{Args, Step, Which};
use crate::report::{self, Report};
use crate::sample::Sample;
use crate::store::{self, Keys};

/// Runs all of it, and prints what came out.
pub(crate) async fn run(args: &Args) -> Result<bool, Box<dyn Error>> {
    let server = Server::open(args)?;
    let name = format!("slatedb-{:08x}", fastrand::u32(..));
    let bucket = store::bucket(&server.url, &name, &server.keys, &args.at)?;
    bucket.create().await?;
    let bar = examples::dump::progress(
        "{msg:32} [{bar:30}] {pos}/{len}",
        2 + u64::from(args.turns) * if args.check_only { 0 } else { 10 },
        0,
    );
    let run = Run {
        args,
        server: &server,
        bucket: &name,
        bar: &bar,
    };
    let outcome = tokio::select! {
        outcome = run.all() => outcome,
        _ = tokio::signal::ctrl_c() => Err("interrupted".into()),
    };
    bar.set_message("removing what was made");
    server.wait(Duration::ZERO);
    let removed = remove(&bucket).await;
    bar.finish_and_clear();
    match (outcome, removed) {
        (Ok(report), Ok(())) => {
            report::print(&report, args)?;
            Ok(true)
        }
        (Ok(_), Err(error)) => Err(error),
        (Err(first), removed) => {
            if let Err(error) = removed {
                say(
                    "slatedb",
                    format_args!("the bucket {name} is left: {error}"),
                );
            }
            Err(first)
        }
    }
}

async fn remove(bucket: &Bucket) -> Result<(), Box<dyn Error>> {
    // A client that was interrupted may have left an upload.
    let mut uploads = bucket.list_multipart().stream();
    while let Some(upload) = uploads.try_next().await? {
        bucket.multipart(upload.key, upload.id).abort().await?;
    }
    if let Some((key, error)) = bucket.purge().await?.failures.into_iter().next() {
        return Err(format!("{key:?} cannot be removed: {error}").into());
    }
    bucket.delete_bucket().await?;
    Ok(())
}

/// The store.
struct Server {
    url: String,
    keys: Keys,
    emulator: Option<Emulator>,
}

impl Server {
    fn open(args: &Args) -> Result<Self, Box<dyn Error>> {
        if let Some(url) = &args.endpoint {
            return Ok(Self {
                url: url.clone(),
                keys: Keys::of_environment()?,
                emulator: None,
            });
        }
        let emulator = Emulator::start_blocking()?;
        Ok(Self {
            url: emulator.url(),
            keys: Keys {
                access: emulator.access_key().to_owned(),
                secret: emulator.secret_key().to_owned(),
            },
            emulator: Some(emulator),
        })
    }

    /// Has the emulator wait before each answer.
    fn wait(&self, delay: Duration) {
        if let Some(emulator) = &self.emulator {
            emulator.faults().clear();
            if !delay.is_zero() {
                emulator.faults().add(Rule::new(Fault::delay(delay)));
            }
        }
    }

    fn requests(&self) -> Option<u64> {
        self.emulator
            .as_ref()
            .map(|emulator| emulator.stats().requests)
    }
}

struct Run<'a> {
    args: &'a Args,
    server: &'a Server,
    bucket: &'a str,
    bar: &'a ProgressBar,
}

impl Run<'_> {
    async fn all(&self) -> Result<Report, Box<dyn Error>> {
        let mut report = Report::default();
        for which in Which::ALL {
            let path = format!("check-{}", which.name());
            report.add(
                which,
                Step::Check,
                self.step(which, Step::Check, &path).await?,
            );
        }
        if self.args.check_only {
            return Ok(report);
        }
        for turn in 0..self.args.turns {
            // Whoever is first in one turn is second in the next.
            let mut order = Which::ALL;
            if turn % 2 == 1 {
                order.reverse();
            }
            for steps in [
                &[Step::Put][..],
                &[Step::Fill, Step::Get],
                &[Step::Log, Step::Replay],
            ] {
                for which in order {
                    for step in steps {
                        let path = format!("{}-{turn}-{}", steps[0].name(), which.name());
                        report.add(which, *step, self.step(which, *step, &path).await?);
                    }
                }
            }
        }
        Ok(report)
    }

    /// One step in a process of its own.
    async fn step(&self, which: Which, step: Step, path: &str) -> Result<Sample, Box<dyn Error>> {
        let (name, Args { at, load, .. }) = (step.name(), self.args);
        self.bar.set_message(format!("{name}: {}", which.name()));
        let delay = match step {
            Step::Put | Step::Get | Step::Replay => self.args.delay,
            Step::Check | Step::Fill | Step::Log => 0,
        };
        self.server.wait(Duration::from_millis(delay));
        let mut command = Command::new(std::env::current_exe()?);
        command
            .args(["client", "--which", which.name(), "--step", name])
            .args(["--endpoint", &self.server.url, "--bucket", self.bucket])
            .args(["--path", path, "--region", &at.region])
            .args(at.v2.then_some("--v2"))
            .args(at.no_updates.then_some("--no-updates"));
        for (flag, number) in [
            ("--rows", load.rows),
            ("--size", load.size),
            ("--writers", load.writers),
            ("--flush", load.flush),
            ("--gets", load.gets),
            ("--readers", load.readers),
            ("--replay", load.replay),
        ] {
            command.args([flag, &number.to_string()]);
        }
        // Command lines are public.
        command
            .env("AWS_ACCESS_KEY_ID", &self.server.keys.access)
            .env("AWS_SECRET_ACCESS_KEY", &self.server.keys.secret)
            .env_remove("S3_ENDPOINT")
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        let before = self.server.requests();
        let output = command.output().await?;
        let requests = self
            .server
            .requests()
            .zip(before)
            .map(|(after, before)| after - before);
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            let why = match said.trim().trim_start_matches("slatedb: ") {
                "" => output.status.to_string(),
                why => why.to_owned(),
            };
            return Err(format!("{name} over {}: {why}", which.name()).into());
        }
        self.bar.inc(1);
        let sample: Sample = serde_json::from_slice(&output.stdout)?;
        Ok(Sample { requests, ..sample })
    }
}
