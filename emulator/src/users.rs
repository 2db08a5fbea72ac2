//! Who may sign, and with what.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use crate::accounts::Account;

/// One principal: its account, its secret key and, if it is temporary, its session token.
#[derive(Clone)]
pub(crate) struct User {
    pub(crate) account: Arc<Account>,
    pub(crate) secret: String,
    pub(crate) token: Option<String>,
}

impl fmt::Debug for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("User").finish_non_exhaustive()
    }
}

/// Users by access key.
#[derive(Clone, Debug, Default)]
pub(crate) struct Users(HashMap<String, User>);

impl Users {
    pub(crate) fn insert(&mut self, access_key: String, user: User) {
        self.0.insert(access_key, user);
    }

    pub(crate) fn get(&self, access_key: &str) -> Option<&User> {
        self.0.get(access_key)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &User)> {
        self.0.iter().map(|(key, user)| (key.as_str(), user))
    }
}

impl User {
    /// Whether `token` is what this user's requests have to carry: exactly the session token,
    /// and none for a user without one.
    pub(crate) fn accepts_token(&self, token: Option<&[u8]>) -> bool {
        self.token.as_deref().map(str::as_bytes) == token
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_no_secret() {
        let mut users = Users::default();
        let user = User {
            account: Arc::new(Account::nth(0)),
            secret: "hunter2".into(),
            token: Some("tok3n".into()),
        };
        users.insert("AKID".into(), user);
        let text = format!("{users:?}");
        assert_eq!(text, r#"Users({"AKID": User { .. }})"#);
    }
}
