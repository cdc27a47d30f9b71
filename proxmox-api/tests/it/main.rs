//! Conversations of the real client: with servers that say what they are told to, and with a
//! simulated Proxmox VE.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod access;
mod auth;
mod cluster;
mod lxc;
mod nodes;
mod script;
mod storage;
mod task;
mod tls;
mod transport;
mod world;
