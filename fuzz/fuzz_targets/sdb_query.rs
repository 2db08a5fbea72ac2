//! Any bytes as the parts of a select expression: names, values, patterns and how they are joined.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| sdb_client::query::check::query(data));
