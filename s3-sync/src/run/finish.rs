//! The end of a run: index and state are made of what was learnt.

use std::fs::File;
use std::io::{self, Write as _};

use s3_client::Source;

use super::drive::spooling;
use super::store::{Store, blocking};
use crate::error::Result;
use crate::index::{self, IndexReader};
use crate::record::{Reader, Record};
use crate::state::StateFile;
use crate::tree::INDEX_NAME;

/// How much of an index is held in memory while it is read.
const IN_MEMORY: usize = 1 << 20;

/// Reads the index of a prefix; none if there is none.
pub(crate) async fn read_index(store: &Store) -> Result<IndexReader> {
    let got = store
        .bucket
        .get(store.url.key(INDEX_NAME))
        .resumes(5)
        .send()
        .await;
    let mut body = match got {
        Ok(object) => object.body,
        Err(error) if error.is_not_found() && error.code() != Some("NoSuchBucket") => {
            return Ok(IndexReader::empty());
        }
        Err(error) => return Err(error.into()),
    };
    let mut spool = tempfile::SpooledTempFile::new(IN_MEMORY);
    while let Some(piece) = body.chunk().await.transpose()? {
        spool.write_all(&piece).map_err(|cause| spooling(&cause))?;
    }
    io::Seek::rewind(&mut spool).map_err(|cause| spooling(&cause))?;
    Ok(IndexReader::new(spool))
}

/// Puts the index of these records in the place of the one that is there.
pub(crate) async fn write_index(store: &Store, spools: Spools) -> Result<()> {
    let file = blocking(move || {
        let file = tempfile::NamedTempFile::new();
        let written = file.and_then(|file| {
            index::write(spools.records()?, io::BufWriter::new(file.as_file()))?;
            Ok(file)
        });
        written.map_err(|cause| spooling(&cause))
    })
    .await?;
    let key = store.url.key(INDEX_NAME);
    let upload = store.bucket.upload(key, Source::file(file.path()));
    let upload = upload.verify(!store.options.trust.opaque_etags);
    upload.content_type("application/gzip").send().await?;
    Ok(())
}

/// Remembers the digests of these records.
pub(crate) async fn write_state(state: StateFile, spools: Spools) -> Result<()> {
    blocking(move || {
        let written = spools.records().and_then(|records| state.write(records));
        written.map_err(|cause| spooling(&cause))
    })
    .await
}

/// Files of records, each in the order of keys.
#[derive(Default)]
pub(crate) struct Spools(Vec<File>);

impl Spools {
    pub(crate) fn add(&mut self, file: File) {
        self.0.push(file);
    }

    /// The same files once more. They share their position, so that only one may be read at a time.
    pub(crate) fn again(&self) -> Result<Self> {
        let files = self
            .0
            .iter()
            .map(File::try_clone)
            .collect::<io::Result<_>>();
        files.map(Self).map_err(|cause| spooling(&cause))
    }

    /// All records in the order of keys.
    fn records(self) -> io::Result<impl Iterator<Item = Record>> {
        let mut readers = self
            .0
            .into_iter()
            .map(Reader::new)
            .collect::<io::Result<Vec<_>>>()?;
        Ok(std::iter::from_fn(move || {
            let keys = readers.iter_mut().enumerate().filter_map(|(at, reader)| {
                let key = reader.peek()?.key.clone();
                Some((key, at))
            });
            let (_, at) = keys.min()?;
            readers.get_mut(at)?.next()
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Writer;

    #[test]
    fn spools_are_merged() {
        let mut spools = Spools::default();
        for keys in [&["b", "d", "e"][..], &["a", "c", "f"], &[]] {
            let mut writer = Writer::new(tempfile::tempfile().unwrap());
            for key in keys {
                writer.add(&Record::of_key(key)).unwrap();
            }
            spools.add(writer.finish().unwrap());
        }
        for spools in [spools.again().unwrap(), spools] {
            let keys: Vec<String> = spools.records().unwrap().map(|record| record.key).collect();
            assert_eq!(keys, ["a", "b", "c", "d", "e", "f"]);
        }
    }
}
