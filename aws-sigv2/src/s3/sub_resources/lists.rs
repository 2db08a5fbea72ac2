//! The lists of names, each sorted.

pub(super) const AWS_PAGE: &[&str] = &[
    "acl", "delete", "lifecycle", "location", "logging", "notification", "partNumber", "policy",
    "requestPayment", "response-cache-control", "response-content-disposition",
    "response-content-encoding", "response-content-language", "response-content-type",
    "response-expires", "torrent", "uploadId", "uploads", "versionId", "versioning", "versions",
    "website",
];

pub(super) const BOTOCORE: &[&str] = &[
    "accelerate", "acl", "analytics", "cors", "defaultObjectAcl", "delete", "inventory",
    "lifecycle", "location", "logging", "metrics", "notification", "object-lock", "partNumber",
    "policy", "replication", "requestPayment", "response-cache-control",
    "response-content-disposition", "response-content-encoding", "response-content-language",
    "response-content-type", "response-expires", "restore", "select", "select-type", "storageClass",
    "tagging", "torrent", "uploadId", "uploads", "versionId", "versioning", "versions", "website",
];

pub(super) const BOTO: &[&str] = &[
    "acl", "billing", "compose", "cors", "defaultObjectAcl", "delete", "encryptionConfig",
    "lifecycle", "location", "logging", "partNumber", "policy", "requestPayment",
    "response-cache-control", "response-content-disposition", "response-content-encoding",
    "response-content-language", "response-content-type", "response-expires", "restore",
    "storageClass", "tagging", "torrent", "uploadId", "uploads", "userProject", "versionId",
    "versioning", "versions", "website", "websiteConfig",
];

pub(super) const RGW: &[&str] = &[
    "acl", "cors", "delete", "lifecycle", "location", "logging", "notification", "partNumber",
    "policy", "policyStatus", "publicAccessBlock", "requestPayment", "response-cache-control",
    "response-content-disposition", "response-content-encoding", "response-content-language",
    "response-content-type", "response-expires", "tagging", "torrent", "uploadId", "uploads",
    "versionId", "versioning", "versions", "website",
];

pub(super) const SWIFT: &[&str] = &[
    "acl", "cors", "delete", "lifecycle", "location", "logging", "notification", "object-lock",
    "partNumber", "policy", "requestPayment", "response-cache-control",
    "response-content-disposition", "response-content-encoding", "response-content-language",
    "response-content-type", "response-expires", "restore", "tagging", "torrent", "uploadId",
    "uploads", "versionId", "versioning", "versions", "website",
];

pub(super) const MINIO: &[&str] = &[
    "acl", "cors", "delete", "encryption", "legal-hold", "lifecycle", "location", "logging",
    "notification", "partNumber", "policy", "requestPayment", "response-cache-control",
    "response-content-disposition", "response-content-encoding", "response-content-language",
    "response-content-type", "response-expires", "retention", "select", "select-type", "tagging",
    "torrent", "uploadId", "uploads", "versionId", "versioning", "versions", "website",
];

pub(super) const RIAK_CS: &[&str] = &[
    "acl", "delete", "lifecycle", "location", "logging", "notification", "partNumber", "policy",
    "requestPayment", "torrent", "uploadId", "uploads", "versionId", "versioning", "versions",
    "website",
];
