//! A whole element of an XML document as a tree, read and written.

use std::fmt::Write as _;

use super::scan::{self, Token};
use super::{Tag, Xml, XmlError};
use crate::error::Error;

/// An element with all that is in it: its name, its attributes, and either text or elements.
///
/// Names lose their namespace prefix and default namespaces are forgotten, as the services need neither.
/// Prefixes of attributes are kept, together with what they stand for, so that an element can be written
/// somewhere else than where it was read. Comments are dropped, and so is text beside elements.
///
/// ```
/// use aws_core::xml::Element;
///
/// let tag = Element::parse(b"<Tag><Key>a</Key><Value>x &lt; y</Value></Tag>")?;
/// assert_eq!(tag.child("Value").map(Element::text), Some("x < y"));
/// let same = Element::new("Tag")
///     .with(Element::new("Key").with_text("a"))
///     .with(Element::new("Value").with_text("x < y"));
/// assert_eq!(same, tag);
/// assert_eq!(same.to_xml()?, "<Tag><Key>a</Key><Value>x &lt; y</Value></Tag>");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Element {
    name: String,
    attributes: Vec<(String, String)>,
    text: String,
    children: Vec<Self>,
}

impl Element {
    /// Makes an element without attributes, text and children.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            attributes: Vec::new(),
            text: String::new(),
            children: Vec::new(),
        }
    }

    /// Reads a document: its root with all that is in it, nested at most 32 deep.
    ///
    /// # Errors
    /// When it is not well-formed, is nested too deeply, or has a document type definition.
    pub fn parse(document: &[u8]) -> Result<Self, XmlError> {
        let mut xml = Xml::new(document)?;
        let root = xml.root()?;
        let element = read(&mut xml, &root, &mut Vec::new())?;
        loop {
            match xml.scanner.token()? {
                Token::Eof => return Ok(element),
                Token::Text(text) if text.trim_ascii().is_empty() => {}
                Token::Other => {}
                _ => return Err(XmlError::new("there is something behind its end")),
            }
        }
    }

    /// The name of the element.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The text, entities resolved; empty where there are elements.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The text as a value.
    ///
    /// # Errors
    /// When it is none of its type.
    pub fn value<T: std::str::FromStr>(&self) -> Result<T, XmlError> {
        self.text.trim().parse().map_err(|_| {
            let start: String = self.text.chars().take(64).collect();
            XmlError::new(format!("{start:?} is not a legal {}", self.name))
        })
    }

    /// The elements within this one.
    pub fn children(&self) -> &[Self] {
        &self.children
    }

    /// The elements in it, by value.
    pub fn into_children(self) -> Vec<Self> {
        self.children
    }

    /// The first element in it of this name.
    pub fn child(&self, name: &str) -> Option<&Self> {
        self.children.iter().find(|child| child.name == name)
    }

    /// The value of an attribute, by its name without a prefix.
    pub fn attribute(&self, name: &str) -> Option<&str> {
        let local = |full: &str| {
            full.rsplit_once(':')
                .map_or(full == name, |(p, l)| p != "xmlns" && l == name)
        };
        let mut all = self.attributes.iter();
        all.find(|(full, _)| local(full))
            .map(|(_, value)| value.as_str())
    }

    /// The same element with this text.
    #[must_use]
    pub fn with_text(mut self, text: impl Into<String>) -> Self {
        self.text = text.into();
        self
    }

    /// The same with one more attribute.
    #[must_use]
    pub fn with_attribute(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.attributes.push((name.into(), value.into()));
        self
    }

    /// The same with one more element in it.
    #[must_use]
    pub fn with(mut self, child: Self) -> Self {
        self.children.push(child);
        self
    }

    /// Adds an element to those in it.
    pub fn push(&mut self, child: Self) {
        self.children.push(child);
    }

    /// Writes it, without a declaration. Blanks at the ends of a text are written as references, since many a
    /// server trims what it reads.
    ///
    /// # Errors
    /// [`Kind::Invalid`](crate::Kind::Invalid) when a name is none, or there is a character that XML 1.0 cannot
    /// carry, such as U+0001.
    pub fn to_xml(&self) -> Result<String, Error> {
        let mut out = String::new();
        self.write(&mut out)?;
        Ok(out)
    }

    fn write(&self, out: &mut String) -> Result<(), Error> {
        check_name(&self.name)?;
        out.push('<');
        out.push_str(&self.name);
        for (name, value) in &self.attributes {
            check_name(name)?;
            out.push(' ');
            out.push_str(name);
            out.push_str("=\"");
            escape(out, &self.name, value)?;
            out.push('"');
        }
        if self.children.is_empty() && self.text.is_empty() {
            out.push_str("/>");
            return Ok(());
        }
        out.push('>');
        if self.children.is_empty() {
            let blank = [' ', '\t', '\n', '\r'];
            let inner = self.text.trim_matches(blank);
            let start = self.text.len() - self.text.trim_start_matches(blank).len();
            references(out, &self.text[..start]);
            escape(out, &self.name, inner)?;
            references(out, &self.text[start + inner.len()..]);
        }
        for child in &self.children {
            child.write(out)?;
        }
        out.push_str("</");
        out.push_str(&self.name);
        out.push('>');
        Ok(())
    }
}

fn read(
    xml: &mut Xml<'_>,
    tag: &Tag<'_>,
    scope: &mut Vec<(String, String)>,
) -> Result<Element, XmlError> {
    let outer = scope.len();
    let mut element = Element::new(tag.name());
    let mut own = Vec::new();
    for (name, value) in tag.attributes()? {
        match name.strip_prefix("xmlns:") {
            Some(prefix) => scope.push((prefix.to_owned(), value)),
            None if name == "xmlns" => {}
            None => own.push((name, value)),
        }
    }
    for (name, value) in own {
        if let Some((prefix, _)) = name.split_once(':')
            && prefix != "xml"
        {
            let declaration = format!("xmlns:{prefix}");
            if !element.attributes.iter().any(|(n, _)| *n == declaration) {
                let meaning = scope.iter().rev().find(|(p, _)| p == prefix);
                let (_, meaning) =
                    meaning.ok_or_else(|| XmlError::new("a prefix that is not declared"))?;
                element.attributes.push((declaration, meaning.clone()));
            }
        }
        element.attributes.push((name, value));
    }
    loop {
        match xml.token()? {
            Token::Start(tag) => {
                let tag = xml.enter(tag)?;
                let child = read(xml, &tag, scope)?;
                element.children.push(child);
            }
            Token::End => {
                xml.depth -= 1;
                break;
            }
            Token::Text(text) => scan::push_text(&mut element.text, text)?,
            Token::Cdata(text) => scan::push_lines(&mut element.text, text),
            Token::Other | Token::Eof => {}
        }
    }
    if !element.children.is_empty() {
        element.text.clear();
    }
    scope.truncate(outer);
    Ok(element)
}

/// A name that cannot end the tag it stands in. What else XML forbids in a name, a server may refuse.
fn check_name(name: &str) -> Result<(), Error> {
    let legal = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | ':');
    if name.starts_with(|c: char| c.is_alphabetic() || c == '_') && name.chars().all(legal) {
        return Ok(());
    }
    let start: String = name.chars().take(64).collect();
    Err(Error::invalid(format!(
        "{start:?} is no name of an XML element"
    )))
}

fn escape(out: &mut String, name: &str, text: &str) -> Result<(), Error> {
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            // Readers make a line feed of this one, and of these a blank in attributes.
            '\r' => out.push_str("&#13;"),
            '\n' => out.push_str("&#10;"),
            '\t' => out.push_str("&#9;"),
            ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'.. => out.push(c),
            _ => {
                return Err(Error::invalid(format!(
                    "{name} holds U+{:04X}, which XML cannot carry",
                    u32::from(c)
                )));
            }
        }
    }
    Ok(())
}

fn references(out: &mut String, blanks: &str) {
    for byte in blanks.bytes() {
        let _infallible = write!(out, "&#{byte};");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn again(text: &str) -> String {
        Element::parse(text.as_bytes()).unwrap().to_xml().unwrap()
    }

    #[test]
    fn what_is_read_is_written() {
        for (read, written) in [
            ("<a/>", "<a/>"),
            ("<a></a>", "<a/>"),
            (
                "<?xml version=\"1.0\"?>\n<a> <b>1</b>\n <c/> </a>\n<!-- end -->",
                "<a><b>1</b><c/></a>",
            ),
            ("<a> x&#13;y </a>", "<a>&#32;x&#13;y&#32;</a>"),
            ("<a><![CDATA[<&]]></a>", "<a>&lt;&amp;</a>"),
            (
                "<a k='1 &quot;' xml:lang='de'/>",
                "<a k=\"1 &quot;\" xml:lang=\"de\"/>",
            ),
            (
                "<p:a xmlns:p='u' xmlns='v'><p:b>1</p:b></p:a>",
                "<a><b>1</b></a>",
            ),
            (
                "<a xmlns:i='u'><b><c i:type='T' i:x='1'>1</c></b></a>",
                "<a><b><c xmlns:i=\"u\" i:type=\"T\" i:x=\"1\">1</c></b></a>",
            ),
        ] {
            assert_eq!(again(read), written);
            assert_eq!(again(written), written);
        }
    }

    #[test]
    fn nonsense_is_an_error() {
        let deep = "<a>".repeat(40) + &"</a>".repeat(40);
        for text in [
            "",
            "x",
            "<a>",
            "<a></b>",
            "<a/><b/>",
            "<a/>x",
            "<a>&what;</a>",
            "<a i:type='T'/>",
            "<a k='1' k='2'/>",
            "<a k=1/>",
            "<!DOCTYPE a><a/>",
            &deep,
        ] {
            assert!(Element::parse(text.as_bytes()).is_err(), "{text}");
        }
    }

    #[test]
    fn what_xml_cannot_carry_is_refused() {
        for (element, word) in [
            (Element::new("Key").with_text("a\u{1}b"), "U+0001"),
            (Element::new("Key").with_text("\u{ffff}"), "U+FFFF"),
            (Element::new("Key").with_text("\u{c}"), "U+000C"),
            (Element::new("a><b"), "no name"),
            (Element::new(""), "no name"),
            (Element::new("a").with_attribute("k=\"\"", "x"), "no name"),
            (Element::new("a").with(Element::new("1")), "no name"),
        ] {
            let error = element.to_xml().unwrap_err();
            assert!(error.to_string().contains(word), "{error}");
        }
    }

    #[test]
    fn parts_are_found() {
        let a = Element::parse(b"<a xmlns:i='u' i:type='T'><n>7</n><n>8</n><m>x</m></a>").unwrap();
        assert_eq!(
            (a.name(), a.text(), a.attribute("type")),
            ("a", "", Some("T"))
        );
        assert_eq!(a.attribute("i"), None);
        assert_eq!(a.child("n").unwrap().value::<u32>().unwrap(), 7);
        assert!(a.child("m").unwrap().value::<u32>().is_err());
        assert!(a.child("o").is_none());
        assert_eq!(a.into_children().len(), 3);
    }
}
