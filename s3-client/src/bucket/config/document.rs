//! How documents are read and written, and what their parts are.

use std::str::FromStr;
use std::time::SystemTime;

use aws_core::time::parse_iso8601;
use aws_core::xml::{Element, XmlError};
use aws_core::{Error, Result};
use aws_sigv2::date::iso8601_millis;
#[cfg(test)]
use proptest::strategy::Strategy as _;

use crate::answer::values::parsed_flag;
use crate::unsigned::Field;

const NAMESPACE: &str = "http://s3.amazonaws.com/doc/2006-03-01/";

/// What is in an element.
pub(crate) trait XmlPart: Sized {
    fn read(element: Element) -> Result<Self, XmlError>;

    /// The same of an element that may be left out. What is empty says nothing where that is none of its values.
    fn read_some(element: Element) -> Result<Option<Self>, XmlError> {
        Self::read(element).map(Some)
    }

    /// The element, of this name.
    fn write(&self, name: &str) -> Element;

    /// Any value that can be written.
    #[cfg(test)]
    fn any() -> proptest::strategy::BoxedStrategy<Self>;
}

/// What can be fetched: it is named by a parameter of the query, and read from an answer.
pub trait Readable: Sized + Send + Sync + 'static {
    /// The parameter of the query that names the document, for example `cors`.
    #[doc(hidden)]
    const QUERY: &'static str;

    /// The document of this text.
    #[doc(hidden)]
    fn parse(document: &[u8]) -> Result<Self>;
}

/// What can be stored: it is named by a parameter of the query, and sent with a request.
pub trait Writable: Send + Sync + 'static {
    /// The parameter of the query that names the document, for example `cors`.
    #[doc(hidden)]
    const QUERY: &'static str;

    /// This says how the document is sent.
    #[doc(hidden)]
    fn content(&self) -> Result<Encoded>;
}

/// A document as it is sent.
#[derive(Debug)]
pub enum Encoded {
    /// A header field and no body.
    Field(Field),
    /// A body of this media type.
    Body {
        text: String,
        media_type: &'static str,
    },
}

impl<T: Root + Send + Sync + 'static> Readable for T {
    const QUERY: &'static str = <T as Root>::QUERY;

    fn parse(document: &[u8]) -> Result<Self> {
        Ok(Self::decode(document)?)
    }
}

impl<T: Root + Send + Sync + 'static> Writable for T {
    const QUERY: &'static str = <T as Root>::QUERY;

    fn content(&self) -> Result<Encoded> {
        Ok(Encoded::Body {
            text: self.encode()?,
            media_type: "application/xml",
        })
    }
}

/// A whole document in XML.
pub(crate) trait Root: XmlPart {
    /// The name of its root element.
    const ROOT: &'static str;

    /// The parameter of the query that names the document.
    const QUERY: &'static str;

    /// Other names of it that some server writes.
    const ALSO: &'static [&'static str] = &[];

    /// Puts right what some server writes and no server takes.
    fn repair(&mut self) {}

    /// Whether it is within the service's limits.
    fn check(&self) -> Result<()> {
        Ok(())
    }

    fn decode(document: &[u8]) -> Result<Self, XmlError> {
        let root = Element::parse(document)?;
        if root.name() != Self::ROOT && !Self::ALSO.contains(&root.name()) {
            let found: String = root.name().chars().take(64).collect();
            return Err(XmlError::new(format!(
                "it begins with <{found}>, not <{}>",
                Self::ROOT
            )));
        }
        let mut document = Self::read(root)?;
        document.repair();
        Ok(document)
    }

    fn encode(&self) -> Result<String> {
        self.check()?;
        self.write(Self::ROOT)
            .with_attribute("xmlns", NAMESPACE)
            .to_xml()
    }
}

/// The most of something that a document may have.
pub(crate) fn check_count(what: &str, count: usize, limit: usize) -> Result<()> {
    if count <= limit {
        return Ok(());
    }
    Err(Error::invalid(format!(
        "there are {count} {what}, over the limit of {limit}"
    )))
}

/// The most characters of a text.
pub(crate) fn check_length(what: &str, text: &str, limit: usize) -> Result<()> {
    let length = text.chars().count();
    if length <= limit {
        return Ok(());
    }
    let start: String = text.chars().take(40).collect();
    Err(Error::invalid(format!(
        "the {what} {start:?} has {length} characters, over the limit of {limit}"
    )))
}

impl XmlPart for String {
    fn read(element: Element) -> Result<Self, XmlError> {
        if element.children().is_empty() {
            return Ok(element.text().to_owned());
        }
        Err(XmlError::new(format!(
            "an element where the text of {} should be",
            element.name()
        )))
    }

    fn write(&self, name: &str) -> Element {
        Element::new(name).with_text(self.as_str())
    }

    #[cfg(test)]
    fn any() -> proptest::strategy::BoxedStrategy<Self> {
        use proptest::strategy::Strategy as _;
        "[ -~\t\n\r\u{80}-\u{ff}\u{4e00}\u{fffd}\u{1f600}]{0,8}".boxed()
    }
}

/// A whole number.
pub(crate) trait Number: FromStr + ToString {
    /// Any of them.
    #[cfg(test)]
    fn any_number() -> proptest::strategy::BoxedStrategy<Self>;
}

impl Number for u16 {
    #[cfg(test)]
    fn any_number() -> proptest::strategy::BoxedStrategy<Self> {
        proptest::num::u16::ANY.boxed()
    }
}

impl Number for u32 {
    #[cfg(test)]
    fn any_number() -> proptest::strategy::BoxedStrategy<Self> {
        proptest::num::u32::ANY.boxed()
    }
}

impl Number for u64 {
    #[cfg(test)]
    fn any_number() -> proptest::strategy::BoxedStrategy<Self> {
        proptest::num::u64::ANY.boxed()
    }
}

impl<T: Number> XmlPart for T {
    fn read(element: Element) -> Result<Self, XmlError> {
        element.value()
    }

    fn read_some(element: Element) -> Result<Option<Self>, XmlError> {
        unless_empty(element)
    }

    fn write(&self, name: &str) -> Element {
        Element::new(name).with_text(self.to_string())
    }

    #[cfg(test)]
    fn any() -> proptest::strategy::BoxedStrategy<Self> {
        T::any_number()
    }
}

impl XmlPart for bool {
    /// Some servers capitalise it.
    fn read(element: Element) -> Result<Self, XmlError> {
        match parsed_flag(element.text())? {
            Some(flag) => Ok(flag),
            None => element.value(),
        }
    }

    fn read_some(element: Element) -> Result<Option<Self>, XmlError> {
        unless_empty(element)
    }

    fn write(&self, name: &str) -> Element {
        Element::new(name).with_text(self.to_string())
    }

    #[cfg(test)]
    fn any() -> proptest::strategy::BoxedStrategy<Self> {
        use proptest::strategy::Strategy as _;
        proptest::arbitrary::any::<bool>().boxed()
    }
}

impl XmlPart for SystemTime {
    /// A date alone is its midnight.
    fn read(element: Element) -> Result<Self, XmlError> {
        let text = element.text().trim();
        let time = parse_iso8601(text).or_else(|| parse_iso8601(&format!("{text}T00:00:00Z")));
        time.ok_or_else(|| XmlError::new(format!("{} is no time", element.name())))
    }

    fn read_some(element: Element) -> Result<Option<Self>, XmlError> {
        unless_empty(element)
    }

    fn write(&self, name: &str) -> Element {
        Element::new(name).with_text(iso8601_millis(*self).as_ref())
    }

    #[cfg(test)]
    fn any() -> proptest::strategy::BoxedStrategy<Self> {
        use proptest::strategy::Strategy as _;
        let millis = 0..253_402_300_800_000u64;
        millis
            .prop_map(|ms| Self::UNIX_EPOCH + std::time::Duration::from_millis(ms))
            .boxed()
    }
}

/// What is in an element; nothing if there is nothing.
pub(crate) fn unless_empty<T: XmlPart>(element: Element) -> Result<Option<T>, XmlError> {
    if element.text().trim().is_empty() && element.children().is_empty() {
        return Ok(None);
    }
    T::read(element).map(Some)
}

/// Reads a list that has an element around it; what else is in that is kept under its name.
pub(crate) fn read_within<T: XmlPart>(
    wrapper: Element,
    inner: &str,
    list: &mut Vec<T>,
    other: &mut Vec<Element>,
) -> Result<(), XmlError> {
    let mut rest = Element::new(wrapper.name());
    for child in wrapper.into_children() {
        if child.name() == inner {
            list.push(T::read(child)?);
        } else {
            rest.push(child);
        }
    }
    if !rest.children().is_empty() {
        other.push(rest);
    }
    Ok(())
}

/// Writes a list with an element around it, and what [`read_within`] has kept of that.
pub(crate) fn write_within<T: XmlPart>(
    name: &str,
    inner: &str,
    list: &[T],
    other: &[Element],
) -> Element {
    let mut wrapper = Element::new(name);
    for part in list {
        wrapper.push(part.write(inner));
    }
    for rest in other.iter().filter(|rest| rest.name() == name) {
        for child in rest.children() {
            wrapper.push(child.clone());
        }
    }
    wrapper
}

#[cfg(test)]
mod tests {
    #![allow(
        unreachable_pub,
        reason = "the macro declares what is public elsewhere"
    )]

    use super::*;
    use crate::testing::documents::{again, reads, round_trips};

    document! {
        /// A document for the test.
        pub struct Sample {
            /// A text that is always there.
            must name: String = "Name",
            /// Texts within an element that is always there.
            set tags + tag: String = "Set" / "Tag",
            /// Texts within an element that is there unless it is empty.
            some rules + rule: String = "Rules" / "Rule",
            /// A time.
            val at: SystemTime = "At",
            /// A flag.
            val yes: bool = "Yes",
        }
    }

    impl Root for Sample {
        const ROOT: &'static str = "Sample";
        const QUERY: &'static str = "sample";
    }

    #[test]
    fn nothing_is_lost() {
        let text = "<Sample><Set><Tag>a</Tag><Odd k='v'/></Set><Rules><Odd/></Rules><Name>n</Name><New>1</New></Sample>";
        let sample: Sample = reads(text);
        assert_eq!((sample.name.as_str(), sample.tags.len()), ("n", 1));
        let written = sample.encode().unwrap();
        for kept in [
            "<New>1</New>",
            "<Tag>a</Tag><Odd k=\"v\"/></Set>",
            "<Rules><Odd/></Rules>",
        ] {
            assert_eq!(written.matches(kept).count(), 1, "{written}");
        }
        let all = Sample::new()
            .tag("t")
            .rule("r")
            .at(SystemTime::UNIX_EPOCH)
            .yes(true);
        assert_eq!(again(&all), all);
        let empty = Sample::new().encode().unwrap();
        assert!(empty.ends_with("><Name/><Set/></Sample>"), "{empty}");
        round_trips::<Sample>();
    }

    #[test]
    fn values_are_read_as_servers_write_them() {
        let sample: Sample = reads("<Sample><At>2026-01-02</At><Yes>True</Yes></Sample>");
        let midnight = parse_iso8601("2026-01-02T00:00:00.000Z");
        assert_eq!((sample.at, sample.yes), (midnight, Some(true)));
        let empty: Sample = reads("<Sample><At/><Yes></Yes></Sample>");
        assert_eq!((empty.at, empty.yes), (None, None));
        for text in [
            "<Sample><At>soon</At></Sample>",
            "<Sample><Yes>2</Yes></Sample>",
            "<Sample><Name><a/></Name></Sample>",
            "<Other/>",
            "<Sample>",
            "",
        ] {
            assert!(Sample::decode(text.as_bytes()).is_err(), "{text}");
        }
        let error = Sample::new().name("a\u{1}").encode().unwrap_err();
        assert!(error.to_string().contains("U+0001"), "{error}");
    }

    #[test]
    fn limits_name_the_value() {
        assert!(check_count("rules", 100, 100).is_ok());
        let error = check_count("rules", 101, 100).unwrap_err().to_string();
        assert!(
            error.contains("101 rules") && error.contains("100"),
            "{error}"
        );
        assert!(check_length("id", "\u{e9}\u{e9}", 2).is_ok());
        let error = check_length("id", "abc", 2).unwrap_err().to_string();
        assert!(
            error.contains("\"abc\" has 3") && error.contains("of 2"),
            "{error}"
        );
    }
}
