//! Declares what documents are made of: their parts, and words.

/// Declares parts of documents: structs with a field for each element that is known, and one for the others.
///
/// The kind of a field says how often its element is there and what its setter takes:
/// `must` once, `opt` at most once, `val` the same and the setter takes no conversion, `all` any number,
/// `set` any number within another element that is always there, `some` within one that is there unless empty.
///
/// ```text
/// document! {
///     /// A rule.
///     pub struct Rule {
///         /// The name of the rule.
///         opt id: String = "ID",
///         /// The tags of the objects.
///         set tags + tag: Tag = "TagSet" / "Tag",
///     }
/// }
/// ```
///
/// writes, with the documentation and the derived traits,
///
/// ```text
/// pub struct Rule {
///     pub id: Option<String>,
///     pub tags: Vec<Tag>,
///     pub other: Vec<Element>,
/// }
///
/// impl Rule {
///     pub fn new() -> Self { Self::default() }
///     pub fn id(mut self, value: impl Into<String>) -> Self { self.id = Some(value.into()); self }
///     pub fn tag(mut self, value: impl Into<Tag>) -> Self { self.tags.push(value.into()); self }
/// }
///
/// impl XmlPart for Rule {
///     // <ID> is the id, each <Tag> within <TagSet> a tag, and any other element goes to `other`.
///     fn read(element: Element) -> Result<Self, XmlError> { … }
///     fn write(&self, name: &str) -> Element { … }
///     fn any() -> BoxedStrategy<Self> { … } // in tests
/// }
/// ```
macro_rules! document {
    ($(
        $(#[$meta:meta])*
        pub struct $name:ident {
            $(
                $(#[doc = $doc:literal])*
                $kind:ident $field:ident $(+ $one:ident)? : $of:ty = $tag:literal $(/ $inner:literal)?
            ),* $(,)?
        }
    )*) => {$(
        $(#[$meta])*
        #[derive(Clone, Debug, Default, PartialEq, Eq)]
        #[non_exhaustive]
        pub struct $name {
            $(
                $(#[doc = $doc])*
                ///
                #[doc = document!(@element $tag $($inner)?)]
                pub $field: document!(@type $kind $of),
            )*
            /// The elements that are not known here. They are written behind the others.
            pub other: Vec<aws_core::xml::Element>,
        }

        impl $name {
            /// A value in which nothing is set.
            #[must_use]
            pub fn new() -> Self {
                Self::default()
            }

            $(document!(@setter $kind $field $($one)? : $of = [$($doc)*] $tag $($inner)?);)*
        }

        impl $crate::config::XmlPart for $name {
            fn read(element: aws_core::xml::Element) -> Result<Self, aws_core::xml::XmlError> {
                let mut this = Self::default();
                for child in element.into_children() {
                    match child.name() {
                        $($tag => document!(@read this child $kind $field $($inner)?),)*
                        _ => this.other.push(child),
                    }
                }
                Ok(this)
            }

            fn write(&self, name: &str) -> aws_core::xml::Element {
                let mut element = aws_core::xml::Element::new(name);
                $(document!(@write self element $kind $field $tag $($inner)?);)*
                let wrappers: &[&str] = &[$($(document!(@first $tag $inner),)?)*];
                let rest = self.other.iter().filter(|rest| !wrappers.contains(&rest.name()));
                for rest in rest {
                    element.push(rest.clone());
                }
                element
            }

            #[cfg(test)]
            fn any() -> proptest::strategy::BoxedStrategy<Self> {
                use proptest::strategy::Strategy as _;
                let this = proptest::strategy::Just(Self::default()).boxed();
                $(
                    let field = document!(@any $kind $of);
                    let this = (this, field)
                        .prop_map(|(mut this, field)| { this.$field = field; this })
                        .boxed();
                )*
                (this, $crate::testing::documents::others())
                    .prop_map(|(mut this, other)| { this.other = other; this })
                    .boxed()
            }
        }
    )*};

    (@field $field:ident) => {
        concat!("[`", stringify!($field), "`](#structfield.", stringify!($field), ")")
    };
    (@element $tag:literal) => { concat!("Its element is `", $tag, "`.") };
    (@element $tag:literal $inner:literal) => {
        concat!("Its element is `", $inner, "` within `", $tag, "`.")
    };

    (@type must $of:ty) => { $of };
    (@type opt $of:ty) => { Option<$of> };
    (@type val $of:ty) => { Option<$of> };
    (@type $kind:ident $of:ty) => { Vec<$of> };

    (@setter must $field:ident : $of:ty = [$($doc:literal)*] $tag:literal) => {
        $(#[doc = $doc])*
        ///
        #[doc = concat!("Sets ", document!(@field $field), ", the element `", $tag, "`.")]
        #[must_use]
        pub fn $field(mut self, value: impl Into<$of>) -> Self {
            self.$field = value.into();
            self
        }
    };
    (@setter opt $field:ident : $of:ty = [$($doc:literal)*] $tag:literal) => {
        $(#[doc = $doc])*
        ///
        #[doc = concat!("Sets ", document!(@field $field), ", the element `", $tag, "`.")]
        #[must_use]
        pub fn $field(mut self, value: impl Into<$of>) -> Self {
            self.$field = Some(value.into());
            self
        }
    };
    (@setter val $field:ident : $of:ty = [$($doc:literal)*] $tag:literal) => {
        $(#[doc = $doc])*
        ///
        #[doc = concat!("Sets ", document!(@field $field), ", the element `", $tag, "`.")]
        #[must_use]
        pub fn $field(mut self, value: $of) -> Self {
            self.$field = Some(value);
            self
        }
    };
    (@setter $kind:ident $field:ident $one:ident : $of:ty = [$($doc:literal)*] $tag:literal $($inner:literal)?) => {
        $(#[doc = $doc])*
        ///
        #[doc = concat!("Adds one to ", document!(@field $field), ": ", document!(@element $tag $($inner)?))]
        #[must_use]
        pub fn $one(mut self, value: impl Into<$of>) -> Self {
            self.$field.push(value.into());
            self
        }
    };

    (@read $this:ident $child:ident must $field:ident) => {
        $this.$field = $crate::config::XmlPart::read($child)?
    };
    (@read $this:ident $child:ident opt $field:ident) => {
        $this.$field = $crate::config::XmlPart::read_some($child)?
    };
    (@read $this:ident $child:ident val $field:ident) => {
        $this.$field = $crate::config::XmlPart::read_some($child)?
    };
    (@read $this:ident $child:ident all $field:ident) => {
        $this.$field.push($crate::config::XmlPart::read($child)?)
    };
    (@read $this:ident $child:ident $kind:ident $field:ident $inner:literal) => {
        $crate::config::document::read_within($child, $inner, &mut $this.$field, &mut $this.other)?
    };

    (@write $this:ident $element:ident must $field:ident $tag:literal) => {
        $element.push($this.$field.write($tag));
    };
    (@write $this:ident $element:ident set $field:ident $tag:literal $inner:literal) => {
        let wrapper = $crate::config::document::write_within($tag, $inner, &$this.$field, &$this.other);
        $element.push(wrapper);
    };
    (@write $this:ident $element:ident some $field:ident $tag:literal $inner:literal) => {
        let wrapper = $crate::config::document::write_within($tag, $inner, &$this.$field, &$this.other);
        if !wrapper.children().is_empty() {
            $element.push(wrapper);
        }
    };
    (@write $this:ident $element:ident all $field:ident $tag:literal) => {
        for part in &$this.$field {
            $element.push(part.write($tag));
        }
    };
    (@write $this:ident $element:ident $kind:ident $field:ident $tag:literal) => {
        if let Some(part) = &$this.$field {
            $element.push(part.write($tag));
        }
    };

    (@first $tag:literal $inner:literal) => { $tag };

    (@any must $of:ty) => { <$of as $crate::config::XmlPart>::any() };
    (@any opt $of:ty) => { proptest::option::of(<$of as $crate::config::XmlPart>::any()) };
    (@any val $of:ty) => { proptest::option::of(<$of as $crate::config::XmlPart>::any()) };
    (@any $kind:ident $of:ty) => {
        proptest::collection::vec(<$of as $crate::config::XmlPart>::any(), 0..3)
    };
}

/// Declares words: enums of what a text can be, which keep what they do not know.
///
/// ```text
/// words! {
///     /// Who pays.
///     pub enum Payer {
///         /// The owner pays.
///         BucketOwner = "BucketOwner",
///     }
/// }
/// ```
///
/// writes, with the documentation and the derived traits,
///
/// ```text
/// pub enum Payer { BucketOwner, Other(String) }
///
/// impl Payer {
///     pub fn as_str(&self) -> &str { match self { Self::BucketOwner => "BucketOwner", Self::Other(word) => word } }
/// }
///
/// impl From<&str> for Payer { … }
/// impl From<String> for Payer { … }
/// impl Display for Payer { … }
/// impl XmlPart for Payer { … } // its text is the word
/// ```
macro_rules! words {
    ($(
        $(#[$meta:meta])*
        pub enum $name:ident {
            $($(#[doc = $doc:literal])* $variant:ident = $word:literal),* $(,)?
        }
    )*) => {$(
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum $name {
            $(
                $(#[doc = $doc])*
                ///
                #[doc = concat!("The word is `", $word, "`.")]
                $variant,
            )*
            /// Another word, which is not known here.
            Other(String),
        }

        impl $name {
            /// The word as the service writes it.
            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$variant => $word,)*
                    Self::Other(word) => word,
                }
            }
        }

        impl From<&str> for $name {
            fn from(word: &str) -> Self {
                match word {
                    $($word => Self::$variant,)*
                    _ => Self::Other(word.to_owned()),
                }
            }
        }

        impl From<String> for $name {
            fn from(word: String) -> Self {
                Self::from(word.as_str())
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl $crate::config::XmlPart for $name {
            fn read(element: aws_core::xml::Element) -> Result<Self, aws_core::xml::XmlError> {
                Ok(Self::from(element.text().trim()))
            }

            fn read_some(
                element: aws_core::xml::Element,
            ) -> Result<Option<Self>, aws_core::xml::XmlError> {
                $crate::config::document::unless_empty(element)
            }

            fn write(&self, name: &str) -> aws_core::xml::Element {
                aws_core::xml::Element::new(name).with_text(self.as_str())
            }

            #[cfg(test)]
            fn any() -> proptest::strategy::BoxedStrategy<Self> {
                use proptest::strategy::Strategy as _;
                let known = proptest::sample::select(vec![$($word),*]).prop_map(Self::from);
                proptest::prop_oneof![known, "[A-Za-z_]{1,9}".prop_map(Self::from)].boxed()
            }
        }
    )*};
}
