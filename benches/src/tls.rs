//! TLS for the server that is measured against, and for clients that have none of their own.

use std::path::Path;
use std::sync::Arc;

use rcgen::{CertifiedKey, KeyPair};
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio_rustls::{TlsAcceptor, TlsConnector};

use crate::BoxError;

/// A server for 127.0.0.1 with a new certificate, which goes to this file in PEM.
///
/// # Errors
/// When it cannot be made, or the file cannot be written.
pub fn acceptor(certificate: &Path) -> Result<TlsAcceptor, BoxError> {
    let CertifiedKey { cert, signing_key } = identity()?;
    std::fs::write(certificate, cert.pem())?;
    let key = PrivateKeyDer::from_pem_slice(signing_key.serialize_pem().as_bytes())?;
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key)?;
    Ok(Arc::new(config).into())
}

/// The same for a server that reads files: the certificate goes to one, its key to the other.
///
/// # Errors
/// When it cannot be made, or the files cannot be written.
pub fn files(certificate: &Path, key: &Path) -> Result<(), BoxError> {
    let CertifiedKey { cert, signing_key } = identity()?;
    std::fs::write(certificate, cert.pem())?;
    Ok(std::fs::write(key, signing_key.serialize_pem())?)
}

fn identity() -> Result<CertifiedKey<KeyPair>, BoxError> {
    Ok(rcgen::generate_simple_self_signed(
        ["127.0.0.1".to_owned()],
    )?)
}

/// A client that trusts the certificate of this text in PEM.
///
/// # Errors
/// When it is none.
pub fn connector(certificate: &[u8]) -> Result<TlsConnector, BoxError> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(certificate)?)?;
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config).into())
}
