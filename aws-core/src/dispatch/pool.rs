//! The pool that the environment asks for: certificates that it trusts, and proxies on its way.

use std::fmt;
use std::path::Path;

use pipeline_pool::{HttpPool, HttpPoolBuilder, Origin, Proxy};

use crate::error::{Error, Result};
use crate::shared_config::{SharedConfig, Variables};

/// The variables that name a proxy.
const PROXIES: [&str; 6] = [
    "http_proxy",
    "HTTP_PROXY",
    "https_proxy",
    "HTTPS_PROXY",
    "all_proxy",
    "ALL_PROXY",
];

/// What a program sets of the pool that a client makes for itself.
pub(super) struct PoolSetUp(Box<dyn FnOnce(HttpPoolBuilder) -> HttpPoolBuilder + Send + Sync>);

impl PoolSetUp {
    /// Sets this after what was set before.
    pub(super) fn after(
        before: Option<Self>,
        set_up: impl FnOnce(HttpPoolBuilder) -> HttpPoolBuilder + Send + Sync + 'static,
    ) -> Self {
        match before {
            Some(Self(before)) => Self(Box::new(|builder| set_up(before(builder)))),
            None => Self(Box::new(set_up)),
        }
    }

    /// The pool of this builder, with what was set.
    pub(super) fn build(this: Option<Self>, builder: HttpPoolBuilder) -> HttpPool {
        match this {
            Some(Self(set_up)) => set_up(builder).build(),
            None => builder.build(),
        }
    }
}

impl fmt::Debug for PoolSetUp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PoolSetUp")
    }
}

/// A builder of a pool with what was said of it; nothing if nothing was.
///
/// # Errors
/// When the file of certificates cannot be used, or a proxy cannot be read; the latter names the variable and not its
/// value, which may hold a password.
pub(super) fn pool_of(
    variables: &Variables,
    config: &SharedConfig,
) -> Result<Option<HttpPoolBuilder>> {
    let proxied = names_proxy(variables);
    if config.ca_bundle.is_none() && !proxied {
        return Ok(None);
    }
    let mut builder = HttpPool::builder();
    if let Some(file) = &config.ca_bundle {
        builder = trusting(builder, file)?;
    }
    if proxied {
        builder = builder.proxy(proxy(variables)?);
    }
    Ok(Some(builder))
}

/// Whether variables say that connections to this origin go through a proxy, be it one that cannot be read.
pub(super) fn is_proxied(variables: &Variables, origin: &Origin) -> bool {
    names_proxy(variables) && proxy(variables).map_or(true, |proxy| proxy.is_used_for(origin))
}

/// Whether a variable names a proxy.
fn names_proxy(variables: &Variables) -> bool {
    PROXIES.iter().any(|name| variables.get(name).is_some())
}

/// A builder of pools that trust the certificates in this file.
fn trusting(builder: HttpPoolBuilder, file: &Path) -> Result<HttpPoolBuilder> {
    let bad = |why: String| {
        Error::invalid(format!(
            "AWS_CA_BUNDLE or ca_bundle: {}: {why}",
            file.display()
        ))
    };
    #[cfg(feature = "tls")]
    {
        let pem = std::fs::read(file).map_err(|error| bad(error.to_string()))?;
        builder
            .tls_roots(pem)
            .map_err(|error| bad(error.to_string()))
    }
    #[cfg(not(feature = "tls"))]
    {
        let _only_with_tls = builder;
        Err(bad("it needs the feature tls".to_owned()))
    }
}

fn proxy(variables: &Variables) -> Result<Proxy> {
    let lookup = |name: &str| variables.get(name).map(str::to_owned);
    Proxy::from_vars(lookup).map_err(|error| {
        let unreadable = |name: &&str| {
            let value = variables.get(name).filter(|value| !value.trim().is_empty());
            value.is_some_and(|value| Proxy::http(value).is_err())
        };
        let names: Vec<&str> = PROXIES
            .iter()
            .copied()
            .filter(|name| unreadable(name))
            .collect();
        Error::invalid(format!("{}: {error}", names.join(", ")))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pool(variables: &[(&str, &str)]) -> Result<Option<HttpPool>> {
        let variables = variables.iter().copied().collect();
        let builder = pool_of(&variables, &SharedConfig::default())?;
        Ok(builder.map(HttpPoolBuilder::build))
    }

    #[test]
    fn nothing_said_asks_for_no_pool() {
        assert!(pool(&[]).unwrap().is_none());
        assert!(
            pool(&[("NO_PROXY", "*"), ("HTTP_PROXY", "")])
                .unwrap()
                .is_none()
        );
    }

    #[test]
    fn proxies_are_those_of_an_origin() {
        let (plain, tls) = ("http://store.example", "https://store.example");
        let named = ("https_proxy", "proxy.example:3128");
        for (variables, origin, proxied) in [
            (&[named][..], tls, true),
            (&[named], plain, false),
            (&[named, ("NO_PROXY", "*")], tls, false),
            (&[named, ("no_proxy", ".example")], tls, false),
            (&[named, ("no_proxy", "other.example")], tls, true),
            (&[("ALL_PROXY", "socks5://proxy.example")], plain, true),
            (&[], tls, false),
        ] {
            let said = variables.iter().copied().collect();
            let origin = Origin::parse(origin).unwrap();
            assert_eq!(is_proxied(&said, &origin), proxied, "{variables:?}");
        }
    }

    #[test]
    fn each_name_of_a_proxy_counts_and_no_password_is_shown() {
        for name in PROXIES {
            let pool = pool(&[(name, "http://me:hidden@proxy.example:3128")]).unwrap();
            let shown = format!("{pool:?}");
            assert!(
                pool.is_some() && !shown.contains("hidden"),
                "{name}: {shown}"
            );
        }
    }

    #[test]
    fn a_proxy_that_cannot_be_read_is_named_and_not_shown() {
        for name in PROXIES {
            let fine = ("NO_PROXY", "localhost");
            let error = pool(&[fine, (name, "socks5://me:hidden@proxy.example")]).unwrap_err();
            let shown = format!("{error} {error:?}");
            assert!(shown.contains(name) && !shown.contains("hidden"), "{shown}");
        }
        let said = [
            ("HTTP_PROXY", "proxy.example"),
            ("HTTPS_PROXY", "https://hidden"),
        ];
        let error = pool(&said).unwrap_err().to_string();
        assert!(error.starts_with("HTTPS_PROXY: "), "{error}");
    }
}
