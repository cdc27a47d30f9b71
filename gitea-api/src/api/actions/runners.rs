//! Runners, as administrators see them. (What a runner itself says is in [`runner`](crate::runner).)
//!
//! # Quirks
//! - `busy` has nothing to do with having a task.
//! - Names need not be unique; the most recently seen runner comes first.
//! - A registration token serves many times, and is the same each time.

use serde::Deserialize;

use crate::api::actions::Actions;
use crate::auth::Secret;
use crate::error::Result;
use crate::ids::RunnerId;
use crate::page::List;
use crate::request::{Operation, Safety, operations};
use crate::server::{Capability, Flavor};
use crate::wire::{model, params, words};

operations! {
    LIST = Operation::get("/actions/runners", "list runners").scoped("roua").needs(Capability::Runners);
    GET = Operation::get("/actions/runners/{runner_id}", "get runner")
        .scoped("roua")
        .needs(Capability::Runners);
    EDIT = Operation::patch("/actions/runners/{runner_id}", "edit runner")
        .scoped("roua")
        .safety(Safety::Idempotent)
        .needs(Capability::EditRunner);
    DELETE = Operation::delete("/actions/runners/{runner_id}", "delete runner")
        .scoped("roua")
        .needs(Capability::Runners);
    TOKEN = Operation::post("/actions/runners/registration-token", "get registration token")
        .scoped("roua")
        .safety(Safety::Idempotent)
        .needs(Capability::RegistrationToken);
}

/// Forgejo's calls, which no schema of Gitea has.
pub(crate) mod forgejo {
    use crate::request::{Operation, operations};
    use crate::server::Capability;

    operations! {
        TOKEN = Operation::get("/actions/runners/registration-token", "get registration token")
            .scoped("roua")
            .needs(Capability::RegistrationTokenByGet);
        CREATE = Operation::post("/actions/runners", "create runner")
            .scoped("roua")
            .needs(Capability::CreateRunner);
    }
}

words! {
    /// Whether a runner was heard of within a minute.
    pub enum RunnerStatus {
        /// Yes.
        Online = "online",
        /// No, or never.
        Offline = "offline",
    }
}

model! {
    /// What jobs ask for.
    pub struct RunnerLabel {
        /// A number without meaning.
        pub id: i64,
        /// The label, as the runner declared it.
        pub name: String,
        /// `custom`.
        pub r#type: String,
    }

    /// A runner.
    pub struct Runner {
        /// The number.
        pub id: RunnerId,
        /// The name; need not be unique.
        pub name: String,
        /// Whether it was heard of within a minute.
        pub status: RunnerStatus,
        /// Whether it reported within ten seconds.
        pub busy: bool,
        /// Whether it is given no tasks; since 1.26.
        pub disabled: bool,
        /// Whether it is gone after one task.
        pub ephemeral: bool,
        /// What it takes.
        pub labels: Vec<RunnerLabel>,
    }

    /// A runner made in one call, with its credentials; Forgejo only.
    pub struct CreatedRunner {
        /// The number.
        pub id: RunnerId,
        /// Half of its credentials.
        pub uuid: String,
        /// The other half; shown once.
        pub token: Secret,
    }
}

params! {
    /// A runner to make in one call; Forgejo only.
    pub struct CreateRunner {
        required {
            /// The name.
            name: String,
        }
        optional {
            /// About it.
            description: String,
            /// Whether it is gone after one task.
            ephemeral: bool,
        }
    }
}

impl Actions {
    /// All runners of this scope; the instance shows those of all scopes.
    ///
    /// Upstream: `GET …/actions/runners`
    pub fn runners(&self) -> List<Runner> {
        List::whole(&self.client, self.request(&LIST)).member("runners")
    }

    /// One of them.
    ///
    /// Upstream: `GET …/actions/runners/{runner_id}`
    ///
    /// # Errors
    /// `NotFound`, also for another scope's.
    pub async fn runner(&self, id: RunnerId) -> Result<Runner> {
        self.client
            .send(self.request(&GET).with("runner_id", id))
            .await
    }

    /// The runners of this name, if there are any.
    ///
    /// # Errors
    /// As [`runners`](Self::runners).
    pub async fn find_runners(&self, name: &str) -> Result<Vec<Runner>> {
        let all = self.runners().collect(10_000).await?;
        Ok(all
            .into_iter()
            .filter(|runner| runner.name == name)
            .collect())
    }

    /// Gives a runner no more tasks.
    ///
    /// Upstream: `PATCH …/actions/runners/{runner_id}`
    ///
    /// # Errors
    /// `Unsupported` before Gitea 1.26, `NotFound`.
    pub async fn disable_runner(&self, id: RunnerId) -> Result<Runner> {
        self.edit_runner(id, true).await
    }

    /// Gives a runner tasks again.
    ///
    /// Upstream: `PATCH …/actions/runners/{runner_id}`
    ///
    /// # Errors
    /// `Unsupported` before Gitea 1.26, `NotFound`.
    pub async fn enable_runner(&self, id: RunnerId) -> Result<Runner> {
        self.edit_runner(id, false).await
    }

    async fn edit_runner(&self, id: RunnerId, disabled: bool) -> Result<Runner> {
        let body = serde_json::json!({ "disabled": disabled });
        self.client
            .send(self.request(&EDIT).with("runner_id", id).json(&body))
            .await
    }

    /// Removes a runner; its credentials are void at once.
    ///
    /// Upstream: `DELETE …/actions/runners/{runner_id}`
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn delete_runner(&self, id: RunnerId) -> Result<()> {
        self.client
            .send_empty(self.request(&DELETE).with("runner_id", id))
            .await
    }

    /// The token that runners of this scope register with. It serves many times.
    ///
    /// Upstream: `POST …/actions/runners/registration-token`; Forgejo wants a `GET`.
    ///
    /// # Errors
    /// `Forbidden`, `MissingScope`.
    pub async fn registration_token(&self) -> Result<Secret> {
        #[derive(Deserialize)]
        struct Answer {
            token: Secret,
        }
        let operation = match self.client.probe().await?.flavor() {
            Flavor::Gitea => &TOKEN,
            Flavor::Forgejo => &forgejo::TOKEN,
        };
        Ok(self
            .client
            .send::<Answer>(self.request(operation))
            .await?
            .token)
    }

    /// Makes a runner in one call, without a registration. Forgejo only; never tried.
    ///
    /// Upstream: `POST …/actions/runners`
    ///
    /// # Errors
    /// `Unsupported` on Gitea.
    pub async fn create_runner(&self, runner: &CreateRunner) -> Result<CreatedRunner> {
        self.client
            .send(self.request(&forgejo::CREATE).json(runner))
            .await
    }
}
