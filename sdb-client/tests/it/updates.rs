//! Changes of items that others change too, with answers that are lost.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use sdb_client::ordered::{decode, encode};
use sdb_client::request::RetryConfig;
use sdb_client::{Code, Domain, Error, Item, Kind, PutItem, SdbClient};
use tokio::task::JoinSet;

use crate::common::{Act, Script, builder, domain, emulator, error};

fn plus_one(item: &Item, put: PutItem) -> Result<Option<PutItem>, Error> {
    let n: u64 = item.first("n").map_or(Ok(0), decode)?;
    Ok(Some(put.replace("n", encode(&(n + 1))?)))
}

async fn n(users: &Domain) -> u64 {
    let item = users.get("u").consistent(true).await.unwrap().item;
    item.first("n").map_or(0, |text| decode(text).unwrap())
}

fn client(service: &emulator::Emulator, script: &Script) -> SdbClient {
    builder(service)
        .transport(script.clone())
        .retry(RetryConfig::new().random(|| 0.0))
        .build()
        .unwrap()
}

#[tokio::test]
async fn many_writers_lose_nothing() {
    let service = emulator().await;
    let users = domain(&service).await;
    let mut tasks = JoinSet::new();
    for _ in 0..8 {
        let users = users.clone();
        tasks.spawn(async move {
            for _ in 0..5 {
                let update = users.update("u", plus_one).rounds(1000);
                let updated = update.await.unwrap();
                assert!(updated.written && updated.usage.requests >= 2);
            }
        });
    }
    tasks.join_all().await;
    assert_eq!(n(&users).await, 40);
    let item = users.get("u").consistent(true).await.unwrap().item;
    assert!(
        item.first("version")
            .unwrap()
            .starts_with("00000000000000000040-")
    );

    let nothing = users.update("u", |_, _| Ok(None)).await.unwrap();
    assert!(!nothing.written && nothing.rounds == 1);
    assert_eq!(nothing.before, item);
}

/// A way that acts on conditional puts by their number, from 0, and lets all else pass.
fn on_puts(act: impl Fn(usize) -> Act + Send + Sync + 'static) -> Script {
    let puts = AtomicUsize::new(0);
    Script::new(move |form| match form.contains("Action=PutAttributes") {
        true => act(puts.fetch_add(1, Ordering::Relaxed)),
        false => Act::Pass,
    })
}

#[tokio::test]
async fn a_write_whose_answer_was_lost_is_no_conflict() {
    let service = emulator().await;
    let users = domain(&service).await;
    // The first time there is no version yet, the second time there is.
    for times in 1..=2 {
        let script = on_puts(|put| if put == 0 { Act::LoseAnswer } else { Act::Pass });
        let mine = client(&service, &script).domain("users");
        let updated = mine.update("u", plus_one).await.unwrap();
        assert!(updated.written && updated.rounds == 1);
        assert_eq!((n(&users).await, script.count("PutAttributes")), (times, 1));
    }
}

#[tokio::test]
async fn a_write_that_was_lost_is_sent_again_and_takes_effect_once() {
    let service = emulator().await;
    let users = domain(&service).await;
    for times in 1..=2 {
        let script = on_puts(|put| match put {
            0 => Act::LoseRequest,
            1 => error(503, "ServiceUnavailable"),
            2 => Act::LoseAnswer,
            _ => Act::Pass,
        });
        let mine = client(&service, &script).domain("users");
        let updated = mine.update("u", plus_one).await.unwrap();
        assert!(updated.written && updated.rounds == 1);
        assert_eq!((n(&users).await, script.count("PutAttributes")), (times, 3));
    }
}

#[tokio::test]
async fn a_write_that_arrives_late_is_recognised() {
    let service = emulator().await;
    let users = domain(&service).await;
    users.update("u", plus_one).await.unwrap();
    // The first is lost to us and arrives when the second is sent, which is refused then.
    let held: Mutex<Option<String>> = Mutex::new(None);
    let direct = pipeline_pool::HttpPool::builder().build();
    let origin = pipeline_pool::Origin::parse(&service.url()).unwrap();
    let puts = AtomicUsize::new(0);
    let script = Script::new(move |form| {
        if !form.contains("Action=PutAttributes") {
            return Act::Pass;
        }
        if puts.fetch_add(1, Ordering::Relaxed) == 0 {
            *held.lock().unwrap() = Some(form.to_owned());
            return Act::LoseRequest;
        }
        let (late, direct, origin) = (held.lock().unwrap().take(), direct.clone(), origin.clone());
        let arrive = async move {
            let mut request =
                pipeline_pool::Request::new(pipeline_pool::Method::Post, &origin, "/").unwrap();
            let kind = "application/x-www-form-urlencoded; charset=utf-8";
            request.header("content-type", kind).unwrap();
            request.body(late.unwrap());
            assert_eq!(direct.send(&origin, request).await.unwrap().status(), 200);
        };
        Act::After(Box::pin(arrive), Box::new(Act::Pass))
    });
    let mine = client(&service, &script).domain("users");
    let updated = mine.update("u", plus_one).await.unwrap();
    assert!(updated.written && updated.rounds == 1);
    assert_eq!((n(&users).await, script.count("PutAttributes")), (2, 2));
}

/// Lets others write after our own write, whose answer is lost: so many of them.
async fn followed_by(others: u32, ours_arrives: bool) -> (Result<u32, Error>, u64) {
    let service = emulator().await;
    let users = domain(&service).await;
    users.update("u", plus_one).await.unwrap();
    let theirs = users.clone();
    let gets = AtomicUsize::new(0);
    let script = Script::new(move |form| {
        if form.contains("Action=PutAttributes") {
            return match (ours_arrives, gets.load(Ordering::Relaxed)) {
                (true, 1) => Act::LoseAnswer,
                (false, 1) => Act::LoseRequest,
                _ => Act::Pass,
            };
        }
        if gets.fetch_add(1, Ordering::Relaxed) != 1 {
            return Act::Pass;
        }
        let theirs = theirs.clone();
        let write = async move {
            for _ in 0..others {
                theirs.update("u", plus_one).await.unwrap();
            }
        };
        Act::After(Box::pin(write), Box::new(Act::Pass))
    });
    let mine = client(&service, &script).domain("users");
    let outcome = mine
        .update("u", plus_one)
        .await
        .map(|updated| updated.rounds);
    (outcome, n(&users).await)
}

#[tokio::test]
async fn others_that_follow_do_not_hide_what_happened() {
    for others in 1..=3 {
        let (outcome, n) = followed_by(others, true).await;
        assert_eq!((outcome.unwrap(), n), (1, 2 + u64::from(others)));
        // Ours did not arrive: it is a conflict, and it is changed anew.
        let (outcome, n) = followed_by(others, false).await;
        assert_eq!((outcome.unwrap(), n), (2, 2 + u64::from(others)));
    }
    // More than the marks tell of: then the lost answer is what is reported.
    for arrives in [true, false] {
        let (outcome, n) = followed_by(5, arrives).await;
        let error = outcome.unwrap_err();
        assert!(
            error.may_have_been_sent() && !error.is_condition_failed(),
            "{error}"
        );
        assert_eq!(error.kind(), Kind::Closed);
        assert_eq!(n, 6 + u64::from(arrives));
    }
}

#[tokio::test]
async fn what_cannot_succeed_ends() {
    let service = emulator().await;
    let users = domain(&service).await;
    // Somebody is always quicker.
    let other = users.clone();
    let script = Script::new(move |form| {
        if !form.contains("Action=PutAttributes") {
            return Act::Pass;
        }
        let other = other.clone();
        let write = async move { drop(other.update("u", plus_one).await.unwrap()) };
        Act::After(Box::pin(write), Box::new(Act::Pass))
    });
    let mine = client(&service, &script).domain("users");
    let late = mine.update("u", plus_one).rounds(3).await.unwrap_err();
    assert_eq!(Code::of(&late), Some(Code::ConditionalCheckFailed));
    assert_eq!((n(&users).await, script.count("PutAttributes")), (3, 3));

    let none = users.update("u", plus_one).rounds(0).await.unwrap_err();
    assert_eq!(none.kind(), Kind::Invalid);

    // It never arrives.
    let script = on_puts(|_| Act::LoseRequest);
    let mine = client(&service, &script).domain("users");
    let error = mine.update("u", plus_one).rounds(2).await.unwrap_err();
    assert_eq!(
        (error.kind(), script.count("PutAttributes")),
        (Kind::Closed, 2)
    );
    // It was surely not sent: the client itself has tried that again.
    let script = on_puts(|_| Act::Refuse);
    let mine = client(&service, &script).domain("users");
    let error = mine.update("u", plus_one).await.unwrap_err();
    assert!(error.kind() == Kind::Connect && !error.may_have_been_sent());

    let error = users
        .update("u", |_, put| Ok(Some(put.replace("version", "1"))))
        .await;
    assert_eq!(error.unwrap_err().kind(), Kind::Invalid);
    let error = users
        .update("u", |_, _| Ok(Some(PutItem::new("v").add("a", "b"))))
        .await;
    assert_eq!(error.unwrap_err().kind(), Kind::Invalid);
    let error = users.update("u", |_, _| Err(Error::invalid("mine"))).await;
    assert_eq!(error.unwrap_err().to_string(), "mine");
    users
        .put("w")
        .add("version", "1")
        .add("version", "2")
        .await
        .unwrap();
    let error = users.update("w", plus_one).await.unwrap_err();
    assert!(error.to_string().contains("many values"), "{error}");
}

#[tokio::test]
async fn a_version_of_another_form_is_taken_over() {
    let service = emulator().await;
    let users = domain(&service).await;
    users.put("u").replace("v", "3").await.unwrap();
    users.update("u", plus_one).version("v").await.unwrap();
    users.update("u", plus_one).version("v").await.unwrap();
    let item = users.get("u").consistent(true).await.unwrap().item;
    assert!(
        item.first("v")
            .unwrap()
            .starts_with("00000000000000000002-")
    );
}
