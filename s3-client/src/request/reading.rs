//! What GET and HEAD of an object have in common.

use std::time::SystemTime;

use aws_core::{Error, Result, http_date};
use pipeline_pool::Method;

use crate::bucket::Bucket;
use crate::limits;
use crate::request::attributes::put;
use crate::request::encryption::{CustomerKey, Of};
use crate::unsigned::{Field, UnsignedRequest};

/// What the setters of [`Get`](crate::request::Get) and [`Head`](crate::request::Head) have been told.
#[derive(Clone)]
pub(crate) struct Reading {
    pub(crate) bucket: Bucket,
    pub(crate) key: String,
    fields: Vec<Field>,
    /// Nothing in most requests, whose futures are moved with all that is in them.
    rare: Option<Box<Rare>>,
}

/// The things that few requests are told.
#[derive(Clone, Default)]
struct Rare {
    version: Option<String>,
    part: Option<u32>,
    responses: Vec<Field>,
    customer_key: Option<CustomerKey>,
    /// The first setting that cannot be sent.
    wrong: Option<Error>,
}

impl Reading {
    pub(crate) fn new(bucket: Bucket, key: String) -> Self {
        Self {
            bucket,
            key,
            fields: Vec::new(),
            rare: None,
        }
    }

    fn rare(&mut self) -> &mut Rare {
        self.rare.get_or_insert_default()
    }

    pub(crate) fn field(&mut self, name: &'static str, value: impl Into<String>) {
        put(&mut self.fields, name, value.into());
    }

    pub(crate) fn time(&mut self, name: &'static str, time: SystemTime) {
        if let Some(text) = self.date(name, time) {
            self.field(name, text);
        }
    }

    pub(crate) fn version(&mut self, id: String) {
        self.rare().version = Some(id);
    }

    pub(crate) fn part(&mut self, number: u32) {
        self.rare().part = Some(number);
    }

    pub(crate) fn is_part(&self) -> bool {
        self.rare.as_ref().is_some_and(|rare| rare.part.is_some())
    }

    pub(crate) fn customer_key(&mut self, key: CustomerKey) {
        self.rare().customer_key = Some(key);
    }

    pub(crate) fn response(&mut self, name: &'static str, value: String) {
        put(&mut self.rare().responses, name, value);
    }

    pub(crate) fn response_expires(&mut self, time: SystemTime) {
        if let Some(text) = self.date("response-expires", time) {
            self.response("response-expires", text);
        }
    }

    fn date(&mut self, name: &str, time: SystemTime) -> Option<String> {
        match limits::time(name, time) {
            Ok(()) => Some(http_date(time).as_ref().to_owned()),
            Err(error) => {
                self.rare().wrong.get_or_insert(error);
                None
            }
        }
    }

    /// The same object, if it still has this entity tag; no part of it, and no other condition.
    pub(crate) fn again_if(&self, etag: &str) -> Self {
        let mut again = self.clone();
        if let Some(rare) = &mut again.rare {
            rare.part = None;
            rare.responses.clear();
        }
        again.fields.retain(|(name, _)| {
            !name.starts_with("if-") && name != "range" && name != "x-amz-checksum-mode"
        });
        again.field("if-match", etag);
        again
    }

    /// The request.
    #[inline]
    pub(crate) fn into_unsigned(mut self, method: Method) -> Result<UnsignedRequest> {
        if let Some(error) = self.rare.as_mut().and_then(|rare| rare.wrong.take()) {
            return Err(error);
        }
        let mut wire = UnsignedRequest::object_of(method, self.bucket, self.key)?;
        if let Some(rare) = self.rare {
            rare.put(&mut wire, &mut self.fields)?;
        }
        wire.fields(self.fields)?;
        Ok(wire)
    }
}

impl Rare {
    /// Tells the request, and adds the fields of the customer's key to those that are to be sent.
    fn put(&self, wire: &mut UnsignedRequest, fields: &mut Vec<Field>) -> Result<()> {
        if let Some(part) = self.part {
            limits::part(part).map_err(|error| wire.refused(error))?;
            wire.query("partNumber", &part.to_string());
        }
        for (name, value) in &self.responses {
            limits::parameter(name, value).map_err(|error| wire.refused(error))?;
            wire.query(name, value);
        }
        if let Some(version) = &self.version {
            wire.version(version)?;
        }
        if let Some(key) = &self.customer_key {
            key.put_fields(Of::Object, wire.origin(), fields)?;
        }
        Ok(())
    }
}
