//! How much memory whole objects in parts take: each transfer runs in a process of its own, which measures itself.
//!
//! Without a real server the other side is one that keeps nothing. `S3_TEST_TRANSFER_MIB` sets the size of the object
//! in MiB, 96 unless it is said.

#![allow(
    clippy::unwrap_used,
    reason = "this is test code outside of a test function"
)]
#![allow(clippy::print_stdout, reason = "the figures are of interest")]

use std::path::Path;
use std::process::Command;

use bytes::Bytes;
use futures_util::stream;
use s3_client::{Bucket, Source};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};

use crate::files::Folder;
use crate::store::Store;

const PARALLEL: usize = 4;
const PART: u64 = 8 << 20;
/// One part at a time.
const ALONE: &str = "from a stream, one after another";
/// Tells the process that it is one of those that measure themselves, and what it is to do.
const TRANSFER: &str = "S3_TEST_TRANSFER";
const BUCKET: &str = "S3_TEST_TRANSFER_BUCKET";
const FOLDER: &str = "S3_TEST_TRANSFER_FOLDER";

fn size() -> u64 {
    let size = std::env::var("S3_TEST_TRANSFER_MIB");
    size.map_or(96, |mib| mib.parse().unwrap()) << 20
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transfer_takes_less_memory_than_its_parts() {
    if let Ok(what) = std::env::var(TRANSFER) {
        return measured(&what).await;
    }
    let real = std::env::var("S3_TEST_ENDPOINT").is_ok();
    let folder = Folder::new();
    let file = std::fs::File::create(folder.file("up")).unwrap();
    file.set_len(size()).unwrap();
    let store = Store::start().await;
    let bucket = if real { store.name() } else { "photos".into() };
    if real {
        store.client().bucket(&*bucket).create().await.unwrap();
    }
    for what in ["from a stream", ALONE, "from a file", "into a file"] {
        let mut child = Command::new(std::env::current_exe().unwrap());
        child
            .args(["--exact", "--nocapture"])
            .arg("memory::a_transfer_takes_less_memory_than_its_parts")
            .env(TRANSFER, what)
            .env(BUCKET, &bucket)
            .env(FOLDER, folder.file(""));
        if !real {
            child
                .env("S3_TEST_ENDPOINT", nothing_kept().await)
                .env("S3_TEST_ACCESS_KEY", "AKID")
                .env("S3_TEST_SECRET_KEY", "secret");
        }
        let ended = tokio::task::spawn_blocking(move || child.output());
        let ended = ended.await.unwrap().unwrap();
        let told = String::from_utf8_lossy(&ended.stdout).into_owned();
        let failed = String::from_utf8_lossy(&ended.stderr).into_owned();
        assert!(ended.status.success(), "{told}{failed}");
        let told = told.lines().find(|line| line.contains("peak")).unwrap();
        println!("{told}");
    }
}

/// Does it, and compares the most memory that the process ever held with what it held before.
async fn measured(what: &str) {
    let store = Store::start().await;
    let bucket = store.client().bucket(std::env::var(BUCKET).unwrap());
    let folder = std::env::var(FOLDER).unwrap();
    let before = held("VmRSS:");
    transfer(what, &bucket, Path::new(&folder)).await;
    let peak = held("VmHWM:") - before;
    // What is needed besides a part that is alone has no room in another.
    let allowed = match what {
        ALONE => PART + PART / 2,
        _ => PARALLEL as u64 * PART,
    };
    println!(
        "{what}, {} MiB: peak {:.1} MB over the start, of {:.1} MB",
        size() >> 20,
        peak as f64 / 1e6,
        allowed as f64 / 1e6
    );
    // Its own bytes were there.
    if what.starts_with("from a stream") {
        assert!(peak > PART, "{peak} bytes");
    }
    assert!(peak < allowed, "{what}: {peak} bytes of {allowed}");
}

async fn transfer(what: &str, bucket: &Bucket, folder: &Path) {
    let source = match what {
        "from a stream" | ALONE => Source::unsized_stream(zeros(size())),
        "from a file" => Source::file(folder.join("up")),
        _ => {
            let down = bucket.download("k").part_size(PART).parallel(PARALLEL);
            let head = down.to_file(folder.join("down")).await.unwrap();
            return assert_eq!(head.size(), Some(size()));
        }
    };
    let up = bucket.upload("k", source);
    let parallel = if what == ALONE { 1 } else { PARALLEL };
    let up = up.part_size(PART).parallel(parallel).await.unwrap();
    assert_eq!(up.size(), size());
}

fn zeros(
    size: u64,
) -> impl futures_util::Stream<Item = Result<Bytes, std::io::Error>> + Send + 'static {
    const PIECE: u64 = 64 << 10;
    stream::iter((0..size / PIECE).map(|_| Ok(Bytes::from(vec![0; PIECE as usize]))))
}

/// A line of what the system tells of this process, in bytes.
fn held(name: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let kib = line.unwrap().trim().trim_end_matches(" kB");
    kib.parse::<u64>().unwrap() << 10
}

/// The address of a store that keeps nothing of what it is sent, and has zeros.
async fn nothing_kept() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            tokio::spawn(async move {
                // It ends when the client closes.
                let _ended = answer_all(BufReader::with_capacity(1 << 20, socket)).await;
            });
        }
    });
    url
}

async fn answer_all(mut socket: BufReader<TcpStream>) -> std::io::Result<()> {
    const SUCCESS: &str = "HTTP/1.1 200 OK\r\nETag: \"x\"\r\n";
    loop {
        let request = Received::from(&mut socket).await?;
        if request.expects {
            socket.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await?;
        }
        let mut body = (&mut socket).take(request.length);
        loop {
            let n = body.fill_buf().await?.len();
            body.consume(n);
            if n == 0 {
                break;
            }
        }
        let (head, length) = match (&*request.method, request.range) {
            ("GET", Some((from, to))) => {
                let head = format!(
                    "HTTP/1.1 206 Partial Content\r\nETag: \"x\"\r\nContent-Range: bytes {from}-{to}/{}\r\n",
                    size()
                );
                (head, 1 + to - from)
            }
            ("GET", None) => ("HTTP/1.1 404 Not Found\r\n".to_owned(), 0),
            ("HEAD", _) => (SUCCESS.to_owned(), size()),
            ("POST", _) => {
                let answer =
                    "<A><Bucket>b</Bucket><Key>k</Key><UploadId>u</UploadId><ETag>x</ETag></A>";
                let answer = if request.target.contains("uploadId=") {
                    answer.replace("A>", "CompleteMultipartUploadResult>")
                } else {
                    answer.replace("A>", "InitiateMultipartUploadResult>")
                };
                let head = format!("{SUCCESS}Content-Length: {}\r\n\r\n{answer}", answer.len());
                socket.write_all(head.as_bytes()).await?;
                continue;
            }
            _ => (SUCCESS.to_owned(), 0),
        };
        let head = format!("{head}Content-Length: {length}\r\n\r\n");
        socket.write_all(head.as_bytes()).await?;
        if request.method == "GET" {
            let mut zeros = tokio::io::repeat(0).take(length);
            tokio::io::copy(&mut zeros, &mut socket).await?;
        }
    }
}

/// The head of a request.
#[derive(Default)]
struct Received {
    method: String,
    target: String,
    length: u64,
    range: Option<(u64, u64)>,
    expects: bool,
}

impl Received {
    async fn from(socket: &mut BufReader<TcpStream>) -> std::io::Result<Self> {
        let mut line = String::new();
        if socket.read_line(&mut line).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        let mut words = line.split(' ').map(str::to_owned);
        let mut request = Self {
            method: words.next().unwrap(),
            target: words.next().unwrap(),
            ..Self::default()
        };
        loop {
            line.clear();
            socket.read_line(&mut line).await?;
            let Some((name, value)) = line.trim().split_once(": ") else {
                return Ok(request);
            };
            match &*name.to_ascii_lowercase() {
                "content-length" => request.length = value.parse().unwrap(),
                "range" => {
                    let (from, to) = value
                        .strip_prefix("bytes=")
                        .unwrap()
                        .split_once('-')
                        .unwrap();
                    request.range = Some((from.parse().unwrap(), to.parse().unwrap()));
                }
                "expect" => request.expects = true,
                _ => {}
            }
        }
    }
}
