//! Tags of buckets and of objects.

use aws_core::Result;

use super::{Config, Removable, Root, Settable, check_count, check_length};
use crate::idempotency::{self, Row};

document! {
    /// The tags of a [bucket](https://docs.aws.amazon.com/AmazonS3/latest/userguide/CostAllocTagging.html) or of an
    /// [object](https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-tagging.html). A pair of texts is a tag.
    ///
    /// ```
    /// use s3_client::config::Tagging;
    ///
    /// # async fn example(photos: s3_client::Bucket) -> s3_client::Result<()> {
    /// photos.put_object_tagging("cat.jpg", Tagging::new().tag(("mood", "sleepy"))).await?;
    /// for tag in photos.get_object_tagging("cat.jpg").await?.tags {
    ///     println!("{}: {}", tag.key, tag.value);
    /// }
    /// # Ok(()) }
    /// ```
    pub struct Tagging {
        /// The tags: up to 50 of a bucket, up to 10 of an object.
        set tags + tag: Tag = "TagSet" / "Tag",
    }

    /// A tag: a name and a value.
    pub struct Tag {
        /// The name of the tag: 1 to 128 characters, once in a set.
        must key: String = "Key",
        /// The value of the tag: up to 256 characters.
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
    const QUERY: &'static str = "tagging";

    fn check(&self) -> Result<()> {
        check_count("tags", self.tags.len(), 50)?;
        self.tags.iter().try_for_each(Tag::check)
    }
}

impl Config for Tagging {
    const GET: Row = idempotency::GET_BUCKET_TAGGING;
}

impl Settable for Tagging {
    const PUT: Row = idempotency::PUT_BUCKET_TAGGING;
}

impl Removable for Tagging {
    const DELETE: Row = idempotency::DELETE_BUCKET_TAGGING;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::documents::{again, reads};
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
