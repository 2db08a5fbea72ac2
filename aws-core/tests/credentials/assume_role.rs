//! Keys of roles, and those that another program prints.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_core::Credentials;
use aws_core::credentials::{AssumeRole, Cached, Profile, ProvideCredentials, ProvideFuture};

use crate::server::{Asked, Server};
use crate::{HIDDEN, Home, now};

/// The answer of the service: keys that are named after the role.
fn keys(asked: &Asked) -> String {
    let role = asked.body.split("role%2F").nth(1).unwrap();
    let role = role.split('&').next().unwrap();
    format!(
        "<AssumeRoleResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><AssumeRoleResult><AssumedRoleUser>\
         <Arn>a</Arn></AssumedRoleUser><Credentials><AccessKeyId>ASIA{role}</AccessKeyId><SecretAccessKey>hidden\
         </SecretAccessKey><SessionToken>hidden-{role}</SessionToken><Expiration>2014-10-24T23:00:23Z</Expiration>\
         </Credentials></AssumeRoleResult></AssumeRoleResponse>"
    )
}

async fn sts() -> Server {
    Server::start(|asked, _| (200, keys(asked))).await
}

/// The default profile of a home with these files, whose roles this server gives.
fn profile(home: &Home, server: &Server, vars: &'static [(&'static str, &'static str)]) -> Profile {
    let (home, url) = (home.0.to_str().unwrap().to_owned(), server.url.clone());
    Profile::from_fn(move |name| match name {
        "HOME" => Some(home.clone()),
        "AWS_ENDPOINT_URL_STS" => Some(url.clone()),
        _ => vars
            .iter()
            .find(|(n, _)| *n == name)
            .map(|(_, value)| (*value).to_owned()),
    })
}

/// The profile of this text is at fault, and the error says so without a secret.
async fn refuses(profile: &Profile, said: &str, text: &str) {
    let error = profile.provide(now()).await.unwrap_err();
    let shown = format!("{error} {error:?}");
    assert!(
        !error.is_absent() && shown.contains(said),
        "{text}: {shown}"
    );
    assert!(!shown.contains(HIDDEN), "{shown}");
}

#[tokio::test]
async fn a_role_is_taken_with_signed_requests() {
    let server = sts().await;
    let url = server.url.clone();
    let keys = Credentials::new("AKID", "hidden").with_token("hidden-token");
    let role = AssumeRole::new(keys, "arn:aws:iam::1:role/R")
        .lookup(move |name| (name == "AWS_ENDPOINT_URL_STS").then(|| url.clone()))
        .session("me@work")
        .external_id("a b")
        .duration(Duration::from_secs(900))
        .region("eu-west-1");
    let at = UNIX_EPOCH + Duration::from_secs(1_369_353_600);
    let provided = role.provide(at).await.unwrap();
    assert_eq!(provided.credentials.access_key(), "ASIAR");
    assert_eq!(provided.credentials.session_token(), Some("hidden-R"));
    let expires = UNIX_EPOCH + Duration::from_secs(1_414_191_623);
    assert_eq!(provided.expires, Some(expires));
    let asked = &server.asked()[0];
    assert_eq!(asked.line, "POST /");
    assert_eq!(
        asked.body,
        "Action=AssumeRole&Version=2011-06-15&RoleArn=arn%3Aaws%3Aiam%3A%3A1%3Arole%2FR&RoleSessionName=me%40work\
         &ExternalId=a%20b&DurationSeconds=900"
    );
    let authorization = asked.field("authorization").unwrap();
    let scope = "AWS4-HMAC-SHA256 Credential=AKID/20130524/eu-west-1/sts/aws4_request, \
                 SignedHeaders=content-type;host;x-amz-date;x-amz-security-token, Signature=";
    assert!(authorization.starts_with(scope), "{authorization}");
    assert_eq!(asked.field("x-amz-date"), Some("20130524T000000Z"));
    assert_eq!(asked.field("x-amz-security-token"), Some("hidden-token"));
    assert!(!format!("{role:?}").contains(HIDDEN));
    // A signer that is not ours agrees.
    let host = server.url.strip_prefix("http://").unwrap();
    assert_eq!(
        &authorization[scope.len()..],
        oracle(host, &asked.body),
        "{authorization}"
    );
    let long = role.duration(Duration::from_secs(43_201));
    let error = long.provide(at).await.unwrap_err().to_string();
    assert!(error.contains("43201"), "{error}");
}

/// The signature that the crate `aws-sigv4` makes of that request.
fn oracle(host: &str, body: &str) -> String {
    use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
    use aws_sigv4::sign::v4::SigningParams;
    let identity = aws_credential_types::Credentials::new(
        "AKID",
        "hidden",
        Some("hidden-token".to_owned()),
        None,
        "test",
    )
    .into();
    let params = SigningParams::builder()
        .identity(&identity)
        .region("eu-west-1")
        .name("sts")
        .time(UNIX_EPOCH + Duration::from_secs(1_369_353_600))
        .settings(SigningSettings::default())
        .build()
        .unwrap()
        .into();
    let url = format!("http://{host}/");
    let headers = [
        ("content-type", "application/x-www-form-urlencoded"),
        ("host", host),
    ];
    let body = SignableBody::Bytes(body.as_bytes());
    let request = SignableRequest::new("POST", &url, headers.into_iter(), body).unwrap();
    sign(request, &params).unwrap().signature().to_owned()
}

#[tokio::test]
async fn profiles_lead_to_roles() {
    let credentials = "[base]\naws_access_key_id = B\naws_secret_access_key = hidden\n\
        [self]\naws_access_key_id = S\naws_secret_access_key = hidden\n";
    let config = "[profile self]\nrole_arn = arn:aws:iam::1:role/Self\nsource_profile = self\n\
        [profile one]\nrole_arn = arn:aws:iam::1:role/One\nsource_profile = base\nregion = us-west-2\n\
        role_session_name = named\nexternal_id = x\nduration_seconds = 1800\n\
        [profile two]\nrole_arn = arn:aws:iam::1:role/Two\nsource_profile = one\n\
        [profile both]\nrole_arn = arn:aws:iam::1:role/Not\nsource_profile = base\n\
        aws_access_key_id = K\naws_secret_access_key = hidden\n\
        [profile over]\nrole_arn = arn:aws:iam::1:role/Over\nsource_profile = both\n\
        [profile env]\nrole_arn = arn:aws:iam::1:role/Env\ncredential_source = Environment\n";
    let home = Home::new(&[("credentials", credentials), ("config", config)]);
    for (name, taken) in [
        ("base", &[][..]),
        ("self", &[("S", "Self")]),
        ("one", &[("B", "One")]),
        ("two", &[("B", "One"), ("ASIAOne", "Two")]),
        ("over", &[("K", "Over")]),
        ("env", &[("E", "Env")]),
    ] {
        let server = sts().await;
        let vars = &[
            ("AWS_ACCESS_KEY_ID", "E"),
            ("AWS_SECRET_ACCESS_KEY", "hidden"),
        ];
        let provider = profile(&home, &server, vars).named(name);
        let provided = provider.provide(now()).await.unwrap();
        let last = taken
            .last()
            .map_or("B".to_owned(), |(_, role)| format!("ASIA{role}"));
        assert_eq!(provided.credentials.access_key(), last);
        assert_eq!(provided.expires.is_some(), !taken.is_empty());
        let source = match taken.last() {
            Some((_, role)) => format!("the role arn:aws:iam::1:role/{role} of the profile {name}"),
            None => format!("the profile {name}"),
        };
        assert_eq!(provided.source.as_deref(), Some(&*source));
        let asked = server.asked();
        assert_eq!(asked.len(), taken.len());
        for (asked, (key, role)) in asked.iter().zip(taken) {
            let region = if *role == "One" {
                "us-west-2"
            } else {
                "us-east-1"
            };
            let authorization = asked.field("authorization").unwrap();
            let day = &asked.field("x-amz-date").unwrap()[..8];
            let scope = format!("Credential={key}/{day}/{region}/sts/");
            assert!(authorization.contains(&scope), "{authorization}");
            let role = format!("role%2F{role}&");
            assert!(asked.body.contains(&role), "{}", asked.body);
        }
        if name == "one" {
            let end = "&RoleSessionName=named&ExternalId=x&DurationSeconds=1800";
            assert!(asked[0].body.ends_with(end), "{}", asked[0].body);
        }
    }
}

#[tokio::test]
async fn a_profile_can_have_a_token() {
    let config =
        "[default]\nrole_arn = arn:aws:iam::1:role/Web\nweb_identity_token_file = ~/.aws/token\n";
    let home = Home::new(&[("token", "hidden-jwt\n")]);
    let config = config.replace('~', home.0.to_str().unwrap());
    std::fs::write(home.0.join(".aws/config"), config).unwrap();
    let server = Server::start(|asked, _| {
        let action = |text: String| text.replace("AssumeRole", "AssumeRoleWithWebIdentity");
        (200, action(keys(asked)))
    })
    .await;
    let provided = profile(&home, &server, &[]).provide(now()).await.unwrap();
    assert_eq!(provided.credentials.access_key(), "ASIAWeb");
    let asked = &server.asked()[0];
    assert_eq!(asked.field("authorization"), None);
    assert!(asked.body.ends_with("&WebIdentityToken=hidden-jwt"));
}

#[tokio::test]
async fn what_is_wrong_with_a_role_is_said() {
    let keys = "aws_access_key_id = K\naws_secret_access_key = hidden\n";
    for (text, said) in [
        ("role_arn = r\n", "neither source_profile"),
        (
            "role_arn = r\nsource_profile = k\ncredential_source = Environment\n",
            "both source_profile and credential_source",
        ),
        ("role_arn = r\nsource_profile = none\n", "no profile none"),
        ("role_arn = r\nsource_profile = a\n", "source of itself"),
        (
            "role_arn = r\nsource_profile = bare\n",
            "no aws_access_key_id",
        ),
        (
            "role_arn = r\nsource_profile = default\n",
            "no aws_access_key_id",
        ),
        (
            "role_arn = r\ncredential_source = Elsewhere\n",
            "neither Environment",
        ),
        (
            "role_arn = r\ncredential_source = Environment\n",
            "no keys to take a role with",
        ),
        (
            "role_arn = r\nsource_profile = k\nmfa_serial = m\n",
            "code of a device",
        ),
        (
            "role_arn = r\nsource_profile = k\nduration_seconds = x\n",
            "duration_seconds",
        ),
        (
            "role_arn = r\nsource_profile = k\nduration_seconds = 899\n",
            "899",
        ),
        (
            "role_arn = r\nsource_profile = k\nregion = evil.example/\n",
            "the region",
        ),
        (
            "role_arn = role/r\nsource_profile = k\n",
            "403 AccessDenied",
        ),
    ] {
        let circle = "role_arn = r\nsource_profile = default\n";
        let text = format!("[default]\n{text}[k]\n{keys}[a]\n{circle}[bare]\nregion = x\n");
        let home = Home::new(&[("credentials", &text)]);
        let refused = "<ErrorResponse><Error><Code>AccessDenied</Code><Message>hidden</Message></Error></ErrorResponse>";
        let server = Server::start(move |_, _| (403, refused.to_owned())).await;
        refuses(&profile(&home, &server, &[]), said, &text).await;
    }
    // What is asked for and not done here is a fault: others in a chain have keys of somebody else.
    let home = Home::new(&[("config", "[default]\nsso_session = s\n")]);
    let server = sts().await;
    let error = profile(&home, &server, &[])
        .provide(now())
        .await
        .unwrap_err();
    assert!(
        !error.is_absent() && error.to_string().contains("single sign-on"),
        "{error}"
    );
}

#[tokio::test]
async fn keys_that_are_refused_are_fetched_anew() {
    let server = sts().await;
    let url = server.url.clone();
    let role = AssumeRole::new(Credentials::new("A", "hidden"), "role/R");
    let role = role.lookup(move |name| (name == "AWS_ENDPOINT_URL_STS").then(|| url.clone()));
    let cached = Cached::new(role);
    let at = UNIX_EPOCH;
    let first = cached.provide(at).await.unwrap();
    assert!(cached.ready(at).is_some());
    assert!(cached.forget(&first.credentials, at));
    assert!(cached.ready(at).is_none());
    cached.provide(at).await.unwrap();
    assert_eq!(server.lines().len(), 2);
}

/// Keys at hand, and how often they were refused.
#[derive(Debug, Default)]
struct Refused(AtomicUsize);

impl ProvideCredentials for Refused {
    fn provide(&self, _: SystemTime) -> ProvideFuture<'_> {
        Box::pin(std::future::ready(Ok(Credentials::new("A", HIDDEN).into())))
    }

    fn ready(&self, _: SystemTime) -> Option<Credentials> {
        Some(Credentials::new("A", HIDDEN))
    }

    fn forget(&self, _: &Credentials, _: SystemTime) -> bool {
        self.0.fetch_add(1, Ordering::Relaxed) > 0
    }
}

#[test]
fn roles_and_profiles_have_other_keys_when_some_were_refused() {
    let keys = Credentials::new("A", HIDDEN);
    let source = Arc::new(Refused::default());
    assert_eq!(source.ready(now()), Some(keys.clone()));
    // What the source says of its own does not matter: those of the role are others.
    let role = AssumeRole::new(source.clone(), "role/R");
    assert!(role.forget(&keys, now()));
    assert_eq!(source.0.load(Ordering::Relaxed), 1);
    assert!(source.forget(&keys, now()));
    assert!(Profile::from_fn(|_| None).forget(&keys, now()));
    // Keys that are fixed stay what they are.
    assert!(!keys.forget(&keys, now()));
}

#[test]
fn debug_of_a_role_tells_the_time_limit_and_no_secret() {
    let role = AssumeRole::new(Credentials::new("A", HIDDEN), "role/R");
    let shown = format!("{:?}", role.timeout(Duration::from_millis(1234)));
    assert!(
        shown.contains("1.234s") && !shown.contains(HIDDEN),
        "{shown}"
    );
}

#[cfg(unix)]
#[tokio::test]
async fn another_program_prints_keys() {
    let server = sts().await;
    let text = r#"{"Version": 1, "AccessKeyId": "P", "SecretAccessKey": "hidden",
        "SessionToken": "hidden-token", "Expiration": "2014-10-24T23:00:23Z"}"#;
    let home = Home::new(&[("printed", text)]);
    let path = home.0.to_str().unwrap().to_owned();
    let write = |line: &str| {
        let config = format!("[default]\ncredential_process = {line}\n");
        std::fs::write(home.0.join(".aws/config"), config).unwrap();
    };
    write(&format!("cat \"{path}/.aws/printed\""));
    let provided = profile(&home, &server, &[]).provide(now()).await.unwrap();
    assert_eq!(provided.credentials.access_key(), "P");
    assert_eq!(provided.credentials.session_token(), Some("hidden-token"));
    let expires = UNIX_EPOCH + Duration::from_secs(1_414_191_623);
    assert_eq!(provided.expires, Some(expires));
    for (line, said) in [
        (format!("cat {path}/hidden"), "has failed"),
        ("echo hidden".to_owned(), "no JSON object"),
        ("echo {}".to_owned(), "no AccessKeyId"),
        ("/nowhere/hidden".to_owned(), "cannot be run"),
        ("cat 'hidden".to_owned(), "open quote"),
        // No shell is asked.
        ("echo $HOME; echo hidden".to_owned(), "no JSON object"),
        ("head -c 300000 /dev/zero".to_owned(), "prints too much"),
        ("echo {\\\"Version\\\": 2}".to_owned(), "Version"),
        (
            "echo '{\"AccessKeyId\": \"P\", \"SecretAccessKey\": \"hidden\", \"Expiration\": 1414191623}'".to_owned(),
            "Expiration",
        ),
    ] {
        write(&line);
        refuses(&profile(&home, &server, &[]), said, &line).await;
    }
}
