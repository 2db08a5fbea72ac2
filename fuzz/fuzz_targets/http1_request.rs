//! Any bytes as the parts of a request: method, target, body and header fields.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| pipeline_pool::http1::check::request(data));
