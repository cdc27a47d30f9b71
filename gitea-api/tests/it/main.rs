//! What the client sends and understands, seen from outside.
#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot go on should say where"
)]

mod actions;
mod coverage;
mod forge;
mod page;
mod runner;
mod stories;
mod transport;
mod trust;
