//! Which tokio runtimes an endpoint is used from.
//!
//! ```text
//!                  a request from another runtime
//!   one runtime ────────────────────────────────────▶ several runtimes
//!        ▲                                                  │
//!        └────────── a request, when nothing is left ───────┘
//!                    of what came from them
//! ```
//!
//! From the second runtime on, what serves a request may live in another runtime than its caller,
//! and stand still with that: callers then look at their own clocks.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::panic::catch_unwind;
use std::time::Duration;

use tokio::runtime::{self, Handle};

use crate::engine::core::call::RuntimeTag;
use crate::engine::core::refusal::without_runtime;
use crate::error::{Error, Kind};

/// The runtimes that the requests of an endpoint come from.
#[derive(Debug, Default)]
pub(super) struct Runtimes {
    /// The runtime that everything here has come from so far, or the first of several.
    home: Option<runtime::Id>,
    /// Connections belong to several runtimes.
    mixed: bool,
    /// A runtime that has been seen to have a timer.
    timed: Option<runtime::Id>,
}

impl Runtimes {
    /// Takes note of the runtime that a request comes from. `is_gone` says whether nothing is left
    /// of what came before. Says whether there are several now, if that has changed.
    pub(super) fn visit(
        &mut self,
        home: Option<runtime::Id>,
        is_gone: impl Fn() -> bool,
    ) -> Option<bool> {
        if self.home == home && !(self.mixed && is_gone()) {
            return None;
        }
        let mixed = !is_gone();
        if !mixed {
            self.home = home;
        }
        (std::mem::replace(&mut self.mixed, mixed) != mixed).then_some(mixed)
    }

    /// Whether it is known that this runtime has a timer.
    pub(super) fn is_timed(&self, home: Option<runtime::Id>) -> bool {
        home.is_none() || self.timed == home
    }

    /// This runtime has a timer.
    pub(super) fn note_timed(&mut self, home: Option<runtime::Id>) {
        self.timed = home;
    }
}

/// The runtime that this is called in.
pub(super) fn here() -> Option<runtime::Id> {
    Handle::try_current().ok().map(|handle| handle.id())
}

/// The name of a runtime for the core, which knows nothing of tokio.
pub(super) fn tag(runtime: Option<runtime::Id>) -> Option<RuntimeTag> {
    let mut hasher = DefaultHasher::new();
    runtime?.hash(&mut hasher);
    Some(RuntimeTag(hasher.finish()))
}

/// Whether the runtime that this is called in has a timer. There is no way to ask that does not
/// panic where it has none.
pub(super) fn has_timer() -> bool {
    catch_unwind(|| drop(tokio::time::sleep(Duration::ZERO))).is_ok()
}

/// Checks that the tokio runtime that this is called in has a timer, for code that would otherwise panic in
/// [`tokio::time`].
///
/// There is no other way to find out than to make a timer, so that where there is none tokio's panic is caught here, after
/// the process's panic hook has reported it.
///
/// # Errors
/// [`Kind::NoRuntime`] when there is no runtime, or it has no timer.
pub fn check_timer() -> Result<(), Error> {
    match here() {
        None => Err(without_runtime()),
        Some(_) if !has_timer() => Err(incapable()),
        Some(_) => Ok(()),
    }
}

/// The error of a runtime that nothing can be served in.
pub(super) fn incapable() -> Error {
    let text = "the tokio runtime has no timer or no IO driver: build it with `enable_all`";
    Error::new(Kind::NoRuntime, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn runtime() -> runtime::Runtime {
        runtime::Builder::new_current_thread().build().unwrap()
    }

    #[test]
    fn a_second_runtime_is_noticed_once_and_forgotten_when_nothing_is_left() {
        let (one, two) = (runtime(), runtime());
        let (one, two) = (Some(one.handle().id()), Some(two.handle().id()));
        let mut runtimes = Runtimes::default();
        assert_eq!(runtimes.visit(one, || true), None);
        assert_eq!(runtimes.visit(one, || false), None);
        assert_eq!(runtimes.visit(two, || false), Some(true));
        assert_eq!(runtimes.visit(two, || false), None);
        assert_eq!(runtimes.visit(one, || false), None);
        assert_eq!(runtimes.visit(two, || true), Some(false));
        assert_eq!(runtimes.visit(two, || false), None);
        assert_eq!(runtimes.visit(one, || false), Some(true));
    }

    #[test]
    fn each_runtime_has_a_tag_of_its_own() {
        let (one, two) = (runtime(), runtime());
        let tags = [&one, &two, &one].map(|r| tag(Some(r.handle().id())));
        assert_eq!(tags[0], tags[2]);
        assert_ne!(tags[0], tags[1]);
        assert_eq!(tag(None), None);
    }
}
