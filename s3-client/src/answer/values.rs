//! Values in the documents of stores, which do not all write them as Amazon does.
//!
//! An element with nothing in it says nothing: it is read as if it were not there. Servers that always write an element
//! and leave it empty (`<NextMarker></NextMarker>`, `<Size></Size>`) and those that leave it out then mean the same.

use std::str::FromStr;
use std::time::SystemTime;

use aws_core::time::parse_iso8601;
use aws_core::xml::{Element, Xml, XmlError};

/// The text of the current element; nothing if it is empty. Blanks count, since keys may consist of them.
pub(crate) fn text(xml: &mut Xml<'_>) -> Result<Option<String>, XmlError> {
    let text = xml.text_in_place()?;
    Ok((!text.is_empty()).then(|| text.into_owned()))
}

/// The value of the current element; nothing if there are blanks at most.
pub(crate) fn value<T: FromStr>(xml: &mut Xml<'_>) -> Result<Option<T>, XmlError> {
    parsed(&xml.text_in_place()?)
}

/// The time of the current element; nothing if it is empty or none that is known.
pub(crate) fn time(xml: &mut Xml<'_>) -> Result<Option<SystemTime>, XmlError> {
    Ok(parse_iso8601(&xml.text_in_place()?))
}

/// Whether the current element says yes; an empty one does not.
pub(crate) fn flag(xml: &mut Xml<'_>) -> Result<bool, XmlError> {
    Ok(parsed_flag(&xml.text_in_place()?)?.unwrap_or(false))
}

/// The text of an element of this name, if there is one and it is not empty.
pub(crate) fn text_of(parent: &Element, name: &str) -> Option<String> {
    let text = parent.child(name)?.text();
    Some(text.to_owned()).filter(|text| !text.is_empty())
}

/// The value of an element of this name, if there is one and it is not empty.
pub(crate) fn value_of<T: FromStr>(parent: &Element, name: &str) -> Result<Option<T>, XmlError> {
    let found = parent.child(name);
    found.map_or(Ok(None), |child| parsed(child.text()))
}

/// A value; nothing if there are blanks at most.
pub(crate) fn parsed<T: FromStr>(text: &str) -> Result<Option<T>, XmlError> {
    match text.trim() {
        "" => Ok(None),
        value => value.parse().map(Some).map_err(|_| illegal(text)),
    }
}

/// `true` or `false`, which some servers capitalise; nothing if there are blanks at most.
pub(crate) fn parsed_flag(text: &str) -> Result<Option<bool>, XmlError> {
    match text.trim() {
        "" => Ok(None),
        yes if yes.eq_ignore_ascii_case("true") => Ok(Some(true)),
        no if no.eq_ignore_ascii_case("false") => Ok(Some(false)),
        _ => Err(illegal(text)),
    }
}

fn illegal(text: &str) -> XmlError {
    let start: String = text.chars().take(64).collect();
    XmlError::new(format!("{start:?} is not a legal value"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read<T>(
        text: &str,
        read: impl Fn(&mut Xml<'_>) -> Result<T, XmlError>,
    ) -> Result<T, XmlError> {
        let document = format!("<a>{text}</a>");
        let mut xml = Xml::new(document.as_bytes())?;
        xml.root()?;
        read(&mut xml)
    }

    #[test]
    fn what_is_empty_says_nothing() {
        assert_eq!(read("", text).unwrap(), None);
        assert_eq!(read(" ", text).unwrap().as_deref(), Some(" "));
        assert_eq!(read::<Option<u64>>(" \n", value).unwrap(), None);
        assert_eq!(read::<Option<u64>>(" 7 ", value).unwrap(), Some(7));
        assert_eq!(read("", time).unwrap(), None);
        assert!(!read("", flag).unwrap());
        let parent = Element::parse(b"<a><b/><c>1</c></a>").unwrap();
        assert_eq!(text_of(&parent, "b"), None);
        assert_eq!(text_of(&parent, "c").as_deref(), Some("1"));
        assert_eq!(value_of::<u32>(&parent, "b").unwrap(), None);
        assert_eq!(value_of::<u32>(&parent, "d").unwrap(), None);
        assert_eq!(value_of(&parent, "c").unwrap(), Some(1u32));
    }

    #[test]
    fn flags_are_read_in_any_case() {
        for (text, yes) in [("true", true), ("True", true), (" FALSE ", false)] {
            assert_eq!(read(text, flag).unwrap(), yes, "{text}");
        }
        for text in ["1", "yes", "truely"] {
            assert!(read(text, flag).is_err(), "{text}");
        }
        assert!(read::<Option<u64>>("-1", value).is_err());
    }
}
