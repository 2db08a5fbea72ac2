//! What GET and HEAD of an object have in common.

use std::time::SystemTime;

use aws_core::{Error, Result, http_date};
use pipeline_pool::Method;

use crate::bucket::Bucket;
use crate::client::S3Client;
use crate::limits;
use crate::request::attributes::put;
use crate::request::encryption::{CustomerKey, Of};
use crate::wire::{Field, Wire};

/// What the setters of [`reading!`] have been told.
#[derive(Clone)]
pub(crate) struct Reading {
    pub(crate) bucket: Bucket,
    pub(crate) key: String,
    fields: Vec<Field>,
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
            version: None,
            part: None,
            responses: Vec::new(),
            customer_key: None,
            wrong: None,
        }
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
        self.version = Some(id);
    }

    pub(crate) fn part(&mut self, number: u32) {
        self.part = Some(number);
    }

    pub(crate) fn is_part(&self) -> bool {
        self.part.is_some()
    }

    pub(crate) fn customer_key(&mut self, key: CustomerKey) {
        self.customer_key = Some(key);
    }

    pub(crate) fn response(&mut self, name: &'static str, value: String) {
        put(&mut self.responses, name, value);
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
                self.wrong = self.wrong.take().or(Some(error));
                None
            }
        }
    }

    /// The request, and the client to send it by.
    pub(crate) fn into_wire(mut self, method: Method) -> Result<(S3Client, Wire)> {
        if let Some(error) = self.wrong {
            return Err(error);
        }
        let (client, mut wire) = Wire::object_of(method, self.bucket, &self.key)?;
        if let Some(part) = self.part {
            limits::part(part)?;
            wire.query("partNumber", &part.to_string());
        }
        for (name, value) in &self.responses {
            limits::parameter(name, value)?;
            wire.query(name, value);
        }
        if let Some(version) = &self.version {
            limits::version(version)?;
            wire.query("versionId", version);
        }
        if let Some(key) = &self.customer_key {
            key.put_fields(Of::Object, wire.origin(), &mut self.fields)?;
        }
        wire.fields(self.fields)?;
        Ok((client, wire))
    }
}

/// Gives a request with a field `reading: Reading` the setters of what reads an object.
macro_rules! reading {
    ($request:ident, $mode:ident) => {
        impl<M: $mode> $request<M> {
            /// Reads this [version](https://docs.aws.amazon.com/AmazonS3/latest/userguide/RetrievingObjectVersions.html)
            /// of it. Defaults to the current one.
            pub fn version(mut self, id: impl Into<String>) -> Self {
                self.reading.version(id.into());
                self
            }

            /// Reads one part of an object that came in parts, from 1 to 10,000; the answer says
            /// [how many](crate::ObjectHead::parts) there are. Any other object has one. Not together with a range.
            pub fn part(mut self, number: u32) -> Self {
                self.reading.part(number);
                self
            }

            /// The key that it was [encrypted](crate::CustomerKey) with.
            pub fn customer_key(mut self, key: $crate::CustomerKey) -> Self {
                self.reading.customer_key(key);
                self
            }

            /// Answers only if it has this entity tag; else the error
            /// [`is_condition_failed`](crate::Error::is_condition_failed).
            pub fn if_match(mut self, etag: impl Into<String>) -> Self {
                self.reading.field("if-match", etag);
                self
            }

            /// Answers only if it has not been stored since, to the second; else the error
            /// [`is_condition_failed`](crate::Error::is_condition_failed).
            pub fn if_unmodified_since(mut self, time: std::time::SystemTime) -> Self {
                self.reading.time("if-unmodified-since", time);
                self
            }

            /// Has the answer say this media type.
            pub fn response_content_type(mut self, value: impl Into<String>) -> Self {
                self.reading.response("response-content-type", value.into());
                self
            }

            /// Has the answer say this language.
            pub fn response_content_language(mut self, value: impl Into<String>) -> Self {
                self.reading
                    .response("response-content-language", value.into());
                self
            }

            /// Has the answer say when to look for it again, to the second, in the years 1970 to 9999.
            pub fn response_expires(mut self, time: std::time::SystemTime) -> Self {
                self.reading.response_expires(time);
                self
            }

            /// Has the answer say how it may be kept.
            pub fn response_cache_control(mut self, value: impl Into<String>) -> Self {
                self.reading.response("response-cache-control", value.into());
                self
            }

            /// Has the answer say under which name it is saved.
            pub fn response_content_disposition(mut self, value: impl Into<String>) -> Self {
                self.reading
                    .response("response-content-disposition", value.into());
                self
            }

            /// Has the answer say how the body is compressed.
            pub fn response_content_encoding(mut self, value: impl Into<String>) -> Self {
                self.reading
                    .response("response-content-encoding", value.into());
                self
            }
        }

        options!($request<M>, M: $mode);
    };
}
