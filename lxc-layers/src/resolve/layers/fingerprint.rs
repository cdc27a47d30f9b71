//! The fingerprint of a step: equal on every machine that holds the same repository.

use std::collections::BTreeSet;

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};

use super::super::{Fingerprint, Step, Variable};
use crate::spec::Secret;

/// The step with its fingerprint.
pub(super) fn finish(mut step: Step, own: &BTreeSet<String>, key: Option<&Secret>) -> Step {
    step.fingerprint = fingerprint(&step, own, key);
    step
}

/// Every part is preceded by its length, so that no two steps share a text.
///
/// A variable counts when it is the container's `own`, or when one of the files names it: the
/// address of another container, say, concerns only those who speak to it.
fn fingerprint(step: &Step, own: &BTreeSet<String>, key: Option<&Secret>) -> Fingerprint {
    let mut hash = Sha256::new();
    let mut part = |text: &str| {
        hash.update((text.len() as u64).to_be_bytes());
        hash.update(text);
    };
    part("proxmox-ci step 1");
    part(step.id);
    part(&serde_json::to_string(&step.provisioner).expect("a provisioner is always JSON"));
    for (path, input) in &step.inputs {
        part(path);
        part(if input.executable { "x" } else { "-" });
        part(&input.digest);
    }
    let counts = |name: &String| {
        own.contains(name)
            || step
                .inputs
                .values()
                .any(|input| input.mentions.contains(name))
    };
    for (name, variable) in step.variables.iter().filter(|(name, _)| counts(name)) {
        part(name);
        match variable {
            Variable::Plain(value) => part(value),
            Variable::Secret(secret) => part(&keyed(secret, key)),
        }
    }
    Fingerprint(hex::encode(hash.finalize()))
}

/// A secret by its keyed hash. Without a key nothing of it enters: that is an error elsewhere.
fn keyed(secret: &Secret, key: Option<&Secret>) -> String {
    let Some(key) = key else { return String::new() };
    let mut mac =
        Hmac::<Sha256>::new_from_slice(key.reveal().as_bytes()).expect("any length is a key");
    mac.update(secret.reveal().as_bytes());
    hex::encode(mac.finalize().into_bytes())
}
