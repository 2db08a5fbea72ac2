//! Lifecycles: when objects are removed or get another storage class.

use std::time::SystemTime;

use aws_core::Result;

use super::{Config, Removable, Root, Settable, Status, Tag, check_count, check_length};
use crate::idempotency::{self, Row};

document! {
    /// A [lifecycle](https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lifecycle-mgmt.html) says what becomes of
    /// objects as they age.
    pub struct Lifecycle {
        /// The rules, 1 to 1,000 of them.
        all rules + rule: LifecycleRule = "Rule",
    }

    /// A rule says what becomes of one group of objects.
    pub struct LifecycleRule {
        /// The name of the rule: up to 255 characters, once in a lifecycle. The store makes one up where there is none.
        opt id: String = "ID",
        /// The condition on objects that the rule is about. A rule needs it unless it has a `prefix`; an empty filter
        /// means all objects.
        opt filter: LifecycleFilter = "Filter",
        /// The beginning of the keys of the objects that the rule is about: the form that Amazon had before filters.
        opt prefix: String = "Prefix",
        /// Whether the rule is followed: `Enabled` or `Disabled`. A rule needs it.
        opt status: Status = "Status",
        /// The times at which objects get another storage class.
        all transitions + transition: Transition = "Transition",
        /// The time at which objects are removed.
        opt expiration: Expiration = "Expiration",
        /// The times at which versions that are not current get another storage class.
        all noncurrent_transitions + noncurrent_transition: NoncurrentTransition = "NoncurrentVersionTransition",
        /// The time at which versions that are not current are removed.
        opt noncurrent_expiration: NoncurrentExpiration = "NoncurrentVersionExpiration",
        /// The time at which unfinished uploads in parts are aborted.
        opt abort_uploads: AbortUploads = "AbortIncompleteMultipartUpload",
    }

    /// The condition on objects that a rule is about: one of these fields, or several conditions in `and`.
    pub struct LifecycleFilter {
        /// The keys of the objects begin with this.
        opt prefix: String = "Prefix",
        /// The objects have this tag.
        opt tag: Tag = "Tag",
        /// The objects have more than this number of bytes.
        val object_size_greater_than: u64 = "ObjectSizeGreaterThan",
        /// The objects have fewer than this number of bytes.
        val object_size_less_than: u64 = "ObjectSizeLessThan",
        /// All of these conditions hold.
        opt and: LifecycleAnd = "And",
    }

    /// Two or more conditions that hold together.
    pub struct LifecycleAnd {
        /// The keys of the objects begin with this.
        opt prefix: String = "Prefix",
        /// The objects have all of these tags.
        all tags + tag: Tag = "Tag",
        /// The objects have more than this number of bytes.
        val object_size_greater_than: u64 = "ObjectSizeGreaterThan",
        /// The objects have fewer than this number of bytes.
        val object_size_less_than: u64 = "ObjectSizeLessThan",
    }

    /// The time at which objects get another storage class: a date or an age.
    pub struct Transition {
        /// The date: a midnight in UTC.
        val date: SystemTime = "Date",
        /// The age: a number of days after the objects were stored.
        val days: u32 = "Days",
        /// The storage class that they get.
        opt storage_class: StorageClass = "StorageClass",
    }

    /// The time at which objects are removed: a date or an age. Or, without either, whether delete markers are removed
    /// that have no versions behind them.
    pub struct Expiration {
        /// The date: a midnight in UTC.
        val date: SystemTime = "Date",
        /// The age: a number of days after the objects were stored, 1 or more.
        val days: u32 = "Days",
        /// Whether delete markers are removed that have no versions behind them. It cannot stand together with a date or
        /// an age.
        val expired_object_delete_marker: bool = "ExpiredObjectDeleteMarker",
    }

    /// The time at which versions that are not current get another storage class.
    pub struct NoncurrentTransition {
        /// The number of days after the versions ceased to be current.
        val noncurrent_days: u32 = "NoncurrentDays",
        /// The storage class that they get.
        opt storage_class: StorageClass = "StorageClass",
        /// How many of the newest of these versions keep their storage class: 1 to 100.
        val newer_noncurrent_versions: u32 = "NewerNoncurrentVersions",
    }

    /// The time at which versions that are not current are removed.
    pub struct NoncurrentExpiration {
        /// The number of days after the versions ceased to be current, 1 or more.
        val noncurrent_days: u32 = "NoncurrentDays",
        /// How many of the newest of these versions are kept: 1 to 100.
        val newer_noncurrent_versions: u32 = "NewerNoncurrentVersions",
    }

    /// The time at which unfinished uploads in parts are aborted.
    pub struct AbortUploads {
        /// The number of days after the uploads were begun, 1 or more.
        val days_after_initiation: u32 = "DaysAfterInitiation",
    }
}

words! {
    /// A [storage class](https://docs.aws.amazon.com/AmazonS3/latest/userguide/storage-class-intro.html).
    pub enum StorageClass {
        /// The class of objects that are stored without another one.
        Standard = "STANDARD",
        /// The store keeps fewer copies than of `Standard`.
        ReducedRedundancy = "REDUCED_REDUNDANCY",
        /// The class is meant for objects that are seldom read.
        StandardIa = "STANDARD_IA",
        /// The class is meant for objects that are seldom read; they are kept in one availability zone.
        OnezoneIa = "ONEZONE_IA",
        /// The store watches how often an object is read, and moves it between tiers.
        IntelligentTiering = "INTELLIGENT_TIERING",
        /// An archive (Glacier Instant Retrieval) whose objects can be read at once.
        GlacierIr = "GLACIER_IR",
        /// An archive (Glacier Flexible Retrieval) whose objects can be read minutes to hours after they are restored.
        Glacier = "GLACIER",
        /// An archive (Glacier Deep Archive) whose objects can be read hours after they are restored.
        DeepArchive = "DEEP_ARCHIVE",
        /// The class of directory buckets, which are kept in one availability zone.
        ExpressOnezone = "EXPRESS_ONEZONE",
        /// The objects are kept on AWS Outposts.
        Outposts = "OUTPOSTS",
        /// The objects are kept on AWS Snow devices.
        Snow = "SNOW",
    }
}

impl Root for Lifecycle {
    const ROOT: &'static str = "LifecycleConfiguration";
    const QUERY: &'static str = "lifecycle";

    fn repair(&mut self) {
        for filter in self.rules.iter_mut().flat_map(|rule| &mut rule.filter) {
            filter.repair();
        }
    }

    fn check(&self) -> Result<()> {
        check_count("lifecycle rules", self.rules.len(), 1000)?;
        self.rules
            .iter()
            .flat_map(|rule| &rule.id)
            .try_for_each(|id| check_length("id", id, 255))
    }
}

impl Config for Lifecycle {
    const GET: Row = idempotency::GET_BUCKET_LIFECYCLE_CONFIGURATION;
}

impl Settable for Lifecycle {
    const PUT: Row = idempotency::PUT_BUCKET_LIFECYCLE_CONFIGURATION;
}

impl Removable for Lifecycle {
    const DELETE: Row = idempotency::DELETE_BUCKET_LIFECYCLE;
}

impl LifecycleFilter {
    /// Ceph RGW writes conditions that belong into `And` beside it, or beside each other, and then forgets one of
    /// them when the document is put back.
    fn repair(&mut self) {
        let conditions = [
            self.prefix.is_some(),
            self.tag.is_some(),
            self.object_size_greater_than.is_some(),
            self.object_size_less_than.is_some(),
            self.and.is_some(),
        ];
        if conditions.iter().filter(|there| **there).count() < 2 {
            return;
        }
        let and = self.and.get_or_insert_default();
        and.tags.extend(self.tag.take());
        if and.prefix.is_none() {
            and.prefix = self.prefix.take();
        }
        if and.object_size_greater_than.is_none() {
            and.object_size_greater_than = self.object_size_greater_than.take();
        }
        if and.object_size_less_than.is_none() {
            and.object_size_less_than = self.object_size_less_than.take();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::documents::{reads, round_trips};

    #[test]
    fn every_documented_element_is_read() {
        let lifecycle: Lifecycle = reads(
            "<LifecycleConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Rule><ID>a</ID><Filter><And>\
             <Prefix>p/</Prefix><Tag><Key>k</Key><Value>v</Value></Tag><Tag><Key>l</Key><Value>w</Value></Tag>\
             <ObjectSizeGreaterThan>500</ObjectSizeGreaterThan><ObjectSizeLessThan>64000</ObjectSizeLessThan></And>\
             </Filter><Status>Enabled</Status><Transition><Days>30</Days><StorageClass>STANDARD_IA</StorageClass>\
             </Transition><Transition><Date>2030-01-01T00:00:00.000Z</Date><StorageClass>FROZEN</StorageClass>\
             </Transition><Expiration><Days>365</Days></Expiration><NoncurrentVersionTransition><NoncurrentDays>10\
             </NoncurrentDays><StorageClass>GLACIER</StorageClass><NewerNoncurrentVersions>3</NewerNoncurrentVersions>\
             </NoncurrentVersionTransition><NoncurrentVersionExpiration><NoncurrentDays>20</NoncurrentDays>\
             <NewerNoncurrentVersions>4</NewerNoncurrentVersions></NoncurrentVersionExpiration>\
             <AbortIncompleteMultipartUpload><DaysAfterInitiation>7</DaysAfterInitiation>\
             </AbortIncompleteMultipartUpload></Rule><Rule><Prefix>old/</Prefix><Status>Disabled</Status><Expiration>\
             <ExpiredObjectDeleteMarker>true</ExpiredObjectDeleteMarker></Expiration></Rule></LifecycleConfiguration>",
        );
        let [a, b] = &lifecycle.rules[..] else {
            panic!("{lifecycle:?}")
        };
        let and = a.filter.as_ref().unwrap().and.as_ref().unwrap();
        assert_eq!(
            (and.tags.len(), and.object_size_less_than),
            (2, Some(64_000))
        );
        assert_eq!(
            a.transitions[0].storage_class,
            Some(StorageClass::StandardIa)
        );
        assert_eq!(a.transitions[1].storage_class, Some("FROZEN".into()));
        assert!(a.transitions[1].date.is_some());
        assert_eq!(
            a.noncurrent_transitions[0].newer_noncurrent_versions,
            Some(3)
        );
        assert_eq!(
            a.noncurrent_expiration.as_ref().unwrap().noncurrent_days,
            Some(20)
        );
        assert_eq!(
            a.abort_uploads.as_ref().unwrap().days_after_initiation,
            Some(7)
        );
        assert_eq!(b.status, Some(Status::Disabled));
        assert_eq!(
            b.expiration.as_ref().unwrap().expired_object_delete_marker,
            Some(true)
        );
        let all = [a, b].iter().all(|rule| rule.other.is_empty());
        assert!(all && and.other.is_empty() && a.transitions[0].other.is_empty());
        round_trips::<Lifecycle>();
    }

    #[test]
    fn conditions_beside_and_belong_into_it() {
        for filter in [
            "<Prefix>a/</Prefix><And><Tag><Key>k</Key><Value>v</Value></Tag></And>",
            "<Prefix>a/</Prefix><Tag><Key>k</Key><Value>v</Value></Tag>",
        ] {
            let lifecycle: Lifecycle = reads(&format!(
                "<LifecycleConfiguration><Rule><Filter>{filter}</Filter></Rule></LifecycleConfiguration>"
            ));
            let both = LifecycleAnd::new().prefix("a/").tag(("k", "v"));
            let filter = lifecycle.rules[0].filter.as_ref().unwrap();
            assert_eq!(*filter, LifecycleFilter::new().and(both));
        }
    }

    #[test]
    fn limits() {
        let mut lifecycle = Lifecycle::new().rule(LifecycleRule::new().id("x".repeat(256)));
        assert!(lifecycle.encode().unwrap_err().to_string().contains("256"));
        lifecycle.rules = vec![LifecycleRule::new(); 1001];
        assert!(lifecycle.encode().unwrap_err().to_string().contains("1001"));
    }
}
