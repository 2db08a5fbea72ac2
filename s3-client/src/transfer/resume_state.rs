//! What is known of a download that was interrupted: a small text beside the partial file.

use std::path::{Path, PathBuf};

/// Which ranges of which object are in the partial file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ResumeState {
    pub(crate) etag: String,
    pub(crate) size: u64,
    pub(crate) part_size: u64,
    done: Vec<bool>,
}

const FIRST_LINE: &str = "s3-client download 1";

impl ResumeState {
    pub(crate) fn new(etag: String, size: u64, part_size: u64) -> Self {
        let parts = usize::try_from(size.div_ceil(part_size)).unwrap_or(usize::MAX);
        Self {
            etag,
            size,
            part_size,
            done: vec![false; parts],
        }
    }

    /// The bytes of the ranges that are not there yet, from the first on.
    pub(crate) fn missing(&self) -> impl Iterator<Item = (usize, std::ops::Range<u64>)> + '_ {
        let missing = (0..self.done.len()).filter(|part| !self.done[*part]);
        missing.map(|part| (part, self.range(part)))
    }

    pub(crate) fn range(&self, part: usize) -> std::ops::Range<u64> {
        let start = part as u64 * self.part_size;
        start..self.size.min(start + self.part_size)
    }

    pub(crate) fn finish(&mut self, part: usize) {
        self.done[part] = true;
    }

    /// How many bytes are there.
    pub(crate) fn bytes(&self) -> u64 {
        let done = (0..self.done.len()).filter(|part| self.done[*part]);
        done.map(|part| self.range(part))
            .map(|range| range.end - range.start)
            .sum()
    }

    pub(crate) fn to_text(&self) -> String {
        use std::fmt::Write as _;
        let mut text = format!(
            "{FIRST_LINE}\netag {}\nsize {}\npart {}\ndone ",
            self.etag, self.size, self.part_size
        );
        for eight in self.done.chunks(8) {
            let bits = eight
                .iter()
                .rev()
                .fold(0u8, |bits, done| bits << 1 | u8::from(*done));
            let _infallible = write!(text, "{bits:02x}");
        }
        text.push('\n');
        text
    }

    /// What such a text says; nothing if it is damaged or another program's.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut lines = text.lines();
        if lines.next()? != FIRST_LINE {
            return None;
        }
        let etag = lines.next()?.strip_prefix("etag ")?.to_owned();
        let size: u64 = lines.next()?.strip_prefix("size ")?.parse().ok()?;
        let part_size: u64 = lines.next()?.strip_prefix("part ")?.parse().ok()?;
        let hex = lines.next()?.strip_prefix("done ")?;
        let parts = size.div_ceil(Some(part_size).filter(|n| *n > 0)?);
        if lines.next().is_some()
            || !hex.bytes().all(|b| b.is_ascii_hexdigit())
            || hex.len() as u64 != parts.div_ceil(8) * 2
        {
            return None;
        }
        let mut noted = Self::new(etag, size, part_size);
        for (at, pair) in hex.as_bytes().chunks(2).enumerate() {
            let bits = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
            for bit in 0..8 {
                match noted.done.get_mut(at * 8 + bit) {
                    Some(done) => *done = bits >> bit & 1 == 1,
                    None if bits >> bit == 0 => break,
                    None => return None,
                }
            }
        }
        Some(noted)
    }
}

/// `film.mp4` as `film.mp4.part`: the partial file.
pub(crate) fn partial(path: &Path) -> PathBuf {
    with_ending(path, ".part")
}

/// The text beside it, `film.mp4.part-state`.
pub(crate) fn state(path: &Path) -> PathBuf {
    with_ending(path, ".part-state")
}

/// Where that is written before it takes the place of the old one.
pub(crate) fn next_state(path: &Path) -> PathBuf {
    with_ending(path, ".part-state-new")
}

fn with_ending(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_noted_can_be_read_back() {
        for size in [0, 1, 99, 100, 801, 5 << 40] {
            let mut noted = ResumeState::new("\"a b\"".to_owned(), size, 100.max(size / 10_000));
            let missing = noted.missing().count();
            for part in (0..missing).step_by(3) {
                noted.finish(part);
            }
            assert_eq!(ResumeState::parse(&noted.to_text()).as_ref(), Some(&noted));
            let left: u64 = noted
                .missing()
                .map(|(_, range)| range.end - range.start)
                .sum();
            assert_eq!(noted.bytes() + left, size);
        }
    }

    #[test]
    fn nonsense_is_nothing() {
        let good = "s3-client download 1\netag \"x\"\nsize 801\npart 100\ndone 0100\n";
        assert!(ResumeState::parse(good).is_some());
        for (from, to) in [
            ("download 1", "download 2"),
            ("801", "-1"),
            ("801", "1000000000000000000"),
            ("part 100", "part 0"),
            ("0100", "01"),
            ("0100", "010"),
            ("0100", "0102"),
            ("0100", "zz00"),
            ("0100", "+100"),
            ("done", "gone"),
            ("0100\n", "0100\nmore"),
            ("etag ", ""),
        ] {
            assert_eq!(
                ResumeState::parse(&good.replacen(from, to, 1)),
                None,
                "{from} as {to}"
            );
        }
        assert_eq!(ResumeState::parse(""), None);
    }
}
