use aws_core::Result;

use super::{Root, check_count};

document! {
    /// Who is [told](https://docs.aws.amazon.com/AmazonS3/latest/userguide/EventNotifications.html) what happens in a
    /// bucket.
    pub struct Notification {
        /// Topics of SNS.
        all topics + topic: TopicTarget = "TopicConfiguration",
        /// Queues of SQS.
        all queues + queue: QueueTarget = "QueueConfiguration",
        /// Functions of Lambda.
        all functions + function: FunctionTarget = "CloudFunctionConfiguration",
        /// Whether EventBridge is.
        opt event_bridge: EventBridge = "EventBridgeConfiguration",
    }

    /// A topic that is told.
    pub struct TopicTarget {
        /// A name; the store makes one up where there is none.
        opt id: String = "Id",
        /// The ARN of the topic.
        must topic: String = "Topic",
        /// Of what, for example `s3:ObjectCreated:*`.
        all events + event: String = "Event",
        /// Of which objects. Defaults to all.
        opt filter: NotificationFilter = "Filter",
    }

    /// A queue that is told.
    pub struct QueueTarget {
        /// A name; the store makes one up where there is none.
        opt id: String = "Id",
        /// The ARN of the queue.
        must queue: String = "Queue",
        /// Of what, for example `s3:ObjectCreated:*`.
        all events + event: String = "Event",
        /// Of which objects. Defaults to all.
        opt filter: NotificationFilter = "Filter",
    }

    /// A function that is called.
    pub struct FunctionTarget {
        /// A name; the store makes one up where there is none.
        opt id: String = "Id",
        /// The ARN of the function.
        must function: String = "CloudFunction",
        /// For what, for example `s3:ObjectCreated:*`.
        all events + event: String = "Event",
        /// For which objects. Defaults to all.
        opt filter: NotificationFilter = "Filter",
    }

    /// Which objects are told of.
    pub struct NotificationFilter {
        /// By their keys.
        opt key: KeyFilter = "S3Key",
    }

    /// Which keys.
    pub struct KeyFilter {
        /// All of these hold.
        all rules + rule: FilterRule = "FilterRule",
    }

    /// One condition on a key.
    pub struct FilterRule {
        /// `prefix` or `suffix`.
        must name: String = "Name",
        /// What it is.
        must value: String = "Value",
    }

    /// EventBridge is told.
    pub struct EventBridge {}
}

impl Root for Notification {
    const ROOT: &'static str = "NotificationConfiguration";

    fn check(&self) -> Result<()> {
        let targets = self.topics.len() + self.queues.len() + self.functions.len();
        check_count("targets of notifications", targets, 100)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::testing::{reads, round_trips};

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
