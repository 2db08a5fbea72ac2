//! A transport over the `reqwest` crate (cargo feature `reqwest`, off by default).
//!
//! For programs that have reqwest anyway, or need what it knows and the pool does not: HTTP/2 where a server
//! offers it over TLS, and the proxies that the system or the environment (`HTTPS_PROXY`, `NO_PROXY`, …) names.
//!
//! What it costs beside [`HttpPool`](pipeline_pool::HttpPool):
//!
//! - some 65 crates to build, among them hyper, h2, url with the tables of ICU, and a verifier of the
//!   platform's certificates that reqwest brings and [`Reqwest::new`] does not use;
//! - no pipelining: over HTTP/1.1 each request in flight has a connection, and nothing bounds how many;
//! - targets that the URL standard rewrites are [refused](Reqwest#targets);
//! - fields of reqwest's own in requests (`accept: */*`, unless the request has one), and names of fields in
//!   lower case in answers.
//!
//! TLS is rustls with ring: nothing of it is written in C but ring's own parts.

mod download;
mod failure;
mod target;
mod upload;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use ::reqwest::header::{HeaderName, HeaderValue};
use ::reqwest::{Method, redirect, retry};
use pipeline_pool::{Body, Error, Head, Kind, Origin, Request, Response, Sent};

use super::{ResponseFuture, Transport};
use crate::error::Result;

pub use ::reqwest::{Client, ClientBuilder, NoProxy, Proxy};

/// Fields that the head of an answer may have. S3 bounds the metadata of an object by 2 KB, and with
/// names as short as they can be that is a little over a thousand entries.
const MAX_FIELDS: usize = 1280;
/// Bytes that the head of an answer may have in HTTP/2, as the pool allows by default in HTTP/1.1.
const MAX_HEAD: u32 = 64 << 10;
/// Bodies of up to this many bytes are here whole when the answer is.
const MAX_WHOLE_BODY: u64 = 64 << 10;
/// Fields whose values must not show anywhere, nor enter the tables of HTTP/2's compression.
const SECRET_FIELDS: [&str; 3] = ["authorization", "cookie", "x-amz-security-token"];

/// Carries requests by a reqwest [`Client`]; cheap to clone.
///
/// ```no_run
/// # fn main() -> aws_core::Result<()> {
/// use aws_core::transport::Reqwest;
///
/// let mut builder = aws_core::Dispatch::builder();
/// builder.transport(Reqwest::new()?);
/// # Ok(()) }
/// ```
///
/// # Targets
///
/// Signatures cover the target of a request, so it goes out byte for byte or not at all. A URL, which reqwest
/// insists on, cannot say everything that HTTP can: it resolves segments `.` and `..` (also written `%2e`), takes
/// `\` for `/`, and percent-encodes ``"<>`{}`` in paths and `"<>'` in queries. Such targets, `*`, and hosts that a
/// URL writes in another way (`127.1`) are refused with [`Kind::Invalid`]; empty segments (`//`) are fine. For S3
/// this means that an object whose key has a segment `.` or `..` is out of reach over this transport; the pool
/// reaches it.
///
/// # Sending once
///
/// No redirect is followed, no body is decompressed, and no answer makes reqwest send again. One repetition
/// remains, and has no switch: when an idle connection turns out to be dead before the first byte of a request
/// was written to it, hyper takes the request to another. Nothing reaches a server twice by that, so it is done
/// for requests that are not [repeatable](Request::is_repeatable) too, streamed ones included.
///
/// # Times
///
/// [`Request::timeout`] and [`Request::deadline`] are left to the caller, which is [`Dispatch`](crate::Dispatch).
/// A server that pauses for more than 30 s within a streamed body ends it with [`Kind::Timeout`].
///
/// # Errors
///
/// [`Kind::Invalid`] for unix sockets and targets as above; [`Kind::Connect`], with [`Sent::No`], when no
/// connection came about, that to a proxy included; [`Kind::Body`] when the request's body failed or was not as
/// long as it said; [`Kind::Protocol`] for an answer that is not HTTP; [`Kind::Timeout`] and [`Kind::Closed`]
/// as they say. Once a connection stands, reqwest cannot tell how much was written: [`Sent::Part`], or
/// [`Sent::All`] when the answer had begun. URLs, which may hold signatures, do not show in any of them.
#[derive(Clone)]
pub struct Reqwest {
    client: Client,
}

impl Reqwest {
    /// The transport with the settings of [`client_builder`](Self::client_builder).
    ///
    /// # Errors
    /// As [`client_builder`](Self::client_builder), and when reqwest cannot build a client of it.
    pub fn new() -> Result<Self> {
        let client = Self::client_builder()?.build();
        let client = client.map_err(|e| failure::refused(&e))?;
        Ok(Self { client })
    }

    /// The settings that this transport needs, to add to before [`From<Client>`](#impl-From<Client>-for-Reqwest):
    /// a proxy, say.
    ///
    /// Redirects, retries, `referer` and decompression are off. Server certificates are checked by rustls and
    /// ring against the roots that Mozilla ships; HTTP/2 is offered. The head of an answer may have 1,280
    /// fields, which the 2 KB of an object's metadata cannot exceed. Opening a connection may take 5 s, and one
    /// is kept idle for 15 s: S3 closes after about 20 s. Proxies are those of the system unless
    /// [`no_proxy`](ClientBuilder::no_proxy) is called.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use aws_core::transport::reqwest::{Proxy, Reqwest};
    ///
    /// let builder = Reqwest::client_builder()?.proxy(Proxy::all("http://proxy.example:3128")?);
    /// let transport = Reqwest::from(builder.build()?);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`Kind::Invalid`](crate::Kind::Invalid) when TLS cannot be set up.
    pub fn client_builder() -> Result<ClientBuilder> {
        Ok(Client::builder()
            .tls_backend_preconfigured(tls()?)
            .redirect(redirect::Policy::none())
            .retry(retry::never())
            .referer(false)
            .no_gzip()
            .no_brotli()
            .no_zstd()
            .no_deflate()
            .http1_max_headers(MAX_FIELDS)
            .http2_max_header_list_size(MAX_HEAD)
            .connect_timeout(Duration::from_secs(5))
            .pool_idle_timeout(Duration::from_secs(15)))
    }
}

/// Takes a client as it is.
///
/// Its settings cannot be looked at, so whoever made it answers for them:
/// [`client_builder`](Reqwest::client_builder) sets what is needed. Retries, decompression and total timeouts
/// (which end large bodies) must be off; an answer that came by a redirect is refused with [`Kind::Protocol`].
impl From<Client> for Reqwest {
    fn from(client: Client) -> Self {
        Self { client }
    }
}

impl Transport for Reqwest {
    fn send(&self, origin: &Origin, request: Request) -> ResponseFuture {
        match Outgoing::new(origin, request) {
            Ok(outgoing) => {
                let (client, origin) = (self.client.clone(), origin.clone());
                ResponseFuture::new(async move { outgoing.send(&client, &origin).await })
            }
            Err(error) => ResponseFuture::ready(Err(error)),
        }
    }
}

/// Shows nothing of the client: its proxies may have passwords.
impl fmt::Debug for Reqwest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reqwest").finish_non_exhaustive()
    }
}

fn tls() -> Result<rustls::ClientConfig> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let roots = rustls::RootCertStore {
        roots: webpki_roots::TLS_SERVER_ROOTS.into(),
    };
    let mut config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|e| crate::Error::invalid("TLS cannot be set up").with_source(e))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

/// A request in reqwest's terms.
struct Outgoing {
    request: ::reqwest::Request,
    /// What went wrong with a streamed body: over HTTP/2, hyper does not pass it on.
    fault: upload::Fault,
}

impl Outgoing {
    fn new(origin: &Origin, mut request: Request) -> Result<Self, Error> {
        let url = target::url(origin, request.target())?;
        let method = Method::from_bytes(request.method().as_str().as_bytes())
            .map_err(|e| Error::new(Kind::Invalid, "the method is not known").with_source(e))?;
        // Without it, hyper says nothing of an empty body, and S3 insists on a length.
        let says_length = matches!(method, Method::PUT | Method::POST);
        let mut outgoing = ::reqwest::Request::new(method, url);
        let headers = outgoing.headers_mut();
        for (name, value) in request.headers() {
            // Made from the URL, which has been compared with the origin.
            if name.eq_ignore_ascii_case("host") {
                continue;
            }
            let field = HeaderName::from_bytes(name.as_bytes());
            let (Ok(field), Ok(mut value)) = (field, HeaderValue::from_bytes(value.as_bytes()))
            else {
                return Err(Error::new(
                    Kind::Invalid,
                    format!("reqwest refuses the header {name}"),
                ));
            };
            value.set_sensitive(SECRET_FIELDS.contains(&field.as_str()));
            headers.append(field, value);
        }
        if let (true, Some(len)) = (says_length, request.body_len()) {
            headers.insert(::reqwest::header::CONTENT_LENGTH, len.into());
        }
        let len = request.body_len();
        let body = request.take_body();
        let fault = upload::Fault::default();
        *outgoing.body_mut() = match body.as_whole() {
            Some(bytes) if bytes.is_empty() => None,
            Some(bytes) => Some(bytes.clone().into()),
            None => {
                let upload = upload::Upload::new(body, len, fault.clone());
                Some(::reqwest::Body::wrap(upload))
            }
        };
        Ok(Self {
            request: outgoing,
            fault,
        })
    }

    async fn send(self, client: &Client, origin: &Origin) -> Result<Response, Error> {
        if tokio::runtime::Handle::try_current().is_err() {
            return Err(Error::new(Kind::NoRuntime, "there is no tokio runtime"));
        }
        let Self { request, fault } = self;
        let url = request.url().clone();
        let bodiless = request.method() == Method::HEAD;
        let response = match client.execute(request).await {
            Ok(response) => response,
            Err(error) => {
                let own = fault.take();
                return Err(own.unwrap_or_else(|| failure::unanswered(&error, origin)));
            }
        };
        if *response.url() != url {
            let error = Error::new(Kind::Protocol, "the client followed a redirect");
            return Err(error.with_sent(Sent::All));
        }
        let headers = response.headers().iter();
        let head = Head::new(
            response.status().as_u16(),
            headers.map(|(name, value)| (name.as_str(), value.as_bytes())),
        );
        let body = match response.content_length() {
            // What the length says is not here.
            _ if bodiless => Body::empty(),
            Some(0) => Body::empty(),
            Some(n) if n <= MAX_WHOLE_BODY => {
                let bytes = response.bytes().await;
                bytes.map_err(|e| failure::answered(&e))?.into()
            }
            len => Body::from_stream(len, download::Download::new(response.into())),
        };
        Ok(Response::new(head, body))
    }
}
