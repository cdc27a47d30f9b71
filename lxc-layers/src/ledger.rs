//! What outlives a run on our side: its journal, and the lock by which two runs do not meet.
//!
//! What was applied stands on the guest itself, in its marker; nothing here is needed to plan.

mod holder;
pub mod journal;
mod lines;
pub mod lock;

pub use holder::Holder;
pub use journal::{Effect, Entry, Journal, Provenance, Record};
pub use lines::Lines;
pub use lock::Lock;
