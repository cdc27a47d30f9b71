//! The binary, as its users run it: standard output, standard error, exit code.
#![expect(
    clippy::unwrap_used,
    reason = "a test may stop at the first thing that is missing"
)]

mod shell;
mod support;
