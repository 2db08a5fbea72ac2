//! The parameters of a request to EC2, and the lists that are flattened into them.

use std::collections::BTreeMap;

use super::error::{Ec2Error, Ec2Result};
use super::filter::Filter;

/// Decoded, in the order they came.
#[derive(Debug)]
pub(super) struct Ec2Params(Vec<(Vec<u8>, Vec<u8>)>);

/// The most values of one filter:
/// [Filter limitations](https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/Using_Filtering.html).
const MAX_VALUES: usize = 200;

impl Ec2Params {
    pub(super) fn new(pairs: Vec<(Vec<u8>, Vec<u8>)>) -> Self {
        Self(pairs)
    }

    pub(super) fn pairs(&self) -> &[(Vec<u8>, Vec<u8>)] {
        &self.0
    }

    /// The first value of this name.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(other, _)| other == name.as_bytes());
        std::str::from_utf8(&found?.1).ok()
    }

    /// The values of `NAME.1`, `NAME.2` and so on.
    pub(super) fn list(&self, name: &str) -> Vec<&str> {
        let members = self.members(name);
        let values = members.into_values().flatten();
        let own = values.filter(|(field, _)| field.is_empty());
        own.map(|(_, value)| value).collect()
    }

    /// What begins with `NAME.N`, by N: the rest of the name, and the value.
    fn members(&self, name: &str) -> BTreeMap<u32, Vec<(&str, &str)>> {
        let mut members: BTreeMap<u32, Vec<(&str, &str)>> = BTreeMap::new();
        for (field, value) in &self.0 {
            let (Ok(field), Ok(value)) = (std::str::from_utf8(field), std::str::from_utf8(value))
            else {
                continue;
            };
            let Some(rest) = field
                .strip_prefix(name)
                .and_then(|rest| rest.strip_prefix('.'))
            else {
                continue;
            };
            let (index, field) = rest.split_once('.').unwrap_or((rest, ""));
            if let Ok(index) = index.parse() {
                members.entry(index).or_default().push((field, value));
            }
        }
        members
    }

    /// The filters of `Filter.N.Name` and `Filter.N.Value.M`.
    pub(super) fn filters(&self) -> Ec2Result<Vec<Filter>> {
        let read = |(index, fields): (u32, Vec<(&str, &str)>)| {
            let name = fields.iter().find(|(field, _)| *field == "Name");
            let (_, name) =
                name.ok_or_else(|| Ec2Error::missing(&format!("Filter.{index}.Name")))?;
            let values = fields
                .iter()
                .filter(|(field, _)| field.starts_with("Value."))
                .map(|(_, value)| *value);
            let values: Vec<_> = values.collect();
            if values.is_empty() {
                return Err(Ec2Error::missing(&format!("Filter.{index}.Value")));
            }
            if values.len() > MAX_VALUES {
                return Err(Ec2Error::new(
                    "FilterLimitExceeded",
                    format!("The maximum number of filter values is {MAX_VALUES}"),
                ));
            }
            Filter::new(name, &values)
        };
        self.members("Filter").into_iter().map(read).collect()
    }

    /// Reads the parameter `MaxResults`.
    pub(super) fn page_size(&self) -> Ec2Result<Option<usize>> {
        let Some(text) = self.get("MaxResults") else {
            return Ok(None);
        };
        match text.parse() {
            Ok(size @ 5..=1000) => Ok(Some(size)),
            _ => Err(Ec2Error::value(format!(
                "Value ( {text} ) for parameter maxResults is invalid. Expecting a value between 5 and 1000."
            ))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encode::form_pairs;

    fn params(form: &str) -> Ec2Params {
        Ec2Params::new(form_pairs(form.as_bytes()))
    }

    #[test]
    fn lists_are_read_by_their_numbers() {
        let read = params("InstanceId.10=c&InstanceId.2=b&InstanceId.1=a&InstanceId.x=d&Other.1=e");
        assert_eq!(read.list("InstanceId"), ["a", "b", "c"]);
        let read = params(
            "Filter.1.Name=vpc-id&Filter.1.Value.1=v&Filter.3.Name=tag%3Aa&Filter.3.Value.2=b",
        );
        assert_eq!(read.filters().unwrap().len(), 2);
    }

    #[test]
    fn bad_values_are_refused() {
        for (form, code) in [
            ("Filter.1.Value.1=x", "MissingParameter"),
            ("Filter.1.Name=vpc-id", "MissingParameter"),
            (
                "Filter.1.Name=what&Filter.1.Value.1=x",
                "InvalidParameterValue",
            ),
        ] {
            assert_eq!(params(form).filters().unwrap_err().code, code, "{form}");
        }
        let many: String = (0..201).map(|i| format!("&Filter.1.Value.{i}=x")).collect();
        let many = params(&format!("Filter.1.Name=vpc-id{many}"));
        assert_eq!(many.filters().unwrap_err().code, "FilterLimitExceeded");
        for text in ["4", "1001", "-1", "x", ""] {
            let page = params(&format!("MaxResults={text}")).page_size();
            assert_eq!(page.unwrap_err().code, "InvalidParameterValue", "{text}");
        }
        assert_eq!(params("MaxResults=5").page_size().unwrap(), Some(5));
        assert_eq!(params("").page_size().unwrap(), None);
    }
}
