//! Checking: what the provisioners of a plan would do, tried in the mode of theirs that changes nothing.
//!
//! Guests are entered by their pin alone, and nothing is journalled: there is nothing to resume. A
//! provisioner that works in the guest leaves its files there, as it does when it is applied.

use std::{path::Path, sync::Arc};

use serde::Serialize;

use super::{Error, Seams, Settings, open, report::causes, scratch};
use crate::{
    event::{Ended, Event, Events, Kind, Layer, Step},
    guest::Guest,
    plan::{Action, ContainerPlan, Plan, Standing},
    provision::{Job, Mode, Outcome},
    resolve::{Container, Desired, Step as Provisioning},
};

/// What one step of a provisioner would do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Checked {
    /// The container.
    pub container: String,
    /// The layer that the step is of.
    pub layer: Layer,
    /// The step's id: `default`, `ansible`, `script`, ….
    pub step: String,
    /// What came of it.
    #[serde(flatten)]
    pub verdict: Verdict,
}

/// What came of a check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "verdict", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Verdict {
    /// The tool would change this many things.
    WouldChange {
        /// How many.
        count: u32,
    },
    /// The tool ran its check to the end and does not count; its lines say what it found.
    Told,
    /// The tool has no mode that changes nothing: it was not run.
    NoCheckMode,
    /// There is nothing to look at yet.
    NotThere,
    /// The check did not come to its end. That proves nothing: a step may need what an earlier one
    /// would have made.
    Failed {
        /// What went wrong.
        error: String,
        /// Its causes, the nearest first.
        because: Vec<String>,
    },
}

/// Tries each step of a provisioner that a plan holds.
///
/// # Errors
///
/// When the private folder of this check cannot be made; what a guest or a tool does wrong is in
/// the verdicts.
pub async fn check(
    seams: &Seams,
    desired: &Desired,
    plan: &Plan,
    settings: &Settings,
    events: &Events,
) -> Result<Vec<Checked>, Error> {
    let scratch = scratch().map_err(|source| Error::Scratch { source })?;
    let mut checked = Vec::new();
    for planned in &plan.containers {
        let Some(container) = desired.container(planned.name.as_str()) else {
            continue;
        };
        let check = Check {
            seams,
            settings,
            events,
            scratch: scratch.path(),
            planned,
        };
        checked.extend(check.container(desired, container).await);
    }
    Ok(checked)
}

/// The check of one container.
struct Check<'a> {
    seams: &'a Seams,
    settings: &'a Settings,
    events: &'a Events,
    scratch: &'a Path,
    planned: &'a ContainerPlan,
}

impl Check<'_> {
    async fn container(&self, desired: &Desired, container: &Container) -> Vec<Checked> {
        let steps = self.steps();
        if steps.is_empty() {
            return Vec::new();
        }
        let entered = match self.planned.standing {
            Standing::Running => self.enter(desired, container).await,
            Standing::Absent | Standing::Stopped | Standing::Foreign => Err(Verdict::NotThere),
        };
        let mut checked = Vec::new();
        for (layer, step) in steps {
            let verdict = match &entered {
                Ok(guest) => self.step(layer, step, &**guest).await,
                Err(verdict) => verdict.clone(),
            };
            checked.push(Checked {
                container: self.planned.name.to_string(),
                layer,
                step: step.id.to_owned(),
                verdict,
            });
        }
        checked
    }

    /// The steps that the plan would run.
    fn steps(&self) -> Vec<(Layer, &Provisioning)> {
        let of = |layer: Layer| {
            let actions = self.planned.actions(layer).iter();
            actions.filter_map(move |action| match action {
                Action::Provision(step) => Some((layer, &**step)),
                _ => None,
            })
        };
        Layer::ALL.into_iter().flat_map(of).collect()
    }

    async fn enter(
        &self,
        desired: &Desired,
        container: &Container,
    ) -> Result<Arc<dyn Guest>, Verdict> {
        let name = container.name.as_str();
        let key = self.settings.key.as_ref().ok_or_else(|| {
            failed(&Error::NoKey {
                container: name.to_owned(),
            })
        })?;
        let guest = open(
            &*self.seams.host,
            &self.seams.door,
            (desired, container),
            key,
            self.scratch,
            self.settings.redactor.clone(),
        );
        let guest = guest.await.map_err(|error| failed(&error))?;
        let answers = guest.wait_reachable(self.settings.limits.busy).await;
        answers.map_err(|error| failed(&error))?;
        Ok(guest)
    }

    async fn step(&self, layer: Layer, step: &Provisioning, guest: &dyn Guest) -> Verdict {
        let container = self.planned.name.as_str();
        let on_line = |stream, text: &str| {
            self.events.tell(Event::Line {
                container: container.to_owned(),
                stream,
                text: text.to_owned(),
            });
        };
        let job = Job {
            step,
            container,
            root: &self.settings.root,
            guest,
            scratch: self.scratch,
            redactor: &self.settings.redactor,
            on_line: &on_line,
        };
        let running = self.events.begin(Step {
            container: container.to_owned(),
            layer,
            name: format!("check {}", step.id),
            kind: Kind::Provisioner,
        });
        let outcome = (self.seams.tools)(&step.provisioner)
            .run(&job, Mode::Check)
            .await;
        let (ended, verdict) = match outcome {
            Ok(Outcome::Changed(count)) => (Ended::Done, Verdict::WouldChange { count }),
            Ok(Outcome::Ran) => (Ended::Done, Verdict::Told),
            Ok(Outcome::CannotCheck) => {
                let reason = "this tool has no mode that changes nothing".to_owned();
                (Ended::Skipped { reason }, Verdict::NoCheckMode)
            }
            Err(error) => {
                let words = error.to_string();
                (Ended::Failed { error: words }, failed(&error))
            }
        };
        running.end(ended);
        verdict
    }
}

fn failed(error: &dyn std::error::Error) -> Verdict {
    Verdict::Failed {
        error: error.to_string(),
        because: causes(error),
    }
}

impl std::fmt::Display for Checked {
    /// `web  container-configuration  ansible: would change 3 things`
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            container,
            layer,
            step,
            verdict,
        } = self;
        write!(f, "{container:16} {layer:23}  {step}: ")?;
        match verdict {
            Verdict::WouldChange { count: 0 } => f.write_str("would change nothing"),
            Verdict::WouldChange { count: 1 } => f.write_str("would change 1 thing"),
            Verdict::WouldChange { count } => write!(f, "would change {count} things"),
            Verdict::Told => f.write_str("checked; what it would do is in its lines"),
            Verdict::NoCheckMode => {
                f.write_str("has no mode that changes nothing, and was not run")
            }
            Verdict::NotThere => f.write_str("there is nothing to look at before an apply"),
            Verdict::Failed { error, because } => {
                write!(f, "the check failed: {error}")?;
                match because.first() {
                    Some(cause) => write!(f, ": {}", cause.replace('\n', " / ")),
                    None => Ok(()),
                }
            }
        }
    }
}
