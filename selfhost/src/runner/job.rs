//! One job, from what the server hands out to its end.

mod action;
mod called;
mod checkout;
mod frame;
mod ground;
mod script;
mod steps;
#[cfg(test)]
mod tests;

use std::{
    error::Error,
    path::{Path, PathBuf},
    time::Duration,
};

use indexmap::IndexMap;
use tokio::{sync::watch, time::Instant};

use self::{frame::Frame, ground::Ground};
use super::{
    assignment::Assignment,
    console::Console,
    expression::{self, Status, Value},
    folders::Folders,
    progress::{Conclusion, Progress},
    surroundings::{self, Host},
    workflow::{Job, RunDefaults, Step, Work, Workflow},
};

/// How long a job may take when it says nothing else.
const LONGEST: Duration = Duration::from_secs(3 * 3600);

/// How long the steps of a stopped job that always run may take, all together.
const AFTERWARDS: Duration = Duration::from_secs(300);

/// Whether a job may go on; later words are stronger.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Halt {
    /// It may.
    #[default]
    No,
    /// The server has cancelled it: steps that always run still do.
    Cancelled,
    /// The runner itself is going down: nothing runs any more.
    Stopping,
}

/// Everything that the steps of one job share.
struct Running<'a> {
    assignment: &'a Assignment,
    host: &'a Host,
    /// Where folders of jobs are made.
    work: PathBuf,
    progress: Progress,
    console: Console,
    halt: watch::Receiver<Halt>,
    ground: Ground,
    /// When the job must have ended.
    deadline: Instant,
    /// When the steps that always run must have ended, once the job was stopped.
    afterwards: Option<Instant>,
    /// Counts scripts, so that each has a file of its own.
    scripts: usize,
    /// How deep actions have called each other.
    depth: usize,
}

/// Carries a job out and leaves nothing behind. What it comes to stands in `progress`; the end is
/// written there last.
pub(crate) async fn run(
    assignment: &Assignment,
    host: &Host,
    work: &Path,
    progress: Progress,
    halt: watch::Receiver<Halt>,
) {
    let hidden = assignment.hidden();
    let hidden = hidden.iter().map(|(name, value)| (*name, value.as_str()));
    let console = Console::new(progress.clone(), hidden);
    console.say(greeting(assignment, host)).await;
    let conclusion = match prepare(assignment, work) {
        Ok((workflow, folders)) => {
            let run = Run {
                assignment,
                host,
                work,
                progress: progress.clone(),
                halt,
            };
            run.carry_out(&workflow, folders, console).await
        }
        Err(reason) => {
            progress.begin(0);
            console.fail(&reason).await;
            Conclusion::Failure
        }
    };
    progress.end(conclusion);
}

fn greeting(assignment: &Assignment, host: &Host) -> String {
    let (name, version, id) = (&host.name, &host.version, assignment.id);
    let (job, event) = (assignment.said("job"), assignment.said("event_name"));
    format!(
        "{name}(version:{version}) received task {id} of job {job}, be triggered by event: {event}"
    )
}

/// The workflow and the folders, before anything runs.
fn prepare(assignment: &Assignment, work: &Path) -> Result<(Workflow, Folders), String> {
    let workflow = Workflow::read(&assignment.payload);
    let workflow = workflow.map_err(|error| {
        format!(
            "the workflow cannot be carried out: {}",
            with_causes(&error)
        )
    })?;
    let folders = Folders::make(work);
    let folders = folders
        .map_err(|error| format!("no folders for the job below {}: {error}", work.display()))?;
    Ok((workflow, folders))
}

/// An error and its causes on one line.
fn with_causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text = format!("{text}: {cause}");
        next = cause.source();
    }
    text
}

/// What a job is carried out with.
struct Run<'a> {
    assignment: &'a Assignment,
    host: &'a Host,
    work: &'a Path,
    progress: Progress,
    halt: watch::Receiver<Halt>,
}

impl Run<'_> {
    async fn carry_out(
        self,
        workflow: &Workflow,
        folders: Folders,
        console: Console,
    ) -> Conclusion {
        let Some(job) = workflow.jobs.values().next() else {
            console.fail("the workflow holds no job").await;
            return Conclusion::Failure;
        };
        let ground = Ground::new(self.assignment, workflow, job, self.host, folders);
        let event = ground.write_event(self.assignment);
        let mut running = Running {
            assignment: self.assignment,
            host: self.host,
            work: self.work.to_owned(),
            progress: self.progress,
            console,
            halt: self.halt,
            ground,
            deadline: Instant::now() + LONGEST,
            afterwards: None,
            scripts: 0,
            depth: 0,
        };
        let conclusion = match event {
            Ok(()) => running.job(workflow, job).await,
            Err(error) => {
                running
                    .console
                    .fail(&format!("the event cannot be written: {error}"))
                    .await;
                Conclusion::Failure
            }
        };
        running.ground.leave().await;
        conclusion
    }
}

impl Running<'_> {
    async fn job(&mut self, workflow: &Workflow, job: &Job) -> Conclusion {
        if let Some(reason) = job.unsupported.first() {
            let steps = match &job.work {
                Work::Steps(steps) => steps.len(),
                Work::Call { .. } => 0,
            };
            self.console.fail(reason).await;
            self.none_of(steps, Conclusion::Cancelled);
            return Conclusion::Failure;
        }
        match &job.work {
            Work::Steps(steps) => self.own_steps(workflow, job, steps).await,
            Work::Call { .. } => self.called(workflow, job).await,
        }
    }

    /// The job's own steps, between its condition and its outputs.
    async fn own_steps(&mut self, workflow: &Workflow, job: &Job, steps: &[Step]) -> Conclusion {
        let mut frame = match self.frame(workflow, job).await {
            Ok(frame) => frame,
            Err(conclusion) => {
                let skipped = conclusion == Conclusion::Skipped;
                let each = if skipped {
                    Conclusion::Skipped
                } else {
                    Conclusion::Cancelled
                };
                self.none_of(steps.len(), each);
                return conclusion;
            }
        };
        self.progress.begin(steps.len());
        for (index, step) in steps.iter().enumerate() {
            self.reported_step(&mut frame, index, step).await;
        }
        match self.given(&frame, &job.outputs).await {
            Some(outputs) => self.progress.set_outputs(outputs),
            None => frame.status = Status::Failure,
        }
        conclusion_of(frame.status)
    }

    /// Marks every step as one that never began.
    fn none_of(&self, steps: usize, conclusion: Conclusion) {
        self.progress.begin(steps);
        for index in 0..steps {
            self.progress.end_step(index, conclusion);
        }
    }

    /// The outermost frame of a job, unless its condition does not hold.
    async fn frame(&mut self, workflow: &Workflow, job: &Job) -> Result<Frame, Conclusion> {
        let base = surroundings::base(self.host, &self.ground.folders);
        let mut frame = Frame::new(base, self.ground.contexts.get("inputs"));
        let status = self.status_of_needs();
        let holds = self.ask_as(&frame, &IndexMap::new(), status, |scope| {
            expression::condition(&job.condition, scope)
        });
        let filled = match holds {
            Ok(true) => self.fill_frame(&mut frame, workflow, job),
            Ok(false) => return Err(Conclusion::Skipped),
            Err(error) => Err(error),
        };
        match filled {
            Ok(()) => Ok(frame),
            Err(error) => {
                self.console.fail(&format!("the job: {error}")).await;
                Err(Conclusion::Failure)
            }
        }
    }

    /// Variables, defaults and time of the job.
    fn fill_frame(
        &mut self,
        frame: &mut Frame,
        workflow: &Workflow,
        job: &Job,
    ) -> Result<(), expression::Error> {
        let none = IndexMap::new();
        self.add_env(frame, &workflow.env)?;
        self.add_env(frame, &job.env)?;
        let (inner, outer) = (&job.defaults, &workflow.defaults);
        let shell = inner.shell.as_ref().or(outer.shell.as_ref());
        let folder = inner
            .working_directory
            .as_ref()
            .or(outer.working_directory.as_ref());
        frame.defaults = RunDefaults {
            shell: self.fill_option(frame, &none, shell)?,
            working_directory: self.fill_option(frame, &none, folder)?,
        };
        let minutes = self.fill_option(frame, &none, job.timeout_minutes.as_ref())?;
        if let Some(minutes) = minutes.and_then(|text| text.trim().parse::<u32>().ok()) {
            self.deadline = Instant::now() + LONGEST.min(self.host.minute * minutes);
        }
        Ok(())
    }

    /// What the status functions of a job's own condition answer from.
    fn status_of_needs(&self) -> Status {
        let results: Vec<String> = match self.ground.contexts.get("needs") {
            Some(Value::Object(needs)) => needs
                .values()
                .map(|need| need.member("result").to_text())
                .collect(),
            _ => Vec::new(),
        };
        let any = |word: Conclusion| results.iter().any(|result| result == word.word());
        if any(Conclusion::Cancelled) {
            Status::Cancelled
        } else if any(Conclusion::Failure) {
            Status::Failure
        } else if any(Conclusion::Skipped) {
            Status::Unmet
        } else {
            Status::Success
        }
    }

    /// The outputs of a job; none where one of them has no value.
    async fn given(
        &mut self,
        frame: &Frame,
        outputs: &IndexMap<String, String>,
    ) -> Option<IndexMap<String, String>> {
        let mut given = IndexMap::new();
        for (name, text) in outputs {
            match self.fill(frame, &IndexMap::new(), text) {
                Ok(value) => drop(given.insert(name.clone(), value)),
                Err(error) => {
                    self.console
                        .fail(&format!("the output `{name}` of the job: {error}"))
                        .await;
                    return None;
                }
            }
        }
        Some(given)
    }

    fn halted(&self) -> Halt {
        *self.halt.borrow()
    }
}

fn conclusion_of(status: Status) -> Conclusion {
    match status {
        Status::Success => Conclusion::Success,
        Status::Failure => Conclusion::Failure,
        Status::Cancelled => Conclusion::Cancelled,
        Status::Unmet => Conclusion::Skipped,
    }
}
