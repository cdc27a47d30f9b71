//! The ways into a Proxmox world: mounted on a `wiremock` server, or a TLS server of our own.
//!
//! Both doors meet the world at a [`Desk`]: one lock, the machine's clock, the journal.

pub use self::desk::Desk;

mod desk;
mod multipart;
#[cfg(feature = "server")]
pub mod server;
#[cfg(feature = "wiremock")]
pub mod wiremock;
