//! Generated fleets against a simulated node, with everything that it normalises.

use lxc_layers::diagnostic::Style;
use proptest::{collection::vec, prelude::*};

use crate::{
    fleets::desired,
    properties::{Written, fleet_of, written},
    worlds::World,
};

/// The same containers, all on the one bridge that the node has.
fn on_the_one_bridge(containers: &[Written]) -> Vec<Written> {
    let mut containers = containers.to_vec();
    for (key, value) in containers.iter_mut().flat_map(|it| &mut it.lines) {
        if *key == "BRIDGE" || *key == "NIC" {
            for name in ["vmbr1", "vmbr2"] {
                *value = value.replace(name, "vmbr0");
            }
            if value == "lan" {
                "vmbr0".clone_into(value);
            }
        }
    }
    containers
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, max_shrink_iters: 40, ..ProptestConfig::default() })]

    #[test]
    fn a_fleet_that_was_applied_plans_to_nothing(containers in vec(written(), 1..4)) {
        thread_local! {
            static STAGE: (tokio::runtime::Runtime, std::cell::OnceCell<World>) = (
                tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap(),
                std::cell::OnceCell::new(),
            );
        }
        let left = STAGE.with(|(runtime, world)| runtime.block_on(async {
            if world.get().is_none() {
                drop(world.set(World::new().await));
            }
            let world = world.get().unwrap();
            world.start_over().await;
            let desired = desired(&fleet_of(&on_the_one_bridge(&containers)));
            let report = world.apply(&desired).await.map_err(|error| error.to_string())?;
            if !report.is_success() {
                return Err(format!("{report:#?}"));
            }
            let plan = world.plan(&desired).await;
            if plan.is_empty() { Ok(()) } else { Err(plan.to_text(Style::Plain)) }
        }));
        prop_assert!(left.is_ok(), "{}", left.unwrap_err());
    }
}
