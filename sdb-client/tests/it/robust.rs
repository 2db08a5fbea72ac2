//! SimpleDB on a bad day: what the client makes of it.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use emulator::{Emulator, Fault, Gate, Rule};
use sdb_client::request::RetryConfig;
use sdb_client::{Domain, Expected};

use crate::common::{builder, domain, emulator};

fn quick() -> RetryConfig {
    RetryConfig::new().random(|| 0.0)
}

async fn users() -> (Emulator, Domain) {
    let service = emulator().await;
    domain(&service).await;
    let client = builder(&service).retry(quick()).build().unwrap();
    (service, client.domain("users"))
}

#[tokio::test]
async fn the_clock_of_the_server_is_followed_both_ways() {
    for ahead in [7200, -7200] {
        let (service, users) = users().await;
        service.faults().set_clock_ahead(ahead);
        users.put("u1").replace("name", "Ann").await.unwrap();
        let before = service.stats().requests;
        let found = users.get("u1").consistent(true).await.unwrap();
        assert_eq!(found.item.first("name"), Some("Ann"));
        // It is learnt once.
        assert_eq!(service.stats().requests, before + 1);
    }
}

#[tokio::test]
async fn what_did_not_run_is_tried_again_and_what_may_have_run_is_not() {
    let (service, users) = users().await;
    let faults = service.faults();
    for fault in [
        Fault::slow_down().retry_after("0"),
        Fault::error(500, "InternalError"),
        Fault::reset_before(),
        Fault::garbage("what"),
    ] {
        let hits = faults.add(Rule::new(fault.clone()).domain("users").times(1));
        users.put("u1").replace("name", "Ann").await.unwrap();
        assert_eq!(hits.count(), 1, "{fault:?}");
    }
    let condition = || Expected::equals("name", "Ann");
    for fault in [Fault::slow_down(), Fault::reset_after()] {
        faults.add(Rule::new(fault).operation("PutAttributes").times(1));
        let put = users.put("u1").replace("name", "Ann").expect(condition());
        let error = put.await.unwrap_err();
        assert!(
            error.may_have_been_sent() && error.attempts() == 1,
            "{error}"
        );
    }
}

#[tokio::test]
async fn a_request_may_have_its_own_time_and_retries_and_is_seen() {
    let (service, users) = users().await;
    let seen = Arc::new(Mutex::new(Vec::new()));
    let lines = seen.clone();
    let client = builder(&service).retry(quick()).on_attempt(move |event| {
        let start = &event.start;
        lines.lock().unwrap().push(format!(
            "{} {} {:?} {:?} {} {:?} {:?} {}",
            start.service,
            start.operation,
            start.resource,
            start.key,
            start.number,
            event.status,
            event.error.and_then(|error| error.code()),
            event.request_id.is_some(),
        ));
    });
    let watched = client.build().unwrap().domain(users.name());
    let gate = Gate::new();
    service
        .faults()
        .add(Rule::new(Fault::hold(&gate)).key("held"));
    let late = watched.get("held").timeout(Duration::from_millis(30)).await;
    assert!(late.unwrap_err().is_timeout());
    gate.open();
    let busy = Rule::new(Fault::slow_down())
        .operation("GetAttributes")
        .key("busy");
    service.faults().add(busy);
    let once = watched.get("busy").retry(RetryConfig::none()).await;
    assert_eq!(once.unwrap_err().attempts(), 1);
    watched.get("u1").await.unwrap();
    assert_eq!(
        *seen.lock().unwrap(),
        [
            "SimpleDB GetAttributes Some(\"users\") Some(\"held\") 1 None None false",
            "SimpleDB GetAttributes Some(\"users\") Some(\"busy\") 1 Some(503) Some(\"ServiceUnavailable\") true",
            "SimpleDB GetAttributes Some(\"users\") Some(\"u1\") 1 Some(200) None true",
        ]
    );
}
