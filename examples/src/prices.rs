//! What requests cost, for an estimate of what a cache saves.

use cache_layer::Prices;

/// Dollars for 1,000 GETs from S3 Standard in US East, as Amazon
/// [publishes](https://aws.amazon.com/s3/pricing/) it.
pub const GET: f64 = 0.0004;

/// Dollars for a machine hour of SimpleDB in US East, as Amazon
/// [publishes](https://aws.amazon.com/simpledb/pricing/) it; the 25 hours a month that are free are not looked at.
pub const BOX_HOUR: f64 = 0.14;

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
