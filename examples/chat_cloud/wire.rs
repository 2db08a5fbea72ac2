//! A connection on which streams begin, before it is somebody's session: to be connected, to be authenticated, to be bound.

use std::io::{self, Error};

use aws_core::xml::Element;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};

use crate::session::HOST;
use crate::xml::{self, Next};

/// A stream before it has a session.
pub(crate) struct Wire {
    pub(crate) reader: OwnedReadHalf,
    pub(crate) writer: OwnedWriteHalf,
    /// What was read and not yet understood.
    pub(crate) bytes: Vec<u8>,
}

impl Wire {
    pub(crate) async fn connect(address: &str) -> io::Result<Self> {
        let (reader, writer) = TcpStream::connect((address, 5222)).await?.into_split();
        Ok(Self {
            reader,
            writer,
            bytes: Vec::new(),
        })
    }

    pub(crate) async fn send(&mut self, text: &str) -> io::Result<()> {
        self.writer.write_all(text.as_bytes()).await
    }

    /// Begins a stream, and waits for what the server offers.
    pub(crate) async fn begin(&mut self) -> io::Result<()> {
        self.send(&format!(
            "<?xml version='1.0'?><stream:stream to='{HOST}' version='1.0' xmlns='jabber:client' \
             xmlns:stream='http://etherx.jabber.org/streams'>"
        ))
        .await?;
        loop {
            match xml::next(&self.bytes, true) {
                Next::Begun(consumed) => {
                    self.bytes.drain(..consumed);
                    break;
                }
                Next::Incomplete => more(&mut self.reader, &mut self.bytes).await?,
                other => return Err(Error::other(format!("no stream begins: {other:?}"))),
            }
        }
        self.expect("features").await.map(drop)
    }

    /// The next element, which has to have this name.
    pub(crate) async fn expect(&mut self, name: &str) -> io::Result<Element> {
        match next(&mut self.reader, &mut self.bytes).await? {
            Some(element) if element.name() == name => Ok(element),
            other => Err(Error::other(format!(
                "{name} was to come, and not {other:?}"
            ))),
        }
    }
}

async fn more(reader: &mut OwnedReadHalf, bytes: &mut Vec<u8>) -> io::Result<()> {
    match reader.read_buf(bytes).await? {
        0 => Err(Error::other("the connection has ended")),
        _ => Ok(()),
    }
}

/// The next element, or nothing where the stream ends.
pub(crate) async fn next(
    reader: &mut OwnedReadHalf,
    bytes: &mut Vec<u8>,
) -> io::Result<Option<Element>> {
    loop {
        match xml::next(bytes, false) {
            Next::Element(element, consumed) => {
                bytes.drain(..consumed);
                return Ok(Some(element));
            }
            Next::Incomplete => more(reader, bytes).await?,
            Next::Ended => return Ok(None),
            Next::Begun(_) => return Err(Error::other("a stream within a stream")),
            Next::Wrong(why) => return Err(Error::other(why)),
        }
    }
}
