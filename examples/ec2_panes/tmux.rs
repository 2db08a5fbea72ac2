//! Panes of [tmux](https://man.openbsd.org/tmux), on a server of their own, so that its options are nobody else's.
//!
//! tmux runs a command of one argument by a shell, and one of several as it is. So each is started by `env`, and none
//! is of one argument.

use std::io;
use std::process::Command;

/// What tmux is asked for, one call after another.
pub(crate) fn calls(session: &str, commands: &[Vec<String>]) -> Vec<Vec<String>> {
    let mut calls = Vec::new();
    for (index, command) in commands.iter().enumerate() {
        let mut call = match index {
            // The panes stay when their commands have ended; that has to be known before the first begins.
            0 => words(&[
                "start-server",
                ";",
                "set-option",
                "-g",
                "remain-on-exit",
                "on",
                ";",
                "new-session",
                "-d",
                "-x",
                "200",
                "-y",
                "50",
                "-s",
                session,
                "--",
                "env",
            ]),
            _ => words(&["split-window", "-t", session, "--", "env"]),
        };
        // A semicolon at the end of an argument would end the command for tmux.
        call.extend(command.iter().map(|word| match word.strip_suffix(';') {
            Some(stem) => format!("{stem}\\;"),
            None => word.clone(),
        }));
        calls.push(call);
        // There is no room for another pane in one that is small.
        calls.push(words(&["select-layout", "-t", session, "tiled"]));
    }
    calls
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

/// Opens a pane for each command, and shows them.
pub(crate) fn open(session: &str, commands: &[Vec<String>], detached: bool) -> io::Result<()> {
    for call in calls(session, commands) {
        run(session, &call)?;
    }
    match detached {
        true => Ok(()),
        false => run(session, &words(&["attach-session", "-t", session])),
    }
}

fn run(server: &str, call: &[String]) -> io::Result<()> {
    let failed = |what: String| io::Error::other(format!("tmux: {what}"));
    let status = Command::new("tmux")
        .args(["-L", server])
        .args(call)
        .status();
    let status = status.map_err(|error| failed(error.to_string()))?;
    match status.success() {
        true => Ok(()),
        false => Err(failed(format!("{status}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_command_goes_through_a_shell() {
        let commands = ["ssh a@10.0.0.1", "htop", "echo x;"]
            .map(|text| text.split(' ').map(str::to_owned).collect::<Vec<_>>());
        let calls = calls("s", &commands);
        let lines: Vec<_> = calls.iter().map(|call| call.join(" ")).collect();
        assert!(lines[0].ends_with("new-session -d -x 200 -y 50 -s s -- env ssh a@10.0.0.1"));
        assert_eq!(lines[2], "split-window -t s -- env htop");
        assert_eq!(lines[4], "split-window -t s -- env echo x\\;");
        for call in calls
            .iter()
            .filter(|call| call.iter().any(|word| word == "env"))
        {
            let behind = call.iter().skip_while(|word| *word != "--").skip(1);
            assert!(behind.count() >= 2, "{call:?}");
        }
    }
}
