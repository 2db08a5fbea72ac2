//! The settings of the EC2 half.

use std::path::PathBuf;

/// What the EC2 half of an emulator does differently: for [`Builder::ec2`](crate::Builder::ec2).
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct Ec2Options {
    pub(super) file: Option<PathBuf>,
    pub(super) throttle: bool,
    pub(super) refuse_v2: bool,
}

impl Ec2Options {
    /// Takes the instances from this file, in one of the forms of [`Ec2Table`](crate::Ec2Table), and reads it again when
    /// it has changed; one that makes no sense later changes nothing. Defaults to none, and no instances.
    pub fn file(mut self, path: impl Into<PathBuf>) -> Self {
        self.file = Some(path.into());
        self
    }

    /// Refuses requests beyond Amazon's limits with 503 `RequestLimitExceeded`: 100 at once and 20 more a second with a
    /// filter or a page size, 50 and 10 without. Defaults to no.
    pub fn throttle(mut self, yes: bool) -> Self {
        self.throttle = yes;
        self
    }

    /// Answers Signature Version 2 with `AuthFailure`, as regions do that were opened after January 2014. Defaults to no.
    pub fn refuse_v2(mut self, yes: bool) -> Self {
        self.refuse_v2 = yes;
        self
    }
}
