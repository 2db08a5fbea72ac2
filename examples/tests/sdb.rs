//! The tools for SimpleDB do what they say, alone and together over one server.
#![allow(clippy::unwrap_used)]

mod common;

use std::path::PathBuf;
use std::process::{Command, Stdio};

use common::{example, outcome};
use emulator::Emulator;
use md5::{Digest, Md5};
use sdb_client::query::Query;
use sdb_client::{Credentials, PutItem, SdbClient};
use serde_json::{Value, json};

/// A folder of its own, which goes with the value.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    fn names(&self) -> Vec<String> {
        let entries = self.0.read_dir().unwrap();
        let mut names: Vec<_> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort_unstable();
        names
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn over(service: &Emulator, name: &str) -> Command {
    let mut command = example(name);
    command
        .env("SDB_ENDPOINT", service.url())
        .env("S3_ENDPOINT", service.url())
        .env("AWS_ACCESS_KEY_ID", service.access_key())
        .env("AWS_SECRET_ACCESS_KEY", service.secret_key());
    command
}

fn client(service: &Emulator) -> SdbClient {
    let keys = Credentials::new(service.access_key(), service.secret_key());
    let builder = SdbClient::builder().endpoint(service.url());
    builder.credentials(keys).build().unwrap()
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

/// A domain of 60 items, among them some with nasty names and values.
async fn fill(sdb: &SdbClient, name: &str) {
    let domain = sdb.domain(name);
    domain.create().await.unwrap();
    let mut items: Vec<_> = (0..55)
        .map(|i| {
            PutItem::new(format!("i{i:02}"))
                .add("n", i.to_string())
                .add("n", "all")
        })
        .collect();
    for nasty in ["'", "a\nb", "\u{1}", "caf\u{e9} `\"\\", "%"] {
        items.push(PutItem::new(nasty).add(nasty, nasty).add("empty", ""));
    }
    domain
        .batch_put()
        .items(items)
        .await
        .unwrap()
        .into_result()
        .unwrap();
}

async fn items(sdb: &SdbClient, domain: &str) -> Vec<String> {
    let select = sdb.select(Query::all(domain)).consistent(true);
    let items = select.items().try_collect_all().await.unwrap();
    let mut lines: Vec<_> = items.iter().map(examples::lines::write).collect();
    lines.sort_unstable();
    lines
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dump_is_restored_as_it_was() {
    let (service, folder) = (Emulator::start_blocking().unwrap(), Folder::new("sdb-dump"));
    let sdb = client(&service);
    fill(&sdb, "from").await;
    let file = folder.file("dump.jsonl");
    let mut dump = over(&service, "sdb_dump");
    dump.args(["--domain", "from", "--page", "7", "--json"])
        .arg(&file);
    let (code, stdout, stderr) = outcome(&mut dump);
    assert_eq!((code, &*stderr), (Some(0), ""));
    let report = json(&stdout);
    assert_eq!(
        (&report["items"], &report["pairs"]),
        (&json!(60), &json!(120))
    );
    assert_eq!(folder.names(), ["dump.jsonl"]);
    let text = std::fs::read_to_string(&file).unwrap();
    assert_eq!(text.lines().count(), 60);

    let mut restore = over(&service, "sdb_restore");
    restore.args(["--domain", "to.1", "--json"]).arg(&file);
    let (code, stdout, stderr) = outcome(&mut restore);
    assert_eq!((code, &*stderr), (Some(0), ""));
    assert_eq!(json(&stdout)["items_in_domain"], 60);
    assert_eq!(items(&sdb, "to.1").await, items(&sdb, "from").await);
    assert_eq!(folder.names(), ["dump.jsonl"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_go_on_where_they_were_stopped() {
    let (service, folder) = (
        Emulator::start_blocking().unwrap(),
        Folder::new("sdb-resume"),
    );
    let sdb = client(&service);
    fill(&sdb, "from").await;
    let (whole, file) = (folder.file("whole"), folder.file("dump"));
    let dump = |to: &PathBuf| {
        let mut dump = over(&service, "sdb_dump");
        dump.args(["--domain", "from", "--json"]).arg(to);
        let (code, stdout, stderr) = outcome(&mut dump);
        assert_eq!((code, &*stderr), (Some(0), ""));
        json(&stdout)
    };
    dump(&whole);
    let text = std::fs::read_to_string(&whole).unwrap();
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let bytes: usize = lines[..20].iter().map(|line| line.len()).sum();
    let last = examples::lines::read(lines[19]).unwrap();
    let marked = |domain: &str, mark: &str| {
        let endpoint = service.url();
        json!({
            "endpoint": endpoint, "domain": domain, "mark": mark, "items": 20, "pairs": 40, "bytes": bytes,
        })
        .to_string()
    };
    let state = |domain: &str| marked(domain, last.name());
    // It was stopped within a line.
    std::fs::write(folder.file("dump.part"), &text[..bytes + 9]).unwrap();
    std::fs::write(folder.file("dump.state"), state("from")).unwrap();
    let report = dump(&file);
    assert_eq!(
        (&report["items"], &report["items_of_earlier_runs"]),
        (&json!(60), &json!(20))
    );
    assert_eq!(std::fs::read_to_string(&file).unwrap(), text);
    // What another domain has left is no use.
    std::fs::write(folder.file("dump.part"), &text).unwrap();
    std::fs::write(folder.file("dump.state"), state("other")).unwrap();
    assert_eq!(dump(&file)["items_of_earlier_runs"], 0);
    assert_eq!(std::fs::read_to_string(&file).unwrap(), text);
    // Nor what another server has.
    let elsewhere = state("from").replace(&service.url(), "http://127.0.0.1:1");
    std::fs::write(folder.file("dump.part"), &text).unwrap();
    std::fs::write(folder.file("dump.state"), elsewhere).unwrap();
    assert_eq!(dump(&file)["items_of_earlier_runs"], 0);

    let digest: String = Md5::digest(&text[..bytes])
        .iter()
        .map(|b| format!("{b:02x}"))
        .collect();
    let state = |domain: &str| marked(domain, &digest);
    let restore = |domain: &str, state: String| {
        std::fs::write(folder.file("dump.restore"), state).unwrap();
        let mut restore = over(&service, "sdb_restore");
        outcome(restore.args(["--domain", domain, "--json"]).arg(&file))
    };
    let in_domain = |(code, stdout, stderr): (Option<i32>, String, String)| {
        assert_eq!((code, &*stderr), (Some(0), ""));
        let report = json(&stdout);
        assert_eq!(report["items"], 60);
        report["items_in_domain"].clone()
    };
    let elsewhere = state("whole").replace(&service.url(), "http://127.0.0.1:1");
    assert_eq!(in_domain(restore("whole", elsewhere)), 60);
    // A name of two characters is none.
    assert_eq!(restore("to", state("to")).0, Some(1));
    sdb.domain("part").create().await.unwrap();
    assert_eq!(in_domain(restore("part", state("part"))), 40);
    // The domain is gone, and what was written to it.
    assert_eq!(in_domain(restore("gone", state("gone"))), 60);
    // The source is another, of the same size.
    sdb.domain("new").create().await.unwrap();
    std::fs::write(&file, text.replacen("all", "any", 1)).unwrap();
    assert_eq!(in_domain(restore("new", state("new"))), 60);
    // What comes behind was not written yet.
    sdb.domain("more").create().await.unwrap();
    let line = "{\"name\":\"zz\",\"attributes\":{\"a\":[\"1\"]}}\n";
    std::fs::write(&file, text.clone() + line).unwrap();
    let (code, stdout, _) = restore("more", state("more"));
    assert_eq!(
        (code, &json(&stdout)["items_in_domain"]),
        (Some(0), &json!(41))
    );
    assert_eq!(folder.names(), ["dump", "whole"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dump_can_be_an_object() {
    let service = Emulator::start_blocking().unwrap();
    let sdb = client(&service);
    fill(&sdb, "from").await;
    let keys = Credentials::new(service.access_key(), service.secret_key());
    let s3 = s3_client::S3Client::builder()
        .endpoint(service.url())
        .credentials(keys);
    let bucket = s3.build().unwrap().bucket("dumps");
    bucket.create().await.unwrap();
    let target = format!("s3://dumps/daily/from-{}.jsonl", std::process::id());
    let (code, stdout, stderr) =
        outcome(over(&service, "sdb_dump").args(["--domain", "from", &target]));
    assert_eq!((code, &*stderr), (Some(0), ""));
    assert!(stdout.contains(&target), "{stdout}");
    let (code, _, stderr) =
        outcome(over(&service, "sdb_restore").args(["--domain", "copy", &target]));
    assert_eq!((code, &*stderr), (Some(0), ""));
    assert_eq!(items(&sdb, "copy").await, items(&sdb, "from").await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_object_is_restored_into_an_emulator() {
    let store = Emulator::start_blocking().unwrap();
    let keys = Credentials::new(store.access_key(), store.secret_key());
    let s3 = s3_client::S3Client::builder().endpoint(store.url());
    let bucket = s3.credentials(keys).build().unwrap().bucket("dumps");
    bucket.create().await.unwrap();
    let line = "{\"name\":\"u\",\"attributes\":{\"a\":[\"1\"]}}\n";
    bucket.put("one", line).await.unwrap();
    let mut restore = over(&store, "sdb_restore");
    restore.env_remove("SDB_ENDPOINT");
    let (code, stdout, stderr) = outcome(restore.args(["--json", "s3://dumps/one"]));
    assert_eq!((code, &*stderr), (Some(0), ""));
    assert_eq!(json(&stdout)["items_in_domain"], 1);
}

#[test]
fn a_bad_dump_is_named_by_its_line() {
    let folder = Folder::new("sdb-bad");
    let file = folder.file("bad");
    std::fs::write(
        &file,
        "{\"name\":\"u\",\"attributes\":{\"a\":[\"1\"]}}\nnonsense\n",
    )
    .unwrap();
    let (code, stdout, stderr) = outcome(example("sdb_restore").arg(&file));
    assert_eq!((code, &*stdout), (Some(1), ""));
    assert!(stderr.contains("item 2: "), "{stderr}");
    let (code, _, stderr) = outcome(example("sdb_restore").arg(folder.file("none")));
    assert_eq!(code, Some(1));
    assert!(stderr.contains("none"), "{stderr}");
    let (code, _, stderr) = outcome(example("sdb_dump").arg("s3://bucket-only"));
    assert_eq!(code, Some(2));
    assert!(stderr.contains("s3://bucket/key"), "{stderr}");
}

#[test]
fn the_shell_shows_a_table_or_json() {
    let rock =
        "select * from planets where kind = 'rock' and `radius km` > '06000' order by `radius km`";
    let (code, stdout, stderr) = outcome(example("sdb").arg(rock));
    assert_eq!((code, &*stderr), (Some(0), ""));
    let lines: Vec<_> = stdout.lines().collect();
    assert_eq!(lines[0], "itemName()  kind  moon  radius km");
    assert_eq!(lines[1], "venus       rock        06052");
    assert_eq!(lines[2], "earth       rock  moon  06371");
    assert!(lines[3].starts_with("2 items, 1 requests, "), "{stdout}");

    let (_, stdout, _) =
        outcome(example("sdb").args(["--json", "select * from planets where moon = 'io'"]));
    let expected = json!({
        "name": "jupiter",
        "attributes": {"kind": ["gas"], "moon": ["europa", "io"], "radius km": ["69911"]},
    });
    assert_eq!(json(&stdout), expected);

    let mut shell = example("sdb");
    shell
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = shell.spawn().unwrap();
    let commands = "domains\nsize planets\nselect COUNT(*) from planets\nnonsense\n\nquit\nselect";
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), commands.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let (stdout, stderr) = (
        String::from_utf8(output.stdout).unwrap(),
        String::from_utf8(output.stderr).unwrap(),
    );
    assert_eq!(output.status.code(), Some(1));
    assert!(
        stdout.starts_with("planets\nitems                  8\n"),
        "{stdout}"
    );
    assert!(stdout.contains("Domain      8"), "{stdout}");
    assert!(
        stderr.contains("InvalidQueryExpression") && stderr.lines().count() == 1,
        "{stderr}"
    );
}

#[test]
fn joining_saves_requests() {
    let (code, stdout, stderr) =
        outcome(example("sdb_batcher").args(["--items", "500", "--tasks", "50", "--json"]));
    assert_eq!((code, &*stderr), (Some(0), ""));
    let report = json(&stdout);
    let requests = |row: usize| report["rows"][row]["requests"].as_u64().unwrap();
    assert_eq!((requests(0), requests(2)), (500, 20));
    assert!(requests(1) < 200, "{report}");
    let (_, stdout, _) = outcome(example("sdb_batcher").args(["--items", "10"]));
    assert!(
        stdout.contains("single puts") && stdout.contains("Batcher"),
        "{stdout}"
    );
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batcher_that_is_interrupted_leaves_no_domain() {
    use std::io::Read;

    let service = Emulator::start_blocking().unwrap();
    let sdb = client(&service);
    // Some puts are answered when the test is over: it is interrupted among them.
    let gate = emulator::Gate::new();
    let rule = emulator::Rule::new(emulator::Fault::hold(&gate)).operation("PutAttributes");
    let held = service.faults().add(rule.times(2));
    let mut batcher = over(&service, "sdb_batcher");
    batcher.args(["--items", "1000"]).stderr(Stdio::piped());
    let mut child = batcher.spawn().unwrap();
    while held.count() == 0 {
        assert!(child.try_wait().unwrap().is_none());
        tokio::task::yield_now().await;
    }
    let made = sdb.list_domains().await.unwrap().names;
    assert!(
        made.len() == 1 && made[0].starts_with("batcher-"),
        "{made:?}"
    );
    let pid = child.id().to_string();
    let sent = Command::new("kill").args(["-INT", &pid]).status().unwrap();
    assert!(sent.success());
    let status = child.wait().unwrap();
    let mut stderr = String::new();
    child.stderr.unwrap().read_to_string(&mut stderr).unwrap();
    assert_eq!(
        (status.code(), &*stderr),
        (Some(1), "sdb_batcher: interrupted\n")
    );
    assert!(sdb.list_domains().await.unwrap().names.is_empty());
    gate.open();
}

#[test]
fn what_is_no_address_of_a_server_is_wrong_use() {
    for name in [
        "sdb",
        "sdb_batcher",
        "sdb_dump",
        "sdb_restore",
        "small_objects",
    ] {
        for wrong in ["ftp://files", "localhost:80", ""] {
            let (code, _, stderr) = outcome(example(name).args(["--endpoint", wrong]));
            assert_eq!(code, Some(2), "{name} {wrong}: {stderr}");
            assert!(stderr.contains("--endpoint <URL>"), "{stderr}");
        }
    }
    let (code, _, stderr) = outcome(example("sdb").env("SDB_ENDPOINT", "ftp://files"));
    assert_eq!(code, Some(2), "{stderr}");
    let (code, _, _) = outcome(example("sdb_dump").args(["--s3-endpoint", "files"]));
    assert_eq!(code, Some(2));
    let (code, _, _) = outcome(example("small_objects").args(["--sdb-endpoint", "files"]));
    assert_eq!(code, Some(2));
}
