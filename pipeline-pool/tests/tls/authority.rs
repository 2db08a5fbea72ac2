//! Certificates made on the spot, and servers that show them.

use std::net::SocketAddr;
use std::sync::Arc;

use pipeline_pool::{HttpPool, Method, Origin, Request};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{
    HandshakeKind, RootCertStore, ServerConfig, SupportedProtocolVersion, crypto,
};

/// Signs certificates.
pub(crate) struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A certificate and its key, in PEM.
pub(crate) struct Paper {
    pub(crate) chain: String,
    pub(crate) key: String,
}

impl Authority {
    pub(crate) fn new() -> Self {
        Self::named("authority")
    }

    pub(crate) fn named(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    pub(crate) fn pem(&self) -> String {
        self.0.pem()
    }

    /// A paper for this name, valid for the years from `since` until `until`.
    pub(crate) fn paper(&self, name: &str, since: i32, until: i32) -> Paper {
        let mut params = CertificateParams::new([name.to_owned()]).unwrap();
        params.not_before = rcgen::date_time_ymd(since, 1, 1);
        params.not_after = rcgen::date_time_ymd(until, 1, 1);
        let key = KeyPair::generate().unwrap();
        Paper {
            chain: params.signed_by(&key, &self.0).unwrap().pem(),
            key: key.serialize_pem(),
        }
    }

    /// A good paper for 127.0.0.1.
    pub(crate) fn local(&self) -> Paper {
        self.paper("127.0.0.1", 2000, 4000)
    }
}

fn provider() -> Arc<crypto::CryptoProvider> {
    Arc::new(crypto::ring::default_provider())
}

/// A server's settings; with `clients`, it wants a certificate signed by them.
pub(crate) fn config(
    paper: &Paper,
    versions: &[&'static SupportedProtocolVersion],
    clients: Option<&Authority>,
) -> ServerConfig {
    let chain = CertificateDer::from_pem_slice(paper.chain.as_bytes()).unwrap();
    let key = PrivateKeyDer::from_pem_slice(paper.key.as_bytes()).unwrap();
    let builder = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(versions)
        .unwrap();
    let builder = match clients {
        None => builder.with_no_client_auth(),
        Some(authority) => {
            let mut roots = RootCertStore::empty();
            let root = CertificateDer::from_pem_slice(authority.pem().as_bytes()).unwrap();
            roots.add(root).unwrap();
            let verifier = WebPkiClientVerifier::builder_with_provider(roots.into(), provider());
            builder.with_client_cert_verifier(verifier.build().unwrap())
        }
    };
    builder.with_single_cert(vec![chain], key).unwrap()
}

pub(crate) const BOTH: &[&SupportedProtocolVersion] = tokio_rustls::rustls::ALL_VERSIONS;

/// Serves TLS on a free port of 127.0.0.1.
pub(crate) async fn serve(config: ServerConfig) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let config = Arc::new(config);
    tokio::spawn(async move {
        while let Ok((io, _)) = listener.accept().await {
            tokio::spawn(answer(config.clone(), io));
        }
    });
    address
}

/// Answers one request with what the handshake was, and closes.
pub(crate) async fn answer(config: Arc<ServerConfig>, io: impl AsyncRead + AsyncWrite + Unpin) {
    let Ok(mut io) = TlsAcceptor::from(config).accept(io).await else {
        return;
    };
    let session = io.get_ref().1;
    let kind = match session.handshake_kind() {
        Some(HandshakeKind::Resumed) => "resumed",
        _ => "full",
    };
    let client = match session.peer_certificates() {
        Some(_) => "known",
        None => "unknown",
    };
    let alpn = String::from_utf8(session.alpn_protocol().unwrap_or(b"none").to_vec()).unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match io.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => return,
        }
    }
    let text = format!("{kind} {client} {alpn}");
    let reply = format!(
        "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{text}",
        text.len()
    );
    // A client that has left is its own affair.
    let _ = io.write_all(reply.as_bytes()).await;
    let _ = io.shutdown().await;
}

pub(crate) fn origin(address: SocketAddr) -> Origin {
    Origin::parse(&format!("https://{address}")).unwrap()
}

/// What the origin's server answers.
pub(crate) async fn ask(pool: &HttpPool, origin: &Origin) -> Result<String, pipeline_pool::Error> {
    let request = Request::new(Method::Get, origin, "/").unwrap();
    let (_, body) = pool.send(origin, request).await?.into_parts();
    Ok(String::from_utf8(body.as_whole().unwrap().to_vec()).unwrap())
}
