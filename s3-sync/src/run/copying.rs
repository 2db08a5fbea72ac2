//! Copies from prefix to prefix, which the store makes by itself.
//!
//! *Problem:* One request copies 5 GiB at most, and an upload in parts, which copies more, begins without what is said of its
//! source. *Decision:* For such an object its headers, its metadata and its tags are read first, as far as one request
//! would have copied them, and the upload begins with them. *Cost:* Two requests for each object of more than 5 GiB.

use s3_client::request::CreateMultipart;

use super::store::{Store, check_tag};
use super::task::ObjectSide;
use crate::error::Result;

/// The most bytes that one request copies.
const MAX_COPY: u64 = 5 << 30;
/// The size of the parts of larger copies.
const COPY_PART: u64 = 1 << 30;
/// How many parts there may be.
const MAX_PARTS: u64 = 10_000;

impl Store {
    /// Copies an object of another prefix of the same store; the answer is the tag of the copy.
    pub(crate) async fn copy(&self, from: &Store, object: &ObjectSide) -> Result<String> {
        let (source, target) = (from.url.key(&object.key), self.url.key(&object.key));
        self.steps.tell("copy", &target);
        if object.size > MAX_COPY {
            return self.copy_in_parts(from, object, COPY_PART).await;
        }
        let copy = self
            .bucket
            .copy(source, target)
            .from_bucket(from.url.bucket());
        let copied = copy.from_if_match(quoted(object)).send().await?;
        Ok(crate::etag::bare(copied.etag().unwrap_or_default()).to_owned())
    }

    async fn copy_in_parts(&self, from: &Store, object: &ObjectSide, part: u64) -> Result<String> {
        let (source, target) = (from.url.key(&object.key), self.url.key(&object.key));
        let create = self.bucket.create_multipart(target);
        let create = described(create, from, object, &source).await?;
        let upload = create.send().await?;
        let size = part.max(object.size.div_ceil(MAX_PARTS));
        let copy = async {
            let mut parts = Vec::new();
            let mut begin = 0;
            while begin < object.size {
                let end = object.size.min(begin + size);
                let number = parts.len() as u32 + 1;
                let part = upload.copy_part(number, from.url.bucket(), source.clone());
                let part = part.range(begin..end).from_if_match(quoted(object));
                parts.push(part.send().await?);
                begin = end;
            }
            upload.complete(parts).send().await
        };
        match copy.await {
            Ok(completed) => Ok(crate::etag::bare(completed.etag().unwrap_or_default()).to_owned()),
            Err(error) => {
                let _left_behind = upload.abort().send().await;
                Err(error.into())
            }
        }
    }
}

/// The upload with all that is said of its source: what one request would have copied.
async fn described(
    mut create: CreateMultipart,
    from: &Store,
    object: &ObjectSide,
    source: &str,
) -> Result<CreateMultipart> {
    let head = from.bucket.head(source).send().await?;
    check_tag(object, head.etag())?;
    type Set = fn(CreateMultipart, String) -> CreateMultipart;
    let headers: [(&str, Set); 5] = [
        ("content-type", |create, value| create.content_type(value)),
        ("cache-control", |create, value| create.cache_control(value)),
        ("content-disposition", |create, value| {
            create.content_disposition(value)
        }),
        ("content-encoding", |create, value| {
            create.content_encoding(value)
        }),
        ("content-language", |create, value| {
            create.content_language(value)
        }),
    ];
    for (name, set) in headers {
        if let Some(value) = head.header(name) {
            create = set(create, value.to_owned());
        }
    }
    if let Some(time) = head.expires() {
        create = create.expires(time);
    }
    for (name, value) in head.all_metadata() {
        create = create.metadata(name, value);
    }
    match from.bucket.get_object_tagging(source).send().await {
        Ok(tags) => {
            for tag in tags.tags {
                create = create.tag(tag.key, tag.value);
            }
        }
        // A store that keeps no tags has none to be copied.
        Err(error) if error.is_not_found() || error.status() == Some(501) => {}
        Err(error) => return Err(error.into()),
    }
    Ok(create)
}

/// The tag that the object was listed with.
fn quoted(object: &ObjectSide) -> String {
    format!("\"{}\"", object.etag)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::{Duration, SystemTime};

    use s3_client::{Credentials, S3Client};

    use super::*;
    use crate::listing::Listed;
    use crate::run::options::Options;
    use crate::step::Steps;

    #[tokio::test]
    async fn a_copy_in_parts_keeps_what_is_said_of_its_source() {
        let emulator = emulator::Emulator::start().await.unwrap();
        let client = S3Client::builder()
            .endpoint(emulator.url())
            .credentials(Credentials::new(
                emulator.access_key(),
                emulator.secret_key(),
            ))
            .build()
            .unwrap();
        let bucket = client.bucket("bucket");
        bucket.create().await.unwrap();
        let side = |url: &str| Store {
            bucket: bucket.clone(),
            url: url.parse().unwrap(),
            options: Arc::new(Options::default()),
            steps: Steps::default(),
        };
        let (from, to) = (side("s3://bucket/p"), side("s3://bucket/q"));
        let expires = SystemTime::UNIX_EPOCH + Duration::from_secs(4_000_000_000);
        let content = "0123456789abcdef".repeat(12 << 16);
        let put = bucket.put("p/a", content.clone());
        let put = put.content_type("text/plain").cache_control("max-age=1");
        let put = put.content_disposition("inline").content_encoding("x-own");
        let put = put.content_language("eo").expires(expires);
        let put = put.metadata("mood", "sleepy").tag("team", "a b");
        let etag = put
            .await
            .unwrap()
            .etag()
            .map(crate::etag::bare)
            .unwrap()
            .to_owned();
        let listed = |etag: &str| Listed {
            key: "a".to_owned(),
            size: content.len() as u64,
            etag: etag.to_owned(),
            modified: 0,
        };
        let object = ObjectSide::new(listed(&etag), None);
        let copied = to.copy_in_parts(&from, &object, 5 << 20).await.unwrap();

        let copy = bucket.get("q/a").await.unwrap();
        let head = &copy.head;
        assert_eq!(head.etag().map(crate::etag::bare), Some(&*copied));
        assert!(copied.ends_with("-3"), "{copied}");
        for (name, value) in [
            ("content-type", "text/plain"),
            ("cache-control", "max-age=1"),
            ("content-disposition", "inline"),
            ("content-encoding", "x-own"),
            ("content-language", "eo"),
        ] {
            assert_eq!(head.header(name), Some(value), "{name}");
        }
        assert_eq!(head.expires(), Some(expires));
        assert_eq!(
            head.all_metadata().collect::<Vec<_>>(),
            [("mood", "sleepy")]
        );
        let tags = bucket.get_object_tagging("q/a").await.unwrap().tags;
        let tags: Vec<_> = tags.iter().map(|tag| (&*tag.key, &*tag.value)).collect();
        assert_eq!(tags, [("team", "a b")]);
        assert_eq!(copy.body.bytes(1 << 24).await.unwrap(), content.as_bytes());

        // An object that was replaced since it was listed is not copied, and nothing is left of the upload.
        let other = ObjectSide::new(listed("0"), None);
        let error = to.copy_in_parts(&from, &other, 5 << 20).await.unwrap_err();
        assert_eq!(error.kind(), crate::error::Kind::Changed, "{error}");
        let mut left = bucket.list_multipart().stream();
        assert!(left.try_next().await.unwrap().is_none());
    }
}
