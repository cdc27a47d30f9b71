//! Workflow files: from the text of a file to the jobs that a runner can be given.
//!
//! ```text
//!   text ──yaml──► nodes with places ──document──► Workflow
//!                                                     │ triggers × Event      does it start?
//!                                                     ▼
//!                     contexts ──expression──► plan: name, concurrency, jobs (matrix expanded)
//!                                                     │
//!                                                  payload: the YAML that a runner gets
//! ```
//!
//! All of it is a function of values: no clock, no store, no repository.
//! What is odd is odd on purpose: the recorded behaviour of Gitea 1.26 decides.

mod cron;
mod dispatch;
mod document;
mod expression;
mod glob;
mod interpolate;
mod matrix;
mod payload;
mod plan;
mod skip;
mod triggers;
mod yaml;

#[cfg(test)]
mod tests;

pub use cron::{Cron, CronError};
pub use dispatch::{DispatchError, Input, InputKind, InputsGiven, fill as fill_inputs};
pub use document::{Concurrency, Invalid, Job, Permissions, Step, Workflow};
pub use expression::{Contexts, EvaluationError};
pub use glob::{Pattern, PatternError};
pub use plan::{ConcurrencyGroup, PlannedJob, RunPlan, plan_run};
pub use skip::asks_to_be_skipped;
pub use triggers::{ChangedFiles, Event, PullRequestEvent, PushedRef, Triggers};
pub use yaml::Place;

/// Whether a file of that path can be a workflow: `.yml` or `.yaml`, in small letters, below
/// `.gitea/workflows` or `.github/workflows`.
#[must_use]
pub fn is_workflow_path(path: &str) -> bool {
    FOLDERS.iter().any(|folder| {
        path.strip_prefix(folder).is_some_and(|rest| {
            rest.starts_with('/') && (rest.ends_with(".yml") || rest.ends_with(".yaml"))
        })
    })
}

/// Where workflows are looked for: the first of these folders that exists, and only that.
pub const FOLDERS: [&str; 2] = [".gitea/workflows", ".github/workflows"];
