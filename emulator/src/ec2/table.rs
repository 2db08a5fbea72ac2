//! The table of instances, which may be changed at any time.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use serde_json::Value;

use super::row::{InstanceRow, InstanceState};

/// How many earlier tables are kept, for answers that are late.
const HISTORY: usize = 100;

pub(super) type InstanceRows = Arc<BTreeMap<String, InstanceRow>>;

/// The instances that an emulator's EC2 knows, from [`Emulator::ec2`](crate::Emulator::ec2); clones are the same table.
///
/// Instances are JSON as `aws ec2 describe-instances` prints them: an object with `Reservations` or `Instances`, a list of
/// instances, or one. `InstanceId` has to be there; what else is not is made up from it. `Tags` may also be an object,
/// `SecurityGroups` a list of names, `InstanceState` a name.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let emulator = emulator::Emulator::start_blocking()?;
/// let ec2 = emulator.ec2();
/// ec2.put(r#"[{"InstanceId": "i-1", "Tags": {"cluster": "chat"}}, {"InstanceId": "i-2"}]"#)?;
/// ec2.set_state("i-2", "stopped")?;
/// assert_eq!(ec2.ids(), ["i-1", "i-2"]);
/// # Ok(()) }
/// ```
#[derive(Clone, Default)]
pub struct Ec2Table(Arc<Mutex<TableState>>);

#[derive(Default)]
struct TableState {
    rows: InstanceRows,
    /// Earlier ones, the youngest first.
    before: VecDeque<InstanceRows>,
    me: Option<String>,
    file: Option<File>,
}

impl TableState {
    fn change(&mut self, change: impl FnOnce(&mut BTreeMap<String, InstanceRow>)) {
        let before = Arc::clone(&self.rows);
        change(Arc::make_mut(&mut self.rows));
        self.before.push_front(before);
        self.before.truncate(HISTORY);
    }
}

/// The file that the table is taken from.
struct File {
    path: PathBuf,
    /// When it had been changed last and how long it was, if that tells it from a later one.
    stamp: Option<Stamp>,
    text: String,
}

type Stamp = (SystemTime, u64);

/// Two changes within a tick of the file system's clock have one time: one that is younger than this may be followed by
/// another of the same time.
const SETTLED: Duration = Duration::from_secs(1);

fn stamp(path: &Path) -> Option<Stamp> {
    let file = std::fs::metadata(path).ok()?;
    let modified = file.modified().ok()?;
    let age = SystemTime::now().duration_since(modified).ok()?;
    (age > SETTLED).then_some((modified, file.len()))
}

/// A change of the table that makes no sense: why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ec2TableError(String);

impl fmt::Display for Ec2TableError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the table of instances: {}", self.0)
    }
}

impl std::error::Error for Ec2TableError {}

impl Ec2Table {
    fn lock(&self) -> MutexGuard<'_, TableState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds these instances, or puts them in place of those of the same id.
    ///
    /// # Errors
    /// When the text is not JSON of instances; nothing has changed then.
    pub fn put(&self, json: &str) -> Result<(), Ec2TableError> {
        let read = parse(json)?;
        self.change(|rows| rows.extend(read));
        Ok(())
    }

    /// Puts these instances in place of all.
    ///
    /// # Errors
    /// As [`put`](Self::put).
    pub fn set(&self, json: &str) -> Result<(), Ec2TableError> {
        let read = parse(json)?;
        self.change(|rows| *rows = read);
        Ok(())
    }

    /// Sets the state of an instance: `pending`, `running`, `shutting-down`, `terminated`, `stopping` or `stopped`.
    ///
    /// # Errors
    /// When there is no such state or instance.
    pub fn set_state(&self, id: &str, state: &str) -> Result<(), Ec2TableError> {
        let state =
            InstanceState::parse(state).ok_or_else(|| Ec2TableError(format!("state {state:?}")))?;
        if !self.lock().rows.contains_key(id) {
            return Err(Ec2TableError(format!("there is no instance {id:?}")));
        }
        self.change(|rows| {
            if let Some(row) = rows.get_mut(id) {
                row.state = state;
            }
        });
        Ok(())
    }

    /// Takes an instance out, as Amazon does some time after its end; says whether it was there.
    pub fn remove(&self, id: &str) -> bool {
        let there = self.lock().rows.contains_key(id);
        if there {
            self.change(|rows| drop(rows.remove(id)));
        }
        there
    }

    /// The ids of all instances, in order.
    pub fn ids(&self) -> Vec<String> {
        self.lock().rows.keys().cloned().collect()
    }

    /// The instance that the metadata service speaks for. Defaults to the first by id that runs.
    pub fn set_me(&self, id: impl Into<String>) {
        self.lock().me = Some(id.into());
    }

    fn change(&self, change: impl FnOnce(&mut BTreeMap<String, InstanceRow>)) {
        self.lock().change(change);
    }

    /// Takes the instances from a file now, and again when it has changed.
    pub(super) fn follow(&self, path: PathBuf) -> std::io::Result<()> {
        let invalid = |error| {
            let text = format!("{}: {error}", path.display());
            std::io::Error::new(std::io::ErrorKind::InvalidData, text)
        };
        let stamp = stamp(&path);
        let text = std::fs::read_to_string(&path).map_err(|error| {
            std::io::Error::new(error.kind(), format!("{}: {error}", path.display()))
        })?;
        self.set(&text).map_err(invalid)?;
        self.lock().file = Some(File { path, stamp, text });
        Ok(())
    }

    /// Reads the file again if it has changed; one that makes no sense, half written perhaps, changes nothing.
    fn refresh(&self) {
        let (path, known) = match &self.lock().file {
            Some(file) => (file.path.clone(), file.stamp),
            None => return,
        };
        // Looked at before the file is read: a change in between is seen the next time.
        let stamp = stamp(&path);
        if stamp.is_some() && stamp == known {
            return;
        }
        let Ok(text) = std::fs::read_to_string(&path) else {
            return;
        };
        let Ok(read) = parse(&text) else { return };
        let mut inner = self.lock();
        let Some(file) = &mut inner.file else { return };
        file.stamp = stamp;
        // Another request may have read it meanwhile, and what is the same is no change to go back by.
        if file.text != text {
            file.text = text;
            inner.change(|rows| *rows = read);
        }
    }

    /// The instances now, or before the last so many changes.
    pub(super) fn rows(&self, changes_ago: usize) -> InstanceRows {
        self.refresh();
        let inner = self.lock();
        let before = changes_ago.min(inner.before.len()).checked_sub(1);
        let before = before.and_then(|index| inner.before.get(index));
        Arc::clone(before.unwrap_or(&inner.rows))
    }

    /// The instance that the metadata service speaks for.
    pub(super) fn me(&self) -> Option<InstanceRow> {
        self.refresh();
        let inner = self.lock();
        match &inner.me {
            Some(id) => inner.rows.get(id).cloned(),
            None => {
                let mut rows = inner.rows.values();
                rows.find(|row| row.state == InstanceState::Running)
                    .cloned()
            }
        }
    }
}

impl fmt::Debug for Ec2Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Ec2Table").field(&self.ids()).finish()
    }
}

fn parse(text: &str) -> Result<BTreeMap<String, InstanceRow>, Ec2TableError> {
    let value: Value = serde_json::from_str(text).map_err(|e| Ec2TableError(e.to_string()))?;
    let none = Value::Null;
    let mut found = Vec::new();
    let lists = |value: &Value, name: &str| value[name].as_array().cloned();
    if let Some(reservations) = lists(&value, "Reservations") {
        for reservation in &reservations {
            for instance in lists(reservation, "Instances").unwrap_or_default() {
                found.push(InstanceRow::read(&instance, reservation));
            }
        }
    } else if let Some(instances) = lists(&value, "Instances") {
        found.extend(
            instances
                .iter()
                .map(|instance| InstanceRow::read(instance, &value)),
        );
    } else if let Value::Array(instances) = &value {
        found.extend(
            instances
                .iter()
                .map(|instance| InstanceRow::read(instance, &none)),
        );
    } else {
        found.push(InstanceRow::read(&value, &none));
    }
    let rows = found.into_iter().map(|row| {
        let row = row.map_err(Ec2TableError)?;
        Ok((row.id.clone(), row))
    });
    rows.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_forms_of_json() {
        for text in [
            r#"{"InstanceId": "i-1"}"#,
            r#"[{"InstanceId": "i-1"}]"#,
            r#"{"Instances": [{"InstanceId": "i-1"}]}"#,
            r#"{"Reservations": [{"ReservationId": "r-1", "Instances": [{"InstanceId": "i-1"}]}]}"#,
        ] {
            assert_eq!(parse(text).unwrap().len(), 1, "{text}");
        }
        for (text, word) in [
            ("", "EOF"),
            ("{}", "InstanceId"),
            (r#"[{"InstanceId": "x-1"}]"#, "x-1"),
            (r#"{"InstanceId": "i-1", "State": "on"}"#, "State"),
            (r#"{"InstanceId": "i-1", "Tags": {"a": 1}}"#, "Tags"),
            (
                r#"{"InstanceId": "i-1", "SecurityGroups": [1]}"#,
                "SecurityGroups",
            ),
        ] {
            let error = parse(text).unwrap_err().to_string();
            assert!(error.contains(word), "{text}: {error}");
        }
    }

    #[test]
    fn addresses_follow_the_state() {
        let table = Ec2Table::default();
        table
            .put(
                r#"{"InstanceId": "i-1", "PublicIpAddress": "54.1.2.3", "Ipv6Address": "fd00::1"}"#,
            )
            .unwrap();
        for (state, private, public, v6) in [
            ("running", true, true, true),
            ("stopped", true, false, true),
            ("terminated", false, false, false),
        ] {
            table.set_state("i-1", state).unwrap();
            let rows = table.rows(0);
            let row = &rows["i-1"];
            assert_eq!(
                (
                    row.private_ip().is_some() && row.private_dns().is_some(),
                    row.public_ip().is_some() || row.public_dns().is_some(),
                    !row.ipv6().is_empty()
                ),
                (private, public, v6),
                "{state}"
            );
        }
        assert!(
            table.set_state("i-1", "on").is_err() && table.set_state("i-2", "running").is_err()
        );
    }

    #[test]
    fn earlier_tables_are_kept() {
        let table = Ec2Table::default();
        for id in ["i-1", "i-2", "i-3"] {
            table.put(&format!("{{\"InstanceId\": \"{id}\"}}")).unwrap();
        }
        assert!(table.remove("i-1") && !table.remove("i-1"));
        let sizes: Vec<_> = (0..7).map(|ago| table.rows(ago).len()).collect();
        assert_eq!(sizes, [2, 3, 2, 1, 0, 0, 0]);
        assert_eq!(table.me().unwrap().id, "i-2");
        table.set_me("i-1");
        assert!(table.me().is_none());
    }
}
