//! Which parameters of a query are signed, by server.
//!
//! *Problem:* Servers disagree about which newer sub-resources are part of what Version 2 signs. *Decision:* The list
//! that Amazon published is the base, and each endpoint can extend it. A request about a bucket alone is sent and
//! signed as `/bucket/`, since servers that normalise one form refuse the other. *Cost:* A server with a list of its
//! own has to be named when a client is built.

#[rustfmt::skip]
mod lists;

use self::lists::{AWS_PAGE, BOTO, BOTOCORE, MINIO, RGW, RIAK_CS, SWIFT};
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
#[derive(Clone, Debug)]
pub struct SubResources {
    names: Names,
}

/// Names, sorted and without duplicates.
#[derive(Clone, Debug)]
enum Names {
    /// A list that is known.
    Known(&'static [&'static str]),
    /// A list that was changed.
    Changed(Vec<String>),
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
    /// The server is OpenStack Swift with its middleware `s3api`.
    Swift,
    /// The server is MinIO.
    Minio,
    /// The server is Riak CS.
    RiakCs,
}

static BASE: SubResources = SubResources::BASE;

impl SubResources {
    /// The list that [`S3Request`](super::S3Request) signs unless told otherwise.
    pub const BASE: Self = Self {
        names: Names::Known(BOTOCORE),
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
            names: Names::Known(names),
        }
    }

    /// This list and one more name. Names are case-sensitive.
    #[must_use]
    pub fn with(self, name: impl Into<String>) -> Self {
        let name = name.into();
        match self.search(&name) {
            Ok(_) => self,
            Err(place) => self.changed(|names| names.insert(place, name)),
        }
    }

    /// This list without a name.
    #[must_use]
    pub fn without(self, name: &str) -> Self {
        match self.search(name) {
            Ok(place) => self.changed(|names| drop(names.remove(place))),
            Err(_) => self,
        }
    }

    fn changed(self, change: impl FnOnce(&mut Vec<String>)) -> Self {
        let mut names = match self.names {
            Names::Known(names) => names.iter().map(|name| (*name).to_owned()).collect(),
            Names::Changed(names) => names,
        };
        change(&mut names);
        let names = Names::Changed(names);
        Self { names }
    }

    /// Whether a parameter of this name is signed.
    #[must_use]
    pub fn contains(&self, name: &str) -> bool {
        self.search(name).is_ok()
    }

    /// The names, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let len = match &self.names {
            Names::Known(names) => names.len(),
            Names::Changed(names) => names.len(),
        };
        (0..len).map(|place| self.at(place))
    }

    /// The listed name that a query name as sent stands for.
    pub(super) fn find(&self, sent: &str) -> Option<&str> {
        let place = if escape::is_escaped(sent) {
            let name = String::from_utf8(escape::unescape(sent).collect()).ok()?;
            self.search(&name)
        } else {
            self.search(sent)
        };
        place.ok().map(|place| self.at(place))
    }

    fn at(&self, place: usize) -> &str {
        match &self.names {
            Names::Known(names) => names[place],
            Names::Changed(names) => &names[place],
        }
    }

    /// The place of this name, or the one that it would have.
    fn search(&self, name: &str) -> Result<usize, usize> {
        match &self.names {
            Names::Known(names) => names.binary_search(&name),
            Names::Changed(names) => names.binary_search_by(|known| known.as_str().cmp(name)),
        }
    }
}

/// Lists of the same names are equal, wherever they come from.
impl PartialEq for SubResources {
    fn eq(&self, other: &Self) -> bool {
        self.names().eq(other.names())
    }
}

impl Eq for SubResources {}

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
    fn lists_of_the_same_names_are_equal() {
        let more = SubResources::BASE.with("encryption");
        assert_ne!(more, SubResources::BASE);
        assert_eq!(more.clone().with("encryption"), more);
        assert_eq!(more.without("encryption"), SubResources::BASE);
        assert_eq!(SubResources::BASE.without("encryption"), SubResources::BASE);
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
