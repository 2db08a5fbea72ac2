//! How far a run is: files, bytes, the rate and the time left, on a terminal only.

use std::io::IsTerminal as _;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use crate::common::Common;

/// A bar on standard error if that is a terminal; else nothing.
#[derive(Debug)]
pub(crate) struct Progress(Option<ProgressBar>);

impl Progress {
    /// A bar of bytes, shown unless the program is to be quiet or prints events.
    pub(crate) fn new(common: &Common) -> Self {
        let shown = !common.quiet && !common.json && std::io::stderr().is_terminal();
        Self(shown.then(|| {
            let form = "{msg} {bytes}/{total_bytes} {bytes_per_sec} {elapsed} left {eta}";
            let style = ProgressStyle::with_template(form);
            let bar = ProgressBar::new(0);
            if let Ok(style) = style {
                bar.set_style(style);
            }
            bar.enable_steady_tick(Duration::from_millis(200));
            bar
        }))
    }

    /// What is done now, and what there is to do as far as is known.
    pub(crate) fn set(&self, files: (u64, u64), bytes: (u64, u64)) {
        if let Some(bar) = &self.0 {
            bar.set_message(format!("{} of {} files", files.0, files.1));
            bar.set_length(bytes.1);
            bar.set_position(bytes.0);
        }
    }

    /// Prints something while the bar is not there.
    pub(crate) fn aside(&self, print: impl FnOnce()) {
        match &self.0 {
            Some(bar) => bar.suspend(print),
            None => print(),
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.0 {
            bar.finish_and_clear();
        }
    }
}
