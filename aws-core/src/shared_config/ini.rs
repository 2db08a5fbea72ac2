//! The files under `~/.aws`: sections and `name = value` lines, as
//! [the SDKs](https://docs.aws.amazon.com/sdkref/latest/guide/file-format.html) and Python's `configparser` read them.

use crate::credentials::words;

/// One section's entries, in their order.
#[derive(Default, PartialEq, Eq)]
pub(crate) struct Section {
    entries: Vec<Entry>,
}

/// One `name = value`, and what is indented below it.
#[derive(Default, PartialEq, Eq)]
pub(crate) struct Entry {
    /// The number of its line, from 1.
    pub(crate) line: usize,
    /// The name, as it was written.
    pub(crate) name: String,
    pub(crate) value: String,
    pub(crate) nested: Vec<Entry>,
}

impl Section {
    /// The value of the last entry of this name, and its line.
    pub(crate) fn get(&self, name: &str) -> Option<(usize, &str)> {
        let found = self.named(name).last()?;
        Some((found.line, found.value.as_str()))
    }

    /// All entries.
    pub(crate) fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter()
    }

    /// What is indented below the entries of this name.
    pub(crate) fn nested(&self, name: &str) -> impl DoubleEndedIterator<Item = &Entry> {
        self.named(name).flat_map(|entry| &entry.nested)
    }

    fn named(&self, name: &str) -> impl DoubleEndedIterator<Item = &Entry> {
        let named = move |entry: &&Entry| entry.name.eq_ignore_ascii_case(name);
        self.entries.iter().filter(named)
    }
}

/// What is wrong, and on which line. Says nothing of a value: it may be a secret.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct BadLine {
    pub(crate) line: usize,
    pub(crate) what: &'static str,
}

/// Settings that say whose requests are made. One that is not read where it stands is an error: other keys would be
/// used in its place.
const IDENTITY_SETTINGS: [&str; 15] = [
    "aws_access_key_id",
    "aws_secret_access_key",
    "aws_session_token",
    "aws_security_token",
    "role_arn",
    "source_profile",
    "credential_source",
    "credential_process",
    "web_identity_token_file",
    "external_id",
    "mfa_serial",
    "sso_session",
    "sso_start_url",
    "sso_account_id",
    "login_session",
];

/// How the header of a section is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// `[name]`, as in the file of credentials.
    Name,
    /// `[profile name]`, as in the file of settings.
    Profile,
    /// `[services name]`: endpoints of single services, as a profile's `services` names them.
    Services,
}

/// Finds the section of a profile, written as `[name]` or `[profile name]`, the name in quotes or not; nothing if it
/// is not there. Where both forms are there, the usual one of the file counts, and the other is nobody's: the settings of
/// two sections are never mixed.
///
/// Sections of the same header add up. A line that is indented more than the entry before it belongs to that entry (a
/// nested setting); the first line of a section begins an entry however far it is indented. A
/// whole-line comment is passed over; a comment after a value needs a blank before it.
pub(crate) fn section(text: &str, profile: &str, usual: Form) -> Result<Option<Section>, BadLine> {
    scan(text, usual, |header| form(header, profile))
}

/// Finds the section `[services name]`, in the same way; nothing if it is not there.
pub(crate) fn services(text: &str, name: &str) -> Result<Option<Section>, BadLine> {
    scan(text, Form::Services, |header| services_form(header, name))
}

fn scan(
    text: &str,
    usual: Form,
    form: impl Fn(&str) -> Option<Form>,
) -> Result<Option<Section>, BadLine> {
    let (mut found, mut other): (Option<Section>, Option<Section>) = (None, None);
    let mut here: Option<Form> = None;
    let mut any = false;
    // How far the last entry of this section is indented.
    let mut entry: Option<usize> = None;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    for (i, raw) in text.lines().enumerate() {
        let bad = |what| BadLine { line: i + 1, what };
        let line = raw.trim();
        if line.is_empty() || line.starts_with(['#', ';']) {
            continue;
        }
        let indent = raw.len() - raw.trim_start().len();
        let nested = entry.is_some_and(|entry| indent > entry);
        if let Some(rest) = line.strip_prefix('[')
            && !nested
        {
            let (name, _) = rest
                .rsplit_once(']')
                .ok_or_else(|| bad("the section has no closing ]"))?;
            any = true;
            entry = None;
            here = form(name);
            if let Some(form) = here {
                let section = if form == usual {
                    &mut found
                } else {
                    &mut other
                };
                section.get_or_insert_default();
            }
            continue;
        }
        let (name, value) = match line.split_once('=') {
            Some((name, value)) => (name.trim(), without_comment(value)),
            // It may be a part of a secret, and is shown to nobody.
            None if nested => ("", ""),
            None => return Err(bad("there is no = in it")),
        };
        if !nested {
            if !any {
                return Err(bad("it stands before the first section"));
            }
            entry = Some(indent);
        }
        let section = match here {
            Some(form) if form == usual => &mut found,
            Some(_) => &mut other,
            None => continue,
        };
        let is_identity = |one: &&str| one.eq_ignore_ascii_case(name);
        if nested && IDENTITY_SETTINGS.iter().any(is_identity) {
            return Err(bad(
                "it is indented, so that it belongs to the setting above and not to the profile",
            ));
        }
        let Some(section) = section else { continue };
        let read = Entry {
            line: i + 1,
            name: name.to_owned(),
            value: value.to_owned(),
            nested: Vec::new(),
        };
        match section.entries.last_mut().filter(|_| nested) {
            Some(above) => above.nested.push(read),
            None => section.entries.push(read),
        }
    }
    Ok(found.or(other))
}

/// Whether a header is `[services name]`.
fn services_form(header: &str, name: &str) -> Option<Form> {
    let words = words(header)?;
    let (first, rest) = words.split_first()?;
    (first == "services" && rest.join(" ") == name).then_some(Form::Services)
}

/// How a header is written that is of this profile.
fn form(header: &str, profile: &str) -> Option<Form> {
    let joined = header.split_whitespace().collect::<Vec<_>>().join(" ");
    if joined == profile {
        return Some(Form::Name);
    }
    if joined.strip_prefix("profile ") == Some(profile) {
        return Some(Form::Profile);
    }
    match words(header)?.as_slice() {
        [word, name] if word == "profile" && name == profile => Some(Form::Profile),
        [name] if name == profile => Some(Form::Name),
        _ => None,
    }
}

fn without_comment(value: &str) -> &str {
    let cut = value
        .char_indices()
        .zip(value.chars().skip(1))
        .find(|((_, a), b)| a.is_whitespace() && matches!(b, '#' | ';'))
        .map_or(value.len(), |((i, _), _)| i);
    value[..cut].trim()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn section(text: &str, profile: &str) -> Result<Option<Section>, BadLine> {
        super::section(text, profile, Form::Profile)
    }

    #[test]
    fn of_two_forms_the_usual_one_counts_alone() {
        let plain = "[x]\na = plain\nb = plain\n";
        let prefixed = "[profile x]\na = prefixed\n";
        for text in [format!("{plain}{prefixed}"), format!("{prefixed}{plain}")] {
            for (usual, a, b) in [
                (Form::Name, "plain", Some("plain")),
                (Form::Profile, "prefixed", None),
            ] {
                let found = super::section(&text, "x", usual).unwrap().unwrap();
                let value = |name| found.get(name).map(|(_, value)| value);
                assert_eq!((value("a"), value("b")), (Some(a), b), "{usual:?} {text}");
            }
        }
        assert!(section(plain, "x").unwrap().is_some());
        assert!(super::section(prefixed, "x", Form::Name).unwrap().is_some());
    }

    #[test]
    fn entries_are_found() {
        let text = "\u{feff}# top\n[default]\na = 1\n\n[ profile   x ] ; y\r\nA=2 # no\nb = c=d#e\n  nested = 1\na = 3\n[profile x]\nz=\n";
        let x = section(text, "x").unwrap().unwrap();
        assert_eq!(x.get("a"), Some((9, "3")));
        assert_eq!(x.get("b"), Some((7, "c=d#e")));
        assert_eq!(x.get("z"), Some((11, "")));
        assert_eq!(x.get("nested"), None);
        assert!(section(text, "y").unwrap().is_none());
    }

    #[test]
    fn what_is_indented_under_a_section_is_its_own() {
        let text = "[default]\n  a = 1\n  b = 2\n\n  s3 =\n    a = nested\n\tc = also nested\n d = 3\n[x]\na = 4";
        let found = section(text, "default").unwrap().unwrap();
        assert_eq!(found.get("a"), Some((2, "1")));
        assert_eq!(found.get("b"), Some((3, "2")));
        assert_eq!(found.get("d"), Some((8, "3")));
        let below = found.nested("S3").map(|e| (e.line, &*e.name, &*e.value));
        let expected = [(6, "a", "nested")];
        assert_eq!(below.collect::<Vec<_>>(), expected);
        let tabs = section("[default]\n\ta=1\n\tb=2", "default");
        assert_eq!(tabs.unwrap().unwrap().get("b"), Some((3, "2")));
    }

    #[test]
    fn comments_are_of_two_signs_and_behind_a_blank() {
        let text = "; a\n  # b\n[x]\n;c = 1\n#d = 1\ne = 1 ; f\ng = 1\t# h\ni = 1;2#3\nj = ;k\nl =\t#m\nn = 'o #p'\n";
        let x = section(text, "x").unwrap().unwrap();
        let found: Vec<_> = x.entries().map(|e| (e.line, &*e.name, &*e.value)).collect();
        let expected = [
            (6, "e", "1"),
            (7, "g", "1"),
            (8, "i", "1;2#3"),
            (9, "j", ""),
            (10, "l", ""),
            (11, "n", "'o"),
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn sections_of_one_header_add_up_and_the_last_value_counts() {
        let text = "[profile x]\na = 1\nb = 1\n[y]\na = 0\n[profile  'x']\nA = 2\ns3 =\n  n = 1\n[profile x]\ns3 =\n  n = 2\n";
        let x = section(text, "x").unwrap().unwrap();
        assert_eq!((x.get("a"), x.get("B")), (Some((7, "2")), Some((3, "1"))));
        let last = x.nested("s3").next_back().map(|e| &*e.value);
        assert_eq!(last, Some("2"));
    }

    #[test]
    fn an_identity_is_not_nested() {
        for (text, line) in [
            ("[a]\nregion = x\n  role_arn = r", Some(3)),
            (
                "[a]\naws_access_key_id = x\n AWS_SECRET_ACCESS_KEY = r",
                Some(3),
            ),
            ("[a]\nregion =\n  aws_access_key_id = r", Some(3)),
            ("[a]\nregion = x\n  sso_start_url = r", Some(3)),
            ("[a]\n[b]\nregion = x\n  role_arn = r", None),
            (
                "[a]\ns3 =\n  addressing_style = path\n  [odd]\n  text",
                None,
            ),
        ] {
            let found = section(text, "a").err().map(|bad| bad.line);
            assert_eq!(found, line, "{text:?}");
        }
    }

    #[test]
    fn names_may_be_in_quotes() {
        for (header, profile) in [
            ("profile 'Foo Bar'", "Foo Bar"),
            ("profile \"Foo  Bar\"", "Foo  Bar"),
            ("profile Foo Bar", "Foo Bar"),
            ("profile O'Brien", "O'Brien"),
            ("profile a]b", "a]b"),
            ("\"Foo Bar\"", "Foo Bar"),
            ("Foo Bar", "Foo Bar"),
        ] {
            let text = format!("[{header}]\na = 1\n");
            assert!(section(&text, profile).unwrap().is_some(), "{header}");
            assert!(section(&text, "Foo").unwrap().is_none(), "{header}");
        }
    }

    #[test]
    fn sections_of_services_are_found_by_their_names() {
        let text = "[profile x]\na = 1\n[services x]\ns3 =\n  endpoint_url = http://h\n[services 'my own']\nb =\n";
        let x = services(text, "x").unwrap().unwrap();
        let below: Vec<_> = x.nested("s3").map(|entry| entry.value.as_str()).collect();
        assert_eq!(below, ["http://h"]);
        assert!(services(text, "my own").unwrap().is_some());
        assert!(services(text, "y").unwrap().is_none());
        assert_eq!(section(text, "x").unwrap().unwrap().get("s3"), None);
    }

    #[test]
    fn a_bad_line_is_named_by_its_number() {
        let line = |text| section(text, "a").err().map(|bad| bad.line);
        assert_eq!(line("[a]\nsecret"), Some(2));
        assert_eq!(line("\n[a\n"), Some(2));
        assert_eq!(line("a=1\n[a]"), Some(1));
        assert_eq!(line("[a]\na==\n"), None);
    }
}
