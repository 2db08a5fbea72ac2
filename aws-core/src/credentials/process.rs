//! Keys that another program prints.

use std::io::Read as _;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;

use super::fetch::{self, Fetched, MAX_ANSWER};
use super::{CredentialsError, Provided, json};

/// How long a program may take.
const TIMEOUT: Duration = Duration::from_secs(60);

const NAME: &str = "the credential_process";

type Printed = std::io::Result<(bool, Vec<u8>)>;

/// A program under way, which is ended when nobody waits for it any more.
struct Running(Arc<Mutex<Option<Child>>>);

impl Drop for Running {
    fn drop(&mut self) {
        let mut child = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(child) = child.as_mut() {
            let _gone = child.kill();
        }
    }
}

/// Runs a command line and reads the keys that it prints, as
/// [a JSON object](https://docs.aws.amazon.com/sdkref/latest/guide/feature-process-credentials.html). Nothing of the
/// line or of what is printed is told.
pub(super) async fn keys(line: &str) -> Fetched<Provided> {
    let bad = |why: &str| CredentialsError::broken(format!("{NAME} {why}"));
    let words = words(line).ok_or_else(|| bad("has an open quote"))?;
    let (program, arguments) = words.split_first().ok_or_else(|| bad("is empty"))?;
    let mut command = Command::new(program);
    command
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    let slot = Arc::new(Mutex::new(None));
    let running = Running(slot.clone());
    let (tell, told) = oneshot::channel();
    // A program is waited for by blocking, and this crate brings no runtime of its own.
    std::thread::spawn(move || {
        let _gone = tell.send(run(command, &slot));
    });
    let told = tokio::time::timeout(TIMEOUT, told).await;
    drop(running);
    let (ok, printed) = told
        .map_err(|_| bad("takes longer than a minute"))?
        .map_err(|_| bad("was given up"))?
        .map_err(|cause| bad("cannot be run").with_source(cause))?;
    // It may have failed because nobody reads on.
    if printed.len() > MAX_ANSWER {
        return Err(bad("prints too much"));
    }
    if !ok {
        return Err(bad("has failed"));
    }
    let version = json::scalars(&printed).and_then(|members| {
        let is_it = |(name, _): &(String, String)| name == "Version";
        members.into_iter().find(is_it).map(|(_, version)| version)
    });
    if version.is_some_and(|version| version != "1") {
        return Err(bad("prints a Version other than 1"));
    }
    fetch::keys(NAME, &printed)
}

fn run(mut command: Command, slot: &Mutex<Option<Child>>) -> Printed {
    let mut child = command.spawn()?;
    let out = child.stdout.take();
    let lock = || slot.lock().unwrap_or_else(PoisonError::into_inner);
    *lock() = Some(child);
    let mut printed = Vec::new();
    if let Some(out) = out {
        out.take(MAX_ANSWER as u64 + 1).read_to_end(&mut printed)?;
    }
    let child = lock().take();
    let ok = match child {
        Some(mut child) => child.wait()?.success(),
        None => false,
    };
    Ok((ok, printed))
}

/// The words of a command line: quotes keep blanks, and a backslash the next character, but not within single quotes.
/// No shell is asked.
pub(crate) fn words(line: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut rest = line.chars();
    while let Some(c) = rest.next() {
        match (c, quote) {
            (c, Some(open)) if c == open => quote = None,
            ('\\', None | Some('"')) => word.get_or_insert_default().push(rest.next()?),
            ('"' | '\'', None) => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (c, None) if c.is_whitespace() => words.extend(word.take()),
            (c, _) => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    quote.is_none().then_some(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_words() {
        for (line, expected) in [
            ("", Some(vec![])),
            ("  a  b\t", Some(vec!["a", "b"])),
            (
                "'/opt/my tool' --x=\"a \\\" b\" '' \\ c",
                Some(vec!["/opt/my tool", "--x=a \" b", "", " c"]),
            ),
            ("a'b\\'c", Some(vec!["ab\\c"])),
            ("a 'b", None),
            ("a \"b", None),
            ("a\\", None),
        ] {
            let found = words(line);
            let found: Option<Vec<&str>> = found
                .as_ref()
                .map(|words| words.iter().map(String::as_str).collect());
            assert_eq!(found, expected, "{line}");
        }
    }
}
