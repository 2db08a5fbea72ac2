//! Items, attributes, and conditions on them.

/// An attribute of an item: a name, and one value.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Attribute {
    /// The name of the attribute.
    pub name: String,
    /// The value of the attribute, up to 1,024 bytes.
    pub value: String,
}

/// An item: a name, and a set of pairs. A name can have many values.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Item {
    /// The item's name.
    pub name: String,
    /// The pairs, in the order in which they came, which means nothing.
    pub attributes: Vec<Attribute>,
}

impl Item {
    /// An item made by hand.
    pub fn new<N: Into<String>, V: Into<String>>(
        name: impl Into<String>,
        attributes: impl IntoIterator<Item = (N, V)>,
    ) -> Self {
        let attribute = |(name, value): (N, V)| Attribute {
            name: name.into(),
            value: value.into(),
        };
        Self {
            name: name.into(),
            attributes: attributes.into_iter().map(attribute).collect(),
        }
    }

    /// One value of an attribute: any, if it has many.
    pub fn first(&self, name: &str) -> Option<&str> {
        self.attributes
            .iter()
            .find(|a| a.name == name)
            .map(|a| a.value.as_str())
    }

    /// All values of an attribute, in the order in which they came.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.attributes
            .iter()
            .filter(move |a| a.name == name)
            .map(|a| a.value.as_str())
    }

    /// Whether there is no pair: SimpleDB knows no item without any.
    pub fn is_empty(&self) -> bool {
        self.attributes.is_empty()
    }
}

/// What must hold for a write to be done. SimpleDB takes one condition a request, on an attribute of one value.
#[derive(Clone, PartialEq, Eq)]
pub struct Expected {
    pub(crate) name: String,
    pub(crate) value: Option<String>,
}

impl Expected {
    /// The attribute has this value and no other.
    pub fn equals(name: impl Into<String>, value: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            value: Some(value.into()),
        }
    }

    /// The item has no attribute of this name.
    pub fn absent(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            value: None,
        }
    }
}

impl std::fmt::Debug for Expected {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Expected")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}
