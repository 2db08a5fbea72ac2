//! Answers that send a request to another server: which are followed, and what is remembered of them.
//!
//! *Problem:* A redirect names another host, and credentials must not be used for a stranger's. *Decision:* A redirect
//! is followed to the same party only: at Amazon to S3's own hosts, elsewhere to the endpoint's host and to names below
//! it; siblings need `redirects_to`. A list of public suffixes would be large and would still guess. Following one is
//! no failed attempt, since the request has not run. *Cost:* Stores that redirect to sibling hosts need a setting.

use std::sync::Arc;

use aws_core::Endpoint;
use aws_core::operation::Redirect;
use pipeline_pool::Origin;

use super::addressing::BucketAddress;
use super::memory::Memory;
use super::trust::trusts;
use crate::sign::hosts::region_in;
use crate::sign::is_region;

/// What an answer says of where a request belongs.
#[derive(Clone, Copy)]
struct Directions<'a> {
    /// The server that answered.
    from: &'a Origin,
    /// 301, 307 or 308: all but 307 are for good.
    status: u16,
    /// Its `Location`, an absolute or relative URL.
    location: Option<&'a str>,
    /// Its `x-amz-bucket-region`, or the region in its error.
    region: Option<&'a str>,
    /// The host in its error.
    endpoint: Option<&'a str>,
}

impl<'a> Directions<'a> {
    fn of(redirect: &Redirect<'a>) -> Self {
        let region = redirect.field("x-amz-bucket-region");
        Self {
            from: redirect.from,
            status: redirect.head.status(),
            location: redirect.field("location"),
            region: region.or_else(|| redirect.error.detail("Region")),
            endpoint: redirect.error.detail("Endpoint"),
        }
    }
}

/// Which answers that send requests to another server are followed. Defaults to none.
#[derive(Debug, Default)]
pub(crate) struct Redirects {
    endpoint: Option<Endpoint>,
    /// Domains whose hosts may see what is signed for the endpoint.
    trusted: Vec<String>,
}

impl Redirects {
    pub(crate) fn new(endpoint: &Endpoint, trusted: Vec<String>) -> Self {
        Self {
            endpoint: Some(endpoint.clone()),
            trusted,
        }
    }

    /// Where an answer sends a request about this bucket.
    pub(crate) fn follow(
        &self,
        memory: &Memory,
        bucket: Option<&Arc<str>>,
        redirect: &Redirect<'_>,
    ) -> Result<Option<BucketAddress>, String> {
        self.go(memory, bucket, Directions::of(redirect))
    }

    fn go(
        &self,
        memory: &Memory,
        bucket: Option<&Arc<str>>,
        to: Directions<'_>,
    ) -> Result<Option<BucketAddress>, String> {
        let Some(endpoint) = &self.endpoint else {
            return Ok(None);
        };
        let Some(origin) = target(endpoint, to) else {
            return Ok(None);
        };
        let own = endpoint.origin();
        if to.from.is_tls() && !origin.is_tls() {
            return Err(format!(
                "it is sent on to {origin}, without TLS, which is not followed"
            ));
        }
        let host = origin.host();
        let name = bucket.map(|name| &**name);
        if !trusts(endpoint, &origin, name) && !self.trusts(host) {
            return Err(format!(
                "it is sent on to {origin}, which is no part of {own}: set that as the endpoint, or allow it \
                 by redirects_to({host:?})"
            ));
        }
        // A host that says its region is right about it.
        let named = || to.region.filter(|region| is_region(region));
        let region = region_in(host).or_else(named).map(str::to_owned);
        let behind = |host| {
            let rest = name.and_then(|name| below(name, host));
            rest.filter(|_| host != own.host())
        };
        let place = match behind(host) {
            // A wildcard certificate covers one label: no server can show one for this host. The same server has the
            // bucket in the path too.
            Some(rest) if origin.is_tls() && has_dots(name) && behind(to.from.host()).is_none() => {
                let origin = Origin::new(true, rest, origin.port());
                BucketAddress {
                    origin: origin.map_err(|error| error.to_string())?,
                    bucket_in_host: false,
                    region,
                }
            }
            rest => BucketAddress {
                bucket_in_host: rest.is_some(),
                origin,
                region,
            },
        };
        if place.origin == *to.from {
            return Err("it is sent on to where it was".to_owned());
        }
        if let (Some(bucket), 301 | 308) = (bucket, to.status) {
            memory.learn_address(bucket, place.clone());
        }
        Ok(Some(place))
    }

    fn trusts(&self, host: &str) -> bool {
        self.trusted.iter().any(|domain| {
            let rest = host.strip_suffix(domain.as_str());
            rest.is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
        })
    }
}

/// What is behind the name of a bucket in a host.
fn below<'a>(bucket: &str, host: &'a str) -> Option<&'a str> {
    host.strip_prefix(bucket)?.strip_prefix('.')
}

fn has_dots(name: Option<&str>) -> bool {
    name.is_some_and(|name| name.contains('.'))
}

/// The server that an answer names: by its `Location`, by the host in its error, or by a region of Amazon's.
fn target(endpoint: &Endpoint, to: Directions<'_>) -> Option<Origin> {
    if let Some(location) = to.location {
        let (scheme, rest) = location.split_once("://")?;
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        return Origin::parse(&format!("{scheme}://{}", &rest[..end])).ok();
    }
    let tls = to.from.is_tls();
    let scheme = if tls { "https" } else { "http" };
    if let Some(host) = to.endpoint {
        return Origin::parse(&format!("{scheme}://{host}")).ok();
    }
    let region = to.region.filter(|region| {
        let legal = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        endpoint.is_amazon() && !region.is_empty() && region.bytes().all(legal)
    })?;
    let suffix = if endpoint.origin().host().ends_with(".cn") {
        ".cn"
    } else {
        ""
    };
    let host = format!("s3.{region}.amazonaws.com{suffix}");
    Origin::new(tls, &host, to.from.port()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn directions(from: &Origin, status: u16) -> Directions<'_> {
        Directions {
            from,
            status,
            location: None,
            region: None,
            endpoint: None,
        }
    }

    fn follow(
        endpoint: &str,
        status: u16,
        set: impl Fn(&mut Directions<'static>),
    ) -> Result<Option<(String, bool)>, String> {
        let origin: &'static Origin = Box::leak(Box::new(Origin::parse(endpoint).unwrap()));
        let endpoint = Endpoint::new(origin.clone());
        let redirects = Redirects::new(&endpoint, vec!["friend.example".to_owned()]);
        let mut to = directions(origin, status);
        set(&mut to);
        let bucket: Arc<str> = "photos".into();
        let memory = Memory::default();
        let followed = redirects.go(&memory, Some(&bucket), to)?;
        let remembered = memory.address(Some(&bucket));
        let for_good = matches!(status, 301 | 308);
        assert_eq!(remembered, followed.clone().filter(|_| for_good));
        Ok(followed.map(|place| (place.origin.to_string(), place.bucket_in_host)))
    }

    fn place(endpoint: &str, bucket: &str, set: impl Fn(&mut Directions<'_>)) -> BucketAddress {
        let origin = Origin::parse(endpoint).unwrap();
        let redirects = Redirects::new(&Endpoint::new(origin.clone()), Vec::new());
        let mut to = directions(&origin, 301);
        set(&mut to);
        let followed = redirects.go(&Memory::default(), Some(&bucket.into()), to);
        followed.unwrap().unwrap()
    }

    #[test]
    fn no_certificate_covers_a_bucket_with_dots() {
        for (endpoint, bucket, location, origin, in_host) in [
            (
                "https://s3.amazonaws.com",
                "my.photos",
                "https://my.photos.s3.eu-west-1.amazonaws.com/k",
                "https://s3.eu-west-1.amazonaws.com",
                false,
            ),
            (
                "http://s3.amazonaws.com",
                "my.photos",
                "http://my.photos.s3.eu-west-1.amazonaws.com/k",
                "http://my.photos.s3.eu-west-1.amazonaws.com",
                true,
            ),
            (
                "https://s3.amazonaws.com",
                "photos",
                "https://photos.s3.eu-west-1.amazonaws.com/k",
                "https://photos.s3.eu-west-1.amazonaws.com",
                true,
            ),
            (
                "https://store.example",
                "my.photos",
                "https://my.photos.eu.store.example/k",
                "https://eu.store.example",
                false,
            ),
        ] {
            let found = place(endpoint, bucket, |to| to.location = Some(location));
            let found = (found.origin.to_string(), found.bucket_in_host);
            assert_eq!(found, (origin.to_owned(), in_host), "{location}");
        }
        // Who is there already under such a name has a certificate of its own.
        let own = Origin::parse("https://my.photos.store.example").unwrap();
        let endpoint = Endpoint::new(Origin::parse("https://store.example").unwrap());
        let redirects = Redirects::new(&endpoint, Vec::new());
        let mut to = directions(&own, 307);
        to.location = Some("https://my.photos.eu.store.example/k");
        let found = redirects.go(&Memory::default(), Some(&"my.photos".into()), to);
        assert!(found.unwrap().unwrap().bucket_in_host);
    }

    #[test]
    fn the_region_is_the_hosts_or_else_what_the_answer_says() {
        for (location, said, expected) in [
            (
                "http://photos.s3.amazonaws.com/k",
                Some("eu-west-1"),
                Some("eu-west-1"),
            ),
            ("http://photos.s3.amazonaws.com/k", Some("eu west"), None),
            ("http://photos.s3.amazonaws.com/k", None, None),
            (
                "http://photos.s3.us-east-2.amazonaws.com/k",
                Some("eu-west-1"),
                Some("us-east-2"),
            ),
        ] {
            let found = place("http://s3.amazonaws.com", "photos", |to| {
                to.location = Some(location);
                to.region = said;
            });
            assert_eq!(found.region.as_deref(), expected, "{location} {said:?}");
        }
    }

    fn to(location: &'static str) -> impl Fn(&mut Directions<'static>) {
        move |to| to.location = Some(location)
    }

    #[test]
    fn places_of_the_same_party_are_followed() {
        let amazon = "http://s3.amazonaws.com";
        for (endpoint, location, origin, in_host) in [
            (
                amazon,
                "http://photos.s3-eu-west-1.amazonaws.com/k?acl",
                "http://photos.s3-eu-west-1.amazonaws.com",
                true,
            ),
            (
                amazon,
                "https://s3.eu-west-1.amazonaws.com/photos/k",
                "https://s3.eu-west-1.amazonaws.com",
                false,
            ),
            (
                "http://store.example:9000",
                "http://photos.store.example:9000/k",
                "http://photos.store.example:9000",
                true,
            ),
            (
                "http://store.example:9000",
                "http://eu.friend.example/photos/k",
                "http://eu.friend.example",
                false,
            ),
        ] {
            let followed = follow(endpoint, 307, to(location));
            assert_eq!(
                followed,
                Ok(Some((origin.to_owned(), in_host))),
                "{location}"
            );
        }
        let named = follow(amazon, 301, |to| {
            to.endpoint = Some("photos.s3.eu-west-1.amazonaws.com");
        });
        let photos = "http://photos.s3.eu-west-1.amazonaws.com".to_owned();
        assert_eq!(named, Ok(Some((photos, true))));
        let region = follow(amazon, 301, |to| to.region = Some("eu-west-1"));
        let europe = "http://s3.eu-west-1.amazonaws.com".to_owned();
        assert_eq!(region, Ok(Some((europe, false))));
    }

    #[test]
    fn other_parties_are_not_and_the_error_says_what_to_set() {
        for (endpoint, location) in [
            ("http://s3.amazonaws.com", "http://evil.example/"),
            (
                "http://s3.amazonaws.com",
                "http://other.s3.amazonaws.com.evil.example/",
            ),
            ("http://store.example", "http://evil.example/photos/k"),
            ("http://store.example", "http://store.example:81/photos/k"),
            ("http://127.0.0.1:9000", "http://127.0.0.1:9001/photos/k"),
        ] {
            let why = follow(endpoint, 301, to(location)).unwrap_err();
            let host = location.split(['/', ':']).nth(3).unwrap();
            assert!(why.contains(host) && why.contains("redirects_to"), "{why}");
        }
        let why = follow(
            "https://store.example",
            301,
            to("http://store.example:443/photos/k"),
        );
        assert!(why.unwrap_err().contains("without TLS"));
        let why = follow("http://store.example", 301, to("http://store.example/k"));
        assert_eq!(why.unwrap_err(), "it is sent on to where it was");
    }

    #[test]
    fn nonsense_leads_nowhere() {
        for location in [
            "",
            "/photos/k",
            "ftp://x/",
            "http://",
            "http://u@h/",
            "http://a b/",
        ] {
            let followed = follow("http://store.example", 301, to(location));
            assert_eq!(followed, Ok(None), "{location}");
        }
        let nothing = follow("http://store.example", 301, |_| {});
        assert_eq!(nothing, Ok(None));
        let region = follow("http://s3.amazonaws.com", 301, |to| {
            to.region = Some("x.evil.example/");
        });
        assert_eq!(region, Ok(None));
    }
}
