//! Measures the SimpleDB half: signed puts per second, in memory and on disk, and what selects over
//! many items look at.
//!
//! ```sh
//! cargo run --release -p emulator --example sdb_load
//! ```
//!
//! The emulator has one thread, the client another: two free cores are what it takes.

#![allow(clippy::print_stdout)]

use std::error::Error;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use base64::prelude::*;
use clap::Parser;
use emulator::{Emulator, SdbOptions};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

type Failure = Box<dyn Error + Send + Sync>;
type Result<T> = std::result::Result<T, Failure>;

/// Signed puts per second, in memory and on disk, and what selects look at.
#[derive(Parser)]
struct Args {
    /// How many items there are.
    #[arg(long, default_value_t = 100_000)]
    items: usize,
    /// How many puts are measured for each row; all of the items are put first.
    #[arg(long, default_value_t = 200_000)]
    puts: usize,
    /// How many connections put at the same time.
    #[arg(long, default_value_t = 16)]
    connections: usize,
    /// How many requests each connection has in flight.
    #[arg(long, default_value_t = 16)]
    depth: usize,
    /// Folder for the domains on disk. Defaults to one in the system's folder for such.
    #[arg(long)]
    dir: Option<PathBuf>,
}

fn main() -> Result<()> {
    let args = Args::parse();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let name = format!("sdb-load-{}", std::process::id());
    let dir = args
        .dir
        .clone()
        .unwrap_or_else(std::env::temp_dir)
        .join(name);
    println!(
        "{} items, {} puts over {} connections with {} in flight on each",
        args.items, args.puts, args.connections, args.depth
    );
    let rows = [
        ("in memory", SdbOptions::default()),
        ("on disk", SdbOptions::default().dir(dir.join("plain"))),
        (
            "on disk, flushed",
            SdbOptions::default().dir(dir.join("fsync")).fsync(true),
        ),
    ];
    for (name, options) in rows {
        let emulator = Emulator::builder().sdb(options).start_blocking()?;
        let (rate, cpu) = runtime.block_on(puts(&emulator, &args))?;
        // What a core of its own would do, when the machine has other things to do as well.
        let cpu = cpu.map(|cpu| {
            let each = cpu.as_secs_f64() / args.puts as f64;
            format!(
                ", {:.1} us of the server's thread each: {:.0}/s",
                each * 1e6,
                1.0 / each
            )
        });
        println!("{name:>18}: {rate:>7.0} puts/s{}", cpu.unwrap_or_default());
        if name == "in memory" {
            runtime.block_on(selects(&emulator, &args))?;
        }
    }
    std::fs::remove_dir_all(dir)?;
    Ok(())
}

async fn puts(emulator: &Emulator, args: &Args) -> Result<(f64, Option<Duration>)> {
    let signer = Signer::new(emulator);
    let mut wire = Wire::open(emulator.addr()).await?;
    wire.call(&signer.request(&[("Action", "CreateDomain"), ("DomainName", "load")]))
        .await?;
    run(emulator, args, args.items).await?;
    let (start, cpu) = (Instant::now(), server_cpu());
    run(emulator, args, args.puts).await?;
    let rate = args.puts as f64 / start.elapsed().as_secs_f64();
    let cpu = server_cpu()
        .zip(cpu)
        .map(|(now, then)| now.saturating_sub(then));
    Ok((rate, cpu))
}

/// How long the emulator's thread was on a processor, where the system tells.
fn server_cpu() -> Option<Duration> {
    for task in std::fs::read_dir("/proc/self/task").ok()? {
        let task = task.ok()?.path();
        if std::fs::read_to_string(task.join("comm")).ok()?.trim() == "emulator" {
            let stat = std::fs::read_to_string(task.join("schedstat")).ok()?;
            return stat
                .split(' ')
                .next()?
                .parse()
                .ok()
                .map(Duration::from_nanos);
        }
    }
    None
}

async fn run(emulator: &Emulator, args: &Args, count: usize) -> Result<()> {
    let mut running = Vec::new();
    for connection in 0..args.connections {
        let (signer, addr) = (Signer::new(emulator), emulator.addr());
        let (items, connections, depth) = (args.items, args.connections, args.depth);
        running.push(tokio::spawn(async move {
            let mut wire = Wire::open(addr).await?;
            let mine: Vec<_> = (connection..count).step_by(connections).collect();
            for some in mine.chunks(depth) {
                let mut batch = Vec::new();
                for n in some {
                    batch.extend(put(&signer, n % items));
                }
                wire.socket.write_all(&batch).await?;
                for _ in some {
                    wire.reply().await?;
                }
            }
            Ok::<(), Failure>(())
        }));
    }
    for connection in running {
        connection.await??;
    }
    Ok(())
}

fn put(signer: &Signer, n: usize) -> Vec<u8> {
    let (item, number, group) = (
        format!("item{n:06}"),
        format!("{n:06}"),
        (n % 100).to_string(),
    );
    signer.request(&[
        ("Action", "PutAttributes"),
        ("Attribute.1.Name", "number"),
        ("Attribute.1.Replace", "true"),
        ("Attribute.1.Value", &number),
        ("Attribute.2.Name", "group"),
        ("Attribute.2.Replace", "true"),
        ("Attribute.2.Value", &group),
        ("DomainName", "load"),
        ("ItemName", &item),
    ])
}

async fn selects(emulator: &Emulator, args: &Args) -> Result<()> {
    let signer = Signer::new(emulator);
    let mut wire = Wire::open(emulator.addr()).await?;
    let middle = format!("{:06}", args.items / 2);
    for rest in [
        format!("where number = '{middle}'"),
        format!("where number > '{middle}' and `group` = '7'"),
        format!("where number between '000100' and '{middle}' order by number desc"),
        format!("where number like '{}%'", &middle[..4]),
        "where `group` = '7'".to_owned(),
        "where `group` in ('7', '8') order by `group`".to_owned(),
        "where itemName() > 'item05' order by itemName()".to_owned(),
        "where not number = 'x' and `group` like '%77%' limit 2500".to_owned(),
    ] {
        let expression = format!("select itemName() from `load` {rest}");
        let request = signer.request(&[("Action", "Select"), ("SelectExpression", &expression)]);
        let before = emulator.stats().sdb_rows;
        let rounds = 20;
        let start = Instant::now();
        let mut found = 0;
        for _ in 0..rounds {
            found = wire.call(&request).await?.matches("<Item>").count();
        }
        let time = start.elapsed() / rounds;
        let rows = (emulator.stats().sdb_rows - before) / u64::from(rounds);
        println!(
            "{:>9.3} ms, {rows:>6} looked at, {found:>4} found: {rest}",
            ms(time)
        );
    }
    Ok(())
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// As much of Version 2 as these calls need.
struct Signer {
    access_key: String,
    mac: Hmac<Sha256>,
    host: String,
}

impl Signer {
    fn new(emulator: &Emulator) -> Self {
        let key = emulator.secret_key().as_bytes();
        let mac = Hmac::new_from_slice(key).expect("HMAC takes keys of any length");
        Self {
            access_key: emulator.access_key().to_owned(),
            mac,
            host: emulator.addr().to_string(),
        }
    }

    /// A form POST; the parameters are in the order of their bytes, and begin below `T`.
    fn request(&self, params: &[(&str, &str)]) -> Vec<u8> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let expires = (now.map_or(0, |now| now.as_secs()) + 600).cast_signed();
        let expires = time::OffsetDateTime::from_unix_timestamp(expires)
            .map(|at| {
                format!(
                    "{}T{:02}:{:02}:{:02}Z",
                    at.date(),
                    at.hour(),
                    at.minute(),
                    at.second()
                )
            })
            .unwrap_or_default();
        let mut all = vec![("AWSAccessKeyId", self.access_key.as_str())];
        all.extend_from_slice(params);
        all.extend([
            ("Expires", expires.as_str()),
            ("SignatureMethod", "HmacSHA256"),
            ("SignatureVersion", "2"),
            ("Version", "2009-04-15"),
        ]);
        all.sort_unstable();
        let mut query = String::new();
        for (name, value) in all {
            if !query.is_empty() {
                query.push('&');
            }
            escape(&mut query, name);
            query.push('=');
            escape(&mut query, value);
        }
        let text = format!("POST\n{}\n/\n{query}", self.host);
        let mac = self.mac.clone().chain_update(text.as_bytes());
        query.push_str("&Signature=");
        escape(
            &mut query,
            &BASE64_STANDARD.encode(mac.finalize().into_bytes()),
        );
        format!(
            "POST / HTTP/1.1\r\nhost: {}\r\ncontent-type: application/x-www-form-urlencoded\r\n\
             content-length: {}\r\n\r\n{query}",
            self.host,
            query.len()
        )
        .into_bytes()
    }
}

fn escape(out: &mut String, text: &str) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
}

struct Wire {
    socket: TcpStream,
    read: Vec<u8>,
}

impl Wire {
    async fn open(addr: SocketAddr) -> Result<Self> {
        let socket = TcpStream::connect(addr).await?;
        socket.set_nodelay(true)?;
        let read = Vec::new();
        Ok(Self { socket, read })
    }

    async fn call(&mut self, request: &[u8]) -> Result<String> {
        self.socket.write_all(request).await?;
        self.reply().await
    }

    /// The body of the next reply, which has to be a success.
    async fn reply(&mut self) -> Result<String> {
        loop {
            if let Some(head) = find(&self.read, b"\r\n\r\n") {
                let text = String::from_utf8_lossy(&self.read[..head]);
                let length = text.split("content-length: ").nth(1);
                let length = length.and_then(|rest| rest.lines().next()).unwrap_or("0");
                let end = head + 4 + length.parse::<usize>()?;
                if self.read.len() >= end {
                    let is_ok = text.starts_with("HTTP/1.1 200 ");
                    let body = String::from_utf8_lossy(&self.read[head + 4..end]).into_owned();
                    self.read.drain(..end);
                    return if is_ok { Ok(body) } else { Err(body.into()) };
                }
            }
            if self.socket.read_buf(&mut self.read).await? == 0 {
                return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
            }
        }
    }
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}
