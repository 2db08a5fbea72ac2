//! Domains on disk: the program is killed again and again, and nothing it acknowledged is lost.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use emulator::{Emulator, SdbOptions};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Notify;

use crate::bench::Signer;
use crate::program::{self, folder};
use crate::wire::Wire;

/// The program as a process of its own.
struct Program {
    child: program::Program,
    signer: Signer,
}

impl Program {
    fn start(dir: &Path, args: &[&str]) -> Self {
        let child = program::Program::start("--sdb-dir", dir, args);
        let signer = Signer::of("AK", "secret", &child.host);
        Self { child, signer }
    }

    /// SIGKILL: it has no time for anything.
    fn kill(self) {
        self.child.kill();
    }

    async fn wire(&self) -> Wire {
        Wire::open(self.signer.host.parse().unwrap()).await
    }

    /// The value of each item.
    async fn items(&self) -> BTreeMap<String, String> {
        let mut wire = self.wire().await;
        let mut items = BTreeMap::new();
        let mut token = String::new();
        loop {
            let mut params = vec![
                ("Action", "Select"),
                ("SelectExpression", "select v from dom limit 2500"),
            ];
            if !token.is_empty() {
                params.push(("NextToken", token.as_str()));
            }
            let reply = wire.call(&self.signer.request(&params)).await;
            assert_eq!(reply.status, 200, "{}", reply.text());
            // Each item has its name and one attribute of one value.
            let names: Vec<_> = reply.all("Name").into_iter().step_by(2).collect();
            let values = reply.all("Value");
            assert_eq!(names.len(), values.len());
            let pairs = names.into_iter().zip(values);
            items.extend(pairs.map(|(name, value)| (name.to_owned(), value.to_owned())));
            match reply.all("NextToken").first() {
                Some(next) => token = (*next).to_owned(),
                None => return items,
            }
        }
    }
}

/// Head and body of a reply, or how the connection ended before it was whole.
async fn exchange(
    stream: &mut tokio::io::BufReader<TcpStream>,
    request: &[u8],
) -> std::io::Result<String> {
    stream.get_mut().write_all(request).await?;
    let mut reply = String::new();
    let mut length = 0;
    loop {
        let start = reply.len();
        if stream.read_line(&mut reply).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        let line = reply[start..].trim_end();
        if let Some(value) = line.strip_prefix("content-length: ") {
            length = value.parse().unwrap();
        }
        if line.is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await?;
    Ok(reply + std::str::from_utf8(&body).unwrap())
}

/// Writes of one connection, one after another, until the server is gone.
#[derive(Default)]
struct Writer {
    id: usize,
    count: usize,
    /// What each item is after what was acknowledged.
    items: BTreeMap<String, Option<String>>,
    /// What one item becomes by a write whose answer was lost.
    doubtful: Option<(String, Option<String>)>,
}

impl Writer {
    async fn run(&mut self, signer: &Signer, acks: &AtomicUsize, enough: (usize, &Notify)) {
        let Ok(stream) = TcpStream::connect(&signer.host).await else {
            return;
        };
        let mut stream = tokio::io::BufReader::new(stream);
        loop {
            self.count += 1;
            let item = format!("{}-{}", self.id, self.count * 7 % 40);
            let value = (self.count % 5 != 4).then(|| self.count.to_string());
            let mut params = vec![("DomainName", "dom")];
            match &value {
                Some(value) if self.count.is_multiple_of(3) => params.extend([
                    ("Action", "BatchPutAttributes"),
                    ("Item.1.ItemName", item.as_str()),
                    ("Item.1.Attribute.1.Name", "v"),
                    ("Item.1.Attribute.1.Value", value),
                    ("Item.1.Attribute.1.Replace", "true"),
                ]),
                Some(value) => params.extend([
                    ("Action", "PutAttributes"),
                    ("ItemName", item.as_str()),
                    ("Attribute.1.Name", "v"),
                    ("Attribute.1.Value", value),
                    ("Attribute.1.Replace", "true"),
                ]),
                None => {
                    params.extend([("Action", "DeleteAttributes"), ("ItemName", item.as_str())]);
                }
            }
            let request = signer.request(&params);
            self.doubtful = Some((item, value));
            let Ok(reply) = exchange(&mut stream, &request).await else {
                return;
            };
            assert!(reply.starts_with("HTTP/1.1 200 "), "{reply}");
            self.items.extend(self.doubtful.take());
            if acks.fetch_add(1, Ordering::Relaxed) + 1 == enough.0 {
                enough.1.notify_one();
            }
        }
    }

    /// Compares what is there with what was acknowledged, and settles what was in doubt.
    fn check(&mut self, found: &BTreeMap<String, String>) {
        if let Some((item, becomes)) = self.doubtful.take() {
            let is = found.get(&item).cloned();
            let was = self.items.get(&item).cloned().flatten();
            assert!(
                is == was || is == becomes,
                "{item}: {is:?}, not {was:?} or {becomes:?}"
            );
            self.items.insert(item, is);
        }
        for (item, value) in &self.items {
            assert_eq!(found.get(item), value.as_ref(), "{item}");
        }
    }
}

async fn kill_again_and_again(name: &str, args: &[&str], moments: &[usize]) {
    let dir = folder(name);
    let mut program = Program::start(&dir, args);
    let create = [("Action", "CreateDomain"), ("DomainName", "dom")];
    let create = program.signer.request(&create);
    assert_eq!(program.wire().await.call(&create).await.status, 200);
    let mut writers: Vec<_> = (0..4)
        .map(|id| Writer {
            id,
            ..Writer::default()
        })
        .collect();
    for &moment in moments {
        let acks = Arc::new(AtomicUsize::new(0));
        let enough = Arc::new(Notify::new());
        let mut running = Vec::new();
        for mut writer in writers.drain(..) {
            let (signer, acks) = (program.signer.clone(), Arc::clone(&acks));
            let enough = Arc::clone(&enough);
            running.push(tokio::spawn(async move {
                writer.run(&signer, &acks, (moment, &enough)).await;
                writer
            }));
        }
        // The others are somewhere in the middle of theirs.
        enough.notified().await;
        program.kill();
        for writer in running {
            writers.push(writer.await.unwrap());
        }
        program = Program::start(&dir, args);
        let found = program.items().await;
        for writer in &mut writers {
            writer.check(&found);
        }
        let known = writers.iter().flat_map(|writer| writer.items.values());
        assert_eq!(known.flatten().count(), found.len());
    }
    program.kill();
    std::fs::remove_dir_all(dir).unwrap();
}

#[tokio::test]
async fn what_was_acknowledged_outlives_a_kill_at_any_moment() {
    // A short journal, so that it is folded all the time.
    let args = ["--sdb-journal-max", "20000"];
    let moments = [1, 40, 333, 57, 701, 90, 500, 3, 211, 150];
    kill_again_and_again("killed", &args, &moments).await;
}

#[tokio::test]
async fn flushed_writes_are_no_worse() {
    let moments = [30, 101, 7];
    kill_again_and_again("killed-fsync", &["--fsync"], &moments).await;
}

#[tokio::test]
async fn an_emulator_in_a_program_keeps_its_domains_too() {
    let dir = folder("embedded");
    let sdb = SdbOptions::default().dir(&dir).fsync(true);
    let start = || Emulator::builder().sdb(sdb.clone()).start();
    let call = async |emulator: &Emulator, params: &[(&str, &str)]| {
        let mut wire = Wire::open(emulator.addr()).await;
        wire.call(&Signer::new(emulator).request(params)).await
    };
    let emulator = start().await.unwrap();
    let create = [("Action", "CreateDomain"), ("DomainName", "dom")];
    assert_eq!(call(&emulator, &create).await.status, 200);
    let taken = start().await.unwrap_err();
    assert!(taken.to_string().contains("in use"), "{taken}");
    emulator.shutdown().await;
    let emulator = start().await.unwrap();
    let list = call(&emulator, &[("Action", "ListDomains")]).await;
    assert_eq!(list.all("DomainName"), ["dom"]);
    emulator.shutdown().await;
    std::fs::remove_dir_all(dir).unwrap();
}

#[test]
fn a_damaged_folder_ends_the_program_with_a_sentence() {
    let dir = folder("damaged");
    std::fs::create_dir_all(&dir).unwrap();
    std::fs::write(dir.join("journal-0000000000"), "not this").unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_emulator"))
        .arg("--sdb-dir")
        .arg(&dir)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(
        text.starts_with("emulator: ") && text.contains("not a journal"),
        "{text}"
    );
    std::fs::remove_dir_all(dir).unwrap();
}
