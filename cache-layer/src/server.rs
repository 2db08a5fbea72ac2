//! A memcached server: where it is, and its weight.

use std::error::Error;
use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;
use std::str::FromStr;

/// The port memcached listens on unless told otherwise: 11211.
///
/// A port is never implied here, but [`Mode::KetamaWeighted`](crate::Mode::KetamaWeighted)
/// leaves this one out of the text it hashes.
pub const DEFAULT_PORT: u16 = 11211;

// RFC 1035 section 2.3.4, less the root dot.
const MAX_NAME: usize = 253;

// What `sun_path` holds on Linux, less the final zero.
const MAX_PATH: usize = 107;

/// A memcached server: a host and a TCP port, or a unix socket; and a weight.
///
/// The host is kept exactly as written, since a ring hashes that text: `cache-a` and
/// `CACHE-A` reach one machine but make different rings. Names may hold ASCII letters,
/// digits, `-`, `_` and `.`, at most 253 of them; write an internationalised name in its
/// `xn--` form. An IPv6 address stands in brackets before a port, as in
/// [RFC 3986](https://www.rfc-editor.org/rfc/rfc3986#section-3.2.2), and may name a zone:
/// `[fe80::1%eth0]:11211`.
///
/// The weight is the server's share of the keys relative to the others; memory in
/// megabytes is the customary unit. It is never 0. [`FromStr`] takes `host:port`, with
/// weight 1, and `host:port weight`, with blanks or tabs between. `Display` writes
/// `host:port`, without the weight.
///
/// A text that begins with `/` is the path of a unix socket, without a port. Rings hash it as
/// libmemcached does, as a host of that name with port 0.
///
/// ```
/// use cache_layer::Server;
///
/// let plain: Server = "cache-a.example:11211".parse()?;
/// assert_eq!(plain.weight(), 1);
///
/// let heavy: Server = "[::1]:11212 600".parse()?;
/// assert_eq!((heavy.host(), heavy.port(), heavy.weight()), ("::1", 11212, 600));
/// assert_eq!(heavy.to_string(), "[::1]:11212");
/// # Ok::<(), cache_layer::ServerError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Server {
    host: String,
    /// 0 for a unix socket, and for nothing else.
    port: u16,
    weight: NonZeroU32,
}

/// Where a server listens, as read and not yet checked.
pub(crate) enum Place<'a> {
    Tcp(&'a str, u16),
    Unix(&'a str),
}

impl Server {
    /// A server from its parts. An IPv6 host may come with or without brackets.
    ///
    /// # Errors
    ///
    /// [`ServerError::Host`], [`ServerError::Port`] if `port` is 0, or
    /// [`ServerError::Weight`] if `weight` is 0.
    pub fn new(host: &str, port: u16, weight: u32) -> Result<Self, ServerError> {
        let bare = host
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'));
        let valid = match bare {
            Some(inner) => is_ipv6(inner),
            None => is_ipv6(host) || is_name(host),
        };
        if !valid {
            return Err(ServerError::Host(host.to_owned()));
        }
        if port == 0 {
            return Err(ServerError::Port("0".to_owned()));
        }
        let weight = NonZeroU32::new(weight).ok_or_else(|| ServerError::Weight("0".to_owned()))?;
        Ok(Self {
            host: bare.unwrap_or(host).to_owned(),
            port,
            weight,
        })
    }

    /// A server that listens on a unix socket: an absolute path, at most 107 bytes, without
    /// blanks and control characters.
    ///
    /// # Errors
    ///
    /// [`ServerError::Host`], or [`ServerError::Weight`] if `weight` is 0.
    pub fn unix(path: &str, weight: u32) -> Result<Self, ServerError> {
        let plain = path.bytes().all(|b| b > b' ' && b != 0x7f);
        if !path.starts_with('/') || path.len() > MAX_PATH || !plain {
            return Err(ServerError::Host(path.to_owned()));
        }
        let weight = NonZeroU32::new(weight).ok_or_else(|| ServerError::Weight("0".to_owned()))?;
        Ok(Self {
            host: path.to_owned(),
            port: 0,
            weight,
        })
    }

    pub(crate) fn at(place: &Place<'_>, weight: u32) -> Result<Self, ServerError> {
        match *place {
            Place::Tcp(host, port) => Self::new(host, port, weight),
            Place::Unix(path) => Self::unix(path, weight),
        }
    }

    /// The path, for a unix socket.
    pub fn unix_path(&self) -> Option<&str> {
        (self.port == 0).then_some(&self.host)
    }

    /// The host name or address, an IPv6 address without its brackets; for a unix socket its
    /// path.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The TCP port, 1 to 65535; 0 for a unix socket.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The weight, at least 1.
    pub fn weight(&self) -> u32 {
        self.weight.get()
    }

    /// Host and port as libmemcached writes them, a unix socket with port 0.
    pub(crate) fn ring_text(&self) -> String {
        format!("{}:{}", self.host_text(), self.port)
    }

    /// The host as it stands before a port: an IPv6 address in brackets.
    pub(crate) fn host_text(&self) -> impl fmt::Display {
        HostText(&self.host)
    }

    /// Equal for two servers that are one endpoint, however they are spelt.
    pub(crate) fn endpoint(&self) -> (String, u16) {
        let host = match self.host.parse::<IpAddr>() {
            Ok(address) => address.to_string(),
            Err(_) if self.port == 0 => self.host.clone(),
            Err(_) => self.host.to_ascii_lowercase(),
        };
        (host, self.port)
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.unix_path() {
            Some(path) => f.write_str(path),
            None => write!(f, "{}:{}", self.host_text(), self.port),
        }
    }
}

impl FromStr for Server {
    type Err = ServerError;

    fn from_str(text: &str) -> Result<Self, ServerError> {
        let (place, weight) = parse(text)?;
        Self::at(&place, weight.unwrap_or(1))
    }
}

struct HostText<'a>(&'a str);

impl fmt::Display for HostText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.contains(':') {
            write!(f, "[{}]", self.0)
        } else {
            f.write_str(self.0)
        }
    }
}

/// The place, and the weight if there is one; the host is not checked.
pub(crate) fn parse(text: &str) -> Result<(Place<'_>, Option<u32>), ServerError> {
    let mut fields = text.split_ascii_whitespace();
    let address = fields.next().ok_or(ServerError::Empty)?;
    let weight = fields.next();
    if let Some(rest) = fields.next() {
        return Err(ServerError::Trailing(rest.to_owned()));
    }

    let weight = weight
        .map(|w| number(w).ok_or_else(|| ServerError::Weight(w.to_owned())))
        .transpose();
    if address.starts_with('/') {
        return Ok((Place::Unix(address), weight?));
    }
    let (host, port) = address.rsplit_once(':').ok_or(ServerError::NoPort)?;
    if port.ends_with(']') {
        return Err(ServerError::NoPort);
    }
    if host.ends_with(':') || (host.contains(':') && !host.starts_with('[')) {
        return Err(ServerError::Host(address.to_owned()));
    }
    let port = number(port).ok_or_else(|| ServerError::Port(port.to_owned()))?;
    Ok((Place::Tcp(host, port), weight?))
}

// `FromStr` alone would let "+11211" and "011211" through, which libketama hashes as
// other servers than "11211".
fn number<N: FromStr>(text: &str) -> Option<N> {
    let canonical = text.bytes().all(|b| b.is_ascii_digit()) && !text.starts_with('0');
    if canonical { text.parse().ok() } else { None }
}

fn is_name(host: &str) -> bool {
    (1..=MAX_NAME).contains(&host.len())
        && host
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
}

fn is_ipv6(host: &str) -> bool {
    let (address, zone) = match host.split_once('%') {
        Some((address, zone)) => (address, Some(zone)),
        None => (host, None),
    };
    address.parse::<Ipv6Addr>().is_ok() && zone.is_none_or(is_name)
}

/// Why a text or its parts are not a [`Server`].
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ServerError {
    /// The entry has no text.
    Empty,
    /// No `:port` after the host.
    NoPort,
    /// Not a host name or an address, or an IPv6 address without brackets.
    Host(String),
    /// Not a port: 1 to 65535, in digits, with no leading zero.
    Port(String),
    /// Not a weight: 1 to 4294967295, in digits, with no leading zero.
    Weight(String),
    /// A weight is wanted, and there is none.
    NoWeight,
    /// Something stands after the weight.
    Trailing(String),
}

impl fmt::Display for ServerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("no server, want host:port"),
            Self::NoPort => f.write_str("no port, want host:port"),
            Self::Host(text) => write!(
                f,
                "bad host {text:?}, want a name, an IPv4 address, an [IPv6 address] or a /path"
            ),
            Self::Port(text) => write!(f, "bad port {text:?}, want 1 to 65535"),
            Self::Weight(text) => write!(f, "bad weight {text:?}, want 1 to {}", u32::MAX),
            Self::NoWeight => f.write_str("no weight, want host:port weight"),
            Self::Trailing(text) => write!(f, "unexpected {text:?} after the weight"),
        }
    }
}

impl Error for ServerError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn fail(text: &str) -> ServerError {
        text.parse::<Server>().unwrap_err()
    }

    #[test]
    fn parses_addresses_and_weights() {
        for (text, host, port, weight) in [
            ("10.0.1.1:11211", "10.0.1.1", 11211, 1),
            ("10.0.1.1:11211 600", "10.0.1.1", 11211, 600),
            ("10.0.1.1:1\t600", "10.0.1.1", 1, 600),
            (
                "  a_b-c.example.:65535 \t 4294967295 ",
                "a_b-c.example.",
                65535,
                u32::MAX,
            ),
            ("[::1]:11211", "::1", 11211, 1),
            ("[2001:DB8::1]:11212 3", "2001:DB8::1", 11212, 3),
            ("[fe80::1%eth0]:11211", "fe80::1%eth0", 11211, 1),
        ] {
            let server: Server = text.parse().unwrap();
            assert_eq!(
                (server.host(), server.port(), server.weight()),
                (host, port, weight),
                "{text}"
            );
        }
    }

    #[test]
    fn display_is_the_address_as_written() {
        for text in ["10.0.1.1:11211", "Cache-A.example:1", "[2001:DB8::1]:11211"] {
            assert_eq!(text.parse::<Server>().unwrap().to_string(), text);
        }
        assert_eq!(Server::new("::1", 11211, 1), Server::new("[::1]", 11211, 1));
    }

    #[test]
    fn refuses_what_is_not_a_server() {
        use ServerError::{Empty, Host, NoPort, Port, Trailing, Weight};
        for (text, want) in [
            ("", Empty),
            (" \t", Empty),
            ("10.0.1.1", NoPort),
            ("[::1]", NoPort),
            ("::1", Host("::1".into())),
            ("::1:11211", Host("::1:11211".into())),
            ("a::11211", Host("a::11211".into())),
            (":11211", Host(String::new())),
            ("[]:11211", Host("[]".into())),
            ("[::1:11211", Host("[::1".into())),
            ("[::1", Host("[::1".into())),
            ("[10.0.1.1]:11211", Host("[10.0.1.1]".into())),
            ("[::1%]:11211", Host("[::1%]".into())),
            ("a/b:11211", Host("a/b".into())),
            ("a\0b:11211", Host("a\0b".into())),
            ("caché:11211", Host("caché".into())),
            ("a:", Port(String::new())),
            ("a:0", Port("0".into())),
            ("a:011211", Port("011211".into())),
            ("a:+11211", Port("+11211".into())),
            ("a:65536", Port("65536".into())),
            ("a:1 0", Weight("0".into())),
            ("a:1 -1", Weight("-1".into())),
            ("a:1 4294967296", Weight("4294967296".into())),
            ("a:1 1.5", Weight("1.5".into())),
            ("a:1 1 #", Trailing("#".into())),
        ] {
            assert_eq!(fail(text), want, "{text:?}");
        }
        let long = "a".repeat(254);
        assert_eq!(fail(&format!("{long}:1")), Host(long));
        assert_eq!(Server::new("a", 0, 1), Err(Port("0".into())));
        assert_eq!(Server::new("a", 1, 0), Err(Weight("0".into())));
        assert_eq!(Server::new("a:1", 1, 1), Err(Host("a:1".into())));
    }

    #[test]
    fn a_path_is_a_unix_socket() {
        let server: Server = "/run/memcached.sock 5".parse().unwrap();
        assert_eq!(server.unix_path(), Some("/run/memcached.sock"));
        assert_eq!((server.port(), server.weight()), (0, 5));
        assert_eq!(server.to_string(), "/run/memcached.sock");
        assert_eq!(server.ring_text(), "/run/memcached.sock:0");
        assert_eq!("a:1".parse::<Server>().unwrap().unix_path(), None);
        let other = Server::unix("/RUN/memcached.sock", 5).unwrap();
        assert_ne!(server.endpoint(), other.endpoint());
        for path in [
            "run/m.sock",
            "",
            "/a b",
            "/a\n",
            &format!("/{}", "a".repeat(107)),
        ] {
            assert_eq!(Server::unix(path, 1), Err(ServerError::Host(path.into())));
        }
        assert_eq!(Server::unix("/a", 0), Err(ServerError::Weight("0".into())));
        assert_eq!(fail("/a x"), ServerError::Weight("x".into()));
    }
}
