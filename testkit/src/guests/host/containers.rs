//! The end of a container: its processes, its cgroups and its folder.

use std::collections::BTreeSet;
use std::fs;
use std::future::ready;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use super::place::remove_folder;
use super::while_doing;
use crate::guests::Failure;
use crate::guests::lxc::cgroups::{self, Hierarchies};
use crate::guests::lxc::tools::Tools;
use crate::wait;

/// How long a monitor may take to clean up after its container.
const ENDING: Duration = Duration::from_secs(3);

/// How long killed processes may take to be gone.
const GONE: Duration = Duration::from_secs(10);

/// How often it is looked whether they are.
const LOOK: Duration = Duration::from_millis(20);

/// Removes a container: its processes with their monitor, its cgroups, its folder.
pub(super) async fn remove(folder: &Path, name: &str) -> Result<(), Failure> {
    let tools = Tools::new(folder);
    if matches!(tools.init(name).await, Ok(Some(_))) {
        // Whether it worked shows when its processes are looked for.
        let _ = tools.kill(name).await;
    }
    settle(folder, name).await?;
    remove_folder(&folder.join(name)).await
}

/// Waits until nothing of a stopped container runs, killing what does, and removes its cgroups.
pub(super) async fn settle(folder: &Path, name: &str) -> Result<(), Failure> {
    let hierarchies = Hierarchies::read().map_err(while_doing("reading the mounts"))?;
    let left = || -> (Vec<PathBuf>, BTreeSet<i32>) {
        let folders = hierarchies.folders_of(name);
        let mut alive: BTreeSet<i32> = folders
            .iter()
            .flat_map(|folder| cgroups::processes(folder))
            .collect();
        alive.extend(monitors(folder, name));
        (folders, alive)
    };
    let by_itself = wait::until(ENDING, LOOK, || ready(left().1.is_empty().then_some(())));
    by_itself.await;
    let gone = wait::until(GONE, LOOK, || {
        let (folders, alive) = left();
        alive.iter().for_each(|pid| kill(*pid));
        ready(alive.is_empty().then_some(folders))
    });
    let folders = gone
        .await
        .ok_or_else(|| Failure::new(format!("processes of `{name}` do not end")))?;
    for folder in folders {
        cgroups::remove(&folder)
            .map_err(while_doing(format!("removing `{}`", folder.display())))?;
    }
    Ok(())
}

/// The monitors of a container: they bear the folder and its name as their command line.
fn monitors(folder: &Path, name: &str) -> Vec<i32> {
    let title = format!("[lxc monitor] {} {name}", folder.display());
    let is_it = |pid: &i32| {
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&line).trim_end_matches('\0').trim() == title
    };
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter(is_it)
        .collect()
}

fn kill(pid: i32) {
    if let Some(pid) = Pid::from_raw(pid) {
        // It may have ended by itself.
        let _ = kill_process(pid, Signal::KILL);
    }
}
