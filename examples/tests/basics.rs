//! The short examples run, and the README shows them as they are.
#![allow(clippy::unwrap_used)]

mod common;

use std::path::Path;

use common::{example, outcome};
use emulator::Emulator;

#[test]
fn the_s3_program_runs() {
    let (code, stdout, stderr) = outcome(&mut example("s3_basics"));
    assert_eq!((code, &*stderr), (Some(0), ""));
    let expected = "Some(\"sleepy\")\n\
                    it begins with b\"me\"\n\
                    2009/cat.jpg: 4 bytes\n\
                    gone: true\n";
    assert_eq!(stdout, expected);
}

#[test]
fn the_simpledb_program_runs() {
    let (code, stdout, stderr) = outcome(&mut example("sdb_basics"));
    assert_eq!((code, &*stderr), (Some(0), ""));
    let expected = "refused: true\n\
                    u1, version Some(\"4\")\n";
    assert!(stdout.starts_with(expected), "{stdout}");
    assert!(stdout.ends_with(" machine hours\n"), "{stdout}");
}

/// A home with one profile, which says the server and the keys of this emulator.
fn home(emulator: &Emulator, service: &str) -> tempfile::TempDir {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join(".aws");
    std::fs::create_dir(&folder).unwrap();
    let config = format!(
        "[profile work]\nregion = eu-west-1\nservices = local\n[services local]\n{service} =\n  endpoint_url = {}\n",
        emulator.url()
    );
    let keys = format!(
        "[work]\naws_access_key_id = {}\naws_secret_access_key = {}\n",
        emulator.access_key(),
        emulator.secret_key()
    );
    std::fs::write(folder.join("config"), config).unwrap();
    std::fs::write(folder.join("credentials"), keys).unwrap();
    home
}

#[test]
fn a_profile_alone_leads_to_its_server() {
    for (name, service, line) in [
        ("s3_basics", "s3", "gone: true"),
        ("sdb_basics", "simpledb", "refused: true"),
    ] {
        let emulator = Emulator::start_blocking().unwrap();
        let home = home(&emulator, service);
        let run = |profile: &str| {
            let mut program = example(name);
            outcome(program.env("HOME", home.path()).env("AWS_PROFILE", profile))
        };
        let (code, stdout, stderr) = run("work");
        assert_eq!((code, &*stderr), (Some(0), ""), "{name}");
        assert!(stdout.contains(line), "{stdout}");
        let (code, _, stderr) = run("other");
        assert_eq!(code, Some(1));
        let told = format!("{name}: there is no profile other in ");
        assert!(
            stderr.starts_with(&told) && stderr.lines().count() == 1,
            "{stderr}"
        );
        // It was this server that was spoken to: with it gone, nothing works.
        drop(emulator);
        assert_eq!(run("work").0, Some(1));
    }
}

#[test]
fn a_server_without_keys_is_refused() {
    let mut program = example("s3_basics");
    program
        .env("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
        .env("HOME", std::env::temp_dir())
        .env("AWS_EC2_METADATA_DISABLED", "true");
    let (code, _, stderr) = outcome(&mut program);
    assert_eq!(code, Some(1));
    assert!(stderr.contains("AWS_ACCESS_KEY_ID"), "{stderr}");
    assert!(stderr.starts_with("s3_basics: ") && stderr.lines().count() == 1);
}

#[test]
fn short_programs_explain_themselves_and_refuse_arguments() {
    for name in ["s3_basics", "sdb_basics"] {
        let (code, stdout, _) = outcome(example(name).arg("--help"));
        assert_eq!(code, Some(0));
        assert!(
            stdout.contains("AWS_PROFILE") && stdout.contains("emulator"),
            "{stdout}"
        );
        let (code, _, stderr) = outcome(example(name).arg("extra"));
        assert_eq!(code, Some(2), "{stderr}");
    }
}

/// Nobody reads what these print, as behind `| head` that has seen enough.
#[test]
fn a_closed_pipe_ends_programs_quietly() {
    for (name, args) in [
        ("s3_basics", &[][..]),
        ("sdb_basics", &[]),
        ("sdb", &[]),
        ("sdb_batcher", &["--items", "20"]),
        ("sdb_dump", &["--items", "20", "dump.jsonl"]),
        ("small_objects", &["--count", "20"]),
        ("ec2_nodes", &["--once"]),
        ("ec2_panes", &[]),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut program = example(name);
        program.args(args).current_dir(folder.path()).stdout(writer);
        let output = program.output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(0), "{name}: {stderr}");
        assert!(
            !stderr.contains("pipe") && !stderr.contains("panic"),
            "{name}: {stderr}"
        );
    }
}

#[test]
fn the_readme_shows_both_programs() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let readme = std::fs::read_to_string(here.join("../README.md")).unwrap();
    for name in ["s3_basics.rs", "sdb_basics.rs"] {
        let source = std::fs::read_to_string(here.join(name)).unwrap();
        let start = source.find("\nuse ").unwrap() + 1;
        let end = source.find("\n\n#[tokio::main").unwrap() + 1;
        let shown = format!("```rust\n{}```\n", &source[start..end]);
        assert!(
            readme.contains(&shown),
            "README.md does not show {name} as it is:\n{shown}"
        );
    }
}
