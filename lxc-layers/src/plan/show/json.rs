//! A plan for a program.
//!
//! Its form is described by `plan.schema.json` of this crate, which [`schema`] gives: fields may be
//! added; one that is there keeps its meaning while the version is the same.

use serde_json::{Map, Value, json};

use super::counts;
use crate::event::Layer;
use crate::plan::{Action, ContainerPlan, Plan, Refusal};

/// The version of the JSON form.
pub const VERSION: u32 = 1;

/// The JSON schema of [`Plan::to_json`], draft 2020-12.
///
/// # Panics
/// Never: it is part of the program, and a test reads it.
#[must_use]
pub fn schema() -> Value {
    serde_json::from_str(include_str!("../../../plan.schema.json")).expect("a test reads it")
}

impl Plan {
    /// The plan as JSON; no secret is in it.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let counts: Map<String, Value> = counts(self)
            .into_iter()
            .map(|(class, count)| (class.words().replace(' ', "-"), Value::from(count)))
            .collect();
        json!({
            "version": VERSION,
            "fleet": self.fleet,
            "empty": self.is_empty(),
            "counts": counts,
            "hashes": {
                "container-default": self.hash(Layer::Default),
                "container-configuration": self.hash(Layer::Configuration),
            },
            "containers": self.containers.iter().map(container).collect::<Vec<_>>(),
            "notices": self.notices,
        })
    }
}

fn container(container: &ContainerPlan) -> Value {
    let actions = |layer| {
        container
            .actions(layer)
            .iter()
            .map(Action::to_json)
            .collect::<Vec<_>>()
    };
    json!({
        "name": container.name,
        "vmid": container.vmid,
        "node": container.node,
        "standing": container.standing,
        "after": container.after,
        "changes": container.changes,
        "refusals": container.refusals.iter().map(refusal).collect::<Vec<_>>(),
        "actions": {
            "container-default": actions(Layer::Default),
            "container-configuration": actions(Layer::Configuration),
        },
    })
}

fn refusal(refusal: &Refusal) -> Value {
    let place = refusal.place.as_ref();
    json!({
        "code": refusal.code,
        "key": refusal.key,
        "message": refusal.message,
        "privilege": refusal.privilege,
        "ways_out": refusal.ways_out,
        "place": place.map(|place| json!({"file": &*place.file, "line": place.line, "column": place.column})),
    })
}
