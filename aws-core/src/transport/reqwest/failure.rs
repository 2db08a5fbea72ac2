//! What reqwest's errors mean, without the URLs in them.

use std::error::Error as StdError;
use std::fmt;

use pipeline_pool::{Error, Kind, Origin, Sent};

/// A client that could not be built.
pub(super) fn refused(error: &::reqwest::Error) -> Error {
    Error::new(Kind::Invalid, "reqwest cannot be set up").with_source(FailureText::of(error))
}

/// A request that failed before the head of its answer had come.
pub(super) fn unanswered(error: &::reqwest::Error, origin: &Origin) -> Error {
    if error.is_builder() {
        let why = "reqwest refuses this request";
        return Error::new(Kind::Invalid, why).with_source(FailureText::of(error));
    }
    if error.is_connect() {
        let what = format!("no connection to {origin}");
        return Error::new(Kind::Connect, what).with_source(FailureText::of(error));
    }
    broken(error).with_sent(Sent::Part)
}

/// An answer that broke off within its body.
pub(super) fn answered(error: &::reqwest::Error) -> Error {
    broken(error).with_sent(Sent::All)
}

fn broken(error: &::reqwest::Error) -> Error {
    let parse = chain(error)
        .filter_map(|e| e.downcast_ref::<hyper::Error>())
        .any(hyper::Error::is_parse);
    let (kind, what) = if error.is_timeout() {
        (Kind::Timeout, "no answer in time")
    } else if parse {
        (Kind::Protocol, "the answer is not HTTP")
    } else {
        (Kind::Closed, "the connection ended before the answer did")
    };
    Error::new(kind, what).with_source(FailureText::of(error))
}

fn chain<'a>(
    error: &'a (dyn StdError + 'static),
) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |&e| e.source())
}

/// The texts of a chain of errors: the errors themselves hold URLs, also when printed by `Debug`.
#[derive(Debug)]
struct FailureText(String);

impl FailureText {
    fn of(error: &::reqwest::Error) -> Self {
        let mut text = String::new();
        for layer in chain(error) {
            // reqwest's own layers say little, and show their URLs.
            if layer.is::<::reqwest::Error>() && layer.source().is_some() {
                continue;
            }
            let layer = match layer.downcast_ref::<::reqwest::Error>() {
                Some(own) if own.url().is_some() => "an error of a URL".to_owned(),
                _ => layer.to_string(),
            };
            if text.ends_with(&layer) {
                continue;
            }
            if !text.is_empty() {
                text.push_str(": ");
            }
            text.push_str(&layer);
        }
        Self(text)
    }
}

impl fmt::Display for FailureText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl StdError for FailureText {}
