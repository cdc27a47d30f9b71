//! Secrets of workflows: written, never read.
//!
//! # Quirks
//! - Names are kept in capitals; `GITEA_…`, `GITHUB_…` and `CI` are refused.
//! - A write without a description clears it.
//! - `\r\n` becomes `\n`; 65,536 bytes fit, counted before that.

use jiff::Timestamp;
use serde::Serialize;

use crate::api::actions::Actions;
use crate::auth::Secret;
use crate::ensure::Ensured;
use crate::error::Result;
use crate::ids::Scope;
use crate::page::List;
use crate::request::{Operation, operations};
use crate::wire::model;

operations! {
    LIST = Operation::get("/actions/secrets", "list secrets").scoped("ro");
    SET = Operation::put("/actions/secrets/{secretname}", "set secret").scoped("rou");
    DELETE = Operation::delete("/actions/secrets/{secretname}", "delete secret").scoped("rou");
}

model! {
    /// A secret without its value, which is never shown.
    pub struct SecretInfo {
        /// The name, in capitals.
        pub name: String,
        /// About it.
        pub description: String,
        /// When it was made.
        pub created_at: Option<Timestamp>,
    }
}

impl Actions {
    /// The names of all secrets. A user's own cannot be listed.
    ///
    /// Upstream: `GET …/actions/secrets`
    pub fn secrets(&self) -> List<SecretInfo> {
        List::paged(&self.client, self.request(&LIST))
    }

    /// Writes a secret. Whether it was there is known, whether it changed cannot be.
    ///
    /// Upstream: `PUT …/actions/secrets/{secretname}`
    ///
    /// # Errors
    /// `Validation` for the name or an empty value, `Forbidden`.
    pub async fn set_secret(&self, name: &str, value: &Secret) -> Result<Ensured<()>> {
        self.set_described_secret(name, value, "").await
    }

    /// Writes a secret and what it is for.
    ///
    /// Upstream: `PUT …/actions/secrets/{secretname}`
    ///
    /// # Errors
    /// As [`set_secret`](Self::set_secret).
    pub async fn set_described_secret(
        &self,
        name: &str,
        value: &Secret,
        description: &str,
    ) -> Result<Ensured<()>> {
        #[derive(Serialize)]
        struct SetSecret<'a> {
            data: &'a Secret,
            #[serde(skip_serializing_if = "str::is_empty")]
            description: &'a str,
        }
        let body = SetSecret {
            data: value,
            description,
        };
        let request = self.request(&SET).with("secretname", name).json(&body);
        let answer = self.client.send_raw(request).await?;
        Ok(if answer.status == 201 {
            Ensured::Created(())
        } else {
            Ensured::Updated(())
        })
    }

    /// Makes sure that a secret of this name is there, with any value: one that is there is left
    /// alone. A user's own cannot be looked up, so they are written each time.
    ///
    /// # Errors
    /// As [`set_secret`](Self::set_secret).
    pub async fn ensure_secret(&self, name: &str, value: &Secret) -> Result<Ensured<()>> {
        if self.scope != Scope::Me {
            let all = self.secrets().collect(10_000).await?;
            if all
                .iter()
                .any(|secret| secret.name.eq_ignore_ascii_case(name))
            {
                return Ok(Ensured::Unchanged(()));
            }
        }
        self.set_secret(name, value).await
    }

    /// Removes a secret.
    ///
    /// Upstream: `DELETE …/actions/secrets/{secretname}`
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn delete_secret(&self, name: &str) -> Result<()> {
        self.client
            .send_empty(self.request(&DELETE).with("secretname", name))
            .await
    }
}
