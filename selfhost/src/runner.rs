//! The native Actions runner: one program, no Node, no Docker.
//!
//! It speaks Gitea's runner protocol and carries jobs out on the host it runs on: `run:` steps,
//! composite actions of the repository, a built-in checkout, workflows of the same repository that
//! are called. What it does not do fails the step with a clear line.
//!
//! # What is written down
//! Everything that happens to a job goes into a journal below the work folder before it is
//! reported: beginnings, ends, rows with their secrets hidden, outputs. The server has
//! acknowledged what is taken out of it. So a kill, a loss of power and a long absence of the server
//! cost nothing but time: the next start tells a result that was there, reports a job that was cut
//! short as failed, and begins nothing again by itself.
//!
//! # What it asks of a server
//! Nothing beyond the protocol. A server that understands two headers more, as ours does, serves it
//! better: `Prefer: wait` (the answer comes when there is a job, so that a job begins at once and an
//! idle runner does nothing), and the place from which it asks with the tasks it holds (a task whose
//! answer was lost is given again, to that place alone).
//!
//! # Where it is better than Gitea's own runner
//! A table of recorded runs (`selfhost/tests/golden-runs.md`) shows each difference and why:
//! - an expression that fails is an error of its step, and no empty script that succeeds;
//! - a stop in the middle of a job is never a success, and a kill is known at the next start;
//! - a result outlasts a server that is away, and the runner starts before its server;
//! - `.*` works on objects, so `contains(needs.*.result, 'failure')` means what it says;
//! - the last line without a newline is kept;
//! - a timeout ends the whole process group, also that of a job, and nothing outlives its job;
//! - secrets are hidden in their common encodings too, before anything is kept or sent;
//! - nothing of the daemon's environment but `PATH` and the language reaches a job, and each has a
//!   home of its own;
//! - called workflows have matrices and call others.
//!
//! `selfhost/benches/runner.rs` measures it beside the real pair.

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

pub use daemon::{Error, MINUTE, Order, Settings, run};
pub use event::{Event, Events};
pub use registration::Registration;
