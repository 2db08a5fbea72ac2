//! Where the objects of an application's releases lie, and which names are allowed for them.
//!
//! ```text
//! PREFIX/blobs/ab/abcdef…            a content, under its SHA-256; never changed, shared by all releases
//! PREFIX/releases/000042.json        the manifest of a release; claimed by a create-only put, never changed
//! PREFIX/history/000000000057.json   the 57th move of the pointer; claimed by a create-only put, never changed
//! PREFIX/current                     a copy of the last of them, which followers ask for
//! PREFIX/current@canary              the same for a channel, whose moves are below history@canary/
//! PREFIX/nodes/NAME.json             what a node runs
//! PREFIX/sweeps/000007.json          a collection of garbage that has begun; 000007.done when it has ended, 000007.stop when
//!                                    it is to stop
//! ```

use std::fmt;
use std::str::FromStr;

use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::url::Url;

/// The most characters of the name of a channel.
const MAX_CHANNEL: usize = 32;
/// The most characters of the name of a node.
const MAX_NODE: usize = 128;

/// Which of the pointers of an application is meant: that of all nodes, or that of a few that go first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Channel(Option<String>);

impl Channel {
    /// The one that has no name.
    pub const fn main() -> Self {
        Self(None)
    }

    /// The name; empty for the channel of all nodes.
    pub fn name(&self) -> &str {
        self.0.as_deref().unwrap_or_default()
    }

    /// The name of its item of SimpleDB, where that of the channel of all nodes is `item`.
    pub(crate) fn item(&self, item: &str) -> String {
        match self.name() {
            "" => item.to_owned(),
            name => format!("{item}@{name}"),
        }
    }

    /// What names of objects have behind them.
    fn suffix(&self) -> String {
        self.0
            .as_ref()
            .map(|name| format!("@{name}"))
            .unwrap_or_default()
    }
}

impl FromStr for Channel {
    type Err = Error;

    /// Takes up to 32 lower-case letters, digits and hyphens.
    fn from_str(name: &str) -> Result<Self> {
        let good = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if name.is_empty() || name.len() > MAX_CHANNEL || !name.chars().all(good) {
            let name = name.escape_debug();
            return Err(Error::usage(format!(
                "{name} is no channel: it has 1 to {MAX_CHANNEL} lower-case letters, digits and hyphens"
            )));
        }
        Ok(Self(Some(name.to_owned())))
    }
}

impl fmt::Display for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "current{}", self.suffix())
    }
}

/// Whether a text can be the name of a node.
///
/// # Errors
/// When it is none, with what is allowed.
pub fn check_node(name: &str) -> Result<()> {
    let good = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    if name.is_empty() || name.len() > MAX_NODE || name.starts_with('.') || !name.chars().all(good)
    {
        let name = name.escape_debug();
        return Err(Error::usage(format!(
            "{name} is no name of a node: it has 1 to {MAX_NODE} letters, digits, hyphens, underscores and dots, and does \
             not begin with a dot"
        )));
    }
    Ok(())
}

/// The keys of an application's objects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Layout {
    /// Empty, or with a slash at its end.
    prefix: String,
}

impl Layout {
    pub(crate) fn new(url: &Url) -> Self {
        Self {
            prefix: url.prefix().to_owned(),
        }
    }

    /// What all keys begin with.
    pub(crate) fn prefix(&self) -> &str {
        &self.prefix
    }

    pub(crate) fn blobs(&self) -> String {
        format!("{}blobs/", self.prefix)
    }

    pub(crate) fn blob(&self, digest: &Digest) -> String {
        let digest = digest.to_string();
        format!("{}blobs/{}/{digest}", self.prefix, &digest[..2])
    }

    /// The content whose key this is, if it is the key of one.
    pub(crate) fn blob_of(&self, key: &str) -> Option<Digest> {
        let digest = key.strip_prefix(&self.blobs())?.get(3..)?.parse().ok()?;
        (self.blob(&digest) == key).then_some(digest)
    }

    pub(crate) fn releases(&self) -> String {
        format!("{}releases/", self.prefix)
    }

    pub(crate) fn release(&self, number: u64) -> String {
        format!("{}releases/{number:06}.json", self.prefix)
    }

    /// The number of the release whose manifest this key is.
    pub(crate) fn release_of(&self, key: &str) -> Option<u64> {
        let number = numbered(key, &self.releases())?;
        (self.release(number) == key).then_some(number)
    }

    pub(crate) fn current(&self, channel: &Channel) -> String {
        format!("{}{channel}", self.prefix)
    }

    /// The channel whose pointer this key is.
    pub(crate) fn channel_of(&self, key: &str) -> Option<Channel> {
        let name = key.strip_prefix(&self.prefix)?.strip_prefix("current")?;
        match name.strip_prefix('@') {
            Some(name) => name.parse().ok(),
            None => name.is_empty().then(Channel::main),
        }
    }

    pub(crate) fn history(&self, channel: &Channel) -> String {
        format!("{}history{}/", self.prefix, channel.suffix())
    }

    /// The object of one move of the pointer. Its number has so many digits that keys are in the order of numbers.
    pub(crate) fn entry(&self, channel: &Channel, seq: u64) -> String {
        format!("{}{seq:012}.json", self.history(channel))
    }

    pub(crate) fn seq_of(&self, channel: &Channel, key: &str) -> Option<u64> {
        let seq = numbered(key, &self.history(channel))?;
        (self.entry(channel, seq) == key).then_some(seq)
    }

    pub(crate) fn nodes(&self) -> String {
        format!("{}nodes/", self.prefix)
    }

    pub(crate) fn node(&self, name: &str) -> String {
        format!("{}nodes/{name}.json", self.prefix)
    }

    pub(crate) fn node_of<'a>(&self, key: &'a str) -> Option<&'a str> {
        let name = key.strip_prefix(&self.nodes())?.strip_suffix(".json")?;
        check_node(name).ok().map(|()| name)
    }

    pub(crate) fn sweeps(&self) -> String {
        format!("{}sweeps/", self.prefix)
    }

    pub(crate) fn sweep(&self, number: u64) -> String {
        format!("{}sweeps/{number:06}.json", self.prefix)
    }

    /// What says that a sweep has ended.
    pub(crate) fn sweep_end(&self, number: u64) -> String {
        format!("{}sweeps/{number:06}.done", self.prefix)
    }

    /// What tells a sweep to stop.
    pub(crate) fn sweep_stop(&self, number: u64) -> String {
        format!("{}sweeps/{number:06}.stop", self.prefix)
    }

    pub(crate) fn sweep_of(&self, key: &str) -> Option<u64> {
        let number = numbered(key, &self.sweeps())?;
        (self.sweep(number) == key).then_some(number)
    }

    /// The sweep of which this key says that it has ended.
    pub(crate) fn sweep_end_of(&self, key: &str) -> Option<u64> {
        self.sweep_of(&format!("{}.json", key.strip_suffix(".done")?))
    }

    /// The sweep that this key tells to stop.
    pub(crate) fn sweep_stop_of(&self, key: &str) -> Option<u64> {
        self.sweep_of(&format!("{}.json", key.strip_suffix(".stop")?))
    }
}

/// The number between a prefix and `.json`.
fn numbered(key: &str, prefix: &str) -> Option<u64> {
    let digits = key.strip_prefix(prefix)?.strip_suffix(".json")?;
    let all = digits.bytes().all(|byte| byte.is_ascii_digit());
    all.then(|| digits.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout() -> Layout {
        Layout::new(&"s3://box/app".parse().unwrap())
    }

    #[test]
    fn keys_are_read_back() {
        let layout = layout();
        let canary: Channel = "canary".parse().unwrap();
        let digest = Digest::of(b"x");
        assert_eq!(layout.blob_of(&layout.blob(&digest)), Some(digest));
        assert_eq!(layout.release(42), "app/releases/000042.json");
        assert_eq!(layout.prefix(), "app/");
        assert_eq!(canary.item("pointer"), "pointer@canary");
        assert_eq!(Channel::main().item("pointer"), "pointer");
        for number in [0, 42, 999_999, 1_000_000] {
            assert_eq!(layout.release_of(&layout.release(number)), Some(number));
            assert_eq!(layout.sweep_of(&layout.sweep(number)), Some(number));
            assert_eq!(layout.sweep_end_of(&layout.sweep_end(number)), Some(number));
            assert_eq!(
                layout.sweep_stop_of(&layout.sweep_stop(number)),
                Some(number)
            );
            assert_eq!(layout.sweep_end_of(&layout.sweep_stop(number)), None);
            let entry = layout.entry(&canary, number);
            assert_eq!(layout.seq_of(&canary, &entry), Some(number));
            assert_eq!(layout.seq_of(&Channel::main(), &entry), None);
        }
        for channel in [Channel::main(), canary] {
            let key = layout.current(&channel);
            assert_eq!(layout.channel_of(&key), Some(channel));
        }
        assert_eq!(layout.node_of(&layout.node("a.b-c_1")), Some("a.b-c_1"));
    }

    #[test]
    fn foreign_keys_are_no_names_of_ours() {
        let layout = layout();
        let digest = Digest::of(b"x").to_string();
        for key in [
            format!("app/blobs/zz/{digest}"),
            format!("app/blobs/{digest}"),
            format!("blobs/{}/{digest}", &digest[..2]),
            "app/blobs/é/x".to_owned(),
        ] {
            assert_eq!(layout.blob_of(&key), None, "{key}");
        }
        for name in ["42", "0000042", "+00042", "", "000042.json"] {
            let key = format!("app/releases/{name}.json");
            assert_eq!(layout.release_of(&key), None, "{key}");
        }
        for key in ["app/current@", "app/current@A", "app/currently", "current"] {
            assert_eq!(layout.channel_of(key), None, "{key}");
        }
        for key in ["app/nodes/.json", "app/nodes/a/b.json", "app/nodes/...json"] {
            assert_eq!(layout.node_of(key), None, "{key}");
        }
    }

    #[test]
    fn names_are_checked() {
        for name in ["", "Canary", "a b", "a/b", &"x".repeat(33)] {
            assert!(name.parse::<Channel>().is_err(), "{name}");
        }
        for name in ["", ".a", "a/b", "..", "a b", &"x".repeat(129)] {
            assert!(check_node(name).is_err(), "{name}");
        }
    }
}
