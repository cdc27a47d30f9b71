//! Changes to a guest that runs: written to its cgroups, and read back.

use std::collections::BTreeSet;
use std::fs;

use super::cgroups::{self, Hierarchies};
use super::limits::{self, KEYS, Limits, Setting};
use super::{Config, Failure};
use crate::guests::Applied;

/// Keys that say nothing about the running guest, so that a change is true at once.
const WORDS: [&str; 9] = [
    "description",
    "digest",
    "hookscript",
    "lock",
    "onboot",
    "parent",
    "protection",
    "startup",
    "tags",
];

/// The guest that is changed.
#[derive(Debug)]
pub(super) struct Target {
    /// Its id.
    pub(super) vmid: u32,
    /// Its init.
    pub(super) pid: u32,
    /// The name of its cgroup.
    pub(super) payload: String,
}

/// Changes the limits of a running guest. Other keys are left to the caller, as pending.
pub(super) fn apply(
    hierarchies: &Hierarchies,
    target: &Target,
    before: &Config,
    after: &Config,
) -> Result<Applied, Failure> {
    let (enforced, others): (Vec<String>, Vec<String>) = changed(before, after)
        .into_iter()
        .partition(|key| KEYS.contains(&key.as_str()));
    let (live, pending) = others
        .into_iter()
        .partition(|key| WORDS.contains(&key.as_str()));
    let mut applied = Applied {
        live,
        pending,
        ..Applied::default()
    };
    let (old, new) = (Limits::of(before)?, Limits::of(after)?);
    let mut stuck = BTreeSet::new();
    for setting in new.changes(&old, hierarchies.version(), &cgroups::cpus(), target.vmid) {
        // Where one file of a controller cannot be changed, the others keep what fits to it.
        if stuck.contains(setting.controller) {
            continue;
        }
        if let Err(failure) = write(hierarchies, &setting, target) {
            stuck.insert(setting.controller);
            let own = enforced
                .iter()
                .filter(|key| limits::controller(key) == setting.controller);
            applied
                .refused
                .extend(own.map(|key| (key.clone(), failure.to_string())));
        }
    }
    let refused = |key: &String| applied.refused.contains_key(key);
    applied
        .live
        .extend(enforced.into_iter().filter(|key| !refused(key)));
    Ok(applied)
}

/// What becomes of a change to a guest that does not run: all of it is true when it starts.
pub(super) fn at_next_start(before: &Config, after: &Config) -> Applied {
    Applied {
        live: changed(before, after),
        ..Applied::default()
    }
}

/// The keys that differ, in alphabetical order.
fn changed(before: &Config, after: &Config) -> Vec<String> {
    let mut keys: Vec<String> = before
        .keys()
        .chain(after.keys())
        .filter(|key| before.get(*key) != after.get(*key))
        .cloned()
        .collect();
    keys.sort();
    keys.dedup();
    keys
}

fn write(hierarchies: &Hierarchies, setting: &Setting, target: &Target) -> Result<(), Failure> {
    let Some(folder) = hierarchies.folder(setting.controller, target.pid, &target.payload) else {
        return Err(Failure::new(format!("no cgroup for {}", setting.file)));
    };
    fs::write(folder.join(setting.file), &setting.value)
        .map_err(|error| Failure::new(format!("{} = {}: {error}", setting.file, setting.value)))?;
    read_back(hierarchies, setting, target.pid, &target.payload)
}

/// Sees that a cgroup file says what was written to it.
pub(super) fn read_back(
    hierarchies: &Hierarchies,
    setting: &Setting,
    pid: u32,
    payload: &str,
) -> Result<(), Failure> {
    let folder = hierarchies.folder(setting.controller, pid, payload);
    let text = folder.and_then(|folder| fs::read_to_string(folder.join(setting.file)).ok());
    match text {
        Some(text) if setting.is_read_back_as(&text) => Ok(()),
        Some(text) => Err(Failure::new(format!(
            "{} is {}, not {}",
            setting.file,
            text.trim(),
            setting.value
        ))),
        None => Err(Failure::new(format!("{} cannot be read", setting.file))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stopped_guest_takes_every_change_when_it_starts() {
        let one = |key: &str, value: &str| Config::from([(key.to_owned(), value.to_owned())]);
        let applied = at_next_start(&one("net0", "a"), &one("net1", "b"));
        assert_eq!(applied.live, ["net0", "net1"]);
        assert!(applied.pending.is_empty());
    }
}
