//! A Gitea: its world, the pure part of its answers, and the bare repositories behind it.
//!
//! [`Gitea::handle`] takes a [`Call`] and answers a [`Reply`]. In between, [`router`] finds the route
//! of a path, [`auth`] says who asks, [`Scene::enter`] looks up what the path names and checks what the
//! route needs, and a handler reads or changes the [`World`]. Changes are told as [`events::Event`]s to
//! [`actions`] and [`hooks`] before the call ends, and stored as rows by whoever gave a [`Storage`].
//!
//! # Adding operations
//! Write a file with `pub(crate) const ROUTES: &[Route]` and handlers of the kinds in [`router::Run`],
//! and name it in [`api`]. What lies outside `/api/v1` is a [`api::Door`].
//! State that must last lives in a [`table::Table`] that [`World::tables`] names.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use tokio::sync::{oneshot, watch};

use crate::journal::Journal;

pub mod access;
pub mod actions;
pub mod api;
pub mod auth;
pub mod bind;
pub mod call;
pub mod clock;
mod committing;
pub mod connect;
pub mod events;
pub mod git;
pub mod glob;
pub mod hooks;
mod install;
#[cfg(feature = "wiremock")]
mod mount;
mod owners;
pub mod page;
mod pages;
pub mod password;
pub mod permission;
pub mod projects;
pub mod protection;
pub mod pulls;
mod pushes;
pub mod random;
pub mod reply;
pub mod router;
pub mod runners;
pub mod scene;
pub mod scope;
pub mod settings;
pub mod smart;
pub mod table;
pub mod tags;
mod versions;
pub mod workflow;
pub mod world;

#[cfg(feature = "server")]
pub(crate) use install::set_key;

pub use call::Call;
pub use events::{Effects, Event, PushEvent};
pub use git::Git;
pub use reply::{Answer, Reply};
pub use scene::Scene;
pub use settings::Settings;
pub use world::World;

/// Where changed rows go.
pub trait Storage: Send + Sync {
    /// Takes the rows of one change; the receipt says when they are safe. Changes are stored in the
    /// order in which they are given, each wholly or not at all.
    fn queue(&self, changes: Vec<table::RowChange>) -> Receipt;
}

/// Says when a change is safe.
#[derive(Debug, Default)]
#[must_use = "a change is not safe before its receipt says so"]
pub struct Receipt(Option<oneshot::Receiver<bool>>);

impl Receipt {
    /// For a change that somebody will report about.
    pub fn pending(report: oneshot::Receiver<bool>) -> Self {
        Self(Some(report))
    }

    /// Waits until the change is safe; `false` when it could not be stored.
    pub async fn stored(self) -> bool {
        match self.0 {
            Some(report) => report.await.unwrap_or(false),
            None => true,
        }
    }

    /// Waits until the change is safe, on whatever thread this is; for starts and ends alone.
    pub(crate) fn stored_blocking_anywhere(mut self) -> bool {
        let Some(report) = &mut self.0 else {
            return true;
        };
        loop {
            match report.try_recv() {
                Ok(stored) => return stored,
                Err(oneshot::error::TryRecvError::Closed) => return false,
                Err(oneshot::error::TryRecvError::Empty) => {
                    std::thread::park_timeout(Duration::from_micros(200))
                }
            }
        }
    }

    /// The same for callers outside of any asynchronous runtime.
    #[must_use]
    pub fn stored_blocking(self) -> bool {
        self.0
            .is_none_or(|report| report.blocking_recv().unwrap_or(false))
    }
}

/// An answer that may be sent once its receipt says so.
#[derive(Debug)]
#[must_use]
pub struct Handled {
    /// The answer.
    pub reply: Reply,
    /// When what it promises is safe.
    pub receipt: Receipt,
}

impl From<Reply> for Handled {
    fn from(reply: Reply) -> Self {
        Self {
            reply,
            receipt: Receipt::default(),
        }
    }
}

/// One Gitea, shared by all its doors.
pub struct Gitea {
    world: RwLock<World>,
    git: Git,
    storage: Option<Box<dyn Storage>>,
    changes: watch::Sender<u64>,
    verified: auth::Verified,
    journal: Option<Journal>,
    kept: api::kept::Kept,
    /// The second number of the release that is played.
    minor: u32,
}

impl std::fmt::Debug for Gitea {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Gitea")
            .field("git", &self.git)
            .finish_non_exhaustive()
    }
}

impl Gitea {
    /// A Gitea of this world over these repositories; without storage it lives in memory.
    #[must_use]
    pub fn new(world: World, git: Git, storage: Option<Box<dyn Storage>>) -> Arc<Self> {
        Self::with_journal(world, git, storage, Some(Journal::default()))
    }

    /// The same with a journal of one's own, or none.
    #[must_use]
    pub fn with_journal(
        world: World,
        git: Git,
        storage: Option<Box<dyn Storage>>,
        journal: Option<Journal>,
    ) -> Arc<Self> {
        let (changes, _) = watch::channel(0);
        Arc::new(Self {
            minor: world.settings.minor(),
            world: RwLock::new(world),
            git,
            storage,
            changes,
            verified: auth::Verified::default(),
            kept: api::kept::Kept::default(),
            journal,
        })
    }

    /// What was asked and answered, unless nobody wanted to know.
    #[must_use]
    pub fn journal(&self) -> Option<&Journal> {
        self.journal.as_ref()
    }

    /// The bare repositories.
    #[must_use]
    pub fn git(&self) -> &Git {
        &self.git
    }

    /// Looks at the world, beside others who look.
    pub fn read<R>(&self, look: impl FnOnce(&World, &Git) -> R) -> R {
        look(
            &self.world.read().unwrap_or_else(PoisonError::into_inner),
            &self.git,
        )
    }

    /// Changes the world alone; events that the change pushes are told to Actions and webhooks within it.
    pub fn write<R>(
        &self,
        change: impl FnOnce(&mut World, &Git, &mut Effects) -> R,
    ) -> (R, Receipt) {
        let mut world = self.world.write().unwrap_or_else(PoisonError::into_inner);
        let mut effects = Effects::default();
        let answer = change(&mut world, &self.git, &mut effects);
        self.tell(&mut world, &mut effects);
        let changes = world.drain();
        let receipt = match &self.storage {
            Some(storage) if !changes.is_empty() => storage.queue(changes.clone()),
            _ => Receipt::default(),
        };
        if !changes.is_empty() {
            // Before anybody else looks: what was kept of the state before is old from now on.
            self.changes.send_modify(|count| *count += 1);
        }
        drop(world);
        for repo in effects.remove_folders {
            self.git.remove(repo);
        }
        (answer, receipt)
    }

    /// Tells events in their order; those who hear may push further ones.
    fn tell(&self, world: &mut World, effects: &mut Effects) {
        let mut told = 0;
        while let Some(event) = effects.events.get(told).cloned() {
            pulls::on_event(world, &self.git, &event, effects);
            actions::on_event(world, &self.git, &event, effects);
            hooks::on_event(world, &self.git, &event, effects);
            told += 1;
        }
    }

    /// How many changes there were.
    fn state(&self) -> u64 {
        *self.changes.borrow()
    }

    /// Whether answers may be kept: not where each is written down as values, or turned into an older release's.
    fn keeps(&self) -> Option<()> {
        (self.journal.is_none() && self.minor >= 26).then_some(())
    }

    /// Counts changes of the world: for workers that wait for something to do.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }
}

/// Starts everything that goes on without being asked, until `stopped` changes.
#[cfg(feature = "server")]
pub(crate) fn background(
    gitea: &Arc<Gitea>,
    stopped: &watch::Receiver<bool>,
) -> Vec<tokio::task::JoinHandle<()>> {
    let until_stopped = |work: std::pin::Pin<Box<dyn Future<Output = ()> + Send>>| {
        let mut stopped = stopped.clone();
        tokio::spawn(async move {
            tokio::select! {
                () = work => {}
                _ = stopped.changed() => {}
            }
        })
    };
    vec![
        until_stopped(Box::pin(hooks::deliver_forever(Arc::clone(gitea)))),
        until_stopped(Box::pin(actions::keep_time_forever(Arc::clone(gitea)))),
    ]
}
