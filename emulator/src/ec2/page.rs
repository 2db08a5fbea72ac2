//! Pages: which instances an answer holds, and where the next goes on.

use base64::prelude::*;

use super::error::{Ec2Error, Ec2Result};
use super::row::InstanceRow;
use crate::encode::{hex, md5};

/// Some instances, and the token of the next page.
pub(super) struct InstancePage<'a> {
    pub(super) rows: Vec<&'a InstanceRow>,
    pub(super) next: Option<String>,
}

/// Cuts a page out of those that were found. Their order is none that a client could count on: that of a digest.
///
/// A token names the last instance that was told, so that changes in between lose nothing else; it belongs to `scope`.
pub(super) fn cut<'a>(
    rows: impl Iterator<Item = &'a InstanceRow>,
    size: Option<usize>,
    token: Option<&str>,
    scope: &str,
) -> Ec2Result<InstancePage<'a>> {
    let after = token.map(|token| read(token, scope)).transpose()?;
    let mut found: Vec<(String, &InstanceRow)> = rows.map(|row| (place(&row.id), row)).collect();
    found.sort_unstable_by(|a, b| a.0.cmp(&b.0));
    if let Some(after) = after {
        found.retain(|(place, _)| *place > after);
    }
    let size = size.unwrap_or(usize::MAX).min(found.len());
    let next = match found.get(size..) {
        Some([_, ..]) => found.get(size - 1).map(|(place, _)| write(scope, place)),
        _ => None,
    };
    let rows = found[..size].iter().map(|(_, row)| *row).collect();
    Ok(InstancePage { rows, next })
}

fn place(id: &str) -> String {
    hex(&md5(id.as_bytes()))
}

fn write(scope: &str, place: &str) -> String {
    BASE64_STANDARD.encode(format!("{} {place}", hex(&md5(scope.as_bytes()))))
}

fn read(token: &str, scope: &str) -> Ec2Result<String> {
    let bad = || Ec2Error::value(format!("The token '{token}' is invalid"));
    let bytes = BASE64_STANDARD.decode(token).map_err(|_| bad())?;
    let text = String::from_utf8(bytes).map_err(|_| bad())?;
    match text.split_once(' ') {
        Some((digest, place)) if digest == hex(&md5(scope.as_bytes())) => Ok(place.to_owned()),
        _ => Err(bad()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn pages_hold_each_once_and_tokens_their_filters() {
        let rows: Vec<InstanceRow> = (0..12)
            .map(|i| {
                InstanceRow::read(&json!({"InstanceId": format!("i-{i}")}), &json!(null)).unwrap()
            })
            .collect();
        let (mut token, mut seen, mut sizes) = (None::<String>, Vec::new(), Vec::new());
        loop {
            let page = cut(rows.iter(), Some(5), token.as_deref(), "a").unwrap();
            sizes.push(page.rows.len());
            seen.extend(page.rows.iter().map(|row| row.id.clone()));
            let Some(next) = page.next else { break };
            assert!(cut(rows.iter(), Some(5), Some(&next), "b").is_err());
            token = Some(next);
        }
        assert_eq!(sizes, [5, 5, 2]);
        assert!(!seen.is_sorted(), "an order that can be counted on");
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), 12);
        assert!(cut(rows.iter(), None, Some("x"), "a").is_err());
        assert!(
            cut([].into_iter(), Some(5), None, "a")
                .unwrap()
                .next
                .is_none()
        );
    }
}
