//! Webhooks: who wants to hear of what, and what was told.

use super::events::{Effects, Event};
use super::git::Git;
use super::router::Route;
use super::table::AnyTable;
use super::world::World;

/// Everything that webhooks keep.
#[derive(Debug, Clone, Default)]
pub struct HooksState {}

impl HooksState {
    /// Every table there is.
    pub fn tables(&mut self) -> Vec<&mut dyn AnyTable> {
        Vec::new()
    }
}

/// The operations below `/api/v1`.
pub(crate) const ROUTES: &[Route] = &[];

/// Something happened; deliveries are queued here.
pub(crate) fn on_event(_world: &mut World, _git: &Git, _event: &Event, _effects: &mut Effects) {}

/// A repository goes: its hooks go with it.
pub(crate) fn forget_repository(_world: &mut World, _repo: i64) {}

/// An owner goes: its hooks go with it.
pub(crate) fn forget_owner(_world: &mut World, _owner: i64) {}
