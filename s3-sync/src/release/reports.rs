//! What nodes say of themselves, and where that is kept: `nodes/NAME.json`, or an item of SimpleDB for each.
//!
//! *Problem:* To know what hundreds of nodes run takes a request for each, every few seconds while a release goes out.
//! *Decision:* By choice each node writes an item in place of an object, and one selection, read consistently, has them all.
//! *Cost:* A value of SimpleDB has 1,024 bytes, so that what a command says that has failed is cut to that.

use futures_util::TryStreamExt as _;
use futures_util::future::ready;
use sdb_client::Domain;
use sdb_client::query::{quote_name, quote_value};

use super::follow::{MAX_REPORT, NodeReport};
use super::layout::check_node;
use super::store::{App, is_missing};
use crate::error::{Error, Result};

/// The attributes of an item that is a report.
const APPLICATION: &str = "application";
const NODE: &str = "node";
const REPORT: &str = "report";
/// The most bytes of a value.
const MAX_VALUE: usize = 1024;

impl App {
    /// Keeps what nodes say of themselves in items of this domain, which has to be there, in place of objects below `nodes/`.
    /// Nodes, publishers that wait for them and collections of garbage have to be told the same.
    pub fn reports_in(mut self, domain: Domain) -> Self {
        self.reports = Some(domain);
        self
    }

    /// Writes what a node says.
    pub(super) async fn put_report(&self, report: &NodeReport) -> Result<()> {
        let name = &report.node;
        let Some(domain) = &self.reports else {
            return self.put(&self.layout.node(name), report.encode()).await;
        };
        let put = domain.put(self.item(name));
        let put = put
            .replace(APPLICATION, self.url().to_string())
            .replace(NODE, name)
            .replace(REPORT, report.encode_within(MAX_VALUE));
        put.send().await?;
        Ok(())
    }

    /// What all nodes say that have said anything, in the order of their names.
    pub(super) async fn all_reports(&self) -> Result<Vec<NodeReport>> {
        match &self.reports {
            Some(domain) => self.items(domain).await,
            None => {
                let keys = self.keys(self.layout.nodes(), None).await?;
                let nodes = keys.iter().filter_map(|key| self.layout.node_of(key));
                self.objects(nodes.map(|node| self.layout.node(node)).collect())
                    .await
            }
        }
    }

    /// What these nodes say, as far as they have said anything; in a domain, what all say.
    pub(super) async fn reports_of(&self, nodes: &[String]) -> Result<Vec<NodeReport>> {
        match &self.reports {
            Some(domain) => self.items(domain).await,
            None => {
                let keys = nodes.iter().map(|node| self.layout.node(node));
                self.objects(keys.collect()).await
            }
        }
    }

    fn item(&self, node: &str) -> String {
        format!("{}nodes/{node}", self.url())
    }

    async fn items(&self, domain: &Domain) -> Result<Vec<NodeReport>> {
        let select = format!(
            "select * from {} where {APPLICATION} = {}",
            quote_name(domain.name()),
            quote_value(&self.url().to_string())
        );
        let items = domain.client().select(select).consistent(true).items();
        let items = items.map_err(Error::from);
        // Whoever may write to the domain may have put other items there.
        let reports = items.try_filter_map(|item| {
            let node = item.first(NODE).filter(|node| check_node(node).is_ok());
            let text = item.first(REPORT).unwrap_or_default();
            let report = node.map(|node| NodeReport::read(node, &item.name, text.as_bytes()));
            ready(Ok(report))
        });
        let mut reports: Vec<NodeReport> = reports.try_collect().await?;
        reports.sort_unstable_by(|a, b| a.node.cmp(&b.node));
        Ok(reports)
    }

    async fn objects(&self, keys: Vec<String>) -> Result<Vec<NodeReport>> {
        let mut objects = self.bucket.get_many(keys).results();
        let mut reports = Vec::new();
        while let Some((key, object)) = objects.next().await {
            match object {
                Ok(object) => {
                    // Each node is named by its key, whatever its report says.
                    let Some(name) = self.layout.node_of(&key) else {
                        continue;
                    };
                    let size = object.head.size().unwrap_or_default();
                    reports.push(match size > MAX_REPORT as u64 {
                        true => NodeReport::unreadable(
                            name,
                            format!("it has {size} bytes, and {MAX_REPORT} are allowed"),
                        ),
                        false => {
                            let bytes = object.body.bytes(MAX_REPORT).await?;
                            NodeReport::read(name, &key, &bytes)
                        }
                    });
                }
                Err(error) if is_missing(&error) => {}
                Err(error) => return Err(error.into()),
            }
        }
        reports.sort_unstable_by(|a, b| a.node.cmp(&b.node));
        Ok(reports)
    }
}
