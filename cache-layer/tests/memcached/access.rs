//! Logins and TLS.

use std::fs;

use cache_layer::memcached::{Dialect, Kind};

use crate::server::{Server, patient};

#[tokio::test]
async fn a_login_by_file() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("users");
    fs::write(&file, "ann:let-me-in\n").unwrap();
    let server = Server::with(&["-Y", file.to_str().unwrap()]);
    for dialect in [Dialect::Auto, Dialect::Classic] {
        let builder = patient().servers([&server.name]).dialect(dialect);
        let cache = builder.clone().login("ann", "let-me-in").build().unwrap();
        cache.set("a", "1").await.unwrap();
        assert_eq!(cache.get("a").await.unwrap().unwrap().data, "1");
        let cache = builder.clone().login("ann", "hidden").build().unwrap();
        let error = cache.get("a").await.unwrap_err();
        assert_eq!(error.kind(), Kind::Connect);
        let shown = format!("{error} {error:?} {cache:?} {:?}", cache.stats());
        assert!(shown.contains("the login was refused"), "{shown}");
        assert!(!shown.contains("hidden"));
        let cache = builder.build().unwrap();
        assert!(cache.get("a").await.is_err());
    }
}

#[cfg(feature = "tls")]
#[tokio::test]
async fn over_tls() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name| dir.path().join(name).to_str().unwrap().to_owned();
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let (chain, key) = (path("chain.pem"), path("key.pem"));
    fs::write(&chain, made.cert.pem()).unwrap();
    fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    let options = format!("ssl_chain_cert={chain},ssl_key={key}");
    let server = Server::with(&["-Z", "-o", &options]);
    let builder = patient().servers([&server.name]).tls(true);
    let cache = builder.clone().tls_roots(made.cert.pem()).build().unwrap();
    cache.set("a", vec![b'x'; 500_000]).await.unwrap();
    assert_eq!(cache.get("a").await.unwrap().unwrap().data.len(), 500_000);
    let error = builder.build().unwrap().get("a").await.unwrap_err();
    assert_eq!(error.kind(), Kind::Connect);
    let text = error.to_string();
    assert!(
        text.contains("the issuer of its certificate is not trusted"),
        "{text}"
    );
    let error = patient()
        .tls_roots("nonsense")
        .servers(["a:1"])
        .build()
        .unwrap_err();
    assert_eq!(error.kind(), Kind::Config);
}
