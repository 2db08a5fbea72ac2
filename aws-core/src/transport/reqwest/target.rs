//! Targets that a URL can say without changing them.

use ::reqwest::Url;
use pipeline_pool::{Error, Kind, Origin};

/// The URL that has this target and, as its host and port, the origin's authority, both byte for byte.
pub(super) fn url(origin: &Origin, target: &str) -> Result<Url, Error> {
    let refused = |why: &'static str| Err(Error::new(Kind::Invalid, why));
    if origin.unix_path().is_some() {
        return refused("reqwest has no unix sockets per origin: use the pool");
    }
    if !target.starts_with('/') {
        return refused("reqwest has no target that is not a path");
    }
    let base = origin.to_string();
    let text = format!("{base}{target}");
    // The target stays out of the texts: its query may hold a signature.
    match Url::parse(&text) {
        Ok(url) if url.as_str() == text => Ok(url),
        Ok(url) if !url.as_str().starts_with(&base) => {
            refused("a URL writes this host in another way")
        }
        Ok(_) => refused("a URL would change this target, which the signature covers"),
        Err(_) => refused("this host makes no URL"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(origin: &str, target: &str) -> Result<Url, Error> {
        url(&Origin::parse(origin).unwrap(), target)
    }

    #[test]
    fn what_stays_as_it_is_is_taken() {
        for target in [
            "/",
            "//",
            "/a//b/",
            "/?",
            "/?acl",
            "/a?b=c&d=%2F",
            "/a%2Fb",
            "/%2F%2e%2Ea",
            "/..a/.b/...",
            "/a?x=../..",
            "/~!$&'()*+,;=:@-_.",
            "/a?b=/?:@",
            "/%7B%7D%7C",
            "/%",
            "/%zz",
        ] {
            let url = read("http://h.example:81", target).unwrap();
            assert_eq!(url.as_str(), format!("http://h.example:81{target}"));
        }
    }

    #[test]
    fn what_would_be_rewritten_is_refused() {
        for target in [
            "*",
            "/.",
            "/..",
            "/b/../c",
            "/b/./c",
            "/b/%2e%2E/c",
            "/b/%2e",
            "/b/.%2e",
            "/a\\b",
            "/{x}",
            "/\"",
            "/<",
            "/>",
            "/`",
            "/?a='",
            "/?\"",
            "/?<",
        ] {
            let error = read("http://h.example", target).expect_err(target);
            assert_eq!(error.kind(), Kind::Invalid);
            assert!(!error.may_have_been_sent());
        }
        let error = read("http://h.example", "/../?Signature=topsecret").unwrap_err();
        assert!(!format!("{error} {error:?}").contains("topsecret"));
    }

    #[test]
    fn hosts_stay_as_they_are_too() {
        for origin in [
            "http://a.example",
            "https://a.example",
            "https://a.example:80",
            "http://127.0.0.1:9000",
            "http://[::1]:9000",
            "http://under_score.example",
        ] {
            let url = read(origin, "/").unwrap();
            assert_eq!(url.as_str(), format!("{origin}/"));
        }
        for origin in [
            "http://127.1",
            "http://0x7f.1",
            "http://[0::1]",
            "http://a.1",
        ] {
            let error = read(origin, "/").expect_err(origin);
            assert_eq!(error.kind(), Kind::Invalid);
        }
        let unix = url(&Origin::unix("/run/s3.sock", "s3").unwrap(), "/").unwrap_err();
        assert_eq!(unix.kind(), Kind::Invalid);
    }
}
