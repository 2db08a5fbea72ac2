//! Objects from streams and files, and into files.

use std::io;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use emulator::{Fault, Rule};
use futures_util::stream;
use s3_client::request::RetryConfig;
use s3_client::{Checksum, Credentials, Kind, S3Client, Signature, Source};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use crate::store::Store;
use crate::transfer::{MIN, Told};

/// A folder of its own, removed with what is in it.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        use std::sync::atomic::{AtomicU64, Ordering};
        static SERIAL: AtomicU64 = AtomicU64::new(0);
        let serial = SERIAL.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("s3-it-{}-{serial}", std::process::id()));
        std::fs::create_dir(&path).expect("a new folder");
        Self(path)
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    pub(crate) fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(&self.0).expect("the folder");
        let name = |entry: io::Result<std::fs::DirEntry>| entry.expect("an entry").file_name();
        let mut names: Vec<String> = entries
            .map(|entry| name(entry).to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _gone = std::fs::remove_dir_all(&self.0);
    }
}

/// Bytes that are not the same everywhere.
pub(crate) fn noise(len: usize) -> Bytes {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut bytes = Vec::with_capacity(len + 8);
    while bytes.len() < len {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(len);
    bytes.into()
}

fn pieces(bytes: &Bytes, size: usize) -> Vec<Result<Bytes, io::Error>> {
    let piece = |start: usize| bytes.slice(start..bytes.len().min(start + size));
    (0..bytes.len())
        .step_by(size)
        .map(|at| Ok(piece(at)))
        .collect()
}

#[tokio::test]
async fn streams_files_and_pieces_go_up() {
    let store = Store::start().await;
    let bucket = store.bucket().await;
    let folder = Folder::new();
    let path = folder.file("up");
    for size in [0, 1, 300_000, 3 << 20] {
        let bytes = noise(size);
        std::fs::write(&path, &bytes).unwrap();
        let stream = stream::iter(pieces(&bytes, 70_000));
        let streamed = bucket
            .put_stream("stream", size as u64, stream)
            .content_type("a/b")
            .await
            .unwrap();
        let filed = bucket.put_file("file", &path).await.unwrap();
        let whole = bucket.put("whole", bytes.clone()).await.unwrap();
        let rope = pieces(&bytes, 100_000)
            .into_iter()
            .map(|piece| piece.unwrap());
        let roped = bucket.put("rope", Source::pieces(rope)).await.unwrap();
        assert_eq!(streamed.etag(), whole.etag());
        assert_eq!(filed.etag(), whole.etag());
        assert_eq!(roped.etag(), whole.etag());
        let object = bucket.get("stream").await.unwrap();
        assert_eq!(object.head.content_type(), Some("a/b"));
        assert_eq!(
            object.body.bytes(size).await.unwrap(),
            bytes,
            "{size} bytes"
        );
    }
}

#[tokio::test]
async fn a_file_has_the_media_type_of_its_name() {
    let store = Store::start().await;
    let bucket = store.bucket().await;
    let folder = Folder::new();
    let told = "application/x-own";
    for (name, known) in [
        ("cat.jpg", Some("image/jpeg")),
        ("CAT.PNG", Some("image/png")),
        ("table.csv", Some("text/csv")),
        ("cat.of-no-type", None),
        ("cat", None),
    ] {
        let path = folder.file(name);
        std::fs::write(&path, "meow").unwrap();
        // The type that the store gives to what has none.
        bucket.put("plain", "meow").await.unwrap();
        let plain = bucket.head("plain").await.unwrap();
        let expected = known.or(plain.content_type());
        let put = bucket.put_file("key.gif", &path);
        put.clone().await.unwrap();
        let head = bucket.head("key.gif").await.unwrap();
        assert_eq!(head.content_type(), expected, "{name} put");
        put.clone().content_md5(true).await.unwrap();
        let head = bucket.head("key.gif").await.unwrap();
        assert_eq!(head.content_type(), expected, "{name} put with a digest");
        put.clone().content_type(told).await.unwrap();
        let head = bucket.head("key.gif").await.unwrap();
        assert_eq!(head.content_type(), Some(told), "{name}, and told");
        put.header("Content-Type", told).await.unwrap();
        let head = bucket.head("key.gif").await.unwrap();
        assert_eq!(head.content_type(), Some(told), "{name}, and a field");
        for size in [4, MIN + 1] {
            std::fs::write(&path, noise(size)).unwrap();
            let upload = bucket.upload("key.gif", Source::file(&path));
            let upload = upload.part_size(MIN as u64);
            upload.clone().await.unwrap();
            let head = bucket.head("key.gif").await.unwrap();
            assert_eq!(head.content_type(), expected, "{name}: {size} bytes");
            upload.content_type(told).await.unwrap();
            let head = bucket.head("key.gif").await.unwrap();
            assert_eq!(head.content_type(), Some(told), "{name}: {size} bytes");
        }
    }
}

#[tokio::test]
async fn a_stream_that_is_not_as_long_as_it_says_stores_nothing() {
    let store = Store::start().await;
    let bucket = store.bucket().await;
    let bytes = noise(100_000);
    for len in [bytes.len() as u64 - 1, bytes.len() as u64 + 1] {
        let put = bucket.put_stream("k", len, stream::iter(pieces(&bytes, 10_000)));
        let error = put.await.unwrap_err();
        assert_eq!(error.kind(), Kind::Body, "{error}");
    }
    let broken = stream::iter([
        Ok(bytes.slice(..5)),
        Err(io::Error::other("the disk is gone")),
    ]);
    let error = bucket.put_stream("k", 10, broken).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Body);
    assert!(error.to_string().contains("the disk is gone"), "{error}");
    assert!(bucket.get("k").await.unwrap_err().is_not_found());
}

#[tokio::test]
async fn what_cannot_be_sent_is_said_before() {
    let store = Store::start().await;
    let bucket = store.bucket().await;
    let folder = Folder::new();
    let error = bucket.put_file("k", folder.file("none")).await.unwrap_err();
    assert_eq!(error.kind(), Kind::File);
    assert!(
        error.to_string().contains("none") && !error.may_have_been_sent(),
        "{error}"
    );
    let error = bucket.put_file("k", folder.file("")).await.unwrap_err();
    assert_eq!(error.kind(), Kind::File, "a folder: {error}");
    let none = || stream::empty::<Result<Bytes, io::Error>>();
    let error = bucket
        .put_stream("k", (5 << 30) + 1, none())
        .await
        .unwrap_err();
    assert_eq!(error.kind(), Kind::Invalid);
    assert!(error.to_string().contains("5368709121"), "{error}");
    let error = bucket
        .put_stream("k", 1, none())
        .content_md5(true)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), Kind::Invalid);
    let twice = bucket.put_stream("k", 0, none());
    twice.clone().await.unwrap();
    let error = twice.await.unwrap_err();
    assert_eq!(error.kind(), Kind::Body, "{error}");
}

/// A server that reads the first request's head, answers it, and stores the second.
async fn busy_once(answer: &'static str, read_body: bool) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    tokio::spawn(async move {
        for answer in [
            answer,
            "HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
        ] {
            let (mut socket, _) = listener.accept().await.expect("a connection");
            let mut seen = Vec::new();
            while !seen.ends_with(b"\r\n\r\n") {
                seen.push(socket.read_u8().await.expect("a head"));
            }
            if read_body {
                let mut body = [0; 4];
                socket.read_exact(&mut body).await.expect("the body");
            }
            let _gone = socket.write_all(answer.as_bytes()).await;
        }
    });
    url
}

#[tokio::test]
async fn files_are_sent_again_and_streams_that_were_read_are_not() {
    const BUSY: &str = "HTTP/1.1 503 Busy\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
    const SLOW: &str = "HTTP/1.1 503 Busy\r\nconnection: close\r\ncontent-length: 35\r\n\r\n<Error><Code>SlowDown</Code></Error>";
    let client = |url: String| {
        let keys = Credentials::new("AKID", "secret");
        let retry = RetryConfig::new().random(|| 0.0);
        let builder = S3Client::builder()
            .endpoint(url)
            .credentials(keys)
            .signature(Signature::V2)
            .retry(retry);
        builder.build().expect("a client").bucket("photos")
    };
    let folder = Folder::new();
    let path = folder.file("up");
    std::fs::write(&path, "meow").unwrap();
    let bucket = client(busy_once(BUSY, true).await);
    bucket.put_file("k", &path).await.unwrap();
    let bucket = client(busy_once(SLOW, true).await);
    let once = stream::iter([Ok::<_, io::Error>(Bytes::from_static(b"meow"))]);
    let error = bucket.put_stream("k", 4, once).await.unwrap_err();
    assert_eq!(
        (error.status(), error.attempts()),
        (Some(503), 1),
        "{error}"
    );
    let bucket = client(busy_once(SLOW, true).await);
    let once = stream::iter([Ok::<_, io::Error>(Bytes::from_static(b"meow"))]);
    let told = bucket.put_stream("k", 4, once).progress(|_| ());
    let error = told.await.unwrap_err();
    assert_eq!((error.status(), error.attempts()), (Some(503), 1));
}

#[tokio::test]
async fn a_put_tells_how_far_it_is_and_counts_what_is_sent_again_once() {
    for signature in [Signature::V2, Signature::v4("us-east-1")] {
        let emulator = emulator::Emulator::start().await.unwrap();
        let keys = Credentials::new(emulator.access_key(), emulator.secret_key());
        let builder = S3Client::builder().endpoint(emulator.url());
        let builder = builder.credentials(keys).signature(signature);
        let retry = RetryConfig::new().random(|| 0.0);
        let bucket = builder.retry(retry).build().unwrap().bucket("photos");
        bucket.create().await.unwrap();
        let folder = Folder::new();
        let (path, bytes) = (folder.file("up"), noise(300_000));
        std::fs::write(&path, &bytes).unwrap();
        let stream = stream::iter([Ok::<_, io::Error>(bytes.clone())]);
        for (put, again) in [
            (bucket.put_file("k", &path), true),
            (bucket.put_file("k", &path).checksum(Checksum::Crc32c), true),
            (bucket.put("k", bytes.clone()), true),
            (bucket.put("k", bytes.clone()).content_md5(true), true),
            (bucket.put_stream("k", 300_000, stream), false),
        ] {
            if again {
                let busy = Rule::new(Fault::slow_down()).operation("PutObject");
                emulator.faults().add(busy.times(1));
            }
            let told = Told::default();
            put.progress(told.report()).await.unwrap();
            told.check(300_000, Some(300_000));
            let stored = bucket.get("k").await.unwrap();
            assert_eq!(stored.body.bytes(1 << 20).await.unwrap(), bytes);
            bucket.delete("k").await.unwrap();
        }
        let put = bucket.put_file("k", &path).checksum(Checksum::Crc32c);
        let stored = put.progress(|_| ()).await.unwrap();
        assert!(stored.checksum(Checksum::Crc32c).is_some());
        let told = Told::default();
        bucket.put("k", "").progress(told.report()).await.unwrap();
        assert_eq!(*told.0.lock().unwrap(), [], "there is nothing to tell");
    }
}

#[tokio::test]
async fn an_object_comes_into_a_file() {
    let store = Store::start().await;
    let bucket = store.bucket().await;
    let folder = Folder::new();
    let path = folder.file("down");
    for size in [0, 10, 2 << 20] {
        let bytes = noise(size);
        bucket.put("k", bytes.clone()).await.unwrap();
        let told = Told::default();
        let save = bucket.get("k").to_file(&path).sync(true);
        let head = save.progress(told.report()).await.unwrap();
        told.check(size, Some(size));
        assert_eq!(
            told.0.lock().unwrap()[0].bytes,
            0,
            "the total is told first"
        );
        assert_eq!(head.size(), Some(size as u64));
        assert_eq!(std::fs::read(&path).unwrap(), bytes);
        assert_eq!(folder.names(), ["down"], "nothing else is left");
    }
    let told = Told::default();
    let part = bucket
        .get("k")
        .range(5..105)
        .to_file(folder.file("part"))
        .progress(told.report())
        .await
        .unwrap();
    assert_eq!(part.range(), Some(5..105));
    told.check(100, Some(100));
    assert_eq!(
        std::fs::read(folder.file("part")).unwrap(),
        noise(2 << 20)[5..105]
    );
}

#[tokio::test]
async fn a_file_that_could_not_be_fetched_leaves_nothing_and_spares_the_old_one() {
    let store = Store::start().await;
    let bucket = store.bucket().await;
    let folder = Folder::new();
    let path = folder.file("down");
    std::fs::write(&path, "old").unwrap();
    assert!(
        bucket
            .get("none")
            .to_file(&path)
            .await
            .unwrap_err()
            .is_not_found()
    );
    bucket.put("k", noise(1 << 20)).await.unwrap();
    let error = bucket
        .get("k")
        .to_file(folder.file("no/such/folder"))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), Kind::File, "{error}");
    let error = bucket.get("k").to_file(Path::new("/")).await.unwrap_err();
    assert_eq!(error.kind(), Kind::File, "{error}");
    assert_eq!(folder.names(), ["down"]);
    assert_eq!(std::fs::read(&path).unwrap(), b"old");
}

/// Answers one request with this text and a body that is cut off or wrong.
async fn liar(answer: String) -> S3Client {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.expect("a connection");
        let mut head = [0; 4096];
        let _read = socket.read(&mut head).await;
        let _gone = socket.write_all(answer.as_bytes()).await;
    });
    let keys = Credentials::new("AKID", "secret");
    let builder = S3Client::builder().endpoint(url).credentials(keys);
    builder
        .retry(RetryConfig::none())
        .build()
        .expect("a client")
}

#[tokio::test]
async fn what_is_cut_off_or_damaged_is_not_kept() {
    let folder = Folder::new();
    let path = folder.file("down");
    let long = "x".repeat(100_000);
    // The tag is that of "meow".
    let tag = "etag: \"4a4be40c96ac6314e91d93f38043a634\"\r\nconnection: close\r\n";
    for (answer, kind) in [
        (
            format!("HTTP/1.1 200 OK\r\n{tag}content-length: 4\r\n\r\nMEOW"),
            Kind::Protocol,
        ),
        (
            format!("HTTP/1.1 200 OK\r\n{tag}content-length: 200000\r\n\r\n{long}"),
            Kind::Closed,
        ),
    ] {
        let client = liar(answer).await;
        let error = client
            .bucket("photos")
            .get("k")
            .to_file(&path)
            .await
            .unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        assert!(folder.names().is_empty());
    }
    let client = liar(format!(
        "HTTP/1.1 200 OK\r\n{tag}content-length: 4\r\n\r\nMEOW"
    ))
    .await;
    let unchecked = client
        .bucket("photos")
        .get("k")
        .to_file(&path)
        .verify(false);
    unchecked.await.unwrap();
    let client = liar(format!(
        "HTTP/1.1 200 OK\r\n{tag}content-length: 4\r\n\r\nmeow"
    ))
    .await;
    client
        .bucket("photos")
        .get("k")
        .to_file(&path)
        .await
        .unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), b"meow");
}

#[tokio::test]
async fn a_dropped_download_leaves_nothing() {
    // The body never comes to its end.
    let half = "x".repeat(100_000);
    let client = liar(format!(
        "HTTP/1.1 200 OK\r\ncontent-length: 200000\r\n\r\n{half}"
    ))
    .await;
    let folder = Folder::new();
    std::fs::write(folder.file("before"), "before").unwrap();
    for name in ["down", "before"] {
        let there = folder.names();
        let save = client.bucket("photos").get("k").to_file(folder.file(name));
        let mut save = Box::pin(save.send());
        // Until the temporary file is there.
        while folder.names() == there {
            let turn = std::future::poll_fn(|cx| std::task::Poll::Ready(save.as_mut().poll(cx)));
            assert!(turn.await.is_pending());
            tokio::task::yield_now().await;
        }
        drop(save);
        assert_eq!(folder.names(), there, "{name}");
    }
    let left = std::fs::read_to_string(folder.file("before")).unwrap();
    assert_eq!(left, "before");
}
