//! Starting a workflow by hand, and knowing which run it became.
//!
//! # Quirks
//! - Since 1.26 the answer tells the run. Before, it is looked for: the newest run of that file and
//!   event that was not there before. Two dispatches of one workflow at the same time cannot be
//!   told apart there.
//! - The server checks neither `required` nor `type` of inputs, and drops unknown ones.
//! - 1.25 takes a dispatch of a workflow that has no such trigger, and runs it.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::api::actions::Actions;
use crate::api::actions::runs::{ListRuns, Run};
use crate::error::{Delivery, Error, ErrorKind, Result};
use crate::ids::RunId;
use crate::request::{Operation, Request, operations};
use crate::server::{Capability, Flavor};
use crate::wait::Patience;
use crate::wire::{model, params};

operations! {
    DISPATCH = Operation::post("/actions/workflows/{workflow_id}/dispatches", "dispatch workflow")
        .scoped("r")
        .needs(Capability::Dispatch);
}

/// How long a run may take to appear on servers that do not tell it: 2.5 seconds were seen.
const APPEARANCE: Duration = Duration::from_secs(30);

/// How many of the newest runs are looked at for the new one.
const NEWEST: u32 = 50;

model! {
    /// The run that a dispatch became.
    pub struct RunDetails {
        /// The run.
        pub workflow_run_id: RunId,
        /// The API's address.
        pub run_url: String,
        /// The page's address.
        pub html_url: String,
    }
}

params! {
    /// How to start a workflow.
    pub struct Dispatch {
        required {
            /// A branch, or a whole reference such as `refs/tags/v1`.
            r#ref: String,
        }
        optional {
            /// The inputs, all as texts.
            inputs: BTreeMap<String, String>,
        }
    }
}

impl Dispatch {
    /// Adds an input.
    #[must_use]
    pub fn input(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.inputs
            .get_or_insert_default()
            .insert(name.into(), value.into());
        self
    }
}

impl Actions {
    /// Starts a workflow by its file, and gives its run, on every version that has runs.
    ///
    /// Upstream: `POST /repos/{owner}/{repo}/actions/workflows/{workflow_id}/dispatches`
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let server = testkit::forge::Forge::start().await?;
    /// # let token = gitea_api::Auth::token(&*server.ready().root_token);
    /// # let client = gitea_api::Client::builder(server.url()).auth(token).build()?;
    /// use std::time::Duration;
    ///
    /// use gitea_api::ErrorKind;
    /// use gitea_api::api::actions::dispatch::Dispatch;
    /// use gitea_api::api::repos::CreateRepo;
    /// use gitea_api::api::repos::contents::CommitOptions;
    ///
    /// client.me().create_repo(&CreateRepo::new("r").auto_init(true)).await?;
    /// let repo = client.repo("root1", "r");
    /// let workflow = b"on: workflow_dispatch\njobs: {a: {runs-on: x, steps: [{run: make}]}}\n";
    /// let commit = repo.commit(&CommitOptions::new()).put(".gitea/workflows/ci.yml", workflow);
    /// commit.send().await?;
    /// let run = repo.actions().dispatch("ci.yml", &Dispatch::new("main")).await?;
    /// // No runner takes its job, so it does not end in time.
    /// let error = repo.actions().wait_for_run(run, Duration::from_millis(100)).await.unwrap_err();
    /// assert_eq!(error.kind(), &ErrorKind::Timeout);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `NotFound` for the file or the reference, `Validation` when it has no such trigger,
    /// `Forbidden` when it is disabled; `Timeout` when the workflow was started but its run did
    /// not appear; `Unsupported` on 1.24, which has no runs to look at.
    pub async fn dispatch(&self, file: &str, dispatch: &Dispatch) -> Result<RunId> {
        let server = self.client.probe().await?;
        if server.supports(Capability::DispatchDetails) {
            let request = self
                .dispatch_request(file, dispatch)
                .query("return_run_details", true);
            return Ok(self
                .client
                .send::<RunDetails>(request)
                .await?
                .workflow_run_id);
        }
        if server.flavor() == Flavor::Forgejo {
            return self.dispatch_forgejo(file, dispatch).await;
        }
        self.dispatch_and_look(file, dispatch).await
    }

    fn dispatch_request(&self, file: &str, dispatch: &Dispatch) -> Request {
        self.request(&DISPATCH)
            .with("workflow_id", file)
            .json(dispatch)
    }

    /// Forgejo tells the run where the body asks for it. Never tried.
    async fn dispatch_forgejo(&self, file: &str, dispatch: &Dispatch) -> Result<RunId> {
        #[derive(Serialize)]
        struct Asking<'a> {
            r#ref: &'a str,
            #[serde(skip_serializing_if = "Option::is_none")]
            inputs: &'a Option<BTreeMap<String, String>>,
            return_run_info: bool,
        }
        #[derive(Deserialize)]
        struct Told {
            id: RunId,
        }
        let body = Asking {
            r#ref: &dispatch.r#ref,
            inputs: &dispatch.inputs,
            return_run_info: true,
        };
        let request = self
            .request(&DISPATCH)
            .with("workflow_id", file)
            .json(&body);
        Ok(self.client.send::<Told>(request).await?.id)
    }

    /// Remembers the newest runs, starts the workflow, and waits for one that is new.
    async fn dispatch_and_look(&self, file: &str, dispatch: &Dispatch) -> Result<RunId> {
        let newest = self
            .newest_dispatched()
            .await?
            .iter()
            .map(|run| run.id)
            .max();
        self.client
            .send_empty(self.dispatch_request(file, dispatch))
            .await?;
        let mut waiting = Patience::for_at_most(APPEARANCE).start();
        loop {
            let runs = self.newest_dispatched().await?;
            let new = runs
                .iter()
                .filter(|run| Some(run.id) > newest && run.is_of(file));
            if let Some(run) = new.min_by_key(|run| run.id) {
                return Ok(run.id);
            }
            if !waiting.again().await {
                return Err(
                    Error::new(ErrorKind::Timeout, DISPATCH.title, Delivery::Answered)
                        .saying("the workflow was started, but its run did not appear"),
                );
            }
        }
    }

    async fn newest_dispatched(&self) -> Result<Vec<Run>> {
        let which = ListRuns::new().event("workflow_dispatch");
        Ok(self.runs(&which).page_size(NEWEST).page(1).await?.items)
    }
}
