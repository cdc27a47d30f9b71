//! Creating a container under a number that nobody reserved.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use super::Node;
use crate::api::{CreateContainer, ListResources};
use crate::error::{Error, ErrorKind};
use crate::ids::Vmid;
use crate::task::Task;

/// Numbers to try before giving up: others may be creating, too.
const ATTEMPTS: usize = 20;

impl Node {
    /// Begins to create a container under the lowest free number of a range, whatever number the
    /// parameters have. A number that somebody else takes first is skipped.
    ///
    /// # Errors
    /// [`ErrorKind::AlreadyExists`] if no number of the range
    /// could be had; and those of [`Node::create_container`].
    pub async fn create_numbered(
        &self,
        create: &CreateContainer,
        range: RangeInclusive<Vmid>,
    ) -> Result<(Vmid, Task), Error> {
        let resources = self
            .client
            .cluster()
            .list_resources(ListResources::Guests)
            .await?;
        let taken: BTreeSet<Vmid> = resources.iter().filter_map(|guest| guest.vmid).collect();
        let mut last = None;
        for vmid in free(&range, &taken).take(ATTEMPTS) {
            match self.create_container(&create.clone().with_vmid(vmid)).await {
                Ok(task) => return Ok((vmid, task)),
                Err(error) if error.kind() == ErrorKind::AlreadyExists => last = Some(error),
                Err(error) => return Err(error),
            }
        }
        let (first, end) = (range.start(), range.end());
        let none = || {
            let doing = format!("creating a container on node `{}`", self.name);
            Error::unusable(
                &doing,
                format!("all numbers from {first} to {end} are taken"),
            )
        };
        Err(last.unwrap_or_else(none))
    }
}

fn free(range: &RangeInclusive<Vmid>, taken: &BTreeSet<Vmid>) -> impl Iterator<Item = Vmid> {
    (range.start().get()..=range.end().get())
        .filter_map(|number| Vmid::try_from(number).ok())
        .filter(|vmid| !taken.contains(vmid))
}
