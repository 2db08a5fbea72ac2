//! Where a proxy is not used: the rules of `no_proxy`.

use std::net::IpAddr;

/// Rules, one of which is enough.
#[derive(Clone, Debug, Default)]
pub(crate) struct Bypass(Vec<Rule>);

#[derive(Clone, Debug)]
enum Rule {
    All,
    /// This name and all under it, in lower case; at this port, if one is said.
    Name(String, Option<u16>),
    Address(IpAddr, Option<u16>),
    /// The addresses that begin with so many of these bits.
    Network(IpAddr, u32),
}

impl Bypass {
    pub(crate) fn add(&mut self, rules: &str) {
        let rules = rules.split(|c: char| c == ',' || c.is_whitespace());
        self.0.extend(rules.filter_map(Rule::parse));
    }

    pub(crate) fn holds(&self, host: &str, port: u16) -> bool {
        let address = host.parse::<IpAddr>().ok().map(|ip| ip.to_canonical());
        self.0.iter().any(|rule| rule.holds(host, address, port))
    }
}

impl Rule {
    fn parse(rule: &str) -> Option<Self> {
        if rule == "*" {
            return Some(Self::All);
        }
        if let Some((network, bits)) = rule.split_once('/') {
            let network: IpAddr = unbracketed(network).parse().ok()?;
            let bits = bits.parse().ok()?;
            let all = if network.is_ipv4() { 32 } else { 128 };
            return (bits <= all).then_some(Self::Network(network, bits));
        }
        // A bare IPv6 address has colons and no port.
        if let Ok(address) = unbracketed(rule).parse::<IpAddr>() {
            return Some(Self::Address(address.to_canonical(), None));
        }
        let (host, port) = match rule.rsplit_once(':') {
            Some((host, port)) => (host, Some(port.parse().ok()?)),
            None => (rule, None),
        };
        if let Ok(address) = unbracketed(host).parse::<IpAddr>() {
            return Some(Self::Address(address.to_canonical(), port));
        }
        let name = host.strip_prefix('*').unwrap_or(host);
        let name = bare(name.strip_prefix('.').unwrap_or(name)).to_ascii_lowercase();
        (!name.is_empty()).then_some(Self::Name(name, port))
    }

    fn holds(&self, host: &str, address: Option<IpAddr>, port: u16) -> bool {
        match self {
            Self::All => true,
            Self::Name(name, at) => {
                let host = bare(host);
                at.is_none_or(|p| p == port)
                    && host
                        .strip_suffix(name.as_str())
                        .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
            }
            Self::Address(this, at) => at.is_none_or(|p| p == port) && address == Some(*this),
            Self::Network(network, bits) => address.is_some_and(|a| within(a, *network, *bits)),
        }
    }
}

fn unbracketed(host: &str) -> &str {
    host.strip_prefix('[')
        .and_then(|h| h.strip_suffix(']'))
        .unwrap_or(host)
}

/// The name without the dot that stands for the root.
fn bare(name: &str) -> &str {
    name.strip_suffix('.').unwrap_or(name)
}

fn within(address: IpAddr, network: IpAddr, bits: u32) -> bool {
    match (address, network) {
        (IpAddr::V4(a), IpAddr::V4(n)) => {
            let differ = a.to_bits() ^ n.to_bits();
            differ.checked_shr(32 - bits).unwrap_or(0) == 0
        }
        (IpAddr::V6(a), IpAddr::V6(n)) => {
            let differ = a.to_bits() ^ n.to_bits();
            differ.checked_shr(128 - bits).unwrap_or(0) == 0
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_rule_holds_where_it_should() {
        for (rules, host, port, holds) in [
            ("*", "a.example", 80, true),
            ("", "a.example", 80, false),
            ("example.com", "example.com", 80, true),
            ("example.com", "a.b.example.com", 80, true),
            ("example.com", "notexample.com", 80, false),
            ("example.com", "example.com.evil", 80, false),
            (".Example.com", "example.com", 80, true),
            ("*.example.com", "a.example.com", 80, true),
            ("example.com.", "a.example.com", 80, true),
            ("example.com", "a.example.com.", 80, true),
            ("example.com:8080", "a.example.com", 8080, true),
            ("example.com:8080", "a.example.com", 80, false),
            ("example.com:x", "example.com", 80, false),
            ("x, example.com", "example.com", 80, true),
            ("x example.com", "example.com", 80, true),
            ("127.0.0.1", "127.0.0.1", 9000, true),
            ("127.0.0.1:9000", "127.0.0.1", 9001, false),
            ("127.0.0.1", "1.127.0.0.1.example", 80, false),
            ("10.0.0.0/8", "10.255.1.2", 80, true),
            ("10.0.0.0/8", "11.0.0.0", 80, false),
            ("10.0.0.0/8", "10.example", 80, false),
            ("10.1.2.3/32", "10.1.2.3", 80, true),
            ("10.1.2.3/32", "10.1.2.2", 80, false),
            ("0.0.0.0/0", "192.0.2.1", 80, true),
            ("0.0.0.0/0", "::1", 80, false),
            ("10.0.0.0/33", "10.0.0.1", 80, false),
            ("::1", "::1", 80, true),
            ("[::1]:80", "::1", 80, true),
            ("[::1]:80", "::1", 81, false),
            ("fd00::/8", "fd12::1", 80, true),
            ("fd00::/8", "fe80::1", 80, false),
            ("::/0", "fe80::1", 80, true),
            ("127.0.0.1", "::ffff:127.0.0.1", 80, true),
            (".", "a.example", 80, false),
        ] {
            let mut bypass = Bypass::default();
            bypass.add(rules);
            assert_eq!(
                bypass.holds(host, port),
                holds,
                "{rules:?} for {host}:{port}"
            );
        }
    }
}
