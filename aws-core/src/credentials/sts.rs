//! The [Security Token Service](https://docs.aws.amazon.com/STS/latest/APIReference/welcome.html): keys of roles.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_sigv2::{Credentials, escape};
use pipeline_pool::{Method, Origin, Request};

use super::fetch::{Fetch, Fetched, FetchedAnswer, provided, short};
use super::{CredentialsError, Provided, VariableLookup};
use crate::envelope::ErrorBody;
use crate::shared_config::{STS, Variant, endpoint_of};
use crate::time::parse_iso8601;
use crate::v4::{self, Payload, Scope};
use crate::xml::{Xml, XmlError};

const NAME: &str = "the Security Token Service";
const FORM: &str = "application/x-www-form-urlencoded";

/// The time of one attempt.
pub(super) const TIMEOUT: Duration = Duration::from_secs(5);

/// Where the service is, and the region that requests to it are signed for.
pub(super) struct StsEndpoint {
    origin: Origin,
    scope: Scope,
}

impl StsEndpoint {
    /// At `AWS_ENDPOINT_URL_STS`, else at `AWS_ENDPOINT_URL`, which is for all services, else in this region, else in
    /// that of the variables, by the endpoint that `AWS_USE_FIPS_ENDPOINT` and `AWS_USE_DUALSTACK_ENDPOINT` choose, else
    /// at the global endpoint.
    pub(super) fn new(lookup: &VariableLookup, region: Option<(&str, String)>) -> Fetched<Self> {
        let bad = |name: &str, why: &str| CredentialsError::broken(format!("{name}: {why}"));
        let named = |name: &'static str| Some((name, lookup.get(name)?));
        let region = region
            .or_else(|| named("AWS_REGION"))
            .or_else(|| named("AWS_DEFAULT_REGION"));
        if let Some((name, region)) = &region
            && !is_region(region)
        {
            return Err(bad(name, "that is no region"));
        }
        let region = region.map(|(_, region)| region);
        let said = |name| {
            lookup
                .get(name)
                .is_some_and(|value| value.eq_ignore_ascii_case("true"))
        };
        let variant = Variant {
            fips: said("AWS_USE_FIPS_ENDPOINT"),
            dual_stack: said("AWS_USE_DUALSTACK_ENDPOINT"),
        };
        let given = named("AWS_ENDPOINT_URL_STS").or_else(|| named("AWS_ENDPOINT_URL"));
        let (name, url) = match (given, &region) {
            (Some(given), _) => given,
            (None, None) => ("the region", "https://sts.amazonaws.com".to_owned()),
            (None, Some(region)) => {
                let url = endpoint_of(STS, region, variant);
                (
                    "the region",
                    url.map_err(|e| bad("the Security Token Service", e.message()))?,
                )
            }
        };
        let origin = Origin::parse(&url).map_err(|e| bad(name, e.detail()))?;
        // The global endpoint is in the first region.
        let scope = Scope::new(region.as_deref().unwrap_or("us-east-1"), "sts");
        Ok(Self { origin, scope })
    }

    /// Asks for keys by a form, which may hold secrets; signed where there are keys to sign with.
    pub(super) async fn keys(
        &self,
        fetch: &Fetch,
        action: &str,
        fields: &[(&str, &str)],
        signed: Option<(&Credentials, SystemTime)>,
    ) -> Fetched<Provided> {
        let mut form = format!("Action={action}&Version=2011-06-15");
        for (name, value) in fields {
            form.push('&');
            form.push_str(name);
            form.push('=');
            escape::push_component(&mut form, value);
        }
        let authorization = signed.map(|(keys, now)| {
            let request = v4::Request {
                method: "POST",
                path: "/",
                query: "",
                headers: [("host", self.origin.authority()), ("content-type", FORM)],
                payload: Payload::Bytes(form.as_bytes()),
            };
            request.sign(&self.scope, keys, now)
        });
        let request = || {
            let mut request = Request::new(Method::Post, &self.origin, "/")?;
            request.header("accept", "application/xml")?;
            request.header("content-type", FORM)?;
            for (name, value) in authorization.iter().flat_map(|signed| signed.headers()) {
                request.header(name, value)?;
            }
            request.body(form.clone());
            // It makes keys and changes nothing: those of a lost answer just expire.
            request.repeatable(true);
            Ok(request)
        };
        let passing = |answer: &FetchedAnswer| {
            let code = ErrorBody::parse(&answer.body, &[]).and_then(|body| body.code);
            code.as_deref() == Some("IDPCommunicationError")
        };
        let answer = fetch.send(&self.origin, request, passing).await;
        let answer = answer.map_err(|lost| lost.broken(format!("no keys from {NAME}")))?;
        if !answer.is_ok() {
            let body = ErrorBody::parse(&answer.body, &[]).unwrap_or_default();
            let status = answer.status();
            let code = body
                .code
                .map_or(String::new(), |code| format!(" {}", short(&code)));
            return Err(CredentialsError::broken(format!(
                "no keys from {NAME}: status {status}{code}"
            )));
        }
        let error = |why: XmlError| CredentialsError::broken(format!("{NAME}: {why}"));
        read(action, &answer.body).map_err(error)
    }
}

/// A name for a session that nobody has named.
pub(super) fn session(now: SystemTime) -> String {
    let since = now.duration_since(UNIX_EPOCH).unwrap_or_default();
    format!("session-{}", since.as_millis())
}

fn is_region(name: &str) -> bool {
    let legal = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    (1..=64).contains(&name.len()) && name.bytes().all(legal)
}

fn read(action: &str, body: &[u8]) -> Result<Provided, XmlError> {
    let mut xml = Xml::new(body)?;
    if xml.root()?.name() != format!("{action}Response") {
        return Err(XmlError::new(format!("it is no {action}Response")));
    }
    let mut found = [const { None }; 4];
    const NAMES: [&str; 4] = [
        "AccessKeyId",
        "SecretAccessKey",
        "SessionToken",
        "Expiration",
    ];
    while let Some(tag) = xml.child()? {
        if tag.name() != format!("{action}Result") {
            xml.skip()?;
            continue;
        }
        while let Some(tag) = xml.child()? {
            if tag.name() != "Credentials" {
                xml.skip()?;
                continue;
            }
            while let Some(tag) = xml.child()? {
                match NAMES.iter().position(|name| *name == tag.name()) {
                    Some(at) => found[at] = Some(xml.text()?),
                    None => xml.skip()?,
                }
            }
        }
    }
    let mut take = |at: usize| {
        let value = found[at].take().filter(|value: &String| !value.is_empty());
        value.ok_or_else(|| XmlError::new(format!("it has no {}", NAMES[at])))
    };
    let credentials = Credentials::new(take(0)?, take(1)?);
    let token = take(2)?;
    let expires =
        parse_iso8601(&take(3)?).ok_or_else(|| XmlError::new("the Expiration is no time"))?;
    Ok(provided(credentials, Some(&token), Some(expires)))
}
