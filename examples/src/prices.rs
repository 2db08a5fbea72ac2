//! What requests cost, for an estimate of what a cache saves.

use cache_layer::Prices;

/// When these prices were those of Amazon in US East.
pub const AS_OF: &str = "November 2026";

/// Where Amazon publishes what requests to S3 cost.
pub const S3: &str = "https://aws.amazon.com/s3/pricing/";

/// Where Amazon publishes what SimpleDB costs.
pub const SIMPLEDB: &str = "https://aws.amazon.com/simpledb/pricing/";

/// Dollars for 1,000 PUTs, copies, lists and removals of many keys, to S3 Standard.
pub const PUT: f64 = 0.005;

/// Dollars for 1,000 GETs from S3 Standard.
pub const GET: f64 = 0.0004;

/// Dollars for a machine hour of SimpleDB; the 25 hours a month that are free are not looked at.
pub const BOX_HOUR: f64 = 0.14;

/// Dollars for one request to S3 of this operation. One removal is free, and what is not named costs as a read does.
pub fn of_request(operation: &str) -> f64 {
    let thousand = match operation {
        "CopyObject" | "CreateBucket" | "DeleteObjects" | "ListObjectsV2" | "PostObject"
        | "PutObject" => PUT,
        "DeleteObject" => 0.0,
        _ => GET,
    };
    thousand / 1000.0
}

/// The price list of reads: dollars for 1,000 GETs, and for a machine hour.
pub fn of_reads(get: f64, box_hour: f64) -> Prices {
    Prices {
        per_thousand: vec![("GetObject", get)],
        per_unit: box_hour,
    }
}

/// A price on the command line.
///
/// # Errors
/// When it is no number, or below zero.
pub fn parse(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(price) if (0.0..f64::INFINITY).contains(&price) => Ok(price),
        _ => Err("it is no price".to_owned()),
    }
}

/// Dollars, with four digits that matter and no more than cents where there are many.
pub fn dollars(amount: f64) -> String {
    let decimals = match amount {
        a if a >= 100.0 => 2,
        a if a >= 0.1 => 4,
        _ => 7,
    };
    format!("${amount:.decimals$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_and_checks_go_by_these() {
        let root = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
        for (page, written) in [
            (
                "ejabberd-cloud/docs/your-domain-in-ten-minutes.md",
                vec![
                    format!("${PUT}"),
                    format!("${GET}"),
                    format!("${BOX_HOUR}"),
                    AS_OF.to_owned(),
                    S3.to_owned(),
                    SIMPLEDB.to_owned(),
                ],
            ),
            (
                "cloud-stores/LAYOUT.md",
                vec![format!("${PUT}"), format!("${GET}"), format!("${BOX_HOUR}")],
            ),
            (
                "ejabberd-cloud/tests/server/scripts/budget.py",
                vec![
                    format!("\"GetObject\": {GET},"),
                    format!("\"PutObject\": {PUT},"),
                    format!("MACHINE_HOUR = {BOX_HOUR}\n"),
                ],
            ),
        ] {
            let text = std::fs::read_to_string(format!("{root}/{page}")).unwrap();
            for part in written {
                assert!(text.contains(&part), "{page} lacks {part:?}");
            }
        }
    }

    #[test]
    fn requests_cost_what_their_kind_does() {
        let million = |operation| (of_request(operation) * 1e6).round();
        assert_eq!(million("PutObject"), 5.0);
        assert_eq!(million("DeleteObjects"), 5.0);
        assert_eq!(million("DeleteObject"), 0.0);
        assert_eq!(of_request("HeadObject"), GET / 1000.0);
    }

    #[test]
    fn prices_are_read() {
        assert_eq!(parse("0.14"), Ok(0.14));
        assert_eq!(parse("0"), Ok(0.0));
        for text in ["", "-1", "nan", "inf", "$1", "0,4"] {
            assert!(parse(text).is_err(), "{text}");
        }
        assert_eq!(dollars(0.000_012), "$0.0000120");
        assert_eq!(dollars(123.456), "$123.46");
    }
}
