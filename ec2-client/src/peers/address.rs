//! The addresses of a peer, and which of them is meant.

use std::net::{Ipv4Addr, Ipv6Addr};

use crate::instances::Instance;

/// Which address of an instance its peers are to use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Address {
    /// The IPv4 address within its network. The default.
    #[default]
    Private,
    /// The IPv4 address in the internet.
    Public,
    /// The first IPv6 address.
    V6,
    /// The name that resolves within its network.
    PrivateDns,
    /// The name that resolves in the internet.
    PublicDns,
}

/// All addresses of an instance.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Addresses {
    /// The IPv4 address within its network.
    pub private: Option<Ipv4Addr>,
    /// The IPv4 address in the internet.
    pub public: Option<Ipv4Addr>,
    /// The IPv6 addresses, sorted but for the first.
    pub v6: Vec<Ipv6Addr>,
    /// The name that resolves within its network.
    pub private_dns: Option<String>,
    /// The name that resolves in the internet.
    pub public_dns: Option<String>,
}

impl Addresses {
    pub(super) fn of(instance: &Instance) -> Self {
        let mut v6 = instance.ipv6.clone();
        // The order of lists is not promised, and is no change.
        if let [_, rest @ ..] = &mut v6[..] {
            rest.sort_unstable();
        }
        Self {
            private: instance.private_ip,
            public: instance.public_ip,
            v6,
            private_dns: instance.private_dns.clone(),
            public_dns: instance.public_dns.clone(),
        }
    }

    /// One of them, with a port behind it if there is one; an IPv6 address then stands in brackets.
    pub(super) fn text(&self, which: Address, port: Option<u16>) -> Option<String> {
        let (host, brackets) = match which {
            Address::Private => (self.private.as_ref().map(ToString::to_string), false),
            Address::Public => (self.public.as_ref().map(ToString::to_string), false),
            Address::V6 => (self.v6.first().map(ToString::to_string), true),
            Address::PrivateDns => (self.private_dns.clone(), false),
            Address::PublicDns => (self.public_dns.clone(), false),
        };
        Some(match (host?, port, brackets) {
            (host, None, _) => host,
            (host, Some(port), false) => format!("{host}:{port}"),
            (host, Some(port), true) => format!("[{host}]:{port}"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_as_texts() {
        let mut instance = Instance::new("i-1");
        instance.private_ip = Some(Ipv4Addr::new(10, 0, 0, 1));
        instance.ipv6 = ["2600::9", "2600::8", "2600::7"]
            .map(|ip| ip.parse().unwrap())
            .into();
        instance.private_dns = Some("ip-10-0-0-1.ec2.internal".to_owned());
        let all = Addresses::of(&instance);
        for (which, port, text) in [
            (Address::Private, None, Some("10.0.0.1")),
            (Address::Private, Some(80), Some("10.0.0.1:80")),
            (Address::Public, Some(80), None),
            (Address::V6, None, Some("2600::9")),
            (Address::V6, Some(80), Some("[2600::9]:80")),
            (
                Address::PrivateDns,
                Some(80),
                Some("ip-10-0-0-1.ec2.internal:80"),
            ),
            (Address::PublicDns, None, None),
        ] {
            assert_eq!(all.text(which, port).as_deref(), text, "{which:?}");
        }
        instance.ipv6.swap(1, 2);
        assert_eq!(Addresses::of(&instance), all);
    }
}
