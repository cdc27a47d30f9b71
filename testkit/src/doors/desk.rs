//! Where requests from any door meet the world.

use std::fmt;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use crate::journal::Journal;
use crate::pve::{Effect, Moment, Reply, Request, World};

/// Carries out what the world cannot do itself.
type Hands = Box<dyn Fn(Effect) + Send + Sync>;

/// A world behind a lock, with a journal of what it was asked.
pub struct Desk {
    world: Mutex<World>,
    /// What was asked and answered.
    pub journal: Journal,
    hands: OnceLock<Hands>,
}

impl fmt::Debug for Desk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Desk").finish_non_exhaustive()
    }
}

impl Desk {
    /// A desk for this world.
    #[must_use]
    pub fn new(world: World, journal: Journal) -> Self {
        Self {
            world: Mutex::new(world),
            journal,
            hands: OnceLock::new(),
        }
    }

    /// Who carries out the world's effects; without anybody they are dropped.
    #[cfg(feature = "server")]
    pub(crate) fn set_hands(&self, hands: impl Fn(Effect) + Send + Sync + 'static) {
        // Only the node that made the desk sets them, once.
        drop(self.hands.set(Box::new(hands)));
    }

    /// Answers a request now.
    pub fn ask(&self, request: &Request) -> Reply {
        let began = Moment::now();
        let mut reply = self.world().handle(request, began);
        self.journal.record(request, &reply, began);
        self.carry_out(std::mem::take(&mut reply.effects));
        reply
    }

    /// The world itself, to look at it or to change it between requests.
    pub fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends a task whose work was done outside.
    #[cfg(feature = "server")]
    pub(crate) fn complete(&self, upid: &str, outcome: Result<(), String>) {
        let effects = {
            let mut world = self.world();
            world.complete(upid, outcome, Moment::now());
            world.take_effects()
        };
        self.carry_out(effects);
    }

    pub(crate) fn carry_out(&self, effects: Vec<Effect>) {
        if let Some(hands) = self.hands.get() {
            effects.into_iter().for_each(hands);
        }
    }
}
