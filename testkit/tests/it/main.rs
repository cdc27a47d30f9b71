//! The simulators as their users meet them, and the rules of this repository.
#![expect(
    clippy::unwrap_used,
    reason = "a test may stop at the first thing that is missing"
)]

mod corpus;
#[cfg(feature = "server")]
mod gitea;
#[cfg(feature = "server")]
mod lxc;
#[cfg(feature = "sim")]
mod pve;
mod tidy;
