//! The handles, one file a branch of the upstream tree.

pub mod actions;
pub mod admin;
pub mod hooks;
pub mod orgs;
pub mod repos;
pub mod users;
pub mod version;

use crate::request::{Operation, Verb};

/// Every operation of Gitea's API that has a method.
const OPERATIONS: &[&[Operation]] = &[
    version::OPERATIONS,
    users::OPERATIONS,
    users::keys::OPERATIONS,
    users::settings::OPERATIONS,
    users::tokens::OPERATIONS,
    admin::OPERATIONS,
    orgs::OPERATIONS,
    orgs::teams::OPERATIONS,
    repos::OPERATIONS,
    repos::access::OPERATIONS,
    repos::branches::OPERATIONS,
    repos::commit::OPERATIONS,
    repos::commits::OPERATIONS,
    repos::contents::OPERATIONS,
    repos::deploy_keys::OPERATIONS,
    repos::objects::OPERATIONS,
    repos::releases::OPERATIONS,
    repos::statuses::OPERATIONS,
    repos::tags::OPERATIONS,
    hooks::OPERATIONS,
    actions::dispatch::OPERATIONS,
    actions::jobs::OPERATIONS,
    actions::runners::OPERATIONS,
    actions::runs::OPERATIONS,
    actions::secrets::OPERATIONS,
    actions::variables::OPERATIONS,
    actions::workflows::OPERATIONS,
];

/// Operations that no schema of Gitea up to 1.27 has: the runner protocol, Forgejo's, later ones.
const BESIDE: &[&[Operation]] = &[
    crate::runner::OPERATIONS,
    actions::runners::forgejo::OPERATIONS,
    actions::runs::later::OPERATIONS,
];

/// An endpoint that has a method in this crate.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub struct Endpoint {
    /// The path as upstream's schema writes it, below `/api/v1`.
    pub path: String,
    /// The method.
    pub verb: Verb,
    /// What it does.
    pub title: &'static str,
}

/// Every endpoint of Gitea's API that has a method here. Everything else is reached by a
/// [`Request`](crate::request::Request) made by hand.
#[must_use]
pub fn coverage() -> Vec<Endpoint> {
    endpoints(OPERATIONS)
}

/// Every endpoint with a method here that no schema of Gitea up to 1.27 has: the runner protocol,
/// and what only Forgejo or later versions have.
#[must_use]
pub fn beside_the_schema() -> Vec<Endpoint> {
    endpoints(BESIDE)
}

fn endpoints(operations: &[&[Operation]]) -> Vec<Endpoint> {
    let mut endpoints: Vec<_> = operations
        .iter()
        .copied()
        .flatten()
        .flat_map(expand)
        .collect();
    endpoints.sort();
    endpoints.dedup();
    endpoints
}

/// An operation as one endpoint for each of its scopes.
fn expand(operation: &Operation) -> Vec<Endpoint> {
    let endpoint = |prefix: &str| Endpoint {
        path: format!("{prefix}{}", operation.template).replace("{+", "{"),
        verb: operation.verb,
        title: operation.title,
    };
    if operation.scopes.is_empty() {
        return vec![endpoint("")];
    }
    let prefix = |letter| match letter {
        'r' => "/repos/{owner}/{repo}",
        'o' => "/orgs/{org}",
        'u' => "/user",
        _ => "/admin",
    };
    operation
        .scopes
        .chars()
        .map(|letter| endpoint(prefix(letter)))
        .collect()
}
