//! What can go wrong with one request.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::watch;

use crate::ec2::TableView;

/// What a request meets instead of, or beside, its answer.
#[derive(Clone, Debug)]
#[must_use]
pub struct Fault {
    pub(super) kind: FaultKind,
    pub(super) early: bool,
}

#[derive(Clone, Debug)]
pub(super) enum FaultKind {
    None,
    Error {
        name: &'static str,
        status: u16,
        /// The code; nothing is what the service says when it is busy.
        code: Option<Cow<'static, str>>,
        retry_after: Option<String>,
    },
    Redirect {
        status: u16,
        endpoint: String,
        region: Option<String>,
    },
    Delay(Duration),
    Hold(Gate),
    ResetBefore,
    ResetAfter,
    Cut(u64),
    Stall(u64, Gate),
    Garbage(Bytes),
    WrongDate(String),
    Stale(usize),
    Lacking(Vec<String>),
}

impl Fault {
    fn of(kind: FaultKind) -> Self {
        Self { kind, early: false }
    }

    /// Nothing: the request is served. For the steps of a [script](crate::Rule::script).
    pub fn none() -> Self {
        Self::of(FaultKind::None)
    }

    /// The service asks for fewer requests: 503 with `SlowDown` from S3, with `ServiceUnavailable` from SimpleDB,
    /// with `RequestLimitExceeded` from EC2.
    /// The request does not run.
    pub fn slow_down() -> Self {
        Self::of(FaultKind::Error {
            name: "slow_down",
            status: 503,
            code: None,
            retry_after: None,
        })
    }

    /// An error with this status and code, in the form of the service asked. The request does not run.
    ///
    /// With status 200 it is the error in the middle of a success that S3 sends to
    /// [copy](https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html) and
    /// [complete a multipart upload](https://docs.aws.amazon.com/AmazonS3/latest/API/API_CompleteMultipartUpload.html)
    /// when they fail late.
    pub fn error(status: u16, code: impl Into<Cow<'static, str>>) -> Self {
        Self::of(FaultKind::Error {
            name: "error",
            status,
            code: Some(code.into()),
            retry_after: None,
        })
    }

    /// The temporary credentials are no longer taken: 400 `ExpiredToken`. The request does not run.
    pub fn expired_token() -> Self {
        Self::of(FaultKind::Error {
            name: "expired_token",
            status: 400,
            code: Some("ExpiredToken".into()),
            retry_after: None,
        })
    }

    /// The bucket is elsewhere: 301, 307 or another status with a `Location` that has this endpoint
    /// (`http://host:port`) before the request's own path and query. The request does not run.
    pub fn redirect(status: u16, endpoint: impl Into<String>) -> Self {
        Self::of(FaultKind::Redirect {
            status,
            endpoint: endpoint.into(),
            region: None,
        })
    }

    /// The answer comes that much later; the request runs then.
    pub fn delay(time: Duration) -> Self {
        Self::of(FaultKind::Delay(time))
    }

    /// The request waits at the gate, and runs when it is open.
    pub fn hold(gate: &Gate) -> Self {
        Self::of(FaultKind::Hold(gate.clone()))
    }

    /// The connection is reset, and the request does not run.
    pub fn reset_before() -> Self {
        Self::of(FaultKind::ResetBefore)
    }

    /// The request runs; the connection is reset instead of an answer.
    pub fn reset_after() -> Self {
        Self::of(FaultKind::ResetAfter)
    }

    /// The request runs; the connection ends after so many bytes of the answer's body (0: after its head). An answer
    /// whose body is not longer is whole.
    pub fn cut(bytes: u64) -> Self {
        Self::of(FaultKind::Cut(bytes))
    }

    /// The request runs; after so many bytes of the answer's body (0: after its head) the rest waits at the gate.
    pub fn stall(bytes: u64, gate: &Gate) -> Self {
        Self::of(FaultKind::Stall(bytes, gate.clone()))
    }

    /// These bytes come instead of an answer, and the connection ends. The request does not run.
    pub fn garbage(bytes: impl Into<Bytes>) -> Self {
        Self::of(FaultKind::Garbage(bytes.into()))
    }

    /// The request runs; the answer's `Date` is this text.
    pub fn wrong_date(date: impl Into<String>) -> Self {
        Self::of(FaultKind::WrongDate(date.into()))
    }

    /// A list of instances is that of before the table's last so many changes: EC2 is eventually consistent. Other
    /// requests are served as they are.
    pub fn stale(changes: usize) -> Self {
        Self::of(FaultKind::Stale(changes))
    }

    /// These instances are left out of a list of instances, though they are there. Other requests are served as they
    /// are.
    pub fn lacking<S: Into<String>>(ids: impl IntoIterator<Item = S>) -> Self {
        Self::of(FaultKind::Lacking(
            ids.into_iter().map(Into::into).collect(),
        ))
    }

    /// Adds `Retry-After` to an error: seconds, or an HTTP date.
    pub fn retry_after(mut self, value: impl Into<String>) -> Self {
        if let FaultKind::Error { retry_after, .. } = &mut self.kind {
            *retry_after = Some(value.into());
        }
        self
    }

    /// Adds `x-amz-bucket-region` to an error or redirect that has it: where the bucket is.
    pub fn region(mut self, name: impl Into<String>) -> Self {
        if let FaultKind::Redirect { region, .. } = &mut self.kind {
            *region = Some(name.into());
        }
        self
    }

    /// Answers before the body of the request has been read. Without it an error that comes instead of an answer
    /// comes after that.
    pub fn early(mut self) -> Self {
        self.early = true;
        self
    }

    /// What it makes of the table of instances.
    pub(crate) fn view(&self) -> TableView {
        let mut view = TableView::default();
        match &self.kind {
            FaultKind::Stale(changes) => view.changes_ago = *changes,
            FaultKind::Lacking(ids) => view.lacking.clone_from(ids),
            _ => {}
        }
        view
    }

    pub(super) fn is_none(&self) -> bool {
        matches!(self.kind, FaultKind::None)
    }

    pub(crate) fn name(&self) -> &'static str {
        match &self.kind {
            FaultKind::None => "none",
            FaultKind::Error { name, .. } => name,
            FaultKind::Redirect { .. } => "redirect",
            FaultKind::Delay(_) => "delay",
            FaultKind::Hold(_) => "hold",
            FaultKind::ResetBefore => "reset_before",
            FaultKind::ResetAfter => "reset_after",
            FaultKind::Cut(_) => "cut",
            FaultKind::Stall(..) => "stall",
            FaultKind::Garbage(_) => "garbage",
            FaultKind::WrongDate(_) => "wrong_date",
            FaultKind::Stale(_) => "stale",
            FaultKind::Lacking(_) => "lacking",
        }
    }
}

/// Where requests and answers wait until a test lets them pass; clones are the same gate.
///
/// It is closed at first. Once open, it stays open.
#[derive(Clone, Debug, Default)]
pub struct Gate(Arc<watch::Sender<GateState>>);

#[derive(Clone, Copy, Debug, Default)]
struct GateState {
    open: bool,
    arrived: usize,
}

impl Gate {
    /// A closed gate.
    pub fn new() -> Self {
        Self::default()
    }

    /// Lets pass what waits and what is to come.
    pub fn open(&self) {
        self.0.send_modify(|state| state.open = true);
    }

    /// Waits until so many requests or answers have come to the gate, counted from its beginning.
    pub async fn arrived(&self, count: usize) {
        let mut seen = self.0.subscribe();
        // The sender is held by this value.
        let _ = seen.wait_for(|state| state.arrived >= count).await;
    }

    pub(super) async fn pass(&self) {
        let mut seen = self.0.subscribe();
        self.0.send_modify(|state| state.arrived += 1);
        let _ = seen.wait_for(|state| state.open).await;
    }
}
