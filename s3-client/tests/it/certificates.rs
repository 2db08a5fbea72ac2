//! A server of TLS whose certificate nobody knows but a file that the environment names.

#![allow(
    clippy::unwrap_used,
    reason = "this is test code outside of a test function"
)]

use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use s3_client::request::RetryConfig;
use s3_client::shared_config::Variables;
use s3_client::{Credentials, Error, Kind, S3Client};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{ServerConfig, crypto};

/// Starts a server that answers each connection once with an empty object; returns its URL, and who has signed its
/// certificate.
async fn serve() -> (String, String) {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(["127.0.0.1".to_owned()]).unwrap();
    let paper = params.signed_by(&key, &authority).unwrap().pem();
    let paper = CertificateDer::from_pem_slice(paper.as_bytes()).unwrap();
    let key = PrivateKeyDer::from_pem_slice(key.serialize_pem().as_bytes()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![paper], key);
    let acceptor = TlsAcceptor::from(Arc::new(config.unwrap()));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            // Who does not trust it is gone before.
            let Ok(mut io) = acceptor.accept(socket).await else {
                continue;
            };
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                match io.read_u8().await {
                    Ok(byte) => head.push(byte),
                    Err(_) => break,
                }
            }
            let answer =
                "HTTP/1.1 200 OK\r\nETag: \"a\"\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
            let _gone = io.write_all(answer.as_bytes()).await;
            let _gone = io.shutdown().await;
        }
    });
    (url, authority.pem())
}

async fn ask(variables: Variables) -> Result<(), Error> {
    let builder = S3Client::builder().from_variables(variables);
    let builder = builder.credentials(Credentials::new("AKID", "secret"));
    let client = builder.retry(RetryConfig::none()).build()?;
    client.bucket("photos").head("k").await.map(drop)
}

#[tokio::test]
async fn a_store_without_tls_is_told_of_with_the_url_that_may_be_meant() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut io, _)) = listener.accept().await {
            let _gone = io.write_all(b"HTTP/1.1 400 No\r\n\r\n").await;
        }
    });
    let builder = S3Client::builder()
        .endpoint(&url)
        .retry(RetryConfig::none());
    let client = builder.credentials(Credentials::new("AKID", "secret"));
    let photos = client.build().unwrap().bucket("photos");
    let error = photos.head("k").await.unwrap_err();
    assert_eq!(error.kind(), Kind::Connect);
    let error = error.to_string();
    for told in ["it does not speak TLS there", "is http:// meant?"] {
        assert!(error.contains(told), "{error}");
    }
}

#[tokio::test]
async fn a_file_of_certificates_that_the_environment_names_is_trusted() {
    let (url, authority) = serve().await;
    let home = tempfile::tempdir().unwrap();
    let bundle = home.path().join("bundle.pem");
    // With words around, as bundles have them.
    std::fs::write(&bundle, format!("# Ours\r\n\r\n{authority}\nThe end.\n")).unwrap();
    std::fs::create_dir(home.path().join(".aws")).unwrap();
    let config = "[default]\n[profile trusting]\nca_bundle = ~/bundle.pem\n";
    std::fs::write(home.path().join(".aws/config"), config).unwrap();
    let plain = Variables::from_iter([
        ("HOME", home.path().to_str().unwrap()),
        ("AWS_ENDPOINT_URL_S3", url.as_str()),
    ]);
    let error = ask(plain.clone()).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Connect, "{error}");
    let file = bundle.to_str().unwrap();
    ask(plain.clone().with("AWS_CA_BUNDLE", file))
        .await
        .unwrap();
    ask(plain.clone().with("AWS_CA_BUNDLE", "~/bundle.pem"))
        .await
        .unwrap();
    ask(plain.with("AWS_PROFILE", "trusting")).await.unwrap();
}
