//! Tells the server how a job goes, while it goes, and hears whether it is cancelled.
//!
//! Rows and states travel beside each other, so that a log that hangs does not stop the heartbeat.
//! Nothing is forgotten before the server has it; a server that is away is waited for.

use std::time::{Duration, SystemTime};

use gitea_api::{
    Error, ErrorKind,
    ids::TaskId,
    runner::{Runner, SealedLog, ServerView, TaskLog, TaskReport, TaskResult},
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

/// How long the end of a job is kept for a server that is away. It is on disk all the while.
const KEPT: Duration = Duration::from_secs(24 * 3600);

/// How long a server that answers may refuse it.
const KEPT_REFUSED: Duration = Duration::from_secs(1800);

/// How long a server must insist that it does not know the task: what stands in front of a server
/// that is being restarted may say so too.
const DISOWNED_FOR: Duration = Duration::from_secs(10);

/// How long a runner that is going down itself tries; the next start tries again.
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
    /// Since when the server does not know the task.
    disowned: Option<Instant>,
    backoff: Backoff,
}

impl Reporter {
    /// A reporter for a task, from where its progress stands. It turns `halt` when the server
    /// cancels the task.
    pub(super) fn new(
        runner: &Runner,
        task: TaskId,
        progress: Progress,
        halt: watch::Sender<Halt>,
    ) -> Self {
        let (log, report) = runner.resume(task, progress.acknowledged());
        Self {
            log,
            report,
            progress,
            halt,
            told: 0,
            heard_at: Instant::now(),
            disowned: None,
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
                self.disowned = None;
                self.backoff.reset();
                self.hear(view.as_ref());
                Ok(())
            }
            (Err(error), _) | (_, Err(error)) => self.bear(error).await,
        }
    }

    /// Waits before the next try; gives up on a task that the server insists not to know.
    async fn bear(&mut self, error: Error) -> Result<(), Error> {
        if hopeless(&error) {
            let since = *self.disowned.get_or_insert_with(Instant::now);
            if since.elapsed() >= DISOWNED_FOR {
                self.halt.send_replace(Halt::Stopping);
                return Err(error);
            }
        }
        self.backoff.wait().await;
        Ok(())
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
        let mut patience = Patience::new(&self.halt);
        // What the server will hold for true must not be forgotten by us.
        self.progress.sync().await;
        let sealed = seal(self.log, conclusion, &mut patience).await?;
        close(
            self.report,
            sealed,
            result(conclusion),
            timestamp(time),
            &mut patience,
        )
        .await
    }
}

/// For how long the end of a job is told again.
struct Patience {
    since: Instant,
    halted: watch::Receiver<Halt>,
    backoff: Backoff,
}

impl Patience {
    fn new(halt: &watch::Sender<Halt>) -> Self {
        Self {
            since: Instant::now(),
            halted: halt.subscribe(),
            backoff: Backoff::default(),
        }
    }

    /// Waits before the next try; `false` when there shall be none.
    async fn permits(&mut self, error: &Error) -> bool {
        let stopping = *self.halted.borrow() == Halt::Stopping;
        let limit = match error.kind() {
            _ if hopeless(error) => DISOWNED_FOR,
            _ if stopping => KEPT_STOPPING,
            ErrorKind::Connect
            | ErrorKind::Timeout
            | ErrorKind::Interrupted
            | ErrorKind::CertificateRefused
            | ErrorKind::Unavailable { .. } => KEPT,
            _ => KEPT_REFUSED,
        };
        if self.since.elapsed() >= limit {
            return false;
        }
        self.backoff.wait().await;
        true
    }
}

async fn seal(
    mut log: TaskLog,
    conclusion: Conclusion,
    patience: &mut Patience,
) -> Result<SealedLog, Error> {
    let last = match conclusion {
        Conclusion::Success => "Job succeeded",
        Conclusion::Failure => "Job failed",
        Conclusion::Cancelled => "Job cancelled",
        Conclusion::Skipped => "Job skipped",
    };
    loop {
        match log.seal(Timestamp::now(), last).await {
            Ok(sealed) => return Ok(sealed),
            Err(unsealed) if patience.permits(&unsealed.cause).await => log = *unsealed.log,
            Err(unsealed) => return Err(unsealed.cause),
        }
    }
}

async fn close(
    mut report: TaskReport,
    mut sealed: SealedLog,
    result: TaskResult,
    time: Timestamp,
    patience: &mut Patience,
) -> Result<ServerView, Error> {
    loop {
        match report.finish(sealed, result.clone(), time).await {
            Ok(view) => return Ok(view),
            Err(unfinished) if patience.permits(&unfinished.cause).await => {
                report = *unfinished.report;
                sealed = unfinished.log;
            }
            Err(unfinished) => return Err(unfinished.cause),
        }
    }
}

/// Whether trying again cannot help: the server does not know the task, or not as ours.
pub(super) fn hopeless(error: &Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::UnknownRunner
            | ErrorKind::NotFound
            | ErrorKind::Forbidden
            | ErrorKind::LogSealed
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
