//! libmemcached's `KETAMA_SPY`: where its points lie.

use super::{Share, hash, weighted};
use crate::Server;

const EVEN_POINTS: u32 = 100;

pub(super) fn place(server: &Server, share: Share, put: &mut impl FnMut(u32)) {
    if share.even {
        for i in 0..EVEN_POINTS {
            put(hash::one_at_a_time(
                format!("/{}-{i}", server.ring_text()).as_bytes(),
            ));
        }
    } else {
        for i in 0..weighted::digests(server, share) {
            let text = format!("/{}-{i}", server.ring_text());
            hash::md5(text.as_bytes()).into_iter().for_each(&mut *put);
        }
    }
}
