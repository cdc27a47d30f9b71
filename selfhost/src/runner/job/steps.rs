//! Whether a step runs, and what its end means for those after it.

use indexmap::IndexMap;
use tokio::time::Instant;

use super::{
    AFTERWARDS, Frame, Halt, Running,
    expression::{self, Status, Value},
};
use crate::runner::{
    progress::Conclusion,
    workflow::{Step, StepAction},
};

/// What a step came to.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) conclusion: Conclusion,
    /// What it gave.
    pub(super) outputs: IndexMap<String, String>,
    /// Why it did not succeed, to be shown where the step ends.
    pub(super) reason: Option<String>,
}

impl Outcome {
    pub(super) fn success() -> Self {
        Self {
            conclusion: Conclusion::Success,
            outputs: IndexMap::new(),
            reason: None,
        }
    }

    pub(super) fn failure(reason: impl Into<String>) -> Self {
        Self {
            conclusion: Conclusion::Failure,
            reason: Some(reason.into()),
            ..Self::success()
        }
    }
}

/// What becomes of a step before it begins.
enum Verdict {
    /// It runs, with these variables of its own.
    Runs(IndexMap<String, String>),
    /// Its condition does not hold.
    Skipped,
    /// Nothing runs any more.
    Halted,
    /// Nobody can tell.
    Undecided(String),
}

impl Running<'_> {
    /// A step of the job itself, shown with its beginning and its end.
    pub(super) async fn reported_step(&mut self, frame: &mut Frame, index: usize, step: &Step) {
        let key = step.id.clone().unwrap_or_else(|| index.to_string());
        let conclusion = match self.judge(frame, step) {
            Verdict::Skipped => Self::skip(frame, &key),
            Verdict::Halted => Conclusion::Cancelled,
            Verdict::Undecided(reason) => {
                self.console
                    .fail(&format!("the condition of the step: {reason}"))
                    .await;
                frame.note(
                    &key,
                    IndexMap::new(),
                    Conclusion::Failure,
                    Conclusion::Failure,
                );
                frame.status = Status::Failure;
                Conclusion::Cancelled
            }
            Verdict::Runs(env) => {
                self.progress.begin_step(index);
                let outcome = self.step(frame, &key, step, &env).await;
                if let Some(reason) = &outcome.reason {
                    self.console.fail(reason).await;
                }
                self.conclude(frame, &key, step, &env, outcome).await
            }
        };
        self.progress.end_step(index, conclusion);
    }

    /// The steps of an action or of a called job; the first failure is the failure of all.
    pub(super) async fn quiet_steps(
        &mut self,
        frame: &mut Frame,
        steps: &[Step],
    ) -> Option<String> {
        let mut first = None;
        for (index, step) in steps.iter().enumerate() {
            let key = step.id.clone().unwrap_or_else(|| index.to_string());
            match self.judge(frame, step) {
                Verdict::Skipped => drop(Self::skip(frame, &key)),
                Verdict::Halted => first = first.or_else(|| Some("the job was stopped".to_owned())),
                Verdict::Undecided(reason) => {
                    frame.status = Status::Failure;
                    first = first.or(Some(reason));
                }
                Verdict::Runs(env) => {
                    let outcome = self.step(frame, &key, step, &env).await;
                    let reason = outcome.reason.clone();
                    if let Some(reason) = &reason {
                        self.console.say(reason.clone()).await;
                    }
                    self.conclude(frame, &key, step, &env, outcome).await;
                    if frame.status != Status::Success {
                        first = first.or(reason);
                    }
                }
            }
        }
        first
    }

    fn judge(&mut self, frame: &mut Frame, step: &Step) -> Verdict {
        match self.halted() {
            Halt::Stopping => {
                frame.status = Status::Cancelled;
                return Verdict::Halted;
            }
            Halt::Cancelled => {
                self.run_out();
                frame.status = Status::Cancelled;
            }
            // A job that took longer than it may has failed; nobody has stopped it.
            Halt::No if Instant::now() >= self.deadline => {
                self.run_out();
                frame.status = Status::Failure;
            }
            Halt::No => {}
        }
        let env = match self.step_env(frame, step) {
            Ok(env) => env,
            // Whether it runs does not depend on them: the step itself will fail by them.
            Err(_) => IndexMap::new(),
        };
        match self.ask(frame, &env, |scope| {
            expression::condition(&step.condition, scope)
        }) {
            Ok(true) => Verdict::Runs(env),
            Ok(false) if frame.status == Status::Cancelled => Verdict::Halted,
            Ok(false) => Verdict::Skipped,
            Err(error) => Verdict::Undecided(error.to_string()),
        }
    }

    /// From now on only steps that always run do, for a while.
    fn run_out(&mut self) {
        self.afterwards
            .get_or_insert_with(|| Instant::now() + AFTERWARDS);
    }

    fn step_env(
        &mut self,
        frame: &Frame,
        step: &Step,
    ) -> Result<IndexMap<String, String>, expression::Error> {
        let mut env = IndexMap::new();
        for (name, text) in &step.env {
            env.insert(name.clone(), self.fill(frame, &IndexMap::new(), text)?);
        }
        Ok(env)
    }

    fn skip(frame: &mut Frame, key: &str) -> Conclusion {
        frame.note(
            key,
            IndexMap::new(),
            Conclusion::Skipped,
            Conclusion::Skipped,
        );
        Conclusion::Skipped
    }

    async fn step(
        &mut self,
        frame: &Frame,
        key: &str,
        step: &Step,
        env: &IndexMap<String, String>,
    ) -> Outcome {
        self.name_action(key);
        if let Err(error) = self.step_env(frame, step) {
            return Outcome::failure(error.to_string());
        }
        let limit = match self.limit(frame, step, env) {
            Ok(limit) => limit,
            Err(reason) => return Outcome::failure(reason),
        };
        let outcome = match &step.action {
            StepAction::Run { .. } => self
                .script(frame, step, env, limit)
                .await
                .map_err(|error| error.to_string()),
            StepAction::Uses { uses, with } => {
                let called = self.action(frame, uses, with, env, limit).await;
                called.map_err(|error| error.to_string())
            }
        };
        outcome.unwrap_or_else(Outcome::failure)
    }

    /// Tells the step which one it is, in its variables and in the context.
    fn name_action(&mut self, key: &str) {
        self.ground
            .own
            .insert("GITHUB_ACTION".to_owned(), key.to_owned());
        for name in ["github", "gitea"] {
            if let Some(Value::Object(members)) = self.ground.contexts.get_mut(name) {
                members.insert("action".to_owned(), Value::text(key));
            }
        }
    }

    /// When the step must have ended: its own time, and the job's.
    fn limit(
        &mut self,
        frame: &Frame,
        step: &Step,
        env: &IndexMap<String, String>,
    ) -> Result<Instant, String> {
        let whole = self.afterwards.unwrap_or(self.deadline);
        let text = self.fill_option(frame, env, step.timeout_minutes.as_ref());
        let text = text.map_err(|error| error.to_string())?;
        // As recorded: only whole minutes count, and none at all is no time.
        match text.and_then(|text| text.trim().parse::<u32>().ok()) {
            Some(0) => Err("the step has no time: `timeout-minutes` is 0".to_owned()),
            Some(minutes) => Ok(whole.min(Instant::now() + self.host.minute * minutes)),
            None => Ok(whole),
        }
    }

    async fn conclude(
        &mut self,
        frame: &mut Frame,
        key: &str,
        step: &Step,
        env: &IndexMap<String, String>,
        outcome: Outcome,
    ) -> Conclusion {
        let goes_on = self
            .fill(frame, env, &step.continue_on_error)
            .is_ok_and(|text| text.trim() == "true");
        let conclusion = match outcome.conclusion {
            Conclusion::Failure if goes_on => Conclusion::Success,
            other => other,
        };
        frame.note(key, outcome.outputs, outcome.conclusion, conclusion);
        match conclusion {
            Conclusion::Cancelled => {
                self.run_out();
                frame.status = Status::Cancelled;
            }
            Conclusion::Failure if frame.status == Status::Success => {
                frame.status = Status::Failure
            }
            _ => {}
        }
        // The server shows what happened, not what came of it.
        outcome.conclusion
    }
}
