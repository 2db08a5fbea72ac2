//! The two files that AWS tools share: where they are, and what is in them.
//!
//! [Location of the shared `config` and `credentials`
//! files](https://docs.aws.amazon.com/sdkref/latest/guide/file-location.html)

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use super::ini::{self, BadLine, Entry, Form, Section};
use crate::credentials::{CredentialsError, VariableLookup};
use crate::error::Error;

/// Why the files cannot be used. Names no value: it may be a secret.
#[derive(Debug)]
pub(crate) struct FileTrouble {
    message: String,
    source: Option<io::Error>,
}

impl FileTrouble {
    fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            source: None,
        }
    }

    fn of_line(path: &Path, bad: &BadLine) -> Self {
        let path = path.display();
        Self::new(format!("{path}, line {}: {}", bad.line, bad.what))
    }
}

impl From<FileTrouble> for CredentialsError {
    fn from(trouble: FileTrouble) -> Self {
        let error = Self::broken(trouble.message);
        match trouble.source {
            Some(source) => error.with_source(source),
            None => error,
        }
    }
}

impl From<FileTrouble> for Error {
    fn from(trouble: FileTrouble) -> Self {
        match trouble.source {
            Some(source) => {
                Self::invalid(format!("{}: {source}", trouble.message)).with_source(source)
            }
            None => Self::invalid(trouble.message),
        }
    }
}

/// The name of the profile, if it is asked for by name.
pub(crate) fn profile_asked(lookup: &VariableLookup) -> Result<Option<String>, FileTrouble> {
    let names = ["AWS_PROFILE", "AWS_DEFAULT_PROFILE"].map(|name| lookup.get(name));
    match names {
        [Some(new), Some(old)] if new != old => Err(FileTrouble::new(
            "AWS_PROFILE and AWS_DEFAULT_PROFILE are not the same",
        )),
        [new, old] => Ok(new.or(old)),
    }
}

/// The texts of those of the two files that are there.
#[derive(Default)]
pub(crate) struct Files {
    files: Vec<File>,
    /// Where files were looked for.
    looked: Vec<PathBuf>,
}

struct File {
    path: PathBuf,
    /// How the header of a profile is usually written in it.
    form: Form,
    text: String,
}

impl Files {
    /// Reads the files that these variables name. Only a file that a variable names has to be there.
    pub(crate) fn read(lookup: &VariableLookup) -> Result<Self, FileTrouble> {
        let mut files = Self::default();
        for (variable, default, form) in [
            ("AWS_SHARED_CREDENTIALS_FILE", "credentials", Form::Name),
            ("AWS_CONFIG_FILE", "config", Form::Profile),
        ] {
            let (path, asked) = match lookup.get(variable) {
                Some(path) => (expand(lookup, variable, &path)?, true),
                None => match home(lookup) {
                    Some(home) => (home.join(".aws").join(default), false),
                    None => continue,
                },
            };
            let gone =
                |e: &io::Error| matches!(e.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory);
            files.looked.push(path.clone());
            match std::fs::read_to_string(&path) {
                Ok(text) => files.files.push(File { path, form, text }),
                Err(error) if gone(&error) && !asked => {}
                Err(error) => {
                    let of = if asked { variable } else { "the profiles" };
                    return Err(FileTrouble {
                        message: format!("{of}: cannot read {}", path.display()),
                        source: Some(error),
                    });
                }
            }
        }
        Ok(files)
    }

    /// Texts in place of files.
    #[cfg(test)]
    pub(super) fn of(credentials: &str, config: &str) -> Self {
        let file = |name: &str, form, text: &str| File {
            path: name.into(),
            form,
            text: text.to_owned(),
        };
        Self {
            files: vec![
                file("credentials", Form::Name, credentials),
                file("config", Form::Profile, config),
            ],
            looked: vec!["credentials".into(), "config".into()],
        }
    }

    /// That there is no profile of this name, and where it was looked for.
    pub(crate) fn lack(&self, name: &str) -> String {
        let paths = self.looked.iter().map(|path| path.display().to_string());
        match &*paths.collect::<Vec<_>>() {
            [] => {
                format!("there is no profile {name}: no HOME says where the files of profiles are")
            }
            paths => format!("there is no profile {name} in {}", paths.join(" or ")),
        }
    }

    /// What the files say of a profile.
    pub(crate) fn profile(&self, name: &str) -> Result<Sections, FileTrouble> {
        self.sections(|file| ini::section(&file.text, name, file.form))
    }

    /// What the files say in `[services name]`.
    pub(super) fn services(&self, name: &str) -> Result<Sections, FileTrouble> {
        self.sections(|file| ini::services(&file.text, name))
    }

    fn sections(
        &self,
        find: impl Fn(&File) -> Result<Option<Section>, BadLine>,
    ) -> Result<Sections, FileTrouble> {
        let mut sections = Sections::default();
        for file in &self.files {
            let found = find(file).map_err(|bad| FileTrouble::of_line(&file.path, &bad))?;
            sections
                .0
                .extend(found.map(|section| (file.path.clone(), section)));
        }
        Ok(sections)
    }
}

/// A section in each of the files that has it. The file of credentials comes first, and counts first.
#[derive(Default)]
pub(crate) struct Sections(Vec<(PathBuf, Section)>);

impl Sections {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &(PathBuf, Section)> {
        self.0.iter()
    }

    /// The value of a setting that has one.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        let values = self.0.iter().filter_map(|(_, section)| section.get(name));
        let mut values = values.map(|(_, value)| value);
        values.find(|value| !value.is_empty())
    }

    /// All settings, with the files that they are in.
    pub(super) fn entries(&self) -> impl Iterator<Item = (&Path, &Entry)> {
        let all = self.0.iter();
        all.flat_map(|(path, section)| section.entries().map(move |entry| (path.as_path(), entry)))
    }

    /// The value of a setting that is indented below another, as in `s3 =`.
    pub(super) fn nested(&self, above: &str, name: &str) -> Option<&str> {
        let mut values = self.0.iter().filter_map(|(_, section)| {
            let mut below = section.nested(above).rev();
            let found = below.find(|entry| entry.name.eq_ignore_ascii_case(name))?;
            Some(found.value.as_str())
        });
        values.find(|value| !value.is_empty())
    }
}

fn home(lookup: &VariableLookup) -> Option<PathBuf> {
    let home = lookup.get("HOME");
    Some(home.or_else(|| lookup.get("USERPROFILE"))?.into())
}

/// A file's name with the home for `~`, and the values of variables for `$NAME` and `${NAME}`; names of none stay
/// as they are. `of` is the setting that says it.
pub(crate) fn expand(
    lookup: &VariableLookup,
    of: &str,
    path: &str,
) -> Result<PathBuf, FileTrouble> {
    let mut expanded = String::new();
    let mut rest = path;
    while let Some((before, after)) = rest.split_once('$') {
        expanded.push_str(before);
        let in_braces = after
            .strip_prefix('{')
            .and_then(|text| text.split_once('}'));
        let (name, next) = in_braces.unwrap_or_else(|| {
            let of_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
            after.split_at(after.find(|c| !of_name(c)).unwrap_or(after.len()))
        });
        match lookup.get(name) {
            Some(value) => expanded.push_str(&value),
            None => expanded.push_str(&rest[before.len()..rest.len() - next.len()]),
        }
        rest = next;
    }
    expanded.push_str(rest);
    let Some(below) = expanded.strip_prefix('~') else {
        return Ok(expanded.into());
    };
    let bad = |why: &str| FileTrouble::new(format!("{of}: {expanded}: {why}"));
    let home = home(lookup).ok_or_else(|| bad("there is no HOME"))?;
    match below.strip_prefix(['/', '\\']) {
        Some(below) => Ok(home.join(below)),
        None if below.is_empty() => Ok(home),
        None => Err(bad("the home of another user is not looked for")),
    }
}
