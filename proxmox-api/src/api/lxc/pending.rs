//! What waits for a restart.

use serde::Deserialize;

use crate::wire::{Patch, lax};

/// One setting with its present value and what it will become.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct PendingSetting {
    /// Name of the setting.
    pub key: String,
    /// The value in force.
    #[serde(default, deserialize_with = "lax")]
    pub value: Option<String>,
    /// The value that waits, if there is one.
    #[serde(default, deserialize_with = "lax")]
    pub pending: Option<String>,
    /// 1 if the removal waits, 2 if it is to be forced.
    #[serde(default, deserialize_with = "lax")]
    delete: Option<u32>,
}

impl PendingSetting {
    /// What happens to the setting at the next start.
    #[must_use]
    pub fn change(&self) -> Patch<&str> {
        match (&self.pending, self.delete) {
            (_, Some(1..)) => Patch::Delete,
            (Some(value), _) => Patch::Set(value),
            (None, _) => Patch::Keep,
        }
    }

    /// Whether anything waits.
    #[must_use]
    pub fn is_pending(&self) -> bool {
        self.change() != Patch::Keep
    }
}
