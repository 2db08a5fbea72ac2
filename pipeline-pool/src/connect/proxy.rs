//! Proxies, and when to go without.

use std::fmt;

use super::bypass::Bypass;
use crate::error::{Error, Kind};
use crate::origin::Origin;

/// Which proxy connections go through, if any.
///
/// Every connection through a proxy is a tunnel made by `CONNECT`
/// ([RFC 9110, 9.3.6](https://www.rfc-editor.org/rfc/rfc9110#section-9.3.6)), to `http` origins
/// too: requests on it are as they would be without, and TLS and signatures reach from end to
/// end. Some proxies allow tunnels to port 443 only.
///
/// Unix sockets need no proxy, and a [connector](crate::HttpPoolBuilder::connector) goes its own
/// ways.
///
/// ```
/// use pipeline_pool::{HttpPool, Proxy};
///
/// # fn main() -> Result<(), pipeline_pool::Error> {
/// let proxy = Proxy::http("http://me:secret@proxy.example:3128")?.bypass("localhost, 10.0.0.0/8");
/// assert!(!format!("{proxy:?}").contains("secret"));
/// let pool = HttpPool::builder().proxy(proxy).build();
/// # drop(pool);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default)]
pub struct Proxy {
    pub(crate) http: Option<Via>,
    pub(crate) https: Option<Via>,
    bypass: Bypass,
}

/// One proxy.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Via {
    pub(crate) host: String,
    pub(crate) port: u16,
    /// The value of `Proxy-Authorization`.
    pub(crate) authorization: Option<String>,
}

impl fmt::Debug for Via {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let user = if self.authorization.is_some() {
            "***@"
        } else {
            ""
        };
        write!(f, "http://{user}{}", self.name())
    }
}

impl Via {
    /// Host and port, without what is secret.
    pub(crate) fn name(&self) -> String {
        match self.host.contains(':') {
            true => format!("[{}]:{}", self.host, self.port),
            false => format!("{}:{}", self.host, self.port),
        }
    }

    /// Reads `[http://][user[:password]@]host[:port][/]`.
    fn parse(uri: &str) -> Result<Self, Error> {
        // What is wrong is not shown: it may hold a password.
        let bad = |why: &str| Error::new(Kind::Invalid, format!("bad proxy: {why}"));
        let rest = match uri.trim().split_once("://") {
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("http") => rest,
            Some(_) => return Err(bad("only http:// proxies are spoken to")),
            None => uri.trim(),
        };
        let (user, place) = match rest.rsplit_once('@') {
            Some((user, place)) => (Some(user), place),
            None => (None, rest),
        };
        let origin = Origin::parse(&format!("http://{place}"))
            .map_err(|_| bad("it is not http://[user[:password]@]host[:port]"))?;
        let authorization = match user {
            None | Some("") => None,
            Some(user) => Some(basic(user).ok_or_else(|| bad("a % escape in its user info"))?),
        };
        Ok(Self {
            host: origin.host().to_owned(),
            port: origin.port(),
            authorization,
        })
    }
}

impl Proxy {
    /// Has all connections go through this proxy, `http` and `https` ones, except for what is
    /// [bypassed](Self::bypass): `http://[user[:password]@]host[:port]`, port 80 if none is said.
    ///
    /// User and password, with their `%` escapes resolved, are sent as `Proxy-Authorization: Basic`
    /// ([RFC 7617](https://www.rfc-editor.org/rfc/rfc7617)), and are in no error and no `Debug`
    /// text.
    ///
    /// # Errors
    /// [`Kind::Invalid`] for anything else, proxies that want TLS or SOCKS included.
    pub fn http(uri: &str) -> Result<Self, Error> {
        let via = Via::parse(uri)?;
        Ok(Self {
            http: Some(via.clone()),
            https: Some(via),
            bypass: Bypass::default(),
        })
    }

    /// What the process's environment says; see [`from_vars`](Self::from_vars).
    ///
    /// # Errors
    /// As [`from_vars`](Self::from_vars).
    pub fn from_env() -> Result<Self, Error> {
        // One that is no UTF-8 is there all the same, and no proxy.
        Self::from_vars(|name| Some(std::env::var_os(name)?.to_string_lossy().into_owned()))
    }

    /// What these variables say; those that are empty count as not set.
    ///
    /// | for | the first of |
    /// |---|---|
    /// | `http` origins | `http_proxy`, `HTTP_PROXY`, `all_proxy`, `ALL_PROXY` |
    /// | `https` origins | `https_proxy`, `HTTPS_PROXY`, `all_proxy`, `ALL_PROXY` |
    /// | [bypasses](Self::bypass) | `no_proxy`, `NO_PROXY` |
    ///
    /// `HTTP_PROXY` does not count when `REQUEST_METHOD` is set: to a CGI program it is what a
    /// client sent in its `Proxy` header ([httpoxy](https://httpoxy.org)).
    ///
    /// # Errors
    /// [`Kind::Invalid`] when a proxy cannot be read, as for [`http`](Self::http).
    pub fn from_vars(var: impl Fn(&str) -> Option<String>) -> Result<Self, Error> {
        let set = |name: &str| var(name).filter(|value| !value.trim().is_empty());
        let cgi = var("REQUEST_METHOD").is_some();
        let first = |names: &[&str]| names.iter().find_map(|name| set(name));
        let http = match cgi {
            true => first(&["http_proxy", "all_proxy", "ALL_PROXY"]),
            false => first(&["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"]),
        };
        let https = first(&["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"]);
        let read = |uri: Option<String>| uri.map(|uri| Via::parse(&uri)).transpose();
        let proxy = Self {
            http: read(http)?,
            https: read(https)?,
            bypass: Bypass::default(),
        };
        Ok(match first(&["no_proxy", "NO_PROXY"]) {
            Some(rules) => proxy.bypass(&rules),
            None => proxy,
        })
    }

    /// Goes without the proxy where one of these rules holds, as well as where earlier ones do.
    ///
    /// Rules are separated by commas or spaces: `*` for all, a name for itself and everything
    /// under it (`example.com`, `.example.com` and `*.example.com` are the same), an address, or a
    /// network (`10.0.0.0/8`, `fd00::/8`); all but `*` and networks may end in `:port`. Names are
    /// not looked up: a rule of addresses holds for origins that are addresses.
    #[must_use]
    pub fn bypass(mut self, rules: &str) -> Self {
        self.bypass.add(rules);
        self
    }

    /// Whether connections to this origin go through a proxy.
    pub fn is_used_for(&self, origin: &Origin) -> bool {
        self.via(origin).is_some()
    }

    /// The proxy for connections to this origin.
    pub(crate) fn via(&self, origin: &Origin) -> Option<&Via> {
        if origin.unix_path().is_some() || self.bypass.holds(origin.host(), origin.port()) {
            return None;
        }
        match origin.is_tls() {
            true => self.https.as_ref(),
            false => self.http.as_ref(),
        }
    }
}

/// The value of an `Authorization` header for this `user[:password]`; nothing for a bad escape.
fn basic(user: &str) -> Option<String> {
    let mut plain = Vec::with_capacity(user.len() + 1);
    let mut bytes = user.bytes();
    while let Some(byte) = bytes.next() {
        plain.push(match byte {
            b'%' => {
                let digit = |b: Option<u8>| char::from(b?).to_digit(16);
                let (high, low) = (digit(bytes.next())?, digit(bytes.next())?);
                u8::try_from(high * 16 + low).ok()?
            }
            byte => byte,
        });
    }
    if !user.contains(':') {
        plain.push(b':');
    }
    Some(format!("Basic {}", base64(&plain)))
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let byte = |i: usize| u32::from(chunk.get(i).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for i in 0..4 {
            text.push(match i <= chunk.len() {
                true => char::from(DIGITS[(bits >> (18 - 6 * i)) as usize & 63]),
                false => '=',
            });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn via(proxy: &Proxy, origin: &str) -> Option<String> {
        proxy.via(&Origin::parse(origin).unwrap()).map(Via::name)
    }

    fn vars(set: &[(&str, &str)]) -> Result<Proxy, Error> {
        Proxy::from_vars(|name| {
            set.iter()
                .find(|(n, _)| *n == name)
                .map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn base64_is_that_of_rfc_4648() {
        for (plain, text) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(base64(plain.as_bytes()), text);
        }
    }

    #[test]
    fn user_info_becomes_a_basic_header_that_is_not_shown() {
        let proxy = Proxy::http("http://Aladdin:open%20sesame@proxy.example:3128/").unwrap();
        let via = proxy.http.clone().unwrap();
        assert_eq!((via.host.as_str(), via.port), ("proxy.example", 3128));
        let header = "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==";
        assert_eq!(via.authorization.as_deref(), Some(header));
        let shown = format!("{proxy:?}");
        assert!(shown.contains("http://***@proxy.example:3128"), "{shown}");
        for secret in ["Aladdin", "sesame", "QWxh"] {
            assert!(!shown.contains(secret), "{shown}");
        }
        let alone = Proxy::http("me@proxy.example").unwrap().http.unwrap();
        assert_eq!(
            (alone.port, alone.authorization.as_deref()),
            (80, Some("Basic bWU6"))
        );
    }

    #[test]
    fn bad_proxies_are_refused_without_showing_them() {
        for uri in [
            "https://me:hidden@proxy",
            "socks5://me:hidden@proxy",
            "http://me:hidden@",
            "http://me:hidden@proxy:0",
            "http://me:hidden@proxy/path",
            "http://me:hidden%2@proxy",
            "http://me:hidden%+1@proxy",
            "",
        ] {
            let error = Proxy::http(uri).expect_err(uri);
            assert_eq!(error.kind(), Kind::Invalid);
            assert!(!format!("{error} {error:?}").contains("hidden"));
        }
    }

    #[test]
    fn variables_are_read_in_their_order() {
        let (http, https) = ("http://a.example", "https://a.example");
        let proxy = vars(&[
            ("http_proxy", "one"),
            ("HTTP_PROXY", "two"),
            ("all_proxy", "all"),
        ])
        .unwrap();
        assert_eq!(via(&proxy, http).unwrap(), "one:80");
        assert_eq!(via(&proxy, https).unwrap(), "all:80");
        let proxy = vars(&[("HTTPS_PROXY", "http://[::1]:8080"), ("http_proxy", "")]).unwrap();
        assert_eq!(via(&proxy, http), None);
        assert_eq!(via(&proxy, https).unwrap(), "[::1]:8080");
        let proxy = vars(&[
            ("ALL_PROXY", "x:1"),
            ("NO_PROXY", "b.example,a.example:443"),
        ])
        .unwrap();
        assert_eq!(via(&proxy, http).unwrap(), "x:1");
        assert_eq!(via(&proxy, https), None);
        let used = [http, https].map(|url| proxy.is_used_for(&Origin::parse(url).unwrap()));
        assert_eq!(used, [true, false]);
        assert!(vars(&[("https_proxy", "socks4://x")]).is_err());
        assert_eq!(via(&vars(&[]).unwrap(), http), None);
    }

    #[test]
    fn a_request_header_is_not_taken_for_a_proxy() {
        let cgi = ("REQUEST_METHOD", "GET");
        let proxy = vars(&[("HTTP_PROXY", "evil"), cgi]).unwrap();
        assert_eq!(via(&proxy, "http://a.example"), None);
        let proxy = vars(&[("http_proxy", "good"), cgi]).unwrap();
        assert_eq!(via(&proxy, "http://a.example").unwrap(), "good:80");
    }

    #[test]
    fn unix_sockets_need_no_proxy() {
        let proxy = Proxy::http("proxy").unwrap();
        assert!(proxy.via(&Origin::unix("/run/s", "a").unwrap()).is_none());
    }
}
