//! What is run when a node has changed to a release: commands for all or for some of its files, and a signal.
//!
//! Each command is run once for a change, in the order in which they were told, by `sh -c`, in the folder of the release. Its
//! environment has `RELEASE`, `PREVIOUS` (empty at first), and `CHANGED_FILES`: the name of a file with the paths that are
//! new, have changed or are gone, one on a line. What they print goes to standard error, as standard output has events.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use globset::{GlobBuilder, GlobMatcher};
use rustix::process::{Pid, Signal, kill_process, kill_process_group};

use crate::error::{Error, Result};
use crate::release::manifest::Changes;

/// What is run after a change.
#[derive(Clone, Debug)]
pub struct Hooks {
    on: Vec<(GlobMatcher, String)>,
    then: Vec<String>,
    signal: Option<(Signal, PathBuf)>,
    timeout: Duration,
}

impl Default for Hooks {
    fn default() -> Self {
        Self {
            on: Vec::new(),
            then: Vec::new(),
            signal: None,
            timeout: Duration::from_secs(600),
        }
    }
}

impl Hooks {
    /// Nothing is run.
    pub fn new() -> Self {
        Self::default()
    }

    /// A command that is run after those for some files, whatever has changed.
    pub fn then(mut self, command: impl Into<String>) -> Self {
        self.then.push(command.into());
        self
    }

    /// A command that is run if a file has changed whose path fits: `*` and `?` stand for what is between two slashes, `**`
    /// for any number of folders, `[ab]` and `{a,b}` for one of several.
    ///
    /// A command that is told with several patterns is run once, if any of them fits.
    ///
    /// # Errors
    /// When the pattern is none.
    pub fn on(mut self, pattern: &str, command: impl Into<String>) -> Result<Self> {
        let glob = GlobBuilder::new(pattern).literal_separator(true).build();
        let glob = glob.map_err(|error| {
            let pattern = pattern.escape_debug();
            Error::usage(format!("{pattern} is no pattern: {}", error.kind()))
        })?;
        self.on.push((glob.compile_matcher(), command.into()));
        Ok(self)
    }

    /// A signal that is sent, after the commands, to the process whose number is in a file: `HUP`, `INT`, `QUIT`, `TERM`,
    /// `USR1` or `USR2`.
    ///
    /// # Errors
    /// When it is none of these.
    pub fn signal(mut self, name: &str, pid_file: impl Into<PathBuf>) -> Result<Self> {
        let signal = match name.strip_prefix("SIG").unwrap_or(name) {
            "HUP" => Signal::HUP,
            "INT" => Signal::INT,
            "QUIT" => Signal::QUIT,
            "TERM" => Signal::TERM,
            "USR1" => Signal::USR1,
            "USR2" => Signal::USR2,
            other => {
                let other = other.escape_debug();
                return Err(Error::usage(format!(
                    "{other} is no signal that can be sent: HUP, INT, QUIT, TERM, USR1, USR2"
                )));
            }
        };
        self.signal = Some((signal, pid_file.into()));
        Ok(self)
    }

    /// How long one command may take; then it is killed with all that it has started, and has failed. Defaults to 10 minutes.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// The commands for these changes, each once, in their order.
    fn commands(&self, changes: &Changes) -> Vec<&str> {
        let touched = |glob: &GlobMatcher| {
            let mut paths = changes.changed.iter().chain(&changes.removed);
            paths.any(|path| glob.is_match(path))
        };
        let mut commands: Vec<&str> = Vec::new();
        let on = self.on.iter().filter(|(glob, _)| touched(glob));
        for command in on.map(|(_, command)| command).chain(&self.then) {
            if !commands.contains(&&**command) {
                commands.push(command);
            }
        }
        commands
    }

    /// Runs all of it; a failure ends it.
    pub(super) async fn run(&self, change: &Change<'_>) -> Result<(), String> {
        let list = change.folder.join(".follow/changed");
        let changes = change.changes;
        let paths: Vec<&str> = changes
            .changed
            .iter()
            .chain(&changes.removed)
            .map(|path| &**path)
            .collect();
        let text = paths
            .iter()
            .map(|path| format!("{path}\n"))
            .collect::<String>();
        fs::write(&list, text).map_err(|error| format!("{}: {error}", list.display()))?;
        let root = change.folder.join(format!("releases/{}", change.to));
        for command in self.commands(changes) {
            let from = change.from.map(|from| from.to_string()).unwrap_or_default();
            let mut process = tokio::process::Command::new("sh");
            process
                .arg("-c")
                .arg(command)
                .current_dir(&root)
                .stdin(Stdio::null())
                .stdout(std::io::stderr());
            process
                .env("RELEASE", change.to.to_string())
                .env("PREVIOUS", from);
            process.env("CHANGED_FILES", &list).kill_on_drop(true);
            process.process_group(0);
            let told = |what: String| format!("{command}: {what}");
            let mut child = process.spawn().map_err(|error| told(error.to_string()))?;
            let mut group = Group(child.id());
            let ended = tokio::time::timeout(self.timeout, child.wait()).await;
            if ended.is_ok() {
                // What it has left to run in the background may go on.
                group.0 = None;
            }
            match ended {
                Err(_) => return Err(told(format!("it did not end in {:?}", self.timeout))),
                Ok(Err(error)) => return Err(told(error.to_string())),
                Ok(Ok(status)) if !status.success() => return Err(told(status.to_string())),
                Ok(Ok(_)) => {}
            }
        }
        match &self.signal {
            Some((signal, file)) => send(*signal, file),
            None => Ok(()),
        }
    }
}

/// The processes of a command, which are killed when this is dropped before the command has ended.
struct Group(Option<u32>);

impl Drop for Group {
    fn drop(&mut self) {
        let leader = self.0.and_then(|pid| i32::try_from(pid).ok());
        if let Some(leader) = leader.and_then(Pid::from_raw) {
            // Those that are gone already need no signal.
            let _gone = kill_process_group(leader, Signal::KILL);
        }
    }
}

/// What has changed on a node.
#[derive(Debug)]
pub(super) struct Change<'a> {
    pub(super) folder: &'a Path,
    pub(super) from: Option<u64>,
    pub(super) to: u64,
    pub(super) changes: &'a Changes,
}

fn send(signal: Signal, file: &Path) -> Result<(), String> {
    let told = |what: String| format!("{}: {what}", file.display());
    let text = fs::read_to_string(file).map_err(|error| told(error.to_string()))?;
    let number = text.trim().parse::<i32>().ok().filter(|pid| *pid > 0);
    let pid = number.and_then(Pid::from_raw);
    let pid = pid.ok_or_else(|| told("there is no number of a process in it".into()))?;
    kill_process(pid, signal).map_err(|error| told(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changes(changed: &[&str], removed: &[&str]) -> Changes {
        let owned = |paths: &[&str]| paths.iter().map(|path| (*path).to_owned()).collect();
        Changes {
            changed: owned(changed),
            removed: owned(removed),
        }
    }

    #[test]
    fn each_command_is_run_once_and_in_order() {
        let hooks = Hooks::new()
            .then("all")
            .on("mail/**", "mail")
            .and_then(|hooks| hooks.on("chat/**", "chat"))
            .and_then(|hooks| hooks.on("web/*.html", "web"))
            .and_then(|hooks| hooks.on("lib/{a,b}", "mail"))
            .unwrap();
        for (changed, removed, expected) in [
            (&["chat/a/b"][..], &[][..], &["chat", "all"][..]),
            (&["chat/a", "mail/x"], &[], &["mail", "chat", "all"]),
            (&["lib/b"], &["mail/x"], &["mail", "all"]),
            (&["web/x.html"], &[], &["web", "all"]),
            (&["web/a/x.html", "chat", "lib/c"], &[], &["all"]),
            (&[], &["chat/gone"], &["chat", "all"]),
        ] {
            assert_eq!(hooks.commands(&changes(changed, removed)), expected);
        }
        assert!(Hooks::new().on("a[", "x").is_err());
        assert!(Hooks::new().signal("KILL", "f").is_err());
        assert!(Hooks::new().signal("SIGHUP", "f").is_ok());
    }

    #[tokio::test]
    async fn commands_see_what_has_changed_and_the_first_failure_ends_it() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("releases/42")).unwrap();
        fs::create_dir_all(folder.path().join(".follow")).unwrap();
        let changes = changes(&["a b", "c"], &["d"]);
        let change = |from| Change {
            folder: folder.path(),
            from,
            to: 42,
            changes: &changes,
        };
        let hooks = Hooks::new().then(r#"echo "$RELEASE,$PREVIOUS,$(cat $CHANGED_FILES)" > out"#);
        let out = || fs::read_to_string(folder.path().join("releases/42/out")).unwrap();
        hooks.run(&change(Some(41))).await.unwrap();
        assert_eq!(out(), "42,41,a b\nc\nd\n");
        hooks.run(&change(None)).await.unwrap();
        assert_eq!(out(), "42,,a b\nc\nd\n");

        let hooks = Hooks::new().then("exit 3").then("echo never > out");
        let told = hooks.run(&change(None)).await.unwrap_err();
        assert_eq!(told, "exit 3: exit status: 3");
        assert!(out().starts_with("42,,"));
        let slow = Hooks::new()
            .then("sleep 60")
            .timeout(Duration::from_millis(20));
        let told = slow.run(&change(None)).await.unwrap_err();
        assert!(told.contains("did not end in 20ms"), "{told}");
    }

    #[tokio::test]
    async fn what_a_command_has_started_is_killed_with_it() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("releases/42")).unwrap();
        fs::create_dir_all(folder.path().join(".follow")).unwrap();
        let change = Change {
            folder: folder.path(),
            from: None,
            to: 42,
            changes: &Changes::default(),
        };
        let slow = Hooks::new()
            .then("(sleep 1; echo late > late) & wait")
            .timeout(Duration::from_millis(100));
        slow.run(&change).await.unwrap_err();
        tokio::time::sleep(Duration::from_millis(1500)).await;
        assert!(!folder.path().join("releases/42/late").exists());
    }

    #[tokio::test]
    async fn a_signal_goes_to_the_process_of_the_file_and_to_no_other() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("releases/42")).unwrap();
        fs::create_dir_all(folder.path().join(".follow")).unwrap();
        let file = folder.path().join("pid");
        let changes = Changes::default();
        let change = Change {
            folder: folder.path(),
            from: None,
            to: 42,
            changes: &changes,
        };
        let hooks = Hooks::new().signal("TERM", &file).unwrap();
        let mut child = std::process::Command::new("sleep")
            .arg("600")
            .spawn()
            .unwrap();
        fs::write(&file, format!("{}\n", child.id())).unwrap();
        hooks.run(&change).await.unwrap();
        let status = child.wait().unwrap();
        assert_eq!(
            std::os::unix::process::ExitStatusExt::signal(&status),
            Some(15)
        );
        // Neither a group of processes nor all of them.
        for text in ["", "0", "-1", "x"] {
            fs::write(&file, text).unwrap();
            let told = hooks.run(&change).await.unwrap_err();
            assert!(told.contains("no number of a process"), "{told}");
        }
    }
}
