//! Where the guests' folder is seen from: a place that the guests' own ids can reach.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::{RUN, machine_lock, network, while_doing};
use crate::guests::Failure;

/// Where the container tools keep their locks, in a folder for each folder of containers.
const TOOL_LOCKS: &str = "/run/lxc/lock";

/// The place of a run.
pub(super) fn mount_point(run: &str) -> PathBuf {
    Path::new(RUN).join(run)
}

/// Mounts the guests' folder where the guests' ids can reach it: the data folder may well be below
/// a home folder that nobody else may enter.
pub(super) async fn mount(run: &str, folder: &Path) -> Result<(), Failure> {
    let at = mount_point(run);
    fs::create_dir(&at).map_err(while_doing(format!("making `{}`", at.display())))?;
    fs::set_permissions(&at, PermissionsExt::from_mode(0o711))
        .map_err(while_doing(format!("making `{}`", at.display())))?;
    network::run(
        "mount",
        &["--bind".as_ref(), folder.as_os_str(), at.as_os_str()],
    )
    .await
}

fn tool_locks(at: &Path) -> PathBuf {
    Path::new(TOOL_LOCKS).join(at.strip_prefix("/").unwrap_or(at))
}

/// Removes the tools' lock folder of a run, and the folders above it when nobody else needs them.
async fn remove_tool_locks(at: &Path) -> Result<(), Failure> {
    let _alone = machine_lock().await?;
    let locks = tool_locks(at);
    match fs::remove_dir_all(&locks) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(while_doing("removing the tools' lock folder")(error));
        }
        _ => {}
    }
    // Each of these fails when the folder is in use, which is as it should be.
    let above = locks
        .ancestors()
        .skip(1)
        .take_while(|folder| *folder != Path::new(RUN));
    above
        .take_while(|folder| fs::remove_dir(folder).is_ok())
        .for_each(drop);
    Ok(())
}

/// Takes the guests' folder from its place, and removes that.
pub(super) async fn unmount(at: &Path) -> Result<(), Failure> {
    remove_tool_locks(at).await?;
    let mounted = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let here = at.to_string_lossy();
    if mounted
        .lines()
        .any(|line| line.split(' ').nth(1) == Some(&*here))
    {
        network::run("umount", &[at.as_os_str()]).await?;
    }
    match fs::remove_dir(at) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(while_doing(format!("removing `{here}`"))(error))
        }
        _ => Ok(()),
    }
}

/// Removes a folder with all that is in it; it need not be there.
pub(super) async fn remove_folder(folder: &Path) -> Result<(), Failure> {
    let what = format!("removing `{}`", folder.display());
    match tokio::fs::remove_dir_all(folder).await {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(while_doing(what)(error)),
        _ => Ok(()),
    }
}
