//! What may be sent twice, and why.

use super::{Op, StoreMode};

/// Whether a command may be sent twice when its connection has died, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Row {
    command: &'static str,
    when: &'static str,
    pub(crate) repeatable: bool,
    reason: &'static str,
}

const fn row(
    command: &'static str,
    when: &'static str,
    repeatable: bool,
    reason: &'static str,
) -> Row {
    Row {
        command,
        when,
        repeatable,
        reason,
    }
}

const GET: Row = row("get", "plain, or several at once", true, "it reads");
const GET_TOUCH: Row = row(
    "get",
    "with a new time to live",
    true,
    "the same time to live is set twice, and the value is the same",
);
const GET_LEASE: Row = row(
    "get",
    "with a lease",
    false,
    "a replay hears that another has the lease, which is the first run of itself",
);
const SET: Row = row(
    "set",
    "always",
    false,
    "a replay can fall behind a later set or delete, and bring an old value back",
);
const ADD: Row = row(
    "add",
    "always",
    false,
    "a replay meets what the first has stored, and reports a false refusal",
);
const REPLACE: Row = row("replace", "always", false, "as set");
const APPEND: Row = row("append", "always", false, "it would be there twice");
const PREPEND: Row = row("prepend", "always", false, "it would be there twice");
const CAS: Row = row(
    "set",
    "with the number of an earlier read, or a lease",
    false,
    "a replay meets what the first has stored, and reports a false conflict",
);
const DELETE: Row = row(
    "delete",
    "plain",
    true,
    "what is gone stays gone; a replay can take a value stored in between, which a cache may lose, \
     and can answer that there was none",
);
const DELETE_CAS: Row = row(
    "delete",
    "with the number of an earlier read",
    false,
    "a replay reports that there was none, or a false conflict",
);
const DELETE_STALE: Row = row(
    "delete",
    "marking the entry stale",
    true,
    "what is stale stays stale; as for a plain delete, one stored in between may be lost",
);
const ARITH: Row = row("incr, decr", "always", false, "it would count twice");
const TOUCH: Row = row(
    "touch",
    "always",
    true,
    "the same time to live is set twice",
);
const INSPECT: Row = row("inspect", "always", true, "it reads");
const VERSION: Row = row("version", "always", true, "it reads");
const STATS: Row = row(
    "stats",
    "always",
    true,
    "it reads; resetting the figures twice is as once",
);
const FLUSH: Row = row(
    "flush",
    "always",
    true,
    "what is gone stays gone; what was stored in between a cache may lose",
);

/// The row of this command.
pub(crate) fn row_of(op: &Op) -> &'static Row {
    match op {
        Op::Get(fetch) if fetch.vivify.is_some() || fetch.recache.is_some() => &GET_LEASE,
        Op::Get(fetch) if fetch.touch.is_some() => &GET_TOUCH,
        Op::Get(_) | Op::Many { .. } => &GET,
        Op::Store(store) if store.cas.is_some() => &CAS,
        Op::Store(store) => match store.mode {
            StoreMode::Set => &SET,
            StoreMode::Add => &ADD,
            StoreMode::Replace => &REPLACE,
            StoreMode::Append => &APPEND,
            StoreMode::Prepend => &PREPEND,
        },
        Op::Delete(delete) if delete.cas.is_some() => &DELETE_CAS,
        Op::Delete(delete) if delete.stale.is_some() => &DELETE_STALE,
        Op::Delete(_) => &DELETE,
        Op::Arith(_) => &ARITH,
        Op::Touch { .. } => &TOUCH,
        Op::Inspect(_) => &INSPECT,
        Op::Version => &VERSION,
        Op::Stats { .. } => &STATS,
        Op::Flush { .. } => &FLUSH,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &[Row] = &[
        GET,
        GET_TOUCH,
        GET_LEASE,
        SET,
        CAS,
        ADD,
        REPLACE,
        APPEND,
        PREPEND,
        DELETE,
        DELETE_CAS,
        DELETE_STALE,
        ARITH,
        TOUCH,
        INSPECT,
        VERSION,
        STATS,
        FLUSH,
    ];

    #[test]
    fn the_page_shows_the_table() {
        let page = include_str!("../idempotency.md");
        for row in TABLE {
            let twice = if row.repeatable { "yes" } else { "no" };
            let line = format!(
                "| {} | {} | {twice} | {} |",
                row.command, row.when, row.reason
            );
            assert!(page.contains(&line), "the page lacks:\n{line}");
        }
        let lines = page.lines().filter(|line| line.starts_with("| ")).count();
        assert_eq!(lines, TABLE.len() + 1);
    }
}
