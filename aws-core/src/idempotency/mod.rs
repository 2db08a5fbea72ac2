//! The rows of the tables that say which operations may be sent twice; each client has its own.

#[cfg(feature = "testing")]
#[doc(hidden)]
pub mod testing;

use std::fmt;

use crate::classify::Idempotency;

/// Whether an operation may be sent twice, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Row {
    /// The operation, as the service names it.
    pub operation: &'static str,
    /// In which form of the operation the row holds.
    pub when: &'static str,
    /// Whether the operation may be sent twice.
    pub idempotency: Idempotency,
    /// Why it may be sent twice, or may not.
    pub reason: &'static str,
}

impl Row {
    /// A row of these cells.
    pub const fn new(
        operation: &'static str,
        when: &'static str,
        idempotency: Idempotency,
        reason: &'static str,
    ) -> Self {
        Self {
            operation,
            when,
            idempotency,
            reason,
        }
    }
}

/// Declares the rows of a table, each as a constant by the name that its operation takes it by, and the table of them
/// all, in their order, so that no row can be left out of it.
///
/// ```text
/// rows! {
///     /// What may be sent twice.
///     pub const TABLE;
///
///     GET = "Get", "always", Repeatable, "it reads";
/// }
/// // writes
/// pub(crate) const GET: Row = Row::new("Get", "always", Idempotency::Repeatable, "it reads");
/// /// What may be sent twice.
/// pub const TABLE: &[Row] = &[GET];
/// ```
#[doc(hidden)]
#[macro_export]
macro_rules! rows {
    (
        $(#[$about:meta])*
        $vis:vis const $table:ident;

        $($row:ident = $operation:literal, $when:literal, $twice:ident, $reason:literal;)+
    ) => {
        $(
            pub(crate) const $row: $crate::idempotency::Row = $crate::idempotency::Row::new(
                $operation,
                $when,
                $crate::Idempotency::$twice,
                $reason,
            );
        )+

        $(#[$about])*
        $vis const $table: &[$crate::idempotency::Row] = &[$($row),+];
    };
}

/// The row as Markdown.
impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let twice = match self.idempotency {
            Idempotency::Repeatable => "yes",
            Idempotency::Once => "no",
        };
        write!(
            f,
            "| {} | {} | {twice} | {} |",
            self.operation, self.when, self.reason
        )
    }
}
