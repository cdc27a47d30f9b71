//! What belongs to the whole machine: changed by the first run, put back by the last.
//!
//! Forwarding between interfaces is one switch for all, and the container tools make a cgroup
//! (`lxc.pivot`) that they never remove. So the runs keep a registry: a file for each of them, and
//! one with what was there before any of them came. A run that was killed stays in it until it is
//! cleaned up, or until its data folder is gone.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{RUN, while_doing};
use crate::guests::Failure;
use crate::guests::lxc::cgroups::Hierarchies;

/// The switch. Turning it also turns the second value.
const SWITCH: &str = "/proc/sys/net/ipv4/ip_forward";

/// Whether redirects are accepted, which the kernel sets to the opposite of the switch.
const REDIRECTS: &str = "/proc/sys/net/ipv4/conf/all/accept_redirects";

/// The machine as it was before the first run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Before {
    forward: String,
    redirects: String,
    pivots: Vec<PathBuf>,
}

/// Switches forwarding on for a run, and notes what else there is. The caller holds the machine's lock.
pub(super) fn enter(run: &str, folder: &Path) -> Result<(), Failure> {
    registered(&registry(), run, folder).map_err(while_doing("registering the run"))?;
    if value(SWITCH) != "1" {
        fs::write(SWITCH, "1").map_err(while_doing("switching forwarding on"))?;
    }
    Ok(())
}

/// Takes a run out of the registry, and puts the machine back when it was the last one. The caller
/// holds the machine's lock.
pub(super) fn leave(run: &str) -> Result<(), Failure> {
    let left = taken_out(&registry(), run).map_err(while_doing("leaving the registry"))?;
    let Some(before) = left else { return Ok(()) };
    let put = |file: &str, text: &str| {
        if value(file) == text {
            Ok(())
        } else {
            fs::write(file, text)
        }
    };
    put(SWITCH, &before.forward)
        .and_then(|()| put(REDIRECTS, &before.redirects))
        .map_err(while_doing("switching forwarding back"))?;
    for pivot in pivots()
        .iter()
        .filter(|pivot| !before.pivots.contains(pivot))
    {
        // In use, it belongs to containers of somebody else.
        let _ = fs::remove_dir(pivot);
    }
    Ok(())
}

/// The cgroups that the container tools leave behind.
fn pivots() -> Vec<PathBuf> {
    Hierarchies::read()
        .map(|all| all.named("lxc.pivot"))
        .unwrap_or_default()
}

fn registry() -> PathBuf {
    Path::new(RUN).join("proxmox-ci-nodes")
}

fn value(file: &str) -> String {
    fs::read_to_string(file)
        .unwrap_or_default()
        .trim()
        .to_owned()
}

/// Adds a run; the first one writes down what was there before.
fn registered(registry: &Path, run: &str, folder: &Path) -> io::Result<()> {
    fs::create_dir_all(registry)?;
    let before = registry.join("before.json");
    if !before.exists() {
        let values = Before {
            forward: value(SWITCH),
            redirects: value(REDIRECTS),
            pivots: pivots(),
        };
        fs::write(before, serde_json::to_vec(&values)?)?;
    }
    fs::write(registry.join(run), folder.to_string_lossy().as_bytes())
}

/// Removes a run, and those whose data folder is gone. When nobody is left, the registry is
/// removed and what was there before is returned.
fn taken_out(registry: &Path, run: &str) -> io::Result<Option<Before>> {
    let entries = match fs::read_dir(registry) {
        Ok(entries) => entries,
        // It does not outlive a boot, and neither do the values.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut others = 0;
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name();
        if name == "before.json" {
            continue;
        }
        let folder = fs::read_to_string(entry.path())?;
        if name == run || !Path::new(&folder).join("changes.json").exists() {
            fs::remove_file(entry.path())?;
        } else {
            others += 1;
        }
    }
    if others > 0 {
        return Ok(None);
    }
    let before = fs::read(registry.join("before.json"))
        .ok()
        .and_then(|bytes| serde_json::from_slice(&bytes).ok());
    fs::remove_dir_all(registry)?;
    Ok(before)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_one_out_gets_what_was_there_before() {
        let folder = tempfile::tempdir().unwrap();
        let registry = folder.path().join("registry");
        let data = |name: &str| {
            let data = folder.path().join(name);
            fs::create_dir(&data).unwrap();
            fs::write(data.join("changes.json"), "{}").unwrap();
            data
        };
        let (one, two, gone) = (data("one"), data("two"), data("gone"));
        registered(&registry, "pci1", &one).unwrap();
        registered(&registry, "pci2", &two).unwrap();
        registered(&registry, "pci3", &gone).unwrap();
        assert_eq!(taken_out(&registry, "pci1").unwrap(), None);
        fs::remove_dir_all(&gone).unwrap();
        let before = taken_out(&registry, "pci2").unwrap().unwrap();
        assert_eq!(before.forward, value(SWITCH));
        assert!(!registry.exists());
        assert_eq!(taken_out(&registry, "pci2").unwrap(), None);
    }
}
