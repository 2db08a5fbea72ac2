//! Keys in exchange for a token of an identity provider.

use std::time::{Duration, UNIX_EPOCH};

use aws_core::credentials::{ProvideCredentials, WebIdentity};
use aws_core::transport::{ResponseFuture, Transport};
use pipeline_pool::{Head, Origin, Request, Response};

use crate::server::Server;
use crate::{HIDDEN, Home, now};

const KEYS: &str = "<AssumeRoleWithWebIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">\
    <AssumeRoleWithWebIdentityResult><SubjectFromWebIdentityToken>x</SubjectFromWebIdentityToken><Credentials>\
    <SessionToken>hidden token</SessionToken><SecretAccessKey>hidden</SecretAccessKey>\
    <Expiration>2014-10-24T23:00:23Z</Expiration><AccessKeyId>ASIA</AccessKeyId></Credentials>\
    <Provider>p</Provider></AssumeRoleWithWebIdentityResult>\
    <ResponseMetadata><RequestId>r</RequestId></ResponseMetadata></AssumeRoleWithWebIdentityResponse>";

fn provider(home: &Home, others: Vec<(&'static str, String)>) -> WebIdentity {
    let file = home.0.join(".aws/token").to_str().unwrap().to_owned();
    WebIdentity::from_fn(move |name| match others.iter().find(|(n, _)| *n == name) {
        Some((_, value)) => Some(value.clone()),
        None => match name {
            "AWS_WEB_IDENTITY_TOKEN_FILE" => Some(file.clone()),
            "AWS_ROLE_ARN" => Some("arn:aws:iam::123456789012:role/web role".into()),
            _ => None,
        },
    })
}

#[tokio::test]
async fn a_token_is_exchanged_without_a_signature() {
    let home = Home::new(&[("token", "hidden.jwt+/=\n")]);
    let server = Server::start(|_, _| (200, KEYS.into())).await;
    let url = ("AWS_ENDPOINT_URL_STS", server.url.clone());
    let named = ("AWS_ROLE_SESSION_NAME", "me@work".to_owned());
    let provided = provider(&home, vec![url.clone(), named])
        .provide(now())
        .await
        .unwrap();
    assert_eq!(provided.credentials.access_key(), "ASIA");
    assert_eq!(provided.credentials.session_token(), Some("hidden token"));
    let expires = UNIX_EPOCH + Duration::from_secs(1_414_191_623);
    assert_eq!(provided.expires, Some(expires));
    provider(&home, vec![url])
        .provide(UNIX_EPOCH + Duration::from_millis(1500))
        .await
        .unwrap();
    let asked = server.asked();
    assert_eq!(asked[0].line, "POST /");
    assert_eq!(asked[0].field("authorization"), None);
    assert_eq!(
        asked[0].field("content-type"),
        Some("application/x-www-form-urlencoded")
    );
    assert_eq!(
        asked[0].body,
        "Action=AssumeRoleWithWebIdentity&Version=2011-06-15\
         &RoleArn=arn%3Aaws%3Aiam%3A%3A123456789012%3Arole%2Fweb%20role\
         &RoleSessionName=me%40work&WebIdentityToken=hidden.jwt%2B%2F%3D"
    );
    assert!(
        asked[1].body.contains("&RoleSessionName=session-1500&"),
        "{}",
        asked[1].body
    );
}

/// Remembers where it was asked.
#[derive(Clone, Debug, Default)]
struct Where(std::sync::Arc<std::sync::Mutex<Vec<String>>>);

impl Transport for Where {
    fn send(&self, origin: &Origin, _: Request) -> ResponseFuture {
        self.0.lock().unwrap().push(origin.to_string());
        ResponseFuture::ready(Ok(Response::new(
            Head::new(200, []),
            bytes::Bytes::from_static(KEYS.as_bytes()),
        )))
    }
}

#[tokio::test]
async fn the_service_of_the_region_is_asked() {
    let home = Home::new(&[("token", "t")]);
    let seen = Where::default();
    for vars in [
        vec![],
        vec![("AWS_DEFAULT_REGION", "eu-west-1".to_owned())],
        vec![
            ("AWS_DEFAULT_REGION", "x".to_owned()),
            ("AWS_REGION", "cn-north-1".to_owned()),
        ],
    ] {
        let provider = provider(&home, vars).transport(seen.clone());
        provider.provide(now()).await.unwrap();
    }
    let expected = [
        "sts.amazonaws.com",
        "sts.eu-west-1.amazonaws.com",
        "sts.cn-north-1.amazonaws.com.cn",
    ];
    assert_eq!(
        *seen.0.lock().unwrap(),
        expected.map(|host| format!("https://{host}"))
    );
    let bad =
        provider(&home, vec![("AWS_REGION", "evil.example/".to_owned())]).transport(seen.clone());
    assert!(
        bad.provide(now())
            .await
            .unwrap_err()
            .to_string()
            .contains("AWS_REGION")
    );
    assert_eq!(seen.0.lock().unwrap().len(), 3);
}

#[tokio::test]
async fn what_is_wrong_is_said_and_no_secret() {
    let home = Home::new(&[("token", "hidden")]);
    let refused = "<ErrorResponse><Error><Code>InvalidIdentityToken</Code><Message>hidden</Message></Error></ErrorResponse>";
    let halves = KEYS.replace("<AccessKeyId>ASIA</AccessKeyId>", "");
    let undated = KEYS.replace("2014-10-24T23:00:23Z", "hidden");
    for (status, body, said) in [
        (400, refused.to_owned(), "400 InvalidIdentityToken"),
        (403, "hidden".to_owned(), "403"),
        (200, "hidden".to_owned(), "XML"),
        (
            200,
            "<Other/>".to_owned(),
            "no AssumeRoleWithWebIdentityResponse",
        ),
        (200, KEYS[..KEYS.len() / 2].to_owned(), "XML"),
        (200, halves, "no AccessKeyId"),
        (200, undated, "Expiration"),
    ] {
        let server = Server::start(move |_, _| (status, body.clone())).await;
        let url = ("AWS_ENDPOINT_URL_STS", server.url.clone());
        let error = provider(&home, vec![url]).provide(now()).await.unwrap_err();
        let shown = format!("{error} {error:?}");
        assert!(!error.is_absent() && shown.contains(said), "{shown}");
        assert!(!shown.contains(HIDDEN), "{shown}");
    }
    let lost = ("AWS_WEB_IDENTITY_TOKEN_FILE", "/nowhere/token".to_owned());
    let error = provider(&home, vec![lost])
        .provide(now())
        .await
        .unwrap_err();
    assert!(
        !error.is_absent() && error.to_string().contains("/nowhere/token"),
        "{error}"
    );
    let roleless = provider(&home, vec![("AWS_ROLE_ARN", String::new())])
        .provide(now())
        .await;
    assert!(
        roleless
            .unwrap_err()
            .to_string()
            .contains("AWS_ROLE_ARN is not")
    );
    let none = WebIdentity::from_fn(|_| None)
        .provide(now())
        .await
        .unwrap_err();
    assert!(none.is_absent(), "{none}");
}

#[tokio::test]
async fn what_passes_is_tried_again() {
    let home = Home::new(&[("token", "t")]);
    let busy = "<ErrorResponse><Error><Code>IDPCommunicationError</Code></Error></ErrorResponse>";
    let server = Server::start(move |_, n| match n {
        0 => (400, busy.into()),
        1 => (500, String::new()),
        _ => (200, KEYS.into()),
    })
    .await;
    let url = ("AWS_ENDPOINT_URL_STS", server.url.clone());
    provider(&home, vec![url]).provide(now()).await.unwrap();
    assert_eq!(server.lines().len(), 3);
}
