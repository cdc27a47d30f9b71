//! Access tokens and their scopes.
//!
//! # Quirks
//! - The server wants name and password for these calls: a token in the header is refused.
//! - A token is shown once, in the answer that made it.
//! - A name of digits alone is taken for a number when a token is deleted.
//! - A name taken already is a 400.

use jiff::Timestamp;

use crate::api::users::{Account, Me};
use crate::auth::Secret;
use crate::client::Client;
use crate::ensure::Ensured;
use crate::error::Result;
use crate::ids::TokenId;
use crate::page::List;
use crate::request::{Operation, Request, operations};
use crate::server::Capability;
use crate::wire::{model, params, words};

operations! {
    LIST_TOKENS = Operation::get("/users/{username}/tokens", "list access tokens");
    CREATE_TOKEN = Operation::post("/users/{username}/tokens", "create access token");
    GET_OWN = Operation::get("/token", "get the token in use").needs(Capability::TokenInfo);
    DELETE_OWN = Operation::delete("/token", "revoke the token in use").needs(Capability::TokenInfo);
    DELETE_TOKEN = Operation::delete("/users/{username}/tokens/{token}", "delete access token");
}

words! {
    /// What a token is for.
    pub enum TokenScope {
        /// Everything.
        All = "all",
        /// Only what is public, whatever else it has.
        PublicOnly = "public-only",
        /// Federation, reading.
        ReadActivitypub = "read:activitypub",
        /// Federation.
        WriteActivitypub = "write:activitypub",
        /// Administration, reading.
        ReadAdmin = "read:admin",
        /// Administration.
        WriteAdmin = "write:admin",
        /// Templates and the like, reading.
        ReadMisc = "read:misc",
        /// Templates and the like.
        WriteMisc = "write:misc",
        /// Notifications, reading.
        ReadNotification = "read:notification",
        /// Notifications.
        WriteNotification = "write:notification",
        /// Organisations and teams, reading.
        ReadOrganization = "read:organization",
        /// Organisations and teams.
        WriteOrganization = "write:organization",
        /// Packages, reading.
        ReadPackage = "read:package",
        /// Packages.
        WritePackage = "write:package",
        /// Issues and pull requests, reading.
        ReadIssue = "read:issue",
        /// Issues and pull requests.
        WriteIssue = "write:issue",
        /// Repositories, reading.
        ReadRepository = "read:repository",
        /// Repositories.
        WriteRepository = "write:repository",
        /// The user, reading.
        ReadUser = "read:user",
        /// The user.
        WriteUser = "write:user",
    }
}

model! {
    /// An access token.
    pub struct AccessToken {
        /// The number.
        pub id: TokenId,
        /// The name, unique for its user; letters count as written.
        pub name: String,
        /// What it is for, in upstream's normal form.
        pub scopes: Vec<TokenScope>,
        /// The token itself; empty but in the answer that made it.
        pub sha1: Secret,
        /// Its last eight digits.
        pub token_last_eight: String,
        /// When it was made; lists tell it, the answer that made it does not.
        pub created_at: Option<Timestamp>,
        /// When it was last used.
        pub last_used_at: Option<Timestamp>,
    }
}

params! {
    /// An access token to make.
    pub struct CreateToken {
        required {
            /// The name.
            name: String,
        }
        lists {
            /// What it is for; the server makes none without a scope.
            scopes: TokenScope,
        }
    }
}

/// The access tokens of a user.
#[derive(Debug, Clone)]
pub struct Tokens {
    client: Client,
    user: String,
}

impl Me {
    /// The token that the client has. Since Gitea 1.27; never tried.
    ///
    /// Upstream: `GET /token`
    ///
    /// # Errors
    /// `Unsupported` before.
    pub async fn token(&self) -> Result<AccessToken> {
        self.client.send(Request::to(&GET_OWN)).await
    }

    /// Revokes the token that the client has. Since Gitea 1.27; never tried.
    ///
    /// Upstream: `DELETE /token`
    ///
    /// # Errors
    /// `Unsupported` before.
    pub async fn revoke_token(&self) -> Result<()> {
        self.client.send_empty(Request::to(&DELETE_OWN)).await
    }
}

impl Account {
    /// Their access tokens. The client needs the password of that user, or of an administrator.
    #[must_use]
    pub fn tokens(&self) -> Tokens {
        Tokens {
            client: self.client.clone(),
            user: self.name.clone(),
        }
    }
}

impl Tokens {
    fn request(&self, operation: &Operation) -> Request {
        Request::to(operation).with("username", &self.user)
    }

    /// All of them, without the tokens themselves.
    ///
    /// Upstream: `GET /users/{username}/tokens`
    pub fn list(&self) -> List<AccessToken> {
        List::paged(&self.client, self.request(&LIST_TOKENS))
    }

    /// Makes one. Keep its `sha1`: it is never shown again.
    ///
    /// Upstream: `POST /users/{username}/tokens`
    ///
    /// # Errors
    /// `AlreadyExists`, `Validation` without or with an unknown scope, `Unauthorized` when the
    /// client has a token instead of a password.
    pub async fn create(&self, token: &CreateToken) -> Result<AccessToken> {
        self.client
            .send(self.request(&CREATE_TOKEN).json(token))
            .await
    }

    /// Removes one, by number.
    ///
    /// Upstream: `DELETE /users/{username}/tokens/{token}`
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn delete(&self, id: TokenId) -> Result<()> {
        self.client
            .send_empty(self.request(&DELETE_TOKEN).with("token", id))
            .await
    }

    /// Makes sure that a token of this name has these scopes. One that differs is made anew, since
    /// upstream cannot change it. Only where something was written is `sha1` filled.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let server = testkit::forge::Forge::start().await?;
    /// # let token = gitea_api::Auth::token(&*server.ready().root_token);
    /// # let client = gitea_api::Client::builder(server.url()).auth(token).build()?;
    /// use gitea_api::Auth;
    /// use gitea_api::api::users::tokens::{CreateToken, TokenScope};
    ///
    /// # let ready = server.ready();
    /// let owner = client.with_auth(Auth::basic(&*ready.root_user, &*ready.root_password));
    /// let wish = CreateToken::new("deploy").scopes([TokenScope::WriteRepository]);
    /// let token = owner.user(&*ready.root_user).tokens().ensure(&wish).await?.into_inner();
    /// assert!(!token.sha1.is_empty(), "shown once: keep it now");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`create`](Self::create).
    pub async fn ensure(&self, token: &CreateToken) -> Result<Ensured<AccessToken>> {
        let all = self.list().collect(10_000).await?;
        let Some(present) = all.into_iter().find(|present| present.name == token.name) else {
            return self.create(token).await.map(Ensured::Created);
        };
        let wished = token.scopes.clone().unwrap_or_default();
        if normal(&wished) == normal(&present.scopes) {
            return Ok(Ensured::Unchanged(present));
        }
        self.delete(present.id).await?;
        self.create(token).await.map(Ensured::Updated)
    }
}

/// Scopes as the server keeps them: writing contains reading, everything contains all.
fn normal(scopes: &[TokenScope]) -> Vec<TokenScope> {
    let all = scopes.contains(&TokenScope::All);
    let contained = |scope: &TokenScope| {
        let area = scope.as_str().strip_prefix("read:");
        area.is_some_and(|area| scopes.contains(&TokenScope::from(&*format!("write:{area}"))))
    };
    let mut kept: Vec<_> = scopes
        .iter()
        .filter(|scope| match scope {
            TokenScope::All | TokenScope::PublicOnly => true,
            scope => !all && !contained(scope),
        })
        .cloned()
        .collect();
    kept.sort();
    kept.dedup();
    if kept
        .iter()
        .filter(|scope| scope.as_str().starts_with("write:"))
        .count()
        == 9
    {
        kept.retain(|scope| *scope == TokenScope::PublicOnly);
        kept.insert(0, TokenScope::All);
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::{TokenScope, normal};

    #[test]
    fn scopes_are_compared_as_the_server_keeps_them() {
        use TokenScope::{All, PublicOnly, ReadUser, WriteRepository, WriteUser};
        assert_eq!(normal(&[ReadUser, WriteUser]), normal(&[WriteUser]));
        assert_eq!(normal(&[WriteUser, All]), [All]);
        assert_eq!(normal(&[All, PublicOnly]), [All, PublicOnly]);
        assert_ne!(normal(&[ReadUser]), normal(&[WriteRepository]));
    }
}
