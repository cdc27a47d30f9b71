//! Observe: reads the world through the host, in few calls, into what the planner reads.
//!
//! One survey of the cluster, then one call for each container whose number a file of the fleet
//! names or that bears the ownership tag. A container that is being created right now, by a run that
//! was killed, say, is waited for.

use std::{collections::BTreeSet, time::Duration};

use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use crate::{
    host::{Error, Host, Place},
    plan::{Guest, GuestConfig, GuestKind, OWNERSHIP_TAG, Observed},
    resolve::Desired,
    spec::Vmid,
};

/// How many configurations are read at the same time.
const AT_ONCE: usize = 8;

/// Reads the world as far as a plan for `desired` needs it; a create that is under way may take
/// `limit` to end.
///
/// # Errors
///
/// When the host does not answer, or denies it.
pub async fn observe(
    host: &dyn Host,
    desired: &Desired,
    limit: Duration,
) -> Result<Observed, Error> {
    let mut world = host.survey().await?;
    let wanted: BTreeSet<Vmid> = desired.containers.iter().map(|it| it.vmid).collect();
    let places: Vec<Place> = world
        .guests
        .iter()
        .filter(|(vmid, guest)| {
            guest.kind == GuestKind::Lxc && (wanted.contains(vmid) || is_tagged(guest))
        })
        .map(|(vmid, guest)| Place::new(guest.node.clone(), *vmid))
        .collect();
    let configs: Vec<(Vmid, Option<GuestConfig>)> = stream::iter(places)
        .map(|place| async move {
            let config = settled_config(host, &place, limit).await?;
            Ok::<_, Error>((place.vmid, config))
        })
        .buffer_unordered(AT_ONCE)
        .try_collect()
        .await?;
    for (vmid, config) in configs {
        match (config, world.guests.get_mut(&vmid)) {
            (Some(config), Some(guest)) => guest.config = Some(config),
            // It went away since the survey.
            (None, _) => drop(world.guests.remove(&vmid)),
            (Some(_), None) => {}
        }
    }
    Ok(world)
}

/// The configuration of a container, once nothing creates it any more.
async fn settled_config(
    host: &dyn Host,
    place: &Place,
    limit: Duration,
) -> Result<Option<GuestConfig>, Error> {
    let config = host.config(place).await?;
    let creating = |config: &GuestConfig| config.lock.as_deref() == Some("create");
    if !config.as_ref().is_some_and(creating) {
        return Ok(config);
    }
    for task in host.running_tasks(place).await? {
        // How it ended is seen on the guest.
        let _ = host.finish(&task, limit).await;
    }
    host.config(place).await
}

fn is_tagged(guest: &Guest) -> bool {
    guest
        .tags
        .iter()
        .flat_map(|tags| tags.split([';', ',', ' ']))
        .any(|tag| tag == OWNERSHIP_TAG)
}
