//! How an error is printed: on one line, bounded, and without secrets.

use std::fmt::{self, Write as _};

use super::{Error, Kind};

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inner = &*self.0;
        if let Some(site) = &inner.site {
            write!(f, "{site}: ")?;
        }
        let mut gap = "";
        if let Some(status) = inner.status {
            write!(f, "{status}")?;
            gap = " ";
        }
        if let Some(code) = &inner.body.code {
            write!(f, "{gap}{}", OneLine(code))?;
            gap = " ";
        }
        let message = self.message();
        if !message.is_empty() {
            let colon = if gap.is_empty() { "" } else { ": " };
            write!(f, "{colon}{}", OneLine(message))?;
        } else if inner.kind != Kind::Service {
            write!(f, "{gap}{:?}", inner.kind)?;
        }
        if let Some(id) = &inner.body.request_id {
            write!(f, " (request {})", OneLine(id))?;
        }
        if inner.attempts > 1 {
            write!(f, " (after {} attempts)", inner.attempts)?;
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error")
            .field("kind", &self.0.kind)
            .field("operation", &self.operation())
            .field("resource", &self.resource())
            .field("key", &self.key())
            .field("status", &self.0.status)
            .field("code", &self.code())
            .field("message", &self.message())
            .field("request_id", &self.request_id())
            .field("attempts", &self.0.attempts)
            .field("sent", &self.0.sent)
            .field("cause", &self.0.cause)
            .finish()
    }
}

/// Text from a server, kept to one line and a bounded length.
pub(super) struct OneLine<'a>(pub(super) &'a str);

impl fmt::Display for OneLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const MOST: usize = 500;
        let plain = |c: char| if c.is_control() { ' ' } else { c };
        for c in self.0.chars().take(MOST) {
            f.write_char(plain(c))?;
        }
        if self.0.chars().nth(MOST).is_some() {
            f.write_str("…")?;
        }
        Ok(())
    }
}

/// A key in quotes, escaped as Rust writes strings, and cut where it is long.
pub(super) struct Quoted<'a>(pub(super) &'a str);

/// The most bytes of a key, escapes included, that are shown.
const MAX_KEY_SHOWN: usize = 200;

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut room = MAX_KEY_SHOWN;
        f.write_char('"')?;
        for c in self.0.chars() {
            let escaped = c.escape_debug();
            let bytes = escaped.clone().map(char::len_utf8).sum::<usize>();
            match room.checked_sub(bytes) {
                Some(left) => room = left,
                None => return f.write_str("…\""),
            }
            write!(f, "{escaped}")?;
        }
        f.write_char('"')
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_escaped_and_cut_at_a_character() {
        let shown = |key: &str| Quoted(key).to_string();
        assert_eq!(shown("2009/cat.jpg"), "\"2009/cat.jpg\"");
        assert_eq!(shown("a\r\nb\"\\\u{1b}[2J"), r#""a\r\nb\"\\\u{1b}[2J""#);
        assert_eq!(
            shown("\u{202e}gpj"),
            r#""\u{202e}gpj""#,
            "no text is turned around"
        );
        assert_eq!(shown(&"x".repeat(200)), format!("\"{}\"", "x".repeat(200)));
        assert_eq!(shown(&"x".repeat(201)), format!("\"{}…\"", "x".repeat(200)));
        // Neither a character of several bytes nor an escape is cut through.
        let wide = format!("{}é", "x".repeat(199));
        assert_eq!(shown(&wide), format!("\"{}…\"", "x".repeat(199)));
        let escaped = format!("{}\n", "x".repeat(199));
        assert_eq!(shown(&escaped), format!("\"{}…\"", "x".repeat(199)));
    }
}
