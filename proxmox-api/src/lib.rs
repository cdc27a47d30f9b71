//! A typed async client of the Proxmox VE API.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let play = testkit::node::Node::start_memory().await?;
//! # let (url, token, shown) = (play.url(), play.root_token(), play.fingerprint());
//! use std::time::Duration;
//!
//! use proxmox_api::api::CreateContainer;
//! use proxmox_api::{Client, Tls};
//!
//! let pve = Client::builder(url)
//!     .token(token.parse()?)
//!     .tls(Tls::Pinned(shown.parse()?))
//!     .build()?;
//! let node = pve.node("pve1".parse()?);
//! let template = "local:vztmpl/debian-12-standard_12.7-1_amd64.tar.zst".parse()?;
//! let create = CreateContainer::new(105.try_into()?, template)
//!     .rootfs("local:8".parse()?)
//!     .net(0, "name=eth0,bridge=vmbr0,ip=dhcp".parse()?);
//! node.create_container(&create).await?.wait(Duration::from_secs(300)).await?;
//!
//! let container = node.container(105.try_into()?);
//! container.start().await?.wait(Duration::from_secs(60)).await?;
//! assert!(container.status().await?.is_running());
//! # Ok(()) }
//! ```
//!
//! | module | what it holds |
//! | --- | --- |
//! | [`api`] | handles and parameters, one file a branch of the upstream tree |
//! | [`ids`] | `Vmid`, `NodeName`, `Upid` and their kin |
//! | [`property`] | `net0=name=eth0,bridge=…` as structures |
//! | [`wire`] | sizes, decimals, tags, and `Patch` |
//! | [`task`] | waiting for long work, and following its log |
//!
//! What is not typed is reached with [`Client::call`]. An [`Error`] says what was being done, what
//! the server said, and whether the request reached it.
//!
//! This crate knows nothing of fleets and layers, reads no environment, prints nothing, and has
//! no features: TLS is rustls with ring.

pub mod api;
pub mod ids;
pub mod property;
pub mod task;
pub mod wire;

mod auth;
mod client;
mod error;
#[cfg(test)]
mod golden;
mod request;
mod response;
mod retry;
mod transport;
mod wait;

pub use auth::{ApiToken, SecondFactor, Secret, TfaChallenge, Ticket};
pub use client::{Client, ClientBuilder};
pub use error::{Delivery, Error, ErrorKind, TaskFailure};
pub use ids::{Digest, NodeName, PoolId, StorageId, TokenId, Upid, UserId, Vmid, VolumeId};
pub use request::{Method, Repeat};
pub use retry::RetryPolicy;
pub use task::{LogLine, Poll, Task, TaskOutcome, Wait};
pub use transport::{Fingerprint, ServerUrl, Tls};
pub use wire::Patch;
