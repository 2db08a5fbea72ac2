//! Listing objects.

use async_trait::async_trait;
use futures_util::stream::BoxStream;
use futures_util::{StreamExt as _, TryStreamExt as _, future};
use object_store::list::{PaginatedListOptions, PaginatedListResult, PaginatedListStore};
use object_store::path::{DELIMITER, Path};
use object_store::{ListResult, ObjectMeta, Result};
use s3_client::answer::ListPage;
use s3_client::request::List;

use crate::convert;
use crate::error::{any, at};
use crate::store::S3Store;

impl S3Store {
    /// A listing of what is under a path, not of what only begins like it.
    fn under(&self, prefix: Option<&Path>) -> List {
        match prefix.map(Path::as_ref).filter(|prefix| !prefix.is_empty()) {
            Some(prefix) => self.bucket.list().prefix(format!("{prefix}{DELIMITER}")),
            None => self.bucket.list(),
        }
    }

    pub(crate) fn list_all(
        &self,
        prefix: Option<&Path>,
        offset: Option<&Path>,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        let mut list = self.under(prefix);
        if let Some(offset) = offset {
            list = list.start_after(offset.as_ref());
        }
        let path = prefix.cloned().unwrap_or_default();
        list.objects()
            .map_err(move |e| at(&path, e))
            .and_then(|info| future::ready(convert::listed(info)))
            .boxed()
    }

    pub(crate) async fn list_folder(&self, prefix: Option<&Path>) -> Result<ListResult> {
        let path = prefix.cloned().unwrap_or_default();
        let mut pages = self.under(prefix).delimiter(DELIMITER).pages();
        let mut all = ListResult {
            common_prefixes: Vec::new(),
            objects: Vec::new(),
            extensions: Default::default(),
        };
        while let Some(page) = pages.try_next().await.map_err(|e| at(&path, e))? {
            add(&mut all, page)?;
        }
        Ok(all)
    }
}

fn add(all: &mut ListResult, page: ListPage) -> Result<()> {
    for prefix in page.prefixes {
        all.common_prefixes.push(Path::parse(prefix)?);
    }
    for object in page.objects {
        all.objects.push(convert::listed(object)?);
    }
    Ok(())
}

#[async_trait]
impl PaginatedListStore for S3Store {
    async fn list_paginated(
        &self,
        prefix: Option<&str>,
        opts: PaginatedListOptions,
    ) -> Result<PaginatedListResult> {
        let mut list = self.bucket.list();
        if let Some(prefix) = prefix {
            list = list.prefix(prefix);
        }
        if let Some(offset) = opts.offset {
            list = list.start_after(offset);
        }
        if let Some(delimiter) = opts.delimiter {
            list = list.delimiter(delimiter);
        }
        if let Some(most) = opts.max_keys {
            // A page may always be shorter than was asked for.
            let most = u32::try_from(most).unwrap_or(u32::MAX).min(1000);
            list = list.page_size(most);
        }
        if let Some(token) = opts.page_token {
            list = list.token(token);
        }
        let mut page = list.await.map_err(any)?;
        let page_token = page.next_token.take();
        let mut result = ListResult {
            common_prefixes: Vec::new(),
            objects: Vec::new(),
            extensions: Default::default(),
        };
        add(&mut result, page)?;
        Ok(PaginatedListResult { result, page_token })
    }
}
