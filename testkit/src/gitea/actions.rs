//! Actions: workflows, runs, jobs, runners, secrets and variables.

use super::access::Doer;
use super::events::{Effects, Event};
use super::git::Git;
use super::router::Route;
use super::table::AnyTable;
use super::world::World;

/// Everything that Actions keep.
#[derive(Debug, Clone, Default)]
pub struct ActionsState {}

impl ActionsState {
    /// Every table there is.
    pub fn tables(&mut self) -> Vec<&mut dyn AnyTable> {
        Vec::new()
    }
}

/// The operations below `/api/v1`.
pub(crate) const ROUTES: &[Route] = &[];

/// Something happened; new runs are made here.
pub(crate) fn on_event(_world: &mut World, _git: &Git, _event: &Event, _effects: &mut Effects) {}

/// A repository goes: its runs, secrets and variables go with it.
pub(crate) fn forget_repository(_world: &mut World, _repo: i64) {}

/// An owner goes: its runners, secrets and variables go with it.
pub(crate) fn forget_owner(_world: &mut World, _owner: i64) {}

/// The doer of a running job's token, if it is one.
pub(crate) fn doer_of_job_token(_world: &World, _token: &str) -> Option<Doer> {
    None
}
