//! How requests are spread over connections.

/// How many connections there may be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Width {
    /// An eighth of the usual number, at least 8.
    Narrow,
    /// 64, or as many as `max_connections` says.
    #[default]
    Usual,
    /// Up to 128, only where `max_connections` says nothing.
    Wide,
}

/// How requests are spread over connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Setting {
    /// The most requests that a connection has at once.
    pub(crate) depth: usize,
    /// The requests that a connection gets before another one is used; 1 where they are spread.
    pub(crate) pack: usize,
    /// How many connections there may be.
    pub(crate) width: Width,
}

impl Setting {
    /// A setting with as many connections as are usual.
    pub(crate) const fn new(depth: usize, pack: usize) -> Self {
        Self {
            depth,
            pack,
            width: Width::Usual,
        }
    }

    /// The same depth and pack with another width.
    pub(crate) const fn with(self, width: Width) -> Self {
        Self { width, ..self }
    }
}
