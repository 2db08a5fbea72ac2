//! Answers in SimpleDB's XML.

use base64::prelude::*;

use super::error::SdbError;
use super::store::Item;
use crate::xml::{DECLARATION, element, is_char};

const NAMESPACE: &str = "http://sdb.amazonaws.com/doc/2009-04-15/";

/// Wraps the inside of a result, if the action has one, in its envelope.
pub(crate) fn response(
    action: &str,
    result: Option<&str>,
    request_id: &str,
    box_usage: f64,
) -> String {
    let mut out = format!("{DECLARATION}<{action}Response xmlns=\"{NAMESPACE}\">");
    if let Some(result) = result {
        out.push_str(&format!("<{action}Result>{result}</{action}Result>"));
    }
    out.push_str(&format!(
        "<ResponseMetadata><RequestId>{request_id}</RequestId>\
         <BoxUsage>{box_usage:.10}</BoxUsage></ResponseMetadata></{action}Response>"
    ));
    out
}

pub(crate) fn error(error: &SdbError, request_id: &str, box_usage: f64) -> String {
    let mut out = format!("{DECLARATION}<Response><Errors><Error>");
    element(&mut out, "Code", error.code);
    element(&mut out, "Message", &error.message);
    out.push_str(&format!(
        "<BoxUsage>{box_usage:.10}</BoxUsage></Error></Errors>\
         <RequestID>{request_id}</RequestID></Response>"
    ));
    out
}

/// Appends a name or a value, in base64 if XML cannot bring it over as it is.
pub(crate) fn text(out: &mut String, name: &str, text: &str) {
    // A parser turns a bare carriage return into a line feed.
    if text.chars().all(|c| is_char(c) && c != '\r') {
        element(out, name, text);
    } else {
        out.push_str(&format!("<{name} encoding=\"base64\">"));
        out.push_str(&BASE64_STANDARD.encode(text));
        out.push_str(&format!("</{name}>"));
    }
}

pub(crate) fn attribute(out: &mut String, name: &str, value: &str) {
    out.push_str("<Attribute>");
    text(out, "Name", name);
    text(out, "Value", value);
    out.push_str("</Attribute>");
}

/// Appends the attributes that are wanted, and counts their pairs.
pub(crate) fn attributes(out: &mut String, item: &Item, wanted: impl Fn(&str) -> bool) -> usize {
    let mut pairs = 0;
    for (name, values) in item.iter().filter(|(name, _)| wanted(name)) {
        for value in values {
            attribute(out, name, value);
            pairs += 1;
        }
    }
    pairs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_xml_cannot_carry_is_base64() {
        let mut out = String::new();
        attribute(&mut out, "a&b", "x\u{1}");
        assert_eq!(
            out,
            "<Attribute><Name>a&amp;b</Name><Value encoding=\"base64\">eAE=</Value></Attribute>"
        );
    }

    #[test]
    fn envelopes() {
        let out = response("CreateDomain", None, "id", 0.0055590278);
        assert!(out.ends_with(
            "<CreateDomainResponse xmlns=\"http://sdb.amazonaws.com/doc/2009-04-15/\">\
             <ResponseMetadata><RequestId>id</RequestId><BoxUsage>0.0055590278</BoxUsage>\
             </ResponseMetadata></CreateDomainResponse>"
        ));
        let out = error(&SdbError::no_such_domain(), "id", 0.0);
        assert!(out.contains("<Code>NoSuchDomain</Code>"));
        assert!(out.ends_with("<RequestID>id</RequestID></Response>"));
    }
}
