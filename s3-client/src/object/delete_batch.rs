//! Removing up to 1,000 objects in one request, for [`Bucket::delete_many`].

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use aws_core::operation::Answer;
use aws_core::xml::{Element, Xml, XmlError};
use aws_core::{Error, ErrorBody, Idempotency, Result};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use md5::{Digest, Md5};
use pipeline_pool::Method;

use crate::answer::values;
use crate::bucket::Bucket;
use crate::checksum::Checksum;
use crate::idempotency::{self, Row};
use crate::many::{ObjectId, Removed};
use crate::operation::{Call, Changes, S3Operation};
use crate::request::options::Options;
use crate::unsigned::{Field, UnsignedRequest};

/// One request to remove up to 1,000 objects.
pub(crate) struct DeleteBatch {
    pub(crate) quiet: bool,
    pub(crate) once: bool,
    pub(crate) checksum: Option<Checksum>,
    pub(crate) bypass_governance: bool,
    pub(crate) options: Options,
}

impl DeleteBatch {
    /// What becomes of each; if the request fails, that is each one's error. Keys that the store was too busy for are
    /// asked for again, as a failed request is.
    pub(crate) async fn send(
        mut self,
        bucket: &Bucket,
        mut ids: Vec<ObjectId>,
    ) -> Vec<(ObjectId, Result<Removed>)> {
        let mut retry = bucket.client().partial_retry(&self.options);
        let mut results = Vec::with_capacity(ids.len());
        loop {
            let row = self.row(&ids);
            let answers = match self.answer(bucket, &ids, row).await {
                Ok(answers) => answers,
                Err(error) => {
                    results.extend(ids.into_iter().map(|id| (id, Err(error.clone()))));
                    return results;
                }
            };
            let stray = answers.stray(&ids);
            let mut refused = Vec::new();
            for id in ids {
                // A quiet store names failures only, so that one under another name may be that of any key that
                // it does not name.
                let result = match &stray {
                    Some(error) if !answers.name(&id) => Err(error.clone()),
                    _ => answers.of(&id, self.quiet),
                };
                match result {
                    Err(error) if retry.may_pass(&error, row.idempotency) => {
                        refused.push((id, error));
                    }
                    result => results.push((id, result)),
                }
            }
            // The worst of them: one that asks for fewer requests.
            let told = refused.iter().map(|(_, error)| error);
            let Some(told) = told.max_by_key(|error| error.is_throttled()) else {
                return results;
            };
            if !retry.next(&bucket.place().origin, told).await {
                results.extend(refused.into_iter().map(|(id, error)| (id, Err(error))));
                return results;
            }
            self.options.timeout(retry.left());
            ids = refused.into_iter().map(|(id, _)| id).collect();
        }
    }

    /// What may be sent twice.
    fn row(&self, ids: &[ObjectId]) -> Row {
        if self.once {
            idempotency::DELETE_OBJECTS_ONCE
        } else if ids.iter().all(|id| id.version_id.is_some()) {
            idempotency::DELETE_OBJECTS_VERSIONS
        } else {
            idempotency::DELETE_OBJECTS
        }
    }

    async fn answer(&self, bucket: &Bucket, ids: &[ObjectId], row: Row) -> Result<Answers> {
        let body = document(ids, self.quiet)?;
        let digest = STANDARD.encode(Md5::digest(&body));
        let mut fields: Vec<Field> = vec![
            (Cow::Borrowed("content-md5"), digest),
            (Cow::Borrowed("content-type"), "application/xml".to_owned()),
        ];
        if let Some(checksum) = self.checksum {
            let name = Cow::Borrowed("x-amz-sdk-checksum-algorithm");
            fields.push((name, checksum.name().to_owned()));
            fields.push((
                Cow::Borrowed(checksum.header()),
                checksum.of(body.as_bytes()),
            ));
        }
        if self.bypass_governance {
            let name = Cow::Borrowed("x-amz-bypass-governance-retention");
            fields.push((name, "true".to_owned()));
        }
        let mut wire = UnsignedRequest::bucket_root(Method::Post, bucket)?;
        wire.options(self.options.clone());
        wire.query("delete", "");
        wire.fields(fields)?;
        wire.body(Bytes::from(body));
        let operation = DeleteObjects {
            row,
            #[cfg(feature = "cache")]
            keys: ids.iter().map(|id| id.key.clone()).collect(),
        };
        bucket.client().call(&Call::new(wire, operation)).await
    }
}

fn document(ids: &[ObjectId], quiet: bool) -> Result<String> {
    let mut delete =
        Element::new("Delete").with_attribute("xmlns", "http://s3.amazonaws.com/doc/2006-03-01/");
    if quiet {
        delete.push(Element::new("Quiet").with_text("true"));
    }
    for id in ids {
        let mut object = Element::new("Object").with(Element::new("Key").with_text(&*id.key));
        if let Some(version) = &id.version_id {
            object.push(Element::new("VersionId").with_text(&**version));
        }
        delete.push(object);
    }
    delete.to_xml()
}

/// This is what the store says of one object.
#[derive(Debug, Default)]
struct Answers {
    by_key: HashMap<String, Vec<Said>>,
    /// A failure that names no key.
    keyless: Option<Error>,
}

#[derive(Debug)]
struct Said {
    /// The version is the one that the request named.
    version_id: Option<String>,
    result: Result<Removed>,
}

impl Answers {
    /// What is said of a key.
    fn said(&self, key: &str) -> &[Said] {
        let said = self.by_key.get(key);
        // A server that writes a carriage return as it is has it read as a line feed.
        let read = || self.by_key.get(&as_read(key));
        said.or_else(read).map(Vec::as_slice).unwrap_or_default()
    }

    /// Whether anything is said of an object.
    fn name(&self, id: &ObjectId) -> bool {
        !self.said(&id.key).is_empty()
    }

    /// A failure of a key that was not asked for, or of none.
    fn stray(&self, ids: &[ObjectId]) -> Option<Error> {
        if self.keyless.is_some() {
            return self.keyless.clone();
        }
        let asked: HashSet<_> = ids
            .iter()
            .flat_map(|id| [id.key.clone(), as_read(&id.key)])
            .collect();
        let mut others = self.by_key.iter().filter(|(key, _)| !asked.contains(*key));
        let error =
            others.find_map(|(_, said)| said.iter().find_map(|s| s.result.as_ref().err()))?;
        Some(Error::protocol(format!(
            "the answer tells of a failure of a key that was not asked for: {error}"
        )))
    }

    fn of(&self, id: &ObjectId, quiet: bool) -> Result<Removed> {
        let said = self.said(&id.key);
        let same = said.iter().find(|said| said.version_id == id.version_id);
        // Some servers tell no version, or tell the one that a key without a version came to.
        let alike = || {
            let other = |said: &&Said| id.version_id.is_none() || said.version_id.is_none();
            said.iter().find(other)
        };
        match same.or_else(alike) {
            Some(said) => said.result.clone(),
            None if quiet => Ok(Removed {
                version_id: id.version_id.clone(),
                is_marker: false,
            }),
            None => Err(Error::protocol("the answer says nothing of this key")),
        }
    }
}

/// A key as it comes back from a server that writes carriage returns as they are.
fn as_read(key: &str) -> String {
    key.replace("\r\n", "\n").replace('\r', "\n")
}

struct DeleteObjects {
    row: Row,
    #[cfg(feature = "cache")]
    keys: Vec<String>,
}

impl S3Operation for DeleteObjects {
    type Output = Answers;
    const ROW: Row = idempotency::DELETE_OBJECTS;
    const CHANGES: Changes = Changes::Bucket;

    fn idempotency(&self) -> Idempotency {
        self.row.idempotency
    }

    #[cfg(feature = "cache")]
    fn changes<'a>(&'a self, _: &'a UnsignedRequest) -> aws_core::operation::Changes<'a> {
        aws_core::operation::Changes::Keys(self.keys.iter().map(String::as_str).collect())
    }

    fn parse(&self, answer: Answer) -> Result<Answers> {
        Ok(read(&answer.bytes())?)
    }
}

fn read(text: &[u8]) -> Result<Answers, XmlError> {
    let mut answers = Answers::default();
    let mut xml = Xml::new(text)?;
    xml.expect_root("DeleteResult")?;
    while let Some(tag) = xml.child()? {
        let failed = match tag.name() {
            "Deleted" => false,
            "Error" => true,
            _ => {
                xml.skip()?;
                continue;
            }
        };
        let (mut key, mut version_id, mut marker_version) = (None, None, None);
        let (mut is_marker, mut code, mut message) = (false, String::new(), String::new());
        while let Some(tag) = xml.child()? {
            match tag.name() {
                "Key" => key = values::text(&mut xml)?,
                "VersionId" => version_id = values::text(&mut xml)?,
                "DeleteMarker" => is_marker = values::flag(&mut xml)?,
                "DeleteMarkerVersionId" => marker_version = values::text(&mut xml)?,
                "Code" => code = xml.text()?,
                "Message" => message = xml.text()?,
                _ => xml.skip()?,
            }
        }
        let result = if failed {
            Err(Error::service(200, ErrorBody::new(code, message), None))
        } else {
            Ok(Removed {
                version_id: marker_version.or_else(|| version_id.clone()),
                is_marker,
            })
        };
        let key = match (key, &result) {
            (Some(key), _) => key,
            (None, Err(error)) => {
                answers.keyless.get_or_insert_with(|| error.clone());
                continue;
            }
            (None, Ok(_)) => return Err(XmlError::new("a result without its key")),
        };
        let said = Said { version_id, result };
        answers.by_key.entry(key).or_default().push(said);
    }
    Ok(answers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_carry_hostile_keys() {
        let ids = [
            ObjectId::from(" a<&>\"'\r\n\t\u{e9} "),
            ObjectId::from(("k", "v1")),
        ];
        let text = document(&ids, true).unwrap();
        let read = Element::parse(text.as_bytes()).unwrap();
        assert_eq!(read.child("Quiet").unwrap().text(), "true");
        let keys: Vec<_> = read.children()[1..]
            .iter()
            .map(|o| o.child("Key").unwrap().text())
            .collect();
        assert_eq!(keys, [" a<&>\"'\r\n\t\u{e9} ", "k"]);
        assert!(text.contains("<Key>&#32;a&lt;&amp;"), "{text}");
        assert!(text.contains("<VersionId>v1</VersionId>"), "{text}");
        assert!(document(&["\u{1}".into()], false).is_err());
    }

    #[test]
    fn answers_are_told_apart() {
        let answers = read(
            b"<DeleteResult><Deleted><Key>a</Key></Deleted><Deleted><Key>r\r\n\r</Key></Deleted><Deleted><Key>b</Key><DeleteMarker>true</DeleteMarker>\
              <DeleteMarkerVersionId>m1</DeleteMarkerVersionId></Deleted><Deleted><Key>c</Key><VersionId>1</VersionId>\
              </Deleted><Error><Key>c</Key><VersionId>2</VersionId><Code>AccessDenied</Code><Message>no</Message>\
              </Error></DeleteResult>",
        )
        .unwrap();
        assert_eq!(answers.of(&"a".into(), false).unwrap(), Removed::default());
        assert!(answers.of(&"r\r\n\r".into(), false).is_ok());
        let marker = answers.of(&"b".into(), false).unwrap();
        assert_eq!(
            (marker.version_id.as_deref(), marker.is_marker),
            (Some("m1"), true)
        );
        let version = answers.of(&("c", "1").into(), false).unwrap();
        assert_eq!(version.version_id.as_deref(), Some("1"));
        let error = answers.of(&("c", "2").into(), false).unwrap_err();
        assert_eq!(
            (error.code(), error.message()),
            (Some("AccessDenied"), "no")
        );
        assert!(answers.of(&"d".into(), true).is_ok());
        let silent = answers.of(&"d".into(), false).unwrap_err();
        assert!(silent.to_string().contains("says nothing"), "{silent}");
    }

    #[test]
    fn a_failure_under_another_name_is_not_lost() {
        let answers = read(
            b"<DeleteResult><Error><Key>a%20b</Key><Code>AccessDenied</Code><Message>no</Message></Error></DeleteResult>",
        )
        .unwrap();
        let asked = ["a b".into(), "c\r".into()];
        let stray = answers.stray(&asked).unwrap().to_string();
        assert!(
            stray.contains("not asked for") && stray.contains("AccessDenied"),
            "{stray}"
        );
        assert!(answers.stray(&["a%20b".into()]).is_none());
        let returned =
            read(b"<DeleteResult><Error><Key>c&#10;</Key></Error></DeleteResult>").unwrap();
        assert!(returned.stray(&asked).is_none() && returned.name(&asked[1]));
    }

    #[test]
    fn a_failure_without_a_name_is_not_lost() {
        for key in ["", "<Key/>", "<Key></Key>"] {
            let text = format!(
                "<DeleteResult><Deleted><Key>a</Key><DeleteMarker/></Deleted><Error>{key}<Code>AccessDenied</Code>\
                 <Message>no</Message></Error></DeleteResult>"
            );
            let answers = read(text.as_bytes()).unwrap();
            let asked = ["a".into(), "b".into()];
            let stray = answers.stray(&asked).unwrap();
            assert_eq!(stray.code(), Some("AccessDenied"), "{key}");
            assert!(answers.name(&asked[0]) && !answers.name(&asked[1]));
        }
    }

    #[test]
    fn nonsense_is_an_error() {
        for text in [
            "<DeleteResult><Deleted/></DeleteResult>",
            "<DeleteResult><Deleted><Key>a</Key><DeleteMarker>x</DeleteMarker></Deleted></DeleteResult>",
            "<DeleteResult>",
            "<Other/>",
        ] {
            assert!(read(text.as_bytes()).is_err(), "{text}");
        }
    }
}
