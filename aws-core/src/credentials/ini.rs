//! The files under `~/.aws`: sections and `name = value` lines, as
//! [the SDKs](https://docs.aws.amazon.com/sdkref/latest/guide/file-format.html) and Python's `configparser` read them.

use super::process::words;

/// One section's entries, with their line numbers.
#[derive(Default, PartialEq, Eq)]
pub(super) struct Section {
    entries: Vec<(usize, String, String)>,
}

impl Section {
    /// The value of the last entry of this name, and its line.
    pub(super) fn get(&self, name: &str) -> Option<(usize, &str)> {
        let found = self
            .entries
            .iter()
            .rev()
            .find(|(_, n, _)| n.eq_ignore_ascii_case(name))?;
        Some((found.0, found.2.as_str()))
    }
}

/// What is wrong, and on which line. Says nothing of a value: it may be a secret.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct BadLine {
    pub(super) line: usize,
    pub(super) what: &'static str,
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

/// How the header of a profile's section is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// `[name]`, as in the file of credentials.
    Name,
    /// `[profile name]`, as in the file of settings.
    Profile,
}

/// Finds the section of a profile, written as `[name]` or `[profile name]`, the name in quotes or not; nothing if it
/// is not there. Where both forms are there, the usual one of the file counts, and the other is nobody's: the settings of
/// two sections are never mixed.
///
/// Sections of the same header add up. A line that is indented more than the entry before it belongs to that entry (a
/// nested setting) and is passed over; the first line of a section begins an entry however far it is indented. A
/// whole-line comment is passed over; a comment after a value needs a blank before it.
pub(super) fn section(text: &str, profile: &str, usual: Form) -> Result<Option<Section>, BadLine> {
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
            here = form(name, profile);
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
            Some(parts) => parts,
            None if nested => continue,
            None => return Err(bad("there is no = in it")),
        };
        let name = name.trim();
        if nested {
            if here.is_some()
                && IDENTITY_SETTINGS
                    .iter()
                    .any(|one| one.eq_ignore_ascii_case(name))
            {
                return Err(bad(
                    "it is indented, so that it belongs to the setting above and not to the profile",
                ));
            }
            continue;
        }
        if !any {
            return Err(bad("it stands before the first section"));
        }
        entry = Some(indent);
        let section = match here {
            Some(form) if form == usual => &mut found,
            Some(_) => &mut other,
            None => continue,
        };
        if let Some(section) = section {
            let value = without_comment(value).to_owned();
            section.entries.push((i + 1, name.to_owned(), value));
        }
    }
    Ok(found.or(other))
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
        let tabs = section("[default]\n\ta=1\n\tb=2", "default");
        assert_eq!(tabs.unwrap().unwrap().get("b"), Some((3, "2")));
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
    fn a_bad_line_is_named_by_its_number() {
        let line = |text| section(text, "a").err().map(|bad| bad.line);
        assert_eq!(line("[a]\nsecret"), Some(2));
        assert_eq!(line("\n[a\n"), Some(2));
        assert_eq!(line("a=1\n[a]"), Some(1));
        assert_eq!(line("[a]\na==\n"), None);
    }
}
