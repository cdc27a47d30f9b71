//! The native Actions runner: one program, no Node, no Docker.
//!
//! It speaks Gitea's runner protocol and carries jobs out on the host it runs on: `run:` steps,
//! composite actions of the repository, a built-in checkout, workflows of the same repository that
//! are called. What it does not do fails the step with a clear line.
//!
//! # Quirks
//! Where Gitea's own runner hurts its users this one does better, and a table of recorded runs
//! (`selfhost/tests/golden-runs.md`) shows each difference: an expression that fails is an error of
//! its step and no empty script; a stop in the middle of a job is never a success; `.*` works on
//! objects; the last line without a newline is kept; a timeout ends the whole process group, also
//! that of a job; secrets are hidden in their common encodings too; nothing of the daemon's
//! environment but `PATH` and the language reaches a job.

mod assignment;
mod command;
mod console;
mod daemon;
mod env_file;
mod event;
mod expression;
mod folders;
mod job;
mod journal;
mod lines;
mod mask;
mod progress;
pub mod registration;
mod report;
mod shell;
mod surroundings;
mod workflow;

pub use daemon::{Error, Order, Settings, run};
pub use event::{Event, Events};
pub use registration::Registration;
