//! The program between ejabberd and its state in S3 and SimpleDB.
//!
//! ```text
//!  ejabberd ── stdin ──►  port │ extauth  ──►  ops  ──►  cloud-stores  ──►  S3, SimpleDB, memcached
//!           ◄─ stdout ──      fronts          calls        layout
//!           ── stdin ──►      node: who else is there ──►  leases       ──►  S3, or EC2
//! ```
//!
//! *Problem:* ejabberd is written in Erlang, and what it takes to use S3 and SimpleDB well (conditions, retries, pipelined
//! connections, a cache) is written in Rust. *Decision:* One program for each node, which ejabberd starts and talks to over
//! standard input and output. Its life is that of its server, since standard input ends when the server does; there is no
//! socket that others could reach, and no address to agree on. *Cost:* Each call is copied twice through a pipe, which takes
//! some microseconds.

mod connect;
mod etf;
mod extauth;
mod log;
mod node;
mod ops;
mod port;
mod secret;
mod settings;

use std::ffi::OsString;
use std::os::fd::AsFd;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::unix::pipe;
use tokio::sync::watch;

use connect::{Opening, Wrong};
use settings::{Front, NodeSettings, Settings, StoreSettings};

/// How many threads work. What takes time is the waiting for the stores, and one connection is one task.
const THREADS: usize = 2;

/// The longest call, and the longest answer: a list of a large roster, or the largest stanza that ejabberd takes.
const MAX_FRAME: usize = 16 << 20;
const MAX_ANSWER: usize = 64 << 20;
/// How many bytes all calls under way may have together.
const MAX_BYTES: usize = 64 << 20;

/// Runs the program with these arguments, of which the first is its name, until standard input ends; gives its exit status.
///
/// It is here, and not in the program, so that a program which starts servers by itself can be this one as well.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let settings = match Settings::read(arguments) {
        Ok(settings) => settings,
        Err(error) => {
            // Nowhere is left to tell that the terminal is gone.
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { 2 } else { 0 });
        }
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(THREADS)
        .enable_all()
        .build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => return fail(&error, 1),
    };
    let ended = runtime.block_on(run(settings));
    // A resolver may hang on a name for longer than anybody waits.
    runtime.shutdown_timeout(Duration::ZERO);
    ended
}

async fn run(settings: Settings) -> ExitCode {
    if let Front::Secret {
        stores,
        name,
        random,
        set,
    } = &settings.front
    {
        return secret::run(stores, name, *random, *set).await;
    }
    let pipes = match pipes() {
        Ok(pipes) => pipes,
        Err(error) => {
            let why = format!(
                "standard input and output have to be pipes, as the server that starts this makes them: {error}"
            );
            return fail(&why, 2);
        }
    };
    match settings.front {
        Front::Port {
            stores,
            max_calls,
            public_log,
        } => port(&stores, max_calls, public_log, pipes).await,
        Front::Node(node) => run_node(&node, pipes).await,
        Front::Extauth { stores } => extauth(&stores, pipes).await,
        // It needs no pipes, and was seen to before.
        Front::Secret { .. } => ExitCode::SUCCESS,
    }
}

async fn port(
    settings: &StoreSettings,
    max_calls: u32,
    public_log: bool,
    (input, output): Pipes,
) -> ExitCode {
    let settled = match connect::settle(settings) {
        Ok(settled) => settled,
        Err(wrong) => return fail(&wrong, 2),
    };
    let limits = port::Limits {
        calls: max_calls,
        deadline: settings.deadline(),
        frame: MAX_FRAME,
        answer: MAX_ANSWER,
        bytes: MAX_BYTES,
    };
    let (opened, opening) = watch::channel(Opening::Trying);
    let serving = port::serve(input, output, Arc::new(ops::Calls::new(opening)), limits);
    tokio::pin!(serving);
    let open = connect::open(&settled, public_log, opened);
    let opened = tokio::select! {
        served = &mut serving => return end(served),
        opened = open => match opened {
            Ok(opened) => opened,
            Err(error) => return fail(&error, 2),
        },
    };
    let served = tokio::select! {
        served = &mut serving => served,
        // It has no end of its own.
        () = opened.write_log() => Ok(()),
    };
    opened.finish().await;
    end(served)
}

async fn run_node(settings: &NodeSettings, (input, output): Pipes) -> ExitCode {
    let settled = connect::settle(&settings.stores())
        .and_then(|settled| Ok((settled, node::peers(settings)?)));
    let (settled, peers) = match settled {
        Ok(settled) => settled,
        Err(wrong) => return fail(&wrong, 2),
    };
    let opening = connect::open_stores(&settled, || {});
    end(node::serve(input, output, opening, settings, peers).await)
}

async fn extauth(settings: &StoreSettings, (input, output): Pipes) -> ExitCode {
    let settled = match connect::settle(settings) {
        Ok(settled) => settled,
        Err(wrong) => return fail(&wrong, 2),
    };
    match settled.open().await {
        Ok(stores) => end(extauth::serve(input, output, &stores).await),
        Err(error) => fail(&error, 1),
    }
}

type Pipes = (pipe::Receiver, pipe::Sender);

/// Standard input and output. The descriptors are copies, so that nothing that is printed by mistake waits for them.
fn pipes() -> Result<Pipes, Wrong> {
    let input = std::io::stdin().as_fd().try_clone_to_owned()?;
    let output = std::io::stdout().as_fd().try_clone_to_owned()?;
    Ok((
        pipe::Receiver::from_owned_fd(input)?,
        pipe::Sender::from_owned_fd(output)?,
    ))
}

fn end(ended: Result<(), impl std::fmt::Display>) -> ExitCode {
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error, 1),
    }
}

fn fail(why: &impl std::fmt::Display, status: u8) -> ExitCode {
    log::line(format_args!("{why}"));
    ExitCode::from(status)
}
