//! Domains exported to S3 by SimpleDB itself: what the three operations share (feature `export`).
//!
//! An export runs within the service, and takes hours rather than minutes for a large domain. It is a newer API
//! than the rest: [REST with JSON, signed by Version 4](https://docs.aws.amazon.com/AmazonSimpleDB/latest/DeveloperGuide/HowToExportDomainToS3.html).
//!
//! ```no_run
//! # async fn doc(sdb: sdb_client::SdbClient) -> sdb_client::Result<()> {
//! use std::time::Duration;
//!
//! let started = sdb.domain("users").start_export("my-exports").prefix("users/").await?;
//! let ended = sdb.export(started.arn).until_ended(Duration::from_secs(60)).await?;
//! println!("{:?}: {:?} items, {:?}", ended.status, ended.items, ended.manifest);
//! # Ok(()) }
//! ```

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_core::operation::{Answer, Attempt};
use aws_core::v4::{self, Scope};
use aws_core::{Error, ErrorBody, Overrides, Result, Service};
use pipeline_pool::{Head, Method, Origin, Request};
use serde_json::{Map, Value};

use crate::client::SdbClient;
use crate::operation::Unsigned;
pub use crate::ops::get_export::{Export, GetExport};
pub use crate::ops::list_exports::{
    ExportItems, ExportPage, ExportPages, ExportSummary, ListExports,
};
pub use crate::ops::start_export::{StartExport, Started};
use crate::options::Options;
use crate::ordered;

/// How the files of an export are encrypted at rest.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Encryption {
    /// By keys of S3 (`AES256`).
    Aes256,
    /// By a key in KMS: this one, by its ID, ARN or alias, or the account's own for S3.
    Kms(Option<String>),
}

/// How far an export is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ExportStatus {
    /// The export waits for its turn.
    Pending,
    /// The export is being written.
    InProgress,
    /// All items have been written.
    Succeeded,
    /// It has ended early; what it had written is still in the bucket.
    Failed,
    /// A word that is not in this list.
    Other(String),
}

impl ExportStatus {
    /// Whether it has ended, well or not.
    pub fn has_ended(&self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed)
    }
}

impl From<String> for ExportStatus {
    fn from(word: String) -> Self {
        match &*word {
            "PENDING" => Self::Pending,
            "IN_PROGRESS" => Self::InProgress,
            "SUCCEEDED" => Self::Succeeded,
            "FAILED" => Self::Failed,
            _ => Self::Other(word),
        }
    }
}

/// The service, as the export API shows it.
#[derive(Debug)]
pub(crate) struct Exports {
    scope: Scope,
}

impl Exports {
    pub(crate) fn new(region: &str) -> Self {
        Self {
            scope: Scope::new(region, "sdb"),
        }
    }
}

impl Service for Exports {
    const NAME: &'static str = "SimpleDB";
    type Destination = Origin;

    fn parse_error(&self, head: &Head, body: &[u8]) -> Option<ErrorBody> {
        let value: Value = serde_json::from_slice(body).unwrap_or_default();
        let text = |name: &str| value.get(name)?.as_str();
        let kind = head
            .header("x-amzn-errortype")
            .or_else(|| text("__type"))
            .or_else(|| text("code"))?;
        // `namespace#Code` in the body, `Code:http://…` in the header.
        let code = kind.rsplit_once('#').map_or(kind, |(_, code)| code);
        let code = code.split_once(':').map_or(code, |(code, _)| code);
        let message = text("message").or_else(|| text("Message"));
        Some(ErrorBody::new(code, message.unwrap_or_default()))
    }
}

/// The region that a host of SimpleDB's stands for.
pub(crate) fn region_of(host: &str) -> &str {
    let region = host
        .strip_prefix("sdb.")
        .and_then(|rest| rest.split_once(".amazonaws."));
    region.map_or("us-east-1", |(region, _)| region)
}

/// An operation and its parameters.
pub(crate) struct UnsignedExport {
    origin: Origin,
    path: String,
    domain: Option<Arc<str>>,
    body: Vec<u8>,
    options: Options,
}

impl UnsignedExport {
    pub(crate) fn new(
        client: &SdbClient,
        operation: &'static str,
        domain: Option<&Arc<str>>,
        params: Map<String, Value>,
        options: Options,
    ) -> Self {
        Self {
            origin: client.endpoint().origin().clone(),
            path: format!("{}/v2/{operation}", client.endpoint().path()),
            domain: domain.cloned(),
            body: Value::from(params).to_string().into_bytes(),
            options,
        }
    }
}

impl Unsigned for UnsignedExport {
    type Service = Exports;

    fn origin(&self) -> &Origin {
        &self.origin
    }

    fn domain(&self) -> Option<&Arc<str>> {
        self.domain.as_ref()
    }

    fn overrides(&self) -> &Overrides {
        &self.options
    }

    fn request(&self, service: &Exports, attempt: &Attempt<'_>) -> Result<Request> {
        let added = attempt.headers();
        let mut headers: Vec<(&str, &str)> = Vec::with_capacity(added.len() + 1);
        headers.extend(
            added
                .iter()
                .map(|(name, value)| (name.as_str(), value.as_str())),
        );
        if headers.iter().all(|(name, _)| *name != "content-type") {
            headers.push(("content-type", "application/json"));
        }
        let host = std::iter::once(("host", self.origin.authority()));
        let signed = v4::Request {
            method: Method::Post.as_str(),
            path: &self.path,
            query: "",
            headers: host.chain(headers.iter().copied()),
            payload: v4::Payload::Bytes(&self.body),
        };
        let authorization = signed.sign(&service.scope, attempt.credentials(), attempt.now());
        let mut request = Request::new(Method::Post, &self.origin, &self.path)?;
        for (name, value) in &headers {
            request.header(name, value)?;
        }
        for (name, value) in authorization.headers() {
            request.header(name, value)?;
        }
        request.body(self.body.clone());
        Ok(request)
    }
}

/// An object of an answer.
pub(crate) struct JsonFields(Map<String, Value>);

impl JsonFields {
    pub(crate) fn read(answer: &Answer) -> Result<Self> {
        match serde_json::from_slice(&answer.bytes()) {
            Ok(Value::Object(fields)) => Ok(Self(fields)),
            _ => Err(Error::protocol(
                "the answer is not the JSON expected: no object",
            )),
        }
    }

    pub(crate) fn of(value: Value) -> Result<Self> {
        match value {
            Value::Object(fields) => Ok(Self(fields)),
            _ => Err(Error::protocol(
                "the answer is not the JSON expected: a list of something else",
            )),
        }
    }

    pub(crate) fn text(&mut self, name: &str) -> Result<String> {
        self.maybe_text(name)?.ok_or_else(|| wrong(name))
    }

    pub(crate) fn maybe_text(&mut self, name: &str) -> Result<Option<String>> {
        match self.0.remove(name) {
            Some(Value::String(text)) => Ok(Some(text)),
            None | Some(Value::Null) => Ok(None),
            Some(_) => Err(wrong(name)),
        }
    }

    pub(crate) fn number(&self, name: &str) -> Option<u64> {
        self.0.get(name)?.as_u64()
    }

    pub(crate) fn list(&mut self, name: &str) -> Result<Vec<Value>> {
        match self.0.remove(name) {
            Some(Value::Array(list)) => Ok(list),
            _ => Err(wrong(name)),
        }
    }

    pub(crate) fn time(&mut self, name: &str) -> Result<SystemTime> {
        self.maybe_time(name)?.ok_or_else(|| wrong(name))
    }

    /// A time: seconds since 1970, or a date.
    pub(crate) fn maybe_time(&mut self, name: &str) -> Result<Option<SystemTime>> {
        let seconds = match self.0.remove(name) {
            None | Some(Value::Null) => return Ok(None),
            Some(Value::String(text)) => return ordered::decode(&text).map(Some),
            Some(value) => value.as_f64(),
        };
        let since = seconds.and_then(|s| Duration::try_from_secs_f64(s).ok());
        let time = since.and_then(|since| UNIX_EPOCH.checked_add(since));
        time.map(Some).ok_or_else(|| wrong(name))
    }
}

fn wrong(name: &str) -> Error {
    Error::protocol(format!("the answer is not the JSON expected: no {name}"))
}

/// A parameter of between so many bytes.
pub(crate) fn sized(what: &str, text: &str, limits: std::ops::RangeInclusive<usize>) -> Result<()> {
    if limits.contains(&text.len()) {
        return Ok(());
    }
    Err(Error::invalid(format!(
        "the {what} has {} bytes, which is not within {} to {}",
        text.len(),
        limits.start(),
        limits.end()
    )))
}

impl fmt::Display for ExportStatus {
    /// The word as the service writes it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pending => "PENDING",
            Self::InProgress => "IN_PROGRESS",
            Self::Succeeded => "SUCCEEDED",
            Self::Failed => "FAILED",
            Self::Other(word) => word,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_stand_for_regions() {
        for (host, region) in [
            ("sdb.amazonaws.com", "us-east-1"),
            ("sdb.eu-west-1.amazonaws.com", "eu-west-1"),
            ("sdb.cn-north-1.amazonaws.com.cn", "cn-north-1"),
            ("localhost", "us-east-1"),
            ("sdb.example", "us-east-1"),
        ] {
            assert_eq!(region_of(host), region);
        }
    }

    #[test]
    fn words_come_back() {
        for word in ["PENDING", "IN_PROGRESS", "SUCCEEDED", "FAILED", "NEW"] {
            assert_eq!(ExportStatus::from(word.to_owned()).to_string(), word);
        }
    }

    #[test]
    fn errors_are_read_from_head_or_body() {
        let exports = Exports::new("us-east-1");
        let plain = Head::new(400, []);
        let with = |kind: &'static str| Head::new(400, [("x-amzn-errortype", kind.as_bytes())]);
        let table = [
            (
                &plain,
                "{\"__type\":\"com.amazon#NoSuchExportException\",\"message\":\"m\"}",
                Some(("NoSuchExportException", "m")),
            ),
            (
                &with("NoSuchDomainException:http://x/"),
                "{\"Message\":\"m\"}",
                Some(("NoSuchDomainException", "m")),
            ),
            (
                &with("ConflictException"),
                "",
                Some(("ConflictException", "")),
            ),
            (&plain, "{\"code\":\"X\"}", Some(("X", ""))),
            (&plain, "{}", None),
            (&plain, "<html/>", None),
            (&plain, "{\"__type\":1}", None),
        ];
        for (head, body, expected) in table {
            let error = exports.parse_error(head, body.as_bytes());
            let found = error
                .as_ref()
                .map(|e| (e.code.as_deref(), e.message.as_deref()));
            let expected = expected.map(|(code, message)| (Some(code), Some(message)));
            assert_eq!(found, expected, "{body}");
        }
    }
}
