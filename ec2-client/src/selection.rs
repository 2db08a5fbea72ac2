//! Which instances are meant: filters that the server applies, all of which must hold.

use aws_core::Result;

use crate::instances::Instance;
use crate::limits;
use crate::wire::UnsignedRequest;

/// Filters in the order they were said.
#[derive(Clone, Debug, Default)]
pub(crate) struct Selection {
    filters: Vec<Filter>,
    /// Security groups after the first: whether one filter may come twice is not documented, so these are looked at here.
    more_groups: Vec<String>,
}

#[derive(Clone, Debug)]
struct Filter {
    name: String,
    values: Vec<String>,
}

const GROUP_ID: &str = "instance.group-id";
const GROUP_NAME: &str = "instance.group-name";

impl Selection {
    /// A filter as the server has it, wildcards included.
    pub(crate) fn filter(&mut self, name: impl Into<String>, values: Vec<String>) {
        let name = name.into();
        self.filters.push(Filter { name, values });
    }

    /// A filter for exactly this value.
    pub(crate) fn exact(&mut self, name: impl Into<String>, value: &str) {
        self.filter(name, vec![literal(value)]);
    }

    pub(crate) fn tag(&mut self, key: &str, value: &str) {
        self.exact(format!("tag:{key}"), value);
    }

    pub(crate) fn security_group(&mut self, group: &str) {
        let is_group = |filter: &Filter| filter.name == GROUP_ID || filter.name == GROUP_NAME;
        if self.filters.iter().any(is_group) {
            self.more_groups.push(group.to_owned());
        } else if is_group_id(group) {
            self.exact(GROUP_ID, group);
        } else {
            self.exact(GROUP_NAME, group);
        }
    }

    /// # Errors
    /// When it breaks a limit of the service.
    pub(crate) fn write(&self, wire: &mut UnsignedRequest) -> Result<()> {
        limits::filters(self.filters.len())?;
        for (index, filter) in (1..).zip(&self.filters) {
            limits::filter(&filter.name, &filter.values)?;
            wire.param(format!("Filter.{index}.Name"), &*filter.name);
            for (number, value) in (1..).zip(&filter.values) {
                wire.param(format!("Filter.{index}.Value.{number}"), &**value);
            }
        }
        Ok(())
    }

    /// Whether an instance that the server has found is meant.
    pub(crate) fn accepts(&self, instance: &Instance) -> bool {
        self.more_groups.iter().all(|wanted| {
            let mut groups = instance.security_groups.iter();
            groups.any(|group| match is_group_id(wanted) {
                true => group.id == *wanted,
                false => group.name == *wanted,
            })
        })
    }
}

/// Names of groups must not begin with `sg-`.
fn is_group_id(group: &str) -> bool {
    group.starts_with("sg-")
}

/// A value that stands for itself alone: `*`, `?` and the backslash are escaped by one.
fn literal(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    for c in value.chars() {
        if matches!(c, '*' | '?' | '\\') {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exact_values_are_escaped() {
        assert_eq!(literal("chat & *?\\ \u{e9}"), "chat & \\*\\?\\\\ \u{e9}");
        let mut selection = Selection::default();
        selection.tag("a*", "b*");
        selection.filter("tag:c", vec!["d*".to_owned()]);
        let shown = format!("{selection:?}");
        assert!(
            shown.contains(r#""tag:a*""#)
                && shown.contains(r#""b\\*""#)
                && shown.contains(r#""d*""#),
            "{shown}"
        );
    }

    #[test]
    fn groups_are_told_apart_and_only_the_first_is_a_filter() {
        let mut selection = Selection::default();
        selection.security_group("sg-1");
        selection.security_group("web");
        selection.security_group("sg-2");
        assert_eq!(selection.filters.len(), 1);
        assert_eq!(selection.filters[0].name, GROUP_ID);
        let instance = |groups: &[(&str, &str)]| {
            let mut instance = Instance::new("i-1");
            for (id, name) in groups {
                instance.add_security_group(id, name);
            }
            instance
        };
        let all = [("sg-1", "a"), ("sg-2", "b"), ("sg-3", "web")];
        assert!(selection.accepts(&instance(&all)));
        assert!(!selection.accepts(&instance(&all[..2])));
        assert!(!selection.accepts(&instance(&all[1..2])));
    }
}
