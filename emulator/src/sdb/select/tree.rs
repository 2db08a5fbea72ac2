//! The tree of a select expression.

/// A parsed select.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Select {
    pub(crate) output: Output,
    pub(crate) domain: String,
    pub(super) filter: Option<Expr>,
    pub(super) order: Option<Order>,
    pub(super) limit: Option<usize>,
}

impl Select {
    /// What a next token is bound to: pages of the same items in the same order. The output and
    /// the limit may change between pages, and a count may be one of them.
    pub(crate) fn scope(&self) -> String {
        format!("{:?}", (&self.domain, &self.filter, &self.order))
    }
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Output {
    All,
    ItemName,
    Count,
    Names(Vec<String>),
}

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Order {
    pub(super) by: Subject,
    pub(super) descending: bool,
}

/// What a comparison looks at.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Subject {
    ItemName,
    Attribute(String),
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Expr {
    And(Vec<Expr>),
    Or(Vec<Expr>),
    Not(Box<Expr>),
    /// Both sides hold for the item, each perhaps by another value.
    Intersection(Vec<Expr>),
    Null(Subject),
    NotNull(Subject),
    Compare {
        subject: Subject,
        /// Asks every value to satisfy the test, in place of one.
        every: bool,
        test: Test,
    },
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Test {
    Equal(String),
    NotEqual(String),
    Less(String),
    LessOrEqual(String),
    Greater(String),
    GreaterOrEqual(String),
    Like(Pattern),
    NotLike(Pattern),
    Between(String, String),
    In(Vec<String>),
}

/// A `like` pattern: text with `%` before it, behind it, or both.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Pattern {
    pub(super) text: String,
    pub(super) open_start: bool,
    pub(super) open_end: bool,
}
