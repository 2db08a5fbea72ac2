//! A page of a log as HTML.
//!
//! What is foreign goes through [`Escaped`], which is the only way into a page, and into [isolated
//! elements](https://html.spec.whatwg.org/multipage/text-level-semantics.html#the-bdi-element), so that a name written from
//! right to left turns nothing around it.

use std::collections::HashSet;
use std::fmt::{self, Write as _};

use super::date::{Date, time_of_day};
use crate::error::{Error, Result};
use crate::jid::BareJid;

/// The most bytes of what was said that a page has; the rest is left out, which the page says.
pub const MAX_LOG_TEXT: usize = 16 << 10;

/// What has happened in a room.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LogEvent {
    /// Somebody, by his nickname, has said this; what begins with `/me ` is told of him.
    Message {
        /// Who said it.
        nick: String,
        /// What was said.
        text: String,
    },
    /// Somebody has set the subject.
    Subject {
        /// Who set it.
        nick: String,
        /// What it is.
        text: String,
    },
    /// Somebody has come.
    Join {
        /// Who came.
        nick: String,
    },
    /// Somebody has gone.
    Leave {
        /// Who went.
        nick: String,
        /// What he said to it; usually empty.
        reason: String,
    },
    /// Somebody has changed his nickname.
    Rename {
        /// What it was.
        from: String,
        /// What it is.
        to: String,
    },
    /// Somebody was made to leave.
    Kick {
        /// Who was.
        nick: String,
        /// Why; may be empty.
        reason: String,
        /// Whether he may not come back.
        banned: bool,
    },
    /// Something about the room itself: that it was made, or set to something.
    Note {
        /// What is to be told.
        text: String,
    },
}

/// An entry as it stands on a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    name: String,
    pub(super) html: String,
}

/// What goes on goes in front of this, which is on a page once: what is foreign has no `<`.
const END: &str = "</main>\n";

/// What an entry begins with, before its name; what is foreign has no `<`.
const ENTRY: &str = "<p id=\"";

/// What says that there is a further page.
const ON: &str = "<p class=\"more\">The day goes on";

const STYLE: &str = "\
:root{color-scheme:light dark}body{font:1rem/1.5 system-ui,sans-serif;max-width:50rem;margin:0 auto;padding:1rem}\
h1{font-size:1.2rem;overflow-wrap:anywhere}main p{margin:.1rem 0;padding-left:5.5rem;text-indent:-5.5rem;\
overflow-wrap:anywhere}main p>*{text-indent:0}time{display:inline-block;width:5rem;font-variant-numeric:tabular-nums}\
a{color:inherit;text-decoration:none}a:hover,.more a{text-decoration:underline}.event{opacity:.65}\
:target{background:Highlight;color:HighlightText}";

impl Entry {
    /// What has happened, at a time in microseconds since 1970, with a name that nothing else on a page has.
    pub(super) fn new(at: u64, event: &LogEvent) -> Self {
        let name = format!("t{at}-{:08x}", fastrand::u32(..));
        let mut html = String::new();
        let (class, text) = match event {
            LogEvent::Message { nick, text } => match text.strip_prefix("/me ") {
                Some(done) => (
                    "said",
                    format!("<b>* {}</b> {}", Escaped(nick), Escaped(done)),
                ),
                None => (
                    "said",
                    format!("<b>{}</b> {}", Escaped(nick), Escaped(text)),
                ),
            },
            LogEvent::Subject { nick, text } => (
                "event",
                format!("{} has set the subject: {}", Escaped(nick), Escaped(text)),
            ),
            LogEvent::Join { nick } => ("event", format!("{} has come", Escaped(nick))),
            LogEvent::Leave { nick, reason } => (
                "event",
                format!("{} has gone{}", Escaped(nick), Because(reason)),
            ),
            LogEvent::Rename { from, to } => (
                "event",
                format!("{} is called {} from here on", Escaped(from), Escaped(to)),
            ),
            LogEvent::Kick {
                nick,
                reason,
                banned,
            } => {
                let what = if *banned {
                    "was banned"
                } else {
                    "was made to leave"
                };
                (
                    "event",
                    format!("{} {what}{}", Escaped(nick), Because(reason)),
                )
            }
            LogEvent::Note { text } => ("event", Escaped(text).to_string()),
        };
        let (date, time) = (Date::of(at).text(), time_of_day(at));
        // Writing into a string does not fail.
        let _infallible = writeln!(
            html,
            "{ENTRY}{name}\" class=\"{class}\"><a href=\"#{name}\"><time datetime=\"{date}T{time}Z\">{time}</time></a> \
             {text}</p>"
        );
        Self { name, html }
    }

    /// Whether it is among those of these names.
    pub(super) fn is_among(&self, names: &HashSet<&str>) -> bool {
        names.contains(&*self.name)
    }
}

/// The names of the entries of a page.
pub(super) fn names(page: &str) -> HashSet<&str> {
    let entries = page.split(ENTRY).skip(1);
    entries
        .filter_map(|entry| entry.split('"').next())
        .collect()
}

/// A page without entries.
pub(super) fn begin(room: &BareJid, date: Date, number: u32) -> String {
    let (room, day) = (Escaped(room.as_str()), date.text());
    let before = match number {
        0 | 1 => String::new(),
        number => {
            let file = date.file(number - 1);
            format!("<p class=\"more\"><a href=\"{file}\">What was said before</a></p>\n")
        }
    };
    format!(
        "<!DOCTYPE html>\n<html lang=\"\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
         <meta name=\"referrer\" content=\"no-referrer\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n\
         <title>{day}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n\
         <h1>{room}, {day} (UTC)</h1>\n{before}<main>\n{END}</body>\n</html>\n"
    )
}

/// The page that is stored so.
///
/// # Errors
/// [`Kind::Invalid`](crate::Kind::Invalid) where it is none.
pub(super) fn read(stored: &[u8]) -> Result<&str> {
    let text = std::str::from_utf8(stored).ok();
    let page = text.filter(|text| text.matches(END).count() == 1);
    page.ok_or_else(|| Error::invalid("what is stored is no page of a log"))
}

/// How many of these entries go on a page at once: one, and more as long as they have so many bytes.
pub(super) fn fitting(entries: &[&Entry], bytes: usize) -> usize {
    let mut sum = 0;
    let over = entries.iter().position(|entry| {
        sum += entry.html.len();
        sum > bytes
    });
    over.map_or(entries.len(), |place| place.max(1))
}

/// The page with these entries behind its own.
pub(super) fn append(page: &str, entries: &[&Entry]) -> String {
    let all: String = entries.iter().map(|entry| entry.html.as_str()).collect();
    page.replacen(END, &format!("{all}{END}"), 1)
}

/// The page with a link to the further page of this number.
pub(super) fn go_on(page: &str, date: Date, number: u32) -> String {
    let file = date.file(number);
    page.replacen(
        END,
        &format!("{END}{ON} <a href=\"{file}\">on the next page</a>.</p>\n"),
        1,
    )
}

/// Whether there is a further page.
pub(super) fn goes_on(page: &str) -> bool {
    page.contains(ON)
}

/// A text of somebody as text of HTML, whatever it has.
struct Escaped<'a>(&'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let end = self.0.floor_char_boundary(MAX_LOG_TEXT);
        let (text, rest) = self.0.split_at(end);
        f.write_str("<bdi>")?;
        for one in text.chars() {
            match one {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                '\n' => f.write_str("<br>")?,
                '\t' => f.write_char(' ')?,
                // HTML has no other control characters.
                one if one.is_control() => {}
                one => f.write_char(one)?,
            }
        }
        f.write_str("</bdi>")?;
        if rest.is_empty() {
            Ok(())
        } else {
            write!(f, " [{} bytes more]", rest.len())
        }
    }
}

/// A reason in brackets, if there is one.
struct Because<'a>(&'a str);

impl fmt::Display for Because<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            "" => Ok(()),
            reason => write!(f, " ({})", Escaped(reason)),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn page() -> (BareJid, Date, String) {
        let (room, date) = (
            BareJid::parse("tea@conference.example.com").unwrap(),
            Date::of(0),
        );
        let page = begin(&room, date, 1);
        (room, date, page)
    }

    fn tags(html: &str) -> Vec<&str> {
        html.split('<')
            .skip(1)
            .map(|tag| tag.split(['>', ' ']).next().unwrap())
            .collect()
    }

    fn say(nick: &str, text: &str) -> Entry {
        Entry::new(
            7,
            &LogEvent::Message {
                nick: nick.to_owned(),
                text: text.to_owned(),
            },
        )
    }

    proptest! {
        #[test]
        fn nothing_foreign_is_markup(nick: String, text in "[<>&\"'a-z/! \n\u{0}\u{202e}-]{0,40}", reason: String) {
            let events = [
                LogEvent::Message { nick: nick.clone(), text: text.clone() },
                LogEvent::Subject { nick: nick.clone(), text: text.clone() },
                LogEvent::Join { nick: nick.clone() },
                LogEvent::Leave { nick: nick.clone(), reason: text.clone() },
                LogEvent::Rename { from: nick.clone(), to: text.clone() },
                LogEvent::Kick { nick, reason, banned: true },
                LogEvent::Note { text },
            ];
            let (_, _, begun) = page();
            for event in events {
                let entry = Entry::new(u64::MAX, &event);
                let known = ["p", "a", "time", "/time", "/a", "b", "/b", "bdi", "/bdi", "br", "/p"];
                prop_assert!(tags(&entry.html).iter().all(|tag| known.contains(tag)), "{}", entry.html);
                let open = |tag: &str| tags(&entry.html).iter().filter(|one| **one == tag).count();
                prop_assert_eq!((open("p"), open("/p"), open("bdi")), (1, 1, open("/bdi")));
                prop_assert!(!entry.html.trim_end_matches('\n').contains(|c: char| c.is_control()));
                let page = append(&begun, &[&entry]);
                prop_assert!(read(page.as_bytes()).is_ok() && entry.is_among(&names(&page)) && !goes_on(&page));
            }
        }
    }

    #[test]
    fn a_page_reads_as_it_should() {
        let (_, date, page) = page();
        assert_eq!(read(page.as_bytes()).unwrap(), page);
        for other in ["", "<main>", "</main>\n</main>\n"] {
            assert!(read(other.as_bytes()).is_err(), "{other}");
        }
        assert!(read(b"\xff</main>\n").is_err());
        let first = say("ann", "a < b\nc");
        let second = say("bob", "/me leaves");
        let page = append(&append(&page, &[&first]), &[&second]);
        let (one, two) = (
            page.find(&first.html).unwrap(),
            page.find(&second.html).unwrap(),
        );
        assert!(
            one < two
                && first.is_among(&names(&page))
                && !say("ann", "a < b\nc").is_among(&names(&page))
        );
        assert!(
            first
                .html
                .contains("<b><bdi>ann</bdi></b> <bdi>a &lt; b<br>c</bdi>"),
            "{}",
            first.html
        );
        assert!(
            second
                .html
                .contains("<b>* <bdi>bob</bdi></b> <bdi>leaves</bdi>"),
            "{}",
            second.html
        );
        assert!(first.html.contains("datetime=\"1970-01-01T00:00:00Z\""));
        assert!(page.contains("<bdi>tea@conference.example.com</bdi>, 1970-01-01 (UTC)"));
        assert!(page.contains("default-src 'none'") && !page.contains("<script"));
        let full = go_on(&page, date, 2);
        assert!(
            goes_on(&full) && read(full.as_bytes()).is_ok() && full.contains("href=\"01-2.html\"")
        );
        assert!(begin(&BareJid::parse("h").unwrap(), date, 2).contains("href=\"01.html\""));
        // Nobody can say that a page goes on.
        assert!(!goes_on(&append(&page, &[&say("eve", ON)])));
    }

    #[test]
    fn so_many_entries_fit() {
        let entries: Vec<Entry> = (0..4).map(|_| say("ann", "x")).collect();
        let entries: Vec<&Entry> = entries.iter().collect();
        let one = entries[0].html.len();
        for (bytes, count) in [
            (0, 1),
            (one, 1),
            (2 * one - 1, 1),
            (2 * one, 2),
            (9 * one, 4),
        ] {
            assert_eq!(fitting(&entries, bytes), count, "{bytes}");
        }
        assert_eq!(fitting(&[], one), 0);
    }

    #[test]
    fn a_long_text_is_cut_and_the_page_says_so() {
        let entry = say("ann", &"\u{e9}".repeat(MAX_LOG_TEXT));
        assert!(
            entry.html.contains(" [16384 bytes more]"),
            "{}",
            &entry.html[entry.html.len() - 60..]
        );
        assert!(entry.html.len() < MAX_LOG_TEXT + 400);
    }
}
