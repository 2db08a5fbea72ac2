//! Splits a text into the tokens of XML.
//!
//! *Problem:* Of a key in a listing five short texts are read, so that what one token costs is most of what a listing
//! costs. A general parser keeps the names of open elements in a buffer of its own and hands each token out as an event
//! that may own its text. *Decision:* Tokens are slices of the text. What belongs to attributes and references, of which
//! there are few, is left to `quick-xml`. *Cost:* A second way to find the ends of tags, which a test holds against that
//! of `quick-xml`.

use memchr::{memchr, memchr2, memchr3};
use quick_xml::escape::resolve_xml_entity;
use quick_xml::events::BytesRef;

use super::{Tag, XmlError};

/// A piece of a text.
#[derive(Debug)]
pub(super) enum Token<'a> {
    Start(Tag<'a>),
    End,
    /// Text as it stands, with its references.
    Text(&'a str),
    Cdata(&'a str),
    /// A comment, a processing instruction or the declaration.
    Other,
    Eof,
}

/// Goes through a text.
pub(super) struct Scanner<'a> {
    text: &'a str,
    at: usize,
    /// The names of the elements that are open, with their prefixes.
    open: Vec<&'a str>,
    /// The last tag was that of an empty element, whose end comes next.
    is_empty: bool,
}

impl<'a> Scanner<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self {
            text,
            at: 0,
            open: Vec::with_capacity(8),
            is_empty: false,
        }
    }

    /// The next token.
    ///
    /// # Errors
    /// When the text is not well-formed, or has a document type definition.
    #[inline]
    pub(super) fn token(&mut self) -> Result<Token<'a>, XmlError> {
        if std::mem::take(&mut self.is_empty) {
            self.open.pop();
            return Ok(Token::End);
        }
        let rest = &self.text[self.at..];
        let bytes = rest.as_bytes();
        match bytes {
            [] => Ok(Token::Eof),
            [b'<', b'/', ..] => self.end(rest),
            [b'<', b'!', ..] => self.declaration(rest),
            [b'<', b'?', ..] => self.skip(rest, "<?", "?>").map(|_| Token::Other),
            [b'<', ..] => self.start(rest),
            _ => {
                let len = memchr(b'<', bytes).unwrap_or(bytes.len());
                self.at += len;
                Ok(Token::Text(&rest[..len]))
            }
        }
    }

    /// What is in the element that was opened last, if that is a text that stands for itself, and nothing else: the most
    /// frequent case by far, whose two tokens are read as one. The element is then closed.
    #[inline]
    pub(super) fn plain_text(&mut self) -> Option<&'a str> {
        let name = self.open.last().filter(|_| !self.is_empty)?;
        let rest = &self.text[self.at..];
        let len = memchr3(b'<', b'&', b'\r', rest.as_bytes())?;
        let (text, after) = rest.split_at(len);
        let after = after.strip_prefix("</")?.strip_prefix(name)?;
        if !after.starts_with('>') {
            return None;
        }
        self.at += len + 3 + name.len();
        self.open.pop();
        Some(text)
    }

    #[inline]
    fn start(&mut self, rest: &'a str) -> Result<Token<'a>, XmlError> {
        let bytes = rest.as_bytes();
        let mut prefix = 0;
        let mut ends_name = |(at, b): (usize, &u8)| match b {
            b':' => {
                prefix = at + 1;
                false
            }
            b => matches!(b, b'>' | b'/' | b' ' | b'\t' | b'\r' | b'\n' | b'<'),
        };
        let mut name = bytes[1..].iter().enumerate();
        let name = name.position(&mut ends_name).ok_or_else(cut_off)?;
        if name == 0 {
            return Err(XmlError::new("a tag without a name"));
        }
        let close = match bytes[1 + name] {
            b'>' => 1 + name,
            _ => 1 + name + end_of_tag(&bytes[1 + name..])?,
        };
        self.is_empty = bytes[close - 1] == b'/';
        if bytes[1 + name] == b'/' && close > 2 + name {
            return Err(XmlError::new("a slash within a tag"));
        }
        let content = &rest[1..close - usize::from(self.is_empty)];
        self.at += close + 1;
        self.open.push(&content[..name]);
        Ok(Token::Start(Tag {
            content,
            name,
            prefix,
        }))
    }

    #[inline]
    fn end(&mut self, rest: &'a str) -> Result<Token<'a>, XmlError> {
        let mismatch = || XmlError::new("an end tag of another element");
        let name = self.open.pop().ok_or_else(mismatch)?;
        let rest = &rest[2..];
        let after = rest
            .strip_prefix(name)
            .ok_or_else(|| match name.starts_with(rest) {
                true => cut_off(),
                false => mismatch(),
            })?;
        let blanks = after.len() - after.trim_ascii_start().len();
        match after.as_bytes().get(blanks) {
            Some(b'>') => {
                self.at += 2 + name.len() + blanks + 1;
                Ok(Token::End)
            }
            Some(_) => Err(mismatch()),
            None => Err(cut_off()),
        }
    }

    fn declaration(&mut self, rest: &'a str) -> Result<Token<'a>, XmlError> {
        const COMMENT: &str = "<!--";
        const CDATA: &str = "<![CDATA[";
        if rest.starts_with(COMMENT) {
            self.skip(rest, COMMENT, "-->")?;
            Ok(Token::Other)
        } else if rest.starts_with(CDATA) {
            self.skip(rest, CDATA, "]]>").map(Token::Cdata)
        } else if COMMENT.starts_with(rest) || CDATA.starts_with(rest) {
            Err(cut_off())
        } else {
            Err(XmlError::new("it has a document type definition"))
        }
    }

    /// What stands between these two, the first of which begins the rest.
    fn skip(&mut self, rest: &'a str, begin: &str, end: &str) -> Result<&'a str, XmlError> {
        let inner = &rest[begin.len()..];
        let len = inner.find(end).ok_or_else(cut_off)?;
        self.at += begin.len() + len + end.len();
        Ok(&inner[..len])
    }
}

fn cut_off() -> XmlError {
    XmlError::new("it is cut off")
}

/// Where the tag ends that goes on with these bytes: at the first `>` that is not in quotes.
fn end_of_tag(bytes: &[u8]) -> Result<usize, XmlError> {
    let mut quote = None;
    for (at, &byte) in bytes.iter().enumerate() {
        match (quote, byte) {
            (None, b'>') => return Ok(at),
            (None, b'<') => return Err(XmlError::new("a tag within a tag")),
            (None, b'"' | b'\'') => quote = Some(byte),
            (Some(open), _) if open == byte => quote = None,
            _ => {}
        }
    }
    Err(cut_off())
}

/// Whether a text stands for itself, without a reference or a line end to be read.
pub(super) fn is_plain(text: &str) -> bool {
    memchr2(b'&', b'\r', text.as_bytes()).is_none()
}

/// Appends what a text says: references resolved, and line ends as [XML 1.0,
/// 2.11](https://www.w3.org/TR/xml/#sec-line-ends) has them.
///
/// # Errors
/// When there is a reference that XML does not define.
pub(super) fn push_text(all: &mut String, mut text: &str) -> Result<(), XmlError> {
    all.reserve(text.len());
    while let Some(at) = memchr(b'&', text.as_bytes()) {
        push_lines(all, &text[..at]);
        let rest = &text[at + 1..];
        let end = memchr(b';', rest.as_bytes()).ok_or_else(|| XmlError::new("a bare &"))?;
        let name = &rest[..end];
        match resolve_xml_entity(name) {
            Some(text) => all.push_str(text),
            None => match BytesRef::new(name).resolve_char_ref()? {
                Some(c) => all.push(c),
                None => return Err(XmlError::new("an unknown entity")),
            },
        }
        text = &rest[end + 1..];
    }
    push_lines(all, text);
    Ok(())
}

/// Appends a text with each line end as a line feed.
pub(super) fn push_lines(all: &mut String, mut text: &str) {
    while let Some(at) = memchr(b'\r', text.as_bytes()) {
        all.push_str(&text[..at]);
        all.push('\n');
        let rest = &text[at + 1..];
        text = rest.strip_prefix('\n').unwrap_or(rest);
    }
    all.push_str(text);
}

#[cfg(test)]
mod tests {
    use super::*;
    use quick_xml::Reader;
    use quick_xml::events::Event;

    /// The names, texts and ends of a document, by the scanner; plain texts with the ends of their elements, or apart.
    fn scanned(text: &str, at_once: bool) -> Option<Vec<String>> {
        let mut scanner = Scanner::new(text);
        let mut all = Vec::new();
        loop {
            let token = scanner.token().ok()?;
            match token {
                Token::Start(tag) => {
                    let attributes = tag.attributes().ok()?;
                    all.push(format!("<{} {attributes:?}", tag.name()));
                    if at_once && let Some(text) = scanner.plain_text() {
                        if !text.is_empty() {
                            last(&mut all).push_str(text);
                        }
                        all.push("end".to_owned());
                    }
                }
                Token::End => all.push("end".to_owned()),
                Token::Text(text) => push_text(last(&mut all), text).ok()?,
                Token::Cdata(text) => push_lines(last(&mut all), text),
                Token::Other => {}
                Token::Eof => return scanner.open.is_empty().then_some(all),
            }
        }
    }

    /// The same by `quick-xml`.
    fn read(text: &str) -> Option<Vec<String>> {
        let mut reader = Reader::from_str(text);
        reader.config_mut().expand_empty_elements = true;
        let (mut all, mut depth) = (Vec::new(), 0);
        loop {
            match reader.read_event().ok()? {
                Event::Start(start) => {
                    depth += 1;
                    let tag = Tag {
                        content: &start,
                        name: start.name().0.len(),
                        prefix: start.name().0.rfind(':').map_or(0, |at| at + 1),
                    };
                    let attributes = tag.attributes().ok()?;
                    all.push(format!("<{} {attributes:?}", tag.name()));
                }
                Event::End(_) => {
                    depth -= 1;
                    all.push("end".to_owned());
                }
                Event::Text(text) => last(&mut all).push_str(&text.xml10_content()),
                Event::CData(text) => last(&mut all).push_str(&text.xml10_content()),
                Event::GeneralRef(name) => match name.resolve_char_ref().ok()? {
                    Some(c) => last(&mut all).push(c),
                    None => last(&mut all).push_str(resolve_xml_entity(&name)?),
                },
                Event::DocType(_) => return None,
                Event::Eof => return (depth == 0).then_some(all),
                _ => {}
            }
        }
    }

    /// The text that is gathered at the end.
    fn last(all: &mut Vec<String>) -> &mut String {
        if !all.last().is_some_and(|text| text.starts_with('=')) {
            all.push("=".to_owned());
        }
        let at = all.len() - 1;
        &mut all[at]
    }

    const PIECES: [&str; 29] = [
        "<a>",
        "</a>",
        "<b>",
        "</b>",
        "<b/>",
        "<c k='v>'>",
        "</c >",
        "<c k=\"&lt;\" l = '' />",
        "x",
        "\u{e9}",
        "&amp;",
        "&#65;",
        "&quot;",
        "&no;",
        "&",
        ";",
        "<!-- c -->",
        "<![CDATA[<&\r]]>",
        "\r\n",
        "\r",
        " ",
        "<?p q?>",
        "]]>",
        "<!DOCTYPE a>",
        "<c k='>'>",
        "<c k=\"/>\" l='\"'/>",
        "<a/b>",
        "<a / >",
        "&#13;",
    ];

    #[test]
    fn documents_are_read_as_quick_xml_reads_them() {
        let mut rng = fastrand::Rng::with_seed(7);
        let mut well_formed = 0;
        for _ in 0..200_000 {
            let mut text = "<a>".to_owned();
            for _ in 0..rng.usize(1..8) {
                text.push_str(PIECES[rng.usize(..PIECES.len())]);
            }
            text.push_str("</a>");
            let (ours, theirs) = (scanned(&text, false), read(&text));
            well_formed += usize::from(ours.is_some());
            assert_eq!(ours, theirs, "{text}");
            assert_eq!(scanned(&text, true), theirs, "{text}");
        }
        assert!(well_formed > 10_000, "{well_formed}");
    }

    #[test]
    fn what_is_cut_anywhere_is_no_document() {
        let text = "<a k='1'>x&amp;<b/><![CDATA[y]]><!--z--></a >";
        assert!(scanned(text, true).is_some());
        for end in 1..text.len() {
            for at_once in [false, true] {
                assert_eq!(scanned(&text[..end], at_once), None, "{}", &text[..end]);
            }
            let mut scanner = Scanner::new(&text[..end]);
            let fault = loop {
                match scanner.token() {
                    Ok(Token::Eof) => break None,
                    Ok(_) => {}
                    Err(error) => break Some(error.to_string()),
                }
            };
            let is_cut = fault.is_none_or(|fault| fault == cut_off().to_string());
            assert!(is_cut, "{}", &text[..end]);
        }
    }
}
