//! Keys of a container's role.

use aws_core::credentials::{Container, ProvideCredentials};

use crate::server::Server;
use crate::{HIDDEN, Home, now};

const KEYS: &str = r#"{"RoleArn":"arn:aws:iam::1:role/x","AccessKeyId":"ASIA","SecretAccessKey":"hidden",
    "Token":"hidden \u0074oken","Expiration":"2036-01-01T00:00:00Z"}"#;

fn container(vars: Vec<(&'static str, String)>) -> Container {
    Container::from_fn(move |name| {
        let found = vars.iter().find(|(n, _)| *n == name);
        found.map(|(_, value)| value.clone())
    })
}

#[tokio::test]
async fn keys_by_path_and_by_address() {
    let server = Server::start(|_, _| (200, KEYS.into())).await;
    let relative = (
        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
        "/v2/credentials/x?y".to_owned(),
    );
    let ecs = container(vec![relative]).endpoint(&server.url);
    let provided = ecs.provide(now()).await.unwrap();
    let source = provided.source.as_deref();
    assert_eq!(source, Some("the role of this container"));
    assert_eq!(provided.credentials.access_key(), "ASIA");
    assert_eq!(provided.credentials.session_token(), Some("hidden token"));
    assert!(provided.expires.is_some());
    let full = (
        "AWS_CONTAINER_CREDENTIALS_FULL_URI",
        format!("{}/v1/credentials", server.url),
    );
    let token = ("AWS_CONTAINER_AUTHORIZATION_TOKEN", "Basic abc".to_owned());
    container(vec![full.clone(), token.clone()])
        .provide(now())
        .await
        .unwrap();
    // The file wins, and is read anew each time.
    let home = Home::new(&[("token", "first\n")]);
    let path = home.0.join(".aws/token");
    let file = (
        "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
        path.to_str().unwrap().to_owned(),
    );
    let eks = container(vec![full, token, file]);
    eks.provide(now()).await.unwrap();
    std::fs::write(&path, "second").unwrap();
    eks.provide(now()).await.unwrap();
    let asked = server.asked();
    let tokens: Vec<_> = asked
        .iter()
        .map(|asked| asked.field("authorization"))
        .collect();
    assert_eq!(
        tokens,
        [None, Some("Basic abc"), Some("first"), Some("second")]
    );
    assert_eq!(asked[0].line, "GET /v2/credentials/x?y");
    assert_eq!(asked[1].line, "GET /v1/credentials");
}

#[tokio::test]
async fn what_is_wrong_is_said_and_no_secret() {
    let answers = [
        (
            400,
            r#"{"code":"InvalidToken","message":"hidden"}"#,
            "400 \"InvalidToken\"",
        ),
        (403, "hidden", "403"),
        (200, "hidden", "JSON"),
        (200, r#"{"AccessKeyId":"A"}"#, "SecretAccessKey"),
    ];
    for (status, body, said) in answers {
        let server = Server::start(move |_, _| (status, body.into())).await;
        let full = ("AWS_CONTAINER_CREDENTIALS_FULL_URI", server.url.clone());
        let token = ("AWS_CONTAINER_AUTHORIZATION_TOKEN", "hidden".to_owned());
        let error = container(vec![full, token])
            .provide(now())
            .await
            .unwrap_err();
        let shown = format!("{error} {error:?}");
        assert!(!error.is_absent() && shown.contains(said), "{shown}");
        assert!(!shown.contains(HIDDEN), "{shown}");
    }
    let server = Server::start(|_, _| (200, KEYS.into())).await;
    for (name, value, said) in [
        (
            "AWS_CONTAINER_AUTHORIZATION_TOKEN",
            "hidden\r\nx: y",
            "illegal",
        ),
        (
            "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
            "/nowhere/token",
            "/nowhere/token",
        ),
    ] {
        let full = ("AWS_CONTAINER_CREDENTIALS_FULL_URI", server.url.clone());
        let error = container(vec![full, (name, value.to_owned())])
            .provide(now())
            .await;
        let error = error.unwrap_err().to_string();
        assert!(error.contains(said) && !error.contains(HIDDEN), "{error}");
    }
    assert!(server.asked().is_empty());
    assert!(
        container(vec![])
            .provide(now())
            .await
            .unwrap_err()
            .is_absent()
    );
}

#[tokio::test]
async fn a_failure_of_the_service_is_tried_again() {
    let server = Server::start(|_, n| match n {
        0 | 1 => (503, String::new()),
        _ => (200, KEYS.into()),
    })
    .await;
    let full = ("AWS_CONTAINER_CREDENTIALS_FULL_URI", server.url.clone());
    container(vec![full]).provide(now()).await.unwrap();
    assert_eq!(server.lines(), ["GET /"; 3]);
    let down = Server::start(|_, _| (500, String::new())).await;
    let full = ("AWS_CONTAINER_CREDENTIALS_FULL_URI", down.url.clone());
    let error = container(vec![full]).provide(now()).await.unwrap_err();
    assert!(
        !error.is_absent() && error.to_string().contains("500"),
        "{error}"
    );
    assert_eq!(down.lines().len(), 3);
}
