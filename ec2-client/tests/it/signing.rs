//! Both signatures, as the emulator checks them, with what is added to a request.

use std::time::{Duration, SystemTime};

use ec2_client::event::{AttemptStart, Fields, Middleware};
use ec2_client::{Credentials, Signature};
use emulator::Emulator;

use crate::instances::builder;

/// Adds a field to each request.
#[derive(Debug)]
struct Added;

impl Middleware for Added {
    fn before(&self, _: &AttemptStart<'_>, fields: &mut Fields<'_>) {
        fields.set("x-amz-meta-who", "a   b");
    }
}

#[tokio::test]
async fn both_versions_are_right() {
    for signature in [Signature::V4, Signature::V2] {
        let service = Emulator::builder().user_with_token("AK", "secret/+ &", "to/ken+");
        let service = service.start().await.unwrap();
        service
            .ec2()
            .put(r#"{"InstanceId": "i-1", "Tags": {"a ~/+é": "b&=*"}}"#)
            .unwrap();
        let keys = Credentials::new("AK", "secret/+ &").with_token("to/ken+");
        let ec2 = builder(&service).credentials(keys).signature(signature);
        let ec2 = ec2.middleware(Added).region("eu-west-1").build().unwrap();
        let page = ec2.instances().tag("a ~/+\u{e9}", "b&=*").await;
        assert_eq!(page.unwrap().instances.len(), 1, "{signature:?}");
        assert_eq!(service.stats().refused, 0);
    }
}

#[tokio::test]
async fn each_attempt_is_signed_anew() {
    let service = Emulator::start().await.unwrap();
    let clock = ec2_client::Clock::from_fn(|| SystemTime::now() + Duration::from_secs(7200));
    let ec2 = builder(&service).clock(clock.clone()).build().unwrap();
    assert!(ec2.instances().await.is_ok());
    assert!(clock.offset_ms() < -7_000_000);
}
