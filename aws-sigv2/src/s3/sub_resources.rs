use std::borrow::Cow;

use crate::escape;

/// The query parameters that are part of what is signed: those that name another resource (`acl`,
/// `uploadId`) and those that override headers of the response (`response-content-type`).
///
/// Client and server must hold the same list as far as a request uses it, and servers disagree. The base
/// list is botocore's, which is Amazon's page plus what Amazon S3 came to sign later; take another with
/// [`of`](Self::of), or change one with [`with`](Self::with) and [`without`](Self::without).
///
/// ```
/// use aws_sigv2::s3::{Server, SubResources};
///
/// assert!(!SubResources::BASE.contains("encryption"));
/// assert!(SubResources::BASE.with("encryption").contains("encryption"));
/// assert!(SubResources::of(Server::Minio).contains("encryption"));
/// assert!(!SubResources::of(Server::Rgw).contains("restore"));
/// ```
#[doc = include_str!("sub_resources.md")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubResources {
    /// Sorted, without duplicates.
    names: Cow<'static, [Cow<'static, str>]>,
}

/// A program whose list of sub-resources is known; see the table at [`SubResources`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Server {
    /// What Amazon's page on REST authentication lists, and no more.
    AwsPage,
    /// The client library botocore 1.43, and the server library s3s 0.14. The same as [`SubResources::BASE`].
    Botocore,
    /// The client library boto 2.49, which adds Google's parameters.
    Boto,
    /// Ceph RADOS Gateway 16: what it both parses as a sub-resource and signs. Its list of names to sign also
    /// has `encryption` and `object-lock`, which its parser never hands over.
    Rgw,
    /// OpenStack Swift's `s3api`.
    Swift,
    /// MinIO.
    Minio,
    /// Riak CS.
    RiakCs,
}

/// Makes a sorted list of borrowed names.
macro_rules! list {
    ($($name:literal)*) => { &[$(Cow::Borrowed($name)),*] };
}

type Names = &'static [Cow<'static, str>];

const AWS_PAGE: Names = list! {
    "acl" "delete" "lifecycle" "location" "logging" "notification" "partNumber" "policy" "requestPayment"
    "response-cache-control" "response-content-disposition" "response-content-encoding"
    "response-content-language" "response-content-type" "response-expires" "torrent" "uploadId" "uploads"
    "versionId" "versioning" "versions" "website"
};

const BOTOCORE: Names = list! {
    "accelerate" "acl" "analytics" "cors" "defaultObjectAcl" "delete" "inventory" "lifecycle" "location"
    "logging" "metrics" "notification" "object-lock" "partNumber" "policy" "replication" "requestPayment"
    "response-cache-control" "response-content-disposition" "response-content-encoding"
    "response-content-language" "response-content-type" "response-expires" "restore" "select" "select-type"
    "storageClass" "tagging" "torrent" "uploadId" "uploads" "versionId" "versioning" "versions" "website"
};

const BOTO: Names = list! {
    "acl" "billing" "compose" "cors" "defaultObjectAcl" "delete" "encryptionConfig" "lifecycle" "location"
    "logging" "partNumber" "policy" "requestPayment" "response-cache-control" "response-content-disposition"
    "response-content-encoding" "response-content-language" "response-content-type" "response-expires"
    "restore" "storageClass" "tagging" "torrent" "uploadId" "uploads" "userProject" "versionId" "versioning"
    "versions" "website" "websiteConfig"
};

const RGW: Names = list! {
    "acl" "cors" "delete" "lifecycle" "location" "logging" "notification" "partNumber" "policy"
    "policyStatus" "publicAccessBlock" "requestPayment" "response-cache-control"
    "response-content-disposition" "response-content-encoding" "response-content-language"
    "response-content-type" "response-expires" "tagging" "torrent" "uploadId" "uploads" "versionId"
    "versioning" "versions" "website"
};

const SWIFT: Names = list! {
    "acl" "cors" "delete" "lifecycle" "location" "logging" "notification" "object-lock" "partNumber" "policy"
    "requestPayment" "response-cache-control" "response-content-disposition" "response-content-encoding"
    "response-content-language" "response-content-type" "response-expires" "restore" "tagging" "torrent"
    "uploadId" "uploads" "versionId" "versioning" "versions" "website"
};

const MINIO: Names = list! {
    "acl" "cors" "delete" "encryption" "legal-hold" "lifecycle" "location" "logging" "notification"
    "partNumber" "policy" "requestPayment" "response-cache-control" "response-content-disposition"
    "response-content-encoding" "response-content-language" "response-content-type" "response-expires"
    "retention" "select" "select-type" "tagging" "torrent" "uploadId" "uploads" "versionId" "versioning"
    "versions" "website"
};

const RIAK_CS: Names = list! {
    "acl" "delete" "lifecycle" "location" "logging" "notification" "partNumber" "policy" "requestPayment"
    "torrent" "uploadId" "uploads" "versionId" "versioning" "versions" "website"
};

static BASE: SubResources = SubResources::BASE;

impl SubResources {
    /// The list that [`Request`](super::Request) signs unless told otherwise.
    pub const BASE: Self = Self {
        names: Cow::Borrowed(BOTOCORE),
    };

    pub(super) fn base() -> &'static Self {
        &BASE
    }

    /// What this server, or a client known to agree with it, signs.
    #[must_use]
    pub const fn of(server: Server) -> Self {
        let names = match server {
            Server::AwsPage => AWS_PAGE,
            Server::Botocore => BOTOCORE,
            Server::Boto => BOTO,
            Server::Rgw => RGW,
            Server::Swift => SWIFT,
            Server::Minio => MINIO,
            Server::RiakCs => RIAK_CS,
        };
        Self {
            names: Cow::Borrowed(names),
        }
    }

    /// This list and one more name. Names are case-sensitive.
    #[must_use]
    pub fn with(self, name: impl Into<String>) -> Self {
        let name = Cow::Owned(name.into());
        let mut names = self.names;
        if let Err(place) = names.binary_search(&name) {
            names.to_mut().insert(place, name);
        }
        Self { names }
    }

    /// This list without a name.
    #[must_use]
    pub fn without(self, name: &str) -> Self {
        let mut names = self.names;
        if let Ok(place) = names.binary_search_by(|known| known.as_ref().cmp(name)) {
            names.to_mut().remove(place);
        }
        Self { names }
    }

    /// Whether a parameter of this name is signed.
    #[must_use]
    pub fn contains(&self, name: &str) -> bool {
        self.position(name).is_some()
    }

    /// The names, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(AsRef::as_ref)
    }

    /// The listed name that a query name as sent stands for.
    pub(super) fn find(&self, sent: &str) -> Option<&str> {
        let place = if escape::is_escaped(sent) {
            let name = String::from_utf8(escape::unescape(sent).collect()).ok()?;
            self.position(&name)
        } else {
            self.position(sent)
        };
        place.map(|place| self.names[place].as_ref())
    }

    fn position(&self, name: &str) -> Option<usize> {
        self.names
            .binary_search_by(|known| known.as_ref().cmp(name))
            .ok()
    }
}

impl Default for SubResources {
    fn default() -> Self {
        Self::BASE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [(Server, &str); 7] = [
        (Server::AwsPage, "AWS page"),
        (Server::Botocore, "botocore, s3s"),
        (Server::Boto, "boto"),
        (Server::Rgw, "RGW"),
        (Server::Swift, "Swift"),
        (Server::Minio, "MinIO"),
        (Server::RiakCs, "Riak CS"),
    ];

    #[test]
    fn lists_are_sorted_without_duplicates() {
        for (server, _) in ALL {
            let list = SubResources::of(server);
            let names: Vec<_> = list.names().collect();
            assert!(names.windows(2).all(|pair| pair[0] < pair[1]), "{server:?}");
        }
        assert_eq!(SubResources::BASE, SubResources::of(Server::Botocore));
        assert_eq!(SubResources::default(), SubResources::BASE);
    }

    #[test]
    fn the_documented_table_is_the_data() {
        let mut union: Vec<String> = ALL
            .iter()
            .flat_map(|(server, _)| {
                SubResources::of(*server)
                    .names()
                    .map(str::to_owned)
                    .collect::<Vec<_>>()
            })
            .collect();
        union.sort_unstable();
        union.dedup();
        let everywhere = |name: &str| {
            ALL.iter()
                .all(|(server, _)| SubResources::of(*server).contains(name))
        };
        let mut table = String::from("| parameter |");
        for (_, title) in ALL {
            table += &format!(" {title} |");
        }
        table += &format!("\n|---|{}\n", "---|".repeat(ALL.len()));
        for name in union.iter().filter(|name| !everywhere(name)) {
            table += &format!("| `{name}` |");
            for (server, _) in ALL {
                table += if SubResources::of(server).contains(name) {
                    " x |"
                } else {
                    " |"
                };
            }
            table.push('\n');
        }
        let documented = include_str!("sub_resources.md");
        assert!(
            documented.contains(&table),
            "the table should read:\n{table}"
        );
        for name in union.iter().filter(|name| everywhere(name)) {
            assert!(documented.contains(&format!("`{name}`")), "{name}");
        }
    }

    #[test]
    fn lists_change() {
        let list = SubResources::BASE
            .with("zeta")
            .with("encryption")
            .with("acl")
            .without("torrent")
            .without("none");
        let names: Vec<_> = list.names().collect();
        assert!(names.is_sorted());
        assert_eq!(names.len(), SubResources::BASE.names().count() + 1);
        assert!(list.contains("encryption") && list.contains("zeta") && !list.contains("torrent"));
        assert!(!list.contains("ACL"));
        assert_eq!(list.find("encr%79ption"), Some("encryption"));
        assert_eq!(list.find("%ff"), None);
    }
}
