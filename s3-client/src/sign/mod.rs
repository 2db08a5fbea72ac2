//! How requests are signed: by which version, for which region, and how a client finds that out.
//!
//! | file | what it knows |
//! |---|---|
//! | `signature` | what the builder is told |
//! | `hosts` | the stores whose host tells it |
//! | `refusal` | the words by which a store refuses a version or a region |
//! | `agreement` | what follows from a refusal, and what is known |
//! | `first` | which request goes first while nothing is known |
//! | `signer` | the signatures themselves |

pub(crate) mod agreement;
pub(crate) mod first;
pub(crate) mod hosts;
pub(crate) mod refusal;
mod signature;
mod signer;

pub use self::signature::Signature;
pub(crate) use self::signature::is_region;
pub(crate) use self::signer::{Framing, Signer, Unsigned};
