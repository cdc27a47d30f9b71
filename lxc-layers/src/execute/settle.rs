//! Effects: intended in the journal, caused once, proven by the state of the world.
//!
//! A lock that something else holds is waited for. An answer that was lost is never taken for a
//! failure: tasks that work on the guest are awaited, then the guest itself says whether it
//! happened; only what certainly did not happen is done again.

use std::time::Duration;

use super::{Error, Run, report::in_one_line};
use crate::{
    event::{Event, Layer},
    host::{self, Act, Kind, Place, TaskEnd},
    ledger::{Effect, Entry},
    plan::Status,
    spec::ContainerName,
    wait::Patience,
};

/// So often something is done again after its answer was lost and nothing had happened.
const AGAIN: u32 = 3;
/// First pause while something is busy, and the longest.
const PAUSES: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(5));

/// Whose effect it is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Subject<'a> {
    pub(super) name: &'a ContainerName,
    pub(super) place: &'a Place,
    pub(super) layer: Layer,
}

/// What the world says of an effect whose answer was lost.
#[derive(Debug, PartialEq, Eq)]
enum Evidence {
    Happened,
    DidNot,
}

impl Run {
    /// Causes an effect, once.
    pub(super) async fn cause(&self, subject: Subject<'_>, act: &Act) -> Result<(), Error> {
        let effect = effect(subject, act.name().to_owned());
        let work = self.until_settled(subject, act, &effect);
        self.journalled(subject, act.name().to_owned(), work).await
    }

    /// Does `work` between an intention and an end in the journal.
    pub(super) async fn journalled(
        &self,
        subject: Subject<'_>,
        action: String,
        work: impl Future<Output = Result<(), Error>>,
    ) -> Result<(), Error> {
        let effect = effect(subject, action);
        self.journal.write(Entry::Intend(effect.clone()))?;
        let outcome = work.await;
        let entry = match &outcome {
            Ok(()) => Entry::Done(effect),
            Err(error) => Entry::Failed {
                effect,
                error: in_one_line(error),
            },
        };
        self.journal.write(entry)?;
        outcome
    }

    async fn until_settled(
        &self,
        subject: Subject<'_>,
        act: &Act,
        effect: &Effect,
    ) -> Result<(), Error> {
        let mut patience = Patience::new(self.settings.limits.busy, PAUSES.0, PAUSES.1);
        let mut lost = 0;
        loop {
            let error = match self.once(subject, act, effect).await? {
                Ok(()) => return Ok(()),
                Err(error) => error,
            };
            match error.kind() {
                Kind::AlreadySo => return Ok(()),
                Kind::NotFound if *act == Act::Destroy => return Ok(()),
                Kind::Busy => {}
                Kind::Lost | Kind::Unreachable | Kind::AlreadyExists if lost < AGAIN => {
                    if self.evidence(subject, act).await? == Evidence::Happened {
                        return Ok(());
                    }
                    lost += 1;
                }
                _ => return Err(failed(subject, act, error)),
            }
            self.events.tell(Event::Retry {
                container: subject.name.to_string(),
                reason: in_one_line(&error),
            });
            if !patience.again().await {
                return Err(failed(subject, act, error));
            }
        }
    }

    /// One attempt. The outer error is ours, the inner one the hypervisor's.
    async fn once(
        &self,
        subject: Subject<'_>,
        act: &Act,
        effect: &Effect,
    ) -> Result<Result<(), host::Error>, Error> {
        let task = match self.host.act(subject.place, act).await {
            Ok(Some(task)) => task,
            Ok(None) => return Ok(Ok(())),
            Err(error) => return Ok(Err(error)),
        };
        self.journal.write(Entry::Task {
            effect: effect.clone(),
            upid: task.to_string(),
        })?;
        match self.host.finish(&task, self.settings.limits.task).await {
            Ok(TaskEnd::Ok) => Ok(Ok(())),
            Ok(TaskEnd::Warnings(lines)) => {
                self.events.tell(Event::Warning {
                    container: subject.name.to_string(),
                    text: format!("{} ended with warnings: {}", act.name(), lines.join(" / ")),
                });
                Ok(Ok(()))
            }
            Err(error) => Ok(Err(error)),
        }
    }

    /// Looks at the world: first everything that works on the guest is awaited.
    async fn evidence(&self, subject: Subject<'_>, act: &Act) -> Result<Evidence, Error> {
        let place = subject.place;
        let looking = || Error::host(format!("looking what became of {}", words(subject, act)));
        for task in self.host.running_tasks(place).await.map_err(looking())? {
            // How it ended is seen on the guest.
            let _ = self.host.finish(&task, self.settings.limits.task).await;
        }
        let happened = match act {
            Act::Create(_) => self.is_ours(subject).await?,
            Act::Configure { digest, .. } => {
                let config = self.host.config(place).await.map_err(looking())?;
                config.is_some_and(|config| config.digest != *digest)
            }
            Act::Start => {
                self.host.status(place).await.map_err(looking())? == Some(Status::Running)
            }
            Act::Shutdown { .. } => {
                self.host.status(place).await.map_err(looking())? == Some(Status::Stopped)
            }
            Act::Destroy => self.host.config(place).await.map_err(looking())?.is_none(),
            // Doing these again changes nothing that was not wanted.
            Act::Resize { .. }
            | Act::Move { .. }
            | Act::Migrate { .. }
            | Act::Pool { .. }
            | Act::Reboot => false,
        };
        Ok(if happened {
            Evidence::Happened
        } else {
            Evidence::DidNot
        })
    }

    /// Whether the guest at this place is this container; false when there is none.
    ///
    /// # Errors
    ///
    /// When there is a guest and it is not ours.
    async fn is_ours(&self, subject: Subject<'_>) -> Result<bool, Error> {
        let config = self
            .host
            .config(subject.place)
            .await
            .map_err(Error::host(format!("looking at `{}`", subject.name)))?;
        match config {
            None => Ok(false),
            Some(config) => self.marker_of(subject, &config).map(|_marker| true),
        }
    }
}

fn effect(subject: Subject<'_>, action: String) -> Effect {
    Effect {
        container: subject.name.to_string(),
        vmid: subject.place.vmid.get(),
        node: subject.place.node.clone(),
        layer: subject.layer.to_string(),
        action,
    }
}

fn words(subject: Subject<'_>, act: &Act) -> String {
    let verb = match act {
        Act::Create(_) => "creating",
        Act::Configure { .. } => "configuring",
        Act::Resize { disk, size, .. } => {
            return format!("resizing `{disk}` of `{}` to {size}", subject.name);
        }
        Act::Move { disk, storage, .. } => {
            return format!("moving `{disk}` of `{}` to `{storage}`", subject.name);
        }
        Act::Migrate { to } => return format!("migrating `{}` to node `{to}`", subject.name),
        Act::Pool { .. } => "changing the pool of",
        Act::Start => "starting",
        Act::Shutdown { .. } => "shutting down",
        Act::Reboot => "restarting",
        Act::Destroy => "destroying",
    };
    format!(
        "{verb} `{}` ({} on node `{}`)",
        subject.name, subject.place.vmid, subject.place.node
    )
}

fn failed(subject: Subject<'_>, act: &Act, source: host::Error) -> Error {
    Error::Host {
        doing: words(subject, act),
        source,
    }
}

#[cfg(test)]
mod tests;
