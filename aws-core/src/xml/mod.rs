//! XML: a cursor over the elements of an answer, bounded in depth, and [`Element`], which is read whole, changed
//! and written.

mod element;

use std::fmt;

use quick_xml::Reader;
use quick_xml::XmlVersion;
use quick_xml::escape::resolve_xml_entity;
use quick_xml::events::{BytesStart, Event};

pub use element::Element;

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
    reader: Reader<&'a [u8]>,
    depth: usize,
}

/// An element that was entered: its name and attributes.
#[derive(Debug)]
pub struct Tag<'a>(BytesStart<'a>);

impl Tag<'_> {
    /// The name without its namespace prefix.
    pub fn name(&self) -> &str {
        let name = self.0.name().0;
        name.rsplit_once(':').map_or(name, |(_, local)| local)
    }

    /// Whether the attribute is there and has this value.
    pub fn has(&self, name: &str, value: &str) -> bool {
        self.0
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
        self.0.attributes().map(read).collect()
    }
}

impl<'a> Xml<'a> {
    /// A cursor before the root element.
    ///
    /// # Errors
    /// When the text is not UTF-8.
    pub fn new(text: &'a [u8]) -> Result<Self, XmlError> {
        let text = std::str::from_utf8(text).map_err(|_| XmlError::new("it is not UTF-8"))?;
        let mut reader = Reader::from_str(text.strip_prefix('\u{feff}').unwrap_or(text));
        reader.config_mut().expand_empty_elements = true;
        Ok(Self { reader, depth: 0 })
    }

    /// Enters the root element.
    ///
    /// # Errors
    /// When there is none.
    pub fn root(&mut self) -> Result<Tag<'a>, XmlError> {
        loop {
            match self.reader.read_event()? {
                Event::Start(tag) => return self.enter(tag),
                Event::Text(text) if text.trim_ascii().is_empty() => {}
                Event::Decl(_) | Event::Comment(_) | Event::PI(_) => {}
                Event::Eof => return Err(XmlError::new("it is empty")),
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
    pub fn child(&mut self) -> Result<Option<Tag<'a>>, XmlError> {
        loop {
            match self.event()? {
                Event::Start(tag) => return self.enter(tag).map(Some),
                Event::End(_) => {
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
        let mut all = String::new();
        loop {
            match self.event()? {
                Event::Start(_) => return Err(XmlError::new("an element where text should be")),
                Event::End(_) => {
                    self.depth -= 1;
                    return Ok(all);
                }
                other => self.push_text(&mut all, other)?,
            }
        }
    }

    /// Reads the text of the current element as a value, and leaves it.
    ///
    /// # Errors
    /// As [`text`](Self::text), or when the value is not of its type.
    pub fn value<T: std::str::FromStr>(&mut self) -> Result<T, XmlError> {
        let text = self.text()?;
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
            match self.event()? {
                Event::Start(tag) => {
                    self.enter(tag)?;
                }
                Event::End(_) => self.depth -= 1,
                _ => {}
            }
        }
        Ok(())
    }

    fn enter(&mut self, tag: BytesStart<'a>) -> Result<Tag<'a>, XmlError> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(XmlError::new("it is nested too deeply"));
        }
        Ok(Tag(tag))
    }

    /// Appends what an event within an element says in text; nothing for comments and the like.
    fn push_text(&self, all: &mut String, event: Event<'_>) -> Result<(), XmlError> {
        match event {
            Event::Text(text) => all.push_str(&text.xml10_content()),
            Event::CData(text) => all.push_str(&text.xml10_content()),
            Event::GeneralRef(entity) => match entity.resolve_char_ref()? {
                Some(c) => all.push(c),
                None => match resolve_xml_entity(&entity) {
                    Some(text) => all.push_str(text),
                    None => return Err(XmlError::new("an unknown entity")),
                },
            },
            _ => {}
        }
        Ok(())
    }

    fn event(&mut self) -> Result<Event<'a>, XmlError> {
        if self.depth == 0 {
            return Err(XmlError::new("it ends too early"));
        }
        match self.reader.read_event()? {
            Event::Eof => Err(XmlError::new("it is cut off")),
            Event::DocType(_) => Err(XmlError::new("it has a document type definition")),
            event => Ok(event),
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
