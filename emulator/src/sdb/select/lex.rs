//! Splits a select expression into words, strings and signs.

use crate::sdb::error::{SdbError, SdbResult};

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Token {
    /// An unquoted word: a keyword or a plain name.
    Word(String),
    /// A name in backticks, never a keyword.
    Name(String),
    /// A value in quotes.
    Text(String),
    /// One of `( ) , * = != < <= > >=`.
    Sign(&'static str),
}

const SIGNS: [&str; 10] = ["!=", "<=", ">=", "(", ")", ",", "*", "=", "<", ">"];

pub(super) fn lex(input: &str) -> SdbResult<Vec<Token>> {
    let mut tokens = Vec::new();
    let mut rest = input.trim_start();
    while let Some(first) = rest.chars().next() {
        let sign = SIGNS.iter().find(|sign| rest.starts_with(**sign));
        rest = if let Some(sign) = sign {
            tokens.push(Token::Sign(sign));
            &rest[sign.len()..]
        } else if matches!(first, '\'' | '"' | '`') {
            let (text, after) = quoted(&rest[1..], first)?;
            tokens.push(if first == '`' {
                if text.is_empty() {
                    return Err(SdbError::syntax());
                }
                Token::Name(text)
            } else {
                Token::Text(text)
            });
            after
        } else {
            let end = rest.find(|c: char| !is_word(c)).unwrap_or(rest.len());
            if end == 0 {
                return Err(SdbError::syntax());
            }
            tokens.push(Token::Word(rest[..end].to_owned()));
            &rest[end..]
        };
        rest = rest.trim_start();
    }
    Ok(tokens)
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '$')
}

/// Reads up to the closing quote; a doubled one stands for itself.
fn quoted(input: &str, quote: char) -> SdbResult<(String, &str)> {
    let mut text = String::new();
    let mut rest = input;
    loop {
        let end = rest.find(quote).ok_or_else(SdbError::syntax)?;
        text.push_str(&rest[..end]);
        rest = &rest[end + 1..];
        match rest.strip_prefix(quote) {
            Some(after) => {
                text.push(quote);
                rest = after;
            }
            None => return Ok((text, rest)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_strings_and_signs() {
        let word = |text: &str| Token::Word(text.into());
        assert_eq!(
            lex("select*from `my``d` where a>='it''s' and \"x\"\"y\"!=_b").unwrap(),
            [
                word("select"),
                Token::Sign("*"),
                word("from"),
                Token::Name("my`d".into()),
                word("where"),
                word("a"),
                Token::Sign(">="),
                Token::Text("it's".into()),
                word("and"),
                Token::Text("x\"y".into()),
                Token::Sign("!="),
                word("_b"),
            ]
        );
        for wrong in ["'open", "a ; b", "é", "`", "!"] {
            assert!(lex(wrong).is_err(), "{wrong}");
        }
    }
}
