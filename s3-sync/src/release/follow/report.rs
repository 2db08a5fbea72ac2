//! What a node says of itself: `nodes/NAME.json`.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Kind, Result};

/// The most bytes of what a node says.
pub(crate) const MAX_REPORT: usize = 16 << 10;
/// The most bytes of what a command that failed has to say.
const MAX_RESULT: usize = 4 << 10;

/// What a node says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct NodeReport {
    /// The name of the node.
    pub node: String,
    /// The release that it runs; nothing if it runs none.
    pub release: Option<u64>,
    /// The last move of the pointer that it has seen.
    pub seq: Option<u64>,
    /// Since when it runs it, in seconds since 1970.
    pub since: u64,
    /// `ok`, or what went wrong.
    pub result: String,
    /// The channel that it follows; nothing for that of all nodes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel: Option<String>,
    /// Whether this stands for a report that cannot be read.
    #[serde(skip)]
    unreadable: bool,
}

impl NodeReport {
    pub(crate) fn new(
        node: &str,
        release: Option<u64>,
        seq: Option<u64>,
        since: u64,
        result: &Result<u64, String>,
    ) -> Self {
        let mut result = match result {
            Ok(_) => "ok".to_owned(),
            Err(why) => why.clone(),
        };
        cut(&mut result, MAX_RESULT);
        Self {
            node: node.to_owned(),
            release,
            seq,
            since,
            result,
            channel: None,
            unreadable: false,
        }
    }

    /// What stands for the report of a node that cannot be read, and why.
    pub(crate) fn unreadable(node: &str, why: String) -> Self {
        Self {
            unreadable: true,
            ..Self::new(node, None, None, 0, &Err(why))
        }
    }

    /// Whether the report of this node cannot be read; the result then says why.
    pub fn is_unreadable(&self) -> bool {
        self.unreadable
    }

    /// Whether nothing went wrong.
    pub fn is_ok(&self) -> bool {
        self.result == "ok"
    }

    pub(crate) fn encode(&self) -> String {
        // A value of numbers and texts is always JSON.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// The same in so many bytes at most, for which the result is cut.
    pub(crate) fn encode_within(&self, most: usize) -> String {
        let mut short = self.clone();
        loop {
            let text = short.encode();
            if text.len() <= most || short.result.is_empty() {
                return text;
            }
            let half = short.result.len() / 2;
            cut(&mut short.result, half);
        }
    }

    /// Reads what this node says, or why that cannot be read.
    pub(crate) fn read(node: &str, key: &str, bytes: &[u8]) -> Self {
        let read = Self::decode(key, bytes);
        let mut report = read.unwrap_or_else(|error| Self::unreadable(node, error.to_string()));
        node.clone_into(&mut report.node);
        report
    }

    fn decode(key: &str, bytes: &[u8]) -> Result<Self> {
        serde_json::from_slice(bytes).map_err(|error| {
            Error::new(
                Kind::Content,
                key,
                format!("it is no report of a node: {error}"),
            )
        })
    }
}

/// Cuts a text that is longer than so many bytes, and shows that it did: what is cut is never the word that all is well.
fn cut(text: &mut String, most: usize) {
    if text.len() <= most {
        return;
    }
    let end = (0..=most).rev().find(|end| text.is_char_boundary(*end));
    text.truncate(end.unwrap_or_default());
    if !text.is_empty() {
        text.push('\u{2026}');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_are_read_back_and_long_ones_are_cut() {
        let long = Err("ü".repeat(MAX_RESULT));
        for result in [Ok(42), Err("no".to_owned()), long] {
            let report = NodeReport::new("n", Some(42), Some(57), 9, &result);
            let text = report.encode();
            assert!(text.len() < MAX_REPORT);
            assert_eq!(NodeReport::decode("k", text.as_bytes()).unwrap(), report);
            assert_eq!(report.is_ok(), result.is_ok());
        }
        assert!(NodeReport::decode("k", b"[]").is_err());
    }
}
