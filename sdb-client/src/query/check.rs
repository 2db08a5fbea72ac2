//! Any bytes as the parts of a query: whatever they are, the expression has to read as those parts.

use super::filter::{Node, Test};
use super::{Filter, Key, Output, Query, attr, every, item_name};

/// One piece of an expression.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    Word(String),
    Name(String),
    Text(String),
}

/// Makes a query of these bytes, reads its text, and compares.
///
/// # Panics
/// When what is read is not what the query was made of.
pub fn query(data: &[u8]) {
    let mut bytes = Bytes(data);
    let query = bytes.query();
    let text = query.to_string();
    assert_eq!(lex(&text), tokens(&query), "{text}");
    // It ends, and without a panic, whatever it says.
    let _ = query.check();
}

struct Bytes<'a>(&'a [u8]);

impl Bytes<'_> {
    fn byte(&mut self) -> u8 {
        match self.0.split_first() {
            Some((first, rest)) => {
                self.0 = rest;
                *first
            }
            None => 0,
        }
    }

    /// Text that is made of what means something in an expression, or of any characters.
    fn text(&mut self) -> String {
        const PARTS: [&str; 16] = [
            "'", "\"", "`", "\\", "%", "(", ")", " ", "''", " or ", "=", "*", ",", "\u{0}",
            "\u{e9}", "a",
        ];
        let len = usize::from(self.byte());
        if len >= 128 {
            let (own, rest) = self.0.split_at((len - 128).min(self.0.len()));
            self.0 = rest;
            return String::from_utf8_lossy(own).into_owned();
        }
        (0..len % 16)
            .map(|_| PARTS[usize::from(self.byte() % 16)])
            .collect()
    }

    fn query(&mut self) -> Query {
        let domain = self.text();
        let mut query = match self.byte() % 4 {
            0 => Query::all(domain),
            1 => Query::names(domain),
            2 => Query::count(domain),
            _ => {
                let names: Vec<_> = (0..1 + self.byte() % 4).map(|_| self.text()).collect();
                Query::attributes(domain, names)
            }
        };
        for _ in 0..self.byte() % 4 {
            query = query.filter(self.filter(4));
        }
        query = match self.byte() % 3 {
            0 => query,
            1 => query.order_by(self.key()),
            _ => query.order_by_desc(self.key()),
        };
        match self.byte() {
            0 => query,
            limit => query.limit(limit.into()),
        }
    }

    fn key(&mut self) -> Key {
        match self.byte() % 3 {
            0 => item_name(),
            1 => attr(self.text()),
            _ => every(self.text()),
        }
    }

    fn filter(&mut self, depth: u8) -> Filter {
        if depth > 0 {
            match self.byte() % 8 {
                0 => return self.filter(depth - 1).and(self.filter(depth - 1)),
                1 => return self.filter(depth - 1).or(self.filter(depth - 1)),
                2 => return self.filter(depth - 1).intersection(self.filter(depth - 1)),
                3 => return !self.filter(depth - 1),
                _ => {}
            }
        }
        let key = self.key();
        match self.byte() % 18 {
            0 => key.eq(self.text()),
            1 => key.ne(self.text()),
            2 => key.lt(self.text()),
            3 => key.le(self.text()),
            4 => key.gt(self.text()),
            5 => key.ge(self.text()),
            6 => key.between(self.text(), self.text()),
            7 => {
                let values: Vec<_> = (0..self.byte() % 4).map(|_| self.text()).collect();
                key.is_in(values)
            }
            8 => key.like(self.text()),
            9 => key.not_like(self.text()),
            10 => key.starts_with(self.text()),
            11 => key.ends_with(self.text()),
            12 => key.contains(self.text()),
            13 => key.not_starts_with(self.text()),
            14 => key.not_ends_with(self.text()),
            15 => key.not_contains(self.text()),
            16 => key.is_null(),
            _ => key.is_not_null(),
        }
    }
}

/// Reads an expression by SimpleDB's rules of quoting.
fn lex(text: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let after = if matches!(first, '\'' | '"' | '`') {
            let (inside, after) = unquote(&rest[1..], first);
            tokens.push(match first {
                '`' => Token::Name(inside),
                _ => Token::Text(inside),
            });
            after
        } else {
            let plain = |c: char| c.is_ascii_alphanumeric();
            let len = match rest.find(|c| !plain(c)) {
                Some(0)
                    if rest.starts_with("!=")
                        || rest.starts_with("<=")
                        || rest.starts_with(">=") =>
                {
                    2
                }
                Some(0) => first.len_utf8(),
                Some(len) => len,
                None => rest.len(),
            };
            tokens.push(Token::Word(rest[..len].to_owned()));
            &rest[len..]
        };
        rest = after.trim_start();
    }
    tokens
}

fn unquote(text: &str, mark: char) -> (String, &str) {
    let mut inside = String::new();
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        if c == mark && chars.next_if(|(_, next)| *next == mark).is_none() {
            return (inside, &text[at + 1..]);
        }
        inside.push(c);
    }
    panic!("a quote that does not end: {text}");
}

fn tokens(query: &Query) -> Vec<Token> {
    let mut out = Out(Vec::new());
    out.words("select");
    match &query.output {
        Output::All => out.words("*"),
        Output::Names => out.words("itemName ( )"),
        Output::Count => out.words("count ( * )"),
        Output::Attributes(names) => {
            for (i, name) in names.iter().enumerate() {
                out.words(if i == 0 { "" } else { "," });
                out.0.push(Token::Name(name.clone()));
            }
        }
    }
    out.words("from");
    out.0.push(Token::Name(query.domain.to_string()));
    if let Some(filter) = &query.filter {
        out.words("where");
        out.node(&filter.node);
    }
    if let Some(order) = &query.order {
        out.words("order by");
        out.key(&order.by);
        out.words(if order.descending { "desc" } else { "asc" });
    }
    if let Some(limit) = query.limit {
        out.words("limit");
        out.words(&limit.to_string());
    }
    out.0
}

struct Out(Vec<Token>);

impl Out {
    fn words(&mut self, words: &str) {
        let words = words.split_whitespace();
        self.0
            .extend(words.map(|word| Token::Word(word.to_owned())));
    }

    fn text(&mut self, text: &str) {
        self.0.push(Token::Text(text.to_owned()));
    }

    fn key(&mut self, key: &Key) {
        match key.name() {
            None => self.words("itemName ( )"),
            Some(name) => {
                self.words(if key.is_every() { "every (" } else { "" });
                self.0.push(Token::Name(name.to_owned()));
                self.words(if key.is_every() { ")" } else { "" });
            }
        }
    }

    fn node(&mut self, node: &Node) {
        match node {
            Node::Predicate(key, test) => {
                self.key(key);
                self.test(test);
            }
            Node::Not(inside) => {
                self.words("not (");
                self.node(inside);
                self.words(")");
            }
            Node::Joined(word, nodes) => {
                for (i, node) in nodes.iter().enumerate() {
                    let group = matches!(node, Node::Joined(..));
                    self.words(if i == 0 { "" } else { word });
                    self.words(if group { "(" } else { "" });
                    self.node(node);
                    self.words(if group { ")" } else { "" });
                }
            }
            Node::TooLarge => {}
        }
    }

    fn test(&mut self, test: &Test) {
        match test {
            Test::Compare(operator, value) => {
                self.words(operator);
                self.text(value);
            }
            Test::Like { not, pattern, .. } => {
                self.words(if *not { "not like" } else { "like" });
                self.text(pattern);
            }
            Test::Between(low, high) => {
                self.words("between");
                self.text(low);
                self.words("and");
                self.text(high);
            }
            Test::In(values) => {
                self.words("in (");
                for (i, value) in values.iter().enumerate() {
                    self.words(if i == 0 { "" } else { "," });
                    self.text(value);
                }
                self.words(")");
            }
            Test::Null => self.words("is null"),
            Test::NotNull => self.words("is not null"),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]
        #[test]
        fn no_input_breaks_out(data in prop::collection::vec(any::<u8>(), 0..400)) {
            query(&data);
        }
    }

    #[test]
    fn a_broken_quote_is_noticed() {
        let text = "select * from `d` where `a` = 'x' or 'y' = 'y'";
        let made = Query::all("d").filter(attr("a").eq("x' or 'y' = 'y"));
        assert_ne!(lex(text), tokens(&made));
        assert_eq!(lex(&made.to_string()), tokens(&made));
    }
}
