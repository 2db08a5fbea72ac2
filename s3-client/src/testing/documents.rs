//! Checks that documents are read and written without a loss.

#![allow(
    clippy::unwrap_used,
    reason = "this is test code outside of a test function"
)]

use aws_core::xml::Element;
use proptest::prelude::*;

use crate::config::{Root, XmlPart};

/// Elements of names that no document has.
pub(crate) fn others() -> BoxedStrategy<Vec<Element>> {
    let leaf = ("X[a-z0-9]{1,3}", <String as XmlPart>::any())
        .prop_map(|(name, text)| Element::new(name).with_text(text));
    let element = leaf.prop_recursive(2, 4, 2, |inner| {
        let children = proptest::collection::vec(inner, 1..3);
        ("X[a-z0-9]{1,3}", children).prop_map(|(name, children)| {
            let new = Element::new(name).with_attribute("k", "1 \"2\"");
            children.into_iter().fold(new, Element::with)
        })
    });
    proptest::collection::vec(element, 0..2).boxed()
}

/// Writes and reads it.
pub(crate) fn again<T: Root>(document: &T) -> T {
    T::decode(document.encode().unwrap().as_bytes()).unwrap()
}

/// Whatever is written is read as it was.
pub(crate) fn round_trips<T: Root + PartialEq + std::fmt::Debug>() {
    let config = ProptestConfig::with_cases(64);
    proptest::test_runner::TestRunner::new(config)
        .run(&T::any(), |document| {
            let read = again(&document);
            let mut same = document;
            same.repair();
            prop_assert_eq!(read, same);
            Ok(())
        })
        .unwrap();
}

/// A document of Amazon's pages is read, and written again means the same.
pub(crate) fn reads<T: Root + PartialEq + std::fmt::Debug>(text: &str) -> T {
    let document = T::decode(text.as_bytes()).unwrap();
    assert_eq!(again(&document), document);
    document
}
