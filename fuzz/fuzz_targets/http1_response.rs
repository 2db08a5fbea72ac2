//! Any bytes as the answers of one connection; the first byte says which requests were HEAD, the
//! second where the bytes are cut.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| pipeline_pool::http1::check::response(data));
