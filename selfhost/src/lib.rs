//! From an empty node to a forge that maintains itself.

pub mod bootstrap;
pub mod forge;
mod process;
pub mod runner;
mod wait;
