//! The runner itself: waits for its server, takes jobs, carries out several at a time, goes down
//! without losing any.

mod carry;
mod place;

use std::{collections::BTreeSet, io, path::PathBuf, sync::Arc, time::Duration};

use gitea_api::{
    Error as ApiError, ErrorKind,
    ids::TaskId,
    runner::{Fetcher, Profile, Runner, Task},
};
use indexmap::IndexMap;
use tokio::{
    sync::watch,
    task::JoinSet,
    time::{Instant, timeout},
};

use self::{carry::Given, place::Place};
use super::{
    event::{Event, Events},
    job::Halt,
    journal,
};
use crate::wait::{Backoff, jittered, pause};

/// How long a server that knows how may wait for a job before it answers.
const WAIT: Duration = Duration::from_secs(25);

/// How often a free runner asks a server that answers at once.
const ASKED: Duration = Duration::from_millis(300);

/// How long running jobs may take to end when the runner goes down.
const GOING_DOWN: Duration = Duration::from_secs(40);

/// How long an answer that is on its way is waited for when the runner goes down: it may hold a job.
const LAST_ANSWER: Duration = Duration::from_millis(500);

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
    /// A folder of its own: folders of jobs are made here and swept at the start, and what the
    /// runner holds is written down here.
    pub work: PathBuf,
    /// How many jobs it carries out at a time; at least one.
    pub capacity: usize,
    /// The part of the environment that jobs inherit: `PATH` and the language.
    pub inherited: IndexMap<String, String>,
    /// What `timeout-minutes` counts: [`MINUTE`], unless somebody tries out what happens then.
    pub minute: Duration,
}

/// A minute.
pub const MINUTE: Duration = Duration::from_secs(60);

/// What a runner is to do; later words are stronger.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Order {
    /// Take jobs.
    #[default]
    Work,
    /// Take no more jobs, and end when those that run have been reported.
    Drain,
    /// End now: jobs that run are stopped, and reported as such.
    Stop,
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

/// Takes jobs until it is ordered otherwise.
///
/// The server may be away, at the start and later: it is waited for. What an earlier runner held
/// when it was killed is reported first: a result that it had as that result, a job that it was in
/// the middle of as a failure. No job is carried out twice.
///
/// # Errors
/// When the work folder cannot be used, or the server does not know the runner.
pub async fn run(
    settings: Settings,
    orders: watch::Receiver<Order>,
    events: Events,
) -> Result<(), Error> {
    let place = Place::take(&settings.work).await?;
    let daemon = Daemon {
        settings: Arc::new(settings),
        events,
        orders,
        jobs: JoinSet::new(),
        reports: JoinSet::new(),
        held: BTreeSet::new(),
        halts: Vec::new(),
    };
    daemon.run(&place).await
}

struct Daemon {
    settings: Arc<Settings>,
    events: Events,
    orders: watch::Receiver<Order>,
    /// Each ends with the number of its task, when the server knows its end.
    jobs: JoinSet<i64>,
    /// The same for tasks of an earlier runner.
    reports: JoinSet<i64>,
    /// The tasks of both.
    held: BTreeSet<i64>,
    halts: Vec<watch::Sender<Halt>>,
}

impl Daemon {
    async fn run(mut self, place: &Place) -> Result<(), Error> {
        let result = self.work(place).await;
        if result.is_ok() {
            self.drain().await;
        }
        self.go_down().await;
        result
    }

    /// Takes jobs, until there is another order.
    async fn work(&mut self, place: &Place) -> Result<(), Error> {
        if !self.declare().await? {
            return Ok(());
        }
        self.recover();
        let fetcher = self.settings.runner.fetcher();
        let mut fetcher = fetcher.waiting(WAIT).at(place.name());
        let mut backoff = Backoff::default();
        while *self.orders.borrow() == Order::Work {
            self.forget_ended();
            if self.jobs.len() >= self.settings.capacity.max(1) {
                tokio::select! {
                    ended = self.jobs.join_next() => self.forget(ended.and_then(Result::ok)),
                    () = told(self.orders.clone(), Order::Drain) => {}
                }
            } else {
                self.fetch(&mut fetcher, &mut backoff).await?;
            }
        }
        Ok(())
    }

    /// Says to the server that the runner is here; waits for a server that is not. `false` when
    /// there was another order first.
    async fn declare(&self) -> Result<bool, Error> {
        let mut backoff = Backoff::default();
        while *self.orders.borrow() == Order::Work {
            let declared = tokio::select! {
                declared = self.settings.runner.declare(&self.settings.profile) => declared,
                () = told(self.orders.clone(), Order::Drain) => return Ok(false),
            };
            match declared {
                Ok(_) => {
                    self.events.tell(Event::Ready {
                        name: self.settings.name.clone(),
                    });
                    return Ok(true);
                }
                Err(error) => self.bear(error, &mut backoff).await?,
            }
        }
        Ok(false)
    }

    /// Reports what an earlier runner held when it was killed.
    fn recover(&mut self) {
        for left in journal::left(&self.settings.work) {
            self.held.insert(left.held.task);
            let (halt, _) = watch::channel(Halt::No);
            self.halts.push(halt.clone());
            let (settings, events) = (Arc::clone(&self.settings), self.events.clone());
            self.reports
                .spawn(async move { carry::recover(&settings, &events, left, halt).await });
        }
    }

    /// Asks for one job and begins it, or lets time pass.
    async fn fetch(&mut self, fetcher: &mut Fetcher, backoff: &mut Backoff) -> Result<(), Error> {
        let held: Vec<TaskId> = self.held.iter().copied().map(TaskId::from).collect();
        let begun = Instant::now();
        let asked = fetcher.next_beside(&held);
        tokio::pin!(asked);
        let answer = tokio::select! {
            answer = asked.as_mut() => answer,
            () = told(self.orders.clone(), Order::Drain) => {
                match timeout(LAST_ANSWER, asked).await {
                    Ok(answer) => answer,
                    Err(_) => return Ok(()),
                }
            }
        };
        match answer {
            Ok(Some(task)) => {
                backoff.reset();
                self.begin(&task);
            }
            Ok(None) => {
                backoff.reset();
                // A server that waited by itself may be asked again at once.
                if begun.elapsed() < WAIT / 2 {
                    self.rest(jittered(ASKED)).await;
                }
            }
            Err(error) => self.bear(error, backoff).await?,
        }
        Ok(())
    }

    /// Lets time pass after a failure that may pass too.
    async fn bear(&self, error: ApiError, backoff: &mut Backoff) -> Result<(), Error> {
        if *error.kind() == ErrorKind::UnknownRunner {
            return Err(Error::Unknown(error));
        }
        self.events.tell(Event::ServerAway {
            reason: carry::with_causes(&error),
        });
        tokio::select! {
            () = backoff.wait() => {}
            () = told(self.orders.clone(), Order::Drain) => {}
        }
        Ok(())
    }

    async fn rest(&self, time: Duration) {
        tokio::select! {
            () = pause(time) => {}
            () = told(self.orders.clone(), Order::Drain) => {}
        }
    }

    fn begin(&mut self, task: &Task) {
        let (halt, halted) = watch::channel(Halt::No);
        self.halts.retain(|halt| halt.sender_count() > 1);
        self.halts.push(halt.clone());
        self.held.insert(task.id.get());
        let given = Given::new(task);
        let (settings, events) = (Arc::clone(&self.settings), self.events.clone());
        self.jobs
            .spawn(async move { carry::carry_out(&settings, &events, given, halt, halted).await });
    }

    fn forget_ended(&mut self) {
        while let Some(ended) = self.jobs.try_join_next() {
            self.forget(ended.ok());
        }
        while let Some(ended) = self.reports.try_join_next() {
            self.forget(ended.ok());
        }
    }

    /// A task whose end was reported, or whose report failed by itself, is held no longer.
    fn forget(&mut self, ended: Option<i64>) {
        if let Some(task) = ended {
            self.held.remove(&task);
        }
    }

    /// Waits until everything has been reported, or there is no time for that.
    async fn drain(&mut self) {
        let stop = told(self.orders.clone(), Order::Stop);
        tokio::select! {
            () = stop => {}
            () = all(&mut self.jobs, &mut self.reports) => {}
        }
    }

    /// Stops what runs, and waits until the server knows.
    async fn go_down(mut self) {
        for halt in &self.halts {
            halt.send_replace(Halt::Stopping);
        }
        drop(timeout(GOING_DOWN, all(&mut self.jobs, &mut self.reports)).await);
    }
}

/// Ends when all jobs and reports have.
async fn all(jobs: &mut JoinSet<i64>, reports: &mut JoinSet<i64>) {
    while jobs.join_next().await.is_some() {}
    while reports.join_next().await.is_some() {}
}

/// Ends when this is ordered, or something stronger; whoever gives orders may go away without any.
async fn told(mut orders: watch::Receiver<Order>, order: Order) {
    if orders.wait_for(|now| *now >= order).await.is_err() {
        std::future::pending::<()>().await;
    }
}
