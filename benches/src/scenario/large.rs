//! What takes many keys or many bytes: listings, large objects, and bodies that are signed.

use super::list::own;
use super::{Options, Scenario, Target};
use crate::goal::Bound::{AtLeast, AtMost, Shown};
use crate::goal::Metric::{Cpu, Errors, P99, Rate, Rss};
use crate::server::{Content, Mode};

/// The bytes of a large object.
const LARGE: usize = 1 << 30;

pub(super) fn named(name: &str, options: &Options) -> Option<Scenario> {
    Some(match name {
        "listing" => listing(options),
        "down" => down(options),
        "up" => up(options),
        "put4k" => put4k(options),
        "simpledb" => simpledb(options),
        "tls" => tls(options),
        "tls64k" => tls64k(options),
        "tls-nginx" => tls_nginx(),
        "tls64k-nginx" => tls64k_nginx(),
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

/// How many things each request is to bring is a part of its name in the server's answers: see
/// [`Action`](crate::clients::simpledb::Action).
fn simpledb(options: &Options) -> Scenario {
    let run = |action, body| format!("simpledb --tasks 64 --action {action} --expect {body}");
    let alone = |action, body| format!("--action {action} --expect {body}");
    Scenario::new(
        "SimpleDB: put of 4 attributes, get of 4, select of a page of 100; ours by 64 tasks, boto3 one after another",
        own(options, 0.0, has(Content::SimpleDb)),
    )
    .run("put", &run("put", 4))
    .run("get", &run("get", 4))
    .run("select", &run("select", 100))
    .boto3(options, "boto3 put", &alone("put", 4))
    .boto3(options, "boto3 get", &alone("get", 4))
    .boto3(options, "boto3 select", &alone("select", 100))
    .alone(Cpu, "put", AtMost(8.0))
    .alone(Cpu, "get", AtMost(6.0))
    .alone(Cpu, "select", AtMost(120.0))
    .over(Cpu, "put", "boto3 put", AtMost(8.0 / 656.0))
    .over(Cpu, "get", "boto3 get", AtMost(6.0 / 583.0))
    .over(Cpu, "select", "boto3 select", AtMost(120.0 / 3696.0))
}

/// TLS 1.3 by rustls on both sides; the server joins the answers of one read into as few records as they fit into.
fn tls(options: &Options) -> Scenario {
    let server = own(options, 0.0, Mode::default());
    secret(
        "256 tasks, TLS 1.3, a server that joins answers",
        server,
        1024,
    )
    .over(Cpu, "s3 8", "hyper 8", AtMost(0.85))
    .over(Cpu, "s3 8x32", "object_store V4", AtMost(1.0 / 8.0))
    .over(Cpu, "s3 8", "object_store V4", AtMost(0.24))
}

fn tls64k(options: &Options) -> Scenario {
    let server = own(options, 0.0, Mode::default());
    secret("256 tasks, bodies of 64 KiB, TLS 1.3", server, 64 << 10)
        .over(Cpu, "s3 8", "hyper 8", AtMost(0.92))
        .over(P99, "s3 8", "hyper 8", AtMost(1.0))
        .over(Cpu, "s3 8", "object_store V4", Shown)
}

/// nginx has OpenSSL, works one request of a connection after another, and sends each answer in records of its own.
fn tls_nginx() -> Scenario {
    let about = "256 tasks, TLS 1.3, nginx, a static file";
    secret(about, Target::Nginx { puts: false }, 1024)
        .over(Cpu, "s3 8", "hyper 8", AtMost(0.85))
        .over(Cpu, "s3 8", "object_store V4", AtMost(0.24))
        .over(Cpu, "s3 8x32", "object_store V4", Shown)
}

fn tls64k_nginx() -> Scenario {
    let about = "256 tasks, a file of 64 KiB, TLS 1.3, nginx";
    secret(about, Target::Nginx { puts: false }, 64 << 10)
        .over(Cpu, "s3 8", "hyper 8", AtMost(0.92))
        .over(P99, "s3 8", "hyper 8", AtMost(1.0))
        .over(Cpu, "s3 8", "object_store V4", Shown)
}

fn secret(about: &'static str, server: Target, size: usize) -> Scenario {
    Scenario::new(about, server)
        .of_size(size)
        .over_tls()
        .s3("s3 8", "--connections 8")
        .s3("s3 8x32", "--connections 8 --depth 32")
        .run("hyper 8", "hyper --connections 8")
        .run("hyper 256", "hyper")
        .signed("")
        .over(Cpu, "s3 8", "hyper 256", Shown)
        .alone(Errors, "s3 8", AtMost(0.0))
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
