//! Object lock: how a bucket keeps its objects from removal by default, and how one object is kept.

use std::time::SystemTime;

use aws_core::{Error, Result};

use super::{Config, Root, Settable, Status};
use crate::idempotency::{self, Row};

document! {
    /// The [object lock](https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lock.html) of a bucket says whether
    /// its objects can be kept from removal, and for how long they are kept where their request does not say it:
    /// [`days`](Self::days) and [`years`](Self::years) make one.
    ///
    /// ```
    /// use std::time::{Duration, SystemTime};
    /// use s3_client::config::{ObjectLock, Retention, RetentionMode};
    ///
    /// # async fn example(s3: s3_client::S3Client) -> s3_client::Result<()> {
    /// let papers = s3.bucket("papers");
    /// papers.create().object_lock(true).await?;
    /// papers.put_config(ObjectLock::days(RetentionMode::Governance, 30)).await?;
    /// let hour = SystemTime::now() + Duration::from_secs(3600);
    /// let retention = Retention::new().mode(RetentionMode::Governance).until(hour);
    /// papers.put_object_retention("contract.pdf", retention).await?;
    /// papers.put_object_legal_hold("contract.pdf", true).await?;
    /// # Ok(()) }
    /// ```
    pub struct ObjectLock {
        /// Whether objects can be locked: `Enabled` is the only word that Amazon knows here.
        opt enabled: Status = "ObjectLockEnabled",
        /// The retention of objects whose request does not say how long they are kept.
        opt rule: LockRule = "Rule",
    }

    /// The rule for objects whose request does not say how long they are kept.
    pub struct LockRule {
        /// The mode and the time for which such objects are kept.
        opt default_retention: DefaultRetention = "DefaultRetention",
    }

    /// The mode in which objects are kept, and how many days or years after they were stored.
    pub struct DefaultRetention {
        /// Who can end the retention before its time.
        opt mode: RetentionMode = "Mode",
        /// The time in days, 1 to 36,500. It cannot stand together with years.
        val days: u32 = "Days",
        /// The time in years, 1 to 100. It cannot stand together with days.
        val years: u32 = "Years",
    }

    /// The retention of a version of an object says until when it is kept. Both fields are set or, to end a retention in
    /// governance mode, neither.
    pub struct Retention {
        /// Who can end the retention before its time.
        opt mode: RetentionMode = "Mode",
        /// The time until which the version is kept, to the millisecond.
        val until: SystemTime = "RetainUntilDate",
    }

    /// A legal hold keeps a version of an object until somebody takes the hold off.
    pub struct LegalHold {
        /// Whether the hold is on.
        opt status: HoldStatus = "Status",
    }
}

words! {
    /// The mode of a retention says who can end it before its time.
    pub enum RetentionMode {
        /// Whoever has the permission `s3:BypassGovernanceRetention` can end it, by `bypass_governance` of a request.
        Governance = "GOVERNANCE",
        /// Nobody can end the retention before its date.
        Compliance = "COMPLIANCE",
    }

    /// Whether a legal hold is on.
    pub enum HoldStatus {
        /// The hold is on.
        On = "ON",
        /// The hold is off.
        Off = "OFF",
    }
}

impl ObjectLock {
    /// A lock that keeps objects in this mode for so many days, 1 to 36,500, where their request does not say it.
    pub fn days(mode: impl Into<RetentionMode>, days: u32) -> Self {
        Self::by_default(DefaultRetention::new().mode(mode).days(days))
    }

    /// A lock that keeps objects in this mode for so many years, 1 to 100, where their request does not say it.
    pub fn years(mode: impl Into<RetentionMode>, years: u32) -> Self {
        Self::by_default(DefaultRetention::new().mode(mode).years(years))
    }

    fn by_default(retention: DefaultRetention) -> Self {
        Self::new()
            .enabled(Status::Enabled)
            .rule(LockRule::new().default_retention(retention))
    }
}

impl From<bool> for LegalHold {
    fn from(on: bool) -> Self {
        Self::new().status(if on { HoldStatus::On } else { HoldStatus::Off })
    }
}

impl LegalHold {
    /// Whether the hold is on.
    pub fn is_on(&self) -> bool {
        self.status == Some(HoldStatus::On)
    }
}

impl<M: Into<RetentionMode>> From<(M, SystemTime)> for Retention {
    fn from((mode, until): (M, SystemTime)) -> Self {
        Self::new().mode(mode).until(until)
    }
}

impl Root for ObjectLock {
    const ROOT: &'static str = "ObjectLockConfiguration";
    const QUERY: &'static str = "object-lock";

    fn check(&self) -> Result<()> {
        let rule = self.rule.as_ref();
        let Some(retention) = rule.and_then(|rule| rule.default_retention.as_ref()) else {
            return Ok(());
        };
        if retention.mode.is_none() {
            return Err(Error::invalid("the default retention has no mode"));
        }
        let (count, unit, limit) = match (retention.days, retention.years) {
            (Some(days), None) => (days, "days", 36_500),
            (None, Some(years)) => (years, "years", 100),
            (None, None) => {
                return Err(Error::invalid(
                    "the default retention has neither days nor years",
                ));
            }
            (Some(days), Some(years)) => {
                return Err(Error::invalid(format!(
                    "the default retention has both {days} days and {years} years"
                )));
            }
        };
        if (1..=limit).contains(&count) {
            return Ok(());
        }
        Err(Error::invalid(format!(
            "a default retention of {count} {unit} is not within 1 to {limit}"
        )))
    }
}

impl Config for ObjectLock {
    const GET: Row = idempotency::GET_OBJECT_LOCK_CONFIGURATION;
}

impl Settable for ObjectLock {
    const PUT: Row = idempotency::PUT_OBJECT_LOCK_CONFIGURATION;
}

impl Root for Retention {
    const ROOT: &'static str = "Retention";
    const QUERY: &'static str = "retention";

    fn check(&self) -> Result<()> {
        match (&self.mode, self.until) {
            (Some(_), Some(until)) => crate::limits::retain_until(until, SystemTime::now()),
            (None, None) => Ok(()),
            (Some(_), None) => Err(Error::invalid("the retention has a mode and no end")),
            (None, Some(_)) => Err(Error::invalid("the retention has an end and no mode")),
        }
    }
}

impl Root for LegalHold {
    const ROOT: &'static str = "LegalHold";
    const QUERY: &'static str = "legal-hold";
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::testing::documents::{again, reads, round_trips};

    #[test]
    fn amazons_examples_are_read() {
        let lock: ObjectLock = reads(
            "<ObjectLockConfiguration xmlns='u'><ObjectLockEnabled>Enabled</ObjectLockEnabled><Rule><DefaultRetention>\
             <Mode>COMPLIANCE</Mode><Days>30</Days></DefaultRetention></Rule></ObjectLockConfiguration>",
        );
        assert_eq!(lock, ObjectLock::days(RetentionMode::Compliance, 30));
        let retention: Retention = reads(
            "<Retention><Mode>GOVERNANCE</Mode><RetainUntilDate>2031-02-01T00:00:00.000Z</RetainUntilDate></Retention>",
        );
        let until = SystemTime::UNIX_EPOCH + Duration::from_secs(1_927_670_400);
        assert_eq!(retention, (RetentionMode::Governance, until).into());
        let hold: LegalHold = reads("<LegalHold><Status>ON</Status></LegalHold>");
        assert!(hold.is_on() && hold == true.into());
    }

    #[test]
    fn all_make_the_round_trip() {
        round_trips::<LegalHold>();
        for lock in [
            ObjectLock::new(),
            ObjectLock::years(RetentionMode::Governance, 100),
            ObjectLock::days("LATER", 1),
        ] {
            assert_eq!(again(&lock), lock);
        }
        let until = SystemTime::UNIX_EPOCH + Duration::from_millis(95_617_584_000_123);
        let retention = Retention::from((RetentionMode::Compliance, until));
        for retention in [retention, Retention::new()] {
            assert_eq!(again(&retention), retention);
        }
    }

    #[test]
    fn limits() {
        let both = DefaultRetention::new().mode("X").days(2).years(3);
        for (lock, words) in [
            (
                ObjectLock::days(RetentionMode::Governance, 0),
                "0 days is not within 1 to 36500",
            ),
            (
                ObjectLock::years(RetentionMode::Governance, 101),
                "101 years",
            ),
            (
                ObjectLock::by_default(DefaultRetention::new().days(1)),
                "no mode",
            ),
            (
                ObjectLock::by_default(DefaultRetention::new().mode("X")),
                "neither",
            ),
            (ObjectLock::by_default(both), "both 2 days and 3 years"),
        ] {
            let error = lock.encode().unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        }
        let hour = Duration::from_secs(3600);
        let (past, future) = (SystemTime::now() - hour, SystemTime::now() + hour);
        for (retention, words) in [
            (
                Retention::from((RetentionMode::Governance, past)),
                "not in the future",
            ),
            (Retention::new().until(future), "no mode"),
            (Retention::new().mode("X"), "no end"),
        ] {
            let error = retention.encode().unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        }
    }
}
