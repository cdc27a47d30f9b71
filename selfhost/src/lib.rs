//! From an empty node to a forge that maintains itself.

pub mod bootstrap;
pub mod doctor;
pub mod forge;
mod process;
pub mod runner;
pub mod upkeep;
mod wait;
