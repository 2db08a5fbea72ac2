//! Clients of what variables and profiles say, and endpoints with a path.

#![allow(
    clippy::unwrap_used,
    reason = "this is test code outside of a test function"
)]

use std::sync::{Arc, Mutex};

use emulator::Emulator;
use sdb_client::shared_config::Variables;
use sdb_client::transport::{Head, Origin, Request, Response, ResponseFuture, Transport};
use sdb_client::{Credentials, Kind, SdbClient};

#[tokio::test]
async fn a_profile_alone_says_everything() {
    let server = Emulator::start().await.unwrap();
    let home = tempfile::tempdir().unwrap();
    let config = format!(
        "[profile work]\nregion = eu-west-1\nendpoint_url = http://127.0.0.1:1\nservices = local\n\
         aws_access_key_id = {}\naws_secret_access_key = {}\n\
         [services local]\nsimpledb =\n  endpoint_url = {}\n",
        server.access_key(),
        server.secret_key(),
        server.url()
    );
    std::fs::create_dir(home.path().join(".aws")).unwrap();
    std::fs::write(home.path().join(".aws/config"), config).unwrap();
    let home = home.path().to_str().unwrap();
    let said = Variables::from_iter([("HOME", home), ("AWS_PROFILE", "work")]);
    let sdb = SdbClient::builder()
        .from_variables(said.clone())
        .build()
        .unwrap();
    let users = sdb.domain("users");
    users.create().await.unwrap();
    users.put("u1").replace("name", "Ann").await.unwrap();
    assert!(!format!("{sdb:?}").contains(server.secret_key()));
    let wrong = said.with("AWS_ENDPOINT_URL_SIMPLEDB", "hidden");
    let error = SdbClient::builder()
        .from_variables(wrong)
        .build()
        .unwrap_err();
    let shown = format!("{error} {error:?}");
    assert_eq!(error.kind(), Kind::Invalid);
    assert!(
        shown.contains("AWS_ENDPOINT_URL_SIMPLEDB") && !shown.contains("hidden"),
        "{shown}"
    );
}

#[cfg(feature = "tls")]
#[test]
fn a_region_alone_gives_amazons_endpoint() {
    let host = |said: &[(&str, &str)]| {
        let said: Variables = said.iter().copied().collect();
        let client = SdbClient::builder().from_variables(said).build().unwrap();
        client.endpoint().origin().to_string()
    };
    let region = ("AWS_REGION", "eu-west-1");
    assert_eq!(host(&[]), "https://sdb.amazonaws.com");
    assert_eq!(host(&[region]), "https://sdb.eu-west-1.amazonaws.com");
    let dual = ("AWS_USE_DUALSTACK_ENDPOINT", "true");
    assert_eq!(host(&[region, dual]), "https://sdb.eu-west-1.api.aws");
    let keys = Credentials::new("id", "secret");
    let builder = SdbClient::builder()
        .credentials(keys)
        .region("us-east-1")
        .fips(true);
    let client = builder.build().unwrap();
    assert_eq!(
        client.endpoint().origin().host(),
        "sdb-fips.us-east-1.amazonaws.com"
    );
    let both = Variables::from_iter([dual, ("AWS_ENDPOINT_URL", "http://h")]);
    let error = SdbClient::builder()
        .from_variables(both)
        .build()
        .unwrap_err();
    assert!(error.to_string().contains("dual stack"), "{error}");
}

/// Refuses everything, and keeps what was asked for.
#[derive(Debug, Default)]
struct Recorder(Mutex<Vec<String>>);

impl Transport for Recorder {
    fn send(&self, server: &Origin, request: Request) -> ResponseFuture {
        let (target, _) = request
            .target()
            .split_once('?')
            .unwrap_or((request.target(), ""));
        self.0.lock().unwrap().push(format!("{server}{target}"));
        ResponseFuture::ready(Ok(Response::new(Head::new(403, []), bytes::Bytes::new())))
    }
}

#[tokio::test]
async fn the_path_of_an_endpoint_stands_in_front() {
    for in_url in [false, true] {
        let recorder = Arc::new(Recorder::default());
        let builder = SdbClient::builder()
            .endpoint("http://h/db/")
            .use_get(in_url);
        let keys = Credentials::new("id", "secret");
        let sdb = builder
            .credentials(keys)
            .transport(recorder.clone())
            .build();
        sdb.unwrap().list_domains().await.unwrap_err();
        assert_eq!(*recorder.0.lock().unwrap(), ["http://h/db/"]);
    }
}
