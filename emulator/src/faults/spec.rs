//! Rules as the command line has them.

use std::fmt;
use std::time::Duration;

use super::fault::Fault;
use super::rule::Rule;

/// A text is no rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpecError(String);

impl fmt::Display for SpecError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:?} is no fault: RATE:KIND[:ARGUMENT] is expected, for example 0.01:slow-down or 0.1:delay:20",
            self.0
        )
    }
}

impl std::error::Error for SpecError {}

pub(super) fn parse(text: &str) -> Result<Rule, SpecError> {
    let mut parts = text.splitn(3, ':');
    let rate = parts.next().and_then(|rate| rate.parse::<f64>().ok());
    let rate = rate.filter(|rate| (0.0..=1.0).contains(rate));
    let kind = parts.next().unwrap_or_default();
    let fault = fault(kind, parts.next());
    match (rate, fault) {
        (Some(rate), Some(fault)) => Ok(Rule::new(fault).rate(rate)),
        _ => Err(SpecError(text.to_owned())),
    }
}

fn fault(kind: &str, argument: Option<&str>) -> Option<Fault> {
    let number = || argument.and_then(|text| text.parse::<u64>().ok());
    Some(match (kind, argument) {
        ("slow-down", None) => Fault::slow_down(),
        ("slow-down", Some(after)) => Fault::slow_down().retry_after(after),
        ("error", None) => Fault::error(500, "InternalError"),
        ("delay", Some(_)) => Fault::delay(Duration::from_millis(number()?)),
        ("reset-before", None) => Fault::reset_before(),
        ("reset-after", None) => Fault::reset_after(),
        ("cut", Some(_)) => Fault::cut(number()?),
        ("garbage", None) => Fault::garbage("!\u{0}garbage\r\n\r\n"),
        ("expired-token", None) => Fault::expired_token(),
        ("stale", Some(_)) => Fault::stale(number()?.try_into().ok()?),
        ("lacking", Some(ids)) => Fault::lacking(ids.split(',')),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_read() {
        for text in [
            "1:slow-down",
            "0.5:slow-down:3",
            "0:error",
            "0.01:delay:20",
            "1:reset-before",
            "1:reset-after",
            "1:cut:100",
            "1:garbage",
            "1:expired-token",
            "1:stale:2",
            "0.5:lacking:i-1,i-2",
        ] {
            assert!(parse(text).is_ok(), "{text}");
        }
        for text in [
            "",
            "1",
            "slow-down",
            "2:slow-down",
            "-1:error",
            "NaN:error",
            "1:cut",
            "1:cut:x",
            "1:delay:-1",
            "1:error:9",
            "1:stale",
            "1:stale:x",
            "1:lacking",
            "1:unknown",
        ] {
            let error = parse(text).unwrap_err().to_string();
            assert!(error.contains(&format!("{text:?}")), "{error}");
        }
    }
}
