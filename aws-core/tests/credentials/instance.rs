//! Keys of an instance's role.

use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use aws_core::credentials::{Cached, Instance, ProvideCredentials};
use aws_core::transport::{ResponseFuture, Transport};

use crate::server::{Asked, Server};
use crate::{HIDDEN, Outcome, now};

const ROLES: &str = "GET /latest/meta-data/iam/security-credentials/";
const KEYS: &str = r#"{"Code":"Success","LastUpdated":"2026-01-01T00:00:00Z","Type":"AWS-HMAC","AccessKeyId":"ASIA",
    "SecretAccessKey":"hidden secret","Token":"hidden token","Expiration":"2036-01-01T00:00:00Z"}"#;

fn at(server: &Server) -> Instance {
    Instance::from_fn(|_| None).endpoint(&server.url)
}

/// What an instance with the role `web` answers, if the right token comes with the question.
fn well(asked: &Asked, token: &str) -> (u16, String) {
    if asked.line == "PUT /latest/api/token" {
        let ttl = asked.field("x-aws-ec2-metadata-token-ttl-seconds");
        return (if ttl == Some("21600") { 200 } else { 400 }, token.into());
    }
    if asked.field("x-aws-ec2-metadata-token") != Some(token) {
        return (401, String::new());
    }
    match asked.line.strip_prefix(ROLES) {
        Some("") => (200, "web role\n".into()),
        Some("web%20role") => (200, KEYS.into()),
        _ => (404, String::new()),
    }
}

#[tokio::test]
async fn keys_of_the_role() {
    let server = Server::start(|asked, _| well(asked, "tok")).await;
    let provided = at(&server).provide(now()).await.unwrap();
    let source = provided.source.as_deref();
    assert_eq!(source, Some("the role of this instance"));
    assert_eq!(provided.credentials.access_key(), "ASIA");
    assert_eq!(provided.credentials.secret_key(), "hidden secret");
    assert_eq!(provided.credentials.session_token(), Some("hidden token"));
    let expires = UNIX_EPOCH + Duration::from_secs(2_082_758_400);
    assert_eq!(provided.expires, Some(expires));
    let role = format!("{ROLES}web%20role");
    assert_eq!(server.lines(), ["PUT /latest/api/token", ROLES, &role]);
}

#[tokio::test]
async fn a_token_that_ran_out_is_fetched_again() {
    let server = Server::start(|asked, n| match n {
        0 => (200, "old".into()),
        _ => well(asked, "new"),
    })
    .await;
    let provided = at(&server).provide(now()).await.unwrap();
    assert_eq!(provided.credentials.access_key(), "ASIA");
    assert_eq!(
        server.lines()[..3],
        ["PUT /latest/api/token", ROLES, "PUT /latest/api/token"]
    );
    let hostile = Server::start(|asked, _| match asked.line.starts_with("PUT") {
        true => (200, "tok".into()),
        false => (401, String::new()),
    })
    .await;
    let error = at(&hostile).provide(now()).await.unwrap_err();
    assert!(
        !error.is_absent() && error.to_string().contains("its own token"),
        "{error}"
    );
    assert_eq!(hostile.lines().len(), 4);
}

#[tokio::test]
async fn keys_are_used_beyond_their_time_while_no_others_come() {
    let at = |seconds| UNIX_EPOCH + Duration::from_secs(seconds);
    let (before, after) = (at(2_082_758_399), at(2_082_758_400));
    for away in [0, 500, 400] {
        let server = Server::start(move |asked, n| match n {
            0..3 => well(asked, "tok"),
            3..9 if away != 0 => (away, String::new()),
            _ if asked.line.starts_with("PUT") => (403, String::new()),
            _ => well(asked, "tok"),
        })
        .await;
        let instance = Arc::new(Instance::from_fn(|_| None).endpoint(&server.url));
        let cached = Cached::new(instance.clone());
        cached.provide(before).await.unwrap();
        if away == 0 {
            // It is turned off, and says so.
            let error = cached.provide(after).await.unwrap_err();
            assert!(error.to_string().contains("403"), "{error}");
            continue;
        }
        let kept = cached.provide(after).await.unwrap();
        assert_eq!(kept.credentials.access_key(), "ASIA", "{away}");
        assert_eq!(kept.expires, Some(after + Duration::from_secs(600)));
        // Who refuses them is believed.
        assert!(cached.forget(&kept.credentials, after));
        assert!(cached.provide(after).await.is_err());
    }
    // A service that goes on giving the same.
    let same = Server::start(|asked, _| well(asked, "tok")).await;
    let cached = Cached::new(Instance::from_fn(|_| None).endpoint(&same.url));
    let kept = cached.provide(after).await.unwrap();
    assert_eq!(kept.expires, Some(after + Duration::from_secs(600)));
}

#[tokio::test]
async fn settings_of_the_service_are_heeded_or_named() {
    for (name, value) in [
        ("AWS_EC2_METADATA_DISABLED", "yes"),
        ("AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE", "IPv5"),
    ] {
        let vars = move |asked: &str| (asked == name).then(|| value.to_owned());
        let error = Instance::from_fn(vars).provide(now()).await.unwrap_err();
        assert!(
            !error.is_absent() && error.to_string().contains(name),
            "{error}"
        );
    }
}

async fn outcome(
    answer: impl Fn(&Asked, usize) -> (u16, String) + Send + Sync + 'static,
) -> Outcome {
    let server = Server::start(answer).await;
    at(&server).provide(now()).await
}

#[tokio::test]
async fn no_role_and_no_service_are_no_faults() {
    for status in [403, 404] {
        let error = outcome(move |asked, _| match asked.line.starts_with("PUT") {
            true => (if status == 403 { 403 } else { 200 }, "tok".into()),
            false => (404, String::new()),
        });
        let error = error.await.unwrap_err();
        assert!(error.is_absent(), "{error}");
    }
    let empty = outcome(|_, n| (200, if n == 0 { "tok".into() } else { String::new() }));
    assert!(empty.await.unwrap_err().is_absent());
    // Nobody listens there.
    let nobody = Instance::from_fn(|_| None).endpoint("http://127.0.0.1:1");
    let error = nobody.provide(now()).await.unwrap_err();
    assert!(error.is_absent(), "{error}");
    let off = |name: &str| (name == "AWS_EC2_METADATA_DISABLED").then(|| "TRUE".to_owned());
    let off = Instance::from_fn(off).endpoint("http://127.0.0.1:1");
    let error = off.provide(now()).await.unwrap_err().to_string();
    assert!(error.contains("AWS_EC2_METADATA_DISABLED"), "{error}");
}

/// Never answers.
#[derive(Debug)]
struct Void;

impl Transport for Void {
    fn send(&self, _: &pipeline_pool::Origin, _: pipeline_pool::Request) -> ResponseFuture {
        ResponseFuture::new(std::future::pending())
    }
}

#[tokio::test(start_paused = true)]
async fn a_service_that_does_not_answer_is_waited_for_once() {
    let start = tokio::time::Instant::now();
    let error = Instance::from_fn(|_| None)
        .transport(Void)
        .provide(now())
        .await;
    assert!(error.unwrap_err().is_absent());
    assert_eq!(start.elapsed(), Duration::from_secs(1));
    let patient = Instance::from_fn(|_| None)
        .transport(Void)
        .timeout(Duration::from_secs(9));
    assert!(patient.provide(now()).await.is_err());
    assert_eq!(start.elapsed(), Duration::from_secs(10));
}

#[tokio::test]
async fn what_is_wrong_is_said_and_no_secret() {
    let with = |keys: &'static str| {
        outcome(move |_, n| match n {
            0 => (200, "tok".into()),
            1 => (200, "role".into()),
            _ => (200, keys.into()),
        })
    };
    for (keys, said) in [
        ("<html>hidden</html>", "no JSON"),
        (
            r#"{"Code":"AssumeRoleUnauthorizedAccess","Message":"hidden"}"#,
            "AssumeRoleUnauthorizedAccess",
        ),
        (
            r#"{"Code":"Success","SecretAccessKey":"hidden"}"#,
            "AccessKeyId",
        ),
        (
            r#"{"Code":"Success","AccessKeyId":"A","SecretAccessKey":""}"#,
            "SecretAccessKey",
        ),
        (
            r#"{"AccessKeyId":"A","SecretAccessKey":"hidden","Expiration":"hidden"}"#,
            "Expiration",
        ),
    ] {
        let error = with(keys).await.unwrap_err();
        let shown = format!("{error} {error:?}");
        assert!(!error.is_absent() && shown.contains(said), "{shown}");
        assert!(!shown.contains(HIDDEN), "{shown}");
    }
    let old = outcome(|_, _| (405, String::new())).await.unwrap_err();
    assert!(old.to_string().contains("version 2"), "{old}");
    let odd = outcome(|_, _| (200, "hidden\r\nx: y".into()))
        .await
        .unwrap_err();
    assert!(
        odd.to_string().contains("no token") && !odd.to_string().contains(HIDDEN),
        "{odd}"
    );
    let bad = Instance::from_fn(|_| None)
        .endpoint("ftp://x")
        .provide(now())
        .await;
    assert!(!bad.unwrap_err().is_absent());
}

#[tokio::test]
async fn a_failure_of_the_service_is_tried_again() {
    let server = Server::start(|asked, n| match n {
        0 | 2 => (500, String::new()),
        _ => well(asked, "tok"),
    })
    .await;
    assert!(at(&server).provide(now()).await.is_ok());
    assert_eq!(server.lines().len(), 5);
}
