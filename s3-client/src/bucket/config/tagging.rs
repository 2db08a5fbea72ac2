use aws_core::Result;

use super::{Root, check_count, check_length};

document! {
    /// The tags of a bucket or an object.
    pub struct Tagging {
        /// A bucket has up to 50, an object up to 10.
        set tags + tag: Tag = "TagSet" / "Tag",
    }

    /// A tag: a name and a value.
    pub struct Tag {
        /// The name: 1 to 128 characters, once in a set.
        must key: String = "Key",
        /// The value: up to 256 characters.
        must value: String = "Value",
    }
}

impl Tag {
    pub(crate) fn check(&self) -> Result<()> {
        if self.key.is_empty() {
            return Err(aws_core::Error::invalid("the key of a tag is empty"));
        }
        check_length("tag's key", &self.key, 128)?;
        check_length("tag's value", &self.value, 256)
    }
}

impl<K: Into<String>, V: Into<String>> From<(K, V)> for Tag {
    fn from((key, value): (K, V)) -> Self {
        Self::new().key(key).value(value)
    }
}

impl<T: Into<Tag>> FromIterator<T> for Tagging {
    fn from_iter<I: IntoIterator<Item = T>>(tags: I) -> Self {
        Self {
            tags: tags.into_iter().map(Into::into).collect(),
            other: Vec::new(),
        }
    }
}

impl Root for Tagging {
    const ROOT: &'static str = "Tagging";

    fn check(&self) -> Result<()> {
        check_count("tags", self.tags.len(), 50)?;
        self.tags.iter().try_for_each(Tag::check)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::testing::{again, reads};
    use proptest::prelude::*;

    #[test]
    fn amazons_example_is_read() {
        let tagging: Tagging = reads(
            "<Tagging><TagSet><Tag><Key>Project</Key><Value>Project One</Value></Tag>\
             <Tag><Key>User</Key><Value/></Tag></TagSet></Tagging>",
        );
        let same: Tagging = [("Project", "Project One"), ("User", "")]
            .into_iter()
            .collect();
        assert_eq!(tagging, same);
        assert!(Tagging::new().encode().unwrap().contains("<TagSet/>"));
    }

    #[test]
    fn limits() {
        for (tag, word) in [
            (("", "x".to_owned()), "empty"),
            ((&*"k".repeat(129), "x".to_owned()), "129"),
            (("k", "v".repeat(257)), "257"),
        ] {
            let error = Tagging::new().tag(tag).encode().unwrap_err().to_string();
            assert!(error.contains(word), "{error}");
        }
        let many: Tagging = (0..51).map(|i| (i.to_string(), "")).collect();
        assert!(many.encode().unwrap_err().to_string().contains("51 tags"));
    }

    proptest! {
        #[test]
        fn round_trips(tags in proptest::collection::vec(("[ -~\u{e9}\r\n\t]{1,9}", "[ -~\u{e9}\r\n\t]{0,9}"), 0..5)) {
            let tagging: Tagging = tags.into_iter().collect();
            prop_assert_eq!(again(&tagging), tagging);
        }
    }
}
