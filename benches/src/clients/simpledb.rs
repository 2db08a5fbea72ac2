//! The SimpleDB client of this workspace: small requests, signed, their answers read.

use std::time::Duration;

use clap::ValueEnum;
use sdb_client::{Credentials, Domain, SdbClient};

use super::{Client, Session};
use crate::BoxError;
use crate::keys::Keys;

/// What is asked of SimpleDB.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Action {
    /// An item gets four attributes.
    Put,
    /// An item of four attributes is read.
    Get,
    /// A page of 100 items of four attributes is selected.
    Select,
}

impl Action {
    /// The path at which our own server answers so, since it does not look at bodies.
    pub fn path(self) -> &'static str {
        match self {
            Self::Put => "/put",
            Self::Get => "/get",
            Self::Select => "/select",
        }
    }
}

/// A domain, and what is asked of it again and again.
#[derive(Clone, Debug)]
pub struct SimpleDb {
    domain: Domain,
    action: Action,
}

impl SimpleDb {
    /// A client with a pool of its own.
    ///
    /// # Errors
    /// When the endpoint or the keys are none.
    pub fn new(endpoint: &str, keys: &Keys, action: Action) -> Result<Self, BoxError> {
        let client = SdbClient::builder()
            .endpoint(format!("{endpoint}{}", action.path()))
            .credentials(Credentials::new(keys.access()?, keys.secret()?))
            .timeout(Duration::from_secs(30))
            .build()?;
        Ok(Self {
            domain: client.domain("bench"),
            action,
        })
    }
}

impl Client for SimpleDb {
    type Session = Self;

    fn session(&self) -> Self {
        self.clone()
    }
}

impl Session for SimpleDb {
    /// Returns how many attributes were put or read, or how many items were found.
    async fn get(&mut self) -> Result<usize, BoxError> {
        match self.action {
            Action::Put => {
                let put = self
                    .domain
                    .put("item-000017")
                    .replace("name", "Ann Example");
                let put = put
                    .replace("mail", "ann@example.org")
                    .replace("version", "0017");
                put.replace("city", "Springfield & Sons").send().await?;
                Ok(4)
            }
            Action::Get => {
                let found = self.domain.get("item-000017").send().await?;
                Ok(found.item.attributes.len())
            }
            Action::Select => {
                let select = "select * from `bench` where `version` > '0001' limit 100";
                let page = self.domain.client().select(select).send().await?;
                Ok(page.items.len())
            }
        }
    }
}
