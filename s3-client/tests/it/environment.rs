//! Clients of what variables and profiles say, and endpoints with a path. Always on an emulator: what is tested is where
//! requests go and how they are signed, and the emulator tells by the signature.

#![allow(
    clippy::unwrap_used,
    reason = "this is test code outside of a test function"
)]

use std::path::Path;
use std::sync::{Arc, Mutex};

use emulator::Emulator;
use s3_client::shared_config::Variables;
use s3_client::transport::{Head, Origin, Request, Response, ResponseFuture, Transport};
use s3_client::{Credentials, Kind, S3Client, Signature};

/// A folder of a user, with these files under `.aws`.
fn home(files: &[(&str, &str)]) -> tempfile::TempDir {
    let home = tempfile::tempdir().unwrap();
    std::fs::create_dir(home.path().join(".aws")).unwrap();
    for (name, text) in files {
        std::fs::write(home.path().join(".aws").join(name), text).unwrap();
    }
    home
}

fn variables(home: &Path, others: &[(&str, &str)]) -> Variables {
    let variables: Variables = others.iter().copied().collect();
    variables.with("HOME", home.to_str().unwrap())
}

#[tokio::test]
async fn a_profile_alone_says_everything() {
    let store = Emulator::start().await.unwrap();
    let config = format!(
        "[profile store]\nregion = eu-west-1\nservices = local\ns3 =\n  addressing_style = path\n  \
         signature_version = s3v4\n[services local]\ns3 =\n  endpoint_url = {}\n",
        store.url()
    );
    let keys = format!(
        "[store]\naws_access_key_id = {}\naws_secret_access_key = {}\n",
        store.access_key(),
        store.secret_key()
    );
    let home = home(&[("config", &config), ("credentials", &keys)]);
    let variables = variables(home.path(), &[("AWS_PROFILE", "store")]);
    let s3 = S3Client::builder()
        .from_variables(variables)
        .build()
        .unwrap();
    let bucket = s3.bucket("photos");
    bucket.create().await.unwrap();
    bucket.put("cat.jpg", "meow").await.unwrap();
    assert_eq!(
        bucket
            .get("cat.jpg")
            .await
            .unwrap()
            .body
            .bytes(9)
            .await
            .unwrap(),
        "meow"
    );
    let shown = format!("{s3:?}");
    assert!(!shown.contains(store.secret_key()), "{shown}");
}

#[test]
fn the_home_of_windows_has_files_too() {
    let home = home(&[(
        "config",
        "[default]\nendpoint_url = http://of.profile.example\n",
    )]);
    let said = Variables::from_iter([
        ("USERPROFILE", home.path().to_str().unwrap()),
        ("AWS_ACCESS_KEY_ID", "AKID"),
        ("AWS_SECRET_ACCESS_KEY", "secret"),
    ]);
    let s3 = S3Client::builder().from_variables(said).build().unwrap();
    assert_eq!(s3.endpoint().origin().host(), "of.profile.example");
}

#[tokio::test]
async fn variables_alone_say_everything_and_setters_count_first() {
    let store = Emulator::start().await.unwrap();
    let home = home(&[]);
    let url = store.url();
    let (id, secret) = (store.access_key().to_owned(), store.secret_key().to_owned());
    let said = [
        ("AWS_ENDPOINT_URL_S3", url.as_str()),
        ("AWS_ENDPOINT_URL", "http://127.0.0.1:1"),
        ("AWS_ACCESS_KEY_ID", &id),
        ("AWS_SECRET_ACCESS_KEY", &secret),
        ("AWS_MAX_ATTEMPTS", "1"),
    ];
    let said = variables(home.path(), &said);
    let s3 = S3Client::builder()
        .from_variables(said.clone())
        .build()
        .unwrap();
    s3.bucket("photos").create().await.unwrap();
    let other = Credentials::new("nobody", "hidden");
    let other = S3Client::builder()
        .credentials(other)
        .from_variables(said.clone());
    let error = other.build().unwrap().list_buckets().await.unwrap_err();
    assert_eq!(error.code(), Some("InvalidAccessKeyId"), "{error}");
    let nowhere = S3Client::builder()
        .from_variables(said)
        .endpoint("http://127.0.0.1:1");
    let error = nowhere.build().unwrap().list_buckets().await.unwrap_err();
    assert_eq!(
        (error.kind(), error.attempts()),
        (Kind::Connect, 1),
        "{error}"
    );
}

#[tokio::test]
async fn what_is_wrong_with_the_environment_is_an_error_of_build() {
    let home = home(&[(
        "config",
        "[default]\nregion = eu-west-1\nuse_fips_endpoint = hidden\n",
    )]);
    for (name, value, said) in [
        ("AWS_PROFILE", "missing", "there is no profile missing"),
        ("AWS_CONFIG_FILE", "~/none", "AWS_CONFIG_FILE"),
        (
            "AWS_USE_FIPS_ENDPOINT",
            "",
            "use_fips_endpoint of the profile default",
        ),
        ("AWS_CA_BUNDLE", "~/none.pem", "none.pem"),
        ("AWS_CA_BUNDLE", "~/.aws/config", ".aws/config"),
    ] {
        let mut said_all = variables(home.path(), &[(name, value)]);
        if name == "AWS_CA_BUNDLE" {
            said_all = said_all.with("AWS_USE_FIPS_ENDPOINT", "false");
        }
        let built = S3Client::builder().from_variables(said_all).build();
        let error = built.unwrap_err();
        let shown = format!("{error} {error:?}");
        assert_eq!(error.kind(), Kind::Invalid);
        assert!(shown.contains(said) && !shown.contains("hidden"), "{shown}");
    }
    let error = S3Client::builder()
        .from_variables(Variables::default())
        .build()
        .unwrap_err();
    assert!(error.to_string().contains("AWS_REGION"), "{error}");
}

/// The same request can be said in two ways: with `/outer` as the path of the endpoint, and with `outer` as the bucket.
/// The emulator, which knows the second alone, finds the signature right.
#[tokio::test]
async fn the_path_of_an_endpoint_is_sent_and_signed() {
    let store = Emulator::start().await.unwrap();
    let client = |endpoint: String, signature: Signature| {
        let keys = Credentials::new(store.access_key(), store.secret_key());
        let builder = S3Client::builder().endpoint(endpoint).credentials(keys);
        builder.signature(signature).build().unwrap()
    };
    let outer = client(store.url(), Signature::V2).bucket("outer");
    outer.create().await.unwrap();
    for (signature, key) in [
        (Signature::V2, "by v2 +%.txt"),
        (Signature::v4("us-east-1"), "by v4 +%.txt"),
    ] {
        let inner = client(format!("{}/outer/", store.url()), signature).bucket("inner");
        inner.put(key, "meow").await.unwrap();
        let seen = outer.get(format!("inner/{key}")).await.unwrap();
        assert_eq!(seen.body.bytes(9).await.unwrap(), "meow");
        let pieces = futures_util::stream::iter([Ok::<_, std::io::Error>("purr".into())]);
        let streamed = s3_client::Source::stream(4, pieces);
        inner.put(key, streamed).await.unwrap();
        assert_eq!(
            inner.get(key).await.unwrap().body.bytes(9).await.unwrap(),
            "purr"
        );
        let link = inner.presign_get(key).await.unwrap();
        assert!(
            link.url()
                .starts_with(&format!("{}/outer/inner/by%20v", store.url())),
            "{}",
            link.url()
        );
        inner.delete(key).await.unwrap();
        assert!(
            outer
                .get(format!("inner/{key}"))
                .await
                .unwrap_err()
                .is_not_found()
        );
    }
}

/// Answers everything, and keeps where it went and the scope of its signature.
#[derive(Debug, Default)]
struct Recorder(Mutex<Vec<(String, String)>>);

impl Transport for Recorder {
    fn send(&self, server: &Origin, request: Request) -> ResponseFuture {
        let target = format!("{:?} {server}{}", request.method(), request.target());
        let authorization = request.headers().find(|(name, _)| *name == "authorization");
        let authorization = authorization.map(|(_, value)| value.to_owned());
        let sent = (target, authorization.unwrap_or_default());
        self.0.lock().unwrap().push(sent);
        ResponseFuture::ready(Ok(Response::new(Head::new(200, []), bytes::Bytes::new())))
    }
}

#[cfg(feature = "tls")]
#[tokio::test]
async fn acceleration_is_for_objects_and_the_region_for_buckets() {
    let recorder = Arc::new(Recorder::default());
    let s3 = S3Client::builder()
        .region("eu-west-1")
        .accelerate(true)
        .credentials(Credentials::new("id", "secret"))
        .transport(recorder.clone())
        .build()
        .unwrap();
    let photos = s3.bucket("photos");
    photos.create().await.unwrap();
    photos.delete("cat.jpg").await.unwrap();
    s3.bucket("my.photos").delete("cat.jpg").await.unwrap();
    photos.delete_bucket().await.unwrap();
    let sent = recorder.0.lock().unwrap();
    let targets: Vec<&str> = sent.iter().map(|(target, _)| target.as_str()).collect();
    assert_eq!(
        targets,
        [
            "Put https://photos.s3.eu-west-1.amazonaws.com/",
            "Delete https://photos.s3-accelerate.amazonaws.com/cat.jpg",
            "Delete https://s3.eu-west-1.amazonaws.com/my.photos/cat.jpg",
            "Delete https://photos.s3.eu-west-1.amazonaws.com/",
        ]
    );
    let for_region = |(_, by): &(String, String)| by.contains("/eu-west-1/s3/aws4_request");
    assert!(sent.iter().all(for_region), "{sent:?}");
}

/// Takes every request, and keeps its body.
#[derive(Debug, Default)]
struct Bodies(Mutex<Vec<String>>);

impl Transport for Bodies {
    fn send(&self, _: &Origin, request: Request) -> ResponseFuture {
        let body = request.whole_body().map(<[u8]>::to_vec);
        let body = String::from_utf8(body.unwrap_or_default()).unwrap();
        self.0.lock().unwrap().push(body);
        ResponseFuture::ready(Ok(Response::new(Head::new(200, []), bytes::Bytes::new())))
    }
}

#[cfg(feature = "tls")]
#[tokio::test]
async fn buckets_are_made_in_the_region_of_the_client_at_amazon() {
    for (region, endpoint, told, location) in [
        ("eu-west-1", None, None, Some("eu-west-1")),
        (
            "eu-west-1",
            None,
            Some("eu-central-1"),
            Some("eu-central-1"),
        ),
        ("us-east-1", None, None, None),
        ("eu-west-1", Some("http://store.example"), None, None),
        (
            "eu-west-1",
            Some("http://store.example"),
            Some("cold"),
            Some("cold"),
        ),
    ] {
        let bodies = Arc::new(Bodies::default());
        let mut builder = S3Client::builder()
            .region(region)
            .credentials(Credentials::new("id", "secret"))
            .transport(bodies.clone());
        if let Some(endpoint) = endpoint {
            builder = builder.endpoint(endpoint);
        }
        let mut create = builder.build().unwrap().bucket("photos").create();
        if let Some(told) = told {
            create = create.location(told);
        }
        create.await.unwrap();
        let expected = location.map(|location| {
            format!(
                "<CreateBucketConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">\
                 <LocationConstraint>{location}</LocationConstraint></CreateBucketConfiguration>"
            )
        });
        let sent = bodies.0.lock().unwrap();
        assert_eq!(
            *sent,
            [expected.unwrap_or_default()],
            "{region} {endpoint:?} {told:?}"
        );
    }
}
