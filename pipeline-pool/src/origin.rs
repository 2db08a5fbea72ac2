//! Where requests go: scheme, host and port.

use std::fmt;
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::error::{Error, Kind};

/// A server to talk to, as scheme, host and port; connections are pooled per origin.
///
/// Cheap to clone. [`authority`](Self::authority) is the one source for the `Host` header and
/// for whatever a signature covers of it.
#[derive(Clone)]
pub struct Origin(Arc<Parts>);

struct Parts {
    scheme: &'static str,
    tls: bool,
    host: String,
    port: u16,
    authority: String,
    unix: Option<PathBuf>,
    hash: u64,
}

impl Origin {
    /// Reads `http://host[:port]` or `https://host[:port]`; one trailing `/` is allowed.
    ///
    /// # Errors
    /// [`Kind::Invalid`] for another scheme, an empty host, a bad port, user info, a path or a query.
    pub fn parse(uri: &str) -> Result<Self, Error> {
        let bad = |why: &str| Error::new(Kind::Invalid, format!("bad endpoint {uri:?}: {why}"));
        let (tls, rest) = match uri.split_once("://") {
            Some((s, rest)) if s.eq_ignore_ascii_case("http") => (false, rest),
            Some((s, rest)) if s.eq_ignore_ascii_case("https") => (true, rest),
            _ => return Err(bad("it must begin with http:// or https://")),
        };
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        if rest.contains('@') {
            return Err(Error::new(
                Kind::Invalid,
                "bad endpoint: user info is not allowed in it",
            ));
        }
        if rest.contains(['/', '?', '#']) {
            return Err(bad("it must end after the host and port"));
        }
        let (host, port) = match rest.strip_prefix('[') {
            Some(v6) => {
                let (host, tail) = v6.split_once(']').ok_or_else(|| bad("missing ]"))?;
                if host.parse::<std::net::Ipv6Addr>().is_err() {
                    return Err(bad("not an IPv6 address"));
                }
                (
                    host,
                    tail.strip_prefix(':').or(tail.is_empty().then_some("")),
                )
            }
            None => match rest.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (rest, Some("")),
            },
        };
        let default = if tls { 443 } else { 80 };
        let port = match port {
            Some("") if rest.ends_with(':') => return Err(bad("the port is empty")),
            Some("") => default,
            Some(p) if p.bytes().all(|b| b.is_ascii_digit()) => match p.parse::<u16>() {
                Ok(p) if p != 0 => p,
                _ => return Err(bad("the port must be 1 to 65535")),
            },
            _ => return Err(bad("the port is not a number")),
        };
        if host.is_empty() || !host.bytes().all(legal) {
            return Err(bad("the host is empty or has an illegal character"));
        }
        let scheme = if tls { "https" } else { "http" };
        Ok(Self::build(
            scheme,
            tls,
            host.to_ascii_lowercase(),
            port,
            None,
        ))
    }

    /// The origin of this scheme, host and port, without reading a text.
    ///
    /// # Errors
    /// As [`parse`](Self::parse).
    pub fn new(tls: bool, host: &str, port: u16) -> Result<Self, Error> {
        let scheme = if tls { "https" } else { "http" };
        if host.contains(':') {
            Self::parse(&format!("{scheme}://[{host}]:{port}"))
        } else {
            Self::parse(&format!("{scheme}://{host}:{port}"))
        }
    }

    /// A server that listens on a unix socket; `host` is what the `Host` header says, a name or
    /// an address without a port.
    ///
    /// # Errors
    /// [`Kind::Invalid`] for a host that [`parse`](Self::parse) would refuse.
    pub fn unix(path: impl AsRef<Path>, host: &str) -> Result<Self, Error> {
        let named = Self::new(false, host, 80)?;
        let path = Some(path.as_ref().to_path_buf());
        Ok(Self::build("http", false, named.0.host.clone(), 80, path))
    }

    /// A server of another protocol, which is named by `scheme` in errors and events; `host` is a
    /// name or an address, IPv6 without brackets.
    ///
    /// # Errors
    /// [`Kind::Invalid`] for an empty host, one with an illegal character, or port 0.
    pub fn other(scheme: &'static str, tls: bool, host: &str, port: u16) -> Result<Self, Error> {
        // An address of a link names its zone after a percent sign (RFC 4007, 11).
        let bare = host.split_once('%').map_or(
            host,
            |(address, zone)| {
                if zone.is_empty() { "" } else { address }
            },
        );
        Self::new(tls, bare, port)?;
        if !host.bytes().all(|b| legal(b) || b == b'%') {
            let text = format!("bad host {host:?}: it has an illegal character");
            return Err(Error::new(Kind::Invalid, text));
        }
        let host = host.to_ascii_lowercase();
        Ok(Self::build(scheme, tls, host, port, None))
    }

    /// A server of another protocol that listens on a unix socket.
    pub fn other_unix(scheme: &'static str, path: impl AsRef<Path>) -> Self {
        let path = Some(path.as_ref().to_path_buf());
        Self::build(scheme, false, "localhost".to_owned(), 0, path)
    }

    fn build(
        scheme: &'static str,
        tls: bool,
        host: String,
        port: u16,
        unix: Option<PathBuf>,
    ) -> Self {
        let shown = if host.contains(':') {
            format!("[{host}]")
        } else {
            host.clone()
        };
        let implied = matches!((scheme, port), ("http", 80) | ("https", 443));
        let authority = if implied {
            shown
        } else {
            format!("{shown}:{port}")
        };
        let hash = BuildHasherDefault::<DefaultHasher>::default().hash_one((
            scheme,
            tls,
            host.as_str(),
            port,
            &unix,
        ));
        Self(Arc::new(Parts {
            scheme,
            tls,
            host,
            port,
            authority,
            unix,
            hash,
        }))
    }

    /// Tells whether connections use TLS.
    pub fn is_tls(&self) -> bool {
        self.0.tls
    }

    /// The host: a name or an address (IPv6 without brackets), in lower case.
    pub fn host(&self) -> &str {
        &self.0.host
    }

    /// The port, also when it is the scheme's default.
    pub fn port(&self) -> u16 {
        self.0.port
    }

    /// What the `Host` header says: the port only when it is not the scheme's default
    /// ([RFC 9110, 7.2](https://www.rfc-editor.org/rfc/rfc9110#section-7.2)).
    pub fn authority(&self) -> &str {
        &self.0.authority
    }

    /// The socket file, for an origin made by [`unix`](Self::unix).
    pub fn unix_path(&self) -> Option<&Path> {
        self.0.unix.as_deref()
    }
}

fn legal(b: u8) -> bool {
    b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_' | b':')
}

impl PartialEq for Origin {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
            || (self.0.hash == other.0.hash
                && self.0.scheme == other.0.scheme
                && self.0.tls == other.0.tls
                && self.0.host == other.0.host
                && self.0.port == other.0.port
                && self.0.unix == other.0.unix)
    }
}

impl Eq for Origin {}

impl Hash for Origin {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.0.hash);
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0.unix {
            Some(path) => write!(f, "unix:{}", path.display()),
            None => write!(f, "{}://{}", self.0.scheme, self.0.authority),
        }
    }
}

impl fmt::Debug for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Origin({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn authority_leaves_out_default_ports() {
        for (uri, authority) in [
            ("http://a.example", "a.example"),
            ("http://A.example:80/", "a.example"),
            ("https://a.example:443", "a.example"),
            ("https://a.example:80", "a.example:80"),
            ("http://127.0.0.1:9000", "127.0.0.1:9000"),
            ("http://[::1]:9000", "[::1]:9000"),
            ("HTTPS://[::1]", "[::1]"),
        ] {
            assert_eq!(
                Origin::parse(uri).unwrap().authority(),
                authority,
                "for {uri}"
            );
        }
    }

    #[test]
    fn nonsense_is_refused_by_name() {
        for uri in [
            "",
            "a",
            "ftp://a",
            "http://",
            "http://:80",
            "http://a:",
            "http://a:0",
            "http://a:65536",
            "http://a:+1",
            "http://a/b",
            "http://a?b",
            "http://a b",
            "http://[::1",
            "http://[x]",
            "http://[::1]x",
            "http://u:p@a",
            "http://a\r\nb",
        ] {
            let error = Origin::parse(uri).expect_err(uri);
            assert_eq!(error.kind(), Kind::Invalid);
        }
        let shown = Origin::parse("http://me:hidden@a").unwrap_err().to_string();
        assert!(!shown.contains("hidden"));
    }

    #[test]
    fn equal_origins_are_one_key() {
        let a = Origin::parse("http://a:80").unwrap();
        let b = Origin::parse("http://A").unwrap();
        assert_eq!(a, b);
        assert_ne!(a, Origin::parse("https://a").unwrap());
        assert_ne!(a, Origin::unix("/tmp/s", "a").unwrap());
        assert!(Origin::unix("/tmp/s", "a\r\nb").is_err());
    }

    #[test]
    fn other_protocols_have_a_name_and_always_a_port() {
        for (host, port, shown) in [
            ("a.example", 80, "memcached://a.example:80"),
            ("::1", 11211, "memcached://[::1]:11211"),
            ("fe80::1%eth0", 1, "memcached://[fe80::1%eth0]:1"),
        ] {
            let origin = Origin::other("memcached", false, host, port).unwrap();
            assert_eq!(origin.to_string(), shown);
            assert_ne!(origin, Origin::new(false, "a.example", 80).unwrap());
        }
        let unix = Origin::other_unix("memcached", "/run/m.sock");
        assert_eq!(unix.to_string(), "unix:/run/m.sock");
        for (host, port) in [
            ("", 1),
            ("a", 0),
            ("a b", 1),
            ("a%", 1),
            ("a%b c", 1),
            ("a/b", 1),
        ] {
            assert!(
                Origin::other("memcached", false, host, port).is_err(),
                "{host}"
            );
        }
    }
}
