//! Panes of [tmux](https://man.openbsd.org/tmux), on a server of their own, so that its sessions are nobody else's.
//!
//! tmux runs a command of one argument by a shell, and one of several as it is. So each is started by this program, which
//! says what it starts and then becomes it.
//!
//! What a command says before it ends has to stay in sight. tmux moves the lines of a pane up when the pane becomes
//! smaller, so all panes are there before the first command begins; and it moves them up by one when a command has ended,
//! so the first line is the one that names the command.

use std::io::{self, IsTerminal as _, Write as _};
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};

use examples::table::plain;

/// The first argument of this program where it is to become the command of a pane, which follows.
pub(crate) const IN_PANE: &str = "--in-pane";

/// What tmux is asked for so that there is one more pane, in which nothing happens. It prints the id of the pane.
fn pane(session: &str, first: bool) -> Vec<String> {
    let mut call = match first {
        // The panes stay when their commands have ended.
        true => words(&[
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
        ]),
        false => words(&["split-window", "-t", session]),
    };
    // `cat` waits for input that does not come.
    call.extend(words(&["-P", "-F", "#{pane_id}", "--", "env", "cat"]));
    call
}

/// What tmux is asked for so that a command begins in a pane, by way of this program.
fn start(pane: &str, program: &str, command: &[String]) -> Vec<String> {
    let mut call = words(&["respawn-pane", "-k", "-t", pane, "--", program, IN_PANE]);
    // A semicolon at the end of an argument would end the command for tmux.
    call.extend(command.iter().map(|word| match word.strip_suffix(';') {
        Some(stem) => format!("{stem}\\;"),
        None => word.clone(),
    }));
    call
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

/// The name of a session: for tmux a dot or a colon in it ends it.
pub(crate) fn session(text: &str) -> Result<String, String> {
    let word = crate::template::word(text)?;
    match word.contains(['.', ':']) {
        true => Err("a name without . and : is expected".to_owned()),
        false => Ok(word),
    }
}

/// Opens a pane for each command, and shows them.
pub(crate) fn open(session: &str, commands: &[Vec<String>], detached: bool) -> io::Result<()> {
    let shown_by = format!("tmux -L {session} attach");
    if is_there(session)? {
        return Err(io::Error::other(format!(
            "the session {session} is there already: `{shown_by}` shows it, `tmux -L {session} kill-server` ends it"
        )));
    }
    // Half of the panes would stand in the way of the next try.
    begin(session, commands).inspect_err(|_| drop(run(session, &words(&["kill-server"]))))?;
    if !detached && io::stdin().is_terminal() && io::stdout().is_terminal() {
        return attach(session);
    }
    crate::say(&format!("`{shown_by}` shows the panes"));
    Ok(())
}

fn begin(session: &str, commands: &[Vec<String>]) -> io::Result<()> {
    let mut panes = Vec::with_capacity(commands.len());
    for _ in commands {
        panes.push(run(session, &pane(session, panes.is_empty()))?);
        // There is no room for another pane in one that is small.
        run(session, &words(&["select-layout", "-t", session, "tiled"]))?;
    }
    let program = std::env::current_exe()?;
    let program = program.to_str();
    let program = program.ok_or_else(|| io::Error::other("the path of this program is no text"))?;
    for (pane, command) in panes.iter().zip(commands) {
        run(session, &start(pane, program, command))?;
    }
    Ok(())
}

/// Says what this command is, and becomes it. It comes back only when there is no such program.
pub(crate) fn become_command(command: &[String]) -> io::Error {
    let Some((program, arguments)) = command.split_first() else {
        return io::Error::other("there is no command");
    };
    // That it cannot be said is no reason not to begin.
    let _ = writeln!(io::stdout(), "$ {}", plain(&command.join(" ")));
    let error = Command::new(program).args(arguments).exec();
    io::Error::new(error.kind(), format!("{program}: {error}"))
}

/// Whether the server of this name runs.
fn is_there(server: &str) -> io::Result<bool> {
    let mut tmux = Command::new("tmux");
    let asked = tmux.args(["-L", server, "list-sessions"]).output();
    let asked = asked.map_err(|error| io::Error::other(format!("tmux: {error}")))?;
    Ok(asked.status.success())
}

/// Asks tmux for something; gives what it prints.
fn run(server: &str, call: &[String]) -> io::Result<String> {
    let failed = |what: String| io::Error::other(format!("tmux: {what}"));
    let output = Command::new("tmux")
        .args(["-L", server])
        .args(call)
        .stdin(Stdio::inherit())
        .output();
    let output = output.map_err(|error| failed(error.to_string()))?;
    match output.status.success() {
        true => Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned()),
        false => {
            let said = String::from_utf8_lossy(&output.stderr);
            Err(failed(format!("{} ({})", said.trim(), output.status)))
        }
    }
}

/// Shows the session on this terminal until it is left.
fn attach(session: &str) -> io::Result<()> {
    let mut tmux = Command::new("tmux");
    let status = tmux
        .args(["-L", session, "attach-session", "-t", session])
        .status()?;
    match status.success() {
        true => Ok(()),
        false => Err(io::Error::other(format!("tmux: {status}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_sessions_are_whole() {
        assert_eq!(session("ec2-panes"), Ok("ec2-panes".to_owned()));
        for text in ["", "a b", "-x", "a.b", "a:b"] {
            assert!(session(text).is_err(), "{text}");
        }
    }

    #[test]
    fn no_command_goes_through_a_shell() {
        let commands = ["ssh a@10.0.0.1", "htop", "echo x;"]
            .map(|text| text.split(' ').map(str::to_owned).collect::<Vec<_>>());
        let calls: Vec<_> = commands
            .iter()
            .map(|command| start("%1", "/p", command))
            .collect();
        let lines: Vec<_> = calls.iter().map(|call| call.join(" ")).collect();
        assert_eq!(
            lines[0],
            "respawn-pane -k -t %1 -- /p --in-pane ssh a@10.0.0.1"
        );
        assert_eq!(lines[1], "respawn-pane -k -t %1 -- /p --in-pane htop");
        assert_eq!(lines[2], "respawn-pane -k -t %1 -- /p --in-pane echo x\\;");
        for call in calls.iter().chain(&[pane("s", true), pane("s", false)]) {
            let behind = call.iter().skip_while(|word| *word != "--").skip(1);
            assert!(behind.count() >= 2, "{call:?}");
        }
    }
}
