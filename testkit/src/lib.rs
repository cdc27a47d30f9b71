//! A Proxmox VE and a Gitea to test against: start one in a line, read what happened afterwards.

pub mod guests;
#[cfg(feature = "server")]
pub mod process;

#[cfg(feature = "server")]
pub mod forge;
pub mod gitea;
#[cfg(feature = "server")]
mod wait;
