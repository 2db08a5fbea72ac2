//! What goes wrong is one line that names the thing.

use emulator::Emulator;

use crate::common::outcome;
use crate::{Folder, against, failure, report, small_objects};

#[test]
fn wrong_keys_are_one_line_without_the_secret() {
    let emulator = Emulator::start_blocking().unwrap();
    let mut command = against(&emulator, &emulator.url());
    let line = failure(
        command
            .args(["--count", "3"])
            .env("AWS_SECRET_ACCESS_KEY", "not-the-secret"),
    );
    assert!(line.contains("SignatureDoesNotMatch"), "{line}");
    assert!(!line.contains("not-the-secret"), "{line}");
    let line = failure(command.env("AWS_ACCESS_KEY_ID", "NOBODY"));
    assert!(line.contains("InvalidAccessKeyId"), "{line}");
}

#[test]
fn the_older_names_of_the_keys_work() {
    let emulator = Emulator::start_blocking().unwrap();
    let mut command = against(&emulator, &emulator.url());
    command
        .env_remove("AWS_ACCESS_KEY_ID")
        .env_remove("AWS_SECRET_ACCESS_KEY")
        .env("AMAZON_ACCESS_KEY_ID", emulator.access_key())
        .env("AMAZON_SECRET_ACCESS_KEY", emulator.secret_key());
    assert_eq!(report(command.args(["--count", "3"])).0["files"], 3);
}

#[test]
fn missing_keys_are_named() {
    let line = failure(small_objects().args(["--count", "3", "--endpoint", "http://127.0.0.1:1"]));
    assert!(line.contains("AWS_ACCESS_KEY_ID"), "{line}");
}

#[test]
fn a_dead_server_is_named() {
    let free = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let url = format!("http://{free}");
    let mut command = small_objects();
    command
        .env("AWS_ACCESS_KEY_ID", "id")
        .env("AWS_SECRET_ACCESS_KEY", "secret");
    let line = failure(command.args(["--count", "3", "--no-sdb", "--endpoint", &url]));
    assert!(line.contains(&url) && line.contains("refused"), "{line}");
}

#[test]
fn an_unknown_bucket_or_domain_is_named() {
    let line = failure(small_objects().args(["--count", "3", "--bucket", "nonesuch"]));
    assert!(line.contains("there is no bucket nonesuch"), "{line}");
    let line = failure(small_objects().args(["--count", "3", "--domain", "nonesuch"]));
    assert!(
        line.contains("nonesuch") && line.contains("NoSuchDomain"),
        "{line}"
    );
}

#[test]
fn a_folder_that_cannot_be_read_is_named() {
    let folder = Folder::new();
    let missing = folder.0.join("missing");
    let line = failure(small_objects().arg("--from").arg(&missing));
    assert!(line.contains(missing.to_str().unwrap()), "{line}");
    folder.file("file", b"no folder");
    let line = failure(small_objects().arg("--from").arg(folder.0.join("file")));
    assert!(line.contains("file: "), "{line}");
    let empty = Folder::new();
    let line = failure(small_objects().arg("--from").arg(&empty.0));
    assert!(line.contains("no file"), "{line}");
}

#[test]
fn the_help_is_complete() {
    let (code, stdout, _) = outcome(small_objects().arg("--help"));
    assert_eq!(code, Some(0));
    for flag in [
        "--from",
        "--count",
        "--size",
        "--seed",
        "--concurrency",
        "--connections",
        "--depth",
        "--rounds",
        "--threads",
        "--cache",
        "--cache-ttl",
        "--price-get",
        "--price-box-hour",
        "--endpoint",
        "--sdb-endpoint",
        "--no-sdb",
        "--bucket",
        "--domain",
        "--keep",
        "--json",
    ] {
        assert!(stdout.contains(flag), "no {flag} in\n{stdout}");
    }
    let (code, _, stderr) = outcome(small_objects().arg("--nonsense"));
    assert_eq!(code, Some(2));
    assert!(stderr.contains("--nonsense"), "{stderr}");
}
