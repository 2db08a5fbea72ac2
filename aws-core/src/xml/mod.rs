//! XML: a cursor over the elements of an answer, bounded in depth, and [`Element`], which is read whole, changed
//! and written.

mod element;
mod scan;

use std::borrow::Cow;
use std::fmt;

use quick_xml::XmlVersion;
use quick_xml::events::BytesStart;

pub use element::Element;
use scan::{Scanner, Token};

/// How deeply elements may be nested.
const MAX_DEPTH: usize = 32;

/// Why a text is not the XML that was expected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct XmlError(String);

impl XmlError {
    /// An error with this explanation.
    pub fn new(why: impl Into<String>) -> Self {
        Self(why.into())
    }
}

impl fmt::Display for XmlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the answer is not the XML expected: {}", self.0)
    }
}

impl std::error::Error for XmlError {}

impl From<quick_xml::Error> for XmlError {
    fn from(cause: quick_xml::Error) -> Self {
        Self(cause.to_string())
    }
}

impl From<XmlError> for crate::Error {
    fn from(cause: XmlError) -> Self {
        Self::protocol(cause.to_string())
    }
}

/// A cursor that goes down into elements and up again, in the order of the text.
///
/// After [`child`](Self::child) has entered an element, exactly one of [`text`](Self::text),
/// [`skip`](Self::skip) or a loop over its own children leaves it. Namespaces are ignored, document type
/// definitions refused.
///
/// ```
/// use aws_core::xml::Xml;
///
/// let mut xml = Xml::new(b"<List><Name>a &amp; b</Name><Other><x/></Other></List>")?;
/// assert_eq!(xml.root()?.name(), "List");
/// while let Some(tag) = xml.child()? {
///     match tag.name() {
///         "Name" => assert_eq!(xml.text()?, "a & b"),
///         _ => xml.skip()?,
///     }
/// }
/// # Ok::<(), aws_core::xml::XmlError>(())
/// ```
pub struct Xml<'a> {
    scanner: Scanner<'a>,
    depth: usize,
}

/// An element that was entered: its name and attributes.
#[derive(Debug)]
pub struct Tag<'a> {
    /// What stands between the brackets.
    content: &'a str,
    /// How long the name is, with its prefix.
    name: usize,
    /// How long the prefix is, with its colon.
    prefix: usize,
}

impl<'a> Tag<'a> {
    /// The name without its namespace prefix.
    #[inline]
    pub fn name(&self) -> &'a str {
        &self.content[self.prefix..self.name]
    }

    fn start(&self) -> BytesStart<'a> {
        BytesStart::from_content(self.content, self.name)
    }

    /// Whether the attribute is there and has this value.
    #[inline]
    pub fn has(&self, name: &str, value: &str) -> bool {
        if self.content.len() == self.name {
            return false;
        }
        self.start()
            .try_get_attribute(name)
            .ok()
            .flatten()
            .is_some_and(|a| &*a.value == value)
    }

    /// The attributes, names with their namespace prefix, in the order they came.
    fn attributes(&self) -> Result<Vec<(String, String)>, XmlError> {
        let read = |attribute: Result<quick_xml::events::attributes::Attribute<'_>, _>| {
            let attribute = attribute.map_err(|_| XmlError::new("a bad attribute"))?;
            let value = attribute.normalized_value(XmlVersion::Implicit1_0)?;
            Ok((attribute.key.0.to_owned(), value.into_owned()))
        };
        self.start().attributes().map(read).collect()
    }
}

impl<'a> Xml<'a> {
    /// A cursor before the root element.
    ///
    /// # Errors
    /// When the text is not UTF-8.
    pub fn new(text: &'a [u8]) -> Result<Self, XmlError> {
        let text = std::str::from_utf8(text).map_err(|_| XmlError::new("it is not UTF-8"))?;
        let scanner = Scanner::new(text.strip_prefix('\u{feff}').unwrap_or(text));
        Ok(Self { scanner, depth: 0 })
    }

    /// Enters the root element.
    ///
    /// # Errors
    /// When there is none.
    pub fn root(&mut self) -> Result<Tag<'a>, XmlError> {
        loop {
            match self.scanner.token()? {
                Token::Start(tag) => return self.enter(tag),
                Token::Text(text) if text.trim_ascii().is_empty() => {}
                Token::Other => {}
                Token::Eof => return Err(XmlError::new("it is empty")),
                _ => return Err(XmlError::new("it does not begin with an element")),
            }
        }
    }

    /// Enters the root element, which must have this name.
    ///
    /// # Errors
    /// When there is no root or it has another name.
    pub fn expect_root(&mut self, name: &str) -> Result<(), XmlError> {
        let root = self.root()?;
        if root.name() == name {
            Ok(())
        } else {
            let found: String = root.name().chars().take(64).collect();
            Err(XmlError(format!("it begins with <{found}>, not <{name}>")))
        }
    }

    /// Enters the next child of the current element, or leaves that at its end.
    ///
    /// # Errors
    /// When the text is not well-formed or nested too deeply.
    #[inline]
    pub fn child(&mut self) -> Result<Option<Tag<'a>>, XmlError> {
        loop {
            match self.token()? {
                Token::Start(tag) => return self.enter(tag).map(Some),
                Token::End => {
                    self.depth -= 1;
                    return Ok(None);
                }
                // Text between elements carries nothing in these answers.
                _ => {}
            }
        }
    }

    /// Reads the text of the current element, with entities resolved, and leaves it.
    ///
    /// # Errors
    /// When there is an element within it, or an entity that XML does not define.
    pub fn text(&mut self) -> Result<String, XmlError> {
        self.text_in_place().map(Cow::into_owned)
    }

    /// As [`text`](Self::text), without a copy where the text stands for itself.
    ///
    /// # Errors
    /// As [`text`](Self::text).
    #[inline]
    pub fn text_in_place(&mut self) -> Result<Cow<'a, str>, XmlError> {
        if self.depth > 0
            && let Some(text) = self.scanner.plain_text()
        {
            self.depth -= 1;
            return Ok(Cow::Borrowed(text));
        }
        let mut all = Cow::Borrowed("");
        loop {
            match self.token()? {
                Token::Start(_) => return Err(XmlError::new("an element where text should be")),
                Token::End => {
                    self.depth -= 1;
                    return Ok(all);
                }
                Token::Text(text) if all.is_empty() && scan::is_plain(text) => {
                    all = Cow::Borrowed(text);
                }
                Token::Text(text) => scan::push_text(all.to_mut(), text)?,
                Token::Cdata(text) => scan::push_lines(all.to_mut(), text),
                Token::Other | Token::Eof => {}
            }
        }
    }

    /// Reads the text of the current element as a value, and leaves it.
    ///
    /// # Errors
    /// As [`text`](Self::text), or when the value is not of its type.
    pub fn value<T: std::str::FromStr>(&mut self) -> Result<T, XmlError> {
        let text = self.text_in_place()?;
        text.trim().parse().map_err(|_| {
            let start: String = text.chars().take(64).collect();
            XmlError(format!("{start:?} is not a legal value"))
        })
    }

    /// Leaves the current element without looking at what is in it.
    ///
    /// # Errors
    /// When the text is not well-formed.
    pub fn skip(&mut self) -> Result<(), XmlError> {
        let outer = self.depth;
        while self.depth >= outer {
            match self.token()? {
                Token::Start(tag) => {
                    self.enter(tag)?;
                }
                Token::End => self.depth -= 1,
                _ => {}
            }
        }
        Ok(())
    }

    #[inline]
    fn enter(&mut self, tag: Tag<'a>) -> Result<Tag<'a>, XmlError> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(XmlError::new("it is nested too deeply"));
        }
        Ok(tag)
    }

    /// The next token within the root element.
    #[inline]
    fn token(&mut self) -> Result<Token<'a>, XmlError> {
        if self.depth == 0 {
            return Err(XmlError::new("it ends too early"));
        }
        match self.scanner.token()? {
            Token::Eof => Err(XmlError::new("it is cut off")),
            token => Ok(token),
        }
    }
}

impl fmt::Debug for Xml<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Xml")
            .field("depth", &self.depth)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first_text(xml: &str) -> Result<String, XmlError> {
        let mut xml = Xml::new(xml.as_bytes())?;
        xml.root()?;
        xml.text()
    }

    #[test]
    fn text_is_put_together() {
        for (xml, text) in [
            ("<a>x</a>", "x"),
            ("<a/>", ""),
            ("<a> x </a>", " x "),
            ("<a></a>", ""),
            ("<n:a>x</n:a >", "x"),
            ("<a>1\r\n2</a>", "1\n2"),
            (
                "<a>1&amp;2&lt;3&#x41;<![CDATA[<&]]>!<!-- no --></a>",
                "1&2<3A<&!",
            ),
            (
                "\u{feff}<?xml version=\"1.0\"?>\n<n:a xmlns:n='u'>\u{e9}</n:a>",
                "\u{e9}",
            ),
        ] {
            assert_eq!(first_text(xml).as_deref(), Ok(text), "{xml}");
        }
    }

    #[test]
    fn nonsense_is_an_error() {
        for xml in [
            "",
            "x",
            "<a>",
            "<a>x",
            "<a></b>",
            "<a>x</b>",
            "<a>x</ab>",
            "<a>x</a",
            "<ab>x</a>",
            "<a>&what;</a>",
            "<a>&#0;</a>",
            "<a><b/></a>",
            "<!DOCTYPE a><a>x</a>",
            "<a>&</a>",
            "<a>&#xFFFFFFFF;</a>",
        ] {
            assert!(first_text(xml).is_err(), "{xml}");
        }
        let deep = "<a>".repeat(100_000);
        let mut xml = Xml::new(deep.as_bytes()).unwrap();
        xml.root().unwrap();
        assert!(xml.skip().is_err());
    }

    #[test]
    fn the_cursor_comes_back_to_its_level() {
        let mut xml = Xml::new(b"<a> <b><c/><d>1</d></b> <e k='v'>2</e> </a>").unwrap();
        xml.expect_root("a").unwrap();
        assert_eq!(xml.child().unwrap().unwrap().name(), "b");
        xml.skip().unwrap();
        let e = xml.child().unwrap().unwrap();
        assert!(e.name() == "e" && e.has("k", "v") && !e.has("k", "w") && !e.has("x", "v"));
        assert_eq!(xml.value::<u32>().unwrap(), 2);
        assert!(xml.child().unwrap().is_none());
        assert!(xml.child().is_err());
    }
}
