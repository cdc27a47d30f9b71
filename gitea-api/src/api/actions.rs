//! Actions of a repository, an organisation, a user or the instance, behind one handle.
//!
//! Not every scope has everything: the instance has no secrets and variables, only repositories
//! have workflows, and a user's secrets cannot be listed. A call that a scope lacks fails before
//! it is sent.

pub mod dispatch;
pub mod jobs;
pub mod runners;
pub mod runs;
pub mod secrets;
pub mod variables;
pub mod workflows;

use crate::client::Client;
use crate::ids::Scope;
use crate::request::{Operation, Request};

/// Actions of a scope.
#[derive(Debug, Clone)]
pub struct Actions {
    pub(crate) client: Client,
    pub(crate) scope: Scope,
}

impl Actions {
    pub(crate) fn new(client: &Client, scope: Scope) -> Self {
        Self {
            client: client.clone(),
            scope,
        }
    }

    /// Whose they are.
    #[must_use]
    pub fn scope(&self) -> &Scope {
        &self.scope
    }

    /// A request in this scope; one that the scope lacks is refused when it is sent.
    pub(crate) fn request(&self, operation: &Operation) -> Request {
        let letter = match &self.scope {
            Scope::Repo(_) => 'r',
            Scope::Org(_) => 'o',
            Scope::Me => 'u',
            Scope::Admin => 'a',
        };
        let request = Request::scoped(operation, &self.scope);
        if operation.scopes.contains(letter) {
            return request;
        }
        request.lacking(format!("{} has no such call", self.scope))
    }
}
