//! Opening: a way into a guest that was pinned before, for a person or a program outside a run.

use std::{path::Path, sync::Arc};

use super::{Door, Error};
use crate::{
    guest::{Guest, HostKey, OperatorKey, SshTarget},
    host::{Host, Place},
    plan::Marker,
    redact::Redactor,
    resolve::{Container, Desired},
};

/// The guest that is `container`, found through the API and recognised by its pin.
///
/// `scratch` is a private folder that must outlive the guest.
///
/// # Errors
///
/// When there is no such guest, when it is not this container of this fleet, or when it has no
/// address or no pin yet.
pub async fn open(
    host: &dyn Host,
    door: &Door,
    (desired, container): (&Desired, &Container),
    key: &OperatorKey,
    scratch: &Path,
    redactor: Redactor,
) -> Result<Arc<dyn Guest>, Error> {
    let name = container.name.as_str();
    let looking = || Error::host(format!("looking for `{name}`"));
    let world = host.survey().await.map_err(looking())?;
    let node = world.guests.get(&container.vmid).map(|it| it.node.clone());
    let place = Place::new(
        node.or_else(|| container.node.clone()).unwrap_or_default(),
        container.vmid,
    );
    let gone = || Error::Gone {
        vmid: place.vmid.get(),
        node: place.node.clone(),
    };
    let config = host.config(&place).await.map_err(looking())?;
    let config = config.ok_or_else(gone)?;
    let notes = config.values.get("description").map_or("", String::as_str);
    let ours = Marker::find(notes)
        .ok()
        .flatten()
        .filter(|marker| marker.fleet == desired.fleet && marker.container == container.name);
    let marker = ours.ok_or_else(|| Error::NotOurs {
        vmid: place.vmid.get(),
        node: place.node.clone(),
        container: name.to_owned(),
        marker: None,
    })?;
    let address = match container.address() {
        Some(address) => Some(address),
        None => host.address(&place).await.map_err(looking())?,
    };
    let address = address.ok_or_else(|| Error::NoAddress {
        container: name.to_owned(),
        waited: std::time::Duration::ZERO,
    })?;
    let pinned: Option<HostKey> = marker.host_key.and_then(|key| key.parse().ok());
    let target = SshTarget {
        name: name.to_owned(),
        address,
        user: "root".to_owned(),
        key: key.path.clone(),
        scratch: scratch.to_owned(),
    };
    Ok(door(target, pinned, redactor))
}
