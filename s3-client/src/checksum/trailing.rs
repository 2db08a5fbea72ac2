//! Checksums of what is only known while it is sent, or read for that alone.

use std::borrow::Cow;
use std::future::poll_fn;

use aws_core::v4::Trailer;
use aws_core::{Error, Kind, Result};

use super::{Checksum, ChecksumHasher};
use crate::bucket::Bucket;
use crate::request::body::Payload;
use crate::unsigned::Field;

/// A checksum that goes behind its body.
pub(crate) struct Trailing {
    checksum: Checksum,
    hasher: ChecksumHasher,
}

impl Trailing {
    pub(crate) fn new(checksum: Checksum) -> Self {
        Self {
            checksum,
            hasher: checksum.hasher(),
        }
    }
}

impl Trailer for Trailing {
    fn name(&self) -> &'static str {
        self.checksum.header()
    }

    fn update(&mut self, piece: &[u8]) {
        self.hasher.update(piece);
    }

    fn value(self: Box<Self>) -> String {
        self.hasher.finish()
    }
}

/// The same body with a checksum: before it where that costs no second reading, else behind it.
///
/// # Errors
/// When it can be read only once and what is behind a body cannot be signed.
pub(crate) fn summed(
    checksum: Checksum,
    payload: Payload,
    by_v4: bool,
    fields: &mut Vec<Field>,
) -> Result<Payload> {
    let mut hasher = checksum.hasher();
    match &payload {
        Payload::Whole(bytes) => hasher.update(bytes),
        Payload::Rope(pieces, _) => pieces.iter().for_each(|piece| hasher.update(piece)),
        nothing if nothing.len() == 0 => {}
        _ if by_v4 => return Ok(Payload::Summed((payload, checksum).into())),
        _ => {
            return Err(Error::invalid(format!(
                "the {checksum} checksum of a stream is known when it has been sent, and only Signature Version 4 \
                 lets it follow the body: sign by that, give the value, or send bytes or a file"
            )));
        }
    }
    fields.push((Cow::Borrowed(checksum.header()), hasher.finish()));
    Ok(payload)
}

/// The checksum of a file that is read for it alone, since what would follow the body cannot be signed.
pub(crate) async fn read_ahead(
    checksum: Checksum,
    payload: &Payload,
    bucket: &Bucket,
) -> Result<Option<String>> {
    let is_file = !matches!(
        payload,
        Payload::None | Payload::Whole(_) | Payload::Rope(..)
    ) && !payload.is_once();
    if !is_file || bucket.client().signs_by_v4(bucket.shared_name()) {
        return Ok(None);
    }
    let mut pieces = payload.open()?;
    let mut hasher = checksum.hasher();
    while let Some(piece) = poll_fn(|cx| pieces.as_mut().poll_next(cx)).await {
        let piece = piece.map_err(|cause| {
            let text = format!("the body could not be read for its {checksum} checksum: {cause}");
            Error::new(Kind::Body, text)
        })?;
        hasher.update(&piece);
    }
    Ok(Some(hasher.finish()))
}
