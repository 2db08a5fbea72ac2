use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_sigv2::{Credentials, escape};
use pipeline_pool::{Method, Origin, Request};

use super::fetch::{Answer, Fetch, Outcome, provided, short};
use super::{CredentialsError, Lookup, ProvideCredentials, ProvideFuture, Provided};
use crate::envelope::ErrorBody;
use crate::time::parse_iso8601;
use crate::transport::Transport;
use crate::xml::{Xml, XmlError};

/// Keys of a role, in exchange for a token of an identity provider: pods of Kubernetes with a service account, and
/// jobs of build services.
///
/// The token is in the file that `AWS_WEB_IDENTITY_TOKEN_FILE` names, read anew each time; the role is
/// `AWS_ROLE_ARN`, the name of the session `AWS_ROLE_SESSION_NAME` (else one of its own). The Security Token Service
/// is asked at `AWS_ENDPOINT_URL_STS`, else in the region of `AWS_REGION` or `AWS_DEFAULT_REGION`, else at
/// `https://sts.amazonaws.com`. See
/// [AssumeRoleWithWebIdentity](https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html).
#[derive(Clone, Debug)]
pub struct WebIdentity {
    lookup: Lookup,
    fetch: Fetch,
}

const FILE: &str = "AWS_WEB_IDENTITY_TOKEN_FILE";
const ROLE: &str = "AWS_ROLE_ARN";
const SESSION: &str = "AWS_ROLE_SESSION_NAME";
const NAME: &str = "the Security Token Service";

impl WebIdentity {
    /// What the variables of this process name.
    pub fn new() -> Self {
        Self::over(Lookup::process())
    }

    /// What variables found by this function name.
    pub fn from_fn(lookup: impl Fn(&str) -> Option<String> + Send + Sync + 'static) -> Self {
        Self::over(Lookup::from_fn(lookup))
    }

    fn over(lookup: Lookup) -> Self {
        Self {
            lookup,
            fetch: Fetch::new(Duration::from_secs(5)),
        }
    }

    /// The longest time of one attempt; there are three. Defaults to 5 s.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.fetch = self.fetch.with_timeout(timeout);
        self
    }

    /// Sends over this transport. Defaults to a pool of its own.
    #[must_use]
    pub fn transport(mut self, transport: impl Transport + 'static) -> Self {
        self.fetch = self.fetch.with_transport(transport);
        self
    }

    fn origin(&self) -> Outcome<Origin> {
        let bad = |name: &str, why: &str| CredentialsError::broken(format!("{name}: {why}"));
        let url = match self.lookup.get("AWS_ENDPOINT_URL_STS") {
            Some(url) => url,
            None => {
                let names = ["AWS_REGION", "AWS_DEFAULT_REGION"];
                match names.iter().find_map(|n| Some((n, self.lookup.get(n)?))) {
                    None => "https://sts.amazonaws.com".to_owned(),
                    Some((_, region)) if is_region(&region) => {
                        let end = match region.starts_with("cn-") {
                            true => "amazonaws.com.cn",
                            false => "amazonaws.com",
                        };
                        format!("https://sts.{region}.{end}")
                    }
                    Some((name, _)) => return Err(bad(name, "that is no region")),
                }
            }
        };
        Origin::parse(&url).map_err(|e| bad("AWS_ENDPOINT_URL_STS", e.detail()))
    }

    /// The form that is posted; it has the token in it.
    fn form(&self, now: SystemTime) -> Outcome<String> {
        let lacks =
            |has, lacks| CredentialsError::broken(format!("{has} is set, but {lacks} is not"));
        let (file, role) = match (self.lookup.get(FILE), self.lookup.get(ROLE)) {
            (Some(file), Some(role)) => (file, role),
            (Some(_), None) => return Err(lacks(FILE, ROLE)),
            // A role alone may be meant for another way to take it.
            (None, _) => return Err(CredentialsError::absent(format!("{FILE} is not set"))),
        };
        let token = std::fs::read_to_string(&file).map_err(|cause| {
            CredentialsError::broken(format!("{FILE}: cannot read {file}")).with_source(cause)
        })?;
        let session = self.lookup.get(SESSION).unwrap_or_else(|| {
            let since = now.duration_since(UNIX_EPOCH).unwrap_or_default();
            format!("session-{}", since.as_millis())
        });
        let mut form = "Action=AssumeRoleWithWebIdentity&Version=2011-06-15".to_owned();
        for (name, value) in [
            ("RoleArn", role.as_str()),
            ("RoleSessionName", &session),
            ("WebIdentityToken", token.trim()),
        ] {
            form.push('&');
            form.push_str(name);
            form.push('=');
            escape::push_component(&mut form, value);
        }
        Ok(form)
    }

    async fn fetch(&self, now: SystemTime) -> Outcome<Provided> {
        let form = self.form(now)?;
        let origin = self.origin()?;
        let request = || {
            let mut request = Request::new(Method::Post, &origin, "/")?;
            request.header("accept", "application/xml")?;
            request.header("content-type", "application/x-www-form-urlencoded")?;
            request.body(form.clone());
            // It makes keys and changes nothing: those of a lost answer just expire.
            request.repeatable(true);
            Ok(request)
        };
        let passing = |answer: &Answer| {
            let code = ErrorBody::parse(&answer.body).and_then(|body| body.code);
            code.as_deref() == Some("IDPCommunicationError")
        };
        let answer = self.fetch.send(&origin, request, passing).await;
        let answer = answer.map_err(|lost| lost.broken(format!("no keys from {NAME}")))?;
        if !answer.is_ok() {
            let body = ErrorBody::parse(&answer.body).unwrap_or_default();
            let status = answer.status();
            let code = body
                .code
                .map_or(String::new(), |code| format!(" {}", short(&code)));
            return Err(CredentialsError::broken(format!(
                "no keys from {NAME}: status {status}{code}"
            )));
        }
        let error = |why: XmlError| CredentialsError::broken(format!("{NAME}: {why}"));
        read(&answer.body).map_err(error)
    }
}

fn is_region(name: &str) -> bool {
    let legal = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    (1..=64).contains(&name.len()) && name.bytes().all(legal)
}

fn read(body: &[u8]) -> Result<Provided, XmlError> {
    let mut xml = Xml::new(body)?;
    if xml.root()?.name() != "AssumeRoleWithWebIdentityResponse" {
        return Err(XmlError::new("it is no AssumeRoleWithWebIdentityResponse"));
    }
    let mut found = [const { None }; 4];
    const NAMES: [&str; 4] = [
        "AccessKeyId",
        "SecretAccessKey",
        "SessionToken",
        "Expiration",
    ];
    while let Some(tag) = xml.child()? {
        if tag.name() != "AssumeRoleWithWebIdentityResult" {
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

impl Default for WebIdentity {
    fn default() -> Self {
        Self::new()
    }
}

impl ProvideCredentials for WebIdentity {
    fn provide(&self, now: SystemTime) -> ProvideFuture<'_> {
        Box::pin(self.fetch(now))
    }
}
