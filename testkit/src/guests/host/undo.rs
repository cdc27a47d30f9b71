//! The way back: every recorded change undone, whether this run made it or one that was killed.

use std::fs;
use std::path::Path;

use futures_util::future::join_all;

use super::place::{mount_point, unmount};
use super::records::{Change, Records};
use super::{containers, machine_lock, network, shared, subids};
use crate::guests::Failure;

/// Undoes every recorded change: the containers all at once, then the rest, the last one first.
/// What cannot be undone stays in the records.
pub(super) async fn undo_all(records: &mut Records) -> Result<(), Failure> {
    let run = records.run().to_owned();
    // The mount may be gone, after a reboot for instance: the folder behind it is the same.
    let at = mount_point(&run);
    let folder = if at.join("changes.json").exists() {
        at
    } else {
        records.folder().to_path_buf()
    };
    let (containers, others): (Vec<Change>, Vec<Change>) = records
        .changes()
        .iter()
        .rev()
        .cloned()
        .partition(|change| matches!(change, Change::Container { .. }));
    let mut failed = Vec::new();
    let removals = containers
        .iter()
        .map(|change| undo_one(&run, &folder, change));
    for (change, undone) in containers.iter().zip(join_all(removals).await) {
        settle_record(records, change, undone, &mut failed)?;
    }
    if let Err(failure) = sweep(&folder, &run).await {
        failed.push(failure.to_string());
    }
    for change in &others {
        let undone = undo_one(&run, &folder, change).await;
        settle_record(records, change, undone, &mut failed)?;
    }
    if failed.is_empty() {
        Ok(())
    } else {
        Err(Failure::new(failed.join("; ")))
    }
}

/// Removes what is left of containers whose record a loss of power took.
async fn sweep(folder: &Path, run: &str) -> Result<(), Failure> {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if !run.is_empty()
            && name
                .strip_prefix(run)
                .is_some_and(|rest| rest.starts_with('-'))
        {
            containers::remove(folder, &name).await?;
        }
    }
    Ok(())
}

fn settle_record(
    records: &mut Records,
    change: &Change,
    undone: Result<(), Failure>,
    failed: &mut Vec<String>,
) -> Result<(), Failure> {
    match undone {
        Ok(()) => records.remove(change),
        Err(failure) => {
            failed.push(failure.to_string());
            Ok(())
        }
    }
}

async fn undo_one(run: &str, folder: &Path, change: &Change) -> Result<(), Failure> {
    match change {
        Change::Container { name } => containers::remove(folder, name).await,
        Change::Mount { at } => unmount(at).await,
        Change::IdRange { file, line } => {
            let _alone = machine_lock().await?;
            subids::remove(file, line)
        }
        Change::Bridge { name } => network::remove_bridge(name).await,
        Change::Table { name } => network::remove_table(name).await,
        Change::Accept { bridge } => network::remove_accept(bridge).await,
        Change::Shared => {
            let _alone = machine_lock().await?;
            shared::leave(run)
        }
    }
}
