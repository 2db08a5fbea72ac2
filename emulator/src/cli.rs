//! The command line of the `emulator` program, for any binary that wants to be one.

use std::collections::HashSet;
use std::ffi::OsString;
use std::fmt;
use std::io::{Read, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::error::ErrorKind;
use clap::{ArgGroup, CommandFactory, Parser};

use crate::ec2::args::Ec2Args;
use crate::faults::SpecError;
use crate::sdb::args::SdbArgs;
use crate::{Emulator, Faults, Signatures};

/// S3, SimpleDB and EC2's list of instances in one process, checking signatures by itself.
///
/// Prints one line when it is ready to serve: its URL, or with --json an object with `url`,
/// `access_key`, `secret_key`, for a user that has one `session_token`, and the `accounts` of the users given. Runs until it is
/// killed. Everything it was given is gone then, unless it has a folder.
#[derive(Parser)]
#[command(name = "emulator", version, group(ArgGroup::new("folder").args(["dir", "sdb_dir"])))]
struct Args {
    /// Address and port to listen on; port 0 takes a free one.
    #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:0")]
    listen: SocketAddr,

    /// A user that may sign requests, with a session token if its credentials are temporary.
    ///
    /// May be given several times; all are users of one account, 123456789012, and may do the same. Without any there is
    /// one user, which --json prints.
    // Parsed later, since clap would repeat a value that is wrong, and it holds a secret.
    #[arg(long = "user", value_name = "KEY:SECRET[:TOKEN]")]
    users: Vec<String>,

    /// A user of an account of its own; those of --user are all of the first account.
    ///
    /// May be given several times. The accounts are numbered from 123456789013 on, in the order given; --json
    /// prints what access control lists call them. Each has only its own buckets, until lists or policies let it into
    /// others. New buckets heed lists and block nothing public, as Amazon's did before April 2023.
    #[arg(long = "account", value_name = "KEY:SECRET")]
    accounts: Vec<String>,

    /// Domain under which BUCKET.DOMAIN is a virtual-hosted S3 request.
    #[arg(long, value_name = "DOMAIN")]
    domain: Option<String>,

    /// Refuse Signature Version 2 of S3 requests, links and forms, as Amazon's newer regions do.
    #[arg(long)]
    s3_refuse_v2: bool,

    /// Refuse Signature Version 4 of S3 requests, links and forms, as Riak CS does.
    #[arg(long, conflicts_with = "s3_refuse_v2")]
    s3_refuse_v4: bool,

    /// The one region that S3 requests may be signed for by Version 4; without it any region is taken.
    #[arg(long, value_name = "REGION")]
    s3_region: Option<String>,

    /// How many seconds the date of a request may be from this machine's clock.
    #[arg(long, value_name = "SECONDS", default_value_t = 900)]
    skew: u64,

    /// The least that a part of a multipart upload may hold, other than its last.
    #[arg(long, value_name = "BYTES", default_value_t = 5 << 20)]
    part_min: u64,

    /// A fault for a share of all requests, for example 0.01:slow-down or 0.1:delay:20.
    ///
    /// Kinds: slow-down[:RETRY-AFTER], error, delay:MILLISECONDS, reset-before, reset-after, cut:BYTES, garbage,
    /// expired-token; for lists of instances also stale:CHANGES (of the table, ago) and lacking:ID[,ID]. May be given several times; the first that meets a request decides.
    #[arg(long = "fault", value_name = "RATE:KIND[:ARGUMENT]", value_parser = fault)]
    faults: Vec<String>,

    /// What the chance of --fault is drawn from: the same number, the same requests, the same faults.
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    fault_seed: u64,

    /// How many seconds its clock is ahead of this machine's; below 0, behind.
    #[arg(
        long,
        value_name = "SECONDS",
        default_value_t = 0,
        allow_negative_numbers = true
    )]
    clock_ahead: i64,

    /// Threads that serve requests.
    #[arg(long, value_name = "COUNT", default_value_t = 1,
          value_parser = clap::value_parser!(u16).range(1..=256))]
    threads: u16,

    /// Folder to keep all of S3 and SimpleDB in. Without it they are gone with the process.
    ///
    /// S3 is in the folder s3 of it, SimpleDB in sdb. What was acknowledged is there after the process is killed. Give it
    /// the same users and accounts in the same order each time.
    #[arg(long, value_name = "DIR", conflicts_with = "sdb_dir")]
    dir: Option<PathBuf>,

    /// Answer a write only once it would outlive a loss of power.
    #[arg(long, requires = "folder")]
    fsync: bool,

    /// How long a journal in that folder gets before it is folded into a snapshot.
    #[arg(
        long,
        alias = "sdb-journal-max",
        value_name = "BYTES",
        default_value_t = 64 << 20,
        requires = "folder"
    )]
    journal_max: u64,

    #[command(flatten)]
    sdb: SdbArgs,

    #[command(flatten)]
    ec2: Ec2Args,

    /// Print the ready line as a JSON object.
    #[arg(long, conflicts_with = "quiet")]
    json: bool,

    /// Print nothing when ready
    #[arg(long, short)]
    quiet: bool,

    /// Exit when standard input ends, so that a killed parent leaves no emulator behind.
    #[arg(long)]
    exit_with_parent: bool,
}

#[derive(Clone)]
struct UserArg {
    access_key: String,
    secret: String,
    token: Option<String>,
}

impl fmt::Debug for UserArg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UserArg")
            .field("access_key", &self.access_key)
            .finish_non_exhaustive()
    }
}

/// A rule as it was given, which is one.
fn fault(text: &str) -> Result<String, SpecError> {
    Faults::default().add_spec(text)?;
    Ok(text.to_owned())
}

fn parse_user(text: &str) -> Option<UserArg> {
    let mut parts = text.splitn(3, ':');
    match (parts.next(), parts.next(), parts.next()) {
        (Some(key), Some(secret), token) if !key.is_empty() && !secret.is_empty() => {
            Some(UserArg {
                access_key: key.to_owned(),
                secret: secret.to_owned(),
                token: token.filter(|token| !token.is_empty()).map(str::to_owned),
            })
        }
        _ => None,
    }
}

/// The access key that a second user has too.
fn twice<'a>(users: impl Iterator<Item = &'a UserArg>) -> Option<&'a str> {
    let mut seen = HashSet::new();
    users
        .map(|user| user.access_key.as_str())
        .find(|key| !seen.insert(*key))
}

/// Runs the `emulator` program with these arguments, the first being the program's name, until
/// the process is killed or, with `--exit-with-parent`, standard input ends.
///
/// A program can start itself as an emulator child this way:
///
/// ```no_run
/// use std::process::ExitCode;
///
/// fn main() -> ExitCode {
///     let mut args = std::env::args_os().skip(1).peekable();
///     if args.peek().is_some_and(|arg| arg == "serve-emulator") {
///         // What follows are the emulator's own arguments; the peeked one stands for its name.
///         return emulator::serve_main(args);
///     }
///     // ... spawn `current_exe()` with "serve-emulator", "--exit-with-parent" ...
///     ExitCode::SUCCESS
/// }
/// ```
///
/// Returns 0 after `--help`, `--version` or the end of standard input, 2 for arguments that are
/// wrong, and 1 if the address cannot be listened on.
pub fn serve_main(args: impl Iterator<Item = OsString>) -> ExitCode {
    let parsed = Args::try_parse_from(args).and_then(|args| {
        let users: Option<Vec<UserArg>> = args.users.iter().map(|text| parse_user(text)).collect();
        let accounts: Option<Vec<UserArg>> = args.accounts.iter().map(|text| parse_user(text)).collect();
        let wrong = |why: &str| Args::command().error(ErrorKind::ValueValidation, why);
        match (users, accounts) {
            (Some(users), Some(accounts)) if accounts.iter().all(|one| one.token.is_none()) => {
                match twice(users.iter().chain(&accounts)) {
                    Some(key) => Err(wrong(&format!(
                        "the access key {key:?} is given twice: which secret it has would be a guess"
                    ))),
                    None => Ok((args, users, accounts)),
                }
            }
            _ => Err(wrong(
                "--user expects KEY:SECRET or KEY:SECRET:TOKEN, --account KEY:SECRET",
            )),
        }
    });
    let (args, users, accounts) = match parsed {
        Ok(parsed) => parsed,
        Err(error) => {
            let code = if error.use_stderr() { 2 } else { 0 };
            // Nowhere is left to tell that the terminal is gone.
            let _ = error.print();
            return ExitCode::from(code);
        }
    };
    match run(args, users, accounts) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "emulator: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: Args, users: Vec<UserArg>, accounts: Vec<UserArg>) -> std::io::Result<()> {
    let (ec2, me) = args.ec2.options();
    let mut sdb = args.sdb.options();
    let mut builder = Emulator::builder()
        .listen(args.listen)
        .skew(Duration::from_secs(args.skew))
        .part_min(args.part_min)
        .signatures(match (args.s3_refuse_v2, args.s3_refuse_v4) {
            (true, _) => Signatures::V4,
            (false, true) => Signatures::V2,
            (false, false) => Signatures::Both,
        })
        .ec2(ec2);
    if let Some(dir) = args.dir {
        builder = builder.dir(dir).fsync(args.fsync);
        builder = builder.journal_max(args.journal_max);
    } else if sdb.dir.is_some() {
        sdb = sdb.fsync(args.fsync).journal_max(args.journal_max);
    }
    builder = builder.sdb(sdb);
    if let Some(domain) = args.domain {
        builder = builder.domain(domain);
    }
    if let Some(region) = args.s3_region {
        builder = builder.region(region);
    }
    let access_keys = users.iter().chain(&accounts);
    let access_keys: Vec<_> = access_keys.map(|user| user.access_key.clone()).collect();
    for user in users {
        builder = match user.token {
            Some(token) => builder.user_with_token(user.access_key, user.secret, token),
            None => builder.user(user.access_key, user.secret),
        };
    }
    for account in accounts {
        builder = builder.account(account.access_key, account.secret);
    }
    let runtime = if args.threads == 1 {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?
    } else {
        tokio::runtime::Builder::new_multi_thread()
            .worker_threads(usize::from(args.threads))
            .enable_all()
            .build()?
    };
    let emulator = runtime.block_on(builder.start())?;
    if let Some(id) = me {
        emulator.ec2().set_me(id);
    }
    let faults = emulator.faults();
    faults.seed(args.fault_seed);
    faults.set_clock_ahead(args.clock_ahead);
    for text in &args.faults {
        let added = faults.add_spec(text);
        added.map_err(|error| std::io::Error::new(std::io::ErrorKind::InvalidInput, error))?;
    }
    if !args.quiet {
        let mut stdout = std::io::stdout().lock();
        writeln!(stdout, "{}", ready_line(&emulator, &access_keys, args.json))?;
        stdout.flush()?;
    }
    runtime.block_on(async {
        if args.exit_with_parent {
            stdin_ended().await;
        } else {
            std::future::pending::<()>().await;
        }
        emulator.shutdown().await;
    });
    Ok(())
}

fn ready_line(emulator: &Emulator, access_keys: &[String], json: bool) -> String {
    if !json {
        return emulator.url();
    }
    let mut line = serde_json::json!({
        "url": emulator.url(),
        "access_key": emulator.access_key(),
        "secret_key": emulator.secret_key(),
    });
    if let Some(token) = emulator.session_token() {
        line["session_token"] = token.into();
    }
    let accounts = access_keys.iter().filter_map(|access_key| {
        let account = emulator.account_of(access_key)?;
        Some(serde_json::json!({
            "access_key": access_key,
            "account": account.number(),
            "canonical_id": account.canonical_id(),
            "display_name": account.display_name(),
            "email": account.email(),
        }))
    });
    line["accounts"] = accounts.collect::<Vec<_>>().into();
    line.to_string()
}

async fn stdin_ended() {
    let (ended, end) = tokio::sync::oneshot::channel();
    // A thread of its own, since a blocking read cannot be cancelled; it ends with the process.
    std::thread::spawn(move || {
        let mut sink = [0; 256];
        let mut stdin = std::io::stdin().lock();
        while matches!(stdin.read(&mut sink), Ok(read) if read > 0) {}
        let _ = ended.send(());
    });
    // An error means that the thread is gone, and standard input with it.
    let _ = end.await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Args::command().debug_assert();
    }

    #[test]
    fn what_is_said_of_a_folder_needs_one() {
        let parse = |line: &str| Args::try_parse_from(line.split_whitespace());
        for right in [
            "e --dir a",
            "e --dir a --fsync --journal-max 9",
            "e --sdb-dir a --fsync --sdb-journal-max 9",
        ] {
            assert!(parse(right).is_ok(), "{right}");
        }
        assert_eq!(
            parse("e --dir a --sdb-journal-max 9").unwrap().journal_max,
            9
        );
        for wrong in [
            "e --fsync",
            "e --journal-max 9",
            "e --dir a --sdb-dir b",
            "e --sdb-journal-max 9",
        ] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn users_are_read_and_kept_secret() {
        let user = parse_user("AK:se/cret:to:ken").unwrap();
        assert_eq!(user.secret, "se/cret");
        assert_eq!(user.token.as_deref(), Some("to:ken"));
        assert_eq!(format!("{user:?}"), r#"UserArg { access_key: "AK", .. }"#);
        assert_eq!(parse_user("AK:s").unwrap().token, None);
        for wrong in ["", "AK", "AK:", ":s"] {
            assert!(parse_user(wrong).is_none(), "{wrong}");
        }
    }
}
