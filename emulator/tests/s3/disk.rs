//! S3 on disk: the program is killed again and again, and nothing it acknowledged is lost.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use emulator::Emulator;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::sync::Notify;

use crate::program::{Program, folder};
use crate::v2::Signer;

type Stream = BufReader<TcpStream>;

/// Status, version identifier and body of a reply, or how the connection ended before it was whole.
async fn exchange(stream: &mut Stream, request: &[u8]) -> std::io::Result<(u16, String, String)> {
    stream.get_mut().write_all(request).await?;
    let (mut status, mut length, mut version) = (0, 0, String::new());
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        let line = line.trim_end();
        if status == 0 {
            status = line.split(' ').nth(1).unwrap().parse().unwrap();
        } else if let Some(value) = line.strip_prefix("content-length: ") {
            length = value.parse().unwrap();
        } else if let Some(value) = line.strip_prefix("x-amz-version-id: ") {
            value.clone_into(&mut version);
        } else if line.is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await?;
    Ok((status, version, String::from_utf8(body).unwrap()))
}

async fn connect(host: &str) -> Stream {
    BufReader::new(TcpStream::connect(host).await.unwrap())
}

fn signer(host: &str) -> Signer {
    Signer::new("AK", "secret", host)
}

/// What is found at a target: nothing, the text of an object, or a document that has this element in it.
type Found = Option<String>;

fn is(found: &Found, wanted: &Found) -> bool {
    match (found, wanted) {
        (Some(found), Some(wanted)) if wanted.starts_with('<') => found.contains(wanted.as_str()),
        _ => found == wanted,
    }
}

/// Writes of one connection, one after another, until the server is gone.
#[derive(Default)]
struct Writer {
    id: usize,
    count: usize,
    /// What is at each target after what was acknowledged.
    known: BTreeMap<String, Found>,
    /// What is at one target after a write whose answer was lost.
    doubtful: Option<(String, Found)>,
    /// The upload that is under way: its key and its identifier.
    upload: Option<(String, String)>,
    /// How many writes of each kind were acknowledged.
    kinds: BTreeMap<&'static str, usize>,
}

struct Write {
    kind: &'static str,
    method: &'static str,
    target: String,
    body: String,
    /// Where it shows, and as what.
    shows: (String, Found),
}

impl Writer {
    /// A text that no other write has; every fourth is too long to stand in the journal.
    fn text(&self) -> String {
        let long = if self.count % 4 == 1 { 40_000 } else { 3 };
        format!("[{}-{}]{}", self.id, self.count, "x".repeat(long))
    }

    fn next(&mut self) -> Write {
        self.count += 1;
        let (id, count, text) = (self.id, self.count, self.text());
        let slot = count * 7 % 20;
        let plain = format!("/plain/{id}-{slot}");
        let tags = |of: &str| {
            let tag = format!("<Value>{id}-{count}</Value>");
            let body = format!("<Tagging><TagSet><Tag><Key>k</Key>{tag}</Tag></TagSet></Tagging>");
            (format!("{of}?tagging"), body, tag)
        };
        match count % 11 {
            0 => Write {
                kind: "delete",
                method: "DELETE",
                target: plain.clone(),
                body: String::new(),
                shows: (plain, None),
            },
            1 => Write {
                kind: "version",
                method: "PUT",
                target: format!("/versions/{id}-{}", count % 3),
                body: text.clone(),
                shows: (String::new(), Some(text)),
            },
            2 => {
                let versions = self.known.keys().filter(|at| at.contains("versionId"));
                let some = versions.min().cloned().unwrap_or_else(|| plain.clone());
                Write {
                    kind: "delete of a version",
                    method: "DELETE",
                    target: some.clone(),
                    body: String::new(),
                    shows: (some, None),
                }
            }
            3 => {
                let (target, body, tag) = tags(&format!("/plain/tagged-{id}"));
                Write {
                    kind: "tags",
                    method: "PUT",
                    shows: (target.clone(), Some(tag)),
                    target,
                    body,
                }
            }
            4 => {
                let (target, body, tag) = tags(&format!("/own-{id}"));
                Write {
                    kind: "configuration",
                    method: "PUT",
                    shows: (target.clone(), Some(tag)),
                    target,
                    body,
                }
            }
            5 if count % 3 == 0 => Write {
                kind: "delete of a configuration",
                method: "DELETE",
                target: format!("/own-{id}?tagging"),
                body: String::new(),
                shows: (format!("/own-{id}?tagging"), None),
            },
            6..=8 => self.upload_step(text),
            _ => Write {
                kind: "put",
                method: "PUT",
                target: plain.clone(),
                body: text.clone(),
                shows: (plain, Some(text)),
            },
        }
    }

    /// The next request of an upload of two parts: the first sets its name.
    fn upload_step(&self, text: String) -> Write {
        let Some((key, id)) = &self.upload else {
            let key = format!("/plain/upload-{}-{}", self.id, self.count);
            return Write {
                kind: "upload",
                method: "POST",
                target: format!("{key}?uploads"),
                body: String::new(),
                shows: (key, None),
            };
        };
        let list = format!("{key}?uploadId={id}");
        let parts = self.known.get(&list).cloned().flatten();
        let part = |number: u32| Write {
            kind: "part",
            method: "PUT",
            target: format!("{key}?partNumber={number}&uploadId={id}"),
            shows: (
                list.clone(),
                Some(format!("<PartNumber>{number}</PartNumber>")),
            ),
            body: text.clone(),
        };
        match parts.as_deref() {
            None => part(1),
            Some("<PartNumber>1</PartNumber>") => part(2),
            Some(_) => {
                let body = |number| self.known[&format!("part {number}")].clone().unwrap();
                let (one, two) = (body(1), body(2));
                let entry = |number: u32, body: &str| {
                    let etag = hex(body);
                    format!("<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag></Part>")
                };
                let entries = entry(1, &one) + &entry(2, &two);
                Write {
                    kind: "completion",
                    method: "POST",
                    target: list,
                    body: format!("<CompleteMultipartUpload>{entries}</CompleteMultipartUpload>"),
                    shows: (key.clone(), Some(one + &two)),
                }
            }
        }
    }

    /// Takes in what an acknowledged write has done.
    fn acknowledged(&mut self, write: Write, version: &str, answer: &str) {
        let (mut target, found) = write.shows;
        match write.kind {
            "version" => target = format!("{}?versionId={version}", write.target),
            "upload" => {
                let (_, rest) = answer.split_once("<UploadId>").unwrap();
                let (id, _) = rest.split_once("</UploadId>").unwrap();
                self.upload = Some((target.clone(), id.to_owned()));
            }
            "part" => {
                let number = if write.target.contains("partNumber=1&") {
                    1
                } else {
                    2
                };
                self.known
                    .insert(format!("part {number}"), Some(write.body));
            }
            "completion" => {
                self.upload = None;
                self.known.insert(write.target, None);
                self.known.retain(|target, _| !target.starts_with("part "));
            }
            _ => {}
        }
        self.known.insert(target, found);
        *self.kinds.entry(write.kind).or_default() += 1;
    }

    async fn run(&mut self, host: &str, acks: &AtomicUsize, enough: (usize, &Notify)) {
        let (signer, mut stream) = (signer(host), connect(host).await);
        loop {
            let write = self.next();
            let request = signer.request(write.method, &write.target, &[], write.body.as_bytes());
            // A part whose answer was lost is sent again, with another text.
            let doubtful = !matches!(write.kind, "version" | "upload" | "part");
            self.doubtful = doubtful.then(|| write.shows.clone());
            let Ok((status, version, answer)) = exchange(&mut stream, &request).await else {
                return;
            };
            assert!(
                (200..300).contains(&status),
                "{} {}: {answer}",
                write.kind,
                write.target
            );
            self.doubtful = None;
            self.acknowledged(write, &version, &answer);
            if acks.fetch_add(1, Ordering::Relaxed) + 1 == enough.0 {
                enough.1.notify_one();
            }
        }
    }

    /// Compares what is there with what was acknowledged, and settles what was in doubt.
    async fn check(&mut self, host: &str) {
        let (signer, mut stream) = (signer(host), connect(host).await);
        let mut at = async |target: &str| {
            let request = signer.request("GET", target, &[], b"");
            let (status, _, body) = exchange(&mut stream, &request).await.unwrap();
            assert!(matches!(status, 200 | 404), "{target}: {status} {body}");
            (status == 200).then_some(body)
        };
        if let Some((target, becomes)) = self.doubtful.take() {
            let found = at(&target).await;
            let was = self.known.get(&target).cloned().flatten();
            assert!(
                is(&found, &was) || is(&found, &becomes),
                "{target}: {found:?}, not {was:?} or {becomes:?}"
            );
            let happened = is(&found, &becomes);
            self.known
                .insert(target.clone(), if happened { becomes } else { was });
            if happened && self.upload.as_ref().is_some_and(|(key, _)| *key == target) {
                // It was completed; its end may have been cut off, or not.
                self.upload = None;
                self.known.retain(|target, _| !target.contains("uploadId"));
                self.known.retain(|target, _| !target.starts_with("part "));
            }
        }
        for (target, wanted) in &self.known {
            if target.starts_with('/') {
                let found = at(target).await;
                assert!(is(&found, wanted), "{target}: {found:?}, not {wanted:?}");
            }
        }
    }
}

fn hex(body: &str) -> String {
    use md5::{Digest, Md5};
    let digest = Md5::digest(body.as_bytes());
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

async fn kill_again_and_again(name: &str, args: &[&str], moments: &[usize]) {
    let dir = folder(name);
    let args = [&["--part-min", "1"], args].concat();
    let start = || Program::start("--dir", &dir, &args);
    let mut program = start();
    let mut stream = connect(&program.host).await;
    let mut writers = Vec::new();
    let versioning = "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>";
    let mut first = vec![
        ("/plain".to_owned(), ""),
        ("/versions".to_owned(), ""),
        ("/versions?versioning".to_owned(), versioning),
    ];
    for id in 0..4 {
        first.push((format!("/own-{id}"), ""));
        first.push((format!("/plain/tagged-{id}"), "tagged"));
        writers.push(Writer {
            id,
            ..Writer::default()
        });
    }
    for (target, body) in first {
        let request = signer(&program.host).request("PUT", &target, &[], body.as_bytes());
        let (status, _, answer) = exchange(&mut stream, &request).await.unwrap();
        assert_eq!(status, 200, "{target}: {answer}");
    }
    for &moment in moments {
        let acks = Arc::new(AtomicUsize::new(0));
        let enough = Arc::new(Notify::new());
        let mut running = Vec::new();
        for mut writer in writers.drain(..) {
            let (host, acks) = (program.host.clone(), Arc::clone(&acks));
            let enough = Arc::clone(&enough);
            running.push(tokio::spawn(async move {
                writer.run(&host, &acks, (moment, &enough)).await;
                writer
            }));
        }
        // The others are somewhere in the middle of theirs.
        enough.notified().await;
        program.kill();
        for writer in running {
            writers.push(writer.await.unwrap());
        }
        program = start();
        for writer in &mut writers {
            writer.check(&program.host).await;
        }
    }
    program.kill();
    if moments.iter().sum::<usize>() > 500 {
        for writer in &writers {
            assert_eq!(writer.kinds.len(), 10, "{:?}", writer.kinds);
        }
    }
    std::fs::remove_dir_all(dir).unwrap();
}

#[tokio::test]
async fn what_was_acknowledged_outlives_a_kill_at_any_moment() {
    // A short journal, so that it is folded all the time.
    let args = ["--journal-max", "20000"];
    let moments = [1, 40, 333, 57, 400, 90, 3, 211, 150];
    kill_again_and_again("s3-killed", &args, &moments).await;
}

#[tokio::test]
async fn flushed_writes_are_no_worse() {
    kill_again_and_again("s3-killed-fsync", &["--fsync"], &[30, 101, 7]).await;
}

#[tokio::test]
async fn an_emulator_in_a_program_keeps_both_halves_in_one_folder() {
    let dir = folder("s3-embedded");
    let start = || Emulator::builder().dir(&dir).fsync(true).start();
    let emulator = start().await.unwrap();
    let host = emulator.addr().to_string();
    let signer = Signer::new(emulator.access_key(), emulator.secret_key(), &host);
    let create = signer.request("PUT", "/bkt", &[], b"");
    let (status, ..) = exchange(&mut connect(&host).await, &create).await.unwrap();
    assert_eq!(status, 200);
    let taken = start().await.unwrap_err();
    assert!(taken.to_string().contains("in use"), "{taken}");
    emulator.shutdown().await;
    let emulator = start().await.unwrap();
    let host = emulator.addr().to_string();
    let signer = Signer {
        host: host.clone(),
        ..signer
    };
    let list = signer.request("GET", "/", &[], b"");
    let (_, _, names) = exchange(&mut connect(&host).await, &list).await.unwrap();
    assert!(names.contains("<Name>bkt</Name>"), "{names}");
    emulator.shutdown().await;
    let mut halves: Vec<_> = std::fs::read_dir(&dir)
        .unwrap()
        .map(|it| it.unwrap().file_name())
        .collect();
    halves.sort();
    assert_eq!(halves, ["s3", "sdb"]);
    std::fs::remove_dir_all(dir).unwrap();
    let without = Emulator::builder().fsync(true).start().await.unwrap_err();
    assert!(without.to_string().contains("need a folder"), "{without}");
}
