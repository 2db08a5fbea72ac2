//! The phases of a run, one after the other.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use super::Side;
use super::content::FileReader;
use super::drive::{Drive, spooling};
use super::finish::{self, Spools};
use super::folder::Folder;
use super::gather::{Rules, TreeAndPrefix, TwoPrefixes};
use super::ledger::Later;
use super::moves::{Did, Mover};
use super::options::Options;
use super::outlet::{Note, Outlet};
use super::report::{Action, Listener, Report};
use super::store::{Store, blocking};
use super::task::{Direction, Task};
use super::writing::FolderWriter;
use crate::error::{Error, Kind, Result};
use crate::listing::{self, Listing};
use crate::names::Names;
use crate::plan::guard;
use crate::record::{Reader, Record};
use crate::state::StateFile;
use crate::step::Steps;
use crate::tree::{INDEX_NAME, Links, Tree};

/// How many keys a page of a listing has.
const PAGE: u64 = 1000;

pub(crate) async fn run<'l>(
    source: Side,
    target: Side,
    options: Options,
    steps: Steps,
    listener: &'l mut Listener<'l>,
) -> Result<Report> {
    let options = Arc::new(options);
    let store = |bucket, url| Store {
        bucket,
        url,
        options: options.clone(),
        steps: steps.clone(),
    };
    match (source, target) {
        (Side::Folder(root), Side::Prefix(bucket, url)) => {
            tree(Direction::Up, &root, store(bucket, url), listener).await
        }
        (Side::Prefix(bucket, url), Side::Folder(root)) => {
            tree(Direction::Down, &root, store(bucket, url), listener).await
        }
        (Side::Prefix(from, from_url), Side::Prefix(bucket, url)) => {
            copy(store(from, from_url), store(bucket, url), listener).await
        }
        (Side::Folder(_), Side::Folder(_)) => Err(Error::usage(
            "two folders are for other tools: one side has to be s3://bucket/prefix",
        )),
    }
}

fn rules(direction: Direction, options: &Options) -> Rules {
    Rules {
        direction,
        filter: options.filter(),
        trust: options.trust,
        last: options.last.clone(),
        delete: options.delete,
        verify: options.verify,
        read_only: options.is_read_only(),
    }
}

/// Whether all that is wished has a meaning in this direction.
fn check(direction: Direction, options: &Options) -> Result<()> {
    let headers = [
        &options.cache_control,
        &options.content_encoding,
        &options.content_type,
    ];
    let what = match direction {
        Direction::Down | Direction::Copy if headers.iter().any(|rules| !rules.is_empty()) => {
            "--cache-control, --content-encoding and --content-type are for uploads"
        }
        Direction::Down | Direction::Copy if options.links == Links::Follow => {
            "--follow-links is for uploads"
        }
        Direction::Up | Direction::Copy if options.folding => "--folding is for downloads",
        Direction::Up | Direction::Copy if options.fsync => "--fsync is for downloads",
        Direction::Down if options.last.is_some() => "--last and --site are for uploads and copies",
        _ => return Ok(()),
    };
    Err(Error::usage(what))
}

/// Whether the source is a folder.
fn source(root: &Path) -> Result<()> {
    match std::fs::metadata(root) {
        Ok(about) if about.is_dir() => Ok(()),
        Ok(_) => {
            let what = "the source is no folder: give the folder that it is in, and --files-from or --include";
            Err(Error::new(Kind::File, root.display().to_string(), what))
        }
        Err(cause) => Err(Error::file("read", root, &cause)),
    }
}

/// A tree and a prefix, whichever way.
async fn tree<'l>(
    direction: Direction,
    root: &Path,
    store: Store,
    listener: &'l mut Listener<'l>,
) -> Result<Report> {
    let options = store.options.clone();
    check(direction, &options)?;
    let read_only = options.is_read_only();
    let mut tree = Tree::new(root);
    tree.links = match direction {
        Direction::Up => options.links,
        // What is not followed in writing must not be followed in reading.
        _ => Links::Skip,
    };
    if direction == Direction::Up {
        source(root)?;
    }
    let pages = listing::start(&store.bucket, store.url.prefix());
    let index = finish::read_index(&store).await?;
    let (mut writer, mut names, mut unguarded) = (None, None, None);
    // The folder is made when the store has answered.
    if direction == Direction::Down {
        let mut folds = options.folding;
        if !read_only {
            let (path, fsync, steps) = (root.to_owned(), options.fsync, store.steps.clone());
            let folder = blocking(move || Folder::open(&path, fsync, steps)).await?;
            folds |= folder.folds();
            unguarded = folder.unguarded().map(str::to_owned);
            writer = Some(FolderWriter::start(folder)?);
        }
        names = Some(Names::new().folding(folds));
    }
    let state = options
        .state
        .as_deref()
        .map(|folder| StateFile::of(folder, root));
    let remembered = match &state {
        Some(state) if !options.verify => state.read(),
        _ => Reader::empty(),
    };
    let mover = Mover {
        direction,
        tree: tree.clone(),
        store: store.clone(),
        from: None,
        writer,
        verify: options.verify,
        read_only,
        large: Mover::large(),
        under_way: Default::default(),
    };
    let mut drive = Drive::new(mover, options.concurrency, read_only, listener)?;
    if let Some(why) = unguarded {
        drive.warn(&why)?;
    }
    let sides = TreeAndPrefix {
        rules: rules(direction, &options),
        tree: tree.clone(),
        state: remembered,
        listing: Listing::new(pages, store.url.prefix()),
        index,
        names,
        prefix: store.url.prefix().len(),
    };
    let trust = options.trust;
    let prepare = move || {
        let mut reader = FileReader::new(tree.clone(), direction, trust, !read_only);
        move |task: &mut Task| reader.prepare(task)
    };
    let main = drive
        .pipeline(&prepare, move |outlet| sides.run(outlet))
        .await?;
    let mut spools = Spools::default();
    spools.add(main);
    after(&mut drive, &store, prepare, &mut spools).await?;
    if !read_only {
        if drive.state_changed
            && let Some(state) = state
        {
            store.steps.tell("save", "what was read");
            if let Err(error) = finish::write_state(state, spools.again()?).await {
                drive.warn(&format!("what was read cannot be remembered: {error}"))?;
            }
        }
        if direction == Direction::Up && drive.index_changed {
            write_index(&mut drive, &store, spools).await?;
        }
    }
    Ok(end(drive))
}

/// Two prefixes of one store.
async fn copy<'l>(from: Store, store: Store, listener: &'l mut Listener<'l>) -> Result<Report> {
    let options = store.options.clone();
    check(Direction::Copy, &options)?;
    let read_only = options.is_read_only();
    let (a, b) = (from.url.clone(), store.url.clone());
    if a.bucket() == b.bucket()
        && (a.prefix().starts_with(b.prefix()) || b.prefix().starts_with(a.prefix()))
    {
        return Err(Error::usage(format!("{a} and {b} lie within each other")));
    }
    let source = listing::start(&from.bucket, a.prefix());
    let target = listing::start(&store.bucket, b.prefix());
    let source_index = finish::read_index(&from).await?;
    let target_index = finish::read_index(&store).await?;
    let mover = Mover {
        direction: Direction::Copy,
        tree: Tree::new(Path::new("")),
        store: store.clone(),
        from: Some(from),
        writer: None,
        verify: options.verify,
        read_only,
        large: Mover::large(),
        under_way: Default::default(),
    };
    let mut drive = Drive::new(mover, options.concurrency, read_only, listener)?;
    let sides = TwoPrefixes {
        rules: rules(Direction::Copy, &options),
        source: (Listing::new(source, a.prefix()), source_index),
        target: (Listing::new(target, b.prefix()), target_index),
    };
    // Nothing of this machine is read.
    let prepare = || |_: &mut Task| ();
    let main = drive
        .pipeline(&prepare, move |outlet| sides.run(outlet))
        .await?;
    let mut spools = Spools::default();
    spools.add(main);
    after(&mut drive, &store, prepare, &mut spools).await?;
    if !read_only && drive.index_changed {
        write_index(&mut drive, &store, spools).await?;
    }
    Ok(end(drive))
}

async fn write_index(drive: &mut Drive<'_>, store: &Store, spools: Spools) -> Result<()> {
    drive.report.price.puts += 1;
    store.steps.tell("put", INDEX_NAME);
    match finish::write_index(store, spools).await {
        Ok(()) => Ok(()),
        // What was moved is there; the next run compares by tags.
        Err(error) => drive.warn(&format!("the index cannot be written: {error}")),
    }
}

fn end(drive: Drive<'_>) -> Report {
    let mut report = drive.report;
    report.price.puts += drive.counts.source.max(drive.counts.target) / PAGE + 1;
    report.price.gets += 1;
    report
}

/// What comes after the first uploads: those that are last, and the deletes.
async fn after<P>(
    drive: &mut Drive<'_>,
    store: &Store,
    prepare: impl Fn() -> P,
    spools: &mut Spools,
) -> Result<()>
where
    P: FnMut(&mut Task) + Send + 'static,
{
    let direction = drive.mover.direction;
    let later = Later::new().map_err(|cause| spooling(&cause))?;
    let Later { last, deletes } = std::mem::replace(&mut drive.later, later);
    if drive.has_last {
        let last = last.finish().map_err(|cause| spooling(&cause))?;
        match drive.counts.failures {
            0 => spools.add(move_last(drive, prepare, last).await?),
            _ => {
                let what = "those that are to be last are held back, since something failed before";
                drive.fail(&Error::new(Kind::Guard, "", what))?;
            }
        }
    }
    let deletes = deletes.finish().map_err(|cause| spooling(&cause))?;
    drive.counts.failures += stuck(&drive.blocked, &deletes)?;
    // With deletes the guard says so.
    if drive.source_is_empty && drive.counts.failures == 0 && !store.options.delete {
        drive.warn("the source has nothing in it")?;
    }
    let max = store.options.max_delete;
    match guard::judge(drive.counts, max) {
        Ok(()) if drive.counts.deletes == 0 => {}
        Ok(()) => delete(drive, store, deletes).await?,
        Err(refusal) => {
            drive.fail(&Error::new(Kind::Guard, "", refusal.to_string()))?;
            drive.report.kept += drive.counts.deletes;
            // They are still there, and so is what is known of them.
            spools.add(deletes);
        }
    }
    for (task, error) in std::mem::take(&mut drive.blocked) {
        if drive.report.deleted == 0 {
            drive.fail(&error)?;
            continue;
        }
        let done = drive.mover.start(task).await;
        match done.did {
            Did::Moved(_) => {
                drive.did(
                    direction.action(),
                    &done.task.key,
                    done.task.size(direction),
                )?;
            }
            Did::InTheWay(error) | Did::Failed(error) => {
                drive.fail(&error.or_about(&done.task.key))?;
            }
            Did::Same | Did::Differs | Did::Later => {}
        }
    }
    Ok(())
}

/// How many of those that something is in the way of no delete makes room for.
fn stuck(blocked: &[(Task, Error)], deletes: &std::fs::File) -> Result<u64> {
    let mut stuck: BTreeSet<String> = blocked.iter().map(|(task, _)| task.key.clone()).collect();
    if stuck.is_empty() {
        return Ok(0);
    }
    let records = deletes.try_clone().and_then(Reader::new);
    for Record { key, .. } in records.map_err(|cause| spooling(&cause))? {
        // A folder gives way to a file when what is in it goes, and a file to a folder.
        for (at, _) in key.match_indices('/') {
            stuck.remove(&key[..at]);
        }
        // The keys below it are those up to its own with the character that comes after the slash.
        let below = stuck.range(format!("{key}/")..format!("{key}0"));
        let below: Vec<String> = below.cloned().collect();
        below.iter().for_each(|key| {
            stuck.remove(key);
        });
    }
    Ok(stuck.len() as u64)
}

/// Moves what was kept for the end.
async fn move_last<P>(
    drive: &mut Drive<'_>,
    prepare: impl Fn() -> P,
    last: std::fs::File,
) -> Result<std::fs::File>
where
    P: FnMut(&mut Task) + Send + 'static,
{
    let direction = drive.mover.direction;
    // They have been counted once.
    let (counts, report) = (drive.counts, drive.report.clone());
    let moved = drive
        .pipeline(prepare, move |mut outlet: Outlet| {
            let records = match Reader::new(last) {
                Ok(records) => records,
                Err(cause) => return outlet.note(Note::Fatal(spooling(&cause))),
            };
            for record in records {
                if !outlet.send(Task::repeated(record, direction)) {
                    return;
                }
            }
            outlet.flush();
        })
        .await?;
    drive.counts.source = counts.source;
    drive.counts.target = counts.target;
    drive.report.seen = report.seen;
    drive.report.to_move = report.to_move;
    drive.report.bytes_to_move = report.bytes_to_move;
    Ok(moved)
}

async fn delete(drive: &mut Drive<'_>, store: &Store, deletes: std::fs::File) -> Result<()> {
    let records = Reader::new(deletes).map_err(|cause| spooling(&cause))?;
    if drive.read_only {
        for record in records {
            drive.did(Action::Delete, &record.key, record.stamp.size)?;
        }
        return Ok(());
    }
    if let Some(writer) = drive.mover.writer.clone() {
        drive.state_changed = true;
        for record in records {
            match writer.delete(&record.key).await {
                Ok(()) => drive.did(Action::Delete, &record.key, record.stamp.size)?,
                Err(error) => drive.fail(&error)?,
            }
        }
        return Ok(());
    }
    drive.index_changed = true;
    let url = store.url.clone();
    store.steps.tell("delete", url.prefix());
    let keys = records.map(move |record| url.key(&record.key));
    let mut results = store.bucket.delete_many(keys).results();
    let prefix = store.url.prefix().len();
    while let Some((id, removed)) = results.next().await {
        match removed {
            Ok(_) => drive.did(Action::Delete, id.key.get(prefix..).unwrap_or(&id.key), 0)?,
            Err(error) => {
                let key = id.key.get(prefix..).unwrap_or(&id.key);
                drive.fail(&Error::from(error).or_about(key))?;
            }
        }
    }
    drive.report.price.deletes += drive.report.deleted.div_ceil(PAGE);
    Ok(())
}
