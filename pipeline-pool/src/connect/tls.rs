//! TLS by rustls with ring.

use std::error::Error as StdError;
use std::io::{self, Read};
use std::pin::Pin;
use std::sync::Arc;

use socket2::SockRef;
use tokio::io::{AsyncBufRead, AsyncRead, AsyncWrite, BufReader};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::{
    self, AlertDescription, CertificateError, ClientConfig, ClientConnection, InvalidMessage,
    RootCertStore, crypto,
};

use crate::error::{Error, Kind};
use crate::origin::Origin;

/// How TLS connections are made. Clones share one cache of sessions, so that a later connection
/// to the same host resumes an earlier one's.
#[derive(Clone)]
pub(crate) struct Tls(Result<Arc<ClientConfig>, Error>);

/// Whom to trust, and who to be.
#[derive(Default)]
pub(crate) struct Identity {
    /// Roots instead of those that Mozilla ships.
    roots: Option<RootCertStore>,
    /// A certificate chain and its key, shown to servers that ask.
    client: Option<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)>,
    /// What is spoken inside, by its name in ALPN (RFC 7301); nothing is said without one.
    pub(crate) alpn: Option<&'static [u8]>,
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Identity")
            .field("roots", &self.roots.as_ref().map(RootCertStore::len))
            .field("client", &self.client.is_some())
            .finish()
    }
}

impl Clone for Identity {
    fn clone(&self) -> Self {
        let client = self.client.as_ref();
        Self {
            roots: self.roots.clone(),
            client: client.map(|(chain, key)| (chain.clone(), key.clone_key())),
            alpn: self.alpn,
        }
    }
}

fn invalid(what: &'static str) -> Error {
    Error::new(Kind::Invalid, what)
}

impl Identity {
    /// Trusts these roots, and those added before, instead of Mozilla's.
    pub(crate) fn trust(&mut self, pem: &[u8]) -> Result<(), Error> {
        let mut roots = self.roots.take().unwrap_or_else(RootCertStore::empty);
        let before = roots.len();
        for certificate in CertificateDer::pem_slice_iter(pem) {
            let certificate = certificate.map_err(|_| invalid("the TLS roots are not PEM"))?;
            let added = roots.add(certificate);
            added.map_err(|e| invalid("a TLS root was refused").with_source(e))?;
        }
        if roots.len() == before {
            return Err(invalid("there is no certificate in the TLS roots"));
        }
        self.roots = Some(roots);
        Ok(())
    }

    /// Trusts what the system trusts, and the roots added before, instead of Mozilla's.
    #[cfg(feature = "platform-roots")]
    pub(crate) fn trust_platform(&mut self) -> Result<(), Error> {
        let found = rustls_native_certs::load_native_certs();
        let mut roots = self.roots.take().unwrap_or_else(RootCertStore::empty);
        // The store of a system may hold some that are too old to be read.
        let (added, _) = roots.add_parsable_certificates(found.certs);
        if added == 0 {
            let none = invalid("the system has no TLS roots");
            return Err(match found.errors.into_iter().next() {
                Some(error) => none.with_source(error),
                None => none,
            });
        }
        self.roots = Some(roots);
        Ok(())
    }

    pub(crate) fn client(&mut self, chain: &[u8], key: &[u8]) -> Result<(), Error> {
        let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(chain).collect();
        let chain = chain.map_err(|_| invalid("the TLS client certificate is not PEM"))?;
        if chain.is_empty() {
            return Err(invalid("there is no certificate in the TLS client's chain"));
        }
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
    // A server that chooses anything else breaks the handshake, and rustls says so.
    config.alpn_protocols = identity.alpn.into_iter().map(<[u8]>::to_vec).collect();
    Ok(Arc::new(config))
}

/// Why a handshake failed, in plain words where there are some.
fn reason(error: &io::Error) -> Option<&'static str> {
    let tls = error.get_ref()?.downcast_ref::<rustls::Error>()?;
    Some(match tls {
        rustls::Error::InvalidCertificate(reason) => match reason {
            CertificateError::UnknownIssuer => "the issuer of its certificate is not trusted",
            CertificateError::BadSignature => {
                "its certificate was not signed by the issuer that it names"
            }
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                "its certificate is for another name"
            }
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                "its certificate has expired"
            }
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                "its certificate is not valid yet"
            }
            _ => "its certificate is not valid",
        },
        rustls::Error::AlertReceived(AlertDescription::NoApplicationProtocol) => {
            "it does not speak HTTP/1.1"
        }
        tls if is_no_record(tls) => "it does not speak TLS there",
        _ => return None,
    })
}

/// Whether the peer has answered without TLS: that begins with other bytes than a record does.
fn is_no_record(error: &rustls::Error) -> bool {
    matches!(
        error,
        rustls::Error::InvalidMessage(InvalidMessage::InvalidContentType)
    )
}

/// Whether this is the failure of a handshake with a peer that has answered without TLS.
pub(crate) fn is_plain(cause: &(dyn StdError + 'static)) -> bool {
    let io = cause.downcast_ref::<io::Error>();
    let tls = io.and_then(io::Error::get_ref);
    tls.and_then(|tls| tls.downcast_ref())
        .is_some_and(is_no_record)
}

impl Tls {
    pub(crate) fn new(identity: Identity) -> Self {
        Self(config(identity))
    }

    /// Makes this connection to the origin a secret one.
    pub(crate) async fn connect<T>(&self, origin: &Origin, io: T) -> Result<TlsStream<T>, Error>
    where
        T: AsyncRead + AsyncWrite + Unpin,
    {
        let failed = |error: io::Error| {
            let text = match reason(&error) {
                Some(reason) => format!("no TLS connection to {origin}: {reason}"),
                None => format!("no TLS connection to {origin}"),
            };
            Error::new(Kind::Connect, text).with_source(error)
        };
        let name = ServerName::try_from(origin.host().to_owned())
            .map_err(|e| failed(io::Error::other(e)))?;
        let connector = TlsConnector::from(self.0.clone()?);
        connector.connect(name, io).await.map_err(failed)
    }
}

/// The bytes that one read of a socket takes in for a session.
const READ: usize = 32 * 1024;

/// The socket of a session. rustls asks for 4 KiB at a time, so that a record of 16 KiB takes it five system calls; most of
/// what it asks for is here already.
pub(super) fn buffered(tcp: TcpStream) -> BufReader<TcpStream> {
    BufReader::with_capacity(READ, tcp)
}

/// What has come over a socket and was not given to its session.
pub(super) struct Unread<'a>(pub(super) &'a mut BufReader<TcpStream>);

impl Read for Unread<'_> {
    /// Reads what is there, and waits for nothing.
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let held = self.0.buffer();
        if held.is_empty() {
            return (&*SockRef::from(self.0.get_ref())).read(buf);
        }
        let n = held.len().min(buf.len());
        buf[..n].copy_from_slice(&held[..n]);
        Pin::new(&mut *self.0).consume(n);
        Ok(n)
    }
}

/// Whether the peer has ended this quiet session, or has sent what nobody asked for, by what can be
/// read from its socket now. Bytes that have come may be a session ticket as well as the alert that
/// says goodbye (`close_notify`, [RFC 8446, 6.1](https://www.rfc-editor.org/rfc/rfc8446#section-6.1)),
/// which the session alone can tell; so it takes them.
pub(super) fn has_ended(session: &mut ClientConnection, mut socket: impl Read) -> bool {
    loop {
        match session.read_tls(&mut socket) {
            Ok(0) => return true,
            Ok(_) => match session.process_new_packets() {
                Ok(state) if state.peer_has_closed() || state.plaintext_bytes_to_read() > 0 => {
                    return true;
                }
                Ok(_) => {}
                Err(_) => return true,
            },
            Err(error) => return error.kind() != io::ErrorKind::WouldBlock,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::mem::MaybeUninit;
    use std::net::TcpListener;
    use std::sync::mpsc::{Receiver, channel};

    use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio_rustls::rustls::{
        ServerConfig, ServerConnection, StreamOwned, SupportedProtocolVersion, version,
    };

    use super::*;
    use crate::connect::stream::Stream;

    /// A certificate for 127.0.0.1, with the roots that it is trusted by.
    fn server(version: &'static SupportedProtocolVersion) -> (ServerConfig, Identity) {
        let mut issuer = CertificateParams::new(Vec::new()).unwrap();
        issuer.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(issuer, KeyPair::generate().unwrap()).unwrap();
        let key = KeyPair::generate().unwrap();
        let paper = CertificateParams::new(["127.0.0.1".to_owned()]).unwrap();
        let chain = paper.signed_by(&key, &issuer).unwrap().pem();
        let chain = CertificateDer::from_pem_slice(chain.as_bytes()).unwrap();
        let key = PrivateKeyDer::from_pem_slice(key.serialize_pem().as_bytes()).unwrap();
        let provider = Arc::new(crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[version])
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![chain], key)
            .unwrap();
        let mut identity = Identity::default();
        identity.trust(issuer.pem().as_bytes()).unwrap();
        (config, identity)
    }

    /// Answers a byte by another; when told, ends the session and leaves the connection open.
    fn serve(listener: &TcpListener, config: ServerConfig, told: &Receiver<()>) {
        let (tcp, _) = listener.accept().unwrap();
        let session = ServerConnection::new(Arc::new(config)).unwrap();
        let mut stream = StreamOwned::new(session, tcp);
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        stream.write_all(b"b").unwrap();
        told.recv().unwrap();
        stream.conn.send_close_notify();
        stream.flush().unwrap();
        // Until the client is done.
        assert!(told.recv().is_err());
    }

    /// Waits, without the runtime, until bytes have come.
    fn await_bytes(stream: &Stream) {
        let Stream::Tls(tls) = stream else {
            panic!("it is TLS over TCP");
        };
        let mut byte = [MaybeUninit::uninit()];
        while SockRef::from(tls.get_ref().0.get_ref())
            .peek(&mut byte)
            .is_err()
        {
            std::thread::yield_now();
        }
    }

    #[tokio::test]
    async fn a_session_that_was_ended_is_told_from_one_with_news() {
        for version in [&version::TLS12, &version::TLS13] {
            let (config, identity) = server(version);
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let address = listener.local_addr().unwrap();
            let (tell, told) = channel();
            let server = std::thread::spawn(move || serve(&listener, config, &told));
            let origin = Origin::parse(&format!("https://{address}")).unwrap();
            let tcp = TcpStream::connect(address).await.unwrap();
            let tls = Tls::new(identity);
            let session = tls.connect(&origin, buffered(tcp)).await.unwrap();
            let mut stream = Stream::Tls(Box::new(session));
            if version.version == rustls::ProtocolVersion::TLSv1_3 {
                // Tickets come by themselves, and are no end.
                await_bytes(&stream);
            }
            assert!(!stream.is_dead());
            stream.write_all(b"a").await.unwrap();
            stream.flush().await.unwrap();
            assert_eq!(stream.read_u8().await.unwrap(), b'b');
            assert!(!stream.is_dead());
            tell.send(()).unwrap();
            await_bytes(&stream);
            assert!(stream.is_dead(), "{version:?}");
            drop(tell);
            server.join().unwrap();
        }
    }
}
