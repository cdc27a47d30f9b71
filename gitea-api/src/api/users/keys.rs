//! Public keys of users. (Deploy keys are at their repository.)
//!
//! # Quirks
//! Upstream keeps the key's comment away: keys are the same when type and content are.

use jiff::Timestamp;

use crate::api::users::{Account, Me, User};
use crate::client::Client;
use crate::ensure::Ensured;
use crate::error::Result;
use crate::ids::KeyId;
use crate::page::List;
use crate::request::{Operation, Request, operations};
use crate::wire::{model, params};

operations! {
    MY_KEYS = Operation::get("/user/keys", "list own keys");
    ADD_MY_KEY = Operation::post("/user/keys", "add key");
    GET_MY_KEY = Operation::get("/user/keys/{id}", "get key");
    DELETE_MY_KEY = Operation::delete("/user/keys/{id}", "delete key");
    USER_KEYS = Operation::get("/users/{username}/keys", "list keys of user");
}

model! {
    /// A public key of a user.
    pub struct PublicKey {
        /// The number.
        pub id: KeyId,
        /// Type, content and sometimes a comment.
        pub key: String,
        /// The key's address.
        pub url: String,
        /// What it is called.
        pub title: String,
        /// SHA-256 of the content.
        pub fingerprint: String,
        /// When it was added.
        pub created_at: Option<Timestamp>,
        /// When it was last used.
        pub last_used_at: Option<Timestamp>,
        /// Whose it is; hidden from others.
        pub user: Option<User>,
        /// Not stored for users' keys.
        pub read_only: bool,
        /// For instance `user`; hidden from others.
        pub key_type: String,
    }
}

params! {
    /// A public key to add.
    pub struct AddKey {
        required {
            /// What it is called.
            title: String,
            /// As it stands in a `.pub` file.
            key: String,
        }
        optional {
            /// Whether it may only read; for deploy keys.
            read_only: bool,
        }
    }
}

/// The public keys of the user who asks.
#[derive(Debug, Clone)]
pub struct Keys {
    client: Client,
}

impl Me {
    /// Their public keys.
    #[must_use]
    pub fn keys(&self) -> Keys {
        Keys {
            client: self.client.clone(),
        }
    }
}

impl Account {
    /// Their public keys, as others see them.
    ///
    /// Upstream: `GET /users/{username}/keys`
    pub fn keys(&self) -> List<PublicKey> {
        List::paged(&self.client, self.request(&USER_KEYS))
    }
}

impl Keys {
    /// All of them.
    ///
    /// Upstream: `GET /user/keys`
    pub fn list(&self) -> List<PublicKey> {
        List::paged(&self.client, Request::to(&MY_KEYS))
    }

    /// One of them.
    ///
    /// Upstream: `GET /user/keys/{id}`
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn get(&self, id: KeyId) -> Result<PublicKey> {
        self.client
            .send(Request::to(&GET_MY_KEY).with("id", id))
            .await
    }

    /// Adds one.
    ///
    /// Upstream: `POST /user/keys`
    ///
    /// # Errors
    /// `AlreadyExists` when anybody has it, or the title is taken; `Validation`.
    pub async fn add(&self, key: &AddKey) -> Result<PublicKey> {
        self.client.send(Request::to(&ADD_MY_KEY).json(key)).await
    }

    /// Removes one.
    ///
    /// Upstream: `DELETE /user/keys/{id}`
    ///
    /// # Errors
    /// `NotFound`, `Forbidden` for another's.
    pub async fn delete(&self, id: KeyId) -> Result<()> {
        self.client
            .send_empty(Request::to(&DELETE_MY_KEY).with("id", id))
            .await
    }

    /// Makes sure that a key is there under its title. A key of that title with another content is
    /// replaced.
    ///
    /// # Errors
    /// As [`add`](Self::add).
    pub async fn ensure(&self, key: &AddKey) -> Result<Ensured<PublicKey>> {
        let all = self.list().collect(10_000).await?;
        let mut same = all
            .iter()
            .filter(|present| same_key(&present.key, &key.key));
        if let Some(present) = same.next() {
            return Ok(Ensured::Unchanged(present.clone()));
        }
        let Some(present) = all.iter().find(|present| present.title == key.title) else {
            return self.add(key).await.map(Ensured::Created);
        };
        self.delete(present.id).await?;
        self.add(key).await.map(Ensured::Updated)
    }
}

/// Whether two keys have the same type and content.
pub(crate) fn same_key(one: &str, other: &str) -> bool {
    fn parts(key: &str) -> impl Iterator<Item = &str> {
        key.split_whitespace().take(2)
    }
    parts(one).eq(parts(other))
}

#[cfg(test)]
mod tests {
    use super::same_key;

    #[test]
    fn the_comment_does_not_count() {
        assert!(same_key("ssh-ed25519 AAAA me@here", "ssh-ed25519 AAAA"));
        assert!(!same_key("ssh-ed25519 AAAA", "ssh-ed25519 BBBB"));
    }
}
