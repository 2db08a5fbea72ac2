//! What an object is made of: [`Source`].

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use aws_core::{Error, Result};
use bytes::{Bytes, BytesMut};
use futures_core::Stream;
use pipeline_pool::BodyError;
use tokio::io::{AsyncRead, AsyncReadExt as _};

use super::body::{OneShot, Payload, Steps};
#[cfg(feature = "fs")]
use crate::file::FilePart;
use crate::transfer::Feed;

/// What an object is made of: bytes, a stream, or a file.
///
/// Bytes and files can be sent again when an attempt fails. A stream can not, once something has been read
/// from it: the failure of the attempt is then that of the request.
///
/// Whatever a [`Bytes`] can be made of, such as a `String` or a `Vec<u8>`, is a source as it is. The others are made by
/// these functions; a stream or a reader whose length is not known is for [`Bucket::upload`](crate::Bucket::upload), which
/// sends it in parts.
///
/// ```
/// use s3_client::{Bucket, Source};
///
/// # async fn example(photos: Bucket, reader: impl tokio::io::AsyncRead + Send + 'static) -> s3_client::Result<()> {
/// photos.put("note.txt", "eight by ten").await?;
/// let uploaded = photos.upload("film.mp4", Source::reader(reader)).part_size(8 << 20).await?;
/// println!("{} bytes in {} parts", uploaded.size(), uploaded.parts());
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Source(pub(crate) Content);

/// A [`Source`] before its file has been looked at.
#[derive(Clone)]
pub(crate) enum Content {
    Here(Payload),
    /// A stream of unknown length.
    Unsized(Arc<OneShot>),
    #[cfg(feature = "fs")]
    Path(Arc<std::path::Path>),
}

impl Source {
    /// A stream of exactly `len` bytes. More or fewer fail the request with [`Kind::Body`](crate::Kind::Body), before the store
    /// has the whole of it; so does an error of the stream. One whose length is not known is an
    /// [`unsized_stream`](Self::unsized_stream).
    pub fn stream<S, E>(len: u64, stream: S) -> Self
    where
        S: Stream<Item = Result<Bytes, E>> + Send + 'static,
        E: Into<BodyError> + 'static,
    {
        Self(Content::Here(Payload::Once(OneShot::new(len, stream))))
    }

    /// A stream that is read until it ends, for [`Bucket::upload`](crate::Bucket::upload): a single put has to know
    /// the length.
    pub fn unsized_stream<S, E>(stream: S) -> Self
    where
        S: Stream<Item = Result<Bytes, E>> + Send + 'static,
        E: Into<BodyError> + 'static,
    {
        Self(Content::Unsized(OneShot::new(0, stream)))
    }

    /// A reader that is read until it ends, for [`Bucket::upload`](crate::Bucket::upload).
    pub fn reader(reader: impl AsyncRead + Send + 'static) -> Self {
        let step = |mut reader: Pin<Box<dyn AsyncRead + Send>>| async move {
            let mut piece = BytesMut::with_capacity(64 << 10);
            let n = reader.read_buf(&mut piece).await?;
            Ok::<_, BodyError>((n > 0).then(|| (piece.freeze(), reader)))
        };
        let reader: Pin<Box<dyn AsyncRead + Send>> = Box::pin(reader);
        Self::unsized_stream(Steps::new(reader, step))
    }

    /// Bytes in several pieces, which are sent without being copied together unless they are few.
    pub fn pieces(pieces: impl IntoIterator<Item = Bytes>) -> Self {
        Self(Content::Here(Payload::pieces(pieces)))
    }

    /// The file of this path, as long as it is when the request is sent. It must not change meanwhile.
    ///
    /// The object gets the media type of the file's name, by the table of the crate `mime_guess`: `cat.jpg` is
    /// `image/jpeg`. A suffix that the table does not have, or none, sends no media type, and stores then say
    /// `binary/octet-stream`. The suffix of the key does not count, and a
    /// [`content_type`](crate::request::Put::content_type) that the request is told comes first.
    #[cfg(feature = "fs")]
    pub fn file(path: impl AsRef<std::path::Path>) -> Self {
        Self(Content::Path(path.as_ref().into()))
    }

    /// The media type by the name of a file, where that tells it.
    #[cfg(feature = "fs")]
    pub(crate) fn media_type(&self) -> Option<&'static str> {
        match &self.0 {
            Content::Path(path) => mime_guess::from_path(path).first_raw(),
            _ => None,
        }
    }

    /// The media type by the name of a file: there are none.
    #[cfg(not(feature = "fs"))]
    pub(crate) fn media_type(&self) -> Option<&'static str> {
        None
    }

    pub(crate) fn of(payload: Payload) -> Self {
        Self(Content::Here(payload))
    }

    /// What is sent, to be cut into parts; with `hash` those of a file keep the digest of what was read.
    pub(crate) async fn feed(self, hash: bool) -> Result<Feed> {
        match self.0 {
            Content::Unsized(once) => Ok(Feed::of_stream(Box::pin(once.lend()?), None)),
            _ => Feed::new(self.payload().await?, hash),
        }
    }

    /// What is sent; a file is asked for its length.
    pub(crate) async fn payload(mut self) -> Result<Payload> {
        match self.at_hand() {
            Some(payload) => payload,
            #[cfg(feature = "fs")]
            None => match self.0 {
                Content::Path(path) => Ok(Payload::File(Arc::new(FilePart::whole(path).await?))),
                Content::Here(payload) => Ok(payload),
                Content::Unsized(_) => Ok(Payload::None),
            },
            #[cfg(not(feature = "fs"))]
            None => Ok(Payload::None),
        }
    }

    /// Whether it is a stream, which can be read only once, and of which the length is known.
    pub(crate) fn is_once(&self) -> bool {
        matches!(&self.0, Content::Here(payload) if payload.is_once())
    }

    /// What is sent, taken out; nothing if that is a file, which has to be asked for its length, and may have to be read.
    pub(crate) fn at_hand(&mut self) -> Option<Result<Payload>> {
        match &mut self.0 {
            Content::Here(payload) if payload.is_file() => None,
            Content::Here(payload) => Some(Ok(std::mem::take(payload))),
            Content::Unsized(_) => Some(Err(Error::invalid(
                "a stream of unknown length cannot be put in one request: upload it, or say its length",
            ))),
            #[cfg(feature = "fs")]
            Content::Path(_) => None,
        }
    }
}

/// Whatever bytes can be made of without a copy: `Bytes`, `Vec<u8>`, `String`, `&'static str` and their like.
impl<T: Into<Bytes>> From<T> for Source {
    fn from(bytes: T) -> Self {
        Self(Content::Here(Payload::Whole(bytes.into())))
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Content::Here(payload) => f.debug_tuple("Source").field(payload).finish(),
            Content::Unsized(_) => f.write_str("Source(unsized)"),
            #[cfg(feature = "fs")]
            Content::Path(path) => f.debug_tuple("Source").field(path).finish(),
        }
    }
}
