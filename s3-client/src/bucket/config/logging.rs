//! Server access logs: where the log of requests to a bucket goes.

use super::{Config, Grant, Root, Settable};
use crate::idempotency::{self, Row};

document! {
    /// The setting for [server access logs](https://docs.aws.amazon.com/AmazonS3/latest/userguide/ServerLogs.html) says
    /// where the log of requests goes.
    pub struct Logging {
        /// The log goes to this place. Without this there is no log.
        opt enabled: LoggingEnabled = "LoggingEnabled",
    }

    /// The place that the log of requests goes to.
    pub struct LoggingEnabled {
        /// The name of the bucket that gets the log.
        must target_bucket: String = "TargetBucket",
        /// What the keys of the log begin with.
        must target_prefix: String = "TargetPrefix",
        /// Who may do what with the objects of the log.
        some target_grants + target_grant: Grant = "TargetGrants" / "Grant",
        /// How the keys of the log go on behind the prefix.
        opt target_key_format: KeyFormat = "TargetObjectKeyFormat",
    }

    /// How the keys of a log go on behind the prefix: one of the two fields is set.
    pub struct KeyFormat {
        /// The keys go on with the time.
        opt simple_prefix: SimplePrefix = "SimplePrefix",
        /// The keys go on with account, region, bucket and date.
        opt partitioned_prefix: PartitionedPrefix = "PartitionedPrefix",
    }

    /// The keys of a log go on with the time. There is nothing to set.
    pub struct SimplePrefix {}

    /// The keys of a log go on with account, region, bucket and date.
    pub struct PartitionedPrefix {
        /// Which date stands in the keys.
        opt partition_date: PartitionDate = "PartitionDateSource",
    }
}

words! {
    /// The date that stands in the keys of a log.
    pub enum PartitionDate {
        /// The date of the requests.
        EventTime = "EventTime",
        /// The date on which the log was delivered.
        DeliveryTime = "DeliveryTime",
    }
}

impl Root for Logging {
    const ROOT: &'static str = "BucketLoggingStatus";
    const QUERY: &'static str = "logging";
}

impl Config for Logging {
    const GET: Row = idempotency::GET_BUCKET_LOGGING;
}

impl Settable for Logging {
    const PUT: Row = idempotency::PUT_BUCKET_LOGGING;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::documents::{reads, round_trips};

    #[test]
    fn amazons_example_is_read() {
        let logging: Logging = reads(
            "<BucketLoggingStatus><LoggingEnabled><TargetBucket>logs</TargetBucket><TargetPrefix>b/</TargetPrefix>\
             <TargetGrants><Grant><Grantee xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" \
             xsi:type=\"AmazonCustomerByEmail\"><EmailAddress>user@company.com</EmailAddress></Grantee>\
             <Permission>READ</Permission></Grant></TargetGrants><TargetObjectKeyFormat><PartitionedPrefix>\
             <PartitionDateSource>EventTime</PartitionDateSource></PartitionedPrefix></TargetObjectKeyFormat>\
             </LoggingEnabled></BucketLoggingStatus>",
        );
        let enabled = logging.enabled.unwrap();
        assert_eq!(
            (enabled.target_bucket.as_str(), enabled.target_grants.len()),
            ("logs", 1)
        );
        let format = enabled
            .target_key_format
            .unwrap()
            .partitioned_prefix
            .unwrap();
        assert_eq!(format.partition_date, Some(PartitionDate::EventTime));
        assert_eq!(reads::<Logging>("<BucketLoggingStatus/>"), Logging::new());
        round_trips::<Logging>();
    }
}
