//! EC2's errors: a code, the status that goes with it, and a message.
//!
//! See [Error codes for the Amazon EC2 API](https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html).

use std::borrow::Cow;

use hyper::StatusCode;

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Ec2Error {
    pub(crate) code: &'static str,
    pub(crate) message: Cow<'static, str>,
}

pub(crate) type Ec2Result<T> = std::result::Result<T, Ec2Error>;

impl Ec2Error {
    pub(crate) fn new(code: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        let message = message.into();
        Self { code, message }
    }

    pub(crate) fn missing(parameter: &str) -> Self {
        let message = format!("The request must contain the parameter {parameter}");
        Self::new("MissingParameter", message)
    }

    pub(crate) fn value(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new("InvalidParameterValue", message)
    }

    pub(crate) fn auth_failure() -> Self {
        Self::new(
            "AuthFailure",
            "AWS was not able to validate the provided access credentials",
        )
    }

    pub(crate) fn status(&self) -> StatusCode {
        match self.code {
            "AuthFailure" => StatusCode::UNAUTHORIZED,
            "UnauthorizedOperation" | "SignatureDoesNotMatch" | "MissingAuthenticationToken" => {
                StatusCode::FORBIDDEN
            }
            "DryRunOperation" => StatusCode::PRECONDITION_FAILED,
            "RequestLimitExceeded" | "Unavailable" => StatusCode::SERVICE_UNAVAILABLE,
            "InternalError" => StatusCode::INTERNAL_SERVER_ERROR,
            _ => StatusCode::BAD_REQUEST,
        }
    }
}
