//! The files under `~/.aws`: sections and `name = value` lines.

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

/// Finds a section, whichever way its header is written (`[name]`, `[profile name]`); nothing if it is not there.
///
/// Sections of the same name add up. A line that begins with a blank belongs to the entry before it (a nested
/// setting) and is passed over, as is a whole-line comment; a comment after a value needs a blank before it.
pub(super) fn section(text: &str, headers: &[&str]) -> Result<Option<Section>, BadLine> {
    let mut found: Option<Section> = None;
    let mut here = false;
    let mut any = false;
    for (i, raw) in text
        .strip_prefix('\u{feff}')
        .unwrap_or(text)
        .lines()
        .enumerate()
    {
        let bad = |what| BadLine { line: i + 1, what };
        let line = raw.trim();
        if line.is_empty() || line.starts_with(['#', ';']) {
            continue;
        }
        if let Some(rest) = line.strip_prefix('[') {
            let (name, _) = rest
                .split_once(']')
                .ok_or_else(|| bad("the section has no closing ]"))?;
            let name = name.split_whitespace().collect::<Vec<_>>().join(" ");
            any = true;
            here = headers.contains(&name.as_str());
            if here {
                found.get_or_insert_default();
            }
            continue;
        }
        if raw.starts_with([' ', '\t']) {
            continue;
        }
        let (name, value) = line
            .split_once('=')
            .ok_or_else(|| bad("there is no = in it"))?;
        if !any {
            return Err(bad("it stands before the first section"));
        }
        if here && let Some(section) = &mut found {
            section.entries.push((
                i + 1,
                name.trim().to_owned(),
                without_comment(value).to_owned(),
            ));
        }
    }
    Ok(found)
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

    #[test]
    fn entries_are_found() {
        let text = "\u{feff}# top\n[default]\na = 1\n\n[ profile   x ] ; y\r\nA=2 # no\nb = c=d#e\n  nested = 1\na = 3\n[profile x]\nz=\n";
        let x = section(text, &["profile x", "x"]).unwrap().unwrap();
        assert_eq!(x.get("a"), Some((9, "3")));
        assert_eq!(x.get("b"), Some((7, "c=d#e")));
        assert_eq!(x.get("z"), Some((11, "")));
        assert_eq!(x.get("nested"), None);
        assert!(section(text, &["y"]).unwrap().is_none());
    }

    #[test]
    fn a_bad_line_is_named_by_its_number() {
        let line = |text| section(text, &["a"]).err().map(|bad| bad.line);
        assert_eq!(line("[a]\nsecret"), Some(2));
        assert_eq!(line("\n[a\n"), Some(2));
        assert_eq!(line("a=1\n[a]"), Some(1));
        assert_eq!(line("[a]\na==\n"), None);
    }
}
