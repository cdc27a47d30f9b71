//! From an empty node to a forge that maintains itself.

pub mod bootstrap;
pub mod forge;
pub mod doctor;
mod process;
pub mod runner;
pub mod upkeep;
mod wait;
