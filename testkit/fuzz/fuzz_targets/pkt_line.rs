//! Fuzzes what reads `pkt_line`.
#![no_main]

#[path = "../parsers.rs"]
mod parsers;

libfuzzer_sys::fuzz_target!(|data: &[u8]| parsers::parse("pkt_line", data));
