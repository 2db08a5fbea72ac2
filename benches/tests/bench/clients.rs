//! Each client gets and stores, and says so when it could not.

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use benches::clients::hyper::Hyper;
use benches::clients::pool::Pool;
use benches::clients::raw;
use benches::clients::s3::S3;
use benches::clients::{Client, Puts, Session, Writer};
use benches::keys::Keys;
use benches::load::Meter;
use benches::server::{Mode, Server};
use bytes::Bytes;
use emulator::Emulator;

use super::server::counts;

const TARGET: &str = "/bench/object";

/// One GET and one PUT of a client.
async fn both<C>(client: C)
where
    C: Client<Session: Writer> + Clone + Debug,
{
    let mut session = client.session();
    assert_eq!(session.get().await.unwrap(), 7, "{client:?}");
    let body = Bytes::from_static(b"0123456789");
    let mut session = Puts(client.clone(), body).session();
    assert_eq!(session.get().await.unwrap(), 10, "{client:?}");
    // The connection is as good as before.
    assert_eq!(client.session().get().await.unwrap(), 7, "{client:?}");
}

#[tokio::test]
async fn clients_get_and_store() {
    let mode = Mode {
        body: 7,
        ..Mode::default()
    };
    let server = Server::bind("127.0.0.1:0".parse().unwrap(), mode)
        .await
        .unwrap();
    let addr = server.addr().unwrap();
    tokio::spawn(server.run());
    let endpoint = format!("http://{addr}");
    let one = Some(1);
    both(Pool::new(&endpoint, TARGET, one, None).unwrap()).await;
    both(S3::new(&endpoint, TARGET, &Keys::default(), one, None).unwrap()).await;
    both(Hyper::new(addr, TARGET, 1, 1).unwrap()).await;
    #[cfg(feature = "peers")]
    {
        use benches::clients::object_store::Store;
        use benches::clients::reqwest::Reqwest;
        both(Reqwest::new(&endpoint, TARGET, 1).unwrap()).await;
        both(Store::new(&endpoint, TARGET, 1, None, None).unwrap()).await;
        both(Store::new(&endpoint, TARGET, 1, Some(&Keys::default()), None).unwrap()).await;
    }
    for put in [None, Some(Bytes::from_static(b"1234567"))] {
        let meter = Arc::new(Meter::new(7).unwrap());
        let before = counts(addr, "").await.requests;
        let work = tokio::spawn(raw::run(addr, TARGET, put, 4, true, meter.clone()));
        while !work.is_finished() && counts(addr, "").await.requests < before + 100 {}
        let ms = Duration::from_millis(1);
        let sample = meter.measure(ms, ms).await.unwrap();
        work.await.unwrap().unwrap();
        assert_eq!(sample.errors, 0, "{:?}", sample.first_error);
    }
}

/// A store with keys of its own, as `ACCESS:SECRET`.
fn store() -> (Emulator, Keys) {
    let store = Emulator::start_blocking().unwrap();
    let keys = format!("{}:{}", store.access_key(), store.secret_key());
    let Ok(keys) = keys.parse();
    (store, keys)
}

#[tokio::test]
async fn an_object_is_made_with_its_bucket_and_clients_that_do_not_sign_get_a_link() {
    let (store, keys) = store();
    let s3 = S3::new(&store.url(), "/new-bucket/a b", &keys, Some(1), None).unwrap();
    // Twice: the bucket is there the second time.
    s3.upload(5).await.unwrap();
    s3.upload(6).await.unwrap();
    assert_eq!(s3.session().get().await.unwrap(), 6);
    let link = s3.link().await.unwrap();
    assert!(link.starts_with("/new-bucket/a%20b?"), "{link}");
    let pool = Pool::new(&store.url(), &link, Some(1), None).unwrap();
    assert_eq!(pool.session().get().await.unwrap(), 6);
    let bare = Pool::new(&store.url(), "/new-bucket/a%20b", Some(1), None).unwrap();
    let error = bare.session().get().await.unwrap_err().to_string();
    assert_eq!(error, "status 403");
}

#[tokio::test]
async fn what_is_refused_is_an_error() {
    let (store, _) = store();
    let addr = store.addr();
    let body = || Bytes::from_static(b"x");
    let pool = Pool::new(&store.url(), TARGET, Some(1), None).unwrap();
    assert!(pool.session().put(body()).await.is_err());
    let hyper = Hyper::new(addr, TARGET, 1, 1).unwrap();
    assert!(hyper.session().put(body()).await.is_err());
    assert!(hyper.session().get().await.is_err());
    let s3 = S3::new(&store.url(), TARGET, &Keys::default(), Some(1), None).unwrap();
    assert!(s3.session().put(body()).await.is_err());
    assert!(S3::new(&store.url(), "/no-key", &Keys::default(), None, None).is_err());
}
