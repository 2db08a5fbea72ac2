//! A server's mode as command line options.

use std::ffi::OsString;
use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::ValueEnum as _;

use super::{Content, Mode, Server, Tail, millis};
use crate::{BoxError, machine};

/// How to serve.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// Where to listen; port 0 picks a free one.
    #[arg(long, default_value = "127.0.0.1:0")]
    pub addr: SocketAddr,
    /// The cores to run on, all without it.
    #[arg(long, value_delimiter = ',')]
    pub cores: Vec<usize>,
    /// Bytes of each body, or keys of the listing.
    #[arg(long, default_value_t = 1024)]
    pub body: usize,
    /// What there is of that size.
    #[arg(long, value_enum, default_value = "body")]
    pub content: Content,
    /// Work the requests of one connection at once, and answer in order (the default).
    #[arg(long, conflicts_with = "serial")]
    pub concurrent: bool,
    /// Work the requests of one connection one after another.
    #[arg(long)]
    pub serial: bool,
    /// Milliseconds of work per request; fractions are exact to some microseconds.
    #[arg(long, default_value = "0", value_parser = millis)]
    pub latency: Duration,
    /// The share of answers that is late, and by how much more: PERCENT:MS.
    #[arg(long)]
    pub tail: Option<Tail>,
    /// Close each connection after this many answers.
    #[arg(long)]
    pub close_after: Option<u64>,
    /// Close without saying so in the last answer.
    #[arg(long, requires = "close_after")]
    pub close_silent: bool,
    /// Write head and body apart, with Nagle's algorithm on.
    #[arg(long)]
    pub nagle_like: bool,
    /// Speak TLS, with a certificate that is written to this file.
    #[arg(long)]
    pub tls: Option<PathBuf>,
}

impl Args {
    /// The mode that the options describe.
    pub fn mode(&self) -> Mode {
        Mode {
            body: self.body,
            content: self.content,
            serial: self.serial,
            latency: self.latency,
            tail: self.tail,
            close_after: self.close_after,
            announce: !self.close_silent,
            nagle: self.nagle_like,
            tls: self.tls.clone(),
        }
    }

    /// The options that make up this mode, on these cores.
    pub fn of(mode: &Mode, cores: &[usize]) -> Vec<OsString> {
        let mut args: Vec<String> = vec![format!("--body={}", mode.body)];
        if let Some(content) = mode.content.to_possible_value() {
            args.push(format!("--content={}", content.get_name()));
        }
        let millis = |d: Duration| d.as_secs_f64() * 1e3;
        if !cores.is_empty() {
            let cores: Vec<String> = cores.iter().map(ToString::to_string).collect();
            args.push(format!("--cores={}", cores.join(",")));
        }
        if mode.serial {
            args.push("--serial".into());
        }
        args.push(format!("--latency={}", millis(mode.latency)));
        if let Some(tail) = mode.tail {
            args.push(format!(
                "--tail={}:{}",
                tail.share * 100.0,
                millis(tail.late)
            ));
        }
        if let Some(after) = mode.close_after {
            args.push(format!("--close-after={after}"));
            if !mode.announce {
                args.push("--close-silent".into());
            }
        }
        if mode.nagle {
            args.push("--nagle-like".into());
        }
        let mut args: Vec<OsString> = args.into_iter().map(Into::into).collect();
        if let Some(certificate) = &mode.tls {
            args.extend(["--tls".into(), certificate.into()]);
        }
        args
    }

    /// Serves on one thread until the process ends; prints `listening ADDRESS` once it is bound.
    ///
    /// # Errors
    /// When the process cannot be set up.
    pub fn serve(&self) -> Result<(), BoxError> {
        machine::pin(&self.cores)?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        runtime.block_on(async {
            let server = Server::bind(self.addr, self.mode()).await?;
            writeln!(std::io::stdout(), "listening {}", server.addr()?)?;
            server.run().await;
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        args: Args,
    }

    #[test]
    fn a_mode_survives_the_command_line() {
        let mode = Mode {
            body: 10,
            content: Content::Listing,
            serial: true,
            latency: Duration::from_micros(250),
            tail: Some("0.5:100".parse().unwrap()),
            close_after: Some(3),
            announce: false,
            nagle: true,
            tls: Some("/a file".into()),
        };
        let line = Args::of(&mode, &[0, 2]);
        let args = Cli::parse_from(std::iter::once("x".into()).chain(line)).args;
        assert_eq!(format!("{:?}", args.mode()), format!("{mode:?}"));
        assert_eq!(args.cores, [0, 2]);
    }
}
