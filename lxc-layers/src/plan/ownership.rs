//! Whose a guest is, and which guests of a fleet no file describes any more.

use super::{Guest, GuestKind, Marker, Notice, OWNERSHIP_TAG, Observed};
use crate::resolve::{Container, Desired};
use crate::spec::Vmid;

/// Whose a guest is.
#[derive(Debug)]
pub enum Owner {
    /// A virtual machine: never ours.
    Machine,
    /// It bears no marker.
    Nobody,
    /// It bears something that looks like a marker and cannot be trusted, for this reason.
    Damaged(String),
    /// It bears this marker.
    Fleet(Marker),
}

/// Whose a guest is, by its kind and its notes.
#[must_use]
pub fn owner(guest: &Guest) -> Owner {
    if guest.kind == GuestKind::Qemu {
        return Owner::Machine;
    }
    let notes = guest
        .config
        .as_ref()
        .and_then(|config| config.wanted().remove("description"));
    match Marker::find(&notes.unwrap_or_default()) {
        Ok(Some(marker)) => Owner::Fleet(marker),
        Ok(None) => Owner::Nobody,
        Err(error) => Owner::Damaged(error.to_string()),
    }
}

/// Where a container of this fleet stands when that is not its number.
pub(super) fn elsewhere<'o>(
    container: &Container,
    desired: &Desired,
    observed: &'o Observed,
) -> Option<(Vmid, &'o Guest)> {
    let is_it = |guest: &Guest| matches!(owner(guest), Owner::Fleet(marker) if marker.fleet == desired.fleet && marker.container == container.name);
    let mut others = observed
        .guests
        .iter()
        .filter(|(vmid, _)| **vmid != container.vmid);
    others
        .find(|(_, guest)| is_it(guest))
        .map(|(vmid, guest)| (*vmid, guest))
}

/// Guests that bear this fleet's marker and that no file describes: named, never removed unasked.
pub(super) fn left_over(desired: &Desired, observed: &Observed) -> Vec<Notice> {
    let mut notices = Vec::new();
    for (vmid, guest) in &observed.guests {
        let Owner::Fleet(marker) = owner(guest) else {
            continue;
        };
        let described = desired
            .containers
            .iter()
            .any(|container| container.name == marker.container);
        if marker.fleet == desired.fleet && !described {
            notices.push(Notice {
                code: "no-definition",
                message: format!(
                    "`{}` (number {vmid} on node `{}`) is of this fleet, and no file describes it; it stays until \
                     `proxmox-ci destroy {}`",
                    marker.container, guest.node, marker.container
                ),
            });
        }
    }
    notices
}

/// Whether the ownership tag is among a guest's tags: such a guest's configuration is worth a call.
#[must_use]
pub fn bears_tag(tags: Option<&str>) -> bool {
    tags.is_some_and(|tags| {
        tags.split([';', ',', ' '])
            .any(|tag| tag.trim() == OWNERSHIP_TAG)
    })
}
