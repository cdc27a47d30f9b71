//! Fetching tasks, and what a task holds.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

use crate::auth::Secret;
use crate::error::{Delivery, Error, ErrorKind, Result};
use crate::ids::TaskId;
use crate::runner::message::{Fetch, Fetched, TaskMessage, TaskResult};
use crate::runner::{ANSWERED_WITHIN, FETCH, Runner};

/// Headers of our own: from where a runner asks, and which tasks it holds.
const PLACE: &str = "x-runner-place";
const HELD: &str = "x-runner-held";

/// Members of the context that are secrets.
const TOKEN: &str = "token";
const RUNTIME_TOKEN: &str = "gitea_runtime_token";

/// Asks for tasks, one at a time.
///
/// The server looks for a task only when the version named differs from its own. So the version of
/// an empty answer is kept, and after a task it is forgotten, because more may wait.
///
/// Two things can be told beside, which a real Gitea passes over: how long the server may wait for
/// a task before it answers ([`waiting`](Self::waiting)), and from which place the runner asks
/// ([`at`](Self::at)), so that a task whose answer was lost is given to that place again.
#[derive(Debug)]
pub struct Fetcher {
    runner: Runner,
    tasks_version: i64,
    wait: Option<Duration>,
    place: Option<String>,
}

impl Fetcher {
    pub(super) fn new(runner: Runner) -> Self {
        Self {
            runner,
            tasks_version: 0,
            wait: None,
            place: None,
        }
    }

    /// Lets the server wait so long for a task (`Prefer: wait`, RFC 7240), in whole seconds. One
    /// that does not know how answers at once.
    #[must_use]
    pub fn waiting(mut self, wait: Duration) -> Self {
        self.wait = Some(wait);
        self
    }

    /// Names the place from which the runner asks, and from which no other process asks under its
    /// credentials: a text that is the same after a restart, and another one for a copy.
    #[must_use]
    pub fn at(mut self, place: impl Into<String>) -> Self {
        self.place = Some(place.into());
        self
    }

    /// A task, if one waits that this runner may take. The server answers at once: ask again after
    /// some seconds, with some chance in them. A call whose answer was lost may have taken a task,
    /// which the server gives up after ten minutes; that is why it is not repeated by itself.
    ///
    /// # Errors
    /// `UnknownRunner` when the server does not know the runner any more: stop then.
    pub async fn next(&mut self) -> Result<Option<Task>> {
        self.next_beside(&[]).await
    }

    /// The same for a runner that holds tasks already. A server that knows the
    /// [place](Self::at) gives a task that was given out to it, that nobody has reported on and
    /// that is not among these once more: its answer was lost.
    ///
    /// # Errors
    /// As [`next`](Self::next).
    pub async fn next_beside(&mut self, held: &[TaskId]) -> Result<Option<Task>> {
        let body = Fetch {
            tasks_version: self.tasks_version,
        };
        let mut request = self.runner.request(&FETCH).json(&body);
        if let Some(wait) = self.wait {
            request = request
                .header("prefer", format!("wait={}", wait.as_secs()))
                .timeout(wait + ANSWERED_WITHIN);
        }
        if let Some(place) = &self.place {
            let held: Vec<String> = held.iter().map(TaskId::to_string).collect();
            request = request
                .header(PLACE, place.as_str())
                .header(HELD, held.join(","));
        }
        let answer: Fetched = self.runner.client.send(request).await?;
        let Some(task) = answer.task else {
            self.tasks_version = answer.tasks_version;
            return Ok(None);
        };
        self.tasks_version = 0;
        Task::read(task).map(Some)
    }
}

/// A job that this one waited for.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Need {
    /// How it ended.
    pub result: TaskResult,
    /// What it gave.
    pub outputs: BTreeMap<String, String>,
}

/// A task: one job to carry out, once.
#[derive(Clone, PartialEq)]
#[non_exhaustive]
pub struct Task {
    /// The number.
    pub id: TaskId,
    /// The workflow in YAML, with this one job, its matrix resolved. Expressions in steps are not
    /// evaluated.
    pub workflow: String,
    /// What expressions know as `github` and `gitea`, without the two tokens.
    pub context: Map<String, Value>,
    /// The token of the job, for this repository and as long as the task lasts.
    pub token: Secret,
    /// The token for artifacts and caches.
    pub runtime_token: Secret,
    /// The secrets, `GITEA_TOKEN` and `GITHUB_TOKEN` among them.
    pub secrets: BTreeMap<String, Secret>,
    /// The variables.
    pub vars: BTreeMap<String, String>,
    /// The jobs that this one waited for.
    pub needs: BTreeMap<String, Need>,
}

impl Task {
    fn read(message: TaskMessage) -> Result<Self> {
        let broken = |what: &str| {
            Error::new(ErrorKind::Decode, FETCH.title, Delivery::Answered)
                .saying(format!("the workflow of task {} is no {what}", message.id))
        };
        let bytes = STANDARD
            .decode(&message.workflow_payload)
            .map_err(|error| broken("base64").because(error))?;
        let workflow = String::from_utf8(bytes)
            .map_err(|error| broken("UTF-8").because(error.utf8_error()))?;
        let mut context = message.context;
        let mut take = |name: &str| match context.remove(name) {
            Some(Value::String(text)) => Secret::new(text),
            _ => Secret::default(),
        };
        let (token, runtime_token) = (take(TOKEN), take(RUNTIME_TOKEN));
        let needs = message.needs.into_iter();
        let needs = needs.map(|(job, need)| {
            (
                job,
                Need {
                    result: need.result,
                    outputs: need.outputs,
                },
            )
        });
        Ok(Self {
            id: TaskId::from(message.id),
            workflow,
            context,
            token,
            runtime_token,
            secrets: message.secrets,
            vars: message.vars,
            needs: needs.collect(),
        })
    }

    /// A text of the context; empty where there is none.
    #[must_use]
    pub fn context_text(&self, name: &str) -> &str {
        self.context
            .get(name)
            .and_then(Value::as_str)
            .unwrap_or_default()
    }

    /// The context with the tokens in it, for `toJSON(github)`: never log it.
    #[must_use]
    pub fn whole_context(&self) -> Map<String, Value> {
        let mut context = self.context.clone();
        context.insert(TOKEN.to_owned(), self.token.reveal().into());
        context.insert(RUNTIME_TOKEN.to_owned(), self.runtime_token.reveal().into());
        context
    }
}

impl fmt::Debug for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Task")
            .field("id", &self.id)
            .field("repository", &self.context_text("repository"))
            .field("run", &self.context_text("run_id"))
            .field("job", &self.context_text("job"))
            .finish_non_exhaustive()
    }
}
