//! One task, from what the server gave to the end that it knows.

use std::error::Error;

use gitea_api::{
    ids::TaskId,
    runner::{ServerView, Task},
};
use tokio::{sync::watch, task::JoinSet};

use super::Settings;
use crate::runner::{
    assignment::{Assignment, Need},
    event::{Event, Events},
    expression::Value,
    job::{self, Halt},
    journal::{Held, Journal, Left},
    progress::{Progress, State},
    report::{self, Reporter},
    surroundings::Host,
};

/// What the log says of a job that a killed runner was in the middle of.
const CUT_SHORT: &str = "the runner was ended in the middle of this job, by a kill or by a loss of \
    power; what had been printed until then is above. Nothing of the job runs any more, and it is \
    not begun again by itself: run it again when that does no harm";

/// The same when this runner itself failed.
const PANICKED: &str = "the runner failed in the middle of this job; this is a fault of its own";

/// A task as the server gave it.
pub(super) struct Given {
    assignment: Assignment,
    job: String,
    repository: String,
}

impl Given {
    /// In plain values.
    pub(super) fn new(task: &Task) -> Self {
        Self {
            assignment: assignment(task),
            job: task.context_text("job").to_owned(),
            repository: task.context_text("repository").to_owned(),
        }
    }

    fn held(&self, runner: &str) -> Held {
        Held {
            task: self.assignment.id,
            runner: runner.to_owned(),
            job: self.job.clone(),
            repository: self.repository.clone(),
        }
    }
}

/// Carries a job out and reports it. Gives the task's number back when the server knows its end.
pub(super) async fn carry_out(
    settings: &Settings,
    events: &Events,
    given: Given,
    halt: watch::Sender<Halt>,
    halted: watch::Receiver<Halt>,
) -> i64 {
    let held = given.held(&settings.runner.credentials().uuid);
    events.tell(Event::Began {
        task: held.task,
        job: held.job.clone(),
        repository: held.repository.clone(),
    });
    let progress = match Journal::begin(&settings.work, held.clone()) {
        Ok(journal) => Progress::kept_in(journal, State::default()),
        // The job itself will say what is wrong with the folder.
        Err(_) => Progress::default(),
    };
    // The server knows that the job is here before it can do anything.
    let synced = tokio::spawn({
        let progress = progress.clone();
        async move { progress.sync().await }
    });
    let reporter = Reporter::new(
        &settings.runner,
        TaskId::from(held.task),
        progress.clone(),
        halt,
    );
    let job = carried(settings, given.assignment, progress.clone(), halted);
    let (reported, ()) = tokio::join!(reporter.run(), job);
    drop(synced.await);
    conclude(events, held, &progress, reported)
}

/// The job as a task of its own: whatever happens to it, it has an end.
async fn carried(
    settings: &Settings,
    assignment: Assignment,
    progress: Progress,
    halted: watch::Receiver<Halt>,
) {
    let host = Host {
        name: settings.name.clone(),
        version: settings.version.clone(),
        server: settings.server.trim_end_matches('/').to_owned(),
        inherited: settings.inherited.clone(),
        minute: settings.minute,
    };
    let work = settings.work.clone();
    let mut job = JoinSet::new();
    job.spawn({
        let progress = progress.clone();
        async move { job::run(&assignment, &host, &work, progress, halted).await }
    });
    if let Some(Err(_)) = job.join_next().await {
        progress.cut_short(PANICKED);
    }
}

/// Reports what an earlier runner held: the result it had, or a failure. Gives the task's number
/// back when the server knows its end.
pub(super) async fn recover(
    settings: &Settings,
    events: &Events,
    left: Left,
    halt: watch::Sender<Halt>,
) -> i64 {
    let held = left.held;
    let ended = left.state.snapshot().ended.is_some();
    let progress = Progress::kept_in(left.journal, left.state);
    if held.runner != settings.runner.credentials().uuid {
        // Registered anew since: the server takes no word of that task from this runner.
        drop(progress.forget());
        return held.task;
    }
    events.tell(Event::Recovered {
        task: held.task,
        job: held.job.clone(),
        repository: held.repository.clone(),
        ended,
    });
    progress.cut_short(CUT_SHORT);
    let id = TaskId::from(held.task);
    let reporter = Reporter::new(&settings.runner, id, progress.clone(), halt);
    let reported = reporter.run().await;
    conclude(events, held, &progress, reported)
}

/// Tells how it went. What the server knows, or does not want to know, is kept no longer.
fn conclude(
    events: &Events,
    held: Held,
    progress: &Progress,
    reported: Result<ServerView, gitea_api::Error>,
) -> i64 {
    let Held {
        task,
        job,
        repository,
        ..
    } = held;
    let settled = match &reported {
        Ok(_) => true,
        Err(error) => report::hopeless(error),
    };
    if settled {
        // Where it cannot be taken away, the next start tells it again, which changes nothing.
        drop(progress.forget());
    }
    events.tell(match reported {
        Ok(view) => Event::Ended {
            task,
            job,
            repository,
            result: seen(&view),
        },
        Err(error) => Event::Unreported {
            task,
            job,
            repository,
            reason: with_causes(&error),
        },
    });
    task
}

fn seen(view: &ServerView) -> String {
    match view {
        ServerView::Over(result) => word(result.as_str()),
        ServerView::Cancelled => "cancelled".to_owned(),
        ServerView::Running => "running".to_owned(),
    }
}

fn word(result: &str) -> String {
    result.trim_start_matches("RESULT_").to_lowercase()
}

fn assignment(task: &Task) -> Assignment {
    let needs = task.needs.iter().map(|(id, need)| {
        (
            id.clone(),
            Need {
                result: word(need.result.as_str()),
                outputs: need.outputs.clone().into_iter().collect(),
            },
        )
    });
    Assignment {
        id: task.id.get(),
        payload: task.workflow.clone(),
        context: Value::from(serde_json::Value::Object(task.whole_context())),
        secrets: task
            .secrets
            .iter()
            .map(|(name, secret)| (name.clone(), secret.reveal().to_owned()))
            .collect(),
        vars: task.vars.clone().into_iter().collect(),
        needs: needs.collect(),
    }
}

/// An error with its causes, on one line.
pub(super) fn with_causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text = format!("{text}: {cause}");
        next = cause.source();
    }
    text
}
