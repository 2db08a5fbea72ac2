//! Host blocks of [ssh_config(5)](https://man.openbsd.org/ssh_config).

use std::collections::HashMap;

use crate::template::Node;

/// A block for each node. Two of one name are called by their ids.
pub(crate) fn blocks(nodes: &[Node], user: &str) -> String {
    let mut counts: HashMap<&str, usize> = HashMap::new();
    for node in nodes {
        *counts.entry(&node.name).or_default() += 1;
    }
    let mut out = String::new();
    for node in nodes {
        let name = match counts.get(&*node.name) {
            Some(1) => &node.name,
            _ => &node.id,
        };
        out.push_str(&format!(
            "# {} in {}\nHost {name}\n    HostName {}\n    User {user}\n\n",
            node.id, node.zone, node.address
        ));
    }
    out
}
