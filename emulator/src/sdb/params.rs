//! The parameters of a Query request, and the lists that are flattened into them.

use std::collections::BTreeMap;

use super::error::{SdbError, SdbResult};
use super::store::{Change, Condition, check_count};

const VERSION: &str = "2009-04-15";
/// Without conditions and consistent reads.
const VERSION_OLD: &str = "2007-11-07";

/// The longest item name, attribute name or value, in bytes.
pub(crate) const TEXT_MAX: usize = 1024;

/// Decoded parameters, as sent; signing needs every byte of them.
#[derive(Debug)]
pub(crate) struct SdbParams(pub(crate) Vec<(Vec<u8>, Vec<u8>)>);

/// The fields of each member of a flattened list, in the order of their indices, gaps closed.
type Members<'a> = Vec<BTreeMap<&'a str, &'a [u8]>>;

/// A name and its value.
type ParamField<'a> = (&'a str, &'a [u8]);

/// The index of a member of a list: any number, however long, since none may be overlooked. `1` and `01` are two.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Place<'a> {
    /// How many digits it has, but for zeros before them.
    len: usize,
    digits: &'a str,
    /// The index is written as it was sent.
    index: &'a str,
}

impl<'a> Place<'a> {
    fn read(index: &'a str) -> Option<Self> {
        if index.is_empty() || !index.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let digits = index.trim_start_matches('0');
        let len = digits.len();
        Some(Self { len, digits, index })
    }
}

impl SdbParams {
    fn raw(&self, name: &str) -> Option<&[u8]> {
        let found = self.0.iter().find(|(given, _)| given == name.as_bytes());
        found.map(|(_, value)| value.as_slice())
    }

    pub(crate) fn get(&self, name: &str) -> SdbResult<Option<&str>> {
        self.raw(name).map(|value| utf8(value, name)).transpose()
    }

    /// A parameter that has to be there and not be empty.
    pub(crate) fn require(&self, name: &str) -> SdbResult<&str> {
        self.get(name)?
            .filter(|value| !value.is_empty())
            .ok_or_else(|| SdbError::missing(name))
    }

    pub(crate) fn flag(&self, name: &str) -> SdbResult<bool> {
        self.get(name)?
            .map_or(Ok(false), |value| boolean(value, name))
    }

    pub(crate) fn number(&self, name: &str, least: u32, most: u32) -> SdbResult<Option<u32>> {
        let Some(text) = self.get(name)? else {
            return Ok(None);
        };
        let number = text.parse().ok();
        match number.filter(|number| (least..=most).contains(number)) {
            Some(number) => Ok(Some(number)),
            None => Err(SdbError::invalid_value(
                text,
                name,
                &format!("{name} must be between {least} and {most}."),
            )),
        }
    }

    /// Names that are text, with their values.
    fn fields(&self) -> impl Iterator<Item = ParamField<'_>> + Clone {
        let fields = self.0.iter();
        fields.filter_map(|(name, value)| Some((std::str::from_utf8(name).ok()?, &**value)))
    }

    /// The values of the list `prefix.N`, also given as plain `prefix`.
    pub(crate) fn list(&self, prefix: &str) -> SdbResult<Vec<&str>> {
        let mut values = Vec::new();
        if let Some(value) = self.get(prefix)? {
            values.push(value);
        }
        for member in members(self.fields(), prefix) {
            if let Some(value) = member.get("") {
                values.push(utf8(value, prefix)?);
            }
        }
        Ok(values)
    }

    /// The attributes of a put or a delete.
    pub(crate) fn attributes(&self, values: Values) -> SdbResult<Vec<Change>> {
        attributes(self.fields(), values)
    }

    /// The items of a batch, each with its attributes.
    pub(crate) fn items(&self, values: Values) -> SdbResult<Vec<(String, Vec<Change>)>> {
        let mut items: BTreeMap<Place<'_>, Vec<ParamField<'_>>> = BTreeMap::new();
        for (name, value) in self.fields() {
            let Some(rest) = name.strip_prefix("Item.") else {
                continue;
            };
            let (index, field) = rest.split_once('.').unwrap_or((rest, ""));
            if let Some(place) = Place::read(index) {
                items.entry(place).or_default().push((field, value));
            }
        }
        // Before any of them is read: there is room for many thousands in a request.
        check_count(items.len())?;
        items
            .into_iter()
            .map(|(place, fields)| {
                let fields = fields.iter().copied();
                let name = fields.clone().find(|(name, _)| *name == "ItemName");
                let name = name.map(|(_, value)| utf8(value, "ItemName")).transpose()?;
                let name = name.filter(|name| !name.is_empty());
                let name = name
                    .ok_or_else(|| SdbError::missing(&format!("Item.{}.ItemName", place.index)))?;
                let changes = attributes(fields, values)?;
                Ok((checked(name, "ItemName")?.to_owned(), changes))
            })
            .collect()
    }

    /// The condition of a conditional write, if there is one: `Expected.1.Name` and so on, or
    /// without the number.
    pub(crate) fn expected(&self) -> SdbResult<Option<Condition>> {
        let plain = ["Name", "Value", "Exists"].into_iter();
        let plain: BTreeMap<_, _> = plain
            .filter_map(|name| Some((name, self.raw(&format!("Expected.{name}"))?)))
            .collect();
        let mut members = members(self.fields(), "Expected");
        if !plain.is_empty() {
            members.push(plain);
        }
        match members.as_slice() {
            [] => Ok(None),
            [member] => condition(member),
            _ => {
                let many = |field| {
                    let with = members.iter().filter(|member| member.contains_key(field));
                    with.count() > 1
                };
                Err(if many("Name") {
                    let why = "Only one Expected.Name can be specified";
                    SdbError::new("MultipleExpectedNames", why)
                } else if many("Value") {
                    let why = "Only one Expected.Value can be specified";
                    SdbError::new("MultipleExpectedValues", why)
                } else {
                    let why = "Only one Exists condition can be specified";
                    SdbError::new("MultipleExistsConditions", why)
                })
            }
        }
    }

    /// Refuses what the version of the API that the request names does not have.
    pub(crate) fn check_version(&self) -> SdbResult<()> {
        let version = self.require("Version")?;
        if version == VERSION {
            return Ok(());
        }
        if version != VERSION_OLD {
            return Err(SdbError::new(
                "NoSuchVersion",
                format!(
                    "The requested version ({version}) of service AmazonSimpleDB does not exist."
                ),
            ));
        }
        let newer = |name: &[u8]| name == b"ConsistentRead" || name.starts_with(b"Expected.");
        match self.0.iter().find(|(name, _)| newer(name)) {
            Some((name, _)) => Err(SdbError::new(
                "InvalidWSDLVersion",
                format!(
                    "Parameter ({}) is only supported in WSDL version {VERSION} or beyond. Please \
                     upgrade to new version",
                    String::from_utf8_lossy(name)
                ),
            )),
            None => Ok(()),
        }
    }
}

/// Members of the list `prefix.N.field`.
fn members<'a>(fields: impl Iterator<Item = ParamField<'a>>, prefix: &str) -> Members<'a> {
    let mut members: BTreeMap<Place<'_>, BTreeMap<&str, &[u8]>> = BTreeMap::new();
    for (name, value) in fields {
        let rest = name
            .strip_prefix(prefix)
            .and_then(|rest| rest.strip_prefix('.'));
        let Some(rest) = rest else { continue };
        let (index, field) = rest.split_once('.').unwrap_or((rest, ""));
        if let Some(place) = Place::read(index) {
            let member = members.entry(place).or_default();
            member.entry(field).or_insert(value);
        }
    }
    members.into_values().collect()
}

fn attributes<'a>(
    fields: impl Iterator<Item = ParamField<'a>> + Clone,
    values: Values,
) -> SdbResult<Vec<Change>> {
    if fields.clone().any(|(name, _)| name == "Replace") {
        return Err(SdbError::new(
            "FeatureDeprecated",
            "The replace flag must be specified per attribute, not per item.",
        ));
    }
    members(fields, "Attribute")
        .into_iter()
        .map(|member| {
            let name = field(&member, "Name")?.ok_or_else(|| {
                let value = member.get("Value").copied().unwrap_or_default();
                let value = String::from_utf8_lossy(value);
                SdbError::new(
                    "MissingParameter",
                    format!("Attribute.Name missing for Attribute.Value='{value}'"),
                )
            })?;
            let value = field(&member, "Value")?;
            if value.is_none() && values == Values::Required {
                return Err(SdbError::new(
                    "MissingParameter",
                    format!("Attribute.Value missing for Attribute.Name='{name}'"),
                ));
            }
            let replace =
                field(&member, "Replace")?.map_or(Ok(false), |value| boolean(value, "Replace"))?;
            Ok(Change {
                name: checked(name, "Name")?.to_owned(),
                value: value
                    .map(|value| sized(value, "Value").map(str::to_owned))
                    .transpose()?,
                replace,
            })
        })
        .collect()
}

fn condition(member: &BTreeMap<&str, &[u8]>) -> SdbResult<Option<Condition>> {
    if member.is_empty() {
        return Ok(None);
    }
    let name = field(member, "Name")?.ok_or_else(|| {
        SdbError::new(
            "MissingParameter",
            "Expected.Name missing for Expected.Value.",
        )
    })?;
    let name = checked(name, "Expected.Name")?.to_owned();
    let value = field(member, "Value")?;
    let exists = field(member, "Exists")?
        .map(|value| boolean(value, "Expected.Exists"))
        .transpose()?;
    match (exists, value) {
        (Some(false), Some(_)) => Err(SdbError::new(
            "ExistsAndExpectedValue",
            "Expected.Exists=false and Expected.Value cannot be specified together",
        )),
        (Some(true) | None, None) => Err(SdbError::new(
            "IncompleteExpectedExpression",
            "If Expected.Exists=true or unspecified, then Expected.Value has to be specified",
        )),
        (Some(false), None) => Ok(Some(Condition { name, value: None })),
        (Some(true) | None, Some(value)) => Ok(Some(Condition {
            name,
            value: Some(sized(value, "Expected.Value")?.to_owned()),
        })),
    }
}

/// Whether each attribute has to have a value.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Values {
    Required,
    Optional,
}

fn field<'a>(member: &BTreeMap<&str, &'a [u8]>, name: &str) -> SdbResult<Option<&'a str>> {
    member.get(name).map(|value| utf8(value, name)).transpose()
}

fn utf8<'a>(value: &'a [u8], name: &str) -> SdbResult<&'a str> {
    std::str::from_utf8(value).map_err(|_| {
        SdbError::invalid_value(
            &String::from_utf8_lossy(value),
            name,
            "The value is not UTF-8.",
        )
    })
}

fn boolean(value: &str, name: &str) -> SdbResult<bool> {
    match value.to_ascii_lowercase().as_str() {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => {
            let flag = match name {
                "Expected.Exists" => name.to_owned(),
                _ => format!("The {name} flag"),
            };
            let why = format!("{flag} should be either true or false.");
            Err(SdbError::invalid_value(value, name, &why))
        }
    }
}

/// A value that is not too long.
pub(crate) fn sized<'a>(value: &'a str, name: &str) -> SdbResult<&'a str> {
    if value.len() > TEXT_MAX {
        let why = format!("Value exceeds maximum length of {TEXT_MAX}.");
        return Err(SdbError::invalid_value(value, name, &why));
    }
    Ok(value)
}

/// A name: not too long, and not empty.
pub(crate) fn checked<'a>(value: &'a str, name: &str) -> SdbResult<&'a str> {
    if value.is_empty() {
        let why = "The empty string is an illegal attribute name";
        return Err(SdbError::invalid_value(value, name, why));
    }
    sized(value, name)
}

/// A domain's name: 3 to 255 of `a-z A-Z 0-9 _ . -`.
pub(crate) fn domain_name(name: &str) -> SdbResult<&str> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-');
    if (3..=255).contains(&name.len()) && name.bytes().all(plain) {
        Ok(name)
    } else {
        Err(SdbError::invalid_value(name, "DomainName", ""))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encode::form_pairs;

    fn params(form: &str) -> SdbParams {
        SdbParams(form_pairs(form.as_bytes()))
    }

    #[test]
    fn lists_take_gaps_and_any_order() {
        let params = params(
            "Attribute.7.Value=v7&Attribute.7.Name=b&Attribute.0.Name=a&Attribute.0.Value=\
             &Attribute.7.Replace=true&AttributeName.3=y&AttributeName.1=x",
        );
        let changes = params.attributes(Values::Required).unwrap();
        let change = |name: &str, value: &str, replace| Change {
            name: name.into(),
            value: Some(value.into()),
            replace,
        };
        assert_eq!(changes, [change("a", "", false), change("b", "v7", true)]);
        assert_eq!(params.list("AttributeName").unwrap(), ["x", "y"]);
    }

    #[test]
    fn any_number_is_an_index_and_nothing_else() {
        let names = |form: &str| {
            let changes = params(form).attributes(Values::Optional).unwrap();
            let names = changes.into_iter().map(|change| change.name);
            names.collect::<Vec<_>>().join(" ")
        };
        // More than any machine counts to, and one index in two forms.
        assert_eq!(
            names(
                "Attribute.99999999999999999999999.Name=z&Attribute.01.Name=b&Attribute.1.Name=c&Attribute.00.Name=a"
            ),
            "a b c z"
        );
        assert_eq!(
            names("Attribute.+1.Name=a&Attribute.-1.Name=b&Attribute.1e3.Name=c"),
            ""
        );
        assert_eq!(
            names("Attribute.\u{661}.Name=a&Attribute..Name=b&Attribute.Name=c"),
            ""
        );
    }

    #[test]
    fn a_batch_of_very_many_items_is_refused_before_they_are_read() {
        // With work for each that grows with their number, this would take minutes.
        let form: String = (0..60_000)
            .map(|n| format!("Item.{n}.ItemName=&"))
            .collect();
        let refused = params(&form).items(Values::Optional).unwrap_err();
        assert_eq!(refused.code, "NumberSubmittedItemsExceeded");
    }

    #[test]
    fn conditions_are_whole_or_refused() {
        let code = |form| params(form).expected().unwrap_err().code;
        assert_eq!(params("a=b").expected().unwrap(), None);
        let exists = params("Expected.1.Name=a&Expected.1.Value=b").expected();
        let wanted = Condition {
            name: "a".into(),
            value: Some("b".into()),
        };
        assert_eq!(exists.unwrap(), Some(wanted));
        let absent = params("Expected.Name=a&Expected.Exists=false").expected();
        let wanted = Condition {
            name: "a".into(),
            value: None,
        };
        assert_eq!(absent.unwrap(), Some(wanted));
        assert_eq!(code("Expected.1.Name=a"), "IncompleteExpectedExpression");
        assert_eq!(code("Expected.1.Value=a"), "MissingParameter");
        assert_eq!(
            code("Expected.1.Name=a&Expected.1.Exists=false&Expected.1.Value=b"),
            "ExistsAndExpectedValue"
        );
        assert_eq!(
            code("Expected.1.Name=a&Expected.1.Value=b&Expected.2.Name=c&Expected.2.Value=d"),
            "MultipleExpectedNames"
        );
        assert_eq!(
            code("Expected.1.Name=a&Expected.1.Value=b&Expected.Name=a&Expected.Value=b"),
            "MultipleExpectedNames"
        );
        assert_eq!(
            code("Expected.1.Name=a&Expected.1.Value=b&Expected.2.Value=d"),
            "MultipleExpectedValues"
        );
        assert_eq!(
            code("Expected.1.Exists=true&Expected.2.Name=a&Expected.3.Exists=true"),
            "MultipleExistsConditions"
        );
    }

    #[test]
    fn names_are_checked() {
        assert!(domain_name("a.B_9-").is_ok());
        for name in ["ab", "a b c", "é.é", &"a".repeat(256)] {
            assert_eq!(
                domain_name(name).unwrap_err().code,
                "InvalidParameterValue",
                "{name}"
            );
        }
        assert!(checked(&"a".repeat(1024), "Name").is_ok());
        assert!(checked(&"a".repeat(1025), "Name").is_err());
        assert!(checked("", "Name").is_err());
        // Bytes count, not characters.
        assert!(sized(&"\u{e9}".repeat(512), "Value").is_ok());
        assert!(sized(&"\u{e9}".repeat(513), "Value").is_err());
    }
}
