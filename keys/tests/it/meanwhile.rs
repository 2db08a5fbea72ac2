//! What others write at the same time, with and without a cache.

use emulator::{Fault, Gate, Rule};

use crate::stores::{ALL, Fixture, Kind};

const CACHED: [Kind; 2] = [Kind::S3Cached, Kind::SdbCached];

#[tokio::test]
async fn of_many_who_are_first_one_is() {
    for kind in ALL {
        let fixture = Fixture::start(kind).await;
        let keys = &fixture.keys;
        let put = |value: usize| async move {
            let put = keys.put_new("b", "k", value.to_string()).await;
            put.map(|_| value)
        };
        let puts = futures_util::future::join_all((0..16).map(put)).await;
        let (first, late): (Vec<_>, Vec<_>) = puts.into_iter().partition(Result::is_ok);
        assert_eq!(first.len(), 1, "{kind:?}");
        for error in late {
            let error = error.unwrap_err();
            assert!(error.is_condition_failed(), "{kind:?}: {error}");
        }
        let (value, _) = keys.get("b", "k").await.unwrap().unwrap();
        assert_eq!(value, first[0].as_ref().unwrap().to_string());
        fixture.end().await;
    }
}

#[tokio::test]
async fn what_is_stored_again_does_not_stop_a_clear() {
    for kind in [Kind::Sdb, Kind::SdbCached] {
        let fixture = Fixture::start(kind).await;
        let (keys, emulator) = (&fixture.keys, fixture.emulator.as_ref().unwrap());
        keys.put("b", "a", "1").await.unwrap();
        keys.put("b", "c", "1").await.unwrap();
        let gate = Gate::new();
        // The first finds both, the second is after they were removed.
        let second = Rule::new(Fault::hold(&gate)).operation("Select");
        emulator.faults().add(second.skip(1).times(1));
        let again = async {
            gate.arrived(1).await;
            keys.put("b", "a", "2").await.unwrap();
            gate.open();
        };
        let (cleared, ()) = tokio::join!(keys.clear(), again);
        cleared.unwrap();
        assert_eq!(keys.get("b", "c").await.unwrap(), None, "{kind:?}");
        keys.clear().await.unwrap();
        assert!(keys.is_empty().await.unwrap(), "{kind:?}");
    }
}

#[tokio::test]
async fn a_key_that_vanishes_from_under_a_list_is_left_out() {
    let fixture = Fixture::start(Kind::S3).await;
    let Some(emulator) = &fixture.emulator else {
        return fixture.end().await;
    };
    let keys = &fixture.keys;
    keys.put("b", "k", "1").await.unwrap();
    keys.put("b", "l", "2").await.unwrap();
    let gate = Gate::new();
    let get = Rule::new(Fault::hold(&gate)).operation("GetObject");
    emulator.faults().add(get.key("one/b/k"));
    let gone = async {
        gate.arrived(1).await;
        keys.delete("b", "k").await.unwrap();
        gate.open();
    };
    let (values, ()) = tokio::join!(keys.values("b").try_collect_all(), gone);
    let values = values.unwrap();
    assert_eq!((values.len(), &*values[0].0.key), (1, &b"l"[..]));
}

#[tokio::test]
async fn a_key_that_is_listed_is_not_absent_for_a_cache() {
    for kind in CACHED {
        let fixture = Fixture::start(kind).await;
        let Some(elsewhere) = fixture.elsewhere() else {
            continue;
        };
        let keys = &fixture.keys;
        assert_eq!(keys.get("b", "k").await.unwrap(), None);
        elsewhere.put("b", "k", "1").await.unwrap();
        let values = keys.values("b").try_collect_all().await.unwrap();
        assert_eq!(values.len(), 1, "{kind:?}");
        assert_eq!(values[0].1, "1");
    }
}

#[tokio::test]
async fn a_cache_knows_what_this_process_writes() {
    for kind in CACHED {
        let fixture = Fixture::start(kind).await;
        let keys = &fixture.keys;
        let value = async || {
            let found = keys.get("b", "k").await.unwrap();
            found.map(|(value, _)| value.to_vec())
        };
        assert_eq!(value().await, None);
        assert_eq!(value().await, None);
        keys.put_new("b", "k", "1").await.unwrap();
        assert_eq!(value().await.unwrap(), b"1", "{kind:?}");
        keys.clear().await.unwrap();
        assert_eq!(value().await, None, "{kind:?}");
        keys.put("b", "k", "2").await.unwrap();
        let (_, old) = keys.get("b", "k").await.unwrap().unwrap();
        if let Some(elsewhere) = fixture.elsewhere() {
            elsewhere.put("b", "k", "3").await.unwrap();
            // What was refused shows that the kept value is old.
            let late = keys.replace("b", "k", "4", &old).await.unwrap_err();
            assert!(late.is_condition_failed(), "{kind:?}: {late}");
            let (seen, tag) = keys.get("b", "k").await.unwrap().unwrap();
            assert_eq!(seen, "3", "{kind:?}");
            keys.replace("b", "k", "4", &tag).await.unwrap();
            assert_eq!(value().await.unwrap(), b"4", "{kind:?}");
        }
        fixture.end().await;
    }
}
