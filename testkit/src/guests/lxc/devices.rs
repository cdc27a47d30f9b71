//! Device nodes for guests: the same device as on the host, with an owner of the guest's.

use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, FileType, Mode, chown, mknodat};
use rustix::process::{Gid, Uid};

use super::Failure;
use super::render::IDS;
use super::tools::while_doing;
use super::volumes::Device;

/// Makes a device node in a container's folder, anew if there is one already.
pub(super) fn make(
    container: &Path,
    key: &str,
    device: &Device,
    first_id: u32,
) -> Result<PathBuf, Failure> {
    let shown = device.path.display();
    let missing = || Failure::new(format!("{key}: device '{shown}' does not exist"));
    let meta = fs::metadata(&device.path).map_err(|_| missing())?;
    let kind = match meta.file_type() {
        kind if kind.is_char_device() => FileType::CharacterDevice,
        kind if kind.is_block_device() => FileType::BlockDevice,
        _ => return Err(Failure::new(format!("{key}: '{shown}' is no device"))),
    };
    if device.uid >= IDS || device.gid >= IDS {
        return Err(Failure::new(format!(
            "{key}: the guest has ids below {IDS} only"
        )));
    }
    let node = container.join("devices").join(key);
    let failed = || format!("{key}: making the device");
    fs::create_dir_all(container.join("devices")).map_err(while_doing(failed()))?;
    match fs::remove_file(&node) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(while_doing(failed())(error));
        }
        _ => {}
    }
    let owner = (
        Uid::from_raw(first_id + device.uid),
        Gid::from_raw(first_id + device.gid),
    );
    mknodat(CWD, &node, kind, Mode::empty(), meta.rdev())
        .and_then(|()| chown(&node, Some(owner.0), Some(owner.1)))
        .map_err(while_doing(failed()))?;
    fs::set_permissions(&node, PermissionsExt::from_mode(device.mode))
        .map_err(while_doing(failed()))?;
    Ok(node)
}
