//! The log of rooms.

use std::time::Duration;

use cloud_stores::muc_log::{LogEvent, MucLog};
use cloud_stores::{BareJid, Kind};
use emulator::{Fault, Gate, Rule};

use crate::kit::World;

const DAY: u64 = 86_400_000_000;

fn room() -> BareJid {
    BareJid::new("tea room", "conference.example.com").unwrap()
}

fn say(log: &MucLog, at: u64, text: &str) {
    let event = LogEvent::Message {
        nick: "ann".to_owned(),
        text: text.to_owned(),
    };
    log.add(&room(), at, &event).unwrap();
}

fn key(file: &str) -> String {
    format!("it/muc-log/conference.example.com/tea%20room/{file}")
}

async fn page(world: &World, file: &str) -> String {
    let (bucket, _) = world.clients();
    let object = bucket.get(key(file)).await.unwrap();
    assert_eq!(object.head.content_type(), Some("text/html; charset=utf-8"));
    String::from_utf8(object.body.bytes(8 << 20).await.unwrap().to_vec()).unwrap()
}

/// The places of these texts on a page, each of which is there once.
fn places(page: &str, texts: &[&str]) -> Vec<usize> {
    let place = |text: &&str| {
        let text = format!("<bdi>{text}</bdi></p>");
        assert_eq!(page.matches(&text).count(), 1, "{text}");
        page.find(&text).unwrap()
    };
    texts.iter().map(place).collect()
}

#[tokio::test]
async fn what_is_said_is_on_the_page_of_its_day() {
    let world = World::start().await;
    let log = world.stores.muc_log();
    say(&log, 1, "one");
    say(&log, 2, "two");
    say(&log, DAY, "next day");
    assert_eq!(log.waiting_entries(), 3);
    let (flushed, mut requests) = world.requests(log.flush()).await;
    flushed.unwrap();
    requests.sort();
    assert_eq!(
        requests,
        ["GetObject", "GetObject", "PutObject", "PutObject"]
    );
    assert_eq!(log.waiting_entries(), 0);
    say(&log, 3, "three");
    log.flush().await.unwrap();
    assert!(
        places(
            &page(&world, "1970/01/01.html").await,
            &["one", "two", "three"]
        )
        .is_sorted()
    );
    places(&page(&world, "1970/01/02.html").await, &["next day"]);
    let (_, requests) = world.requests(log.flush()).await;
    assert!(requests.is_empty());
}

#[tokio::test]
async fn two_nodes_that_write_a_page_at_once_lose_nothing() {
    let world = World::start().await;
    let other = world.another(|builder| builder).await.muc_log();
    let log = world.stores.muc_log();
    let texts: Vec<String> = (0..20).map(|n| format!("text {n}")).collect();
    for (n, text) in texts.iter().enumerate() {
        say(if n % 2 == 0 { &log } else { &other }, n as u64, text);
        if n % 4 == 3 {
            let (one, two) = tokio::join!(log.flush(), other.flush());
            one.and(two).unwrap();
        }
    }
    let page = page(&world, "1970/01/01.html").await;
    for parity in [0, 1] {
        let texts: Vec<&str> = texts
            .iter()
            .enumerate()
            .filter(|(n, _)| n % 2 == parity)
            .map(|(_, text)| &**text)
            .collect();
        assert!(places(&page, &texts).is_sorted());
    }
}

#[tokio::test]
async fn lost_answers_write_nothing_twice_and_an_outage_loses_nothing() {
    let world = World::start().await;
    let log = world.stores.muc_log();
    for (n, lose) in [World::lose as fn(&World, &str) -> _, World::swallow]
        .iter()
        .cycle()
        .take(6)
        .enumerate()
    {
        say(&log, n as u64, &format!("text {n}"));
        let lost = lose(&world, "PutObject");
        log.flush().await.unwrap();
        assert_eq!(lost.count(), 1);
    }
    world.outage();
    say(&log, 6, "text 6");
    assert_eq!(log.flush().await.unwrap_err().kind(), Kind::Unavailable);
    say(&log, 7, "text 7");
    assert_eq!(log.waiting_entries(), 2);
    world.calm();
    // Done, and what became of it cannot be found out at first.
    world.faults().add(
        Rule::new(Fault::reset_after())
            .operation("PutObject")
            .times(1),
    );
    world.faults().add(
        Rule::new(Fault::error(403, "AccessDenied"))
            .operation("GetObject")
            .skip(1)
            .times(1),
    );
    assert_eq!(log.flush().await.unwrap_err().kind(), Kind::Unavailable);
    say(&log, 8, "text 8");
    world.calm();
    log.flush().await.unwrap();
    log.flush().await.unwrap();
    let texts: Vec<String> = (0..9).map(|n| format!("text {n}")).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    assert!(places(&page(&world, "1970/01/01.html").await, &texts).is_sorted());
}

#[tokio::test]
async fn a_page_that_is_full_goes_on_as_another() {
    let world = World::start().await;
    let log = world.stores.muc_log();
    for round in 0..5 {
        for n in 0..10 {
            say(&log, round, &format!("{round}-{n} {}", "x".repeat(15_000)));
        }
        log.flush().await.unwrap();
    }
    let first = page(&world, "1970/01/01.html").await;
    assert!(
        first.contains("href=\"01-2.html\"")
            && first.contains("<bdi>0-0 ")
            && !first.contains("<bdi>4-0 ")
    );
    let last = page(&world, "1970/01/01-3.html").await;
    assert!(last.contains("href=\"01-2.html\"") && last.contains("<bdi>4-9 "));
    // Who does not know goes from page to page.
    let other = world.another(|builder| builder).await.muc_log();
    say(&other, 5, "five");
    let (_, requests) = world.requests(other.flush()).await;
    assert_eq!(
        requests,
        ["GetObject", "GetObject", "GetObject", "PutObject"]
    );
    places(&page(&world, "1970/01/01-3.html").await, &["five"]);
    say(&log, 6, "six");
    let (_, requests) = world.requests(log.flush()).await;
    assert_eq!(requests, ["GetObject", "PutObject"]);
    assert_eq!(world.left().await.len(), 3);
}

#[tokio::test]
async fn what_has_waited_for_long_goes_on_as_many_pages_as_it_takes() {
    let world = World::start().await;
    let log = world.stores.muc_log();
    let texts: Vec<String> = (0..400)
        .map(|n| format!("{n} {}", "x".repeat(15_000)))
        .collect();
    for (n, text) in texts.iter().enumerate() {
        say(&log, n as u64, text);
    }
    log.flush().await.unwrap();
    let mut seen = Vec::new();
    for number in 1..=world.left().await.len() {
        let file = match number {
            1 => "1970/01/01.html".to_owned(),
            number => format!("1970/01/01-{number}.html"),
        };
        let page = page(&world, &file).await;
        assert!(page.len() < 1 << 20);
        let said = page.split("</b> <bdi>").skip(1);
        seen.extend(said.map(|text| text.split("</bdi>").next().unwrap().to_owned()));
    }
    assert!(seen == texts);
}

#[tokio::test]
async fn pages_are_public_only_if_that_is_said() {
    let world = World::start().await;
    let anonymous = s3_client::S3Client::builder()
        .endpoint(world.emulator.url())
        .anonymous();
    let bucket = anonymous.build().unwrap().bucket(crate::kit::BUCKET);
    let outside = async |file: &str| bucket.get(key(file)).await.is_ok();
    let log = world.stores.muc_log();
    say(&log, 1, "one");
    log.flush().await.unwrap();
    assert!(!outside("1970/01/01.html").await);
    let log = log.public(true);
    say(&log, DAY, "two");
    log.flush().await.unwrap();
    assert!(outside("1970/01/02.html").await);
    assert!(!outside("1970/01/01.html").await);
}

#[tokio::test]
async fn something_else_at_its_place_is_left_alone() {
    let world = World::start().await;
    let log = world.stores.muc_log();
    let (bucket, _) = world.clients();
    bucket
        .put(key("1970/01/01.html"), "something else")
        .await
        .unwrap();
    say(&log, 1, "one");
    let error = log.flush().await.unwrap_err();
    assert_eq!(
        (error.kind(), error.about()),
        (Kind::Invalid, "log of tea room@conference.example.com")
    );
    assert_eq!(log.waiting_entries(), 1);
    let there = bucket
        .get(key("1970/01/01.html"))
        .await
        .unwrap()
        .body
        .bytes(100)
        .await
        .unwrap();
    assert_eq!(there, "something else");
}

#[tokio::test]
async fn what_waits_is_written_again_and_again() {
    let world = World::start().await;
    let log = world.stores.muc_log();
    let mut texts = Vec::new();
    let said = async {
        for n in 0..3 {
            texts.push(format!("text {n}"));
            say(&log, n, &texts[texts.len() - 1]);
            while log.waiting_entries() > 0 {
                tokio::task::yield_now().await;
            }
        }
        // What was taken is written once this has its turn.
        log.flush().await.unwrap();
    };
    tokio::select! {
        () = log.run(Duration::from_millis(1)) => panic!("it ended"),
        () = said => {}
    }
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    assert!(places(&page(&world, "1970/01/01.html").await, &texts).is_sorted());
}

#[tokio::test]
async fn a_flush_that_is_given_up_loses_nothing() {
    let world = World::start().await;
    let log = world.stores.muc_log();
    let gate = Gate::new();
    for (n, operation) in ["GetObject", "PutObject"].into_iter().enumerate() {
        say(&log, n as u64, &format!("text {n}"));
        let held = world
            .faults()
            .add(Rule::new(Fault::hold(&gate)).operation(operation));
        tokio::select! {
            _ = log.flush() => panic!("it was done"),
            () = async {
                while held.count() == 0 {
                    tokio::task::yield_now().await;
                }
            } => {}
        }
        assert_eq!(log.waiting_entries(), n + 1);
        world.calm();
    }
    gate.open();
    log.flush().await.unwrap();
    let page = page(&world, "1970/01/01.html").await;
    assert!(places(&page, &["text 0", "text 1"]).is_sorted());
}
