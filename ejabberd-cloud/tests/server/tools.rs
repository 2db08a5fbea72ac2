//! The tools of others that the tests need, and a sentence for each that is missing.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// The folder of this package.
pub(crate) fn package() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The folder with the compiled shims, which are built once for all tests of this process.
pub(crate) fn shims() -> &'static Path {
    static SHIMS: OnceLock<PathBuf> = OnceLock::new();
    SHIMS.get_or_init(|| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("shims");
        // It says itself what is missing, and how to install it.
        let built = Command::new(package().join("erlang/build.sh"))
            .arg(&folder)
            .arg(package().join("tests/server/cloud_probe.erl"))
            .arg(package().join("tests/server/cloud_receipts_test.erl"))
            .output()
            .expect("bash is needed");
        assert!(built.status.success(), "{built:?}");
        folder
    })
}

/// A Python that has slixmpp.
pub(crate) fn python() -> PathBuf {
    let own = package().join("../target/python/bin/python3");
    let has_it = |python: &PathBuf| {
        let asked = Command::new(python).args(["-c", "import slixmpp"]).output();
        asked.is_ok_and(|asked| asked.status.success())
    };
    let found = [own, "python3".into()].into_iter().find(has_it);
    found.expect("no Python here has slixmpp: pip install slixmpp, or ./test.sh --setup")
}
