//! Commands as templates, and what may be put into them.
//!
//! Names, tags and DNS names are chosen by others. What is put into a command or a file has been checked to be a plain
//! word, and none that a program could take for an option.

use ec2_client::Instance;

/// A command: the words, each of which becomes one argument.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Template(Vec<String>);

/// What is put into a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Node {
    pub(crate) id: String,
    pub(crate) address: String,
    /// The tag `Name` if that is a plain word, else the id.
    pub(crate) name: String,
    pub(crate) zone: String,
    user: String,
}

impl Node {
    /// An instance by its address; nothing if one of its names is none.
    pub(crate) fn new(instance: &Instance, address: &str, user: &str) -> Option<Self> {
        let plain = |text: &str| word(text).ok();
        let id = plain(&instance.id)?;
        Some(Self {
            address: plain(address)?,
            name: instance
                .name()
                .and_then(plain)
                .unwrap_or_else(|| id.clone()),
            zone: instance.zone.as_deref().and_then(plain).unwrap_or_default(),
            user: plain(user)?,
            id,
        })
    }

    fn value(&self, name: &str) -> Option<&str> {
        Some(match name {
            "user" => &self.user,
            "address" => &self.address,
            "id" => &self.id,
            "name" => &self.name,
            "zone" => &self.zone,
            _ => return None,
        })
    }
}

/// A plain word: letters, digits and `. _ : -` in it, and none of the last at its beginning.
pub(crate) fn word(text: &str) -> Result<String, String> {
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | ':' | '-');
    let first = |c: char| c.is_ascii_alphanumeric() || c == '_';
    // An IPv6 address may begin with a colon.
    let begins = text.starts_with(first) || text.starts_with("::");
    match begins && text.len() <= 255 && text.chars().all(legal) {
        true => Ok(text.to_owned()),
        false => Err("letters, digits and . _ : - are expected, no hyphen first".to_owned()),
    }
}

/// Reads a template: words between blanks, with names in braces.
pub(crate) fn parse(text: &str) -> Result<Template, String> {
    let words: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
    match words.first() {
        None => return Err("there is no command".to_owned()),
        // It has to be a plain name, whatever starts it.
        Some(program) if program.contains(['=', '{']) || program.starts_with('-') => {
            return Err(format!("{program} is no program"));
        }
        Some(_) => {}
    }
    let any = Node {
        id: "i".into(),
        address: "a".into(),
        name: "n".into(),
        zone: "z".into(),
        user: "u".into(),
    };
    let template = Template(words);
    template.fill(&any)?;
    Ok(template)
}

impl Template {
    /// The program and its arguments for one node.
    pub(crate) fn fill(&self, node: &Node) -> Result<Vec<String>, String> {
        self.0.iter().map(|word| fill(word, node)).collect()
    }
}

fn fill(word: &str, node: &Node) -> Result<String, String> {
    let mut out = String::new();
    let mut rest = word;
    while let Some((before, after)) = rest.split_once('{') {
        let (name, after) = after
            .split_once('}')
            .ok_or_else(|| format!("{word}: a brace is not closed"))?;
        let value = node.value(name).ok_or_else(|| {
            format!(
                "{word}: {{{name}}} is none of {{user}}, {{address}}, {{id}}, {{name}}, {{zone}}"
            )
        })?;
        out.push_str(before);
        out.push_str(value);
        rest = after;
    }
    out.push_str(rest);
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node() -> Node {
        Node {
            id: "i-1".into(),
            address: "10.0.0.1".into(),
            name: "web".into(),
            zone: "eu-west-1a".into(),
            user: "admin".into(),
        }
    }

    #[test]
    fn templates_are_filled_word_by_word() {
        let filled = |text: &str| parse(text).unwrap().fill(&node()).unwrap();
        assert_eq!(filled("ssh {user}@{address}"), ["ssh", "admin@10.0.0.1"]);
        assert_eq!(
            filled("aws ssm start-session --target {id}"),
            ["aws", "ssm", "start-session", "--target", "i-1"]
        );
        // What a shell would take for more is one argument.
        assert_eq!(filled("echo $(reboot);{name}"), ["echo", "$(reboot);web"]);
        for text in ["", "  ", "{id}", "A=b c", "-x", "ssh {host}", "ssh {user"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn only_plain_words_are_put_in() {
        for text in ["web-1", "i-0a", "10.0.0.1", "2a05::1", "::1", "a_b.example"] {
            assert!(word(text).is_ok(), "{text}");
        }
        for text in [
            "",
            "-oProxyCommand=x",
            "a b",
            "a;b",
            "$(a)",
            "a\nb",
            "#(a)",
            "\u{e9}",
            ":x",
            ".x",
        ] {
            assert!(word(text).is_err(), "{text}");
        }
    }
}
