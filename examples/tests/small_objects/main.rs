//! `small_objects` from the outside: what it stores, what it says, and how it fails.
#![allow(clippy::unwrap_used)]

#[path = "../common/mod.rs"]
mod common;
mod refusals;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use emulator::Emulator;
use examples::memcached::Memcached;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};

use common::{example, outcome};

/// A folder of a test's own, gone with this value.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!(
            "small-objects-test-{}-{number}",
            std::process::id()
        ));
        fs::create_dir(&path).unwrap();
        Self(path)
    }

    fn file(&self, name: impl AsRef<Path>, bytes: &[u8]) {
        let path = self.0.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What is left over is only litter in the folder for such.
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn small_objects() -> Command {
    example("small_objects")
}

fn against(emulator: &Emulator, url: &str) -> Command {
    let mut command = small_objects();
    command
        .args(["--endpoint", url, "--sdb-endpoint", url])
        .env("AWS_ACCESS_KEY_ID", emulator.access_key())
        .env("AWS_SECRET_ACCESS_KEY", emulator.secret_key());
    command
}

/// The one line of a run that fails.
fn failure(command: &mut Command) -> String {
    let (code, stdout, stderr) = outcome(command);
    assert_eq!((code, &*stdout), (Some(1), ""), "{stderr}");
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
    stderr.trim_end().to_owned()
}

fn report(command: &mut Command) -> (serde_json::Value, String) {
    let (code, stdout, stderr) = outcome(command.arg("--json"));
    assert_eq!(code, Some(0), "{stderr}");
    (serde_json::from_str(&stdout).unwrap(), stderr)
}

#[cfg(unix)]
#[test]
fn files_with_odd_names_and_sizes_come_back() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;

    let folder = Folder::new();
    folder.file("empty", b"");
    folder.file("ünï/çødé/猫.txt", "猫".as_bytes());
    folder.file("spaces and + % ~ {} ? & # = ' \" ` \\ ;", b"odd");
    folder.file("a%FF", b"percent");
    folder.file(OsStr::from_bytes(b"a\xff"), b"not UTF-8");
    folder.file("line\nbreak\ttab\u{1}", b"control");
    folder.file(" leading", b"1");
    folder.file("trailing ", b"2");
    folder.file("dots/...", b"3");
    folder.file("large", &vec![7; 3 << 20]);
    folder.file(Path::new(&"d".repeat(200)).join("é".repeat(120)), b"long");
    let (report, stderr) = report(small_objects().arg("--from").arg(&folder.0));
    assert_eq!(stderr, "");
    assert_eq!(
        (report["files"].as_u64(), report["different"].as_u64()),
        (Some(11), Some(0))
    );
    assert_eq!(report["skipped"], 0);
    let requests = |name: &str| {
        let rows = report["rows"].as_array().unwrap();
        rows.iter().find(|row| row["name"] == name).unwrap()["requests"].as_u64()
    };
    for name in [
        "put object",
        "put item",
        "get object",
        "delete item",
        "delete object",
    ] {
        assert_eq!(requests(name), Some(11), "{name}");
    }
    assert_eq!(requests("bucket and domain"), Some(4));
    assert_eq!(requests("select"), Some(1));
}

#[cfg(unix)]
#[test]
fn what_cannot_be_stored_is_counted_and_the_rest_goes_on() {
    let folder = Folder::new();
    folder.file("file", b"1");
    let part = "x".repeat(250);
    folder.file([&*part; 5].join("/"), b"too long a name");
    std::os::unix::fs::symlink("nowhere", folder.0.join("link")).unwrap();
    let (report, stderr) = report(small_objects().arg("--from").arg(&folder.0));
    assert_eq!(
        (report["files"].as_u64(), report["skipped"].as_u64()),
        (Some(1), Some(2))
    );
    assert!(stderr.contains("link: not a regular file"), "{stderr}");
    assert!(stderr.contains("its name has 1254 bytes"), "{stderr}");
}

#[test]
fn made_objects_come_back_and_the_pool_keeps_its_bounds() {
    let (report, _) = report(small_objects().args([
        "--count",
        "300",
        "--size",
        "10",
        "--concurrency",
        "40",
        "--connections",
        "3",
        "--depth",
        "4",
    ]));
    assert_eq!(
        (report["files"].as_u64(), report["different"].as_u64()),
        (Some(300), Some(0))
    );
    let at_most = |field: &str, most| {
        let value = report[field].as_u64().unwrap();
        assert!((1..=most).contains(&value), "{field}: {value}");
    };
    at_most("connections_most", 3);
    at_most("connections_opened", 3);
    at_most("pipeline_deepest", 4);
    assert_eq!(report["total"]["requests"], 300 * 5 + 5);
    assert!(report["total"]["p50_ms"].as_f64() <= report["total"]["p999_ms"].as_f64());
    assert!(report["box_usage_hours"].as_f64() > Some(0.0));
}

#[test]
fn the_table_has_every_figure() {
    let (code, stdout, stderr) = outcome(small_objects().args(["--count", "20", "--threads", "2"]));
    assert_eq!((code, &*stderr), (Some(0), ""));
    for word in [
        "requests",
        "req/s",
        "p50",
        "p99",
        "p999",
        "bytes",
        "put object",
        "get object",
        "select",
        "total",
        "connections",
        "deepest pipeline",
        "retries",
        "replays",
        "CPU per request",
        "BoxUsage",
    ] {
        assert!(stdout.contains(word), "no {word} in\n{stdout}");
    }
}

#[test]
fn the_index_can_be_left_out() {
    let (report, _) = report(small_objects().args(["--count", "5", "--no-sdb"]));
    assert_eq!(report["total"]["requests"], 5 * 3 + 2);
    assert!(report["box_usage_hours"].is_null());
}

fn requests(report: &serde_json::Value, name: &str) -> u64 {
    let rows = report["rows"].as_array().unwrap();
    let row = rows.iter().find(|row| row["name"] == name);
    row.map_or(0, |row| row["requests"].as_u64().unwrap())
}

#[test]
fn the_cache_answers_the_second_round() {
    let servers = [(); 2].map(|()| Memcached::start("memcached").unwrap());
    let list = servers.each_ref().map(|s| s.addr.to_string()).join(",");
    // A cache that is slow on a busy machine answers less: what is compared is what came.
    let cached = ["--count", "50", "--rounds", "3", "--cache", &list];
    let (report, _) = report(small_objects().args(cached));
    assert_eq!(report["different"], 0);
    for (name, expected) in [
        ("get object", 50),
        ("get item", 50),
        ("get object again", 100),
        ("get item again", 100),
    ] {
        assert_eq!(requests(&report, name), expected, "{name}");
    }
    let cache = &report["cache"];
    let figure = |name: &str| cache[name].as_u64().unwrap();
    assert!(figure("hits") > 0 && figure("fills") > 0, "{cache}");
    assert_eq!(figure("corrupt"), 0);
    assert_eq!(figure("saved_requests"), figure("hits"));
    assert_eq!(
        figure("hits") + figure("misses") + figure("past"),
        300,
        "{cache}"
    );
    assert!(cache["saved_dollars"].as_f64() > Some(0.0));
}

#[test]
fn the_table_tells_of_the_cache() {
    let server = Memcached::start("memcached").unwrap();
    let list = server.addr.to_string();
    let prices = ["--price-get", "1000", "--price-box-hour", "0"];
    let mut command = small_objects();
    command.args(["--count", "20", "--no-sdb", "--cache", &list]);
    let (code, stdout, _) = outcome(command.args(prices));
    assert_eq!(code, Some(0));
    for words in [
        "get object again",
        " hits (",
        " misses, ",
        " fills",
        " errors, ",
        "$1000 per 1,000 GETs and $0 per machine hour",
    ] {
        assert!(stdout.contains(words), "no {words} in\n{stdout}");
    }
}

#[test]
fn without_a_cache_everything_can_be_read_several_times_too() {
    let (report, _) = report(small_objects().args(["--count", "5", "--rounds", "2"]));
    assert_eq!(requests(&report, "get object again"), 5);
    assert_eq!(requests(&report, "get item"), 0);
    assert!(report["cache"].is_null());
}

#[test]
fn a_cache_that_is_dead_or_something_else_is_said_to_be_so() {
    let dead = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let emulator = Emulator::start_blocking().unwrap();
    let other = emulator.url().strip_prefix("http://").unwrap().to_owned();
    for addr in [dead.to_string(), other] {
        let cached = ["--count", "20", "--no-sdb", "--cache", &addr];
        let (report, stderr) = report(small_objects().args(cached));
        assert_eq!(report["different"], 0);
        assert_eq!(requests(&report, "get object"), 20);
        assert_eq!(report["cache"]["hits"], 0);
        assert!(
            stderr.contains("goes on without") && stderr.contains(&addr),
            "{stderr}"
        );
    }
    let line = failure(small_objects().args(["--count", "1", "--cache", "host:port:x"]));
    assert!(
        line.contains("--cache: ") && line.contains("host:port:x"),
        "{line}"
    );
    let (code, _, stderr) = outcome(small_objects().args(["--cache-ttl", "5"]));
    assert_eq!(code, Some(2), "{stderr}");
    assert!(stderr.contains("--cache"), "{stderr}");
}

#[test]
fn nothing_is_left_behind_and_what_was_there_stays() {
    let emulator = Emulator::start_blocking().unwrap();
    let url = emulator.url();
    let (_, stderr) = report(against(&emulator, &url).args(["--count", "3", "--keep"]));
    let kept = stderr
        .trim_end()
        .strip_prefix("small_objects: kept the bucket ")
        .unwrap();
    let (bucket, domain) = kept.split_once(" and the domain ").unwrap();
    let borrow = ["--count", "4", "--bucket", bucket, "--domain", domain];
    let (report, _) = report(against(&emulator, &url).args(borrow));
    assert_eq!(
        (report["files"].as_u64(), report["different"].as_u64()),
        (Some(4), Some(0))
    );

    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let keys = || s3_client::Credentials::new(emulator.access_key(), emulator.secret_key());
        let s3 = s3_client::S3Client::builder()
            .endpoint(&*url)
            .credentials(keys())
            .build()
            .unwrap();
        assert_eq!(s3.list_buckets().await.unwrap().len(), 1);
        let objects = s3
            .bucket(bucket)
            .list()
            .objects()
            .try_collect_all()
            .await
            .unwrap();
        assert_eq!(objects.len(), 3);
        let sdb = sdb_client::SdbClient::builder()
            .endpoint(&*url)
            .credentials(keys())
            .build()
            .unwrap();
        let all = sdb
            .select(format!("select * from `{domain}`"))
            .consistent(true);
        assert_eq!(all.send().await.unwrap().items.len(), 3);
    });
}

#[test]
fn a_file_that_vanishes_is_counted_and_the_rest_goes_on() {
    let folder = Folder::new();
    folder.file("stays", b"here");
    folder.file("goes", b"gone");
    let emulator = Emulator::start_blocking().unwrap();
    let goes = folder.0.join("goes");
    // By its first connection the program has listed the folder and read nothing of it.
    let vanish = move || {
        let _ = fs::remove_file(&goes);
    };
    let url = proxy(&emulator, vanish, |_| {});
    let (report, stderr) = report(against(&emulator, &url).arg("--from").arg(&folder.0));
    assert_eq!(stderr, "small_objects: skipped goes: vanished\n");
    assert_eq!(
        (report["files"].as_u64(), report["skipped"].as_u64()),
        (Some(1), Some(1))
    );
    assert_eq!(report["different"], 0);
}

#[test]
fn one_byte_that_differs_fails_the_run() {
    let folder = Folder::new();
    folder.file("whole", b"as it was put");
    folder.file("damaged", b"zzzzzzz");
    let emulator = Emulator::start_blocking().unwrap();
    let damage = |bytes: &mut [u8]| {
        if let Some(at) = bytes.windows(7).position(|seven| seven == b"zzzzzzz") {
            bytes[at + 3] = b'y';
        }
    };
    let url = proxy(&emulator, || {}, damage);
    let mut command = against(&emulator, &url);
    let (code, stdout, stderr) = outcome(command.arg("--json").arg("--from").arg(&folder.0));
    assert_eq!(code, Some(1), "{stderr}");
    let expected = "small_objects: damaged: its bytes are not what was put\n";
    assert_eq!(stderr, expected);
    let report: serde_json::Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(report["different"], 1);
}

/// Passes connections on; does something when one comes, before any byte of it is passed, and
/// something to each read of what the server answers.
fn proxy(
    emulator: &Emulator,
    at_each: impl Fn() + Send + 'static,
    answer: impl Fn(&mut [u8]) + Copy + Send + 'static,
) -> String {
    let server = emulator.url().strip_prefix("http://").unwrap().to_owned();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    listener.set_nonblocking(true).unwrap();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async move {
            let listener = TcpListener::from_std(listener).unwrap();
            while let Ok((client, _)) = listener.accept().await {
                at_each();
                let server = TcpStream::connect(&server).await.unwrap();
                let (from_client, to_client) = client.into_split();
                let (from_server, to_server) = server.into_split();
                tokio::spawn(pass(from_client, to_server, |_| {}));
                tokio::spawn(pass(from_server, to_client, answer));
            }
        });
    });
    url
}

/// Ends when either side does: how a connection ends is not what is tested.
async fn pass(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, change: impl Fn(&mut [u8])) {
    let mut buffer = vec![0; 64 << 10];
    while let Ok(read @ 1..) = from.read(&mut buffer).await {
        change(&mut buffer[..read]);
        if to.write_all(&buffer[..read]).await.is_err() {
            return;
        }
    }
}
