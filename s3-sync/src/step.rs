//! What a verb is about to do: for progress, and for tests that end a process just there.

use std::fmt;
use std::sync::Arc;

/// Something that is about to be done and changes a store or a disk. `Display` says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Step<'a> {
    /// A verb, such as `put`, `link` or `rename`.
    pub what: &'static str,
    /// The key or the path that it is about.
    pub about: &'a str,
}

impl fmt::Display for Step<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.what, self.about.escape_debug())
    }
}

/// Who is told of steps; nobody by default.
#[derive(Clone, Default)]
pub(crate) struct Steps(Option<StepListener>);

type StepListener = Arc<dyn Fn(Step<'_>) + Send + Sync>;

impl Steps {
    pub(crate) fn new(told: impl Fn(Step<'_>) + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(told)))
    }

    pub(crate) fn tell(&self, what: &'static str, about: &str) {
        if let Some(told) = &self.0 {
            told(Step { what, about });
        }
    }
}

impl fmt::Debug for Steps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Steps").field(&self.0.is_some()).finish()
    }
}
