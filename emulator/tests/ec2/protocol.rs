//! DescribeInstances: what it takes, what it refuses, and what it does wrong when it is told to.

use std::time::Duration;

use emulator::{Ec2Options, Emulator, Fault, Rule, Service};

use crate::bench::Signer;
use crate::wire::{Reply, Wire};

struct Ec2 {
    emulator: Emulator,
    signer: Signer,
    wire: Wire,
}

impl Ec2 {
    async fn start(options: Ec2Options, ids: &[&str]) -> Self {
        let builder = Emulator::builder()
            .skew(Duration::from_secs(300))
            .ec2(options);
        let emulator = builder.start().await.unwrap();
        for id in ids {
            emulator
                .ec2()
                .put(&format!("{{\"InstanceId\": \"{id}\"}}"))
                .unwrap();
        }
        Self {
            signer: Signer::new(&emulator),
            wire: Wire::open(emulator.addr()).await,
            emulator,
        }
    }

    async fn call(&mut self, params: &[(&str, &str)]) -> Reply {
        let usual = [("Action", "DescribeInstances"), ("Version", "2016-11-15")];
        let usual = usual
            .iter()
            .filter(|(name, _)| params.iter().all(|(other, _)| other != name));
        let all: Vec<_> = usual.chain(params).copied().collect();
        self.wire.call(&self.signer.request(&all)).await
    }

    async fn ids(&mut self, params: &[(&str, &str)]) -> Vec<String> {
        let reply = self.call(params).await;
        assert_eq!(reply.status, 200, "{}", reply.text());
        let mut ids: Vec<_> = reply
            .all("instanceId")
            .into_iter()
            .map(str::to_owned)
            .collect();
        ids.sort_unstable();
        ids
    }
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_by_its_code() {
    let mut ec2 = Ec2::start(Ec2Options::default(), &["i-1"]).await;
    for (params, expected) in [
        (&[("Action", "RunInstances")][..], (400, "InvalidAction")),
        (
            &[("Version", "2017-01-01"), ("Action", "DescribeInstances")],
            (400, "NoSuchVersion"),
        ),
        (
            &[("Filter.1.Name", "what"), ("Filter.1.Value.1", "x")],
            (400, "InvalidParameterValue"),
        ),
        (&[("MaxResults", "1001")], (400, "InvalidParameterValue")),
        (
            &[("MaxResults", "5"), ("InstanceId.1", "i-1")],
            (400, "InvalidParameterCombination"),
        ),
        (
            &[("InstanceId.1", "i-2")],
            (400, "InvalidInstanceID.NotFound"),
        ),
        (&[("NextToken", "x")], (400, "InvalidParameterValue")),
        (&[("DryRun", "true")], (412, "DryRunOperation")),
    ] {
        let reply = ec2.call(params).await;
        assert_eq!(reply.error(), expected, "{params:?}");
        assert_eq!(reply.all("RequestID").len(), 1);
    }
    // Versions of old have the same form.
    assert_eq!(ec2.ids(&[("Version", "2008-12-01")]).await, ["i-1"]);
}

#[tokio::test]
async fn whoever_may_not_sign_is_refused() {
    let mut ec2 = Ec2::start(Ec2Options::default(), &["i-1"]).await;
    let right = ec2.signer.clone();
    let signers = [
        (
            Signer {
                secret: "wrong".into(),
                ..right.clone()
            },
            (403, "SignatureDoesNotMatch"),
        ),
        (
            Signer {
                access_key: "NOBODY".into(),
                ..right.clone()
            },
            (401, "AuthFailure"),
        ),
        (
            Signer {
                drift: 600,
                ..right.clone()
            },
            (400, "RequestExpired"),
        ),
        (
            Signer {
                drift: -600,
                ..right.clone()
            },
            (400, "RequestExpired"),
        ),
        (
            Signer {
                signed_host: "other".into(),
                ..right.clone()
            },
            (403, "SignatureDoesNotMatch"),
        ),
    ];
    for (signer, expected) in signers {
        ec2.signer = signer;
        assert_eq!(ec2.call(&[]).await.error(), expected);
    }
    for signer in [
        Signer {
            sha1: true,
            ..right.clone()
        },
        Signer {
            method: "GET",
            ..right.clone()
        },
        Signer {
            drift: 200,
            ..right.clone()
        },
    ] {
        ec2.signer = signer;
        assert_eq!(ec2.ids(&[]).await, ["i-1"]);
    }
    let unsigned = "GET /?Action=DescribeInstances&Version=2016-11-15 HTTP/1.1\r\nhost: x\r\n\r\n";
    let reply = ec2.wire.call(unsigned.as_bytes()).await;
    assert_eq!(reply.error(), (403, "MissingAuthenticationToken"));
    let stats = ec2.emulator.stats();
    assert_eq!(
        (stats.refused, stats.ec2_requests, stats.sdb_requests),
        (6, 9, 0)
    );
}

#[tokio::test]
async fn a_newer_region_refuses_version_2() {
    let mut ec2 = Ec2::start(Ec2Options::default().refuse_v2(true), &["i-1"]).await;
    assert_eq!(ec2.call(&[]).await.error(), (401, "AuthFailure"));
}

#[tokio::test]
async fn the_limits_are_those_of_the_account() {
    let mut ec2 = Ec2::start(Ec2Options::default().throttle(true), &["i-1"]).await;
    for (params, most) in [(&[("MaxResults", "5")][..], 100), (&[], 50)] {
        let (mut served, mut refused) = (0, 0);
        while refused == 0 {
            let reply = ec2.call(params).await;
            match reply.status {
                200 => served += 1,
                _ => {
                    assert_eq!(reply.error(), (503, "RequestLimitExceeded"));
                    refused += 1;
                }
            }
        }
        // Some have come back meanwhile.
        assert!((most..most * 20).contains(&served), "{params:?}: {served}");
    }
}

#[tokio::test]
async fn answers_can_be_stale_partial_and_refused_by_rule() {
    let mut ec2 = Ec2::start(Ec2Options::default(), &["i-1", "i-2", "i-3"]).await;
    let faults = ec2.emulator.faults();
    faults.add(Rule::script([
        Fault::stale(1),
        Fault::lacking(["i-1", "i-3"]),
        Fault::slow_down(),
        Fault::none(),
    ]));
    assert_eq!(ec2.ids(&[]).await, ["i-1", "i-2"]);
    assert_eq!(ec2.ids(&[]).await, ["i-2"]);
    assert_eq!(ec2.call(&[]).await.error(), (503, "RequestLimitExceeded"));
    assert_eq!(ec2.ids(&[]).await, ["i-1", "i-2", "i-3"]);
    let seen = &faults.injected()[0].seen;
    assert_eq!(
        (seen.service, &*seen.operation),
        (Service::Ec2, "DescribeInstances")
    );
}

#[tokio::test]
async fn simpledb_and_s3_are_where_they_were() {
    let mut ec2 = Ec2::start(Ec2Options::default(), &["i-1"]).await;
    let sdb = [("Action", "ListDomains"), ("Version", "2009-04-15")];
    assert_eq!(ec2.call(&sdb).await.status, 200);
    let list = "GET / HTTP/1.1\r\nhost: x\r\n\r\n";
    assert_eq!(ec2.wire.call(list.as_bytes()).await.status, 403);
    let stats = ec2.emulator.stats();
    assert_eq!(
        (stats.sdb_requests, stats.s3_requests, stats.ec2_requests),
        (1, 1, 0)
    );
}

#[tokio::test]
async fn a_file_of_instances_is_read_again_when_it_changes() {
    let path = std::env::temp_dir().join(format!("emulator-ec2-{}.json", std::process::id()));
    let write = |text: &str| std::fs::write(&path, text).unwrap();
    write(r#"{"Reservations": [{"Instances": [{"InstanceId": "i-1"}, {"InstanceId": "i-2"}]}]}"#);
    let mut ec2 = Ec2::start(Ec2Options::default().file(&path), &[]).await;
    assert_eq!(ec2.ids(&[]).await, ["i-1", "i-2"]);
    write(r#"[{"InstanceId": "i-3"}]"#);
    assert_eq!(ec2.ids(&[]).await, ["i-3"]);
    // Two changes within one tick of the file system's clock, of one length.
    for id in ["i-4", "i-5", "i-6", "i-7"] {
        write(&format!(r#"[{{"InstanceId": "{id}"}}]"#));
        assert_eq!(ec2.ids(&[]).await, [id]);
    }
    write("[{");
    assert_eq!(ec2.ids(&[]).await, ["i-7"], "half written");
    std::fs::remove_file(&path).unwrap();
    assert_eq!(ec2.ids(&[]).await, ["i-7"]);
    // Reading it again is no change to go back by.
    write(r#"[{"InstanceId": "i-7"}]"#);
    assert_eq!(ec2.ids(&[]).await, ["i-7"]);
    ec2.emulator
        .faults()
        .add(Rule::new(Fault::stale(1)).times(1));
    assert_eq!(ec2.ids(&[]).await, ["i-6"]);
    std::fs::remove_file(&path).unwrap();
    let missing = Emulator::builder().ec2(Ec2Options::default().file(&path));
    let error = missing.start().await.unwrap_err();
    assert!(error.to_string().contains("emulator-ec2-"), "{error}");
}
