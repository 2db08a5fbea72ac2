//! How far a long run is, on standard error: a bar on a terminal, a line a round elsewhere.

use std::fmt;
use std::io::{self, Write};
use std::time::Instant;

use indicatif::{ProgressBar, ProgressStyle};

/// The progress of a run of so many turns.
pub struct Progress {
    bar: ProgressBar,
    since: Instant,
}

impl Progress {
    /// Nothing done yet.
    pub fn new(turns: usize) -> Self {
        let bar = ProgressBar::new(turns as u64);
        let template = "[{elapsed_precise}] {bar:30} {pos}/{len} turns, {eta} left  {msg}";
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        Self {
            bar,
            since: Instant::now(),
        }
    }

    /// A round begins in which each client has its turn; it is number `round` of `of`.
    pub fn round(&self, what: &str, round: usize, of: usize) {
        if self.bar.is_hidden() {
            let (done, all) = (self.bar.position(), self.bar.length().unwrap_or(0));
            let minutes = self.since.elapsed().as_secs_f64() / 60.0;
            // Who cannot be told has missed nothing.
            let _ = writeln!(
                io::stderr(),
                "{minutes:.1} min: {what}, round {round} of {of}; {done} of {all} turns done"
            );
        }
    }

    /// This client has its turn.
    pub fn turn(&self, what: &str, client: &str) {
        self.bar.set_message(format!("{what}: {client}"));
    }

    /// A turn is over.
    pub fn done(&self) {
        self.bar.inc(1);
    }

    /// Prints to standard output without disturbing the bar.
    ///
    /// # Errors
    /// When that cannot be written to.
    pub fn print(&self, what: &dyn fmt::Display) -> io::Result<()> {
        self.bar.suspend(|| write!(io::stdout(), "{what}"))
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

impl fmt::Debug for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Progress")
            .field("turns", &self.bar.position())
            .finish_non_exhaustive()
    }
}
