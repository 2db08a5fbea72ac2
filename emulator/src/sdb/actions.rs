//! The ten operations: parameters in, the inside of an answer out.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::SystemTime;

use super::error::{SdbError, SdbResult};
use super::options::{SdbModes, chance};
use super::params::{SdbParams, Values, checked, domain_name, sized};
use super::request::Call;
use super::select::page::{Bounds, Position};
use super::store::{Condition, Domain, Terms};
use super::{SdbHalf, price, select, token, xml};
use crate::clock;
use crate::disk::Ticket;
use crate::xml::element;

/// The most attributes that a get may name.
const NAMES_MAX: usize = 256;

/// What an action answers: the inside of its result, if it has one, and its price.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) result: Option<String>,
    pub(super) box_usage: f64,
    /// What has to be safe before the answer may go.
    pub(super) ticket: Option<Ticket>,
}

impl SdbHalf {
    pub(super) fn act(
        &self,
        call: &Call,
        params: &SdbParams,
        modes: SdbModes,
    ) -> SdbResult<(&'static str, Answer)> {
        let action = params
            .get("Action")?
            .filter(|action| !action.is_empty())
            .ok_or_else(|| {
                SdbError::new("MissingAction", "No action was supplied with this request.")
            })?;
        params.check_version()?;
        Ok(match action {
            "CreateDomain" => ("CreateDomain", self.create_domain(params)?),
            "DeleteDomain" => ("DeleteDomain", self.delete_domain(params)?),
            "ListDomains" => ("ListDomains", self.list_domains(params)?),
            "DomainMetadata" => ("DomainMetadata", self.domain_metadata(params)?),
            "PutAttributes" => ("PutAttributes", self.put(params, modes)?),
            "BatchPutAttributes" => {
                call.check_batch()?;
                ("BatchPutAttributes", self.batch_put(params, modes)?)
            }
            "GetAttributes" => ("GetAttributes", self.get(params, modes)?),
            "DeleteAttributes" => ("DeleteAttributes", self.delete(params, modes)?),
            "BatchDeleteAttributes" => {
                call.check_batch()?;
                ("BatchDeleteAttributes", self.batch_delete(params, modes)?)
            }
            "Select" => ("Select", self.select(params, modes)?),
            other => {
                return Err(SdbError::new(
                    "InvalidAction",
                    format!("The action {other} is not valid for this web service."),
                ));
            }
        })
    }

    fn create_domain(&self, params: &SdbParams) -> SdbResult<Answer> {
        let name = domain_name(params.require("DomainName")?)?;
        let ticket = self.domains.create(name, &self.limits, &self.journal)?;
        Ok(Answer::written(ticket, price::DOMAIN))
    }

    fn delete_domain(&self, params: &SdbParams) -> SdbResult<Answer> {
        let name = domain_name(params.require("DomainName")?)?;
        let ticket = self.domains.delete(name, &self.journal)?;
        Ok(Answer::written(ticket, price::DOMAIN))
    }

    fn list_domains(&self, params: &SdbParams) -> SdbResult<Answer> {
        let max = params.number("MaxNumberOfDomains", 1, 100)?.unwrap_or(100);
        let after = match params.get("NextToken")? {
            Some(token) => token::read(token, "ListDomains")?,
            None => Vec::new(),
        };
        let after = after.first().map_or("", String::as_str);
        let max = usize::try_from(max).unwrap_or(usize::MAX);
        let (names, more) = self.domains.list(after, max);
        let mut out = String::new();
        for name in &names {
            element(&mut out, "DomainName", name);
        }
        if let Some(last) = names.last().filter(|_| more) {
            element(&mut out, "NextToken", &token::write("ListDomains", &[last]));
        }
        Ok(Answer::of(out, price::LIST))
    }

    fn domain_metadata(&self, params: &SdbParams) -> SdbResult<Answer> {
        let sizes = self.domain(params)?.read().sizes();
        let mut out = String::new();
        for (name, count) in [
            ("ItemCount", sizes.items),
            ("ItemNamesSizeBytes", sizes.item_bytes),
            ("AttributeNameCount", sizes.names),
            ("AttributeNamesSizeBytes", sizes.name_bytes),
            ("AttributeValueCount", sizes.values),
            ("AttributeValuesSizeBytes", sizes.value_bytes),
        ] {
            element(&mut out, name, &count.to_string());
        }
        let now = clock::unix(SystemTime::now());
        element(&mut out, "Timestamp", &now.to_string());
        Ok(Answer::of(out, price::LIST))
    }

    fn domain(&self, params: &SdbParams) -> SdbResult<Arc<Domain>> {
        self.domains
            .get(domain_name(params.require("DomainName")?)?)
    }

    fn terms(&self, modes: SdbModes) -> Terms<'_> {
        Terms {
            limits: &self.limits,
            journal: &self.journal,
            stale: modes.stale,
        }
    }

    fn put(&self, params: &SdbParams, modes: SdbModes) -> SdbResult<Answer> {
        let domain = self.domain(params)?;
        let item = item_name(params)?;
        let changes = params.attributes(Values::Required)?;
        let expected: Option<Condition> = params.expected()?;
        let price = price::write(changes.len());
        let batch = [(item.to_owned(), changes)];
        let ticket = domain.put(&batch, expected.as_ref(), self.terms(modes))?;
        Ok(Answer::written(ticket, price))
    }

    fn batch_put(&self, params: &SdbParams, modes: SdbModes) -> SdbResult<Answer> {
        let domain = self.domain(params)?;
        refuse_expected(params)?;
        let batch = params.items(Values::Required)?;
        let ticket = domain.put(&batch, None, self.terms(modes))?;
        let pairs = batch.iter().map(|(_, changes)| changes.len());
        Ok(Answer::written(ticket, pairs.map(price::write).sum()))
    }

    fn delete(&self, params: &SdbParams, modes: SdbModes) -> SdbResult<Answer> {
        let domain = self.domain(params)?;
        let item = item_name(params)?;
        let changes = params.attributes(Values::Optional)?;
        let expected = params.expected()?;
        let price = price::write(changes.len());
        let batch = [(item.to_owned(), changes)];
        let ticket = domain.delete(&batch, expected.as_ref(), self.terms(modes))?;
        Ok(Answer::written(ticket, price))
    }

    fn batch_delete(&self, params: &SdbParams, modes: SdbModes) -> SdbResult<Answer> {
        let domain = self.domain(params)?;
        refuse_expected(params)?;
        let batch = params.items(Values::Optional)?;
        let ticket = domain.delete(&batch, None, self.terms(modes))?;
        let pairs = batch.iter().map(|(_, changes)| changes.len());
        Ok(Answer::written(ticket, pairs.map(price::write).sum()))
    }

    fn get(&self, params: &SdbParams, modes: SdbModes) -> SdbResult<Answer> {
        let consistent = params.flag("ConsistentRead")?;
        let domain = self.domain(params)?;
        let item = item_name(params)?;
        let names = params.list("AttributeName")?;
        if names.len() > NAMES_MAX {
            return Err(SdbError::new(
                "TooManyRequestedAttributes",
                "Too many attributes requested.",
            ));
        }
        for name in &names {
            sized(name, "Name")?;
        }
        let content = domain.read();
        let unseen = self.unseen(consistent, modes, |age| content.recent(age));
        let view = content.view(unseen);
        let mut out = String::new();
        let mut pairs = 0;
        if let Some(item) = view.get(item) {
            let wanted = |name: &str| names.is_empty() || names.contains(&name);
            pairs = xml::attributes(&mut out, item, wanted);
        }
        Ok(Answer::of(out, price::read(pairs)))
    }

    fn select(&self, params: &SdbParams, modes: SdbModes) -> SdbResult<Answer> {
        let consistent = params.flag("ConsistentRead")?;
        let expression = params.require("SelectExpression")?;
        let query = select::parse::parse(expression)?;
        let domain = self.domains.get(&query.domain)?;
        let scope = query.scope();
        let from = match params.get("NextToken")? {
            Some(token) => Some(position(token::read(token, &scope)?)?),
            None => None,
        };
        let content = domain.read();
        let unseen = self.unseen(consistent, modes, |age| content.recent(age));
        let bounds = Bounds {
            time: self.limits.select_time,
            rows: modes.rows.unwrap_or(usize::MAX),
        };
        let page = select::page::run(&query, &content.view(unseen), from.as_ref(), bounds)?;
        self.counters
            .sdb_rows
            .fetch_add(page.examined as u64, Relaxed);
        let mut out = page.body;
        if let Some(last) = &page.next {
            let token = token::write(&scope, &[&last.sort, &last.name]);
            element(&mut out, "NextToken", &token);
        }
        Ok(Answer::of(out, price::select(page.items)))
    }

    /// How many of the last writes a read misses.
    fn unseen(
        &self,
        consistent: bool,
        modes: SdbModes,
        recent: impl FnOnce(std::time::Duration) -> usize,
    ) -> usize {
        if consistent || modes.stale.is_zero() {
            return 0;
        }
        let drawn = chance(modes.seed, self.draws.fetch_add(1, Relaxed));
        let choices = (recent(modes.stale) + 1) as f64;
        // It is below `choices`, so the fraction is all that is lost.
        (drawn * choices) as usize
    }
}

impl Answer {
    fn written(ticket: Ticket, box_usage: f64) -> Self {
        Self {
            result: None,
            box_usage,
            ticket: Some(ticket),
        }
    }

    fn of(result: String, box_usage: f64) -> Self {
        Self {
            result: Some(result),
            box_usage,
            ticket: None,
        }
    }
}

fn item_name(params: &SdbParams) -> SdbResult<&str> {
    checked(params.require("ItemName")?, "ItemName")
}

/// A batch that asked for a condition and ran without it would be worse than one that did not
/// run.
fn refuse_expected(params: &SdbParams) -> SdbResult<()> {
    match params.expected()? {
        None => Ok(()),
        Some(_) => Err(SdbError::new(
            "InvalidParameterCombination",
            "The parameter Expected cannot be used with the parameter Item",
        )),
    }
}

fn position(parts: Vec<String>) -> SdbResult<Position> {
    match <[String; 2]>::try_from(parts) {
        Ok([sort, name]) => Ok(Position { sort, name }),
        Err(_) => Err(SdbError::next_token()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::sdb::options::SdbOptions;
    use crate::users::Users;

    fn name() -> impl Strategy<Value = String> {
        let index = "[0-9]{1,2}|x|";
        prop_oneof![
            "DomainName|ItemName|ConsistentRead|NextToken|SelectExpression|MaxNumberOfDomains|Version",
            index.prop_map(|index| format!("AttributeName.{index}")),
            (index, "Name|Value|Replace|")
                .prop_map(|(index, field)| format!("Attribute.{index}.{field}")),
            (index, "Name|Value|Exists")
                .prop_map(|(index, field)| format!("Expected.{index}.{field}")),
            (
                index,
                "ItemName|Attribute.1.Name|Attribute.1.Value|Attribute.2.Name"
            )
                .prop_map(|(index, field)| format!("Item.{index}.{field}")),
        ]
    }

    proptest! {
        #[test]
        fn no_parameters_make_an_action_fall_over(
            calls in prop::collection::vec((
                "CreateDomain|DeleteDomain|ListDomains|DomainMetadata|PutAttributes|GetAttributes|\
                 DeleteAttributes|BatchPutAttributes|BatchDeleteAttributes|Select",
                prop::collection::vec((name(), prop_oneof![
                    "dom|2009-04-15|true|false|[0-9]{1,3}|a|",
                    "select (\\*|count\\(\\*\\)) from dom( where a [=<>] '[a-z]')?( limit [0-9])?",
                    "\\PC{0,5}",
                ]), 0..8),
                any::<bool>(),
            ), 1..12),
        ) {
            let options = SdbOptions::default();
            let sdb = SdbHalf::new(Users::default(), Default::default(), &options, None, Default::default()).unwrap();
            for (action, params, usual) in calls {
                let mut pairs = vec![(b"Action".to_vec(), action.into_bytes())];
                if usual {
                    for (name, value) in [("Version", "2009-04-15"), ("DomainName", "dom"), ("ItemName", "a")] {
                        pairs.push((name.into(), value.into()));
                    }
                }
                pairs.extend(params.into_iter().map(|(name, value)| (name.into_bytes(), value.into_bytes())));
                let answer = sdb.act(&Call::default(), &SdbParams(pairs), SdbModes::default());
                if let Err(error) = answer {
                    prop_assert!(error.status().is_client_error(), "{error:?}");
                }
            }
        }
    }
}
