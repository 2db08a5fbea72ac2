//! Long jobs come to their end with what they have to bring.

use benches::client::{Args, run};
use benches::server::{Content, Mode, Server};
use clap::Parser;

#[derive(Parser)]
struct Cli {
    #[command(flatten)]
    args: Args,
}

/// The sizes are of more than one page, more than one range and more than one part.
#[test]
fn jobs_bring_all_keys_and_bytes() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    for (content, size, jobs) in [
        (Content::Listing, 2500, &["list"][..]),
        (
            Content::Large,
            (20 << 20) + 7,
            &[
                "down",
                "down --unverified",
                "up",
                "up --unverified",
                "up --v4",
            ],
        ),
    ] {
        let mode = Mode {
            body: size,
            content,
            ..Mode::default()
        };
        let server = runtime.block_on(Server::bind("127.0.0.1:0".parse().unwrap(), mode));
        let server = server.unwrap();
        let addr = server.addr().unwrap();
        runtime.spawn(server.run());
        for job in jobs {
            let clients: &[&str] = match cfg!(feature = "peers") && !job.contains("--") {
                true => &["s3", "object-store", "object-store-signed"],
                false => &["s3"],
            };
            for client in clients {
                let line = format!(
                    "x --client {client} --job {job} --server {addr} --body {size} --time 1"
                );
                let args = Cli::parse_from(line.split(' ')).args;
                let sample = run(&args).unwrap();
                assert!(sample.requests > 0, "{line}");
                assert_eq!(sample.errors, 0, "{line}: {:?}", sample.first_error);
            }
        }
    }
}
