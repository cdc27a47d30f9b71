//! Fuzzes the parser `fleet_toml`.
#![no_main]

#[path = "../parsers.rs"]
mod parsers;

libfuzzer_sys::fuzz_target!(|data: &[u8]| parsers::parse("fleet_toml", data));
