//! What stands behind `where`: conditions, how they are joined, and what they compare.

use super::super::lex::Token;
use super::super::tree::{Expr, Pattern, Subject, Test};
use super::{Parser, is_name};
use crate::sdb::error::{SdbError, SdbResult};
use crate::sdb::params::TEXT_MAX;

const COMPARISONS_MAX: usize = 20;
const NAMES_MAX: usize = 20;
const IN_MAX: usize = 20;
/// How deep parentheses and `not` may nest; a longer tree would only ask for a deeper stack.
const DEPTH_MAX: usize = 64;

impl Parser {
    pub(super) fn any(&mut self) -> SdbResult<Expr> {
        self.chain("or", Self::all, Expr::Or)
    }

    fn all(&mut self) -> SdbResult<Expr> {
        self.chain("and", Self::both, Expr::And)
    }

    fn both(&mut self) -> SdbResult<Expr> {
        self.chain("intersection", Self::term, Expr::Intersection)
    }

    fn chain(
        &mut self,
        word: &str,
        next: fn(&mut Self) -> SdbResult<Expr>,
        join: fn(Vec<Expr>) -> Expr,
    ) -> SdbResult<Expr> {
        let first = next(self)?;
        if !self.peek_keyword(word) {
            return Ok(first);
        }
        let mut chain = vec![first];
        while self.keyword(word) {
            chain.push(next(self)?);
        }
        Ok(join(chain))
    }

    fn term(&mut self) -> SdbResult<Expr> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(SdbError::syntax());
        }
        let term = if self.keyword("not") {
            Expr::Not(Box::new(self.term()?))
        } else if self.sign("(") {
            let inside = self.any()?;
            self.expect_sign(")")?;
            inside
        } else {
            self.comparison()?
        };
        self.depth -= 1;
        Ok(term)
    }

    fn comparison(&mut self) -> SdbResult<Expr> {
        self.comparisons += 1;
        if self.comparisons > COMPARISONS_MAX {
            return Err(SdbError::new(
                "InvalidNumberPredicates",
                "Too many predicates in the query expression.",
            ));
        }
        let every = self.peek_keyword("every");
        let subject = if every {
            self.tokens.next();
            self.expect_sign("(")?;
            let subject = self.subject()?;
            self.expect_sign(")")?;
            subject
        } else {
            self.subject()?
        };
        if self.keyword("is") {
            let negated = self.keyword("not");
            self.expect("null")?;
            if every {
                return Err(SdbError::syntax());
            }
            return Ok(if negated {
                self.sortable.insert(subject.clone());
                Expr::NotNull(subject)
            } else {
                Expr::Null(subject)
            });
        }
        let test = self.test()?;
        self.sortable.insert(subject.clone());
        Ok(Expr::Compare {
            subject,
            every,
            test,
        })
    }

    fn test(&mut self) -> SdbResult<Test> {
        if self.keyword("not") {
            self.expect("like")?;
            return Ok(Test::NotLike(self.pattern()?));
        }
        if self.keyword("like") {
            return Ok(Test::Like(self.pattern()?));
        }
        if self.keyword("between") {
            let low = self.value()?;
            self.expect("and")?;
            return Ok(Test::Between(low, self.value()?));
        }
        if self.keyword("in") {
            return Ok(Test::In(self.values()?));
        }
        let test = match self.tokens.next() {
            Some(Token::Sign("=")) => Test::Equal,
            Some(Token::Sign("!=")) => Test::NotEqual,
            Some(Token::Sign("<")) => Test::Less,
            Some(Token::Sign("<=")) => Test::LessOrEqual,
            Some(Token::Sign(">")) => Test::Greater,
            Some(Token::Sign(">=")) => Test::GreaterOrEqual,
            _ => return Err(SdbError::syntax()),
        };
        Ok(test(self.value()?))
    }

    fn values(&mut self) -> SdbResult<Vec<String>> {
        self.expect_sign("(")?;
        let mut values = vec![self.value()?];
        while self.sign(",") {
            values.push(self.value()?);
        }
        self.expect_sign(")")?;
        if values.len() > IN_MAX {
            return Err(SdbError::new(
                "InvalidNumberValueTests",
                "Too many value tests per predicate in the query expression.",
            ));
        }
        Ok(values)
    }

    fn value(&mut self) -> SdbResult<String> {
        match self.tokens.next() {
            Some(Token::Text(text)) if text.len() > TEXT_MAX => Err(SdbError::invalid_value(
                &text,
                "SelectExpression",
                "Value exceeds maximum length of 1024.",
            )),
            Some(Token::Text(text)) => Ok(text),
            _ => Err(SdbError::syntax()),
        }
    }

    /// `%` stands for any text at the ends, and nowhere else; `\%` stands for itself.
    fn pattern(&mut self) -> SdbResult<Pattern> {
        let given = self.value()?;
        let open_start = given.starts_with('%');
        let mut rest = given.strip_prefix('%').unwrap_or(&given);
        let (mut text, mut open_end) = (String::new(), false);
        while let Some(at) = rest.find('%') {
            let before = &rest[..at];
            rest = &rest[at + 1..];
            if let Some(before) = before.strip_suffix('\\') {
                text.push_str(before);
                text.push('%');
            } else if rest.is_empty() {
                text.push_str(before);
                open_end = true;
            } else {
                return Err(SdbError::syntax());
            }
        }
        text.push_str(rest);
        Ok(Pattern {
            open_start,
            open_end,
            text,
        })
    }

    pub(super) fn subject(&mut self) -> SdbResult<Subject> {
        let name = match self.tokens.next() {
            Some(Token::Word(word)) if self.peek_sign("(") => {
                if !word.eq_ignore_ascii_case("itemname") {
                    return Err(SdbError::syntax());
                }
                self.expect_sign("(")?;
                self.expect_sign(")")?;
                return Ok(Subject::ItemName);
            }
            Some(Token::Word(word)) if is_name(&word) => word,
            Some(Token::Name(name)) => name,
            _ => return Err(SdbError::syntax()),
        };
        self.names.insert(name.clone());
        if self.names.len() > NAMES_MAX {
            return Err(SdbError::new(
                "InvalidNumberPredicates",
                "Too many attributes in the query expression.",
            ));
        }
        Ok(Subject::Attribute(name))
    }
}
