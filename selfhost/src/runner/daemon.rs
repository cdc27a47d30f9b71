//! The runner itself: waits for its server, takes jobs, carries out several at a time, goes down
//! without losing any.

use std::{
    fs::{self, File, TryLockError},
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use gitea_api::{
    Error as ApiError, ErrorKind,
    runner::{Fetcher, Profile, Runner, ServerView, Task},
};
use indexmap::IndexMap;
use tokio::{sync::watch, task::JoinSet, time::timeout};

use super::{
    assignment::{Assignment, Need},
    event::{Event, Events},
    expression::Value,
    folders::Folders,
    job::{self, Halt},
    progress::Progress,
    report::Reporter,
    surroundings::{self, Host},
};
use crate::{
    process,
    wait::{Backoff, jittered, pause},
};

/// How often a free runner asks for a job.
const ASKED: Duration = Duration::from_millis(300);

/// How long running jobs may take to end when the runner goes down.
const GOING_DOWN: Duration = Duration::from_secs(40);

/// What a runner works with.
#[derive(Debug)]
pub struct Settings {
    /// The runner as the server knows it.
    pub runner: Runner,
    /// How it presents itself.
    pub profile: Profile,
    /// Its name, for jobs to see.
    pub name: String,
    /// Its version, for jobs to see.
    pub version: String,
    /// Address of the server, as jobs reach it.
    pub server: String,
    /// A folder of its own: folders of jobs are made here and swept at the start.
    pub work: PathBuf,
    /// How many jobs it carries out at a time; at least one.
    pub capacity: usize,
    /// The part of the environment that jobs inherit: `PATH` and the language.
    pub inherited: IndexMap<String, String>,
}

/// Why a runner stopped.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Its folder cannot be used.
    #[error("the work folder `{}` cannot be used", path.display())]
    Work {
        /// The folder.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Another runner works there.
    #[error("another runner works in `{}`", .0.display())]
    Taken(PathBuf),
    /// The server does not know it, or no longer: it must be registered again.
    #[error("the server does not know this runner; register it again")]
    Unknown(#[source] ApiError),
}

/// Takes jobs until `stop` ends, then goes down: running jobs are stopped and reported as such.
///
/// The server may be away, at the start and later: it is waited for.
///
/// # Errors
/// When the work folder cannot be used, or the server does not know the runner.
pub async fn run(
    settings: Settings,
    stop: impl Future<Output = ()>,
    events: Events,
) -> Result<(), Error> {
    let _lock = take_folder(&settings.work).await?;
    let daemon = Daemon {
        settings: Arc::new(settings),
        events,
        jobs: JoinSet::new(),
        halts: Vec::new(),
    };
    daemon.run(stop).await
}

/// Takes the folder for this process alone, and sweeps what a killed runner left there.
async fn take_folder(work: &Path) -> Result<File, Error> {
    let fail = |source| Error::Work {
        path: work.to_owned(),
        source,
    };
    fs::create_dir_all(work).map_err(fail)?;
    let lock = File::create(work.join("lock")).map_err(fail)?;
    match lock.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Err(Error::Taken(work.to_owned())),
        Err(TryLockError::Error(source)) => return Err(fail(source)),
    }
    process::kill_marked_below(surroundings::TRACKING, work).await;
    Folders::sweep(work);
    Ok(lock)
}

struct Daemon {
    settings: Arc<Settings>,
    events: Events,
    jobs: JoinSet<()>,
    halts: Vec<watch::Sender<Halt>>,
}

impl Daemon {
    async fn run(mut self, stop: impl Future<Output = ()>) -> Result<(), Error> {
        let mut stop = std::pin::pin!(stop);
        let result = tokio::select! {
            () = &mut stop => Ok(()),
            result = self.work() => result,
        };
        self.go_down().await;
        result
    }

    async fn work(&mut self) -> Result<(), Error> {
        self.declare().await?;
        let mut fetcher = self.settings.runner.fetcher();
        let mut backoff = Backoff::default();
        loop {
            while self.jobs.len() >= self.settings.capacity.max(1) {
                self.jobs.join_next().await;
            }
            while self.jobs.try_join_next().is_some() {}
            self.fetch(&mut fetcher, &mut backoff).await?;
        }
    }

    /// Says to the server that the runner is here; waits for a server that is not.
    async fn declare(&self) -> Result<(), Error> {
        let mut backoff = Backoff::default();
        loop {
            match self.settings.runner.declare(&self.settings.profile).await {
                Ok(_) => {
                    self.events.tell(Event::Ready {
                        name: self.settings.name.clone(),
                    });
                    return Ok(());
                }
                Err(error) if *error.kind() == ErrorKind::UnknownRunner => {
                    return Err(Error::Unknown(error));
                }
                Err(error) => self.events.tell(Event::ServerAway {
                    reason: told(&error),
                }),
            }
            backoff.wait().await;
        }
    }

    /// Asks for one job and begins it, or lets time pass.
    async fn fetch(&mut self, fetcher: &mut Fetcher, backoff: &mut Backoff) -> Result<(), Error> {
        match fetcher.next().await {
            Ok(Some(task)) => {
                backoff.reset();
                self.begin(task);
            }
            Ok(None) => {
                backoff.reset();
                pause(jittered(ASKED)).await;
            }
            Err(error) if *error.kind() == ErrorKind::UnknownRunner => {
                return Err(Error::Unknown(error));
            }
            Err(error) => {
                self.events.tell(Event::ServerAway {
                    reason: told(&error),
                });
                backoff.wait().await;
            }
        }
        Ok(())
    }

    fn begin(&mut self, task: Task) {
        let (halt, halted) = watch::channel(Halt::No);
        self.halts.retain(|halt| !halt.is_closed());
        self.halts.push(halt.clone());
        let (settings, events) = (Arc::clone(&self.settings), self.events.clone());
        self.jobs
            .spawn(async move { carry_out(&settings, &events, task, halt, halted).await });
    }

    /// Stops what runs, and waits until the server knows.
    async fn go_down(mut self) {
        for halt in &self.halts {
            halt.send_replace(Halt::Stopping);
        }
        let all = async { while self.jobs.join_next().await.is_some() {} };
        drop(timeout(GOING_DOWN, all).await);
    }
}

/// One job, carried out and reported.
async fn carry_out(
    settings: &Settings,
    events: &Events,
    task: Task,
    halt: watch::Sender<Halt>,
    halted: watch::Receiver<Halt>,
) {
    let assignment = assignment(&task);
    let said = |name: &str| task.context_text(name).to_owned();
    let (id, job, repository) = (task.id.get(), said("job"), said("repository"));
    events.tell(Event::Began {
        task: id,
        job: job.clone(),
        repository: repository.clone(),
    });
    let host = Host {
        name: settings.name.clone(),
        version: settings.version.clone(),
        server: settings.server.trim_end_matches('/').to_owned(),
        inherited: settings.inherited.clone(),
    };
    let progress = Progress::default();
    let reporter = Reporter::new(&settings.runner, &task, progress.clone(), halt);
    let (reported, ()) = tokio::join!(
        reporter.run(),
        job::run(&assignment, &host, &settings.work, progress, halted)
    );
    events.tell(match reported {
        Ok(view) => Event::Ended {
            task: id,
            job,
            repository,
            result: seen(&view),
        },
        Err(error) => Event::Unreported {
            task: id,
            job,
            repository,
            reason: told(&error),
        },
    });
}

fn seen(view: &ServerView) -> String {
    match view {
        ServerView::Over(result) => result.as_str().trim_start_matches("RESULT_").to_lowercase(),
        ServerView::Cancelled => "cancelled".to_owned(),
        ServerView::Running => "running".to_owned(),
    }
}

fn assignment(task: &Task) -> Assignment {
    let needs = task.needs.iter().map(|(id, need)| {
        let result = need
            .result
            .as_str()
            .trim_start_matches("RESULT_")
            .to_lowercase();
        (
            id.clone(),
            Need {
                result,
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
fn told(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text = format!("{text}: {cause}");
        next = cause.source();
    }
    text
}
