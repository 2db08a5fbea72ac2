use super::{Grant, Root};

document! {
    /// Where the [log of requests](https://docs.aws.amazon.com/AmazonS3/latest/userguide/ServerLogs.html) goes.
    pub struct Logging {
        /// Where to; nothing is no log.
        opt enabled: LoggingEnabled = "LoggingEnabled",
    }

    /// Where the log goes.
    pub struct LoggingEnabled {
        /// The bucket.
        must target_bucket: String = "TargetBucket",
        /// What its keys begin with.
        must target_prefix: String = "TargetPrefix",
        /// Who may do what with it.
        some target_grants + target_grant: Grant = "TargetGrants" / "Grant",
        /// How its keys go on.
        opt target_key_format: KeyFormat = "TargetObjectKeyFormat",
    }

    /// How keys of a log go on: one of two ways.
    pub struct KeyFormat {
        /// By the time.
        opt simple_prefix: SimplePrefix = "SimplePrefix",
        /// By account, region, bucket and date.
        opt partitioned_prefix: PartitionedPrefix = "PartitionedPrefix",
    }

    /// Keys of a log by the time.
    pub struct SimplePrefix {}

    /// Keys of a log by account, region, bucket and date.
    pub struct PartitionedPrefix {
        /// Which date.
        opt partition_date: PartitionDate = "PartitionDateSource",
    }
}

words! {
    /// The date in the key of a log.
    pub enum PartitionDate {
        /// When the requests were.
        EventTime = "EventTime",
        /// When the log was delivered.
        DeliveryTime = "DeliveryTime",
    }
}

impl Root for Logging {
    const ROOT: &'static str = "BucketLoggingStatus";
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::testing::{reads, round_trips};

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
