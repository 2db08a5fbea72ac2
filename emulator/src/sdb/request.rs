//! Reads a request into its parameters and what else its signature covers.

use http_body_util::{BodyExt, Limited};
use hyper::body::{Body, Bytes};
use hyper::header::{HOST, HeaderValue};
use hyper::{Method, Request};

use super::error::{SdbError, SdbResult};
use super::params::SdbParams;
use super::verify::SignedTarget;
use crate::encode::form_pairs;

/// The most that a form may hold, in bytes: an item of 256 pairs, with most bytes escaped.
const FORM_MAX: usize = 2 << 20;
/// The most that a batch may take, in bytes as they are sent.
const BATCH_MAX: usize = 1 << 20;

/// The parts of a request that stay when its parameters are taken out.
#[derive(Debug, Default)]
pub(super) struct Call {
    method: Method,
    host: String,
    path: String,
    /// Of the query and the form together, in bytes.
    size: usize,
}

impl Call {
    pub(super) fn target(&self) -> SignedTarget<'_> {
        SignedTarget {
            method: self.method.as_str(),
            host: &self.host,
            path: &self.path,
        }
    }

    /// Refuses a batch that is larger than Amazon takes.
    pub(super) fn check_batch(&self) -> SdbResult<()> {
        if self.size > BATCH_MAX {
            return Err(too_large());
        }
        Ok(())
    }
}

fn too_large() -> SdbError {
    SdbError::new(
        "RequestEntityTooLarge",
        "The request is larger than the service accepts.",
    )
}

pub(super) async fn read<B>(request: Request<B>) -> SdbResult<(Call, SdbParams)>
where
    B: Body<Data = Bytes>,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let (parts, body) = request.into_parts();
    let query = parts.uri.query().unwrap_or_default().as_bytes();
    let mut size = query.len();
    let mut pairs = form_pairs(query);
    if parts.method == Method::POST {
        let body = Limited::new(body, FORM_MAX)
            .collect()
            .await
            .map_err(|error| {
                if error.is::<http_body_util::LengthLimitError>() {
                    too_large()
                } else {
                    SdbError::new("RequestTimeout", "The request was not read to its end.")
                }
            })?
            .to_bytes();
        size += body.len();
        pairs.extend(form_pairs(&body));
    }
    let host = parts.headers.get(HOST).map(HeaderValue::as_bytes);
    let call = Call {
        method: parts.method,
        host: String::from_utf8_lossy(host.unwrap_or_default()).into_owned(),
        path: parts.uri.path().to_owned(),
        size,
    };
    Ok((call, SdbParams(pairs)))
}
