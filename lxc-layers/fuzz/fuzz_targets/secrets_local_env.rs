//! Fuzzes the parser `secrets_local_env`.
#![no_main]

#[path = "../parsers.rs"]
mod parsers;

libfuzzer_sys::fuzz_target!(|data: &[u8]| parsers::parse("secrets_local_env", data));
