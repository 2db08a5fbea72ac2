//! Benchmarks beside the peers.
//!
//! In scope: what a request costs the client, how many get through, and how long they take, on
//! servers written for it and on real ones. Not in scope: whether a client is correct.
//!
//! ```
//! use benches::ratio::Ratio;
//!
//! // Requests per second of two clients, measured in turns.
//! let ratio = Ratio::of(&[80.0, 82.0, 79.0, 81.0], &[40.0, 41.0, 40.0, 39.0]);
//! assert!(ratio.median > 1.9 && ratio.low <= ratio.median);
//! ```

pub mod burst;
pub mod child;
pub mod client;
pub mod clients;
pub mod goal;
pub mod jobs;
pub mod keys;
pub mod load;
pub mod machine;
pub mod memcached;
pub mod progress;
pub mod ratio;
pub mod report;
pub mod scenario;
pub mod server;
pub mod tls;
pub mod turns;

/// Why something could not be measured.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;
