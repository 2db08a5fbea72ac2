use std::time::SystemTime;

use aws_core::Result;

use super::{Root, Status, Tag, check_count, check_length};

document! {
    /// What becomes of objects as they age
    /// ([object lifecycles](https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lifecycle-mgmt.html)).
    pub struct Lifecycle {
        /// 1 to 1,000.
        all rules + rule: LifecycleRule = "Rule",
    }

    /// What becomes of one group of objects.
    pub struct LifecycleRule {
        /// A name, up to 255 characters, once in a lifecycle; the store makes one up where there is none.
        opt id: String = "ID",
        /// Which objects. Needed, unless there is a prefix; an empty filter is all objects.
        opt filter: LifecycleFilter = "Filter",
        /// Which objects, in the form that came before filters.
        opt prefix: String = "Prefix",
        /// Whether it is followed. Needed.
        opt status: Status = "Status",
        /// When objects get another storage class.
        all transitions + transition: Transition = "Transition",
        /// When objects are removed.
        opt expiration: Expiration = "Expiration",
        /// When versions that are not current get another storage class.
        all noncurrent_transitions + noncurrent_transition: NoncurrentTransition = "NoncurrentVersionTransition",
        /// When versions that are not current are removed.
        opt noncurrent_expiration: NoncurrentExpiration = "NoncurrentVersionExpiration",
        /// When unfinished uploads are aborted.
        opt abort_uploads: AbortUploads = "AbortIncompleteMultipartUpload",
    }

    /// Which objects a rule is about: one condition, or several in `and`.
    pub struct LifecycleFilter {
        /// Their keys begin with this.
        opt prefix: String = "Prefix",
        /// They have this tag.
        opt tag: Tag = "Tag",
        /// They have more bytes.
        val object_size_greater_than: u64 = "ObjectSizeGreaterThan",
        /// They have fewer bytes.
        val object_size_less_than: u64 = "ObjectSizeLessThan",
        /// All of these hold.
        opt and: LifecycleAnd = "And",
    }

    /// Conditions that hold together, two or more.
    pub struct LifecycleAnd {
        /// Keys begin with this.
        opt prefix: String = "Prefix",
        /// Objects have all of these tags.
        all tags + tag: Tag = "Tag",
        /// Objects have more bytes.
        val object_size_greater_than: u64 = "ObjectSizeGreaterThan",
        /// Objects have fewer bytes.
        val object_size_less_than: u64 = "ObjectSizeLessThan",
    }

    /// When objects get another storage class: at a date or at an age.
    pub struct Transition {
        /// A midnight in UTC.
        val date: SystemTime = "Date",
        /// Days after they were stored.
        val days: u32 = "Days",
        /// The class.
        opt storage_class: StorageClass = "StorageClass",
    }

    /// When objects are removed: at a date, at an age, or delete markers that have no versions behind them.
    pub struct Expiration {
        /// A midnight in UTC.
        val date: SystemTime = "Date",
        /// Days after they were stored, 1 or more.
        val days: u32 = "Days",
        /// Removes delete markers without versions; not together with a date or days.
        val expired_object_delete_marker: bool = "ExpiredObjectDeleteMarker",
    }

    /// When versions that are not current get another storage class.
    pub struct NoncurrentTransition {
        /// Days after they ceased to be current.
        val noncurrent_days: u32 = "NoncurrentDays",
        /// The class.
        opt storage_class: StorageClass = "StorageClass",
        /// How many of the newest are left alone, 1 to 100.
        val newer_noncurrent_versions: u32 = "NewerNoncurrentVersions",
    }

    /// When versions that are not current are removed.
    pub struct NoncurrentExpiration {
        /// Days after they ceased to be current, 1 or more.
        val noncurrent_days: u32 = "NoncurrentDays",
        /// How many of the newest are kept, 1 to 100.
        val newer_noncurrent_versions: u32 = "NewerNoncurrentVersions",
    }

    /// When unfinished uploads are aborted.
    pub struct AbortUploads {
        /// Days after they were begun, 1 or more.
        val days_after_initiation: u32 = "DaysAfterInitiation",
    }
}

words! {
    /// A [storage class](https://docs.aws.amazon.com/AmazonS3/latest/userguide/storage-class-intro.html).
    pub enum StorageClass {
        /// The usual one.
        Standard = "STANDARD",
        /// Fewer copies.
        ReducedRedundancy = "REDUCED_REDUNDANCY",
        /// For what is seldom read.
        StandardIa = "STANDARD_IA",
        /// For what is seldom read, in one zone.
        OnezoneIa = "ONEZONE_IA",
        /// The store finds out what is read.
        IntelligentTiering = "INTELLIGENT_TIERING",
        /// An archive that is read at once.
        GlacierIr = "GLACIER_IR",
        /// An archive that is read after minutes or hours.
        Glacier = "GLACIER",
        /// An archive that is read after hours.
        DeepArchive = "DEEP_ARCHIVE",
        /// For what is read at once and often, in one zone.
        ExpressOnezone = "EXPRESS_ONEZONE",
        /// On Outposts.
        Outposts = "OUTPOSTS",
        /// On Snow devices.
        Snow = "SNOW",
    }
}

impl Root for Lifecycle {
    const ROOT: &'static str = "LifecycleConfiguration";

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
    use crate::config::testing::{reads, round_trips};

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
