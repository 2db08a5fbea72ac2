//! libmemcached's `KETAMA_WEIGHTED`: where its points lie.

use super::{Share, hash};
use crate::{DEFAULT_PORT, Server};

pub(super) fn place(server: &Server, share: Share, put: &mut impl FnMut(u32)) {
    let host = server.host_text();
    for i in 0..digests(server, share) {
        let text = match server.port() {
            DEFAULT_PORT => format!("{host}-{i}"),
            port => format!("{host}:{port}-{i}"),
        };
        hash::md5(text.as_bytes()).into_iter().for_each(&mut *put);
    }
}

/// How many digests, of four points each, a server gets.
///
/// Each step rounds to f32, as it does in libmemcached; another order of the same
/// product gives some servers one digest more or less.
pub(super) fn digests(server: &Server, share: Share) -> u32 {
    let part = server.weight() as f32 / share.total as f32;
    (part * 160.0 / 4.0 * share.servers as f32 + 1e-10).floor() as u32
}
