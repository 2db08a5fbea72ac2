//! Server files in libketama's format.

use std::collections::HashMap;
use std::error::Error;
use std::fmt;

use crate::server::{Server, ServerError, parse};

/// Reads a libketama server file: one `host:port<TAB>weight` a line.
///
/// Blanks may stand for the tab. Blank lines and lines that begin with `#` are skipped.
/// The weight must be there, as libketama wants it. An empty file gives an empty list,
/// which [`Ring::new`](crate::Ring::new) refuses.
///
/// libketama itself drops the last character of a line, whether or not it is a line
/// end; here a weight counts in full, so files that mean to agree with it should end
/// their last line and put nothing after a weight.
///
/// # Errors
///
/// The first line that cannot be read, or that repeats an earlier server.
pub fn parse_list(text: &str) -> Result<Vec<Server>, ListError> {
    let mut servers = Vec::new();
    let mut seen = HashMap::new();
    for (line, content) in (1..).zip(text.lines()) {
        let content = content.trim_ascii();
        if content.is_empty() || content.starts_with('#') {
            continue;
        }
        let server = parse(content)
            .and_then(|(place, weight)| Server::at(&place, weight.ok_or(ServerError::NoWeight)?))
            .map_err(|error| ListError::Server { line, error })?;
        if let Some(first) = seen.insert(server.endpoint(), line) {
            return Err(ListError::Duplicate { line, first });
        }
        servers.push(server);
    }
    Ok(servers)
}

/// What is wrong with a server file, and on which line.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ListError {
    /// A line is not a server and its weight.
    Server {
        /// The line, from 1.
        line: usize,
        /// What is wrong with it.
        error: ServerError,
    },
    /// A line names a server that an earlier one named.
    Duplicate {
        /// The line, from 1.
        line: usize,
        /// The earlier line, from 1.
        first: usize,
    },
}

impl ListError {
    /// The line that is wrong, from 1.
    pub fn line(&self) -> usize {
        match self {
            Self::Server { line, .. } | Self::Duplicate { line, .. } => *line,
        }
    }
}

impl fmt::Display for ListError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Server { line, error } => write!(f, "line {line}: {error}"),
            Self::Duplicate { line, first } => {
                write!(f, "line {line}: the same server as on line {first}")
            }
        }
    }
}

impl Error for ListError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_a_libketama_file() {
        let text = "#--- Server ---\t-Mem-#\r\n\
                    #255.255.255.255:65535\t66666#\r\n\
                    \r\n\
                    10.0.1.1:11211\t600\r\n\
                    \x20\t\n\
                    [::1]:11211 300";
        let servers = parse_list(text).unwrap();
        let seen: Vec<_> = servers
            .iter()
            .map(|s| (s.to_string(), s.weight()))
            .collect();
        assert_eq!(
            seen,
            [("10.0.1.1:11211".into(), 600), ("[::1]:11211".into(), 300)]
        );
        assert_eq!(parse_list("# none\n\n").unwrap(), []);
    }

    #[test]
    fn file_errors_name_the_line_and_the_fault() {
        for (text, want) in [
            ("a:1\t5\n\nb:1", "line 3: no weight, want host:port weight"),
            (
                "#\na:1\t0\n",
                "line 2: bad weight \"0\", want 1 to 4294967295",
            ),
            ("a:x\t5", "line 1: bad port \"x\", want 1 to 65535"),
            ("a\t5", "line 1: no port, want host:port"),
            ("a:1\t5\t6", "line 1: unexpected \"6\" after the weight"),
            (
                "a:1\t5\n#\nb:1\t5\nA:1\t6",
                "line 4: the same server as on line 1",
            ),
            (
                "[::1]:1\t5\n[0:0::1]:1\t5",
                "line 2: the same server as on line 1",
            ),
        ] {
            assert_eq!(parse_list(text).unwrap_err().to_string(), want);
        }
        assert_eq!(parse_list("#\n#\na").unwrap_err().line(), 3);
    }
}
