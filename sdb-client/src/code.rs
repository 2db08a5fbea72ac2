//! The codes of SimpleDB's errors.

use std::fmt;

use aws_core::Error;

/// Declares the codes: an enum with a variant for each, which is called as the code is.
///
/// `codes! { /// There is no domain of this name (400).
/// NoSuchDomain, }` writes
///
/// ```text
/// pub enum Code { NoSuchDomain, Other(String) }
///
/// impl Code {
///     pub fn as_str(&self) -> &str { match self { Self::NoSuchDomain => "NoSuchDomain", Self::Other(code) => code } }
/// }
///
/// impl From<&str> for Code { … }
/// ```
macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// The code of an error that SimpleDB answered with.
        ///
        /// [API error codes](https://docs.aws.amazon.com/AmazonSimpleDB/latest/DeveloperGuide/APIError.html)
        ///
        /// ```
        /// # async fn doc(users: sdb_client::Domain) {
        /// use sdb_client::Code;
        ///
        /// match users.put("u1").add("phone", "555 1").await {
        ///     Err(error) => match Code::of(&error) {
        ///         Some(Code::NoSuchDomain) => println!("make the domain first"),
        ///         Some(Code::NumberItemAttributesExceeded) => println!("256 pairs are the most"),
        ///         Some(code) => println!("refused: {code}"),
        ///         None => println!("no answer of the service: {error}"),
        ///     },
        ///     Ok(usage) => println!("{} machine hours", usage.box_usage),
        /// }
        /// # }
        /// ```
        #[derive(Clone, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Code {
            $($(#[$doc])* $name,)*
            /// A code that is not in this list.
            Other(String),
        }

        impl Code {
            /// The code as the service writes it.
            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$name => stringify!($name),)*
                    Self::Other(code) => code,
                }
            }
        }

        impl From<&str> for Code {
            fn from(code: &str) -> Self {
                match code {
                    $(stringify!($name) => Self::$name,)*
                    other => Self::Other(other.to_owned()),
                }
            }
        }

        #[cfg(test)]
        const ALL: &[&str] = &[$(stringify!($name),)*];
    };
}

codes! {
    /// Access to the resource is denied (403).
    AccessFailure,
    /// A condition is about an attribute that the item does not have (404).
    AttributeDoesNotExist,
    /// The keys are not accepted (403).
    AuthFailure,
    /// The request is not signed, or its keys are not known (403).
    AuthMissingFailure,
    /// The condition of a write did not hold (409).
    ConditionalCheckFailed,
    /// The same client token came with another request of an export (400).
    ConflictException,
    /// An item is named twice in one batch (400).
    DuplicateItemName,
    /// A condition has both a value and `Exists=false` (400).
    ExistsAndExpectedValue,
    /// The operation is not offered any more (400).
    FeatureDeprecated,
    /// A condition asks for a value and names none (400).
    IncompleteExpectedExpression,
    /// The signature lacks a part (400).
    IncompleteSignature,
    /// An error within the service (500).
    InternalError,
    /// There is no such action (400).
    InvalidAction,
    /// The keys are not known (403).
    InvalidClientTokenId,
    /// The `Authorization` field of the request is not in the right form (400).
    InvalidHTTPAuthHeader,
    /// The request is not legal HTTP (400).
    InvalidHttpRequest,
    /// A text in an expression is not legal (400).
    InvalidLiteral,
    /// The token does not belong to this request or is too old (400).
    InvalidNextToken,
    /// Too many comparisons in an expression (400).
    InvalidNumberPredicates,
    /// Too many values for one comparison (400).
    InvalidNumberValueTests,
    /// Two parameters do not go together (400).
    InvalidParameterCombination,
    /// A parameter has a value that is not legal (400).
    InvalidParameterValue,
    /// The expression cannot be read (400).
    InvalidQueryExpression,
    /// The response groups that were asked for are not legal (400).
    InvalidResponseGroups,
    /// The security token is not good (403).
    InvalidSecurity,
    /// The service is not known (400).
    InvalidService,
    /// The attribute to sort by is not in the condition (400).
    InvalidSortExpression,
    /// The path is not legal (400).
    InvalidURI,
    /// The version of the API is not known (400).
    InvalidWSDLVersion,
    /// There is no action (400).
    MissingAction,
    /// A parameter is missing (400).
    MissingParameter,
    /// More than one condition was given by `Exists` (400).
    MultipleExistsConditions,
    /// More than one condition was given by name (400).
    MultipleExpectedNames,
    /// More than one condition was given by value (400).
    MultipleExpectedValues,
    /// A condition is about an attribute that has many values (409).
    MultiValuedAttribute,
    /// There is no domain of this name (400).
    NoSuchDomain,
    /// The version of the API is not known (400).
    NoSuchVersion,
    /// The operation is not there yet (401).
    NotYetImplemented,
    /// The domain is full: too many pairs (409).
    NumberDomainAttributesExceeded,
    /// The domain is full: too many bytes (409).
    NumberDomainBytesExceeded,
    /// The account has too many domains (409).
    NumberDomainsExceeded,
    /// The item would have more than 256 pairs (409).
    NumberItemAttributesExceeded,
    /// The request has more than 256 pairs for one item (409).
    NumberSubmittedAttributesExceeded,
    /// The batch has more than 25 items (409).
    NumberSubmittedItemsExceeded,
    /// The account is not signed up for the service (403).
    OptInRequired,
    /// The selection took too long (408).
    QueryTimeout,
    /// The request is too old (400).
    RequestExpired,
    /// The service gave up on the request (408).
    RequestTimeout,
    /// The service is busy or away (503).
    ServiceUnavailable,
    /// The signature is not that of the request (403).
    SignatureDoesNotMatch,
    /// Too many requests (400 or 503).
    Throttling,
    /// More than 256 attributes were asked for (400).
    TooManyRequestedAttributes,
    /// The HTTP method is not taken (400).
    UnsupportedHttpVerb,
    /// The token is of an older kind (400).
    UnsupportedNextToken,
    /// The URL is too long (400).
    URITooLong,
}

impl Code {
    /// The code of an error; nothing when it is none that the service answered with. A suffix `Exception`, which the
    /// export API puts behind codes that the data API has without, is left off.
    pub fn of(error: &Error) -> Option<Self> {
        let code = error.code()?;
        let code = match Self::from(code) {
            Self::Other(_) => code.strip_suffix("Exception").unwrap_or(code),
            known => return Some(known),
        };
        Some(match Self::from(code) {
            Self::Other(_) => Self::Other(error.code()?.to_owned()),
            known => known,
        })
    }
}

/// The code as the service writes it.
impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use aws_core::ErrorBody;

    use super::*;

    fn of(code: &str) -> Option<Code> {
        Code::of(&Error::service(400, ErrorBody::new(code, ""), None))
    }

    /// Those of [Amazon's table](https://docs.aws.amazon.com/AmazonSimpleDB/latest/DeveloperGuide/APIError.html), but for
    /// the ones of SOAP, which nothing speaks any more.
    const TABLE: &str = "AccessFailure AttributeDoesNotExist AuthFailure AuthMissingFailure ConditionalCheckFailed \
        ExistsAndExpectedValue FeatureDeprecated IncompleteExpectedExpression InternalError InvalidAction \
        InvalidHTTPAuthHeader InvalidHttpRequest InvalidLiteral InvalidNextToken InvalidNumberPredicates \
        InvalidNumberValueTests InvalidParameterCombination InvalidParameterValue InvalidQueryExpression \
        InvalidResponseGroups InvalidService InvalidSortExpression InvalidURI InvalidWSDLVersion MissingAction \
        MissingParameter MultipleExistsConditions MultipleExpectedNames MultipleExpectedValues MultiValuedAttribute \
        NoSuchDomain NoSuchVersion NotYetImplemented NumberDomainsExceeded NumberDomainAttributesExceeded \
        NumberDomainBytesExceeded NumberItemAttributesExceeded NumberSubmittedAttributesExceeded \
        NumberSubmittedItemsExceeded RequestExpired RequestTimeout ServiceUnavailable TooManyRequestedAttributes \
        UnsupportedHttpVerb UnsupportedNextToken URITooLong";

    #[test]
    fn every_code_of_amazons_table_has_its_name() {
        for name in TABLE.split_whitespace() {
            assert!(ALL.contains(&name), "{name}");
        }
    }

    #[test]
    fn codes_are_their_names() {
        for name in ALL {
            let code = Code::from(*name);
            assert!(!matches!(code, Code::Other(_)), "{name}");
            assert_eq!(code.to_string(), *name);
            assert_eq!(of(name), Some(code));
        }
        assert_eq!(of("Strange"), Some(Code::Other("Strange".into())));
        assert_eq!(of("StrangeException").unwrap().as_str(), "StrangeException");
        assert_eq!(of("NoSuchDomainException"), Some(Code::NoSuchDomain));
        assert_eq!(of("ConflictException"), Some(Code::ConflictException));
        assert_eq!(Code::of(&Error::invalid("x")), None);
    }
}
