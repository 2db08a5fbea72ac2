//! What happens, in its order.

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use emulator::Emulator;
use s3_client::{Credentials, S3Client};
use s3_sync::release::App;

use crate::counts::{Counts, Step};
use crate::node::Node;

const URL: &str = "s3://boot/cluster";

/// What has happened.
#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) steps: Vec<Step>,
    pub(crate) nodes: Vec<NodeEnd>,
    /// The node that was killed, and whether it had the first release whole then.
    pub(crate) killed: String,
    pub(crate) killed_whole: bool,
}

/// How a node has ended.
#[derive(Debug)]
pub(crate) struct NodeEnd {
    pub(crate) name: String,
    pub(crate) release: u64,
    /// Whether its tree is that of the second release, byte by byte.
    pub(crate) whole: bool,
    /// What its commands have said, in their order.
    pub(crate) commands: Vec<String>,
}

impl Report {
    /// Whether everything is as it should be.
    pub(crate) fn is_right(&self) -> bool {
        let right = |node: &NodeEnd| node.whole && node.release == 2;
        self.killed_whole && self.nodes.iter().all(right)
    }
}

type Tree = BTreeMap<PathBuf, Vec<u8>>;

/// Has it all happen.
pub(crate) async fn tell(files: u32, size: u32, count: u16) -> Result<Report, Box<dyn Error>> {
    let emulator = Emulator::start_blocking()?;
    let keys = (
        emulator.access_key().to_owned(),
        emulator.secret_key().to_owned(),
    );
    let client = S3Client::builder()
        .endpoint(emulator.url())
        .credentials(Credentials::new(&*keys.0, &*keys.1))
        .build()?;
    client.bucket("boot").create().await?;
    let counts = Counts::of(&emulator);
    let app = App::new(&client, &URL.parse()?);
    let folder = tempfile::tempdir()?;
    let source = folder.path().join("source");
    let mut tree = first(files, size);
    let mut steps = Vec::new();

    write(&source, &tree, &counts)?;
    app.publish(&source).note("the first").send().await?;
    steps.push(counts.step("release 1 is published"));

    let names: Vec<String> = (1..=count).map(|node| format!("node{node}")).collect();
    let killed = names.last().cloned().unwrap_or_default();
    let endpoint = emulator.url();
    let place = |name: &str| folder.path().join(name);
    let start = |name: &str, hold: bool| {
        Node::start(&endpoint, (&keys.0, &keys.1), URL, &place(name), name, hold)
    };
    let mut nodes = names
        .iter()
        .map(|name| start(name, false))
        .collect::<io::Result<Vec<_>>>()?;
    for node in &mut nodes {
        node.wait_for(1)?;
    }
    // It has told that its commands have been run, and will not run them again.
    let said = app.wait_for(1, 1, &names, Duration::from_secs(60)).await?;
    if !said.is_done() {
        return Err(format!("nodes do not say that they run release 1: {said:?}").into());
    }
    // The last one is started again so that it holds in the middle of the change.
    if let Some(last) = nodes.pop() {
        last.kill()?;
    }
    steps.push(counts.step("all nodes have it"));
    let old = tree.clone();
    let mut victim = start(&killed, true)?;

    for (path, content) in tree
        .iter_mut()
        .filter(|(path, _)| path.starts_with("chat"))
        .take(2)
    {
        *content = [
            b"changed: ",
            path.as_os_str().as_encoded_bytes(),
            &content[..],
        ]
        .concat();
    }
    write(&source, &tree, &counts)?;
    app.publish(&source)
        .note("two files of chat")
        .send()
        .await?;
    steps.push(counts.step("two files change, release 2"));
    victim.wait_until_held()?;
    victim.kill()?;
    let killed_whole = read(&place(&killed).join("current"))? == old;
    for node in &mut nodes {
        node.wait_for(2)?;
    }
    steps.push(counts.step("the others have it, one was killed"));
    let mut again = start(&killed, false)?;
    again.wait_for(2)?;
    nodes.push(again);
    steps.push(counts.step("that one has it, too"));
    drop(nodes);

    let ends = names.into_iter().map(|name| {
        let folder = place(&name);
        let link = fs::read_link(folder.join("current"))?;
        let release = link
            .file_name()
            .and_then(|name| name.to_str()?.parse().ok());
        let commands = fs::read_to_string(folder.join("commands"))?;
        Ok(NodeEnd {
            release: release.unwrap_or_default(),
            whole: read(&folder.join("current"))? == tree,
            commands: commands.lines().map(str::to_owned).collect(),
            name,
        })
    });
    Ok(Report {
        steps,
        nodes: ends.collect::<io::Result<_>>()?,
        killed,
        killed_whole,
    })
}

/// The files of the first release: half of them are of chat, half of mail.
fn first(files: u32, size: u32) -> Tree {
    let file = |number: u32| {
        let application = if number.is_multiple_of(2) {
            "chat"
        } else {
            "mail"
        };
        let path = PathBuf::from(format!("{application}/ebin/module{number:05}.beam"));
        let bytes = (0..size)
            .map(|at| (at.wrapping_mul(31) ^ number.wrapping_mul(7919) ^ (number >> 8)) as u8);
        let content = number
            .to_be_bytes()
            .into_iter()
            .chain(bytes)
            .take(size as usize);
        (path, content.collect())
    };
    (0..files).map(file).collect()
}

fn write(root: &Path, tree: &Tree, counts: &Counts) -> io::Result<()> {
    for (path, content) in tree {
        let file = root.join(path);
        fs::create_dir_all(file.parent().unwrap_or(root))?;
        fs::write(file, content)?;
        counts.knows(content);
    }
    Ok(())
}

fn read(root: &Path) -> io::Result<Tree> {
    let mut tree = Tree::new();
    let mut folders = vec![PathBuf::new()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(root.join(&folder))? {
            let entry = entry?;
            let path = folder.join(entry.file_name());
            match entry.file_type()?.is_dir() {
                true => folders.push(path),
                false => drop(tree.insert(path, fs::read(entry.path())?)),
            }
        }
    }
    Ok(tree)
}
