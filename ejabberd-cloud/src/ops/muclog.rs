//! What is said in rooms, as pages for a browser.
//!
//! | call | gives |
//! |---|---|
//! | `{muclog_add, Room, At, Event}` | `done`: it waits, and is written within seconds |
//!
//! An event is `{message, Nick, Text}`, `{subject, Nick, Text}`, `{join, Nick}`, `{leave, Nick, Reason}`, `{rename, From, To}`,
//! `{kick, Nick, Reason, Banned}` or `{note, Text}`. A time is in microseconds since 1970.

use cloud_stores::muc_log::{LogEvent, MucLog};

use super::args::{Args, done, unknown};
use super::{Done, Failure};

pub(super) fn call(log: &MucLog, verb: &str, mut args: Args) -> Done {
    match verb {
        "add" => {
            let (room, at) = (args.jid()?, args.number()?);
            let event = event(&mut args)?;
            args.end()?;
            log.add(&room, at, &event)?;
            Ok(done())
        }
        _ => unknown(),
    }
}

fn event(args: &mut Args) -> Result<LogEvent, Failure> {
    let mut fields = Args::tuple(args.any()?)?;
    let event = match fields.atom()?.as_str() {
        "message" => LogEvent::Message {
            nick: fields.text()?,
            text: fields.text()?,
        },
        "subject" => LogEvent::Subject {
            nick: fields.text()?,
            text: fields.text()?,
        },
        "join" => LogEvent::Join {
            nick: fields.text()?,
        },
        "leave" => LogEvent::Leave {
            nick: fields.text()?,
            reason: fields.text()?,
        },
        "rename" => LogEvent::Rename {
            from: fields.text()?,
            to: fields.text()?,
        },
        "kick" => LogEvent::Kick {
            nick: fields.text()?,
            reason: fields.text()?,
            banned: fields.flag()?,
        },
        "note" => LogEvent::Note {
            text: fields.text()?,
        },
        _ => {
            return Err(Failure::invalid(
                "an event of a room is none of those that are known",
            ));
        }
    };
    fields.end()?;
    Ok(event)
}
