//! One hash for what a later layer will do, so that it can be told from what it would do now.

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::{Action, ContainerPlan, Plan};
use crate::event::Layer;

impl Plan {
    /// The hash of a layer's actions over all containers, 64 hexadecimal digits.
    ///
    /// What an earlier layer changes is no part of it: status, MAC, host key, digest. A layer
    /// without actions has a hash too.
    #[must_use]
    pub fn hash(&self, layer: Layer) -> String {
        let actions: Vec<Value> = self
            .containers
            .iter()
            .filter(|container| !container.actions(layer).is_empty())
            .map(|container| {
                let actions: Vec<Value> = container
                    .actions(layer)
                    .iter()
                    .map(Action::to_json)
                    .collect();
                json!({"container": container.name, "vmid": container.vmid, "actions": actions})
            })
            .collect();
        let text =
            json!({"version": 1, "layer": layer, "fleet": self.fleet, "containers": actions})
                .to_string();
        hex::encode(Sha256::digest(text))
    }
}

impl ContainerPlan {
    /// The actions of one layer; container-init has none.
    #[must_use]
    pub fn actions(&self, layer: Layer) -> &[Action] {
        match layer {
            Layer::Init => &[],
            Layer::Default => &self.default,
            Layer::Configuration => &self.configuration,
        }
    }
}

impl Action {
    /// The action as a value that can be read and hashed; a provisioner by its fingerprint, so that
    /// no secret is in it.
    #[must_use]
    pub fn to_json(&self) -> Value {
        match self {
            Self::Create {
                template,
                parameters,
            } => json!({"action": "create", "template": template, "parameters": parameters}),
            Self::Configure { set, delete } => {
                json!({"action": "configure", "set": set, "delete": delete})
            }
            Self::Resize { disk, size } => json!({"action": "resize", "disk": disk, "size": size}),
            Self::Move { disk, storage } => {
                json!({"action": "move", "disk": disk, "storage": storage})
            }
            Self::Migrate { to } => json!({"action": "migrate", "to": to}),
            Self::Pool { from, to } => json!({"action": "pool", "from": from, "to": to}),
            Self::Start => json!({"action": "start"}),
            Self::Reboot => json!({"action": "reboot"}),
            Self::Provision(step) => json!({
                "action": "provision",
                "step": step.id,
                "provisioner": step.provisioner,
                "folder": step.folder,
                "fingerprint": step.fingerprint,
            }),
            Self::Mark { marker, words } => {
                json!({"action": "mark", "marker": marker, "words": words})
            }
        }
    }
}
