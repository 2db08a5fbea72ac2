use aws_core::{Error, Result};

use super::{Root, Status, StorageClass, Tag, check_count, check_length};

document! {
    /// To where objects of a bucket are
    /// [copied](https://docs.aws.amazon.com/AmazonS3/latest/userguide/replication.html) when they are stored. Both
    /// buckets have to keep versions.
    pub struct Replication {
        /// The role that the store takes for it, by its ARN.
        must role: String = "Role",
        /// 1 to 1,000.
        all rules + rule: ReplicationRule = "Rule",
    }

    /// Which objects go where.
    pub struct ReplicationRule {
        /// Its name, up to 255 characters.
        opt id: String = "ID",
        /// Which rule counts where several have the same destination: that with the highest number.
        val priority: u32 = "Priority",
        /// The older way to say which objects.
        opt prefix: String = "Prefix",
        /// Which objects; all if it is empty.
        opt filter: ReplicationFilter = "Filter",
        /// Enabled or disabled.
        opt status: Status = "Status",
        /// Which of them besides.
        opt source_selection: SourceSelection = "SourceSelectionCriteria",
        /// Whether objects that were there before are copied too.
        opt existing_objects: ExistingObjects = "ExistingObjectReplication",
        /// Where.
        opt destination: Destination = "Destination",
        /// Whether delete markers are copied.
        opt delete_markers: DeleteMarkerReplication = "DeleteMarkerReplication",
    }

    /// Which objects: one of the three.
    pub struct ReplicationFilter {
        /// Those whose keys begin so.
        opt prefix: String = "Prefix",
        /// Those with this tag.
        opt tag: Tag = "Tag",
        /// Those for which all of it is so.
        opt and: ReplicationAnd = "And",
    }

    /// Several conditions at once.
    pub struct ReplicationAnd {
        /// The beginning of keys.
        opt prefix: String = "Prefix",
        /// Tags.
        all tags + tag: Tag = "Tag",
    }

    /// Which objects besides.
    pub struct SourceSelection {
        /// Those that are encrypted with keys of the key service.
        opt sse_kms_objects: SseKmsObjects = "SseKmsEncryptedObjects",
        /// Changes of what is kept beside copies.
        opt replica_modifications: ReplicaModifications = "ReplicaModifications",
    }

    /// Those that are encrypted with keys of the key service.
    pub struct SseKmsObjects {
        /// Enabled or disabled.
        opt status: Status = "Status",
    }

    /// Changes of what is kept beside copies.
    pub struct ReplicaModifications {
        /// Enabled or disabled.
        opt status: Status = "Status",
    }

    /// Objects that were there before.
    pub struct ExistingObjects {
        /// Enabled or disabled.
        opt status: Status = "Status",
    }

    /// Whether delete markers are copied.
    pub struct DeleteMarkerReplication {
        /// Enabled or disabled.
        opt status: Status = "Status",
    }

    /// Where copies go.
    pub struct Destination {
        /// The bucket, by its ARN.
        must bucket: String = "Bucket",
        /// The account that has it.
        opt account: String = "Account",
        /// The storage class of copies. Defaults to that of the object.
        opt storage_class: StorageClass = "StorageClass",
        /// Whose copies are.
        opt access_translation: AccessTranslation = "AccessControlTranslation",
        /// How copies are encrypted.
        opt encryption: ReplicaEncryption = "EncryptionConfiguration",
        /// In what time.
        opt replication_time: ReplicationTime = "ReplicationTime",
        /// What is measured.
        opt metrics: ReplicationMetrics = "Metrics",
    }

    /// Whose copies are.
    pub struct AccessTranslation {
        /// `Destination`.
        must owner: String = "Owner",
    }

    /// How copies are encrypted.
    pub struct ReplicaEncryption {
        /// The key, by its ARN.
        opt kms_key_id: String = "ReplicaKmsKeyID",
    }

    /// In what time copies have to be there.
    pub struct ReplicationTime {
        /// Enabled or disabled.
        opt status: Status = "Status",
        /// 15 minutes.
        opt time: ReplicationMinutes = "Time",
    }

    /// A number of minutes; Amazon takes 15.
    pub struct ReplicationMinutes {
        /// The number.
        val minutes: u32 = "Minutes",
    }

    /// What is measured of copies.
    pub struct ReplicationMetrics {
        /// Enabled or disabled.
        opt status: Status = "Status",
        /// After what time something is told.
        opt event_threshold: ReplicationMinutes = "EventThreshold",
    }
}

impl Root for Replication {
    const ROOT: &'static str = "ReplicationConfiguration";

    fn check(&self) -> Result<()> {
        if self.rules.is_empty() {
            return Err(Error::invalid("a replication has no rule"));
        }
        check_count("rules of replication", self.rules.len(), 1000)?;
        for rule in &self.rules {
            let id = rule.id.as_deref().unwrap_or_default();
            check_length("name of a rule", id, 255)?;
            if rule.destination.is_none() {
                return Err(Error::invalid(format!(
                    "the rule {id:?} of a replication has no destination"
                )));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::testing::{again, reads};

    #[test]
    fn every_documented_element_is_read() {
        let text = "<ReplicationConfiguration><Role>arn:aws:iam::1:role/r</Role><Rule><ID>a</ID><Priority>1</Priority>\
             <Filter><And><Prefix>p</Prefix><Tag><Key>k</Key><Value>v</Value></Tag></And></Filter><Status>Enabled\
             </Status><SourceSelectionCriteria><SseKmsEncryptedObjects><Status>Enabled</Status>\
             </SseKmsEncryptedObjects><ReplicaModifications><Status>Disabled</Status></ReplicaModifications>\
             </SourceSelectionCriteria><ExistingObjectReplication><Status>Enabled</Status></ExistingObjectReplication>\
             <Destination><Bucket>arn:aws:s3:::b</Bucket><Account>1</Account><StorageClass>STANDARD_IA</StorageClass>\
             <AccessControlTranslation><Owner>Destination</Owner></AccessControlTranslation><EncryptionConfiguration>\
             <ReplicaKmsKeyID>k</ReplicaKmsKeyID></EncryptionConfiguration><ReplicationTime><Status>Enabled</Status>\
             <Time><Minutes>15</Minutes></Time></ReplicationTime><Metrics><Status>Enabled</Status><EventThreshold>\
             <Minutes>15</Minutes></EventThreshold></Metrics></Destination><DeleteMarkerReplication><Status>Disabled\
             </Status></DeleteMarkerReplication><New>x</New></Rule></ReplicationConfiguration>";
        let replication: Replication = reads(text);
        let rule = &replication.rules[0];
        let destination = rule.destination.as_ref().unwrap();
        let time = destination.replication_time.as_ref().unwrap();
        assert_eq!(time.time.as_ref().unwrap().minutes, Some(15));
        assert_eq!(destination.storage_class, Some(StorageClass::StandardIa));
        assert!(destination.other.is_empty() && replication.other.is_empty());
        // What is new goes back.
        assert_eq!(rule.other.len(), 1);
        assert_eq!(again(&replication), replication);
    }

    #[test]
    fn limits() {
        let rule = || ReplicationRule::new().destination(Destination::new().bucket("b"));
        let all = |rules: Vec<ReplicationRule>| {
            let replication = Replication {
                rules,
                ..Replication::new()
            };
            replication.encode().unwrap_err().to_string()
        };
        assert!(all(vec![]).contains("no rule"));
        assert!(all(vec![rule(); 1001]).contains("1001"));
        assert!(all(vec![rule().id("x".repeat(256))]).contains("256"));
        assert!(all(vec![ReplicationRule::new().id("r")]).contains("\"r\""));
    }
}
