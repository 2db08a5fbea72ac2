//! What several verbs of releases are told: where the pointer is, and how times are written.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use s3_sync::release::{App, Channel, Place, SignKey, Waiting};
use s3_sync::{Error, Url};
use sdb_client::SdbClient;
use serde_json::json;

use crate::common::{Common, Failure};
use crate::output::{Output, say};

/// Which pointer is meant.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct PointerArgs {
    /// The pointer of some nodes that go first, such as `canary`, in place of that of all.
    #[arg(long, value_name = "NAME")]
    pub(crate) channel: Option<Channel>,
    /// Keep the pointer in an item of SimpleDB, strictly ordered: sdb:DOMAIN/ITEM. Publishers and nodes have to be told the
    /// same. The domain has to be there.
    #[arg(long, value_name = "PLACE")]
    pub(crate) pointer: Option<Item>,
    /// The address of SimpleDB. Defaults to what the environment says.
    #[arg(long, value_name = "URL")]
    pub(crate) sdb_endpoint: Option<String>,
}

/// An item of SimpleDB.
#[derive(Clone, Debug)]
pub(crate) struct Item {
    domain: String,
    name: String,
}

impl std::str::FromStr for Item {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts = text
            .strip_prefix("sdb:")
            .and_then(|rest| rest.split_once('/'));
        match parts {
            Some((domain, name)) if !domain.is_empty() && !name.is_empty() => Ok(Self {
                domain: domain.to_owned(),
                name: name.to_owned(),
            }),
            _ => Err("it is not of the form sdb:DOMAIN/ITEM".to_owned()),
        }
    }
}

impl PointerArgs {
    pub(crate) fn channel(&self) -> Channel {
        self.channel.clone().unwrap_or_default()
    }

    pub(crate) fn place(&self) -> Result<Place, Failure> {
        let Some(item) = &self.pointer else {
            return Ok(Place::Bucket);
        };
        Ok(Place::SimpleDb {
            domain: self.sdb()?.domain(&*item.domain),
            item: item.name.clone(),
        })
    }

    fn sdb(&self) -> Result<SdbClient, Failure> {
        let mut builder = SdbClient::builder().from_env();
        if let Some(endpoint) = &self.sdb_endpoint {
            builder = builder.endpoint(endpoint);
        }
        let built = builder.build();
        built.map_err(|error| Failure::Error(Error::usage(error.to_string())))
    }
}

/// Where nodes tell what they run.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct ReportArgs {
    /// Keep what nodes tell of themselves in items of a domain of SimpleDB, in place of objects: sdb:DOMAIN. Nodes, who waits
    /// for them and gc have to be told the same. The domain has to be there.
    #[arg(long, value_name = "PLACE")]
    reports: Option<ReportDomain>,
}

/// A domain of SimpleDB.
#[derive(Clone, Debug)]
struct ReportDomain(String);

impl std::str::FromStr for ReportDomain {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.strip_prefix("sdb:") {
            Some(domain) if !domain.is_empty() && !domain.contains('/') => {
                Ok(Self(domain.to_owned()))
            }
            _ => Err("it is not of the form sdb:DOMAIN".to_owned()),
        }
    }
}

/// ` on canary`, behind what is said of the pointer of that channel; nothing behind that of all nodes.
pub(crate) fn on(channel: &Channel) -> String {
    match channel.name() {
        "" => String::new(),
        name => format!(" on {name}"),
    }
}

/// Tells that a collection of garbage is waited for, once.
pub(crate) fn waits(url: &Url, common: &Common) -> impl Fn(Waiting) + Send + Sync + 'static {
    let (json, told) = (common.json, AtomicU64::new(0));
    let endpoint = common.endpoint.as_deref();
    let endpoint = endpoint.map(|endpoint| format!(" --endpoint {endpoint}"));
    let cure = format!(
        "s3-sync release gc {url}{} --end-only",
        endpoint.unwrap_or_default()
    );
    move |waiting| {
        let sweep = waiting.sweep;
        if told.swap(sweep, Ordering::Relaxed) == sweep {
            return;
        }
        let until = humantime::format_rfc3339_seconds(waiting.until).to_string();
        let event = || json!({"event": "waiting", "sweep": sweep, "until": until});
        // That nobody reads it is no reason to stop.
        let _unread = match json {
            true => Output::new(true).tell(format_args!(""), event),
            false => {
                say(format_args!(
                    "waits for the collection of garbage sweeps/{sweep:06}.json, which has not said that it has ended; it counts \
                     as ended at {until}. If it was killed, `{cure}` ends it, and removes nothing"
                ));
                Ok(())
            }
        };
    }
}

/// Who signs the pointer.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct SignArgs {
    /// Sign the pointer with this private key of Ed25519, as `openssl genpkey -algorithm ed25519` makes it.
    #[arg(long, value_name = "FILE")]
    pub(crate) sign_key: Option<PathBuf>,
}

impl SignArgs {
    pub(crate) fn key(&self) -> Result<Option<Arc<SignKey>>, Failure> {
        let key = self.sign_key.as_deref().map(SignKey::read).transpose()?;
        Ok(key.map(Arc::new))
    }
}

/// The application, whose nodes tell what they run where `reports` says.
pub(crate) fn app(
    common: &Common,
    url: &Url,
    pointer: &PointerArgs,
    reports: &ReportArgs,
) -> Result<App, Failure> {
    if pointer.sdb_endpoint.is_some() && pointer.pointer.is_none() && reports.reports.is_none() {
        let what = "--sdb-endpoint is of no use without --pointer or --reports";
        return Err(Error::usage(what).into());
    }
    let app = App::new(&common.client()?, url);
    Ok(match &reports.reports {
        Some(ReportDomain(domain)) => app.reports_in(pointer.sdb()?.domain(&**domain)),
        None => app,
    })
}

/// A span of time, such as `10s`, `5m`, `7d` or `1h 30m`.
pub(crate) fn span(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text)
        .map_err(|_| "it is no span of time such as 90s, 5m or 1h 30m".to_owned())
}

/// A moment, such as `2026-11-30T21:00:00Z`, or a span from now on, such as `+5m`.
pub(crate) fn moment(text: &str) -> Result<SystemTime, String> {
    match text.strip_prefix('+') {
        Some(rest) => Ok(SystemTime::now() + span(rest)?),
        None => humantime::parse_rfc3339_weak(text)
            .map_err(|_| "it is no moment such as 2026-11-30T21:00:00Z or +5m".to_owned()),
    }
}

/// A moment in seconds since 1970, as people read it.
pub(crate) fn date(unix: u64) -> String {
    // Later than the year 9999 there are no dates.
    let unix = unix.min(253_402_300_799);
    humantime::format_rfc3339_seconds(SystemTime::UNIX_EPOCH + Duration::from_secs(unix))
        .to_string()
}
