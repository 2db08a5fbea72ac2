//! The short examples run, and the README shows them as they are.

mod common;

use std::path::Path;

use common::{example, outcome};

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

#[test]
fn a_server_without_keys_is_refused() {
    let (code, _, stderr) = outcome(example("s3_basics").env("S3_ENDPOINT", "http://127.0.0.1:1"));
    assert_eq!(code, Some(1));
    assert!(stderr.contains("AWS_ACCESS_KEY_ID"), "{stderr}");
    assert!(stderr.starts_with("s3_basics: ") && stderr.lines().count() == 1);
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
