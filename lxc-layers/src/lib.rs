//! What a container should be, what must be done, and doing it.
//!
//! | this side decides (pure, synchronous) | this side acts (through the seams) |
//! | --- | --- |
//! | [`spec`]: the written form of a fleet, with a place for every value | `observe`: a few reads of the world, an [`plan::Observed`] |
//! | [`resolve`]: container-init, from files to [`resolve::Desired`] | `execute`: a [`plan::Plan`] done, an event for each step |
//! | [`plan`]: desired × observed, a [`plan::Plan`] that prints and hashes | `host`, `guest`, `provision`: the seams and what stands behind them |
//!
//! Problems of the written form are [`diagnostic::Diagnostic`]s: values with a place and a remedy,
//! reported all at once. This crate knows nothing of Git services and reads no environment.

pub mod checkout;
pub mod diagnostic;
pub mod event;
pub mod execute;
pub mod guest;
pub mod host;
pub mod ledger;
pub mod local;
pub mod observe;
pub mod plan;
pub mod process;
pub mod provision;
pub mod redact;
pub mod resolve;
pub mod spec;
mod wait;
