//! Where the keys of objects and the names of items may be shown.

/// Where a client shows the key of the object, or the name of the item, that an operation is about.
///
/// Keys can tell of people, for example where they are mail addresses. Bucket and domain are always shown; credentials,
/// signatures and bodies never are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyVisibility {
    /// Nowhere: [`Error::key`](crate::Error::key) is `None`, too. A service may still put a key into the message of its
    /// error, which is shown.
    Hidden,
    /// In errors, quoted, escaped, and cut at 200 bytes. The default.
    #[default]
    Errors,
    /// In errors, and in the [spans](crate::dispatch) of operations.
    ErrorsAndSpans,
}

impl KeyVisibility {
    pub(crate) fn in_errors(self) -> bool {
        self != Self::Hidden
    }

    pub(crate) fn in_spans(self) -> bool {
        self == Self::ErrorsAndSpans
    }
}
