//! Locks that keep versions of objects from removal.
//!
//! See [Object Lock](https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lock.html).

use std::time::{Duration, SystemTime};

use hyper::StatusCode;
use s3s::dto::{
    GetObjectLegalHoldInput, GetObjectLegalHoldOutput, GetObjectRetentionInput,
    GetObjectRetentionOutput, ObjectLockLegalHold, ObjectLockLegalHoldStatus, ObjectLockMode,
    ObjectLockRetention, ObjectLockRetentionMode, PutObjectLegalHoldInput,
    PutObjectLegalHoldOutput, PutObjectRetentionInput, PutObjectRetentionOutput, Timestamp,
};
use s3s::{S3Error, S3ErrorCode, S3Result, s3_error};

use crate::s3::config::route::error;
use crate::s3::config::schema::Node;
use crate::s3::model::error::malformed_xml;
use crate::s3::model::store::{Settings, Store};
use crate::s3::model::versions::{Objects, Status};

const DAY: u64 = 86_400;

/// Who can end a retention before its time: who says so, or nobody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Governance,
    Compliance,
}

impl Mode {
    fn new(name: &str) -> S3Result<Self> {
        match name {
            ObjectLockMode::GOVERNANCE => Ok(Self::Governance),
            ObjectLockMode::COMPLIANCE => Ok(Self::Compliance),
            _ => Err(s3_error!(InvalidArgument, "Unknown wormMode directive.")),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Governance => ObjectLockMode::GOVERNANCE,
            Self::Compliance => ObjectLockMode::COMPLIANCE,
        }
    }
}

/// What keeps a version of an object.
#[derive(Clone, Debug, Default)]
pub(in crate::s3) struct Lock {
    retention: Option<(Mode, Timestamp)>,
    hold: Option<bool>,
}

/// That objects of a bucket can be locked, and how they are that do not say it.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::s3) struct BucketLock(Option<(Mode, Duration)>);

impl Lock {
    /// What the header fields of a request say.
    pub(in crate::s3) fn new(
        mode: Option<&str>,
        until: Option<Timestamp>,
        hold: Option<&str>,
    ) -> S3Result<Self> {
        let retention = match (mode, until) {
            (None, None) => None,
            (Some(mode), Some(until)) => Some((Mode::new(mode)?, future(until)?)),
            _ => {
                return Err(s3_error!(
                    InvalidArgument,
                    "x-amz-object-lock-retain-until-date and x-amz-object-lock-mode must both be supplied"
                ));
            }
        };
        let hold = hold.map(is_on).transpose()?;
        Ok(Self { retention, hold })
    }

    /// Makes a lock of what was kept of it, whose time may be over; nothing if there is no such mode.
    pub(in crate::s3) fn kept(
        mode: Option<&str>,
        until: Option<SystemTime>,
        hold: Option<bool>,
    ) -> Option<Self> {
        let retention = match (mode, until) {
            (None, None) => None,
            (Some(mode), Some(until)) => Some((Mode::new(mode).ok()?, Timestamp::from(until))),
            _ => return None,
        };
        Some(Self { retention, hold })
    }

    /// Says whether it is held, if that was said.
    pub(in crate::s3) fn is_held(&self) -> Option<bool> {
        self.hold
    }

    fn is_given(&self) -> bool {
        self.retention.is_some() || self.hold.is_some()
    }

    /// Lets a removal pass, or does not.
    pub(in crate::s3) fn check_removal(&self, bypass: bool) -> S3Result<()> {
        let denied = Err(s3_error!(
            AccessDenied,
            "Access Denied because object protected by object lock."
        ));
        if self.hold == Some(true) {
            return denied;
        }
        match &self.retention {
            Some((mode, until)) if *until > Timestamp::from(SystemTime::now()) => {
                if bypass && *mode == Mode::Governance {
                    Ok(())
                } else {
                    denied
                }
            }
            _ => Ok(()),
        }
    }

    pub(in crate::s3) fn mode(&self) -> Option<ObjectLockMode> {
        let (mode, _) = self.retention.as_ref()?;
        Some(ObjectLockMode::from_static(mode.name()))
    }

    pub(in crate::s3) fn until(&self) -> Option<Timestamp> {
        self.retention.as_ref().map(|(_, until)| until.clone())
    }

    pub(in crate::s3) fn hold(&self) -> Option<ObjectLockLegalHoldStatus> {
        self.hold
            .map(|on| ObjectLockLegalHoldStatus::from_static(hold_name(on)))
    }

    fn retain(&mut self, wanted: Option<(Mode, Timestamp)>, bypass: bool) -> S3Result<()> {
        let now = Timestamp::from(SystemTime::now());
        if let Some((mode, until)) = self.retention.as_ref().filter(|(_, until)| *until > now) {
            // Longer is all that it may become, and not of another mode:
            // https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lock.html#object-lock-retention-modes
            let longer = match &wanted {
                Some((other, later)) => other == mode && later >= until,
                None => false,
            };
            let may = bypass && *mode == Mode::Governance;
            if !longer && !may {
                return Err(s3_error!(
                    AccessDenied,
                    "Access Denied because object protected by object lock."
                ));
            }
        }
        self.retention = wanted;
        Ok(())
    }
}

fn future(until: Timestamp) -> S3Result<Timestamp> {
    if until > Timestamp::from(SystemTime::now()) {
        return Ok(until);
    }
    Err(s3_error!(
        InvalidArgument,
        "The retain until date must be in the future!"
    ))
}

fn is_on(status: &str) -> S3Result<bool> {
    match status {
        ObjectLockLegalHoldStatus::ON => Ok(true),
        ObjectLockLegalHoldStatus::OFF => Ok(false),
        _ => Err(s3_error!(
            InvalidArgument,
            "Legal Hold must be either of 'ON' or 'OFF'"
        )),
    }
}

fn hold_name(on: bool) -> &'static str {
    if on {
        ObjectLockLegalHoldStatus::ON
    } else {
        ObjectLockLegalHoldStatus::OFF
    }
}

fn unlocked() -> S3Error {
    s3_error!(
        InvalidRequest,
        "Bucket is missing Object Lock Configuration"
    )
}

impl Objects {
    /// How a new object is locked, of which this was said.
    pub(in crate::s3) fn lock_of(&self, given: Lock) -> S3Result<Lock> {
        match &self.lock {
            None if given.is_given() => Err(unlocked()),
            None => Ok(given),
            Some(BucketLock(default)) => {
                let now = SystemTime::now();
                let usual = default.map(|(mode, time)| (mode, Timestamp::from(now + time)));
                Ok(Lock {
                    retention: given.retention.or(usual),
                    hold: given.hold,
                })
            }
        }
    }

    /// Refuses an upload that carries no digest of its body and would be locked, by what it says or by the default
    /// of the bucket; `action` is how S3 names the request.
    ///
    /// [PutObject](https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html): "The Content-MD5 or
    /// x-amz-sdk-checksum-algorithm header is required for any request to upload an object with a retention period
    /// configured using Amazon S3 Object Lock."
    pub(in crate::s3) fn check_undigested(&self, given: &Lock, action: &str) -> S3Result<()> {
        let by_default = matches!(self.lock, Some(BucketLock(Some(_))));
        if !by_default && !given.is_given() {
            return Ok(());
        }
        Err(s3_error!(
            InvalidRequest,
            "Content-MD5 OR x-amz-checksum- HTTP header is required for {action} requests with Object Lock parameters"
        ))
    }
}

impl Settings {
    /// Takes in the configuration of the bucket.
    pub(in crate::s3) fn set_lock(&mut self, document: &Node) -> S3Result<()> {
        if self.status != Some(Status::Enabled) {
            return Err(error(
                StatusCode::CONFLICT,
                "InvalidBucketState",
                "Versioning must be 'Enabled' on the bucket to apply a Object Lock configuration",
            ));
        }
        let retention = document
            .child("Rule")
            .and_then(|rule| rule.child("DefaultRetention"));
        let default = match retention {
            None => None,
            Some(retention) => {
                let number = |name| retention.text_of(name).trim().parse::<u64>().ok();
                let days = match (number("Days"), number("Years")) {
                    (Some(days @ 1..=36_500), None) => days,
                    (None, Some(years @ 1..=100)) => years * 365,
                    _ => return Err(malformed_xml()),
                };
                let mode = Mode::new(retention.text_of("Mode").trim())?;
                Some((mode, Duration::from_secs(days * DAY)))
            }
        };
        self.lock = Some(BucketLock(default));
        Ok(())
    }
}

fn none_there() -> S3Error {
    S3Error::with_message(
        S3ErrorCode::NoSuchObjectLockConfiguration,
        "The specified object does not have a ObjectLock configuration",
    )
}

/// The lock of a version, in a bucket that has locks.
fn find(store: &Store, (bucket, key): (&str, &str), version: Option<&str>) -> S3Result<Lock> {
    store.within(bucket, |bucket| {
        let objects = bucket.read();
        objects.lock.ok_or_else(unlocked)?;
        Ok(objects.find(key, version)?.0.headers.lock.clone())
    })
}

fn change(
    store: &Store,
    (name, key): (&str, &str),
    version: Option<&str>,
    act: impl FnOnce(&mut Lock) -> S3Result<()>,
) -> S3Result<()> {
    store.within(name, |bucket| {
        let mut objects = bucket.write();
        objects.lock.ok_or_else(unlocked)?;
        let pen = store.pen(name);
        objects.change(pen, key, version, |object| act(&mut object.headers.lock))?;
        Ok(())
    })
}

pub(in crate::s3) fn get_retention(
    store: &Store,
    input: &GetObjectRetentionInput,
) -> S3Result<GetObjectRetentionOutput> {
    let version = input.version_id.as_deref();
    let lock = find(store, (&input.bucket, &input.key), version)?;
    let (mode, until) = lock.retention.ok_or_else(none_there)?;
    Ok(GetObjectRetentionOutput {
        retention: Some(ObjectLockRetention {
            mode: Some(ObjectLockRetentionMode::from_static(mode.name())),
            retain_until_date: Some(until),
        }),
    })
}

pub(in crate::s3) fn put_retention(
    store: &Store,
    input: &PutObjectRetentionInput,
) -> S3Result<PutObjectRetentionOutput> {
    let given = input.retention.as_ref();
    let mode = given.and_then(|given| given.mode.as_ref());
    let until = given.and_then(|given| given.retain_until_date.clone());
    let wanted = match (mode, until) {
        (None, None) => None,
        (Some(mode), Some(until)) => {
            let mode = Mode::new(mode.as_str()).map_err(|_| malformed_xml())?;
            Some((mode, future(until)?))
        }
        _ => return Err(malformed_xml()),
    };
    let bypass = input.bypass_governance_retention.unwrap_or(false);
    let version = input.version_id.as_deref();
    change(store, (&input.bucket, &input.key), version, |lock| {
        lock.retain(wanted, bypass)
    })?;
    Ok(PutObjectRetentionOutput::default())
}

pub(in crate::s3) fn get_hold(
    store: &Store,
    input: &GetObjectLegalHoldInput,
) -> S3Result<GetObjectLegalHoldOutput> {
    let version = input.version_id.as_deref();
    let lock = find(store, (&input.bucket, &input.key), version)?;
    let status = lock.hold().ok_or_else(none_there)?;
    Ok(GetObjectLegalHoldOutput {
        legal_hold: Some(ObjectLockLegalHold {
            status: Some(status),
        }),
    })
}

pub(in crate::s3) fn put_hold(
    store: &Store,
    input: &PutObjectLegalHoldInput,
) -> S3Result<PutObjectLegalHoldOutput> {
    let status = input.legal_hold.as_ref();
    let status = status.and_then(|hold| hold.status.as_ref());
    let on = is_on(status.ok_or_else(malformed_xml)?.as_str()).map_err(|_| malformed_xml())?;
    let version = input.version_id.as_deref();
    change(store, (&input.bucket, &input.key), version, |lock| {
        lock.hold = Some(on);
        Ok(())
    })?;
    Ok(PutObjectLegalHoldOutput::default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        let second = Duration::from_secs(seconds.unsigned_abs());
        let now = SystemTime::now();
        Timestamp::from(if seconds < 0 {
            now - second
        } else {
            now + second
        })
    }

    #[test]
    fn modes_differ_in_who_can_end_them() {
        let lock = |mode, seconds| Lock {
            retention: Some((mode, at(seconds))),
            hold: None,
        };
        for (lock, plain, bypass) in [
            (lock(Mode::Governance, 99), false, true),
            (lock(Mode::Compliance, 99), false, false),
            (lock(Mode::Compliance, -9), true, true),
            (Lock::default(), true, true),
            (
                Lock {
                    hold: Some(true),
                    ..lock(Mode::Governance, -9)
                },
                false,
                false,
            ),
        ] {
            assert_eq!(lock.check_removal(false).is_ok(), plain, "{lock:?}");
            assert_eq!(lock.check_removal(true).is_ok(), bypass, "{lock:?}");
        }
        let retain = |mode, seconds, wanted, bypass| {
            let mut lock = lock(mode, seconds);
            lock.retain(wanted, bypass).is_ok()
        };
        use Mode::{Compliance, Governance};
        assert!(retain(Governance, 50, Some((Governance, at(99))), false));
        assert!(!retain(Governance, 50, Some((Compliance, at(99))), false));
        assert!(retain(Governance, 50, Some((Compliance, at(99))), true));
        assert!(!retain(Governance, 50, Some((Governance, at(9))), false));
        assert!(!retain(Governance, 50, None, false) && retain(Governance, 50, None, true));
        assert!(!retain(Compliance, 50, None, true));
        assert!(!retain(Compliance, 50, Some((Governance, at(99))), true));
        assert!(retain(Compliance, 50, Some((Compliance, at(99))), false));
    }

    #[test]
    fn what_is_given_has_to_fit() {
        for (mode, until, hold) in [
            (Some("GOVERNANCE"), None, None),
            (None, Some(at(9)), None),
            (Some("X"), Some(at(9)), None),
            (Some("GOVERNANCE"), Some(at(-9)), None),
            (None, None, Some("on")),
        ] {
            assert!(Lock::new(mode, until, hold).is_err());
        }
        assert!(Lock::new(Some("COMPLIANCE"), Some(at(9)), Some("ON")).is_ok());
    }
}
