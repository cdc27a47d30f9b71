//! The runner protocol, the runner's side: register, declare, fetch, report, log.
//!
//! It is spoken in JSON, which a real Gitea takes as well as protobuf. The rules of the protocol
//! are held by types:
//! - [`Fetcher`] knows which version of the queue to name, so that no waiting task is missed.
//! - [`TaskLog`] keeps every row until the server has acknowledged it, and sends again from there.
//! - [`TaskReport`] sends outputs again until the server lists them as stored, and can be
//!   [finished](TaskReport::finish) only with a [`SealedLog`], and only once.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let server = testkit::forge::Forge::start().await?;
//! # let token = gitea_api::Auth::token(&*server.ready().root_token);
//! # let client = gitea_api::Client::builder(server.url()).auth(token).build()?;
//! use gitea_api::Secret;
//! use gitea_api::runner::Profile;
//!
//! let profile = Profile::new("ci-1", ["debian"]);
//! let token = Secret::new(&*server.ready().runner_token);
//! let registered = client.register_runner(&profile, &token).await?;
//! let runner = client.runner(registered.credentials);
//! runner.declare(&profile).await?;
//! let mut fetcher = runner.fetcher();
//! assert!(fetcher.next().await?.is_none(), "nothing to do yet");
//! # Ok(())
//! # }
//! ```
//!
//! # Quirks
//! - Gitea wraps its refusals into a 500 with a text: an unknown runner is `UnknownRunner` here.
//! - `no_more` without a new row does not seal before 1.26, so a last row always goes with it.
//! - `FetchTask` answers at once, and an answer that is lost takes its task with it for ten minutes. A
//!   server that understands `Prefer: wait` and the runner's own place does better; see [`Fetcher`].
//! - An ephemeral runner is gone with the end of its task: its log must be sealed before.

mod buffer;
mod fetch;
mod log;
mod message;
mod report;

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::api::actions::Actions;
use crate::auth::Secret;
use crate::client::Client;
use crate::ensure::Ensured;
use crate::error::{ErrorKind, Result};
use crate::ids::{RunnerId, TaskId};
use crate::request::{Operation, Request, Safety, operations};

pub use buffer::{LogRow, ROW_MAX};
pub use fetch::{Fetcher, Need, Task};
pub use log::{SealedLog, TaskLog, Unsealed};
pub use message::TaskResult;
pub use report::{OutputRefused, ServerView, TaskReport, Unfinished};

operations! {
    PING = Operation::post("/ping.v1.PingService/Ping", "ping runner service").safety(Safety::Read);
    REGISTER = Operation::post("/runner.v1.RunnerService/Register", "register runner");
    DECLARE = Operation::post("/runner.v1.RunnerService/Declare", "declare runner")
        .safety(Safety::Idempotent);
    FETCH = Operation::post("/runner.v1.RunnerService/FetchTask", "fetch task");
    UPDATE_TASK = Operation::post("/runner.v1.RunnerService/UpdateTask", "report task")
        .safety(Safety::Idempotent);
    UPDATE_LOG = Operation::post("/runner.v1.RunnerService/UpdateLog", "send log")
        .safety(Safety::Idempotent);
}

/// How long the server may take for an answer. A call that is silent for longer is sent again.
const ANSWERED_WITHIN: Duration = Duration::from_secs(20);

/// The word with which a runner says that it hears of a cancellation and ends the job itself.
const CANCELLING: &str = "cancelling";

/// What a runner proves itself with. Keep it where nobody else reads it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Credentials {
    /// The runner.
    pub uuid: String,
    /// Its key.
    pub token: Secret,
}

/// How a runner presents itself.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct Profile {
    name: String,
    labels: Vec<String>,
    version: String,
    ephemeral: bool,
    cancelling: bool,
}

impl Profile {
    /// A runner of this name that takes jobs which ask for some of these labels. The server stores
    /// labels as they are given: name them bare, without `:host`.
    pub fn new(
        name: impl Into<String>,
        labels: impl IntoIterator<Item = impl Into<String>>,
    ) -> Self {
        Self {
            name: name.into(),
            labels: labels.into_iter().map(Into::into).collect(),
            version: concat!("gitea-api/", env!("CARGO_PKG_VERSION")).to_owned(),
            ephemeral: false,
            cancelling: true,
        }
    }

    /// The version to show.
    pub fn version(mut self, version: impl Into<String>) -> Self {
        self.version = version.into();
        self
    }

    /// One task, and then gone.
    pub fn ephemeral(mut self) -> Self {
        self.ephemeral = true;
        self
    }

    /// Let the server end a cancelled job by itself, instead of telling the runner to.
    pub fn without_cancelling(mut self) -> Self {
        self.cancelling = false;
        self
    }

    fn capabilities(&self) -> Vec<String> {
        if self.cancelling {
            vec![CANCELLING.to_owned()]
        } else {
            Vec::new()
        }
    }
}

/// A runner as the server has it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Registered {
    /// The number.
    pub id: RunnerId,
    /// The name.
    pub name: String,
    /// What it takes.
    pub labels: Vec<String>,
    /// Whether it is gone after one task.
    pub ephemeral: bool,
    /// What it proves itself with.
    pub credentials: Credentials,
}

impl Client {
    /// Asks the runner service for a greeting: it is there and speaks JSON.
    ///
    /// # Errors
    /// `NoSuchEndpoint`, `NotGitea` when something else answers.
    pub async fn ping_runner_service(&self, text: &str) -> Result<String> {
        let request = call(&PING).json(&message::Ping {
            data: text.to_owned(),
        });
        Ok(self.send::<message::Ping>(request).await?.data)
    }

    /// Registers a runner. Each call makes another one: keep the credentials.
    ///
    /// # Errors
    /// `Unauthorized` when the registration token is unknown or was replaced.
    pub async fn register_runner(&self, profile: &Profile, token: &Secret) -> Result<Registered> {
        let body = message::Register {
            name: &profile.name,
            token,
            version: &profile.version,
            labels: &profile.labels,
            ephemeral: profile.ephemeral,
            capabilities: profile.capabilities(),
        };
        let answer: message::RunnerAnswer = self.send(call(&REGISTER).json(&body)).await?;
        Ok(answer.runner.into())
    }

    /// A runner that is registered.
    #[must_use]
    pub fn runner(&self, credentials: Credentials) -> Runner {
        Runner {
            client: self.clone(),
            credentials,
        }
    }
}

impl Actions {
    /// Makes sure that there is a runner with credentials that the server knows. Stored ones are
    /// tried first, by declaring; where they are void, or there are none, a runner is registered.
    ///
    /// # Errors
    /// As [`registration_token`](Self::registration_token) and [`Client::register_runner`].
    pub async fn ensure_runner(
        &self,
        profile: &Profile,
        stored: Option<Credentials>,
    ) -> Result<Ensured<Credentials>> {
        let had_some = stored.is_some();
        if let Some(credentials) = stored {
            match self
                .client
                .runner(credentials.clone())
                .declare(profile)
                .await
            {
                Ok(_) => return Ok(Ensured::Unchanged(credentials)),
                Err(error) if *error.kind() == ErrorKind::UnknownRunner => {}
                Err(error) => return Err(error),
            }
        }
        let token = self.registration_token().await?;
        let credentials = self
            .client
            .register_runner(profile, &token)
            .await?
            .credentials;
        Ok(if had_some {
            Ensured::Updated(credentials)
        } else {
            Ensured::Created(credentials)
        })
    }
}

/// A registered runner. Cheap to clone: log and report of a task are sent by clones, so that the
/// one goes on while the other waits.
#[derive(Debug, Clone)]
pub struct Runner {
    client: Client,
    credentials: Credentials,
}

impl Runner {
    /// What it proves itself with.
    #[must_use]
    pub fn credentials(&self) -> &Credentials {
        &self.credentials
    }

    fn request(&self, operation: &Operation) -> Request {
        call(operation).timeout(ANSWERED_WITHIN).credentials(vec![
            ("x-runner-uuid", self.credentials.uuid.clone()),
            ("x-runner-token", self.credentials.token.reveal().to_owned()),
        ])
    }

    /// Says what the runner takes; to be done at each start. It replaces labels and version.
    ///
    /// # Errors
    /// `UnknownRunner` when the server does not know it, or no longer.
    pub async fn declare(&self, profile: &Profile) -> Result<Registered> {
        let body = message::Declare {
            version: &profile.version,
            labels: &profile.labels,
            capabilities: profile.capabilities(),
        };
        let answer: message::RunnerAnswer =
            self.client.send(self.request(&DECLARE).json(&body)).await?;
        let mut registered = Registered::from(answer.runner);
        // The answer holds no token.
        registered.credentials = self.credentials.clone();
        Ok(registered)
    }

    /// Begins to fetch tasks.
    #[must_use]
    pub fn fetcher(&self) -> Fetcher {
        Fetcher::new(self.clone())
    }

    /// The log of a task that was fetched.
    #[must_use]
    pub fn log(&self, task: &Task) -> TaskLog {
        TaskLog::new(self.clone(), task.id)
    }

    /// The report of a task that was fetched.
    #[must_use]
    pub fn report(&self, task: &Task) -> TaskReport {
        TaskReport::new(self.clone(), task.id)
    }

    /// Log and report of a task that was fetched before this program was started, or whose log was
    /// begun by others: so many of its rows are known to be stored. Rows that come again are
    /// stored once.
    #[must_use]
    pub fn resume(&self, task: TaskId, acknowledged: u64) -> (TaskLog, TaskReport) {
        (
            TaskLog::resumed(self.clone(), task, acknowledged),
            TaskReport::new(self.clone(), task),
        )
    }
}

/// A call of the protocol, without credentials: those of the client are no runner's.
fn call(operation: &Operation) -> Request {
    Request::to(operation)
        .at_root("/api/actions")
        .header("connect-protocol-version", "1")
        .credentials(Vec::new())
}
