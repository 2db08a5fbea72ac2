//! What browsers are told that ask for another site: by a preflight, and with every answer.
//!
//! See [Using cross-origin resource sharing](https://docs.aws.amazon.com/AmazonS3/latest/userguide/cors.html) and
//! [How S3 evaluates a CORS configuration](https://docs.aws.amazon.com/AmazonS3/latest/userguide/ManageCorsUsing.html).

use hyper::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE,
    ACCESS_CONTROL_REQUEST_HEADERS, ACCESS_CONTROL_REQUEST_METHOD, HeaderName, HeaderValue, ORIGIN,
    VARY,
};
use hyper::http::request::Parts;
use hyper::{HeaderMap, Method, StatusCode};

use crate::s3::access::policy::like;
use crate::s3::config::schema::Node;
use crate::s3::http::error::Refusal;

/// What a request says of where it comes from and what it wants.
#[derive(Clone, Debug)]
pub(in crate::s3) struct CorsRequest {
    origin: String,
    /// The method of the request itself, or the one that a preflight asks for.
    method: String,
    headers: Vec<String>,
    is_preflight: bool,
}

impl CorsRequest {
    /// Nothing of a request that names no origin.
    pub(in crate::s3) fn of(parts: &Parts) -> Option<Self> {
        let field = |name| {
            parts
                .headers
                .get(name)
                .and_then(|value| value.to_str().ok())
        };
        let is_preflight = parts.method == Method::OPTIONS;
        let method = match field(ACCESS_CONTROL_REQUEST_METHOD) {
            Some(method) if is_preflight => method,
            _ => parts.method.as_str(),
        };
        let headers = field(ACCESS_CONTROL_REQUEST_HEADERS).filter(|_| is_preflight);
        let headers = headers.into_iter().flat_map(|all| all.split(','));
        Some(Self {
            origin: field(ORIGIN)?.to_owned(),
            method: method.to_owned(),
            headers: headers
                .map(|name| name.trim().to_ascii_lowercase())
                .filter(|name| !name.is_empty())
                .collect(),
            is_preflight,
        })
    }

    /// The fields of the answer by the first rule that fits, if one does.
    fn fields(&self, configuration: &Node) -> Option<HeaderMap> {
        let rule = configuration.all("CORSRule").find(|rule| self.fits(rule))?;
        let mut fields = HeaderMap::new();
        let mut add = |name: HeaderName, value: &str| {
            if let Ok(value) = HeaderValue::try_from(value) {
                fields.insert(name, value);
            }
        };
        let everybody = rule.all("AllowedOrigin").any(|origin| origin.text == "*");
        if everybody {
            add(ACCESS_CONTROL_ALLOW_ORIGIN, "*");
        } else {
            add(ACCESS_CONTROL_ALLOW_ORIGIN, &self.origin);
            add(ACCESS_CONTROL_ALLOW_CREDENTIALS, "true");
        }
        let texts = |name| -> Vec<_> { rule.all(name).map(|node| node.text.as_str()).collect() };
        add(
            ACCESS_CONTROL_ALLOW_METHODS,
            &texts("AllowedMethod").join(", "),
        );
        if !self.headers.is_empty() {
            add(ACCESS_CONTROL_ALLOW_HEADERS, &self.headers.join(", "));
        }
        let exposed = texts("ExposeHeader");
        if !exposed.is_empty() {
            add(ACCESS_CONTROL_EXPOSE_HEADERS, &exposed.join(", "));
        }
        let age = rule.text_of("MaxAgeSeconds").trim();
        if self.is_preflight && !age.is_empty() {
            add(ACCESS_CONTROL_MAX_AGE, age);
        }
        add(
            VARY,
            "Origin, Access-Control-Request-Headers, Access-Control-Request-Method",
        );
        Some(fields)
    }

    fn fits(&self, rule: &Node) -> bool {
        let header_fits = |name: &String| {
            rule.all("AllowedHeader")
                .any(|allowed| like(&allowed.text.to_ascii_lowercase(), name))
        };
        rule.all("AllowedOrigin")
            .any(|origin| like(&origin.text, &self.origin))
            && rule
                .all("AllowedMethod")
                .any(|method| method.text == self.method)
            && self.headers.iter().all(header_fits)
    }

    /// Adds to an answer what the configuration of the bucket lets a browser know.
    pub(in crate::s3) fn add_to(&self, headers: &mut HeaderMap, configuration: Option<&Node>) {
        headers.extend(
            configuration
                .and_then(|it| self.fields(it))
                .unwrap_or_default(),
        );
    }

    /// The fields that answer a preflight.
    pub(in crate::s3) fn preflight(
        &self,
        configuration: Option<&Node>,
    ) -> Result<HeaderMap, Refusal> {
        let message = match configuration {
            None => "CORSResponse: CORS is not enabled for this bucket.",
            Some(_) => {
                "CORSResponse: This CORS request is not allowed. This is usually because the evalution of Origin, \
                 request method / Access-Control-Request-Method or Access-Control-Request-Headers are not \
                 whitelisted by the resource's CORS spec."
            }
        };
        let fields = configuration.and_then(|configuration| self.fields(configuration));
        fields.ok_or_else(|| Refusal::new(StatusCode::FORBIDDEN, "AccessForbidden", message))
    }
}

/// Refuses a preflight that lacks what makes it one.
pub(in crate::s3) fn malformed(parts: &Parts) -> Option<Refusal> {
    let bad =
        |message: &'static str| Some(Refusal::new(StatusCode::BAD_REQUEST, "BadRequest", message));
    if !parts.headers.contains_key(ORIGIN) {
        return bad("Insufficient information. Origin request header needed.");
    }
    if !parts.headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD) {
        return bad("Invalid Access-Control-Request-Method: null");
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(method: &str, fields: &[(&'static str, &str)]) -> Option<CorsRequest> {
        let mut request = hyper::Request::builder().method(method).uri("/b/k");
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        CorsRequest::of(&request.body(()).unwrap().into_parts().0)
    }

    fn rule(inner: &str) -> Node {
        let text = format!("<CORSConfiguration><CORSRule>{inner}</CORSRule></CORSConfiguration>");
        Node::parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn rules_fit_or_do_not() {
        assert!(asked("GET", &[]).is_none());
        let get = asked("GET", &[("origin", "http://a.example.com")]).unwrap();
        for (inner, origin) in [
            (
                "<AllowedOrigin>*</AllowedOrigin><AllowedMethod>GET</AllowedMethod>",
                Some("*"),
            ),
            (
                "<AllowedOrigin>http://*.example.com</AllowedOrigin><AllowedMethod>GET</AllowedMethod>",
                Some("http://a.example.com"),
            ),
            (
                "<AllowedOrigin>*</AllowedOrigin><AllowedMethod>PUT</AllowedMethod>",
                None,
            ),
            (
                "<AllowedOrigin>*.org</AllowedOrigin><AllowedMethod>GET</AllowedMethod>",
                None,
            ),
        ] {
            let mut headers = HeaderMap::new();
            get.add_to(&mut headers, Some(&rule(inner)));
            let told = headers.get(ACCESS_CONTROL_ALLOW_ORIGIN);
            assert_eq!(told.map(|value| value.to_str().unwrap()), origin, "{inner}");
        }
    }

    #[test]
    fn preflights_ask_for_a_method_and_fields() {
        let preflight = |fields| {
            let all = [
                ("origin", "http://x"),
                ("access-control-request-method", "PUT"),
                ("access-control-request-headers", fields),
            ];
            asked("OPTIONS", &all).unwrap()
        };
        let rule = rule(
            "<AllowedOrigin>*</AllowedOrigin><AllowedMethod>PUT</AllowedMethod>\
             <AllowedHeader>x-amz-*</AllowedHeader><MaxAgeSeconds>5</MaxAgeSeconds>",
        );
        let fields = preflight("X-Amz-Meta-A, x-amz-date").preflight(Some(&rule));
        let fields = fields.unwrap();
        assert_eq!(
            fields[ACCESS_CONTROL_ALLOW_HEADERS],
            "x-amz-meta-a, x-amz-date"
        );
        assert_eq!(fields[ACCESS_CONTROL_MAX_AGE], "5");
        assert!(preflight("content-type").preflight(Some(&rule)).is_err());
        assert!(preflight("x-amz-date").preflight(None).is_err());
    }
}
