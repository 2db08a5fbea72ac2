//! EC2's limits, checked before anything is sent.
//!
//! See [Filter limitations](https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/Using_Filtering.html) and
//! [Pagination](https://docs.aws.amazon.com/AWSEC2/latest/APIReference/query-requests.html).

use aws_core::{Error, Result};

/// The most filters of a request.
const FILTERS: usize = 50;
/// The most values of a filter.
const VALUES: usize = 200;
/// The longest value of a filter, in characters.
const VALUE: usize = 255;
/// The most ids of a request.
const IDS: usize = 1000;

fn over(what: &str, value: impl std::fmt::Display, limit: impl std::fmt::Display) -> Error {
    Error::invalid(format!("{what}: {value}, and the most is {limit}"))
}

pub(crate) fn filters(count: usize) -> Result<()> {
    match count > FILTERS {
        true => Err(over("filters", count, FILTERS)),
        false => Ok(()),
    }
}

pub(crate) fn filter(name: &str, values: &[String]) -> Result<()> {
    let shown: String = name.chars().take(80).collect();
    if name.is_empty() {
        return Err(Error::invalid("a filter has no name"));
    }
    if values.is_empty() {
        return Err(Error::invalid(format!("the filter {shown:?} has no value")));
    }
    if values.len() > VALUES {
        let what = format!("values of the filter {shown:?}");
        return Err(over(&what, values.len(), VALUES));
    }
    let lengths = values.iter().map(|value| value.chars().count());
    match lengths.max().unwrap_or(0) {
        longest if longest > VALUE => {
            let what = format!("characters of a value of the filter {shown:?}");
            Err(over(&what, longest, VALUE))
        }
        _ => Ok(()),
    }
}

pub(crate) fn ids(count: usize) -> Result<()> {
    match count > IDS {
        true => Err(over("instance ids", count, IDS)),
        false => Ok(()),
    }
}

pub(crate) fn page_size(instances: u32) -> Result<()> {
    match (5..=1000).contains(&instances) {
        true => Ok(()),
        false => Err(Error::invalid(format!(
            "a page of {instances} instances: 5 to 1,000 are legal"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_limit_is_named_with_the_value() {
        let values = |count: usize, len: usize| vec!["x".repeat(len); count];
        assert!(filters(50).is_ok() && filter("a", &values(200, 255)).is_ok() && ids(1000).is_ok());
        assert!(page_size(5).is_ok() && page_size(1000).is_ok());
        let accents = "\u{e9}".repeat(255);
        assert!(filter("a", &[accents]).is_ok(), "characters, not bytes");
        for (outcome, words) in [
            (filters(51), ["51", "50"]),
            (filter("vpc-id", &values(201, 1)), ["201", "vpc-id"]),
            (filter("vpc-id", &values(1, 256)), ["256", "vpc-id"]),
            (filter("vpc-id", &[]), ["no value", "vpc-id"]),
            (filter("", &values(1, 1)), ["no name", "filter"]),
            (ids(1001), ["1001", "1000"]),
            (page_size(4), ["4", "5 to 1,000"]),
            (page_size(1001), ["1001", "5 to 1,000"]),
        ] {
            let error = outcome.unwrap_err().to_string();
            assert!(words.iter().all(|word| error.contains(word)), "{error}");
        }
    }
}
