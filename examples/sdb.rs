//! A small shell for SimpleDB: see `--help`.

use std::collections::BTreeSet;
use std::error::Error;
use std::io::{self, BufRead, IsTerminal, Write};
use std::process::ExitCode;
use std::time::Instant;

use clap::Parser;
use examples::table::{Table, grouped};
use examples::{Server, lines, say};
use sdb_client::{Item, PutItem, SdbClient};
use serde_json::json;

/// Runs select expressions against SimpleDB, and shows what they find.
///
/// With an expression it runs that one; without, it takes lines from standard input: an expression, `domains`,
/// `size DOMAIN`, or `quit`. A `limit` in an expression is that of one request: all pages are shown, up to --most. Keys come from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY. Without an endpoint it
/// starts an emulator with a domain `planets` to play with.
#[derive(Parser, Debug)]
#[command(name = "sdb", version)]
struct Args {
    /// A select expression, for example: select * from planets where kind = 'gas' order by kind
    #[arg(value_name = "EXPRESSION")]
    expression: Option<String>,

    /// SimpleDB server, as http://host:port or https://host.
    #[arg(long, value_name = "URL", env = "SDB_ENDPOINT", value_parser = examples::endpoint)]
    endpoint: Option<String>,

    /// Read what may be some seconds old; costs the service less.
    #[arg(long)]
    eventual: bool,

    /// Stop after so many items.
    #[arg(long, value_name = "N", default_value_t = 1000)]
    most: usize,

    /// Print one JSON object for each item, as sdb_dump does, and nothing else.
    #[arg(long)]
    json: bool,
}

const PLANETS: [(&str, &[(&str, &str)]); 8] = [
    ("mercury", &[("kind", "rock"), ("radius km", "02440")]),
    ("venus", &[("kind", "rock"), ("radius km", "06052")]),
    (
        "earth",
        &[("kind", "rock"), ("radius km", "06371"), ("moon", "moon")],
    ),
    (
        "mars",
        &[
            ("kind", "rock"),
            ("radius km", "03390"),
            ("moon", "deimos"),
            ("moon", "phobos"),
        ],
    ),
    (
        "jupiter",
        &[
            ("kind", "gas"),
            ("radius km", "69911"),
            ("moon", "europa"),
            ("moon", "io"),
        ],
    ),
    (
        "saturn",
        &[("kind", "gas"), ("radius km", "58232"), ("moon", "titan")],
    ),
    (
        "uranus",
        &[("kind", "ice"), ("radius km", "25362"), ("moon", "oberon")],
    ),
    (
        "neptune",
        &[("kind", "ice"), ("radius km", "24622"), ("moon", "triton")],
    ),
];

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    examples::exit("sdb", examples::printed(run(&Args::parse()).await))
}

/// Whether all that was asked was answered.
async fn run(args: &Args) -> Result<bool, Box<dyn Error>> {
    let server = Server::open(args.endpoint.clone()).await?;
    let sdb = SdbClient::builder()
        .endpoint(&*server.url)
        .credentials(server.keys.clone())
        .build()?;
    if server.is_new() {
        let planets = sdb.domain("planets");
        planets.create().await?;
        let item = |(name, pairs): &(&str, &[(&str, &str)])| {
            pairs
                .iter()
                .fold(PutItem::new(*name), |item, (n, v)| item.add(*n, *v))
        };
        planets
            .batch_put()
            .items(PLANETS.iter().map(item))
            .await?
            .into_result()?;
    }
    if let Some(expression) = &args.expression {
        return command(&sdb, args, expression).await.map(|()| true);
    }
    let prompt = io::stdin().is_terminal() && !args.json;
    let mut all = true;
    let mut line = String::new();
    loop {
        if prompt {
            write!(io::stdout(), "sdb> ")?;
            io::stdout().flush()?;
        }
        line.clear();
        if io::stdin().lock().read_line(&mut line)? == 0 {
            return Ok(all);
        }
        match line.trim() {
            "" => {}
            "quit" | "exit" => return Ok(all),
            text => {
                if let Err(error) = command(&sdb, args, text).await {
                    all = false;
                    say("sdb", format_args!("{error}"));
                }
            }
        }
    }
}

async fn command(sdb: &SdbClient, args: &Args, text: &str) -> Result<(), Box<dyn Error>> {
    let (verb, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    match verb.to_ascii_lowercase().as_str() {
        "domains" => domains(sdb, args).await,
        "size" => size(sdb, args, rest.trim()).await,
        _ => select(sdb, args, text).await,
    }
}

async fn domains(sdb: &SdbClient, args: &Args) -> Result<(), Box<dyn Error>> {
    let mut out = io::stdout();
    let mut names = sdb.list_domains().names();
    while let Some(name) = names.try_next().await? {
        match args.json {
            true => writeln!(out, "{}", json!({ "domain": name }))?,
            false => writeln!(out, "{name}")?,
        }
    }
    Ok(())
}

async fn size(sdb: &SdbClient, args: &Args, domain: &str) -> Result<(), Box<dyn Error>> {
    let size = sdb.domain(domain).metadata().await?;
    let rows = [
        ("items", size.items),
        ("names of attributes", size.attribute_names),
        ("values", size.attribute_values),
        ("bytes", size.bytes()),
    ];
    if args.json {
        let object: serde_json::Map<_, _> = rows
            .iter()
            .map(|(name, n)| ((*name).to_owned(), (*n).into()))
            .collect();
        return Ok(writeln!(
            io::stdout(),
            "{}",
            serde_json::Value::from(object)
        )?);
    }
    let mut table = Table::default().numbers();
    for (name, number) in rows {
        table.row([name, &grouped(number)]);
    }
    Ok(write!(io::stdout(), "{table}")?)
}

async fn select(sdb: &SdbClient, args: &Args, expression: &str) -> Result<(), Box<dyn Error>> {
    let start = Instant::now();
    let before = sdb.usage();
    let select = sdb.select(expression).consistent(!args.eventual);
    let mut out = io::stdout();
    let mut items = Vec::new();
    let mut more = false;
    if expression
        .to_ascii_lowercase()
        .replace(' ', "")
        .starts_with("selectcount(")
    {
        // The pages of a count are parts of one number.
        let count = select.count().await?.count;
        items.push(Item::new("Domain", [("Count", count.to_string())]));
    } else {
        let mut found = select.items();
        while let Some(item) = found.try_next().await? {
            more = items.len() == args.most;
            if more {
                break;
            }
            items.push(item);
        }
    }
    if args.json {
        for item in &items {
            out.write_all(lines::write(item).as_bytes())?;
        }
        return Ok(());
    }
    write!(out, "{}", table(&items))?;
    let usage = sdb.usage();
    writeln!(
        out,
        "{} items{}, {} requests, {:.10} machine hours, {:.0} ms",
        items.len(),
        if more { " and more" } else { "" },
        usage.requests - before.requests,
        usage.box_usage - before.box_usage,
        start.elapsed().as_secs_f64() * 1e3
    )?;
    Ok(())
}

/// One column for each attribute that any item has.
fn table(items: &[Item]) -> Table {
    let attributes = items.iter().flat_map(|item| &item.attributes);
    let names: BTreeSet<&str> = attributes.map(|a| a.name.as_str()).collect();
    let mut table = Table::new(["itemName()"].into_iter().chain(names.iter().copied()));
    for item in items {
        let values = names.iter().map(|name| {
            let mut values: Vec<_> = item.all(name).collect();
            values.sort_unstable();
            values.join(", ")
        });
        table.row([item.name.clone()].into_iter().chain(values));
    }
    table
}
