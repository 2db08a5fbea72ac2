//! Replication to other buckets.

use aws_core::{Error, Result};

use super::{
    Config, Removable, Root, Settable, Status, StorageClass, Tag, check_count, check_length,
};
use crate::idempotency::{self, Row};

document! {
    /// The [replication](https://docs.aws.amazon.com/AmazonS3/latest/userguide/replication.html) of a bucket says to which
    /// other buckets its objects are copied when they are stored. Both buckets have to keep versions.
    pub struct Replication {
        /// The ARN of the IAM role that the store takes for it.
        must role: String = "Role",
        /// The rules, 1 to 1,000 of them.
        all rules + rule: ReplicationRule = "Rule",
    }

    /// A rule says which objects are copied to which bucket.
    pub struct ReplicationRule {
        /// The name of the rule: up to 255 characters.
        opt id: String = "ID",
        /// The rank of the rule: of several with the same destination the one with the highest number counts.
        val priority: u32 = "Priority",
        /// The beginning of the keys of the objects that are copied: the form that Amazon had before filters.
        opt prefix: String = "Prefix",
        /// The condition on objects that are copied. An empty filter means all objects.
        opt filter: ReplicationFilter = "Filter",
        /// Whether the rule is followed: `Enabled` or `Disabled`. A rule needs it.
        opt status: Status = "Status",
        /// Which objects are copied that otherwise would not be.
        opt source_selection: SourceSelection = "SourceSelectionCriteria",
        /// Whether objects that were stored before the rule are copied too.
        opt existing_objects: ExistingObjects = "ExistingObjectReplication",
        /// The bucket that gets the copies, and what they are like. A rule needs it.
        opt destination: ReplicationDestination = "Destination",
        /// Whether delete markers are copied.
        opt delete_markers: DeleteMarkerReplication = "DeleteMarkerReplication",
    }

    /// The condition on objects that are copied: one of the three fields is set.
    pub struct ReplicationFilter {
        /// The keys of the objects begin with this.
        opt prefix: String = "Prefix",
        /// The objects have this tag.
        opt tag: Tag = "Tag",
        /// All of these conditions hold.
        opt and: ReplicationAnd = "And",
    }

    /// Two or more conditions that hold together.
    pub struct ReplicationAnd {
        /// The keys of the objects begin with this.
        opt prefix: String = "Prefix",
        /// The objects have all of these tags.
        all tags + tag: Tag = "Tag",
    }

    /// Objects that are copied only if it is said here.
    pub struct SourceSelection {
        /// Whether objects are copied that are encrypted with keys of the key management service.
        opt sse_kms_objects: SseKmsObjects = "SseKmsEncryptedObjects",
        /// Whether changes to the metadata of copies are copied back.
        opt replica_modifications: ReplicaModifications = "ReplicaModifications",
    }

    /// Whether objects are copied that are encrypted with keys of the key management service (SSE-KMS).
    pub struct SseKmsObjects {
        /// Whether it is followed: `Enabled` or `Disabled`.
        opt status: Status = "Status",
    }

    /// Whether changes to the metadata of copies are copied back.
    pub struct ReplicaModifications {
        /// Whether it is followed: `Enabled` or `Disabled`.
        opt status: Status = "Status",
    }

    /// Whether objects that were stored before the rule are copied.
    pub struct ExistingObjects {
        /// Whether it is followed: `Enabled` or `Disabled`.
        opt status: Status = "Status",
    }

    /// Whether delete markers are copied.
    pub struct DeleteMarkerReplication {
        /// Whether it is followed: `Enabled` or `Disabled`.
        opt status: Status = "Status",
    }

    /// The bucket that gets the copies, and what they are like.
    pub struct ReplicationDestination {
        /// The ARN of the bucket that gets the copies.
        must bucket: String = "Bucket",
        /// The id of the account that owns that bucket.
        opt account: String = "Account",
        /// The storage class of the copies. Defaults to that of the object.
        opt storage_class: StorageClass = "StorageClass",
        /// Who owns the copies. Defaults to the owner of the object.
        opt access_translation: AccessTranslation = "AccessControlTranslation",
        /// How the copies are encrypted.
        opt encryption: ReplicaEncryption = "EncryptionConfiguration",
        /// In what time the copies have to be there.
        opt replication_time: ReplicationTime = "ReplicationTime",
        /// Which measurements of the copying are published.
        opt metrics: ReplicationMetrics = "Metrics",
    }

    /// The owner of copies is changed to the account that owns the bucket that gets them.
    pub struct AccessTranslation {
        /// The new owner: `Destination` is the only word that Amazon knows here.
        must owner: String = "Owner",
    }

    /// The key that copies are encrypted with.
    pub struct ReplicaEncryption {
        /// The ARN of the key, in the region of the copies.
        opt kms_key_id: String = "ReplicaKmsKeyID",
    }

    /// The time in which copies have to be there ([Replication Time
    /// Control](https://docs.aws.amazon.com/AmazonS3/latest/userguide/replication-time-control.html)).
    pub struct ReplicationTime {
        /// Whether it is followed: `Enabled` or `Disabled`.
        opt status: Status = "Status",
        /// The time: Amazon takes 15 minutes only.
        opt time: ReplicationMinutes = "Time",
    }

    /// A number of minutes.
    pub struct ReplicationMinutes {
        /// The number of minutes: Amazon takes 15 only.
        val minutes: u32 = "Minutes",
    }

    /// The measurements of the copying that are published.
    pub struct ReplicationMetrics {
        /// Whether it is followed: `Enabled` or `Disabled`.
        opt status: Status = "Status",
        /// The time after which an event tells that a copy is not there yet.
        opt event_threshold: ReplicationMinutes = "EventThreshold",
    }
}

impl Root for Replication {
    const ROOT: &'static str = "ReplicationConfiguration";
    const QUERY: &'static str = "replication";

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

impl Config for Replication {
    const GET: Row = idempotency::GET_BUCKET_REPLICATION;
}

impl Settable for Replication {
    const PUT: Row = idempotency::PUT_BUCKET_REPLICATION;
}

impl Removable for Replication {
    const DELETE: Row = idempotency::DELETE_BUCKET_REPLICATION;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::documents::{again, reads};

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
        let rule = || ReplicationRule::new().destination(ReplicationDestination::new().bucket("b"));
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
