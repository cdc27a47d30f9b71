//! Fuzzes the parser `fleet_local_toml`.
#![no_main]

#[path = "../parsers.rs"]
mod parsers;

libfuzzer_sys::fuzz_target!(|data: &[u8]| parsers::parse("fleet_local_toml", data));
