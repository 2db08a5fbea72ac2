//! What errors tell: what they are about, what a status means, which setter is the cure.

#![allow(
    clippy::unwrap_used,
    reason = "this is test code outside of a test function"
)]

use std::error::Error as StdError;
use std::time::{Duration, SystemTime};

use s3_client::credentials::{ProvideCredentials, ProvideFuture};
use s3_client::request::RetryConfig;
use s3_client::settings::KeyVisibility;
use s3_client::shared_config::Variables;
use s3_client::{Credentials, Error, HttpPool, Kind, S3Builder, S3Client, Signature, Source};
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpListener;

use crate::peer::{Peer, answer, refusal};

/// The error, as a report shows it that prints all sources: `{:#}` of `anyhow` does.
fn report(error: &Error) -> String {
    let sources = std::iter::successors(Some(error as &dyn StdError), |&e| e.source());
    let told: Vec<_> = sources.map(ToString::to_string).collect();
    told.join(": ")
}

#[tokio::test]
async fn an_error_names_operation_bucket_and_key() {
    let peer = Peer::start(|_| refusal(404, "NoSuchKey", "It is not there.")).await;
    let photos = peer.builder().build().unwrap().bucket("photos");
    let error = photos.get("2009/\"cat\"\n.jpg").await.unwrap_err();
    let told = error.to_string();
    assert!(
        told.starts_with("S3 GetObject at http://127.0.0.1:"),
        "{told}"
    );
    assert!(
        told.ends_with(r#" on photos, "2009/\"cat\"\n.jpg": 404 NoSuchKey: It is not there."#),
        "{told}"
    );
    assert_eq!(error.key(), Some("2009/\"cat\"\n.jpg"));
    assert_eq!(error.resource(), Some("photos"));
    let long = photos.delete("k".repeat(1000)).await.unwrap_err();
    let shown = format!(" on photos, \"{}…\": 404", "k".repeat(200));
    assert!(long.to_string().contains(&shown), "{long}");
    assert_eq!(long.key().map(str::len), Some(1000));
    // About a bucket, and about nothing but the store.
    let error = photos.list().send().await.unwrap_err();
    assert_eq!((error.resource(), error.key()), (Some("photos"), None));
}

#[tokio::test]
async fn keys_can_be_hidden() {
    let peer = Peer::start(|_| refusal(403, "AccessDenied", "Denied.")).await;
    let client = peer.builder().show_keys(KeyVisibility::Hidden);
    let photos = client.build().unwrap().bucket("photos");
    for error in [
        photos.get("ann@example.org").await.unwrap_err(),
        photos.head("ann@example.org").await.unwrap_err(),
        photos.put("ann@example.org", "x").await.unwrap_err(),
    ] {
        assert_eq!((error.key(), error.resource()), (None, Some("photos")));
        assert!(!format!("{error} {error:?}").contains("ann"), "{error:?}");
    }
}

#[tokio::test]
async fn what_breaks_a_limit_is_named_unless_keys_are_hidden() {
    let nobody = |keys| {
        let builder = S3Client::builder().endpoint("http://127.0.0.1:1");
        let builder = builder.credentials(Credentials::new("AKID", "secret"));
        builder.show_keys(keys).build().unwrap().bucket("photos")
    };
    let long = format!("zoe{}", "k".repeat(1022));
    let none = "/nowhere/at all";
    for keys in [KeyVisibility::Errors, KeyVisibility::Hidden] {
        let (photos, shown) = (nobody(keys), keys == KeyVisibility::Errors);
        let stream = Source::stream(1, futures_util::stream::empty::<Result<_, Error>>());
        for (error, key, said) in [
            (photos.get(&*long).await.unwrap_err(), &*long, "1025 bytes"),
            (photos.put(&*long, "x").await.unwrap_err(), &*long, "1025"),
            (photos.get("").await.unwrap_err(), "", "the key is empty"),
            (
                photos
                    .put("zoe", "x")
                    .metadata("m", "x".repeat(3000))
                    .await
                    .unwrap_err(),
                "zoe",
                "over the limit",
            ),
            (
                photos
                    .put("zoe", "x")
                    .content_type("a\nb")
                    .await
                    .unwrap_err(),
                "zoe",
                "content-type",
            ),
            (
                photos
                    .put("zoe", stream)
                    .content_md5(true)
                    .await
                    .unwrap_err(),
                "zoe",
                "MD5",
            ),
            (photos.put_file("zoe", none).await.unwrap_err(), "zoe", none),
            (
                photos
                    .get("zoe")
                    .version("v".repeat(2000))
                    .await
                    .unwrap_err(),
                "zoe",
                "over the limit",
            ),
        ] {
            let told = error.to_string();
            assert!(told.contains(said), "{told}");
            assert_eq!(error.resource(), Some("photos"), "{told}");
            assert_eq!(error.key(), Some(key).filter(|_| shown), "{told}");
            let operation = error.operation().expect("it has one");
            let begins = format!("S3 {operation} on photos");
            assert!(told.starts_with(&begins), "{told}");
            assert!(!error.may_have_been_sent());
            if !shown {
                assert!(!format!("{error} {error:?}").contains("zoe"), "{error:?}");
            }
        }
    }
}

#[tokio::test]
async fn the_error_of_a_body_names_the_key_it_is_of() {
    // One that comes whole with its answer, and one that streams.
    for size in [20, 100_000] {
        let body = "x".repeat(size);
        let peer = Peer::start(move |_| answer(200, "ETag: \"a\"\r\n", &body)).await;
        for (keys, named) in [
            (KeyVisibility::Errors, Some("k")),
            (KeyVisibility::Hidden, None),
        ] {
            let client = peer.builder().show_keys(keys).build().unwrap();
            let photos = client.bucket("photos");
            let get = photos.get("k").await.unwrap();
            let error = get.body.bytes(10).await.unwrap_err();
            assert_eq!((error.kind(), error.key()), (Kind::Protocol, named));
            let told = error.to_string();
            assert!(told.contains("over the limit of 10 bytes"), "{told}");
            let fetched = photos.get("k").if_none_match("\"b\"").await.unwrap();
            let error = fetched.object().unwrap().body.bytes(10).await.unwrap_err();
            assert_eq!(error.key(), named, "{size}");
        }
    }
}

/// Who keys belong to that a store does not know or allow: a profile that was not meant, as a rule.
#[tokio::test]
async fn a_refusal_says_where_the_keys_come_from() {
    let home = tempfile::tempdir().unwrap();
    std::fs::create_dir(home.path().join(".aws")).unwrap();
    let file = "[work]\naws_access_key_id = AKID\naws_secret_access_key = hidden\n";
    std::fs::write(home.path().join(".aws/credentials"), file).unwrap();
    let own = [
        ("AWS_ACCESS_KEY_ID", "AKID"),
        ("AWS_SECRET_ACCESS_KEY", "hidden"),
    ];
    for (status, code, named) in [
        (403, "InvalidAccessKeyId", true),
        (403, "AccessDenied", true),
        (404, "NoSuchKey", false),
        // Of an object that is archived.
        (403, "InvalidObjectState", false),
    ] {
        let peer = Peer::start(move |_| refusal(status, code, "Said.")).await;
        for (variables, source) in [
            (&[("AWS_PROFILE", "work")][..], "the profile work"),
            (&own[..], "the variable AWS_ACCESS_KEY_ID"),
        ] {
            let variables: Variables = variables.iter().copied().collect();
            let s3 = S3Client::builder()
                .from_variables(variables.with("HOME", home.path().to_str().unwrap()))
                .endpoint(peer.url())
                .signature(Signature::V2);
            let photos = s3.build().unwrap().bucket("photos");
            let error = photos.get("k").await.unwrap_err();
            let told = format!(" {code}: Said. (The keys are those of {source}.)");
            let shown = format!("{error} {error:?}");
            assert_eq!(error.to_string().ends_with(&told), named, "{error}");
            assert_eq!(shown.contains("The keys are"), named, "{error}");
            assert!(
                !shown.contains("hidden") && !shown.contains("AKID"),
                "{shown}"
            );
            // The answer to HEAD has no words of its own.
            let error = photos.head("k").await.unwrap_err().to_string();
            assert_eq!(error.contains(source), status == 403, "{error}");
        }
        // Keys that the program has given need no source.
        let photos = peer.builder().build().unwrap().bucket("photos");
        let error = photos.get("k").await.unwrap_err().to_string();
        assert!(!error.contains("The keys are"), "{error}");
    }
}

/// What is between the program and the store knows neither keys nor versions of signatures.
#[tokio::test]
async fn a_refusal_by_a_firewall_gives_no_advice_about_keys() {
    let page = "<html>Your request was blocked.</html>";
    let peer = Peer::start(move |_| answer(403, "", page)).await;
    let home = tempfile::tempdir().unwrap();
    let variables = Variables::from_iter([
        ("AWS_ACCESS_KEY_ID", "AKID"),
        ("AWS_SECRET_ACCESS_KEY", "hidden"),
        ("HOME", home.path().to_str().unwrap()),
    ]);
    let s3 = S3Client::builder().from_variables(variables);
    let s3 = s3.endpoint(peer.url()).build().unwrap();
    let photos = s3.bucket("photos");
    let error = photos.get("k").await.unwrap_err().to_string();
    assert!(error.contains("Your request was blocked."), "{error}");
    for advice in ["The keys are", "Signature::"] {
        assert!(!error.contains(advice), "{error}");
    }
    // The answer to HEAD does not tell whose it is.
    let error = photos.head("k").await.unwrap_err().to_string();
    for advice in ["The keys are", "Signature::"] {
        assert!(error.contains(advice), "{error}");
    }
}

#[tokio::test]
async fn the_error_of_a_head_says_what_its_status_means() {
    let peer = Peer::start(|heard| {
        let status = heard.line.rsplit('/').next().unwrap();
        format!("HTTP/1.1 {status} Said\r\nContent-Length: 9\r\n\r\n")
    })
    .await;
    let client = peer.builder().retry(RetryConfig::none()).build().unwrap();
    let photos = client.bucket("photos");
    for (status, words) in [
        ("400", "bad request, without a reason"),
        ("403", "forbidden: these credentials may not do this"),
        ("404", "not found: it does not exist"),
        ("405", "method not allowed"),
        ("412", "precondition failed"),
        ("416", "range not satisfiable"),
        ("500", "internal server error"),
        ("503", "service unavailable"),
    ] {
        let error = photos.head(status).await.unwrap_err();
        let told = format!(" on photos, \"{status}\": {status}: {words}");
        assert!(error.to_string().contains(&told), "{error}");
        assert!(error.message().starts_with(words), "{error:?}");
    }
}

#[tokio::test]
async fn a_refused_connection_is_told_once() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let keys = Credentials::new("AKID", "secret");
    let builder = S3Client::builder().endpoint(&url).credentials(keys);
    let client = builder.retry(RetryConfig::none()).build().unwrap();
    let error = client.bucket("photos").get("k").await.unwrap_err();
    assert_eq!(error.kind(), Kind::Connect);
    let told = report(&error);
    assert_eq!(told.matches("refused").count(), 1, "{told}");
    assert_eq!(told.matches("no connection to").count(), 1, "{told}");
    // The system's own error is there for who decides on it.
    let pool = error.cause().unwrap();
    let pool = pool.downcast_ref::<pipeline_pool::Error>().unwrap();
    let system = pool.cause().unwrap().downcast_ref::<std::io::Error>();
    let kind = std::io::ErrorKind::ConnectionRefused;
    assert_eq!(system.map(std::io::Error::kind), Some(kind));
}

/// A server that takes connections and answers nothing.
struct Silent {
    listener: TcpListener,
}

impl Silent {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Self { listener }
    }

    fn builder(&self) -> S3Builder {
        let keys = Credentials::new("AKID", "secret");
        let url = format!("http://{}", self.listener.local_addr().unwrap());
        S3Client::builder().endpoint(url).credentials(keys)
    }
}

#[tokio::test]
async fn an_error_names_the_setter_of_the_time_that_was_too_short() {
    let silent = Silent::start().await;
    let within = Duration::from_millis(20);
    let none = RetryConfig::none;
    let pool = HttpPool::builder().first_byte_timeout(within).build();
    for (builder, setter) in [
        (silent.builder().timeout(within), "(the setter timeout)"),
        (
            silent.builder().retry(none().attempt_timeout(within)),
            "(attempt_timeout of RetryConfig)",
        ),
        (
            silent.builder().retry(none()).pool(pool),
            "(first_byte_timeout of the pool)",
        ),
    ] {
        let bucket = builder.build().unwrap().bucket("photos");
        let error = bucket.get("k").await.unwrap_err();
        assert_eq!(error.kind(), Kind::Timeout, "{error}");
        assert!(error.to_string().contains(setter), "{error}");
    }
}

#[tokio::test]
async fn an_error_names_the_setters_of_a_pool_that_is_full() {
    let silent = Silent::start().await;
    let full = || HttpPool::builder().max_connections(1).max_pipeline(1);
    let hasty = full().wait_timeout(Duration::from_millis(20));
    for (pool, waiters, setters) in [
        (full().max_waiters(1), 1, "(max_waiters of the pool)"),
        (hasty, 0, "(wait_timeout and max_connections of the pool)"),
    ] {
        let pool = pool.build();
        let client = silent.builder().pool(pool.clone()).build().unwrap();
        let bucket = client.bucket("photos");
        let first = tokio::spawn(bucket.get("first").send());
        let (mut socket, _) = silent.listener.accept().await.unwrap();
        assert!(socket.read(&mut [0; 1024]).await.unwrap() > 0);
        // The only connection has a request under way.
        let waiting: Vec<_> = (0..waiters)
            .map(|_| tokio::spawn(bucket.get("waits").send()))
            .collect();
        while pool.stats().origins[0].waiting < waiters {
            tokio::task::yield_now().await;
        }
        let error = bucket.get("last").await.unwrap_err();
        assert_eq!(error.kind(), Kind::Busy, "{error}");
        assert!(error.to_string().contains(setters), "{error}");
        first.abort();
        waiting.iter().for_each(tokio::task::JoinHandle::abort);
    }
}

#[tokio::test]
async fn a_request_that_cannot_be_made_names_its_operation() {
    let keys = Credentials::new("AKID", "secret");
    let builder = S3Client::builder().endpoint("http://h").credentials(keys);
    let photos = builder.build().unwrap().bucket("photos");
    let told = async |request: Result<(), Error>| request.unwrap_err().to_string();
    let get = photos.get("").await.map(drop);
    assert_eq!(
        told(get).await,
        "S3 GetObject on photos, \"\": the key is empty"
    );
    let put = photos.put("", "x").await.map(drop);
    assert_eq!(
        told(put).await,
        "S3 PutObject on photos, \"\": the key is empty"
    );
    let delete = photos.delete("").await.map(drop);
    assert_eq!(
        told(delete).await,
        "S3 DeleteObject on photos, \"\": the key is empty"
    );
}

/// Has to be asked for keys each time, and takes its time.
#[derive(Debug)]
struct Slow;

impl ProvideCredentials for Slow {
    fn provide(&self, _: SystemTime) -> ProvideFuture<'_> {
        Box::pin(async { Ok(Credentials::new("AKID", "secret").into()) })
    }
}

#[test]
fn a_runtime_without_drivers_is_one_clear_error() {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let runtimes = [
        builder.build().unwrap(),
        builder.enable_time().build().unwrap(),
        tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .build()
            .unwrap(),
    ];
    for runtime in runtimes {
        let client = || {
            let keys = Credentials::new("AKID", "secret");
            S3Client::builder()
                .endpoint("http://127.0.0.1:1")
                .credentials(keys)
        };
        let clients = [
            client(),
            client().credentials(Slow),
            client().on_attempt(|_| {}),
            #[cfg(feature = "cache")]
            client().cache({
                use s3_client::cache_layer::{Cache, Memcached};
                let servers = Memcached::builder()
                    .servers(["127.0.0.1:1"])
                    .build()
                    .unwrap();
                Cache::builder(servers, Duration::from_secs(60))
                    .build()
                    .unwrap()
            }),
        ];
        for client in clients {
            let bucket = client.build().unwrap().bucket("photos");
            for error in [
                runtime.block_on(bucket.get("k").send()).unwrap_err(),
                runtime.block_on(bucket.put("k", "v").send()).unwrap_err(),
            ] {
                assert_eq!(error.kind(), Kind::Shutdown, "{error}");
                assert!(error.to_string().contains("enable_all"), "{error}");
                assert!(!error.may_have_been_sent());
            }
        }
    }
}
