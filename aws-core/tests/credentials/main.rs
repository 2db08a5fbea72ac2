//! Providers of keys, over files and variables of the tests' own.

#![allow(
    clippy::unwrap_used,
    reason = "this is test code outside of a test function"
)]

mod assume_role;
mod cached;
mod container;
mod instance;
mod metadata;
#[cfg(feature = "aws-credential-types")]
mod sdk;
mod server;
mod web_identity;

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::SystemTime;

use aws_core::Credentials;
use aws_core::credentials::{
    Cached, Chain, CredentialsError, Environment, Profile, ProvideCredentials, Provided,
};

/// What is in all secrets of these tests, and in nothing that is shown.
const HIDDEN: &str = "hidden";

type Outcome = Result<Provided, CredentialsError>;

fn now() -> SystemTime {
    SystemTime::now()
}

/// A home with these files under `.aws`, gone when dropped.
struct Home(PathBuf);

impl Home {
    fn new(files: &[(&str, &str)]) -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let name = format!(
            "aws-core-{}-{}",
            std::process::id(),
            COUNT.fetch_add(1, Ordering::Relaxed)
        );
        let home = std::env::temp_dir().join(name);
        std::fs::create_dir_all(home.join(".aws")).unwrap();
        for (file, text) in files {
            std::fs::write(home.join(".aws").join(file), text).unwrap();
        }
        Self(home)
    }

    fn profile(&self, vars: &'static [(&'static str, &'static str)]) -> Profile {
        let home = self.0.to_str().unwrap().to_owned();
        Profile::from_fn(move |name| match name {
            "HOME" => Some(home.clone()),
            _ => vars
                .iter()
                .find(|(n, _)| *n == name)
                .map(|(_, v)| v.replace("~", &home)),
        })
    }
}

impl Home {
    /// As [`profile`](Self::profile), with `~` left to be read as it is.
    fn literal(&self, vars: &'static [(&'static str, &'static str)]) -> Profile {
        let home = self.0.to_str().unwrap().to_owned();
        Profile::from_fn(move |name| {
            let named = |(n, _): &&(&str, &str)| *n == name;
            let var = vars.iter().find(named).map(|(_, v)| (*v).to_owned());
            var.or_else(|| (name == "HOME").then(|| home.clone()))
        })
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        let _gone = std::fs::remove_dir_all(&self.0);
    }
}

async fn access_key(provider: impl ProvideCredentials) -> Result<String, CredentialsError> {
    let provided = provider.provide(SystemTime::now()).await?;
    Ok(provided.credentials.access_key().to_owned())
}

/// Where a provider says that its keys come from.
async fn source(provider: impl ProvideCredentials) -> String {
    let provided = provider.provide(now()).await.unwrap();
    provided.source.unwrap().to_string()
}

const CREDENTIALS: &str = "[default]\naws_access_key_id = D\naws_secret_access_key = hiddenD\n\
    [work]\naws_access_key_id = W\naws_secret_access_key = hiddenW\naws_session_token = hiddenT\n";

#[tokio::test]
async fn profiles_are_found() {
    let config = "[profile dev]\naws_access_key_id=V\naws_secret_access_key=hiddenV\nregion=x\n";
    let home = Home::new(&[("credentials", CREDENTIALS), ("config", config)]);
    assert_eq!(access_key(home.profile(&[])).await.unwrap(), "D");
    assert_eq!(
        access_key(home.profile(&[("AWS_PROFILE", "dev")]))
            .await
            .unwrap(),
        "V"
    );
    assert_eq!(
        access_key(home.profile(&[("AWS_PROFILE", "dev")]).named("work"))
            .await
            .unwrap(),
        "W"
    );
    let work = home
        .profile(&[("AWS_PROFILE", "work")])
        .provide(SystemTime::now())
        .await
        .unwrap();
    assert_eq!(work.credentials.session_token(), Some("hiddenT"));
    let elsewhere = [
        ("AWS_SHARED_CREDENTIALS_FILE", "~/.aws/config"),
        ("AWS_PROFILE", "dev"),
    ];
    let elsewhere = Box::leak(Box::new(elsewhere));
    assert_eq!(access_key(home.profile(elsewhere)).await.unwrap(), "V");
}

#[tokio::test]
async fn files_are_written_in_many_ways() {
    const INDENTED: &str = "[default]\n  aws_access_key_id = D\n  aws_secret_access_key = hidden\n\
        [profile 'Foo Bar']\naws_access_key_id = F\naws_secret_access_key = hidden\n\
        aws_security_token = hiddenT\n\
        [profile \"b\"]\naws_access_key_id = B\naws_secret_access_key = hidden\n";
    let home = Home::new(&[("config", INDENTED), ("other", CREDENTIALS)]);
    for (vars, key) in [
        (&[][..], "D"),
        (&[("AWS_PROFILE", "Foo Bar")], "F"),
        (&[("AWS_DEFAULT_PROFILE", "Foo Bar")], "F"),
        (&[("AWS_PROFILE", "b"), ("AWS_DEFAULT_PROFILE", "b")], "B"),
        (
            &[("AWS_CONFIG_FILE", "~/.aws/other"), ("AWS_PROFILE", "work")],
            "W",
        ),
        (
            &[
                ("AWS_SHARED_CREDENTIALS_FILE", "$HOME/.aws/other"),
                ("AWS_PROFILE", "work"),
            ],
            "W",
        ),
        (
            &[
                ("AWS_CONFIG_FILE", "${HOME}/.aws/o${X}r"),
                ("X", "the"),
                ("AWS_PROFILE", "work"),
            ],
            "W",
        ),
    ] {
        assert_eq!(
            access_key(home.literal(vars)).await.unwrap(),
            key,
            "{vars:?}"
        );
    }
    let foo = home.literal(&[("AWS_PROFILE", "Foo Bar")]);
    let foo = foo.provide(now()).await.unwrap();
    assert_eq!(foo.credentials.session_token(), Some("hiddenT"));
}

/// Each of these was asked for, so that other keys would surprise.
#[tokio::test]
async fn no_setting_is_passed_over() {
    const KEYS: &str = "aws_access_key_id = D\naws_secret_access_key = hidden\n";
    for (config, vars, named) in [
        (
            "",
            &[("AWS_CONFIG_FILE", "/no/such/file")][..],
            "AWS_CONFIG_FILE",
        ),
        (
            "",
            &[("AWS_SHARED_CREDENTIALS_FILE", "~/no")],
            "AWS_SHARED_CREDENTIALS_FILE",
        ),
        ("", &[("AWS_CONFIG_FILE", "~root/x")], "AWS_CONFIG_FILE"),
        (
            KEYS,
            &[("AWS_PROFILE", "default"), ("AWS_DEFAULT_PROFILE", "other")],
            "AWS_DEFAULT_PROFILE",
        ),
        ("region = x\n  role_arn = r\n", &[], "line 3"),
        ("sso_session = s\n", &[], "sso_session"),
        // The cure is said, too.
        ("sso_session = s\n", &[], "aws-credential-types"),
        ("sso_start_url = https://x\n", &[], "sso_start_url"),
        ("login_session = s\n", &[], "login_session"),
        ("aws_session_token = hidden\n", &[], "line 2"),
        ("aws_security_token = hidden\n", &[], "line 2"),
        ("source_profile = x\n", &[], "source_profile"),
        (
            "credential_source = Environment\n",
            &[],
            "credential_source",
        ),
        (
            "web_identity_token_file = /x\n",
            &[],
            "web_identity_token_file",
        ),
        (
            "role_arn = r\nsource_profile = x\nweb_identity_token_file = /x\n",
            &[],
            "web_identity_token_file",
        ),
        (
            "aws_access_key_id = D\naws_secret_access_key = hidden\ncredential_process = /x\n",
            &[],
            "credential_process",
        ),
        (
            "aws_access_key_id = D\naws_secret_access_key = hidden\nsso_session = s\n",
            &[],
            "sso_session",
        ),
        (
            "aws_access_key_id = D\naws_secret_access_key = hidden\n\
             aws_session_token = hidden1\naws_security_token = hidden2\n",
            &[],
            "aws_security_token",
        ),
    ] {
        let config = format!("[default]\n{config}");
        let home = Home::new(&[("config", &config)]);
        let chain = Chain::new()
            .or(home.literal(vars))
            .or(Credentials::new("other", "hidden"));
        let error = access_key(chain).await.unwrap_err();
        let shown = format!("{error} {error:?}");
        assert!(
            !error.is_absent() && shown.contains(named),
            "{config} {vars:?}: {shown}"
        );
        assert!(!shown.contains("hidden"), "{shown}");
    }
    for name in [
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "AMAZON_SECRET_ACCESS_KEY",
    ] {
        let lone = Environment::from_fn(move |asked| (asked == name).then(|| "hidden".to_owned()));
        let chain = Chain::new()
            .or(lone)
            .or(Credentials::new("other", "hidden"));
        let error = access_key(chain).await.unwrap_err();
        assert!(error.to_string().starts_with(name), "{error}");
    }
}

#[tokio::test]
async fn keys_say_where_they_come_from() {
    let home = Home::new(&[("credentials", CREDENTIALS)]);
    assert_eq!(source(home.profile(&[])).await, "the profile default");
    let work = home.profile(&[("AWS_PROFILE", "work")]);
    assert_eq!(source(work.clone()).await, "the profile work");
    let nobody = Environment::from_fn(|_| None);
    let chain = Cached::new(Chain::new().or(nobody).or(work));
    let given = chain.provide(now()).await.unwrap().credentials;
    assert_eq!(chain.source_of(&given).as_deref(), Some("the profile work"));
    for name in ["AWS_ACCESS_KEY_ID", "AMAZON_ACCESS_KEY_ID"] {
        let pair = [
            name,
            if name.starts_with("AWS") {
                SECRET[0]
            } else {
                SECRET[1]
            },
        ];
        let set = Environment::from_fn(move |asked| pair.contains(&asked).then(|| "hidden".into()));
        assert_eq!(source(set).await, format!("the variable {name}"));
    }
    // What a program gives, it knows.
    let own = Cached::new(Credentials::new("own", "hidden"));
    let given = own.provide(now()).await.unwrap().credentials;
    assert_eq!(own.source_of(&given), None);
}

/// The variables of secret keys.
const SECRET: [&str; 2] = ["AWS_SECRET_ACCESS_KEY", "AMAZON_SECRET_ACCESS_KEY"];

#[tokio::test]
async fn what_is_missing_is_said() {
    let home = Home::new(&[("credentials", CREDENTIALS)]);
    let error = access_key(home.profile(&[("AWS_PROFILE", "nobody")]))
        .await
        .unwrap_err();
    assert!(
        !error.is_absent(),
        "a profile asked for by name must be there"
    );
    let folder = home.0.join(".aws");
    let told = format!(
        "there is no profile nobody in {0}/credentials or {0}/config",
        folder.display()
    );
    assert_eq!(error.to_string(), told);
    let homeless = Profile::from_fn(|name| (name == "AWS_PROFILE").then(|| "nobody".to_owned()));
    let error = access_key(homeless).await.unwrap_err().to_string();
    assert!(error.contains("no HOME"), "{error}");
    // A profile may be there for other settings: a chain goes on to its next source.
    let other = Home::new(&[("config", "[default]\nregion = eu-west-1\n")]);
    let error = access_key(other.profile(&[])).await.unwrap_err();
    assert!(error.is_absent(), "{error}");
    assert_eq!(
        error.to_string(),
        "the profile default has no aws_access_key_id"
    );
    let empty = Home::new(&[]);
    assert!(
        access_key(empty.profile(&[]))
            .await
            .unwrap_err()
            .is_absent()
    );
    assert!(
        access_key(Profile::from_fn(|_| None))
            .await
            .unwrap_err()
            .is_absent()
    );
}

#[tokio::test]
async fn a_bad_file_is_named_by_line_and_not_quoted() {
    for (text, line, what) in [
        ("[default]\nhidden stuff\n", 2, "there is no ="),
        (
            "[default]\n\naws_access_key_id = hidden\n",
            3,
            "aws_access_key_id without aws_secret_access_key",
        ),
        (
            "[default]\naws_secret_access_key = hidden",
            2,
            "without aws_access_key_id",
        ),
        ("[default", 1, "no closing ]"),
    ] {
        let home = Home::new(&[("credentials", text)]);
        let error = access_key(home.profile(&[])).await.unwrap_err();
        let shown = format!("{error} {error:?}");
        assert!(!error.is_absent());
        assert!(
            shown.contains(&format!("credentials, line {line}: ")) && shown.contains(what),
            "{shown}"
        );
        assert!(!shown.contains("hidden"), "{shown}");
    }
}

#[tokio::test]
async fn a_chain_takes_the_first_and_stops_at_a_fault() {
    let absent = || Environment::from_fn(|_| None);
    let fixed = |id: &str| Credentials::new(id, "hidden");
    assert_eq!(
        access_key(Chain::new().or(absent()).or(fixed("A")).or(fixed("B")))
            .await
            .unwrap(),
        "A"
    );
    let broken = Environment::from_fn(|name| (name == "AWS_ACCESS_KEY_ID").then(|| "x".into()));
    let error = access_key(Chain::new().or(absent()).or(broken).or(fixed("A")))
        .await
        .unwrap_err();
    assert!(
        error.to_string().contains("AWS_SECRET_ACCESS_KEY is not"),
        "{error}"
    );
    let none = access_key(Chain::new().or(absent())).await.unwrap_err();
    assert!(
        none.is_absent() && none.to_string().contains("no AWS_ACCESS_KEY_ID"),
        "{none}"
    );
}
