//! The grammar of what is attached: `MOUNT`, `DEVICE`, `FEATURES`, `NIC`.

use std::collections::BTreeMap;

use super::fields::Wrong;
use super::values::{address, disk_size, name, number};
use crate::resolve::{Address, Device, Disk, Mount, MountSource, Nic};

/// What an item of `MOUNT` is: the list may hold devices too, as the seed's files do.
pub(super) enum Attached {
    Mount(Mount),
    Device(Device),
}

const FORMS: &str = "`STORAGE:SIZE:/TARGET`, `/FOLDER:/TARGET` or `/dev/NAME`";

/// One item of `MOUNT`.
pub(super) fn attached(text: &str, storage: &str) -> Result<Attached, Wrong> {
    let parts: Vec<&str> = text.split(':').collect();
    match parts.as_slice() {
        [path] if path.starts_with("/dev/") => device(text).map(Attached::Device),
        [path] if path.starts_with('/') => Err(Wrong::other(
            "no-target",
            format!("`{path}` has no place in the container"),
            FORMS,
            format!("write `{path}:/TARGET`"),
        )),
        [word] => Err(no_share(word)),
        [source, target, options @ ..] if source.starts_with('/') => {
            let source = MountSource::Bind {
                path: path(source)?,
            };
            mount(source, target, options)
        }
        [size, target, options @ ..] if target.starts_with('/') => {
            let disk = Disk {
                storage: storage.to_owned(),
                size: disk_size(size)?,
            };
            mount(MountSource::Volume(disk), target, options)
        }
        [on, volume, target, options @ ..] => {
            let on = name(on, FORMS)?;
            let is_size =
                volume.starts_with(|first: char| first.is_ascii_digit()) && !volume.contains('/');
            let source = if is_size {
                MountSource::Volume(Disk {
                    storage: on,
                    size: disk_size(volume)?,
                })
            } else {
                MountSource::Existing {
                    volume: format!("{on}:{}", volume_name(volume)?),
                }
            };
            mount(source, target, options)
        }
        _ => Err(Wrong::value(text, FORMS)),
    }
}

/// The reference system's network shares are bare words; here they would need a server to be.
fn no_share(word: &str) -> Wrong {
    Wrong::other(
        "network-share",
        format!("`{word}` alone would be a network share, and there is none here"),
        FORMS,
        "mount a volume or a folder of the node; a share can be mounted by the service layer itself",
    )
}

fn volume_name(text: &str) -> Result<String, Wrong> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./".contains(&byte);
    let sane = !text.is_empty() && text.bytes().all(fits) && !text.contains("..");
    if sane {
        Ok(text.to_owned())
    } else {
        Err(Wrong::value(
            text,
            "the name of a volume such as `vm-105-disk-1`",
        ))
    }
}

fn path(text: &str) -> Result<String, Wrong> {
    let clean = text.trim_end_matches('/');
    let steps = clean.split('/').skip(1);
    let sane = |step: &str| {
        !step.is_empty()
            && step != "."
            && step != ".."
            && step.bytes().all(|byte| byte.is_ascii_graphic())
    };
    if text.starts_with('/') && steps.clone().count() > 0 && steps.clone().all(sane) {
        return Ok(clean.to_owned());
    }
    Err(Wrong::value(
        text,
        "an absolute path without `.`, `..` and blanks",
    ))
}

fn mount(source: MountSource, target: &str, options: &[&str]) -> Result<Attached, Wrong> {
    let owned = !matches!(source, MountSource::Bind { .. });
    // A volume is data: it is part of a backup unless the fleet says otherwise.
    let mut set: BTreeMap<String, String> = owned
        .then(|| ("backup".to_owned(), "1".to_owned()))
        .into_iter()
        .collect();
    for option in options {
        let (field, value) = match *option {
            "ro" => ("ro", "1"),
            "rw" => ("ro", "0"),
            "noacl" => ("acl", "0"),
            "shared" => ("shared", "1"),
            "quota" if owned => ("quota", "1"),
            "nobackup" if owned => ("backup", "0"),
            "backup" if owned => ("backup", "1"),
            "quota" | "backup" | "nobackup" => {
                return Err(Wrong::value(
                    option,
                    "an option of a folder: `ro`, `noacl`, `shared`",
                ));
            }
            _ => {
                return Err(Wrong::value(
                    option,
                    "`ro`, `nobackup`, `noacl`, `quota` or `shared`",
                ));
            }
        };
        set.insert(field.to_owned(), value.to_owned());
    }
    // What Proxmox VE takes for granted is not written; an `acl` left out is not one set to 0.
    set.retain(|field, value| value != "0" || field == "acl");
    Ok(Attached::Mount(Mount {
        source,
        target: path(target)?,
        options: set,
    }))
}

/// One item of `DEVICE`.
pub(super) fn device(text: &str) -> Result<Device, Wrong> {
    let mut parts = text.split(':');
    let written = parts.next().unwrap_or_default();
    let wanted = "a device such as `/dev/ttyUSB0`";
    if !written.starts_with("/dev/") {
        return Err(Wrong::value(written, wanted));
    }
    let mut options = BTreeMap::new();
    for option in parts {
        let wrong = || Wrong::value(option, "`mode=0660`, `uid=N`, `gid=N` or `ro`");
        let (field, value) = match option.split_once('=') {
            Some(("mode", mode)) if is_mode(mode) => ("mode", mode.to_owned()),
            Some(("uid", id)) => (
                "uid",
                number(id, 0, u32::MAX - 1)
                    .map_err(|_| wrong())?
                    .to_string(),
            ),
            Some(("gid", id)) => (
                "gid",
                number(id, 0, u32::MAX - 1)
                    .map_err(|_| wrong())?
                    .to_string(),
            ),
            None if option == "ro" => ("deny-write", "1".to_owned()),
            _ => return Err(wrong()),
        };
        options.insert(field.to_owned(), value);
    }
    Ok(Device {
        path: path(written).map_err(|_| Wrong::value(written, wanted))?,
        options,
    })
}

fn is_mode(text: &str) -> bool {
    text.len() == 4
        && text.starts_with('0')
        && text.bytes().all(|byte| (b'0'..=b'7').contains(&byte))
}

const SWITCHES: [&str; 5] = ["nesting", "keyctl", "fuse", "mknod", "force_rw_sys"];

/// One item of `FEATURES`: its name and its value as Proxmox VE has it, `0` for off.
pub(super) fn feature(text: &str) -> Result<(String, String), Wrong> {
    let (feature, value) = text.split_once('=').unwrap_or((text, "1"));
    if feature == "mount" {
        let kinds: Vec<&str> = value.split('+').collect();
        let fits = |kind: &&str| {
            !kind.is_empty()
                && kind
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        };
        if value != "1" && kinds.iter().all(fits) {
            return Ok((feature.to_owned(), kinds.join(";")));
        }
        return Err(Wrong::value(
            text,
            "`mount=` with kinds of file systems, such as `mount=nfs+cifs`",
        ));
    }
    if SWITCHES.contains(&feature) && matches!(value, "0" | "1") {
        return Ok((feature.to_owned(), value.to_owned()));
    }
    Err(Wrong::value(
        text,
        "`nesting`, `keyctl`, `fuse`, `mknod` or `force_rw_sys` with `=0` or `=1`, or `mount=FS+FS`",
    ))
}

/// One item of `NIC`; its name is given by its place in the list.
pub(super) fn nic(text: &str) -> Result<Nic, Wrong> {
    let wrong = || {
        Wrong::value(
            text,
            "`BRIDGE:ADDRESS/PREFIX`, `BRIDGE:dhcp` or `BRIDGE:manual`",
        )
    };
    let mut parts = text.split(':');
    let bridge = parts
        .next()
        .and_then(|bridge| name(bridge, "").ok())
        .ok_or_else(wrong)?;
    let address: Address = address(parts.next().ok_or_else(wrong)?, None).map_err(|_| wrong())?;
    let mut vlan = None;
    for option in parts {
        let tag = option
            .strip_prefix("vlan=")
            .ok_or_else(|| Wrong::value(option, "`vlan=NUMBER`"))?;
        vlan = Some(vlan_tag(tag)?);
    }
    Ok(Nic {
        name: String::new(),
        bridge,
        address,
        gateway: None,
        vlan,
    })
}

/// A VLAN tag.
pub(super) fn vlan_tag(text: &str) -> Result<u16, Wrong> {
    number(text, 1, 4094).map(|tag| u16::try_from(tag).expect("it is at most 4094"))
}
