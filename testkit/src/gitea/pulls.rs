//! Pull requests.

use super::world::World;

/// The number of the open pull request of a branch.
#[must_use]
pub fn open_of_branch(_world: &World, _repo: i64, _branch: &str) -> Option<i64> {
    None
}
