//! TLS by rustls with ring.

use std::sync::Arc;

use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, crypto};

use super::Stream;
use crate::error::{Error, Kind};
use crate::origin::Origin;

/// How TLS connections are made; the session cache inside is shared by all of them.
#[derive(Clone)]
pub(crate) struct Tls(Result<Arc<ClientConfig>, Error>);

/// Whom to trust, and who to be.
#[derive(Debug, Default)]
pub(crate) struct Identity {
    /// Roots instead of those that Mozilla ships.
    roots: Option<RootCertStore>,
    /// A certificate chain and its key, shown to servers that ask.
    client: Option<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)>,
}

impl Clone for Identity {
    fn clone(&self) -> Self {
        let client = self.client.as_ref();
        Self {
            roots: self.roots.clone(),
            client: client.map(|(chain, key)| (chain.clone(), key.clone_key())),
        }
    }
}

fn invalid(what: &'static str) -> Error {
    Error::new(Kind::Invalid, what)
}

impl Identity {
    pub(crate) fn trust(&mut self, pem: &[u8]) -> Result<(), Error> {
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(pem) {
            let certificate = certificate.map_err(|_| invalid("the TLS roots are not PEM"))?;
            let added = roots.add(certificate);
            added.map_err(|e| invalid("a TLS root was refused").with_source(e))?;
        }
        if roots.is_empty() {
            return Err(invalid("there is no certificate in the TLS roots"));
        }
        self.roots = Some(roots);
        Ok(())
    }

    pub(crate) fn client(&mut self, chain: &[u8], key: &[u8]) -> Result<(), Error> {
        let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(chain).collect();
        let chain = chain.map_err(|_| invalid("the TLS client certificate is not PEM"))?;
        let key = PrivateKeyDer::from_pem_slice(key)
            .map_err(|_| invalid("the TLS client key is not PEM"))?;
        self.client = Some((chain, key));
        // A key that does not fit its certificate is found now, not at the first connection.
        config(self.clone()).map(drop)
    }
}

fn config(identity: Identity) -> Result<Arc<ClientConfig>, Error> {
    let roots = identity.roots.unwrap_or_else(|| RootCertStore {
        roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
    });
    let provider = Arc::new(crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|e| invalid("no TLS version can be spoken").with_source(e))?
        .with_root_certificates(roots);
    let mut config = match identity.client {
        None => builder.with_no_client_auth(),
        Some((chain, key)) => builder
            .with_client_auth_cert(chain, key)
            .map_err(|e| invalid("the TLS client certificate was refused").with_source(e))?,
    };
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

impl Tls {
    pub(crate) fn new(identity: Identity) -> Self {
        Self(config(identity))
    }

    pub(crate) async fn connect(&self, origin: &Origin, tcp: TcpStream) -> Result<Stream, Error> {
        let failed = |error: std::io::Error| {
            Error::new(Kind::Connect, format!("no TLS connection to {origin}")).with_source(error)
        };
        let name = ServerName::try_from(origin.host().to_owned())
            .map_err(|e| failed(std::io::Error::other(e)))?;
        let connector = TlsConnector::from(self.0.clone()?);
        let tls = connector.connect(name, tcp).await.map_err(failed)?;
        Ok(Stream::Tls(Box::new(tls)))
    }
}
