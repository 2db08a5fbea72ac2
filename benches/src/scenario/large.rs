//! What takes many keys or many bytes: listings, large objects, and bodies that are signed.

use super::list::own;
use super::{Options, Scenario};
use crate::goal::Bound::{AtLeast, AtMost, Shown};
use crate::goal::Metric::{Cpu, Errors, Rate, Rss};
use crate::server::{Content, Mode};

/// The bytes of a large object.
const LARGE: usize = 1 << 30;

pub(super) fn named(name: &str, options: &Options) -> Option<Scenario> {
    Some(match name {
        "listing" => listing(options),
        "down" => down(options),
        "up" => up(options),
        "put4k" => put4k(options),
        _ => return None,
    })
}

fn has(content: Content) -> Mode {
    Mode {
        content,
        ..Mode::default()
    }
}

/// Figures are of keys, as [`jobs`](crate::jobs) counts.
fn listing(options: &Options) -> Scenario {
    Scenario::new(
        "100,000 keys listed in pages of 1,000, one after another; figures are of keys",
        own(options, 0.0, has(Content::Listing)),
    )
    .of_size(100_000)
    .s3("s3", "--job list")
    .stores("--job list")
    .over(Cpu, "s3", "object_store V4", AtMost(0.4))
    .over(Cpu, "s3", "object_store", Shown)
    .over(Rate, "s3", "object_store V4", Shown)
    .alone(Errors, "s3", AtMost(0.0))
    .alone(Rss, "s3", AtMost(16.0))
}

/// Figures are of MiB. Verified is what is default: the bytes are compared with the checksum of the store.
fn down(options: &Options) -> Scenario {
    Scenario::new(
        "1 GiB into a file: 4 ranges at a time, object_store's one stream; figures are of MiB",
        own(options, 0.0, has(Content::Large)),
    )
    .of_size(LARGE)
    .s3("s3", "--job down")
    .s3("s3 unverified", "--job down --unverified")
    .stores("--job down")
    .over(Rate, "s3", "object_store V4", AtLeast(1.0))
    .over(Cpu, "s3", "object_store V4", AtMost(1.1))
    .over(Rate, "s3 unverified", "object_store V4", Shown)
    .over(Cpu, "s3 unverified", "object_store V4", Shown)
    .alone(Errors, "s3", AtMost(0.0))
}

/// Figures are of MiB. Verified is what is default: entity tags of parts are compared with what was sent.
fn up(options: &Options) -> Scenario {
    Scenario::new(
        "1 GiB from memory in parts of 8 MiB, 4 at a time; figures are of MiB",
        own(options, 0.0, has(Content::Large)),
    )
    .of_size(LARGE)
    .s3("s3", "--job up")
    .s3("s3 unverified", "--job up --unverified")
    .s3("s3 V4", "--job up --v4")
    .stores("--job up")
    .over(Rate, "s3", "object_store V4", AtLeast(1.1))
    .over(Cpu, "s3", "object_store V4", AtMost(1.2))
    .over(Cpu, "s3 unverified", "object_store V4", AtMost(0.5))
    .over(Cpu, "s3 V4", "object_store V4", Shown)
    .alone(Errors, "s3", AtMost(0.0))
}

/// Both sign the digest of the body, so that what is compared is the rest.
fn put4k(options: &Options) -> Scenario {
    let put = "--put --tasks 64";
    let v4 = format!("{put} --v4");
    Scenario::new(
        "64 tasks that PUT 4 KiB signed by Version 4, the default pool, concurrent server",
        own(options, 0.0, Mode::default()),
    )
    .of_size(4096)
    .s3("s3 V4", &v4)
    .s3("s3 V4 8x32", &format!("{v4} --connections 8 --depth 32"))
    .s3("s3 V2", put)
    .signed(put)
    .over(Rate, "s3 V4", "object_store V4", AtLeast(1.0))
    .over(Cpu, "s3 V4", "object_store V4", AtMost(0.8))
    .over(Cpu, "s3 V2", "object_store V4", Shown)
    .alone(Errors, "s3 V4", AtMost(0.0))
}
