//! Event notifications: which events in a bucket are told, and to whom.

use aws_core::Result;

use super::{Config, Root, Settable, check_count};
use crate::idempotency::{self, Row};

document! {
    /// The [event notifications](https://docs.aws.amazon.com/AmazonS3/latest/userguide/EventNotifications.html) of a bucket
    /// say which services are told what happens in it. There are at most 100 targets.
    pub struct Notification {
        /// The topics of Amazon SNS that are told.
        all topics + topic: TopicTarget = "TopicConfiguration",
        /// The queues of Amazon SQS that are told.
        all queues + queue: QueueTarget = "QueueConfiguration",
        /// The functions of AWS Lambda that are called.
        all functions + function: FunctionTarget = "CloudFunctionConfiguration",
        /// If this is set, Amazon EventBridge is told of all events.
        opt event_bridge: EventBridge = "EventBridgeConfiguration",
    }

    /// A topic of Amazon SNS that is told of events.
    pub struct TopicTarget {
        /// The name of this target. The store makes one up where there is none.
        opt id: String = "Id",
        /// The ARN of the topic.
        must topic: String = "Topic",
        /// The [events](https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-how-to-event-types-and-destinations.html)
        /// that it is told of, for example `s3:ObjectCreated:*`.
        all events + event: String = "Event",
        /// The condition on objects whose events it is told of. Defaults to all objects.
        opt filter: NotificationFilter = "Filter",
    }

    /// A queue of Amazon SQS that is told of events.
    pub struct QueueTarget {
        /// The name of this target. The store makes one up where there is none.
        opt id: String = "Id",
        /// The ARN of the queue.
        must queue: String = "Queue",
        /// The [events](https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-how-to-event-types-and-destinations.html)
        /// that it is told of, for example `s3:ObjectCreated:*`.
        all events + event: String = "Event",
        /// The condition on objects whose events it is told of. Defaults to all objects.
        opt filter: NotificationFilter = "Filter",
    }

    /// A function of AWS Lambda that is called for events.
    pub struct FunctionTarget {
        /// The name of this target. The store makes one up where there is none.
        opt id: String = "Id",
        /// The ARN of the function.
        must function: String = "CloudFunction",
        /// The [events](https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-how-to-event-types-and-destinations.html)
        /// that it is called for, for example `s3:ObjectCreated:*`.
        all events + event: String = "Event",
        /// The condition on objects whose events it is called for. Defaults to all objects.
        opt filter: NotificationFilter = "Filter",
    }

    /// The condition on objects whose events are told.
    pub struct NotificationFilter {
        /// The condition on the keys of the objects.
        opt key: KeyFilter = "S3Key",
    }

    /// The condition on the keys of objects: all of its rules hold.
    pub struct KeyFilter {
        /// The rules, at most one for the beginning and one for the end of keys.
        all rules + rule: FilterRule = "FilterRule",
    }

    /// A rule says how keys begin or end.
    pub struct FilterRule {
        /// `prefix` for the beginning of keys, `suffix` for their end.
        must name: String = "Name",
        /// The text that keys begin or end with.
        must value: String = "Value",
    }

    /// Amazon EventBridge is told of all events. There is nothing to set.
    pub struct EventBridge {}
}

impl Root for Notification {
    const ROOT: &'static str = "NotificationConfiguration";
    const QUERY: &'static str = "notification";

    fn check(&self) -> Result<()> {
        let targets = self.topics.len() + self.queues.len() + self.functions.len();
        check_count("targets of notifications", targets, 100)
    }
}

impl Config for Notification {
    const GET: Row = idempotency::GET_BUCKET_NOTIFICATION_CONFIGURATION;
}

impl Settable for Notification {
    const PUT: Row = idempotency::PUT_BUCKET_NOTIFICATION_CONFIGURATION;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::documents::{reads, round_trips};

    #[test]
    fn amazons_example_is_read() {
        let notification: Notification = reads(
            "<NotificationConfiguration><QueueConfiguration><Id>1</Id><Filter><S3Key><FilterRule><Name>prefix</Name>\
             <Value>images/</Value></FilterRule><FilterRule><Name>suffix</Name><Value>.jpg</Value></FilterRule></S3Key>\
             </Filter><Queue>arn:aws:sqs:us-west-2:444455556666:q</Queue><Event>s3:ObjectCreated:Put</Event>\
             <Event>s3:ObjectRemoved:*</Event></QueueConfiguration><EventBridgeConfiguration/></NotificationConfiguration>",
        );
        let queue = &notification.queues[0];
        assert_eq!((queue.id.as_deref(), queue.events.len()), (Some("1"), 2));
        let key = queue.filter.as_ref().unwrap().key.as_ref().unwrap();
        assert_eq!(key.rules[1].value, ".jpg");
        assert!(notification.event_bridge.is_some());
        round_trips::<Notification>();
    }

    #[test]
    fn limits() {
        let mut notification = Notification::new();
        notification.topics = vec![TopicTarget::new(); 60];
        notification.queues = vec![QueueTarget::new(); 41];
        assert!(
            notification
                .encode()
                .unwrap_err()
                .to_string()
                .contains("101")
        );
    }
}
