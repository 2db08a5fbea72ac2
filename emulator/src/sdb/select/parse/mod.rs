//! Builds the tree of a select expression and checks its limits.

mod condition;

use std::collections::BTreeSet;

use super::lex::{Token, lex};
use super::tree::{Order, Output, Select, Subject};
use crate::sdb::error::{SdbError, SdbResult};

/// The most attributes that a select may name for its output.
const OUTPUT_MAX: usize = 256;
const LIMIT_MAX: usize = 2500;

pub(crate) fn parse(input: &str) -> SdbResult<Select> {
    let mut parser = Parser {
        tokens: lex(input)?.into_iter().peekable(),
        comparisons: 0,
        names: BTreeSet::new(),
        sortable: BTreeSet::new(),
        depth: 0,
    };
    let select = parser.select()?;
    if parser.tokens.next().is_some() {
        return Err(SdbError::syntax());
    }
    Ok(select)
}

struct Parser {
    tokens: std::iter::Peekable<std::vec::IntoIter<Token>>,
    comparisons: usize,
    names: BTreeSet<String>,
    /// What the filter constrains other than by `is null`.
    sortable: BTreeSet<Subject>,
    depth: usize,
}

const RESERVED: [&str; 18] = [
    "or",
    "and",
    "not",
    "from",
    "where",
    "select",
    "like",
    "null",
    "is",
    "order",
    "by",
    "asc",
    "desc",
    "in",
    "between",
    "intersection",
    "limit",
    "every",
];

impl Parser {
    fn select(&mut self) -> SdbResult<Select> {
        self.expect("select")?;
        let output = self.output()?;
        self.expect("from")?;
        let domain = match self.tokens.next() {
            Some(Token::Name(name)) => name,
            Some(Token::Word(word)) if is_name(&word) => word,
            _ => return Err(SdbError::syntax()),
        };
        let filter = if self.keyword("where") {
            Some(self.any()?)
        } else {
            None
        };
        let order = if self.keyword("order") {
            self.expect("by")?;
            Some(self.order()?)
        } else {
            None
        };
        let limit = if self.keyword("limit") {
            Some(self.limit()?)
        } else {
            None
        };
        Ok(Select {
            output,
            domain,
            filter,
            order,
            limit,
        })
    }

    fn output(&mut self) -> SdbResult<Output> {
        if self.sign("*") {
            return Ok(Output::All);
        }
        let mut names = Vec::new();
        loop {
            match self.tokens.next() {
                Some(Token::Word(word)) if self.sign("(") => {
                    let output = match word.to_ascii_lowercase().as_str() {
                        "itemname" => Output::ItemName,
                        "count" => {
                            self.expect_sign("*")?;
                            Output::Count
                        }
                        _ => return Err(SdbError::syntax()),
                    };
                    self.expect_sign(")")?;
                    if !names.is_empty() || self.peek_sign(",") {
                        return Err(SdbError::syntax());
                    }
                    return Ok(output);
                }
                Some(Token::Name(name)) => names.push(name),
                Some(Token::Word(word)) if is_name(&word) => names.push(word),
                _ => return Err(SdbError::syntax()),
            }
            if !self.sign(",") {
                break;
            }
        }
        if names.len() > OUTPUT_MAX {
            return Err(SdbError::new(
                "TooManyRequestedAttributes",
                "Too many attributes requested.",
            ));
        }
        Ok(Output::Names(names))
    }

    fn order(&mut self) -> SdbResult<Order> {
        let by = self.subject()?;
        if !self.sortable.contains(&by) {
            return Err(SdbError::new(
                "InvalidSortExpression",
                "Invalid sort expression. The sort attribute must be present in at least one of \
                 the predicates, and the predicate cannot contain the is null operator.",
            ));
        }
        let descending = self.keyword("desc");
        if !descending {
            self.keyword("asc");
        }
        Ok(Order { by, descending })
    }

    fn limit(&mut self) -> SdbResult<usize> {
        let text = match self.tokens.next() {
            Some(Token::Word(text)) if text.bytes().all(|byte| byte.is_ascii_digit()) => text,
            _ => return Err(SdbError::syntax()),
        };
        let limit = text.parse().ok();
        limit
            .filter(|limit| (1..=LIMIT_MAX).contains(limit))
            .ok_or_else(|| {
                SdbError::invalid_value(&text, "limit", "Limit must be between 1 and 2500.")
            })
    }

    fn peek_keyword(&mut self, word: &str) -> bool {
        matches!(self.tokens.peek(), Some(Token::Word(given)) if given.eq_ignore_ascii_case(word))
    }

    fn keyword(&mut self, word: &str) -> bool {
        let found = self.peek_keyword(word);
        if found {
            self.tokens.next();
        }
        found
    }

    fn expect(&mut self, word: &str) -> SdbResult<()> {
        self.keyword(word)
            .then_some(())
            .ok_or_else(SdbError::syntax)
    }

    fn peek_sign(&mut self, sign: &str) -> bool {
        matches!(self.tokens.peek(), Some(Token::Sign(given)) if *given == sign)
    }

    fn sign(&mut self, sign: &str) -> bool {
        let found = self.peek_sign(sign);
        if found {
            self.tokens.next();
        }
        found
    }

    fn expect_sign(&mut self, sign: &str) -> SdbResult<()> {
        self.sign(sign).then_some(()).ok_or_else(SdbError::syntax)
    }
}

/// Whether a name may stand without backticks.
fn is_name(word: &str) -> bool {
    let reserved = || {
        let mut words = RESERVED.iter();
        words.any(|reserved| reserved.eq_ignore_ascii_case(word))
    };
    !word.starts_with(|first: char| first.is_ascii_digit()) && !reserved()
}

#[cfg(test)]
mod tests {
    use super::super::tree::{Expr, Test};
    use super::*;

    fn code(input: &str) -> &'static str {
        parse(input).unwrap_err().code
    }

    #[test]
    fn and_binds_tighter_than_or_and_intersection_than_both() {
        let select = parse("select a, `b` from d where x = '1' or y = '2' and not z = '3' intersection z = '4' limit 5").unwrap();
        assert_eq!(select.output, Output::Names(vec!["a".into(), "b".into()]));
        assert_eq!(select.limit, Some(5));
        let Some(Expr::Or(or)) = select.filter else {
            panic!("not an or");
        };
        let Expr::And(and) = &or[1] else {
            panic!("not an and");
        };
        let Expr::Intersection(both) = &and[1] else {
            panic!("not an intersection");
        };
        assert!(matches!(both[0], Expr::Not(_)));
    }

    #[test]
    fn limits_have_their_codes() {
        let many = |count: usize, join: &str, one: &dyn Fn(usize) -> String| {
            (0..count).map(one).collect::<Vec<_>>().join(join)
        };
        let same = many(21, " or ", &|n| format!("a = '{n}'"));
        assert_eq!(
            code(&format!("select * from d where {same}")),
            "InvalidNumberPredicates"
        );
        let values = many(21, ",", &|n| format!("'{n}'"));
        assert_eq!(
            code(&format!("select * from d where a in ({values})")),
            "InvalidNumberValueTests"
        );
        assert_eq!(code("select * from d limit 2501"), "InvalidParameterValue");
        assert_eq!(code("select * from d limit 0"), "InvalidParameterValue");
        let deep = "(".repeat(100_000);
        assert_eq!(
            code(&format!("select * from d where {deep}")),
            "InvalidQueryExpression"
        );
    }

    #[test]
    fn sorting_needs_a_constraint() {
        for wrong in [
            "select * from d order by a",
            "select * from d where a is null order by a",
            "select * from d where b = '1' order by a",
        ] {
            assert_eq!(code(wrong), "InvalidSortExpression", "{wrong}");
        }
        let select = parse("select * from d where a is not null order by a DESC").unwrap();
        assert!(select.order.unwrap().descending);
    }

    #[test]
    fn a_percent_sign_can_stand_for_itself() {
        for (given, open_start, text, open_end) in [
            ("%", true, "", false),
            ("%%", true, "", true),
            ("x%", false, "x", true),
            (r"%3\%", true, "3%", false),
            (r"3\%%", false, "3%", true),
            (r"\%\%", false, "%%", false),
            (r"a\b", false, r"a\b", false),
        ] {
            let select = parse(&format!("select * from d where a like '{given}'")).unwrap();
            let Some(Expr::Compare {
                test: Test::Like(pattern),
                ..
            }) = select.filter
            else {
                panic!("no pattern: {given}");
            };
            assert_eq!(
                (pattern.open_start, pattern.text.as_str(), pattern.open_end),
                (open_start, text, open_end),
                "{given}"
            );
        }
    }

    #[test]
    fn bad_syntax_is_refused() {
        for wrong in [
            "",
            "select",
            "select * from",
            "select * from where",
            "select itemName(), a from d",
            "select sum(a) from d",
            "select * from d where",
            "select * from d where a = b",
            "select * from d where a like 'x%y'",
            r"select * from d where a like 'x\%%y'",
            "select * from d where every(a) is null",
            "select * from d where (a = '1'",
            "select * from d where a = '1' limit",
            "select * from d where a = '1' garbage",
            "select * from d where from = '1'",
            "select * from 1d",
            "select 2a from d",
            "select * from a-b",
            "select * from a.b",
            "select count() from d",
            "select itemName(*) from d",
            "select * from d limit '5'",
            "select * from d limit -1",
            "select * from d where a = 5",
            "select * from d where a between '1'",
            "select * from d where a not between '1' and '2'",
            "select * from d where a in ()",
            "select * from d where a = '1' order by a up",
            "select * from d where a = '1' order by a, b",
            "select * from d where a = '1' intersection",
            "select * from d d",
        ] {
            assert_eq!(code(wrong), "InvalidQueryExpression", "{wrong}");
        }
    }
}
