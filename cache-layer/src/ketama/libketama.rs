//! The original libketama: where its points lie.

use super::{Share, hash};
use crate::Server;

pub(super) fn place(server: &Server, share: Share, put: &mut impl FnMut(u32)) {
    for i in 0..digests(server, share) {
        let text = format!("{}-{i}", server.ring_text());
        hash::md5(text.as_bytes()).into_iter().for_each(&mut *put);
    }
}

/// How many digests, of four points each, a server gets.
///
/// libketama divides in f32, multiplies in f64 (its `40.0` is a double) and rounds the
/// product to f32 for `floorf`.
fn digests(server: &Server, share: Share) -> u32 {
    let part = server.weight() as f32 / share.total as f32;
    let count = f64::from(part) * 40.0 * share.servers as f64;
    (count as f32).floor() as u32
}
