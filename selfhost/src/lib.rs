//! From an empty node to a forge that maintains itself.

mod process;
pub mod runner;
mod wait;
