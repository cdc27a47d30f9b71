//! Tells the server how a job goes, while it goes, and hears whether it is cancelled.
//!
//! Rows and states travel beside each other, so that a log that hangs does not stop the heartbeat.
//! Nothing is forgotten before the server has it; a server that is away is waited for.

use std::time::{Duration, SystemTime};

use gitea_api::{
    Error, ErrorKind,
    runner::{Runner, SealedLog, ServerView, Task, TaskLog, TaskReport, TaskResult},
};
use jiff::Timestamp;
use tokio::{sync::watch, time::Instant};

use super::{
    job::Halt,
    progress::{Conclusion, Progress, Snapshot, StepProgress},
};
use crate::wait::{Backoff, pause};

/// Rows are gathered for so long before they are sent: an eye does not see it, a server does.
const GATHERED: Duration = Duration::from_millis(40);

/// A job that is silent is heard of so often; the server answers whether it is cancelled.
const HEARTBEAT: Duration = Duration::from_secs(2);

/// How long the end of a job is kept for a server that is away.
const KEPT: Duration = Duration::from_secs(1800);

/// The same when the runner itself is going down.
const KEPT_STOPPING: Duration = Duration::from_secs(20);

/// Reports one job until the server knows its end.
pub(super) struct Reporter {
    log: TaskLog,
    report: TaskReport,
    progress: Progress,
    halt: watch::Sender<Halt>,
    /// The milestones that the server has heard of.
    told: u64,
    heard_at: Instant,
    backoff: Backoff,
}

impl Reporter {
    /// A reporter for a task that was fetched. It turns `halt` when the server cancels the task.
    pub(super) fn new(
        runner: &Runner,
        task: &Task,
        progress: Progress,
        halt: watch::Sender<Halt>,
    ) -> Self {
        Self {
            log: runner.log(task),
            report: runner.report(task),
            progress,
            halt,
            told: 0,
            heard_at: Instant::now(),
            backoff: Backoff::default(),
        }
    }

    /// Reports until the end.
    ///
    /// # Errors
    /// When the server does not know the runner any more, or did not take the end in time.
    pub(super) async fn run(mut self) -> Result<ServerView, Error> {
        loop {
            self.progress.changed_within(HEARTBEAT).await;
            pause(GATHERED).await;
            let snapshot = self.take();
            if let Some((time, conclusion)) = snapshot.ended {
                return self.finish(snapshot, time, conclusion).await;
            }
            self.tell(&snapshot).await?;
        }
    }

    /// Takes rows and states over from the job.
    fn take(&mut self) -> Snapshot {
        // The snapshot first: rows that come after it are told with the next one.
        let snapshot = self.progress.snapshot();
        let taken = u64::try_from(self.log.written()).unwrap_or(0);
        for row in self.progress.rows_from(taken) {
            self.log
                .push(timestamp(row.time), &row.content.replace('\n', "\\n"));
        }
        self.describe(&snapshot);
        snapshot
    }

    fn describe(&mut self, snapshot: &Snapshot) {
        if let Some(started) = snapshot.started {
            self.report.begin(timestamp(started));
        }
        for (index, step) in snapshot.steps.iter().enumerate() {
            let first = i64::try_from(step.log_index).unwrap_or(i64::MAX);
            let length = i64::try_from(step.log_length).unwrap_or(i64::MAX);
            let rows = first..first.saturating_add(length);
            match step {
                StepProgress {
                    ended: Some((time, conclusion)),
                    started,
                    ..
                } => {
                    if let Some(started) = started {
                        self.report.begin_step(index, timestamp(*started), first);
                    }
                    self.report
                        .end_step(index, timestamp(*time), result(*conclusion), rows);
                }
                StepProgress {
                    started: Some(started),
                    ..
                } => {
                    self.report.begin_step(index, timestamp(*started), first);
                    self.report.extend_step(index, rows);
                }
                StepProgress {
                    started: None,
                    ended: None,
                    ..
                } => {}
            }
        }
    }

    /// Tells rows and state, side by side.
    async fn tell(&mut self, snapshot: &Snapshot) -> Result<(), Error> {
        let due = snapshot.milestones != self.told || self.heard_at.elapsed() >= HEARTBEAT;
        let state = async {
            if due {
                self.report.heartbeat().await.map(Some)
            } else {
                Ok(None)
            }
        };
        let (rows, state) = tokio::join!(self.log.flush(), state);
        self.acknowledge();
        if due && state.is_ok() {
            self.told = snapshot.milestones;
            self.heard_at = Instant::now();
        }
        match (rows, state) {
            (Ok(()), Ok(view)) => {
                self.backoff.reset();
                self.hear(view.as_ref());
                Ok(())
            }
            (Err(error), _) | (_, Err(error)) if hopeless(&error) => {
                self.halt.send_replace(Halt::Stopping);
                Err(error)
            }
            _ => {
                self.backoff.wait().await;
                Ok(())
            }
        }
    }

    fn acknowledge(&self) {
        let waiting = i64::try_from(self.log.waiting()).unwrap_or(0);
        self.progress
            .acknowledge(u64::try_from(self.log.written() - waiting).unwrap_or(0));
    }

    fn hear(&self, view: Option<&ServerView>) {
        let over = matches!(view, Some(ServerView::Cancelled | ServerView::Over(_)));
        if over {
            self.halt.send_if_modified(|halt| {
                let first = *halt == Halt::No;
                *halt = (*halt).max(Halt::Cancelled);
                first
            });
        }
    }

    /// The end: all rows, then all outputs, then the result, each until the server has it.
    async fn finish(
        mut self,
        snapshot: Snapshot,
        time: SystemTime,
        conclusion: Conclusion,
    ) -> Result<ServerView, Error> {
        for (name, value) in snapshot.outputs {
            if let Err(refused) = self.report.set_output(name, value) {
                self.log
                    .push(Timestamp::now(), &format!("##[error]{refused}"));
            }
        }
        let stopping = *self.halt.borrow() == Halt::Stopping;
        let until = Instant::now() + if stopping { KEPT_STOPPING } else { KEPT };
        let sealed = seal(self.log, conclusion, until).await?;
        close(
            self.report,
            sealed,
            result(conclusion),
            timestamp(time),
            until,
        )
        .await
    }
}

async fn seal(
    mut log: TaskLog,
    conclusion: Conclusion,
    until: Instant,
) -> Result<SealedLog, Error> {
    let mut backoff = Backoff::default();
    let last = match conclusion {
        Conclusion::Success => "Job succeeded",
        Conclusion::Failure => "Job failed",
        Conclusion::Cancelled => "Job cancelled",
        Conclusion::Skipped => "Job skipped",
    };
    loop {
        match log.seal(Timestamp::now(), last).await {
            Ok(sealed) => return Ok(sealed),
            Err(unsealed) if hopeless(&unsealed.cause) || Instant::now() >= until => {
                return Err(unsealed.cause);
            }
            Err(unsealed) => log = *unsealed.log,
        }
        backoff.wait().await;
    }
}

async fn close(
    mut report: TaskReport,
    mut sealed: SealedLog,
    result: TaskResult,
    time: Timestamp,
    until: Instant,
) -> Result<ServerView, Error> {
    let mut backoff = Backoff::default();
    loop {
        match report.finish(sealed, result.clone(), time).await {
            Ok(view) => return Ok(view),
            Err(unfinished) if hopeless(&unfinished.cause) || Instant::now() >= until => {
                return Err(unfinished.cause);
            }
            Err(unfinished) => {
                report = *unfinished.report;
                sealed = unfinished.log;
            }
        }
        backoff.wait().await;
    }
}

/// Whether trying again cannot help.
fn hopeless(error: &Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::UnknownRunner | ErrorKind::NotFound | ErrorKind::Forbidden
    )
}

fn timestamp(time: SystemTime) -> Timestamp {
    Timestamp::try_from(time).unwrap_or_default()
}

fn result(conclusion: Conclusion) -> TaskResult {
    match conclusion {
        Conclusion::Success => TaskResult::Success,
        Conclusion::Failure => TaskResult::Failure,
        Conclusion::Cancelled => TaskResult::Cancelled,
        Conclusion::Skipped => TaskResult::Skipped,
    }
}
