//! Destroy: one container of our own, after its marker was read, and nothing else.

use std::sync::Arc;

use super::{Error, Limits, Run, Seams, Settings, settle::Subject};
use crate::{
    event::{Events, Layer},
    host::{Act, Host, Place},
    ledger::Entry,
    observe::observe,
    plan::{Owner, Status, owner},
    resolve::{Container, Desired},
    spec::{ContainerName, Vmid},
};

/// A guest that is to go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Doomed {
    /// The container that it must be, by its marker.
    pub name: ContainerName,
    /// Its number.
    pub vmid: Vmid,
}

impl From<&Container> for Doomed {
    fn from(container: &Container) -> Self {
        Self {
            name: container.name.clone(),
            vmid: container.vmid,
        }
    }
}

/// The guests that bear this fleet's marker and that no file describes any more.
///
/// # Errors
///
/// When the hypervisor does not answer.
pub async fn left_over(host: &dyn Host, desired: &Desired) -> Result<Vec<Doomed>, Error> {
    let looking = Error::host("looking for guests of this fleet");
    let limit = Limits::default().task;
    let world = observe(host, desired, limit).await.map_err(looking)?;
    let ours = world
        .guests
        .iter()
        .filter_map(|(vmid, guest)| match owner(guest) {
            Owner::Fleet(marker) if marker.fleet == desired.fleet => Some(Doomed {
                name: marker.container,
                vmid: *vmid,
            }),
            _ => None,
        });
    let undescribed = ours.filter(|it| desired.container(it.name.as_str()).is_none());
    Ok(undescribed.collect())
}

/// What became of a container that was to be destroyed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Destroyed {
    /// It was, with its disks.
    Gone,
    /// There was none.
    WasAbsent,
}

/// Destroys one container of this fleet: stopped first when it runs. The caller holds the lock.
///
/// # Errors
///
/// When the guest of that number does not bear this fleet's marker with this container's name, when
/// it is protected, or when the hypervisor refuses.
pub async fn destroy(
    host: Arc<dyn Host>,
    desired: &Desired,
    doomed: &Doomed,
    settings: Settings,
    events: Events,
) -> Result<Destroyed, Error> {
    let run = Run::begin(Seams::real(host), desired, "destroy", settings, events)?;
    let place = run.place_of(doomed).await?;
    let Some(place) = place else {
        return Ok(Destroyed::WasAbsent);
    };
    let subject = Subject {
        name: &doomed.name,
        place: &place,
        layer: Layer::Default,
    };
    let outcome = run.destroy(subject).await;
    let word = if outcome.is_ok() { "done" } else { "failed" };
    run.journal.write(Entry::End {
        outcome: word.to_owned(),
    })?;
    outcome
}

impl Run {
    /// Where the guest of that number is, whichever node it went to.
    async fn place_of(&self, doomed: &Doomed) -> Result<Option<Place>, Error> {
        let doing = format!("looking for `{}`", doomed.name);
        let world = self.host.survey().await.map_err(Error::host(doing))?;
        Ok(world
            .guests
            .get(&doomed.vmid)
            .map(|guest| Place::new(guest.node.clone(), doomed.vmid)))
    }

    async fn destroy(&self, subject: Subject<'_>) -> Result<Destroyed, Error> {
        let config = self.config_of(subject).await?;
        self.marker_of(subject, &config)?;
        let doing = format!("asking whether `{}` runs", subject.name);
        let status = self.host.status(subject.place).await;
        if status.map_err(Error::host(doing))? == Some(Status::Running) {
            let limit = Limits::default().boot;
            self.cause(subject, &Act::Shutdown { limit }).await?;
        }
        self.cause(subject, &Act::Destroy).await?;
        Ok(Destroyed::Gone)
    }
}
