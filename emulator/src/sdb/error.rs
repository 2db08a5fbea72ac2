//! SimpleDB's errors: a code, the status that goes with it, and a message.
//!
//! See [API error codes](https://docs.aws.amazon.com/AmazonSimpleDB/latest/DeveloperGuide/APIError.html).

use std::borrow::Cow;

use hyper::StatusCode;

use crate::disk::Lost;

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct SdbError {
    pub(crate) code: &'static str,
    pub(crate) message: Cow<'static, str>,
}

impl From<Lost> for SdbError {
    fn from(_: Lost) -> Self {
        Self::storage()
    }
}

pub(crate) type SdbResult<T> = std::result::Result<T, SdbError>;

impl SdbError {
    pub(crate) fn new(code: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        let message = message.into();
        Self { code, message }
    }

    pub(crate) fn missing(parameter: &str) -> Self {
        Self::new(
            "MissingParameter",
            format!("The request must contain the parameter {parameter}"),
        )
    }

    pub(crate) fn invalid_value(value: &str, parameter: &str, why: &str) -> Self {
        let message = format!("Value ({value}) for parameter {parameter} is invalid. {why}");
        Self::new("InvalidParameterValue", message.trim_end().to_owned())
    }

    pub(crate) fn no_such_domain() -> Self {
        Self::new("NoSuchDomain", "The specified domain does not exist.")
    }

    pub(crate) fn syntax() -> Self {
        Self::new(
            "InvalidQueryExpression",
            "The specified query expression syntax is not valid.",
        )
    }

    /// What was asked for could not be written down, and did not happen, or its fate is unknown.
    pub(crate) fn storage() -> Self {
        Self::new(
            "InternalError",
            "Request could not be executed due to an internal service error.",
        )
    }

    pub(crate) fn timeout() -> Self {
        Self::new(
            "RequestTimeout",
            "A timeout occurred when attempting to query the specified domain with specified \
             query expression.",
        )
    }

    pub(crate) fn next_token() -> Self {
        Self::new("InvalidNextToken", "The specified next token is not valid.")
    }

    pub(crate) fn status(&self) -> StatusCode {
        match self.code {
            "AuthFailure"
            | "AuthMissingFailure"
            | "InvalidClientTokenId"
            | "SignatureDoesNotMatch" => StatusCode::FORBIDDEN,
            "AttributeDoesNotExist" => StatusCode::NOT_FOUND,
            "RequestTimeout" => StatusCode::REQUEST_TIMEOUT,
            "ConditionalCheckFailed"
            | "MultiValuedAttribute"
            | "NumberDomainsExceeded"
            | "NumberDomainAttributesExceeded"
            | "NumberDomainBytesExceeded"
            | "NumberItemAttributesExceeded"
            | "NumberSubmittedAttributesExceeded"
            | "NumberSubmittedItemsExceeded" => StatusCode::CONFLICT,
            "RequestEntityTooLarge" => StatusCode::PAYLOAD_TOO_LARGE,
            "InternalError" => StatusCode::INTERNAL_SERVER_ERROR,
            "ServiceUnavailable" => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::BAD_REQUEST,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As in Amazon's table; all that is not in it is of the protocols before it. 400 is that of all others in it, of
    /// which those that the emulator answers with are here.
    #[test]
    fn codes_have_their_status() {
        for (status, codes) in [
            (
                400,
                "DuplicateItemName ExistsAndExpectedValue FeatureDeprecated IncompleteExpectedExpression InvalidAction \
                 InvalidNextToken InvalidNumberPredicates InvalidNumberValueTests InvalidParameterCombination \
                 InvalidParameterValue InvalidQueryExpression InvalidSortExpression InvalidWSDLVersion MissingAction \
                 MissingParameter MultipleExistsConditions MultipleExpectedNames MultipleExpectedValues NoSuchDomain \
                 NoSuchVersion RequestExpired TooManyRequestedAttributes",
            ),
            (
                403,
                "AuthFailure AuthMissingFailure InvalidClientTokenId SignatureDoesNotMatch",
            ),
            (404, "AttributeDoesNotExist"),
            (408, "RequestTimeout"),
            (
                409,
                "ConditionalCheckFailed MultiValuedAttribute NumberDomainsExceeded NumberDomainAttributesExceeded \
                 NumberDomainBytesExceeded NumberItemAttributesExceeded NumberSubmittedAttributesExceeded \
                 NumberSubmittedItemsExceeded",
            ),
            (413, "RequestEntityTooLarge"),
            (500, "InternalError"),
            (503, "ServiceUnavailable"),
        ] {
            for code in codes.split_whitespace() {
                assert_eq!(SdbError::new(code, "").status().as_u16(), status, "{code}");
            }
        }
    }
}
