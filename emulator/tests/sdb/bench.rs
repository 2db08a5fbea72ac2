//! An emulator, a connection to it, and requests signed by these tests.

use std::collections::BTreeMap;

use base64::prelude::*;
use emulator::{Emulator, SdbOptions};
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use sha2::Sha256;

use crate::wire::{Reply, Wire, now};

/// The Query scheme of Version 2, the short way.
#[derive(Clone)]
pub(crate) struct Signer {
    pub(crate) access_key: String,
    pub(crate) secret: String,
    /// In the `Host` header, and in the signature unless told otherwise.
    pub(crate) host: String,
    pub(crate) signed_host: String,
    pub(crate) method: &'static str,
    pub(crate) sha1: bool,
    /// Added to the clock, in seconds.
    pub(crate) drift: i64,
}

pub(crate) fn escape(text: impl AsRef<[u8]>) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
    text.as_ref()
        .iter()
        .copied()
        .map(|byte| match plain(byte) {
            true => char::from(byte).to_string(),
            false => format!("%{byte:02X}"),
        })
        .collect()
}

pub(crate) fn iso8601(at: i64) -> String {
    let at = time::OffsetDateTime::from_unix_timestamp(at).unwrap();
    let (hour, minute, second) = at.to_hms();
    let date = (at.year(), u8::from(at.month()), at.day());
    format!(
        "{:04}-{:02}-{:02}T{hour:02}:{minute:02}:{second:02}Z",
        date.0, date.1, date.2
    )
}

impl Signer {
    pub(crate) fn new(emulator: &Emulator) -> Self {
        let host = emulator.addr().to_string();
        Self::of(emulator.access_key(), emulator.secret_key(), &host)
    }

    pub(crate) fn of(access_key: &str, secret: &str, host: &str) -> Self {
        Self {
            access_key: access_key.to_owned(),
            secret: secret.to_owned(),
            host: host.to_owned(),
            signed_host: host.to_owned(),
            method: "POST",
            sha1: false,
            drift: 0,
        }
    }

    /// The wire form of a call; a parameter given here wins over one that is always there.
    pub(crate) fn request(&self, params: &[(&str, &str)]) -> Vec<u8> {
        let params: Vec<_> = params
            .iter()
            .map(|(name, value)| (name.as_bytes().to_vec(), value.as_bytes().to_vec()))
            .collect();
        self.request_of("", &params)
    }

    /// The same for an action, and with any bytes.
    pub(crate) fn request_of(&self, action: &str, params: &[(Vec<u8>, Vec<u8>)]) -> Vec<u8> {
        let mut all: BTreeMap<Vec<u8>, Vec<u8>> = BTreeMap::new();
        if !action.is_empty() {
            all.insert("Action".into(), action.into());
        }
        for (name, value) in [
            ("AWSAccessKeyId", self.access_key.as_str()),
            (
                "SignatureMethod",
                if self.sha1 { "HmacSHA1" } else { "HmacSHA256" },
            ),
            ("SignatureVersion", "2"),
            ("Version", "2009-04-15"),
        ] {
            all.insert(name.into(), value.into());
        }
        if !params.iter().any(|(name, _)| name == b"Expires") {
            all.insert("Timestamp".into(), iso8601(now() + self.drift).into());
        }
        for (name, value) in params {
            all.insert(name.clone(), value.clone());
        }
        let pairs: Vec<_> = all
            .iter()
            .map(|(name, value)| format!("{}={}", escape(name), escape(value)))
            .collect();
        let query = pairs.join("&");
        let message = format!("{}\n{}\n/\n{query}", self.method, self.signed_host);
        let (key, message) = (self.secret.as_bytes(), message.as_bytes());
        let signature = if self.sha1 {
            let mac = Hmac::<Sha1>::new_from_slice(key).unwrap();
            BASE64_STANDARD.encode(mac.chain_update(message).finalize().into_bytes())
        } else {
            let mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
            BASE64_STANDARD.encode(mac.chain_update(message).finalize().into_bytes())
        };
        let query = format!("{query}&Signature={}", escape(&signature));
        let request = if self.method == "GET" {
            format!("GET /?{query} HTTP/1.1\r\nhost: {}\r\n\r\n", self.host)
        } else {
            format!(
                "POST / HTTP/1.1\r\nhost: {}\r\ncontent-length: {}\r\n\
                 content-type: application/x-www-form-urlencoded; charset=utf-8\r\n\r\n{query}",
                self.host,
                query.len()
            )
        };
        request.into_bytes()
    }
}

pub(crate) struct Bench {
    pub(crate) emulator: Emulator,
    pub(crate) wire: Wire,
    pub(crate) signer: Signer,
}

/// An emulator with an empty domain `dom`.
pub(crate) async fn bench() -> Bench {
    bench_with(SdbOptions::default()).await
}

/// The same, with other settings.
pub(crate) async fn bench_with(options: SdbOptions) -> Bench {
    let emulator = Emulator::builder().sdb(options).start().await.unwrap();
    let mut bench = Bench {
        wire: Wire::open(emulator.addr()).await,
        signer: Signer::new(&emulator),
        emulator,
    };
    bench.ok("CreateDomain", &[("DomainName", "dom")]).await;
    bench
}

impl Bench {
    pub(crate) async fn call(&mut self, action: &str, params: &[(&str, &str)]) -> Reply {
        let params = [&[("Action", action)], params].concat();
        self.wire.call(&self.signer.request(&params)).await
    }

    pub(crate) async fn ok(&mut self, action: &str, params: &[(&str, &str)]) -> Reply {
        let reply = self.call(action, params).await;
        assert_eq!(reply.status, 200, "{action} {params:?}: {}", reply.text());
        assert_eq!(reply.all("RequestId").len(), 1);
        assert!(reply.all("BoxUsage")[0].parse::<f64>().unwrap() > 0.0);
        reply
    }

    pub(crate) async fn put(&mut self, item: &str, pairs: &[(&str, &str)]) {
        self.put_to("dom", item, pairs).await;
    }

    pub(crate) async fn put_to(&mut self, domain: &str, item: &str, pairs: &[(&str, &str)]) {
        let mut params = vec![
            ("DomainName".to_owned(), domain),
            ("ItemName".to_owned(), item),
        ];
        for (index, (name, value)) in pairs.iter().enumerate() {
            params.push((format!("Attribute.{index}.Name"), name));
            params.push((format!("Attribute.{index}.Value"), value));
        }
        let params: Vec<_> = params
            .iter()
            .map(|(name, value)| (name.as_str(), *value))
            .collect();
        self.ok("PutAttributes", &params).await;
    }

    pub(crate) async fn get(&mut self, item: &str) -> Vec<(String, String)> {
        let params = [
            ("DomainName", "dom"),
            ("ItemName", item),
            ("ConsistentRead", "true"),
        ];
        let reply = self.ok("GetAttributes", &params).await;
        let names = reply.all("Name").into_iter().map(str::to_owned);
        names
            .zip(reply.all("Value").into_iter().map(str::to_owned))
            .collect()
    }

    pub(crate) async fn select(&mut self, expression: &str) -> Reply {
        self.ok("Select", &[("SelectExpression", expression)]).await
    }
}
