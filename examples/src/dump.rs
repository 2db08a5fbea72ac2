//! What `sdb_dump` and `sdb_restore` share: the servers, how far a run has come, and what it took.

use std::error::Error;
use std::io::{self, Write};
use std::time::{Duration, Instant};

use aws_core::credentials::{Environment, ProvideCredentials};
use indicatif::{ProgressBar, ProgressStyle};
use s3_client::S3Client;
use sdb_client::answer::TotalUsage;
use sdb_client::{Domain, SdbClient};
use serde_json::{Map, Value, json};

use crate::Server;
use crate::place::Place;
use crate::state::State;
use crate::table::{Table, grouped};

/// What both programs are told.
#[derive(clap::Args, Clone, Debug)]
pub struct Common {
    /// The domain. It is made where it is not there: by sdb_dump in its own emulator only.
    #[arg(long, value_name = "NAME", default_value = "demo")]
    pub domain: String,

    /// SimpleDB server, as http://host:port or https://host.
    #[arg(long, value_name = "URL", env = "SDB_ENDPOINT", value_parser = crate::endpoint)]
    pub endpoint: Option<String>,

    /// S3 server for a dump in S3.
    #[arg(
        long,
        value_name = "URL",
        env = "S3_ENDPOINT",
        default_value = "https://s3.amazonaws.com",
        value_parser = crate::endpoint
    )]
    pub s3_endpoint: String,

    /// Print one JSON object in place of the table.
    #[arg(long)]
    pub json: bool,
}

impl Common {
    /// The place that was given, or the file that is named after the domain.
    pub fn place(&self, given: Option<&Place>) -> Place {
        let usual = || std::env::temp_dir().join(format!("{}.jsonl", self.domain));
        given.cloned().unwrap_or_else(|| Place::File(usual()))
    }

    /// The SimpleDB server, or an emulator where there is none.
    ///
    /// # Errors
    /// When there are no keys to it, its address makes no sense, or the emulator cannot be started.
    pub async fn open(&self) -> Result<Open, Box<dyn Error>> {
        let server = Server::open(self.endpoint.clone()).await?;
        let sdb = SdbClient::builder()
            .endpoint(&*server.url)
            .credentials(server.keys.clone())
            .build()?;
        Ok(Open {
            domain: sdb.domain(self.domain.as_str()),
            before: sdb.usage(),
            sdb,
            server,
        })
    }

    /// The S3 server, with the keys that the environment has.
    ///
    /// # Errors
    /// When there are none, or its address makes no sense.
    pub async fn s3(&self) -> Result<S3Client, Box<dyn Error>> {
        let now = std::time::SystemTime::now();
        let keys = Environment::new().provide(now).await?.credentials;
        let builder = S3Client::builder().endpoint(&*self.s3_endpoint);
        Ok(builder.credentials(keys).build()?)
    }
}

/// A SimpleDB server, and what it was asked before.
#[derive(Debug)]
pub struct Open {
    /// The server.
    pub server: Server,
    /// A client for it.
    pub sdb: SdbClient,
    /// The domain.
    pub domain: Domain,
    before: TotalUsage,
}

impl Open {
    /// What is asked from now on is what the run takes.
    pub fn begin(&mut self) {
        self.before = self.sdb.usage();
    }

    /// What a state has to say of its run, so that another may go on with it. A new emulator has nothing
    /// of an earlier run: its address is its own.
    pub fn about(&self) -> Map<String, Value> {
        let about = [
            ("endpoint", &*self.server.url),
            ("domain", self.domain.name()),
        ];
        about
            .map(|(name, value)| (name.to_owned(), value.into()))
            .into_iter()
            .collect()
    }
}

/// How far a run has come.
#[derive(Clone, Debug, Default)]
pub struct Done {
    /// What it goes on behind: for a dump the name of the last item, for a restore the digest of its lines so far.
    pub mark: String,
    /// Items.
    pub items: u64,
    /// Pairs of attribute and value.
    pub pairs: u64,
    /// Bytes of their lines.
    pub bytes: u64,
}

impl Done {
    /// What an earlier run about the same has left.
    pub fn load(state: &State, about: &Map<String, Value>) -> Option<Self> {
        let found = state.load()?;
        let same = about.iter().all(|(name, value)| found[name] == *value);
        same.then_some(Self {
            mark: found["mark"].as_str()?.to_owned(),
            items: found["items"].as_u64()?,
            pairs: found["pairs"].as_u64()?,
            bytes: found["bytes"].as_u64()?,
        })
    }

    /// Keeps it for a run about the same.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn save(&self, state: &State, about: &Map<String, Value>) -> io::Result<()> {
        let mut all = about.clone();
        all.insert("mark".to_owned(), self.mark.clone().into());
        for (name, number) in self.numbers() {
            all.insert(name.to_owned(), number.into());
        }
        state.save(&all.into()).map_err(|error| {
            io::Error::new(error.kind(), format!("{}: {error}", state.path().display()))
        })
    }

    fn numbers(&self) -> [(&'static str, u64); 3] {
        [
            ("items", self.items),
            ("pairs", self.pairs),
            ("bytes", self.bytes),
        ]
    }

    /// Says of a run that failed how it goes on.
    pub fn failed(&self, error: &dyn Error, state: &State) -> Box<dyn Error> {
        let (items, place) = (self.items, state.path().display());
        match items {
            0 => error.to_string().into(),
            _ => format!("{error}; the same command goes on after item {items} ({place})").into(),
        }
    }
}

/// A bar from `done` to `total` on standard error.
pub fn progress(template: &str, total: u64, done: u64) -> ProgressBar {
    let style = ProgressStyle::with_template(template);
    let bar = ProgressBar::new(total.max(done));
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar.set_position(done);
    bar
}

/// What a run came to, for people or programs.
#[derive(Debug)]
pub struct Report {
    /// What was done, and its name in JSON: `dumped to` and `target`.
    pub verb: (&'static str, &'static str),
    /// Where to, or where from.
    pub place: Place,
    /// All that is there now.
    pub done: Done,
    /// Items of earlier runs among those.
    pub resumed: u64,
    /// Items that the domain has afterwards, where that was asked.
    pub in_domain: Option<u64>,
    /// What this run took.
    pub elapsed: Duration,
    /// Requests to SimpleDB.
    pub requests: u64,
    /// The machine hours that were charged for them.
    pub box_usage: f64,
}

impl Report {
    /// A report of a run that began at `start`.
    pub fn new(
        verb: (&'static str, &'static str),
        place: Place,
        (done, resumed): (Done, u64),
        open: &Open,
        start: Instant,
    ) -> Self {
        let usage = open.sdb.usage();
        Self {
            verb,
            place,
            done,
            resumed,
            in_domain: None,
            elapsed: start.elapsed(),
            requests: usage.requests - open.before.requests,
            box_usage: usage.box_usage - open.before.box_usage,
        }
    }

    /// Prints it.
    ///
    /// # Errors
    /// When standard output takes nothing.
    pub fn print(&self, as_json: bool) -> io::Result<()> {
        let seconds = self.elapsed.as_secs_f64();
        let rate = (self.done.items - self.resumed) as f64 / seconds.max(1e-6);
        let place = self.place.to_string();
        let mut out = io::stdout();
        if as_json {
            let mut report = json!({
                "items_of_earlier_runs": self.resumed,
                "requests": self.requests,
                "seconds": seconds,
                "items_per_second": rate,
                "box_usage_hours": self.box_usage,
            });
            report[self.verb.1] = place.into();
            for (name, number) in self.done.numbers() {
                report[name] = number.into();
            }
            if let Some(items) = self.in_domain {
                report["items_in_domain"] = items.into();
            }
            return writeln!(out, "{report}");
        }
        let mut table = Table::new([self.verb.0, &*place]);
        let [(_, items), (_, pairs), (_, bytes)] = self.done.numbers();
        table.row(["items", &grouped(items)]);
        if self.resumed > 0 {
            table.row(["of an earlier run", &grouped(self.resumed)]);
        }
        table.row(["pairs", &grouped(pairs)]);
        table.row(["bytes", &grouped(bytes)]);
        if let Some(items) = self.in_domain {
            table.row(["items in the domain", &grouped(items)]);
        }
        table.row(["requests", &grouped(self.requests)]);
        table.row(["seconds", &format!("{seconds:.2}")]);
        table.row(["items per second", &grouped(rate.round() as u64)]);
        table.row(["BoxUsage", &format!("{:.10} machine hours", self.box_usage)]);
        write!(out, "{table}")
    }
}
