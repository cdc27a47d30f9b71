//! What the client sends and understands, seen from outside.
#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot go on should say where"
)]

mod actions;
mod conversation;
mod coverage;
mod forge;
mod older;
mod page;
mod process;
mod releases;
mod runner;
mod stories;
mod transport;
mod trust;
mod work;
