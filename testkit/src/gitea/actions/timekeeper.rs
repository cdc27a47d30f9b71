//! Sees to it that what is due by the clock is done.

use crate::gitea::{Gitea, Receipt};

use super::schedule;

impl Gitea {
    /// Does what is due by the world's clock: scheduled runs, tasks whose runner is silent.
    pub fn tick(&self) -> Receipt {
        let due =
            self.read(|world, _| schedule::next_due(world).is_some_and(|at| at <= world.now()));
        if !due {
            return Receipt::default();
        }
        self.write(schedule::tick).1
    }
}

#[cfg(feature = "server")]
mod forever {
    use std::sync::Arc;
    use std::time::Duration;

    use tokio::time::timeout;

    use super::schedule;
    use crate::gitea::Gitea;
    use crate::gitea::clock::Clock;

    /// Does what is due when it is due, until the world is gone. A clock that a test moves by hand
    /// is looked at whenever the world changes.
    pub async fn keep_time_forever(gitea: Arc<Gitea>) {
        let mut changes = gitea.changes();
        loop {
            changes.borrow_and_update();
            // What is not stored is done again after a restart: it is still due then.
            let _ = gitea.tick().stored().await;
            let patience = gitea.read(|world, _| match world.clock {
                Clock::Running { .. } => schedule::next_due(world).map(|at| at - world.now()),
                Clock::Frozen { .. } => None,
            });
            let changed = match patience {
                Some(seconds) => {
                    let seconds = u64::try_from(seconds).unwrap_or_default().max(1);
                    let waited = timeout(Duration::from_secs(seconds), changes.changed());
                    waited.await.unwrap_or(Ok(()))
                }
                None => changes.changed().await,
            };
            if changed.is_err() {
                return;
            }
        }
    }
}

#[cfg(feature = "server")]
pub use forever::keep_time_forever;
