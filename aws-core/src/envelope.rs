//! The error bodies of AWS services.

use crate::xml::{Xml, XmlError};

/// What an error body says.
///
/// Element names differ between services; all known ones are read: `<Error>` (S3), `<ErrorResponse><Error>`
/// and `<Response><Errors><Error>` (the Query services).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ErrorBody {
    /// The code, for example `NoSuchKey`.
    pub code: Option<String>,
    /// The service's explanation.
    pub message: Option<String>,
    /// The identifier that the service gave the request.
    pub request_id: Option<String>,
    pub(crate) details: Vec<(&'static str, String)>,
    pub(crate) foreign: bool,
}

impl ErrorBody {
    /// Reads an error body, and of its other elements those of these names; nothing if it is not one of the known forms.
    pub fn parse(body: &[u8], details: &[&'static str]) -> Option<Self> {
        let mut found = Self::default();
        read(body, details, &mut found).ok()?;
        found.code.is_some().then_some(found)
    }

    /// Whether a body is an error document, whatever the status of its answer.
    pub(crate) fn begins(body: &[u8]) -> bool {
        let body = body.trim_ascii_start();
        let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
        let root = match body.strip_prefix(b"<?xml") {
            Some(rest) => match rest.windows(2).position(|two| two == b"?>") {
                Some(end) => rest[end + 2..].trim_ascii_start(),
                None => return false,
            },
            None => body,
        };
        [&b"<Error"[..], b"<ErrorResponse", b"<Response"]
            .iter()
            .any(|name| {
                let rest = root.strip_prefix(*name);
                rest.and_then(<[u8]>::first)
                    .is_some_and(|b| *b == b'>' || b.is_ascii_whitespace())
            })
            && Self::parse(body, &[]).is_some()
    }

    /// What can be told of a body that is no error of the service.
    pub(crate) fn of_another(body: &[u8]) -> Self {
        Self {
            message: foreign_text(body),
            foreign: !body.trim_ascii().is_empty(),
            ..Self::default()
        }
    }

    /// Whether the answer had a body that is no error of the service: it is of something on the way, such as a firewall
    /// or a proxy. An answer without a body, as one to HEAD is, may be the service's.
    pub fn is_foreign(&self) -> bool {
        self.foreign
    }

    /// An error body of a code and a message, made by hand.
    pub fn new(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            code: Some(code.into()),
            message: Some(message.into()),
            ..Self::default()
        }
    }

    /// Adds what to do to the service's message.
    pub fn add_hint(&mut self, hint: &str) {
        let message = self.message.get_or_insert_default();
        if !message.is_empty() {
            message.push(' ');
        }
        message.push_str(hint);
    }

    /// Another element of the error, if its service [keeps](crate::Service::ERROR_DETAILS) it.
    pub fn detail(&self, name: &str) -> Option<&str> {
        self.details
            .iter()
            .find(|(n, _)| *n == name)
            .map(|(_, value)| value.as_str())
    }
}

fn read(body: &[u8], details: &[&'static str], found: &mut ErrorBody) -> Result<(), XmlError> {
    let mut xml = Xml::new(body)?;
    match xml.root()?.name() {
        "Error" => error(&mut xml, details, found),
        "ErrorResponse" | "Response" => {
            while let Some(tag) = xml.child()? {
                match tag.name() {
                    "Error" => error(&mut xml, details, found)?,
                    "Errors" => {
                        while let Some(tag) = xml.child()? {
                            match tag.name() {
                                "Error" => error(&mut xml, details, found)?,
                                _ => xml.skip()?,
                            }
                        }
                    }
                    "RequestID" | "RequestId" => found.request_id = text(&mut xml)?,
                    _ => xml.skip()?,
                }
            }
            Ok(())
        }
        _ => Ok(()),
    }
}

fn error(
    xml: &mut Xml<'_>,
    details: &[&'static str],
    found: &mut ErrorBody,
) -> Result<(), XmlError> {
    while let Some(tag) = xml.child()? {
        let name = tag.name();
        if let Some(kept) = details.iter().find(|d| **d == name) {
            let value = text(xml)?;
            found.details.extend(value.map(|value| (*kept, value)));
            continue;
        }
        match name {
            // The first of several errors is the one that is reported.
            "Code" if found.code.is_none() => found.code = Some(xml.text()?),
            "Message" if found.message.is_none() => found.message = text(xml)?,
            "RequestId" | "RequestID" => found.request_id = text(xml)?,
            _ => xml.skip()?,
        }
    }
    Ok(())
}

/// What a body that is no service's error can contribute to one line: its beginning, if it is text.
fn foreign_text(bytes: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(bytes).ok()?.trim();
    let short: String = text.chars().take(80).collect();
    (!short.is_empty()).then(|| format!("an answer that is no error of the service: {short:?}"))
}

/// The text of an element; an empty one says nothing.
fn text(xml: &mut Xml<'_>) -> Result<Option<String>, XmlError> {
    Ok(Some(xml.text()?).filter(|text| !text.is_empty()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DETAILS: &[&str] = &["BoxUsage", "Region", "Endpoint"];

    #[test]
    fn the_three_forms() {
        let s3 = ErrorBody::parse(
            b"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>NoSuchKey</Code><Message>a &lt;b&gt; &#233;</Message>\
              <StringToSign>GET\n\n</StringToSign><Region>eu-west-1</Region><RequestId>1</RequestId></Error>",
            DETAILS,
        )
        .unwrap();
        assert_eq!(s3.code.as_deref(), Some("NoSuchKey"));
        assert_eq!(s3.message.as_deref(), Some("a <b> \u{e9}"));
        assert_eq!(s3.request_id.as_deref(), Some("1"));
        assert_eq!(s3.detail("Region"), Some("eu-west-1"));
        assert_eq!(s3.detail("StringToSign"), None);
        let query = ErrorBody::parse(
            b"<Response><Errors><Error><Code>NoSuchDomain</Code><Message>m</Message><BoxUsage>0.0000071759</BoxUsage></Error>\
              </Errors><RequestID>2</RequestID></Response>",
            DETAILS,
        )
        .unwrap();
        assert_eq!(query.code.as_deref(), Some("NoSuchDomain"));
        assert_eq!(query.request_id.as_deref(), Some("2"));
        assert_eq!(query.detail("BoxUsage"), Some("0.0000071759"));
        let newer = ErrorBody::parse(
            b"<ErrorResponse xmlns=\"x\"><Error><Type>Sender</Type><Code>C</Code></Error><RequestId>3</RequestId></ErrorResponse>",
            DETAILS,
        )
        .unwrap();
        assert_eq!(newer.code.as_deref(), Some("C"));
        assert_eq!(newer.request_id.as_deref(), Some("3"));
    }

    #[test]
    fn a_body_that_is_no_error_is_of_something_else() {
        for (body, foreign) in [
            (&b""[..], false),
            (b" \r\n", false),
            (b"<html>Blocked.</html>", true),
            (b"\xff\xfe", true),
        ] {
            let error = ErrorBody::of_another(body);
            assert_eq!(error.is_foreign(), foreign, "{error:?}");
        }
        let text = ErrorBody::of_another(b" <html>\n").message;
        let told = "an answer that is no error of the service: \"<html>\"";
        assert_eq!(text.as_deref(), Some(told));
        assert!(!ErrorBody::new("AccessDenied", "").is_foreign());
    }

    #[test]
    fn what_is_empty_is_not_there() {
        let body = ErrorBody::parse(
            b"<Error><Code>AccessDenied</Code><Message/><Region></Region><Endpoint/><RequestId/></Error>",
            DETAILS,
        )
        .unwrap();
        assert_eq!(
            (body.message.as_deref(), body.request_id.as_deref()),
            (None, None)
        );
        assert_eq!(
            (body.detail("Region"), body.detail("Endpoint")),
            (None, None)
        );
    }

    #[test]
    fn anything_else_is_nothing() {
        for body in [
            "",
            "busy",
            "<html><body>502</body></html>",
            "{\"code\":1}",
            "<Error><Code>x",
            "<Error/>",
            "\u{0}",
        ] {
            assert_eq!(ErrorBody::parse(body.as_bytes(), DETAILS), None, "{body}");
        }
        assert_eq!(ErrorBody::parse(b"\xff\xfe", DETAILS), None);
    }
}
