//! A Proxmox VE and a Gitea to test against: start one in a line, read what happened afterwards.

#[path = "process/blocking.rs"]
mod blocking;
pub mod doors;
#[cfg(feature = "server")]
pub mod forge;
pub mod gitea;
pub mod guests;
pub mod journal;
#[cfg(feature = "server")]
pub mod node;
#[cfg(feature = "server")]
pub mod process;
pub mod pve;

#[cfg(feature = "server")]
mod wait;
