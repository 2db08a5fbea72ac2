//! What else the metadata service tells.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_core::credentials::Metadata;
use aws_core::transport::{ResponseFuture, Transport};
use pipeline_pool::{Origin, Request};

use crate::HIDDEN;
use crate::server::{Asked, Server};

fn at(server: &Server) -> Metadata {
    Metadata::from_fn(|_| None).endpoint(&server.url)
}

fn well(asked: &Asked) -> (u16, String) {
    if asked.line == "PUT /latest/api/token" {
        return (200, "hidden-token".into());
    }
    if asked.field("x-aws-ec2-metadata-token") != Some("hidden-token") {
        return (401, String::new());
    }
    match asked.line.as_str() {
        "GET /latest/meta-data/instance-id" => (200, "i-1".into()),
        "GET /latest/meta-data/security-groups" => (200, "web\nchat".into()),
        "GET /latest/meta-data/broken" => (400, "hidden".into()),
        _ => (404, "<html>hidden</html>".into()),
    }
}

#[tokio::test]
async fn one_token_serves_several_questions() {
    let server = Server::start(|asked, _| well(asked)).await;
    let mut open = at(&server).open().await.unwrap();
    for (name, text) in [
        ("instance-id", Some("i-1")),
        ("security-groups", Some("web\nchat")),
        ("public-ipv4", None),
    ] {
        let got = open.get(&format!("/latest/meta-data/{name}")).await;
        assert_eq!(got.unwrap().as_deref(), text, "{name}");
    }
    let error = open.get("/latest/meta-data/broken").await.unwrap_err();
    let shown = format!("{error} {error:?} {open:?}");
    assert!(shown.contains("400") && !shown.contains(HIDDEN), "{shown}");
    let lines = server.lines();
    let tokens = lines.iter().filter(|line| line.starts_with("PUT"));
    assert_eq!((tokens.count(), lines.len()), (1, 5));
    // Alone, a question brings a token of its own.
    let id = at(&server).get("/latest/meta-data/instance-id").await;
    assert_eq!(id.unwrap().as_deref(), Some("i-1"));
}

#[tokio::test]
async fn a_token_is_renewed_once() {
    let server = Server::start(|asked, n| match n {
        0 => (200, "old".into()),
        _ => well(asked),
    })
    .await;
    let id = at(&server).get("/latest/meta-data/instance-id").await;
    assert_eq!(id.unwrap().as_deref(), Some("i-1"));
    assert_eq!(server.lines().len(), 4);
}

#[tokio::test]
async fn an_absent_service_says_why_it_may_be() {
    let nobody = Metadata::from_fn(|_| None)
        .endpoint("http://127.0.0.1:1")
        .timeout(Duration::from_millis(500));
    let error = nobody.get("/latest/meta-data/instance-id").await;
    let error = error.unwrap_err();
    assert!(
        error.is_absent() && error.to_string().contains("hop limit"),
        "{error}"
    );
}

/// Notes where requests go, and refuses them.
#[derive(Clone, Debug, Default)]
struct Noted(Arc<Mutex<Vec<String>>>);

impl Transport for Noted {
    fn send(&self, origin: &Origin, _: Request) -> ResponseFuture {
        self.0.lock().unwrap().push(origin.to_string());
        let error = pipeline_pool::Error::new(pipeline_pool::Kind::Connect, "noted");
        ResponseFuture::ready(Err(error))
    }
}

#[tokio::test]
async fn the_address_follows_the_variables() {
    const MODE: &str = "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE";
    const ENDPOINT: &str = "AWS_EC2_METADATA_SERVICE_ENDPOINT";
    for (variables, address) in [
        (&[][..], "http://169.254.169.254"),
        (&[(MODE, "IPv4")], "http://169.254.169.254"),
        (&[(MODE, "IPv6")], "http://[fd00:ec2::254]"),
        (&[(MODE, "IPv6"), (ENDPOINT, "http://h:8")], "http://h:8"),
    ] {
        let find = move |name: &str| {
            let found = variables.iter().find(|(other, _)| *other == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        let noted = Noted::default();
        let metadata = Metadata::from_fn(find).transport(noted.clone());
        assert!(metadata.open().await.unwrap_err().is_absent());
        assert_eq!(*noted.0.lock().unwrap(), [address]);
    }
}
