//! Accounts: whose the buckets and objects are.

use std::sync::Arc;

use sha2::{Digest, Sha256};

use crate::encode;

/// The number of the first account; the others count on from it.
const FIRST: u64 = 123_456_789_012;
pub(crate) const FIRST_NUMBER: &str = "123456789012";

/// An account, as S3 knows it.
///
/// The numbers, identifiers and names follow from the order in which accounts were added, so that they are the same
/// for every emulator that is started alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    number: String,
    canonical_id: String,
    display_name: String,
    email: String,
}

impl Account {
    /// The account that was added as this one, counted from 0.
    pub(crate) fn nth(at: u64) -> Self {
        if at == 0 {
            return Self {
                number: FIRST_NUMBER.into(),
                canonical_id: "75aa57f09aa0c8caeab4f8c24e99d10f8e7faeebf76c078efc7c6caea54ba06a"
                    .into(),
                display_name: "emulator".into(),
                email: "emulator@example.com".into(),
            };
        }
        let number = FIRST.saturating_add(at).to_string();
        let display_name = format!("account-{}", at.saturating_add(1));
        Self {
            canonical_id: encode::hex(&Sha256::digest(&number)),
            email: format!("{display_name}@example.com"),
            number,
            display_name,
        }
    }

    /// Who owns what was written without a signature.
    pub(crate) fn anonymous() -> Self {
        Self {
            number: String::new(),
            canonical_id: "65a011a29cdf8ec533ec3d1ccaae921c".into(),
            display_name: "anonymous".into(),
            email: String::new(),
        }
    }

    /// Makes the account that has these [`texts`](Self::texts).
    pub(crate) fn of(texts: [String; 4]) -> Self {
        let [number, canonical_id, display_name, email] = texts;
        Self {
            number,
            canonical_id,
            display_name,
            email,
        }
    }

    /// Returns all that there is to an account.
    pub(crate) fn texts(&self) -> [&str; 4] {
        [
            &self.number,
            &self.canonical_id,
            &self.display_name,
            &self.email,
        ]
    }

    /// The account number, 12 digits: what `x-amz-expected-bucket-owner` and policies name it by.
    pub fn number(&self) -> &str {
        &self.number
    }

    /// The canonical user identifier, 64 hexadecimal digits: what access control lists name it by.
    pub fn canonical_id(&self) -> &str {
        &self.canonical_id
    }

    /// What listings and access control lists call it.
    pub fn display_name(&self) -> &str {
        &self.display_name
    }

    /// The address by which a grant can name it too.
    pub fn email(&self) -> &str {
        &self.email
    }
}

impl Default for Account {
    /// The first account.
    fn default() -> Self {
        Self::nth(0)
    }
}

/// All accounts; the first is never missing.
#[derive(Clone, Debug)]
pub(crate) struct Accounts(Vec<Arc<Account>>);

impl Default for Accounts {
    fn default() -> Self {
        Self(vec![Arc::new(Account::nth(0))])
    }
}

impl Accounts {
    /// Adds the next account.
    pub(crate) fn add(&mut self) -> Arc<Account> {
        let account = Arc::new(Account::nth(self.0.len() as u64));
        self.0.push(Arc::clone(&account));
        account
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Arc<Account>> {
        self.0.iter()
    }

    pub(crate) fn first(&self) -> Arc<Account> {
        self.0
            .first()
            .map_or_else(|| Arc::new(Account::nth(0)), Arc::clone)
    }

    pub(crate) fn by_id(&self, id: &str) -> Option<&Arc<Account>> {
        self.iter().find(|account| account.canonical_id == id)
    }

    pub(crate) fn by_email(&self, email: &str) -> Option<&Arc<Account>> {
        self.iter()
            .find(|account| account.email.eq_ignore_ascii_case(email))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts_are_told_apart() {
        let mut accounts = Accounts::default();
        let second = accounts.add();
        assert_eq!(accounts.first().number(), "123456789012");
        assert_eq!(second.number(), "123456789013");
        assert_eq!(second.canonical_id().len(), 64);
        assert_eq!(accounts.by_id(second.canonical_id()), Some(&second));
        assert_eq!(accounts.by_email("Account-2@example.com"), Some(&second));
        assert_eq!(accounts.by_id("_foo"), None);
    }
}
