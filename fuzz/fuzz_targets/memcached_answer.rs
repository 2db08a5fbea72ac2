//! Any bytes as the answers of a memcached server; the first five say to which commands, and where the
//! bytes are cut.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| cache_layer::memcached::check::answers(data));
