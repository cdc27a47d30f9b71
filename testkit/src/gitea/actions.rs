//! Actions: workflows, runs, jobs, secrets and variables.
//!
//! ```text
//!   event ──start──► run, jobs ──progress──► ready ──runners──► task ──► outcome ──progress──► …
//!                        │                                                  │
//!                        └────────── statuses, webhooks ◄───────────────────┘
//! ```
//!
//! `progress` alone changes how far something is, so that every change is followed by what depends
//! on it within the same change of the world: whoever sees a job done sees its dependents ready.

use super::events::{Effects, Event};
use super::git::Git;
use super::table::{AnyTable, Table};
use super::world::World;

mod api;
mod begin;
mod context;
mod event;
pub(crate) mod faces;
mod payload;
mod progress;
mod row;
mod schedule;
mod scope;
mod settings;
mod statuses;
mod timekeeper;
mod token;
mod vault;
mod views;

#[cfg(test)]
pub(crate) mod stage;
#[cfg(test)]
mod tests;

pub(crate) use api::{ScopePlace, TABLES, in_scope, scope_of};
pub(crate) use begin::WorkflowFile;
pub(crate) use context::task_message;
pub(crate) use event::ref_payload;
pub(crate) use payload::{push_payload, test_payload};
pub(crate) use progress::{GivenOut, end_task, give_again, give_out, next_job, report_again};
pub(crate) use token::doer_of_job_token;
pub(crate) use views::{job_view, run_view, workflow_view};

pub use row::{
    Disabled, Job, LogChunk, LogLine, Output, Queued, Run, Schedule, Status, StepRecord, Task,
};
pub use schedule::next_due;
pub use scope::Scope;
pub use settings::{Secret, Variable};
#[cfg(feature = "server")]
pub use timekeeper::keep_time_forever;
pub use vault::{Sealed, VaultKey};

/// Everything that Actions keep.
#[derive(Debug, Clone)]
pub struct ActionsState {
    /// Runs.
    pub runs: Table<Run>,
    /// Jobs of runs.
    pub jobs: Table<Job>,
    /// Jobs that a runner may have now.
    pub queue: Table<Queued>,
    /// Attempts at jobs.
    pub tasks: Table<Task>,
    /// Outputs of tasks.
    pub outputs: Table<Output>,
    /// Logs of tasks.
    pub logs: Table<LogChunk>,
    /// Workflows that are switched off.
    pub disabled: Table<Disabled>,
    /// Workflows that run by the clock.
    pub schedules: Table<Schedule>,
    /// Secrets.
    pub secrets: Table<Secret>,
    /// Variables.
    pub variables: Table<Variable>,
    /// Runners and what is known of them.
    pub runners: super::runners::RunnersState,
    /// What opens the secrets.
    pub key: VaultKey,
}

impl Default for ActionsState {
    fn default() -> Self {
        Self {
            runs: Table::default(),
            jobs: Table::default(),
            queue: Table::default(),
            tasks: Table::default(),
            outputs: Table::default(),
            logs: Table::default(),
            disabled: Table::default(),
            schedules: Table::default(),
            secrets: Table::default(),
            variables: Table::default(),
            runners: super::runners::RunnersState::default(),
            key: VaultKey::from([0; 32]),
        }
    }
}

impl ActionsState {
    /// Every table there is.
    pub fn tables(&mut self) -> Vec<&mut dyn AnyTable> {
        let mut tables: Vec<&mut dyn AnyTable> = vec![
            &mut self.runs,
            &mut self.jobs,
            &mut self.queue,
            &mut self.tasks,
            &mut self.outputs,
            &mut self.logs,
            &mut self.disabled,
            &mut self.schedules,
            &mut self.secrets,
            &mut self.variables,
        ];
        tables.extend(self.runners.tables());
        tables
    }
}

/// Something happened; new runs are made here.
pub(crate) fn on_event(world: &mut World, git: &Git, event: &Event, effects: &mut Effects) {
    event::on_event(world, git, event, effects);
}

/// A repository goes: its runs, secrets and variables go with it, and nobody waits for them.
pub(crate) fn forget_repository(world: &mut World, repo: i64) {
    let runs: Vec<i64> = world.actions.runs.of(repo).map(|(id, _)| id).collect();
    for run in runs {
        forget_run(world, run);
    }
    let actions = &mut world.actions;
    actions.disabled.remove_group(repo);
    actions.schedules.remove_group(repo);
    forget_scope(world, Scope::Repo(repo));
}

/// An owner goes: its runners, secrets and variables go with it.
pub(crate) fn forget_owner(world: &mut World, owner: i64) {
    forget_scope(world, Scope::Owner(owner));
}

fn forget_scope(world: &mut World, scope: Scope) {
    let actions = &mut world.actions;
    let secrets: Vec<i64> = ids_of(&actions.secrets, |row| row.scope == scope);
    secrets
        .into_iter()
        .for_each(|id| drop(actions.secrets.remove(id)));
    let variables: Vec<i64> = ids_of(&actions.variables, |row| row.scope == scope);
    variables
        .into_iter()
        .for_each(|id| drop(actions.variables.remove(id)));
    actions.runners.forget_scope(scope);
}

fn ids_of<T: super::table::Row>(table: &Table<T>, which: impl Fn(&T) -> bool) -> Vec<i64> {
    table
        .iter()
        .filter(|(_, row)| which(row))
        .map(|(id, _)| id)
        .collect()
}

/// A run goes with everything that belongs to it.
pub(crate) fn forget_run(world: &mut World, run: i64) {
    let actions = &mut world.actions;
    let tasks: Vec<i64> = actions.tasks.of(run).map(|(id, _)| id).collect();
    for task in tasks {
        actions.outputs.remove_group(task);
        actions.logs.remove_group(task);
        actions.tasks.remove(task);
    }
    let jobs: Vec<i64> = actions.jobs.of(run).map(|(id, _)| id).collect();
    for job in jobs {
        if let Some(queued) = actions.queue.find_id(&job.to_string()) {
            actions.queue.remove(queued);
        }
        actions.jobs.remove(job);
    }
    actions.runs.remove(run);
}
