//! A request as it goes on the wire, but for its time and signature; and what all answers have.

use std::borrow::Cow;
use std::sync::Arc;

use aws_core::operation::{Answer, Attempt, SpanStart};
use aws_core::xml::{Tag, Xml, XmlError};
use aws_core::{Class, ErrorBody, Overrides, Result, Service};
use aws_sigv2::date;
use aws_sigv2::query;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pipeline_pool::{Head, Method, Origin, Request};
use tracing::{Span, field};

use crate::client::SdbClient;
use crate::item::{Attribute, Expected};
use crate::limits;
use crate::operation::Unsigned;
use crate::options::Options;
use crate::usage::{Meter, Usage};

/// The service, as one operation of it sees it.
#[derive(Debug, Default)]
pub(crate) struct Sdb {
    pub(crate) operation: &'static str,
    pub(crate) meter: Meter,
}

impl Sdb {
    /// An answer has cost so many machine hours.
    fn bill(&self, hours: f64) {
        self.meter.add(hours);
        #[cfg(feature = "metrics")]
        aws_core::metrics::record_cost(Self::NAME, self.operation, hours);
    }
}

impl Service for Sdb {
    const REQUEST_ID: Option<&'static str> = Some("RequestId");
    const NAME: &'static str = "SimpleDB";
    const ERROR_DETAILS: &'static [&'static str] = &["BoxUsage"];
    type Destination = Origin;

    fn parse_error(&self, _: &Head, body: &[u8]) -> Option<ErrorBody> {
        let error = ErrorBody::parse(body, Self::ERROR_DETAILS)?;
        // Errors are billed too.
        let hours = error.detail("BoxUsage").and_then(|text| hours(text).ok());
        self.bill(hours.unwrap_or(0.0));
        Some(error)
    }

    fn signature(&self, _: Option<&Arc<str>>) -> &'static str {
        "V2"
    }

    fn span(&self, start: &SpanStart<'_>) -> Span {
        tracing::debug_span!(
            "operation",
            otel.name = %start,
            otel.kind = "client",
            rpc.system = "aws-api",
            rpc.service = start.service,
            rpc.method = start.operation,
            aws.simpledb.domain = start.resource,
            aws.simpledb.item = start.key,
            signature = start.signature,
            attempts = field::Empty,
            cache = field::Empty,
            outcome = field::Empty,
            http.request.body.size = field::Empty,
            http.response.body.size = field::Empty,
            http.response.status_code = field::Empty,
            aws.request_id = field::Empty,
            error.type = field::Empty,
            otel.status_code = field::Empty,
        )
    }

    fn class(&self, _: u16, code: Option<&str>) -> Option<Class> {
        match code? {
            // A condition on a value, and there is no such attribute; one on an attribute that has many.
            "AttributeDoesNotExist" | "MultiValuedAttribute" => Some(Class::ConditionFailed),
            _ => None,
        }
    }
}

/// The action and its parameters.
pub(crate) struct UnsignedRequest {
    origin: Origin,
    /// The endpoint's path, and a slash.
    path: String,
    domain: Option<Arc<str>>,
    params: Vec<(Cow<'static, str>, String)>,
    /// Which of the parameters is the name of the item that it is about.
    item: Option<usize>,
    /// Which are the names of the items of a batch.
    batch: Vec<usize>,
    in_url: bool,
    options: Options,
}

/// Actions that change nothing.
const READS: [&str; 4] = ["DomainMetadata", "GetAttributes", "ListDomains", "Select"];

/// The most bytes of parameters in a URL; proxies and servers refuse longer ones.
const MAX_URL: usize = 4096;

impl UnsignedRequest {
    pub(crate) fn new(client: &SdbClient, action: &'static str) -> Self {
        let origin = client.endpoint().origin().clone();
        let mut wire = Self {
            origin,
            path: format!("{}/", client.endpoint().path()),
            domain: None,
            params: Vec::with_capacity(8),
            item: None,
            batch: Vec::new(),
            in_url: client.sends_in_url(),
            options: Options::default(),
        };
        wire.param("Action", action);
        wire.param("Version", "2009-04-15");
        wire
    }

    /// A request about a domain.
    pub(crate) fn about(
        client: &SdbClient,
        action: &'static str,
        domain: &Arc<str>,
    ) -> Result<Self> {
        limits::domain(domain)?;
        let mut wire = Self::new(client, action);
        wire.domain = Some(domain.clone());
        wire.param("DomainName", &**domain);
        Ok(wire)
    }

    pub(crate) fn param(&mut self, name: impl Into<Cow<'static, str>>, value: impl Into<String>) {
        self.params.push((name.into(), value.into()));
    }

    /// Names an item that it is about: the only one, or one of a batch, whose parameters begin with `prefix`.
    pub(crate) fn about_item(&mut self, prefix: &str, item: impl Into<String>) {
        let at = self.params.len();
        if prefix.is_empty() {
            self.item = Some(at);
            self.param("ItemName", item);
        } else {
            self.batch.push(at);
            self.param(format!("{prefix}ItemName"), item);
        }
    }

    pub(crate) fn expected(&mut self, expected: Option<&Expected>) -> Result<()> {
        let Some(expected) = expected else {
            return Ok(());
        };
        limits::attribute(&expected.name)?;
        self.param("Expected.1.Name", &*expected.name);
        match &expected.value {
            Some(value) => {
                limits::value(&expected.name, value)?;
                self.param("Expected.1.Value", &**value);
            }
            None => self.param("Expected.1.Exists", "false"),
        }
        Ok(())
    }

    pub(crate) fn options(&mut self, options: Options) {
        self.options = options;
    }

    /// Whether the action changes nothing. The method does not tell: every action can be asked for
    /// by GET and by POST.
    fn reads(&self) -> bool {
        let action = self.params.iter().find(|(name, _)| name == "Action");
        action.is_some_and(|(_, action)| READS.contains(&&**action))
    }

    fn encoded_len(&self) -> usize {
        let param = |(name, value): &(Cow<'_, str>, String)| name.len() + escaped_len(value) + 2;
        self.params.iter().map(param).sum()
    }
}

impl Unsigned for UnsignedRequest {
    type Service = Sdb;

    fn overrides(&self) -> &Overrides {
        &self.options
    }

    fn origin(&self) -> &Origin {
        &self.origin
    }

    /// The item that it is about, where that is one.
    fn item(&self) -> Option<&str> {
        self.item.map(|at| self.params[at].1.as_str())
    }

    /// The names of all items that it is about.
    fn items(&self) -> Vec<&str> {
        let all = self.item.iter().chain(&self.batch);
        all.map(|at| self.params[*at].1.as_str()).collect()
    }

    fn domain(&self) -> Option<&Arc<str>> {
        self.domain.as_ref()
    }

    fn request(&self, _: &Sdb, attempt: &Attempt<'_>) -> Result<Request> {
        let time = date::iso8601(attempt.now());
        let params: Vec<(&str, &str)> = self
            .params
            .iter()
            .map(|(n, v)| (&**n, v.as_str()))
            .collect();
        let in_url = self.in_url && self.encoded_len() <= MAX_URL;
        let method = if in_url { Method::Get } else { Method::Post };
        let signed = query::QueryRequest {
            method: method.as_str(),
            host: self.origin.authority(),
            path: &self.path,
            params: &params,
            time: query::Time::Timestamp(time.as_ref()),
        };
        let signed = signed.sign(attempt.credentials(), query::Algorithm::HmacSha256);
        if in_url {
            let mut request =
                Request::new(method, &self.origin, &format!("{}?{signed}", self.path))?;
            for (name, value) in attempt.headers() {
                request.header(name, value)?;
            }
            request.reads(self.reads());
            return Ok(request);
        }
        let mut request = Request::new(method, &self.origin, &self.path)?;
        let added = attempt.headers();
        if !added.iter().any(|(name, _)| name == "content-type") {
            request.header(
                "content-type",
                "application/x-www-form-urlencoded; charset=utf-8",
            )?;
        }
        for (name, value) in added {
            request.header(name, value)?;
        }
        request.body(signed);
        request.reads(self.reads());
        Ok(request)
    }
}

/// The bytes of a text in a form or URL.
pub(crate) fn escaped_len(text: &str) -> usize {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'~');
    text.bytes().map(|b| if plain(b) { 1 } else { 3 }).sum()
}

/// Reads an answer: `result` reads the element `<…Result>`, the rest is the same for all.
pub(crate) fn read(
    service: &Sdb,
    answer: &Answer,
    result: impl FnMut(&mut Xml<'_>) -> Result<(), XmlError>,
) -> Result<Usage> {
    let mut usage = read_envelope(&answer.bytes(), result)?;
    if answer.cached {
        // It was paid for when it was fetched.
        usage.box_usage = 0.0;
        return Ok(usage);
    }
    service.bill(usage.box_usage);
    Ok(usage)
}

pub(crate) fn read_envelope(
    text: &[u8],
    mut result: impl FnMut(&mut Xml<'_>) -> Result<(), XmlError>,
) -> Result<Usage, XmlError> {
    let mut usage = Usage::default();
    let mut xml = Xml::new(text)?;
    let root = xml.root()?;
    if !root.name().ends_with("Response") {
        return Err(XmlError::new("it is no response of SimpleDB"));
    }
    while let Some(tag) = xml.child()? {
        match tag.name() {
            "ResponseMetadata" => {
                while let Some(tag) = xml.child()? {
                    match tag.name() {
                        "RequestId" | "RequestID" => usage.request_id = Some(xml.text()?),
                        "BoxUsage" => usage.box_usage = hours(&xml.text_in_place()?)?,
                        _ => xml.skip()?,
                    }
                }
            }
            name if name.ends_with("Result") => result(&mut xml)?,
            _ => xml.skip()?,
        }
    }
    Ok(usage)
}

/// The machine hours that a BoxUsage tells: what is no number, negative or without end would spoil every sum.
fn hours(text: &str) -> Result<f64, XmlError> {
    let hours = text.trim().parse().ok();
    let hours = hours.filter(|hours: &f64| hours.is_finite() && *hours >= 0.0);
    hours.ok_or_else(|| XmlError::new("a BoxUsage is no number of machine hours"))
}

/// Reads a name or value, which SimpleDB encodes where XML cannot carry it.
pub(crate) fn text(xml: &mut Xml<'_>, tag: &Tag<'_>) -> Result<String, XmlError> {
    let text = xml.text()?;
    if !tag.has("encoding", "base64") {
        return Ok(text);
    }
    let bytes = base64(&text).ok_or_else(|| XmlError::new("a text is not Base64"))?;
    String::from_utf8(bytes).map_err(|_| XmlError::new("a text is not UTF-8"))
}

/// The bytes of a text in Base64, which may be folded into lines as MIME does it, at 76 characters
/// ([RFC 2045](https://www.rfc-editor.org/rfc/rfc2045#section-6.8)).
pub(crate) fn base64(text: &str) -> Option<Vec<u8>> {
    let compact: String = text.split_ascii_whitespace().collect();
    STANDARD.decode(compact).ok()
}

/// Reads an `<Attribute>`.
pub(crate) fn attribute(xml: &mut Xml<'_>) -> Result<Attribute, XmlError> {
    let mut attribute = Attribute {
        name: String::new(),
        value: String::new(),
    };
    while let Some(tag) = xml.child()? {
        match tag.name() {
            "Name" => attribute.name = text(xml, &tag)?,
            "Value" => attribute.value = text(xml, &tag)?,
            _ => xml.skip()?,
        }
    }
    Ok(attribute)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_reads_is_what_its_row_says() {
        let exports = ["GetExport", "ListExports"];
        let rows = crate::idempotency::TABLE.iter();
        let rows = rows.filter(|row| row.reason == "it reads");
        let mut reads: Vec<_> = rows
            .map(|row| row.operation)
            .filter(|operation| !exports.contains(operation))
            .collect();
        reads.sort_unstable();
        assert_eq!(reads, READS);
        for in_url in [false, true] {
            let client = SdbClient::builder()
                .endpoint("http://h")
                .credentials(aws_core::Credentials::new("id", "key"))
                .use_get(in_url)
                .build()
                .unwrap();
            assert!(UnsignedRequest::new(&client, "Select").reads());
            assert!(!UnsignedRequest::new(&client, "PutAttributes").reads());
        }
    }

    #[test]
    fn an_envelope_is_read() {
        let mut found = Vec::new();
        let usage = read_envelope(
            b"<GetAttributesResponse xmlns='u'><GetAttributesResult><Attribute><Name>a</Name><Value encoding=\"base64\">AQI=\
              </Value></Attribute><Attribute><Name>b</Name><Value> x &amp; </Value></Attribute></GetAttributesResult>\
              <ResponseMetadata><RequestId>r</RequestId><BoxUsage>0.0000093222</BoxUsage></ResponseMetadata></GetAttributesResponse>",
            |xml| {
                while xml.child()?.is_some() {
                    found.push(attribute(xml)?);
                }
                Ok(())
            },
        )
        .unwrap();
        assert_eq!(
            (usage.box_usage, usage.request_id.as_deref()),
            (0.000_009_322_2, Some("r"))
        );
        assert_eq!(
            (found[0].value.as_str(), found[1].value.as_str()),
            ("\u{1}\u{2}", " x & ")
        );
    }

    #[test]
    fn base64_may_be_folded_into_lines() {
        // What SimpleDB does itself, at 76 characters.
        let value = "\u{1}".repeat(100);
        let encoded = STANDARD.encode(&value);
        let (first, second) = encoded.split_at(76);
        for fold in ["\n", "&#13;\n", "\n    "] {
            let answer = format!("<Value encoding=\"base64\">\n{first}{fold}{second}\n</Value>");
            let mut xml = Xml::new(answer.as_bytes()).unwrap();
            let tag = xml.root().unwrap();
            assert_eq!(text(&mut xml, &tag).unwrap(), value);
        }
    }

    #[test]
    fn nonsense_is_an_error() {
        for text in [
            "",
            "<html/>",
            "<XResponse>",
            "<XResponse><ResponseMetadata><BoxUsage>x</BoxUsage></ResponseMetadata></XResponse>",
            "<XResponse><ResponseMetadata><BoxUsage>NaN</BoxUsage></ResponseMetadata></XResponse>",
            "<XResponse><ResponseMetadata><BoxUsage>inf</BoxUsage></ResponseMetadata></XResponse>",
            "<XResponse><ResponseMetadata><BoxUsage>-1</BoxUsage></ResponseMetadata></XResponse>",
        ] {
            assert!(
                read_envelope(text.as_bytes(), |xml| xml.skip()).is_err(),
                "{text}"
            );
        }
        let mut xml = Xml::new(b"<a encoding='base64'>!</a>").unwrap();
        let tag = xml.root().unwrap();
        assert!(text(&mut xml, &tag).is_err());
    }
}
