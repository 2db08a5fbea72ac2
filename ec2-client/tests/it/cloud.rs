//! A transport that answers as EC2 does, out of a list that a test changes: no socket, and time is tokio's.

use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_core::transport::{ResponseFuture, Transport};
use ec2_client::{Credentials, Ec2Builder, Ec2Client, PeerEvent};
use pipeline_pool::{Head, Method, Origin, Request, Response};
use tokio::time::Instant;

pub(crate) const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";

/// A request that was made.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) at: Instant,
    pub(crate) form: String,
}

impl Call {
    /// A parameter, decoded as far as these tests need it.
    pub(crate) fn param(&self, name: &str) -> Option<String> {
        let mut pairs = self.form.split('&').filter_map(|pair| pair.split_once('='));
        let (_, value) = pairs.find(|(other, _)| *other == name)?;
        Some(
            value
                .replace("%3A", ":")
                .replace("%5C", "\\")
                .replace("%2A", "*"),
        )
    }
}

/// What is answered: a status and a body, to the form of a request.
type Answer = dyn Fn(&Call) -> (u16, String) + Send + Sync;

#[derive(Clone)]
pub(crate) struct Cloud(Arc<Inner>);

struct Inner {
    answer: Mutex<Arc<Answer>>,
    calls: Mutex<Vec<Call>>,
    /// How long an answer takes.
    latency: Mutex<Duration>,
}

impl Cloud {
    pub(crate) fn new(answer: impl Fn(&Call) -> (u16, String) + Send + Sync + 'static) -> Self {
        Self(Arc::new(Inner {
            answer: Mutex::new(Arc::new(answer)),
            calls: Mutex::default(),
            latency: Mutex::default(),
        }))
    }

    /// One that has these instances, all of them running.
    pub(crate) fn running(ids: &[&str]) -> Self {
        let text = list(&running(ids));
        Self::new(move |_| (200, text.clone()))
    }

    /// Answers otherwise from now on.
    pub(crate) fn set(&self, answer: impl Fn(&Call) -> (u16, String) + Send + Sync + 'static) {
        *self.0.answer.lock().unwrap() = Arc::new(answer);
    }

    pub(crate) fn set_list(&self, rows: &[(&str, &str)]) {
        let text = list(rows);
        self.set(move |_| (200, text.clone()));
    }

    /// Has each answer take so long.
    pub(crate) fn set_latency(&self, latency: Duration) {
        *self.0.latency.lock().unwrap() = latency;
    }

    pub(crate) fn calls(&self) -> Vec<Call> {
        self.0.calls.lock().unwrap().clone()
    }

    pub(crate) fn builder(&self) -> Ec2Builder {
        Ec2Client::builder()
            .endpoint("http://ec2.eu-west-1.amazonaws.com")
            .credentials(Credentials::new("AKID", SECRET))
            .transport(self.clone())
    }

    pub(crate) fn client(&self) -> Ec2Client {
        self.builder().build().unwrap()
    }
}

impl fmt::Debug for Cloud {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cloud").finish_non_exhaustive()
    }
}

impl Transport for Cloud {
    fn send(&self, _: &Origin, request: Request) -> ResponseFuture {
        // Nothing that is signed stands in a URL.
        assert_eq!((request.method(), request.target()), (Method::Post, "/"));
        let form = request.whole_body().unwrap_or_default();
        let call = Call {
            at: Instant::now(),
            form: String::from_utf8(form.to_vec()).unwrap(),
        };
        self.0.calls.lock().unwrap().push(call.clone());
        let answer = self.0.answer.lock().unwrap().clone();
        let (status, body) = answer(&call);
        let response = Response::new(Head::new(status, []), bytes::Bytes::from(body));
        let latency = *self.0.latency.lock().unwrap();
        if latency.is_zero() {
            return ResponseFuture::ready(Ok(response));
        }
        ResponseFuture::new(async move {
            tokio::time::sleep(latency).await;
            Ok(response)
        })
    }
}

pub(crate) fn running<'a>(ids: &[&'a str]) -> Vec<(&'a str, &'static str)> {
    ids.iter().map(|id| (*id, "running")).collect()
}

/// A whole list.
pub(crate) fn list(rows: &[(&str, &str)]) -> String {
    page(rows, "")
}

/// A page with the token of the next, if that is not empty. The address of each ends in the digits of its id.
pub(crate) fn page(rows: &[(&str, &str)], next: &str) -> String {
    let code = |state: &str| match state {
        "pending" => 0,
        "running" => 16,
        "shutting-down" => 32,
        "terminated" => 48,
        "stopping" => 64,
        _ => 80,
    };
    let mut text = "<DescribeInstancesResponse xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15/\"><reservationSet>".to_owned();
    for (id, state) in rows {
        let number: u32 = id.trim_start_matches("i-").parse().unwrap_or(0);
        let address = format!("10.{}.{}.{}", number >> 16, number >> 8 & 255, number & 255);
        text.push_str(&format!(
            "<item><reservationId>r-{id}</reservationId><instancesSet><item><instanceId>{id}</instanceId><instanceState>\
             <code>{}</code><name>{state}</name></instanceState><privateIpAddress>{address}</privateIpAddress>\
             <privateDnsName>ip-{id}.ec2.internal</privateDnsName></item></instancesSet></item>",
            code(state)
        ));
    }
    text.push_str("</reservationSet>");
    if !next.is_empty() {
        text.push_str(&format!("<nextToken>{next}</nextToken>"));
    }
    text + "</DescribeInstancesResponse>"
}

/// An error of EC2.
pub(crate) fn error(code: &str) -> String {
    format!(
        "<Response><Errors><Error><Code>{code}</Code><Message>scripted</Message></Error></Errors>\
         <RequestID>r</RequestID></Response>"
    )
}

/// An event in short.
pub(crate) fn short(event: &PeerEvent) -> String {
    match event {
        PeerEvent::Joined(peer) => format!("+{}", peer.id),
        PeerEvent::Changed(peer) => format!("~{}", peer.id),
        PeerEvent::Left(peer, why) => format!("-{} {why}", peer.id),
        PeerEvent::Skipped { id, .. } => format!("!{id}"),
        PeerEvent::Ready { count } => format!("ready {count}"),
        PeerEvent::Stretched { every } => format!("every {} s", every.as_secs()),
        PeerEvent::Failing(error, _) => format!("failing {}", error.code().unwrap_or("-")),
        other => format!("{other:?}"),
    }
}
