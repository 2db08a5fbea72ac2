//! What a tracing subscriber hears of a day's work, at the lowest level: no secret, no signature, no token. A process of
//! its own, as other tests that log at the same time would decide for all what is listened to.
#![allow(clippy::unwrap_used)]

use std::fmt::{Debug, Write};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ec2_client::credentials::Instance;
use ec2_client::peers::LikeMe;
use ec2_client::{Credentials, Ec2Client, Metadata, Signature};
use emulator::{Emulator, Fault, Rule};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Subscriber};

const SECRET: &str = "hidden/secret+key";
const TOKEN: &str = "hidden/session+token";

/// Writes down the fields of all spans and events.
#[derive(Clone, Default)]
struct Notes(Arc<Mutex<String>>);

impl Visit for Notes {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        writeln!(self.0.lock().unwrap(), "{} = {value:?}", field.name()).unwrap();
    }
}

impl Subscriber for Notes {
    fn enabled(&self, _: &tracing::Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        span.record(&mut self.clone());
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, values: &Record<'_>) {
        values.record(&mut self.clone());
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        event.record(&mut self.clone());
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

#[tokio::test]
async fn no_log_line_shows_a_secret() {
    let notes = Notes::default();
    let _guard = tracing::subscriber::set_default(notes.clone());
    let service = Emulator::builder().user_with_token("AK", SECRET, TOKEN);
    let service = service.start().await.unwrap();
    service
        .ec2()
        .put(r#"{"InstanceId": "i-1", "IamInstanceProfile": {"Arn": "arn:aws:iam::1:instance-profile/p"}}"#)
        .unwrap();
    let keys = Credentials::new("AK", SECRET).with_token(TOKEN);
    let mut shown = String::new();
    for signature in [Signature::V4, Signature::V2] {
        let builder = || {
            Ec2Client::builder()
                .endpoint(service.url())
                .signature(signature)
        };
        let fixed = builder().credentials(keys.clone()).build().unwrap();
        let role = Instance::new().endpoint(service.url());
        let role = builder().credentials(role).build().unwrap();
        for ec2 in [fixed, role] {
            let peers = || {
                let peers = ec2.peers().metadata(Metadata::at(service.url()));
                peers.like_me(LikeMe::SecurityGroups)
            };
            assert_eq!(peers().once().await.unwrap().len(), 1);
            for fault in [
                Fault::slow_down(),
                Fault::cut(9),
                Fault::reset_after(),
                Fault::expired_token(),
            ] {
                let hits = service
                    .faults()
                    .add(Rule::new(fault).operation("DescribeInstances"));
                let mut watch = peers().every(Duration::from_secs(1)).watch();
                let event = watch.next().await;
                write!(shown, "{event:?} {watch:?} {:?} {ec2:?}", peers()).unwrap();
                assert!(hits.count() > 0);
                service.faults().clear();
            }
        }
    }
    shown.push_str(&notes.0.lock().unwrap());
    assert!(
        shown.contains("DescribeInstances"),
        "something is heard: {shown}"
    );
    for secret in [SECRET, TOKEN, "hidden", "Signature=", "AQAE"] {
        assert!(!shown.contains(secret), "{secret}: {shown}");
    }
}
