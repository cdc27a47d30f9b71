//! The Proxmox world: told golden stories, asked over the wire, and looked into.

mod client;
mod golden;
mod privileges;
mod seeds;
mod sim;
mod wire;
