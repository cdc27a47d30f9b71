//! Typed async client for the Gitea and Forgejo API.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let server = testkit::forge::Forge::start().await?;
//! # let (address, token) = (server.url(), &*server.ready().root_token);
//! use gitea_api::api::orgs::CreateOrg;
//! use gitea_api::api::repos::CreateRepo;
//! use gitea_api::api::repos::contents::CommitOptions;
//! use gitea_api::{Auth, Client};
//!
//! let forge = Client::builder(address).auth(Auth::token(token)).build()?;
//! println!("this is {}", forge.probe().await?);
//!
//! forge.ensure_org(&CreateOrg::new("infra")).await?;
//! forge.org("infra").ensure_repo(&CreateRepo::new("deploy").private(true)).await?;
//! let repo = forge.repo("infra", "deploy");
//! let change = repo
//!     .commit(&CommitOptions::new().message("CI for the deploy scripts"))
//!     .put(".gitea/workflows/ci.yml", b"on: push\njobs: {}\n")
//!     .delete_if_exists("old.sh")
//!     .send()
//!     .await?;
//! assert!(change.is_change());
//! # Ok(())
//! # }
//! ```
//!
//! # The map
//! - [`Client`]: who asks which server, under which [trust](tls), within which bounds.
//! - [`api`]: handles and data, one file a branch of the upstream tree. Handles have short names
//!   (`Repo`, `Org`); data bears upstream's (`Repository`, `Organization`).
//! - [`request`]: a call before it is sent; also the way to endpoints that have no method here.
//! - [`List`]: lists that come in pages, as a page, a stream, or collected up to a bound.
//! - [`Error`]: what failed, of which kind, and whether it may have had an effect.
//! - [`server`]: Gitea or Forgejo, which version, and what that can do.
//! - [`runner`]: the runner protocol, the runner's side.
//! - [`webhook`]: are deliveries genuine, and what do they say.
//!
//! # Boundaries
//! This crate reads no environment and no configuration, prints nothing, follows no redirect with
//! a write, and sends credentials to no other origin than the one it was built for. Pull requests,
//! issues, protections, packages and artifacts have no methods yet.

pub mod api;
mod auth;
mod client;
mod ensure;
mod error;
pub mod ids;
mod page;
pub mod request;
mod response;
pub mod runner;
pub mod server;
mod transport;
mod wait;
pub mod webhook;
mod wire;

pub use auth::{Auth, Secret};
pub use client::{Client, ClientBuilder};
pub use ensure::Ensured;
pub use error::{Delivery, Error, ErrorKind, Result};
pub use ids::{RepoPath, Scope};
pub use page::{List, Page};
pub use response::Answer;
pub use transport::retry::RetryPolicy;
pub use transport::tls;
pub use wait::Patience;
pub use wire::Patch;
