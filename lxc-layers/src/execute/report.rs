//! The report: what a run did, what it left, and why.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use serde::Serialize;

use super::{Class, Error, Layers};
use crate::event::{Ended, Events, Layer, Seconds, Step};

/// What a run did.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// The run's name in the journal.
    pub run: String,
    /// The layers that ran.
    pub layers: Vec<Layer>,
    /// How long it took.
    pub seconds: Seconds,
    /// What happened to each container, in the plan's order.
    pub containers: Vec<ContainerReport>,
}

/// What happened to a container.
#[derive(Debug, Clone, Serialize)]
pub struct ContainerReport {
    /// Its name.
    pub container: String,
    /// Its number.
    pub vmid: u32,
    /// Its node.
    pub node: String,
    /// How it ended.
    #[serde(flatten)]
    pub outcome: Outcome,
    /// What was done, in order.
    pub steps: Vec<StepReport>,
}

/// How a container ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "outcome", rename_all = "lowercase")]
#[non_exhaustive]
pub enum Outcome {
    /// There was nothing to do.
    Unchanged,
    /// Everything was done.
    Done,
    /// Something failed; what came before it stands, the next run continues there.
    Failed(Failure),
    /// It was not begun.
    Skipped {
        /// Why.
        because: String,
    },
}

/// A failure, in words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Failure {
    /// The layer in which it happened.
    pub layer: Layer,
    /// What kind of failure it is.
    pub class: Class,
    /// What went wrong.
    pub error: String,
    /// Its causes, the nearest first.
    pub because: Vec<String>,
    /// What a person can do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

/// One step that was done or skipped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StepReport {
    /// Which.
    #[serde(flatten)]
    pub step: Step,
    /// When it began, counted from the run's begin.
    pub at: Seconds,
    /// How long it took.
    pub seconds: Seconds,
    /// How it ended.
    #[serde(flatten)]
    pub ended: Ended,
}

impl Report {
    pub(super) fn new(
        run: &str,
        layers: Layers,
        containers: Vec<ContainerReport>,
        began: Instant,
    ) -> Self {
        Self {
            run: run.to_owned(),
            layers: layers.list(),
            seconds: Seconds(began.elapsed()),
            containers,
        }
    }

    /// Whether nothing failed and nothing was left out.
    #[must_use]
    pub fn is_success(&self) -> bool {
        self.failures().next().is_none()
            && !self
                .containers
                .iter()
                .any(|it| matches!(it.outcome, Outcome::Skipped { .. }))
    }

    /// The failures, each with the name of its container.
    pub fn failures(&self) -> impl Iterator<Item = (&str, &Failure)> {
        self.containers.iter().filter_map(|it| match &it.outcome {
            Outcome::Failed(failure) => Some((it.container.as_str(), failure)),
            _ => None,
        })
    }

    pub(super) fn word(&self) -> &'static str {
        if self.is_success() { "done" } else { "failed" }
    }
}

impl Failure {
    /// The words of an error that happened in `layer`.
    pub(super) fn new(layer: Layer, error: &Error) -> Self {
        Self {
            layer,
            class: error.class(),
            error: error.to_string(),
            because: causes(error),
            hint: error.hint(),
        }
    }
}

/// The causes of an error, the nearest first.
pub(super) fn causes(error: &dyn std::error::Error) -> Vec<String> {
    let chain = std::iter::successors(error.source(), |cause| cause.source());
    chain.map(ToString::to_string).collect()
}

/// The error with its causes in one line, for the journal.
pub(super) fn in_one_line(error: &dyn std::error::Error) -> String {
    let mut words = vec![error.to_string()];
    words.extend(causes(error));
    words.join(": ").replace('\n', " / ")
}

/// The steps of one container, told while they happen and kept for the report.
pub(super) struct Steps {
    events: Events,
    began: Instant,
    kept: Mutex<Vec<StepReport>>,
}

impl Steps {
    pub(super) fn new(events: &Events, began: Instant) -> Self {
        Self {
            events: events.clone(),
            began,
            kept: Mutex::default(),
        }
    }

    /// Does `work` as a step.
    pub(super) async fn step<T>(
        &self,
        step: Step,
        work: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        let running = self.events.begin(step.clone());
        let at = self.began.elapsed();
        let outcome = work.await;
        let ended = match &outcome {
            Ok(_) => Ended::Done,
            Err(error) => Ended::Failed {
                error: error.to_string(),
            },
        };
        running.end(ended.clone());
        self.keep(step, at, ended);
        outcome
    }

    /// Tells that a step is left out, and why.
    pub(super) fn skip(&self, step: Step, reason: &str) {
        let ended = Ended::Skipped {
            reason: reason.to_owned(),
        };
        self.events.begin(step.clone()).end(ended.clone());
        self.keep(step, self.began.elapsed(), ended);
    }

    fn keep(&self, step: Step, at: Duration, ended: Ended) {
        let seconds = Seconds(self.began.elapsed().saturating_sub(at));
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.push(StepReport {
            step,
            at: Seconds(at),
            seconds,
            ended,
        });
    }

    pub(super) fn into_report(self) -> Vec<StepReport> {
        self.kept
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner)
    }
}
