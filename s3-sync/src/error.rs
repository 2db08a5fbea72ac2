//! What can go wrong with a tree, a prefix or a release, and what a caller can decide on.

use std::error::Error as StdError;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

use crate::names::BadName;

/// The result of what this crate does.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What kind of failure it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// A setting or an argument is wrong, and nothing was done.
    Usage,
    /// A key cannot be the name of a file, or a file's name no key.
    Name,
    /// A file or folder of this machine could not be read or written.
    File,
    /// A file changed while it was read.
    Changed,
    /// The disk has no room left.
    Full,
    /// A request to the store failed; [`Error::store`] has its error.
    Store,
    /// What the store gave is not what it must be: another digest, a listing out of order, a manifest that lies.
    Content,
    /// A guard stands in the way: a source without files, or more deletes than are allowed.
    Guard,
    /// Whoever listens to a run has broken it off.
    Stopped,
    /// This program has a defect: one of its threads has panicked. Nothing is deleted after it.
    Defect,
}

/// Why something could not be done: of what [kind](Kind) the failure is, what it is about, and what happened.
///
/// `Display` is one line that names the file, the key or the setting. A cause that it tells is not told again by
/// [`source`](StdError::source).
#[derive(Clone)]
pub struct Error(Box<Inner>);

#[derive(Clone)]
struct Inner {
    kind: Kind,
    /// The file, key, folder or setting; empty if the message says it.
    about: String,
    message: String,
    store: Option<Arc<s3_client::Error>>,
}

impl Error {
    /// An error of this kind about a file, key or setting; `message` is a short sentence for a person, without secrets.
    pub fn new(kind: Kind, about: impl Into<String>, message: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            kind,
            about: about.into(),
            message: message.into(),
            store: None,
        }))
    }

    /// A setting or an argument that is wrong.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(Kind::Usage, "", message)
    }

    /// A file or folder that could not be worked on; `what` is a verb, such as "read". A full disk is a [kind](Kind::Full)
    /// of its own.
    pub fn file(what: &str, path: &Path, cause: &std::io::Error) -> Self {
        let kind = match cause.kind() {
            std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => Kind::Full,
            _ => Kind::File,
        };
        let about = path.display().to_string();
        Self::new(kind, about, format!("cannot {what} it: {cause}"))
    }

    /// The same error with what it is about, unless it knows that.
    pub(crate) fn or_about(mut self, about: &str) -> Self {
        if self.0.about.is_empty() {
            about.clone_into(&mut self.0.about);
        }
        self
    }

    /// What kind of failure it is.
    pub fn kind(&self) -> Kind {
        self.0.kind
    }

    /// The file, key, folder or setting that it is about; empty where the message says it.
    pub fn about(&self) -> &str {
        &self.0.about
    }

    /// What the client of the store says, if it is [one of those](Kind::Store).
    pub fn store(&self) -> Option<&s3_client::Error> {
        self.0.store.as_deref()
    }
}

impl From<s3_client::Error> for Error {
    fn from(error: s3_client::Error) -> Self {
        let mut new = Self::new(Kind::Store, "", error.to_string());
        new.0.store = Some(Arc::new(error));
        new
    }
}

impl From<BadName> for Error {
    fn from(name: BadName) -> Self {
        Self::new(Kind::Name, name.key(), name.fault().to_string())
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.0.about.is_empty() {
            // Keys may have any character in them, a line end included.
            write!(f, "{}: ", self.0.about.escape_debug())?;
        }
        f.write_str(&self.0.message)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error")
            .field("kind", &self.0.kind)
            .field("about", &self.0.about)
            .field("message", &self.0.message)
            .finish()
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        // `Display` tells the first error of the store, and that one's sources are told here.
        self.store().and_then(StdError::source)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io;

    #[test]
    fn one_line_names_what_it_is_about() {
        let full = Error::file(
            "write",
            Path::new("a/b"),
            &io::ErrorKind::StorageFull.into(),
        );
        assert_eq!(full.kind(), Kind::Full);
        assert_eq!(full.about(), "a/b");
        assert!(
            full.to_string().starts_with("a/b: cannot write it: "),
            "{full}"
        );
        let name = Error::new(Kind::Name, "a\nb", "it is odd");
        assert_eq!(name.to_string(), "a\\nb: it is odd");
        assert_eq!(Error::usage("no").to_string(), "no");
        assert_eq!(Error::usage("no").or_about("k").to_string(), "k: no");
        assert_eq!(full.or_about("k").about(), "a/b");
    }

    #[test]
    fn the_error_of_the_store_is_kept() {
        let error = Error::from(s3_client::Error::invalid("the key is empty"));
        assert_eq!(error.kind(), Kind::Store);
        let kind = error.store().map(s3_client::Error::kind);
        assert_eq!(kind, Some(s3_client::Kind::Invalid));
    }
}
