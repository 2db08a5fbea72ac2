//! How the elements of a stream of XMPP are told apart, which is one XML document that does not end.

use aws_core::xml::Element;
use quick_xml::Reader;
use quick_xml::errors::{Error, IllFormedError};
use quick_xml::events::Event;

/// The most bytes of one element: ejabberd sends none that is longer than what a client may send.
const LONGEST: usize = 1 << 20;

/// What stands at the beginning of the bytes.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// More bytes are needed to tell.
    Incomplete,
    /// The stream has begun, and so many bytes said so.
    Begun(usize),
    /// An element of so many bytes, blanks before it included.
    Element(Element, usize),
    /// The stream has ended.
    Ended,
    /// The bytes are none of a stream.
    Wrong(String),
}

/// Reads the next thing of a stream. The beginning of the stream is one only where `begins` says so.
pub(crate) fn next(bytes: &[u8], begins: bool) -> Next {
    if bytes.len() > LONGEST {
        return Next::Wrong(format!("an element of more than {LONGEST} bytes"));
    }
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        // A character may be cut.
        Err(error) => match std::str::from_utf8(&bytes[..error.valid_up_to()]) {
            Ok(text) if error.error_len().is_none() => text,
            _ => return Next::Wrong("bytes that are no text".to_owned()),
        },
    };
    let trimmed = text.trim_start();
    let skipped = text.len() - trimmed.len();
    if trimmed.starts_with("</stream:stream") {
        return Next::Ended;
    }
    let mut reader = Reader::from_str(trimmed);
    let mut depth = 0_u32;
    loop {
        let is_done = match reader.read_event() {
            Ok(Event::Start(start)) if begins && start.name().as_ref() == "stream:stream" => {
                return Next::Begun(skipped + position(&reader));
            }
            Ok(Event::Start(_)) => {
                depth += 1;
                false
            }
            Ok(Event::End(_)) => {
                depth -= 1;
                depth == 0
            }
            Ok(Event::Empty(_)) => depth == 0,
            // An end that is missing may come yet.
            Ok(Event::Eof)
            | Err(Error::Syntax(_) | Error::IllFormed(IllFormedError::UnclosedReference)) => {
                return Next::Incomplete;
            }
            Ok(_) => false,
            Err(error) => return Next::Wrong(error.to_string()),
        };
        if is_done {
            let end = position(&reader);
            return match Element::parse(&trimmed.as_bytes()[..end]) {
                Ok(element) => Next::Element(element, skipped + end),
                Err(error) => Next::Wrong(error.to_string()),
            };
        }
    }
}

fn position(reader: &Reader<&[u8]>) -> usize {
    usize::try_from(reader.buffer_position()).unwrap_or(usize::MAX)
}

/// A text as it has to be written in an attribute, or between tags.
pub(crate) fn escape(text: &str) -> String {
    quick_xml::escape::escape(text).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_is_read_however_it_is_cut() {
        let text = "<?xml version='1.0'?><stream:stream id='1' from='x'>";
        let stanza = " <message from='a&amp;b' id='7'><body>1 &lt; ü</body><x/></message>";
        let (text, stanza) = (text.as_bytes(), stanza.as_bytes());
        for cut in 0..text.len() {
            assert_eq!(next(&text[..cut], true), Next::Incomplete, "{cut}");
        }
        assert_eq!(next(text, true), Next::Begun(text.len()));
        for cut in 0..stanza.len() {
            assert_eq!(next(&stanza[..cut], false), Next::Incomplete, "{cut}");
        }
        let Next::Element(message, consumed) = next(&[stanza, stanza].concat(), false) else {
            panic!("no element")
        };
        assert_eq!(consumed, stanza.len());
        assert_eq!(message.attribute("from"), Some("a&b"));
        assert_eq!(message.child("body").map(Element::text), Some("1 < ü"));
        assert_eq!(next(b"</stream:stream>", false), Next::Ended);
        assert!(matches!(next(b"<a></b>", false), Next::Wrong(_)));
        assert!(matches!(next(&[b'<', 0xff], false), Next::Wrong(_)));
        assert_eq!(escape("<&>"), "&lt;&amp;&gt;");
    }
}
