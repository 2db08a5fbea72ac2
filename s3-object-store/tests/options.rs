//! Stores from URLs and options.

#![allow(
    clippy::unwrap_used,
    reason = "this is test code outside of a test function"
)]

use emulator::Emulator;
use object_store::{Error, ObjectStoreExt as _};
use s3_client::request::RetryConfig;
use s3_client::shared_config::Variables;
use s3_client::{HttpPool, S3Builder};
use s3_object_store::S3StoreBuilder;
use tokio::io::AsyncReadExt as _;

/// All names that `AmazonS3ConfigKey` and `ClientConfigKey` of `object_store` 0.14.2 have, without `aws_`, and a value
/// with which the option is taken; nothing where none is.
const NAMES: &[(&str, Option<&str>)] = &[
    ("access_key_id", Some("id")),
    ("secret_access_key", Some("secret")),
    ("session_token", Some("token")),
    ("token", Some("token")),
    ("default_region", Some("eu-west-1")),
    ("region", Some("eu-west-1")),
    ("bucket", Some("other")),
    ("bucket_name", Some("other")),
    ("endpoint", Some("http://h")),
    ("endpoint_url", Some("http://h")),
    ("endpoint_url_s3", Some("http://h")),
    ("endpoint_url_sts", Some("http://h")),
    ("virtual_hosted_style_request", Some("true")),
    ("s3_express", Some("false")),
    ("imdsv1_fallback", Some("false")),
    ("metadata_endpoint", Some("http://h")),
    ("unsigned_payload", Some("true")),
    ("checksum_algorithm", Some("sha256")),
    ("container_credentials_relative_uri", Some("/x")),
    ("container_credentials_full_uri", Some("http://127.0.0.1/x")),
    ("container_authorization_token_file", Some("/x")),
    ("web_identity_token_file", Some("/x")),
    ("role_arn", Some("arn")),
    ("role_session_name", Some("name")),
    ("skip_signature", Some("true")),
    ("copy_if_not_exists", None),
    ("conditional_put", Some("etag")),
    ("disable_tagging", Some("false")),
    ("disable_bulk_delete", Some("false")),
    ("request_payer", Some("false")),
    ("server_side_encryption", None),
    ("sse_kms_key_id", None),
    ("sse_bucket_key_enabled", Some("false")),
    ("sse_customer_key_base64", None),
    ("allow_http", Some("true")),
    ("allow_invalid_certificates", Some("false")),
    ("disable_system_certificates", Some("true")),
    ("connect_timeout", Some("5s")),
    ("default_content_type", None),
    ("http1_only", Some("true")),
    ("http2_only", Some("false")),
    ("http2_keep_alive_interval", None),
    ("http2_keep_alive_timeout", None),
    ("http2_keep_alive_while_idle", Some("false")),
    ("http2_max_frame_size", None),
    ("pool_idle_timeout", Some("1 minute")),
    ("pool_max_idle_per_host", None),
    ("proxy_url", Some("http://proxy:3128")),
    ("proxy_ca_certificate", None),
    ("proxy_excludes", None),
    ("randomize_addresses", None),
    ("read_timeout", None),
    ("timeout", Some("500 ms")),
    ("user_agent", None),
];

fn builder() -> S3StoreBuilder {
    let new = S3StoreBuilder::new("s3://photos").unwrap();
    new.option("allow_http", "true").unwrap()
}

#[test]
fn each_option_is_taken_or_refused_by_its_name() {
    for (name, value) in NAMES {
        for name in [
            (*name).to_owned(),
            format!("aws_{name}"),
            format!("AWS_{}", name.to_uppercase()),
        ] {
            let refused = |value: &str| builder().option(&name, value).map(|_| ());
            if let Some(value) = value {
                let built = builder().option(&name, *value).unwrap();
                // There has to be a place besides.
                let region = if name.contains("endpoint") {
                    "region"
                } else {
                    "aws_endpoint"
                };
                let place = if region == "region" {
                    "eu-west-1"
                } else {
                    "http://h"
                };
                let built = built.option(region, place).unwrap().build();
                assert!(built.is_ok(), "{name}: {built:?}");
            } else {
                let error = refused("hidden").unwrap_err();
                let shown = format!("{error} {error:?}");
                assert!(
                    shown.contains(&name.to_lowercase()) && !shown.contains("hidden"),
                    "{shown}"
                );
            }
        }
    }
    for name in ["", "aws_", "regoin", "aws_aws_region"] {
        let error = builder().option(name, "hidden").unwrap_err();
        let named = matches!(&error, Error::UnknownConfigurationKey { key, .. } if key == name);
        assert!(
            named && !format!("{error} {error:?}").contains("hidden"),
            "{error}"
        );
    }
}

/// An option that cannot be read is called what it was called.
#[test]
fn an_option_is_named_as_it_was_said() {
    for (name, value) in [
        ("timeout", "soon"),
        ("connect_timeout", "5"),
        ("AWS_POOL_IDLE_TIMEOUT", "never"),
        ("aws_allow_http", "perhaps"),
        ("aws_unsigned_payload", "perhaps"),
        ("checksum_algorithm", "crc32"),
        ("aws_conditional_put", "perhaps"),
        ("AWS_PROXY_URL", "socks5://proxy"),
    ] {
        let place = builder().option("endpoint", "http://h").unwrap();
        let built = place.option(name, value).unwrap().build();
        let told = format!("the option {} is n", name.to_lowercase());
        let error = built.unwrap_err().to_string();
        assert!(error.contains(&told), "{name}: {error}");
    }
    let said = Variables::from_iter([("AWS_ALLOW_HTTP", "perhaps")]);
    let new = S3StoreBuilder::new("s3://photos").unwrap();
    let error = new.from_variables(said).build().unwrap_err().to_string();
    let told = "the variable AWS_ALLOW_HTTP is neither true nor false";
    assert!(error.contains(told), "{error}");
}

/// Options go on from the client's own pool, and name themselves where there is none.
#[test]
fn options_of_connections_are_for_the_clients_own_pool() {
    let connections = [("connect_timeout", "5s"), ("AWS_PROXY_URL", "proxy:3128")];
    let place = || builder().option("endpoint", "http://h").unwrap();
    for (said, told) in [
        (&connections[..1], "the option connect_timeout is for"),
        (
            &connections[..],
            "the options connect_timeout, aws_proxy_url are for",
        ),
    ] {
        let given = place().client(|client| client.pool(HttpPool::builder().build()));
        let built = given.options(said.iter().copied()).unwrap().build();
        let error = built.unwrap_err().to_string();
        assert!(error.contains(told), "{error}");
    }
}

#[tokio::test]
async fn an_option_of_connections_leaves_what_the_client_says_of_its_pool() {
    let store = Emulator::start().await.unwrap();
    let url = store.url();
    let options = [
        ("endpoint", url.as_str()),
        ("connect_timeout", "5s"),
        ("access_key_id", store.access_key()),
        ("secret_access_key", store.secret_key()),
    ];
    let one = |client: S3Builder| client.pool_with(|pool| pool.max_connections(1).max_pipeline(1));
    let built = builder().client(one).options(options).unwrap().build();
    let (photos, _) = built.unwrap();
    photos.bucket().create().await.unwrap();
    let keys = ["a", "b", "c"].map(object_store::path::Path::from);
    let puts = keys.each_ref().map(|key| photos.put(key, "meow".into()));
    for put in futures_util::future::join_all(puts).await {
        put.unwrap();
    }
    assert_eq!(store.stats().connections_accepted, 1);
}

/// A server that takes connections and says nothing on them, so that no session of TLS begins.
#[tokio::test(start_paused = true)]
async fn a_connection_is_given_up_after_the_time_that_the_option_says() {
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}", silent.local_addr().unwrap());
    let options = [
        ("endpoint", url.as_str()),
        ("connect_timeout", "123 ms"),
        ("access_key_id", "AKID"),
        ("secret_access_key", "secret"),
    ];
    let once = |client: S3Builder| client.retry(RetryConfig::none());
    let built = builder().options(options).unwrap().client(once).build();
    let (store, _) = built.unwrap();
    let begun = tokio::time::Instant::now();
    let error = store.get(&"cat".into()).await.unwrap_err();
    assert_eq!(begun.elapsed().as_millis(), 123, "{error}");
}

/// The pool that options set up goes through the proxy of the environment like any other.
#[tokio::test]
async fn options_of_connections_leave_the_proxy_of_the_environment() {
    let proxy = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", proxy.local_addr().unwrap());
    let said = Variables::from_iter([("http_proxy", url.as_str())]);
    let options = [
        ("endpoint", "http://store.invalid"),
        ("connect_timeout", "5s"),
        ("access_key_id", "AKID"),
        ("secret_access_key", "secret"),
    ];
    let built = builder().from_variables(said).options(options).unwrap();
    let (store, _) = built.build().unwrap();
    let asked = async {
        let (mut socket, _) = proxy.accept().await.unwrap();
        let mut line = vec![0; "CONNECT store.invalid:80 ".len()];
        socket.read_exact(&mut line).await.unwrap();
        String::from_utf8(line).unwrap()
    };
    let cat = "cat".into();
    let get = store.get(&cat);
    tokio::select! {
        line = asked => assert_eq!(line, "CONNECT store.invalid:80 "),
        _ = get => panic!("nobody answers"),
    }
}

#[test]
fn values_that_cannot_be_read_are_not_shown() {
    for name in [
        "virtual_hosted_style_request",
        "unsigned_payload",
        "skip_signature",
        "checksum_algorithm",
        "conditional_put",
        "timeout",
        "connect_timeout",
        "pool_idle_timeout",
        "proxy_url",
        "s3_express",
        "http1_only",
    ] {
        let with = builder().option("endpoint", "http://h").unwrap();
        let error = with
            .option(name, "hidden one two")
            .and_then(S3StoreBuilder::build)
            .unwrap_err();
        assert!(
            !format!("{error} {error:?}").contains("hidden"),
            "{name}: {error}"
        );
    }
    let secret = builder().option("secret_access_key", "hidden").unwrap();
    assert!(!format!("{secret:?}").contains("hidden"));
}

/// As `object_store`'s own client: unless it is allowed, nothing goes without TLS.
#[test]
fn an_endpoint_without_tls_has_to_be_allowed() {
    let new = || S3StoreBuilder::new("s3://photos").unwrap();
    let env = |vars: &[(&str, &str)]| {
        let place = [("AWS_ENDPOINT_URL", "http://h")];
        new().from_variables(place.iter().chain(vars).copied().collect())
    };
    let (yes, no) = (("allow_http", "true"), ("aws_allow_http", "false"));
    let plain = ("endpoint", "http://h");
    for (builder, allowed) in [
        (new().options([plain]), false),
        (new().options([plain, no]), false),
        (new().options([plain, yes]), true),
        (new().options([("endpoint_url_s3", "http://h")]), false),
        (
            Ok(new().client(|client| client.endpoint("http://h"))),
            false,
        ),
        (
            new()
                .client(|client| client.endpoint("http://h"))
                .options([yes]),
            true,
        ),
        (Ok(env(&[])), false),
        (Ok(env(&[("AWS_ALLOW_HTTP", "false")])), false),
        (Ok(env(&[("AWS_ALLOW_HTTP", "true")])), true),
        (env(&[("AWS_ALLOW_HTTP", "true")]).options([no]), false),
        (env(&[]).options([yes]), true),
        (new().options([("endpoint", "https://h")]), true),
        (new().options([("endpoint", "https://h"), no]), true),
        (new().options([("region", "eu-west-1")]), true),
    ] {
        let builder = builder.unwrap();
        let shown = format!("{builder:?}");
        match builder.build() {
            Ok(_) => assert!(allowed, "{shown}"),
            Err(error) => assert!(
                !allowed && error.to_string().contains("set the option allow_http"),
                "{shown}: {error}"
            ),
        }
    }
    let odd = env(&[("AWS_ALLOW_HTTP", "hidden")]).build().unwrap_err();
    assert!(!format!("{odd} {odd:?}").contains("hidden"), "{odd}");
}

/// What a URL of `https` says counts before options, but for an endpoint of S3 alone.
#[test]
fn urls_of_amazon_name_the_place_too() {
    let client = |url: &str, options: &[(&str, &str)]| {
        let built = S3StoreBuilder::new(url)
            .unwrap()
            .options(options.iter().copied())
            .unwrap()
            .build();
        let (store, path) = built.unwrap();
        let s3 = store.bucket().client();
        let shown = (s3.endpoint().origin().to_string(), s3.signature());
        (shown.0, shown.1, path.to_string())
    };
    let v4 = s3_client::Signature::v4;
    let other = [
        ("region", "us-west-2"),
        ("virtual_hosted_style_request", "true"),
    ];
    for (url, options, endpoint, region, path) in [
        (
            "https://s3.eu-west-1.amazonaws.com/photos/2009",
            &other[..1],
            "https://s3.eu-west-1.amazonaws.com",
            "eu-west-1",
            "2009",
        ),
        (
            "https://photos.s3.eu-west-1.amazonaws.com/2009/x",
            &other[..1],
            "https://s3.eu-west-1.amazonaws.com",
            "eu-west-1",
            "2009/x",
        ),
        (
            "https://photos.s3.amazonaws.com/2009",
            &other[..],
            "https://s3.amazonaws.com",
            "us-west-2",
            "2009",
        ),
        (
            "https://photos.s3.dualstack.eu-west-1.amazonaws.com",
            &[("endpoint", "https://elsewhere.example")][..],
            "https://s3.dualstack.eu-west-1.amazonaws.com",
            "eu-west-1",
            "",
        ),
        (
            "https://0123.r2.cloudflarestorage.com/photos/a",
            &[("region", "wnam")][..],
            "https://0123.r2.cloudflarestorage.com",
            "auto",
            "a",
        ),
        (
            "https://s3.eu-west-1.amazonaws.com/photos",
            &[("endpoint_url_s3", "https://s3.us-west-2.amazonaws.com")][..],
            "https://s3.us-west-2.amazonaws.com",
            "eu-west-1",
            "",
        ),
    ] {
        let found = client(url, options);
        assert_eq!(
            found,
            (endpoint.to_owned(), v4(region), path.to_owned()),
            "{url}"
        );
    }
    let other = S3StoreBuilder::new("https://photos.s3.eu-west-1.amazonaws.com/x").unwrap();
    let other = other.option("virtual_hosted_style_request", "false");
    let (store, _) = other.unwrap().build().unwrap();
    let shown = format!("{:?}", store.bucket());
    assert!(shown.contains("photos.s3.eu-west-1"), "{shown}");
    let other = builder().options([("region", "eu-west-1"), ("bucket", "other")]);
    let (store, _) = other.unwrap().build().unwrap();
    assert_eq!(store.bucket().name(), "other");
    for (url, bucket) in [
        ("https://photos.s3.eu-west-1.amazonaws.com/x", "photos"),
        ("https://s3photos.s3.eu-west-1.amazonaws.com/x", "s3photos"),
    ] {
        let (store, _) = S3StoreBuilder::new(url).unwrap().build().unwrap();
        let shown = format!("{:?}", store.bucket());
        assert!(shown.contains(&format!("{bucket}.s3.eu-west-1")), "{shown}");
        assert_eq!(store.bucket().name(), bucket);
    }
}

#[test]
fn urls_name_a_bucket_and_a_path() {
    for (url, bucket, path) in [
        ("s3://photos", "photos", ""),
        ("s3://photos/", "photos", ""),
        ("s3a://photos/2009/a%20b", "photos", "2009/a b"),
    ] {
        let place = [("endpoint", "https://h")];
        let built = S3StoreBuilder::new(url)
            .unwrap()
            .options(place)
            .unwrap()
            .build();
        let (store, found) = built.unwrap();
        assert_eq!(
            (store.bucket().name(), found.as_ref()),
            (bucket, path),
            "{url}"
        );
    }
    for url in [
        "",
        "s3://",
        "s3:///x",
        "https://h/b",
        "photos",
        "s3://a:hidden@b/c",
        "s3://b/c?hidden",
    ] {
        let error = S3StoreBuilder::new(url).expect_err(url);
        assert!(error.to_string().contains("s3://bucket/path"), "{error}");
        assert!(!error.to_string().contains("hidden"), "{error}");
    }
}

#[tokio::test]
async fn options_come_before_the_environment() {
    let store = Emulator::start().await.unwrap();
    let options = [
        ("AWS_ENDPOINT", store.url()),
        ("AWS_ACCESS_KEY_ID", store.access_key().to_owned()),
        ("AWS_SECRET_ACCESS_KEY", store.secret_key().to_owned()),
    ];
    let elsewhere = Variables::from_iter([
        ("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:1"),
        ("AWS_ACCESS_KEY_ID", "nobody"),
        ("AWS_SECRET_ACCESS_KEY", "none"),
        ("AWS_SESSION_TOKEN", "of other keys"),
    ]);
    let built = builder()
        .from_variables(elsewhere)
        .options(options)
        .unwrap()
        .build();
    let (photos, _) = built.unwrap();
    photos.bucket().create().await.unwrap();
    photos.put(&"cat".into(), "meow".into()).await.unwrap();
    let url = store.url();
    let said = Variables::from_iter([
        ("AWS_ENDPOINT_URL", url.as_str()),
        ("AWS_ACCESS_KEY_ID", store.access_key()),
        ("AWS_SECRET_ACCESS_KEY", store.secret_key()),
    ]);
    let (photos, _) = builder().from_variables(said).build().unwrap();
    let cat = photos.get(&"cat".into()).await.unwrap();
    assert_eq!(cat.bytes().await.unwrap(), "meow");
}

#[test]
fn a_bucket_in_front_of_the_endpoint_is_taken_for_that() {
    let options = [
        ("endpoint", "http://photos.store.example"),
        ("virtual_hosted_style_request", "true"),
    ];
    let (store, _) = builder().options(options).unwrap().build().unwrap();
    let shown = format!("{:?}", store.bucket());
    assert!(
        shown.contains("photos.store.example") && !shown.contains("photos.photos"),
        "{shown}"
    );
}
