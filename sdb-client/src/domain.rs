use std::sync::Arc;

use crate::batcher::BatcherBuilder;
use crate::change::{DeleteItem, PutItem};
use crate::client::SdbClient;
use crate::ops::batch_delete::BatchDelete;
use crate::ops::batch_put::BatchPut;
use crate::ops::delete::Delete;
use crate::ops::domains::{CreateDomain, DeleteDomain};
use crate::ops::get::Get;
use crate::ops::metadata::DomainMetadata;
use crate::ops::put::Put;
use crate::query::Query;
use crate::update::{Change, Update};

/// A domain: the place for verbs about it and its items. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Domain {
    pub(crate) client: SdbClient,
    pub(crate) name: Arc<str>,
}

impl Domain {
    /// The name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The client that sends its requests.
    pub fn client(&self) -> &SdbClient {
        &self.client
    }

    /// Makes the domain; one that is there already is no error. Takes some seconds at Amazon.
    ///
    /// [CreateDomain](https://docs.aws.amazon.com/AmazonSimpleDB/latest/DeveloperGuide/SDB_API_CreateDomain.html)
    pub fn create(&self) -> CreateDomain {
        CreateDomain::new(self.clone())
    }

    /// Removes the domain **and all its items**; one that is not there is no error.
    ///
    /// [DeleteDomain](https://docs.aws.amazon.com/AmazonSimpleDB/latest/DeveloperGuide/SDB_API_DeleteDomain.html)
    pub fn delete_domain(&self) -> DeleteDomain {
        DeleteDomain::new(self.clone())
    }

    /// How many items there are, and how large they are, as of some time ago.
    ///
    /// [DomainMetadata](https://docs.aws.amazon.com/AmazonSimpleDB/latest/DeveloperGuide/SDB_API_DomainMetadata.html)
    pub fn metadata(&self) -> DomainMetadata {
        DomainMetadata::new(self.clone())
    }

    /// A query for all items of this domain, to be refined and given to [`SdbClient::select`].
    pub fn query(&self) -> Query {
        Query::all(self.name.clone())
    }

    /// Has SimpleDB export the domain into a bucket of S3 (feature `export`): see [`export`](crate::export).
    ///
    /// [StartDomainExport](https://docs.aws.amazon.com/AmazonSimpleDB/latest/DeveloperGuide/SDB_API_StartDomainExport.html)
    #[cfg(feature = "export")]
    pub fn start_export(&self, bucket: impl Into<String>) -> crate::export::StartExport {
        crate::export::StartExport::new(self.clone(), bucket.into())
    }

    /// Writes attributes of an item.
    ///
    /// [PutAttributes](https://docs.aws.amazon.com/AmazonSimpleDB/latest/DeveloperGuide/SDB_API_PutAttributes.html)
    pub fn put(&self, item: impl Into<String>) -> Put {
        self.put_item(PutItem::new(item))
    }

    /// Writes what a [`PutItem`] holds into its item.
    ///
    /// [PutAttributes](https://docs.aws.amazon.com/AmazonSimpleDB/latest/DeveloperGuide/SDB_API_PutAttributes.html)
    pub fn put_item(&self, item: PutItem) -> Put {
        Put::new(self.clone(), item)
    }

    /// Writes any number of items, up to 25 with each request.
    ///
    /// [BatchPutAttributes](https://docs.aws.amazon.com/AmazonSimpleDB/latest/DeveloperGuide/SDB_API_BatchPutAttributes.html)
    pub fn batch_put(&self) -> BatchPut {
        BatchPut::new(self.clone())
    }

    /// Changes an item by what is there, again and again while others are quicker: see [`Update`].
    pub fn update<F: Change>(&self, item: impl Into<String>, change: F) -> Update<F> {
        Update::new(self.clone(), item.into(), change)
    }

    /// Joins the single puts of many tasks into batches.
    pub fn batcher(&self) -> BatcherBuilder {
        BatcherBuilder::new(self.clone())
    }

    /// Reads an item; one that is not there comes back without attributes.
    ///
    /// [GetAttributes](https://docs.aws.amazon.com/AmazonSimpleDB/latest/DeveloperGuide/SDB_API_GetAttributes.html)
    pub fn get(&self, item: impl Into<String>) -> Get {
        Get::new(self.clone(), item.into())
    }

    /// Removes an item, or some of its attributes; what is not there is no error.
    ///
    /// [DeleteAttributes](https://docs.aws.amazon.com/AmazonSimpleDB/latest/DeveloperGuide/SDB_API_DeleteAttributes.html)
    pub fn delete(&self, item: impl Into<String>) -> Delete {
        Delete::new(self.clone(), DeleteItem::new(item))
    }

    /// Removes any number of items, or some of their attributes, up to 25 items with each request.
    ///
    /// [BatchDeleteAttributes](https://docs.aws.amazon.com/AmazonSimpleDB/latest/DeveloperGuide/SDB_API_BatchDeleteAttributes.html)
    pub fn batch_delete(&self) -> BatchDelete {
        BatchDelete::new(self.clone())
    }
}
