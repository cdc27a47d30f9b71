//! Selection: the part of a plan that is about some containers, and what it asks of the others.

use std::collections::BTreeSet;

use super::{ContainerPlan, Plan, Refusal};
use crate::event::Layer;
use crate::resolve::Desired;
use crate::spec::ContainerName;

impl Desired {
    /// These containers with all that they come after, directly or through others.
    #[must_use]
    pub fn with_dependencies(&self, names: &BTreeSet<ContainerName>) -> BTreeSet<ContainerName> {
        let mut all = names.clone();
        // Backwards through the order of dependencies, everyone is met before those it needs.
        for container in self.containers.iter().rev() {
            if all.contains(&container.name) {
                all.extend(container.after.iter().cloned());
            }
        }
        all
    }
}

impl Plan {
    /// The plan of these containers alone, as far as `layer`; nothing is done to the others.
    ///
    /// A container with something to do is refused while one that it comes after is left out and is
    /// not whole: it would be built on what is not there.
    #[must_use]
    pub fn only(mut self, names: &BTreeSet<ContainerName>, layer: Layer) -> Self {
        let (mut named, others): (Vec<_>, Vec<_>) = self
            .containers
            .into_iter()
            .partition(|container| names.contains(&container.name));
        for container in named.iter_mut().filter(|container| !container.is_empty()) {
            let lacking = others
                .iter()
                .filter(|other| container.after.contains(&other.name) && !is_whole(other, layer));
            container.refusals.extend(lacking.map(left_out));
        }
        self.containers = named;
        self
    }
}

/// Whether a container stands as far as the end of `layer`.
fn is_whole(container: &ContainerPlan, layer: Layer) -> bool {
    let mut layers = Layer::ALL.into_iter().filter(|it| *it <= layer);
    container.refusals.is_empty() && layers.all(|it| container.actions(it).is_empty())
}

fn left_out(other: &ContainerPlan) -> Refusal {
    let name = &other.name;
    Refusal {
        code: "dependency-left-out",
        key: Some("AFTER".to_owned()),
        message: format!("it comes after `{name}`, which is not named here and is not whole"),
        privilege: None,
        ways_out: vec![
            format!("name `{name}` too"),
            "give `--with-dependencies`, which names all that is needed".to_owned(),
        ],
        place: None,
    }
}
