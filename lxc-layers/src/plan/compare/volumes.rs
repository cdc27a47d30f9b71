//! What is attached: the root disk, mount points by their target, devices by their path.

use std::collections::{BTreeMap, BTreeSet};

use super::network::series;
use super::property::{parse, print};
use super::{Circumstances, Difference};
use crate::plan::{ChangeClass, Refusal};
use crate::resolve::{Container, Device, Disk, Mount, MountSource};
use crate::spec::{Key, Size};

/// Storages round a size up to their extents; so much more than asked for is not a difference.
const ROUNDING: u64 = 4 << 20;

/// The options of a mount point that a fleet says, with what holds when they are absent.
const OPTIONS: [(&str, &str); 5] = [
    ("ro", "0"),
    ("backup", "0"),
    ("acl", ""),
    ("quota", "0"),
    ("shared", "0"),
];

/// The options of a device, likewise.
const DEVICE_OPTIONS: [(&str, &str); 4] = [
    ("mode", ""),
    ("uid", "0"),
    ("gid", "0"),
    ("deny-write", "0"),
];

pub(super) fn compare(
    desired: &Container,
    observed: &BTreeMap<String, String>,
    around: &Circumstances<'_>,
    difference: &mut Difference,
) {
    if let Some(raw) = observed.get("rootfs") {
        let is = parse(raw, "volume");
        let place = Place {
            key: Key::Rootfs,
            field: "rootfs",
            id: "rootfs",
            container: desired,
        };
        disk(&place, &desired.rootfs, &is, around, difference);
    }
    mounts(desired, observed, around, difference);
    devices(desired, observed, around, difference);
}

/// Where a disk is: the key that says it, the field that holds it, what the marker calls it.
struct Place<'a> {
    key: Key,
    field: &'a str,
    id: &'a str,
    container: &'a Container,
}

fn disk(
    place: &Place<'_>,
    should: &Disk,
    is: &BTreeMap<String, String>,
    around: &Circumstances<'_>,
    difference: &mut Difference,
) {
    let volume = is.get("volume").map_or("", String::as_str);
    let storage = volume.split_once(':').map_or("", |(storage, _)| storage);
    if storage != should.storage {
        let (from, to) = (Some(storage.to_owned()), Some(should.storage.clone()));
        difference.change(
            around,
            place.key,
            ChangeClass::Move,
            &format!("{}.storage", place.id),
            from,
            to,
        );
        difference
            .moves
            .push((place.field.to_owned(), should.storage.clone()));
    }
    let Some(size) = is
        .get("size")
        .and_then(|size| Size::parse(size, Some(Size::bytes(1))))
    else {
        return;
    };
    if size < should.size {
        let (from, to) = (Some(size.to_string()), Some(should.size.to_string()));
        difference.change(
            around,
            place.key,
            ChangeClass::Resize,
            &format!("{}.size", place.id),
            from,
            to,
        );
        difference
            .resize
            .push((place.field.to_owned(), should.size.to_string()));
    } else if size.as_bytes() - should.size.as_bytes() >= ROUNDING {
        difference.refusals.push(shrink(place, size, should.size));
    }
}

fn shrink(place: &Place<'_>, is: Size, should: Size) -> Refusal {
    Refusal {
        code: "shrink",
        key: Some(place.key.name().to_owned()),
        message: format!("`{}` is {is} and cannot shrink to {should}", place.field),
        privilege: None,
        ways_out: vec![
            format!("write {is}, which is what it has"),
            "back the data up, and make the container anew with a smaller disk".to_owned(),
        ],
        place: place.container.place(place.key).cloned(),
    }
}

/// The id by which the marker remembers a mount.
fn mount_id(target: &str) -> String {
    format!("mount {target}")
}

fn mounts(
    desired: &Container,
    observed: &BTreeMap<String, String>,
    around: &Circumstances<'_>,
    difference: &mut Difference,
) {
    let there: Vec<(&String, BTreeMap<String, String>)> = series(observed, "mp")
        .into_iter()
        .map(|(field, raw)| (field, parse(raw, "volume")))
        .collect();
    let mut taken: BTreeSet<String> = there.iter().map(|(field, _)| (*field).clone()).collect();
    for mount in &desired.mounts {
        let target = |is: &BTreeMap<String, String>| {
            is.get("mp")
                .map(|path| path.trim_end_matches('/') == mount.target)
        };
        match there.iter().find(|(_, is)| target(is) == Some(true)) {
            Some((field, is)) => known_mount(desired, mount, field, is, around, difference),
            None => {
                let field = free("mp", &mut taken);
                let text = print(&new_mount(mount), "volume");
                let id = mount_id(&mount.target);
                difference.change(
                    around,
                    Key::Mount,
                    ChangeClass::Hotplug,
                    &id,
                    None,
                    Some(describe(mount)),
                );
                difference.set.insert(field, text);
            }
        }
    }
    for (field, is) in there {
        let path = is.get("mp").map_or("", |path| path.trim_end_matches('/'));
        if !desired.mounts.iter().any(|mount| mount.target == path) {
            let volume = is.get("volume").cloned();
            difference.change(
                around,
                Key::Mount,
                ChangeClass::NeedsReboot,
                &mount_id(path),
                volume,
                None,
            );
            let change = difference.changes.last_mut().expect("it was pushed");
            change.reason = format!("detached, {}; a volume stays as unusedN", change.reason);
            difference.delete.push(field.clone());
        }
    }
}

/// The first number of a series that nothing has.
fn free(kind: &str, taken: &mut BTreeSet<String>) -> String {
    let field = (0..256)
        .map(|number| format!("{kind}{number}"))
        .find(|field| !taken.contains(field));
    let field = field.expect("a container has far fewer than 256 of a kind");
    taken.insert(field.clone());
    field
}

fn known_mount(
    desired: &Container,
    mount: &Mount,
    field: &str,
    is: &BTreeMap<String, String>,
    around: &Circumstances<'_>,
    difference: &mut Difference,
) {
    let id = mount_id(&mount.target);
    let mut write = is.clone();
    let volume = is.get("volume").cloned().unwrap_or_default();
    let owned = !volume.starts_with('/');
    match &mount.source {
        MountSource::Volume(should) if owned => {
            let place = Place {
                key: Key::Mount,
                field,
                id: &id,
                container: desired,
            };
            disk(&place, should, is, around, difference);
        }
        MountSource::Existing { volume: should } if *should == volume => {}
        MountSource::Bind { path } if *path == volume => {}
        MountSource::Volume(_) | MountSource::Existing { .. } | MountSource::Bind { .. } => {
            write = new_mount(mount);
            difference.change(
                around,
                Key::Mount,
                ChangeClass::NeedsReboot,
                &id,
                Some(volume),
                Some(describe(mount)),
            );
            difference
                .set
                .insert(field.to_owned(), print(&write, "volume"));
            return;
        }
    }
    let before = difference.changes.len();
    for (option, absent) in OPTIONS {
        let value = |parts: &BTreeMap<String, String>| {
            parts
                .get(option)
                .cloned()
                .unwrap_or_else(|| absent.to_owned())
        };
        let (from, to) = (value(is), value(&mount.options));
        if from != to {
            match mount.options.get(option) {
                Some(value) => write.insert(option.to_owned(), value.clone()),
                None => write.remove(option),
            };
            let name = format!("{id}.{option}");
            difference.change(
                around,
                Key::Mount,
                ChangeClass::NeedsReboot,
                &name,
                said(from),
                said(to),
            );
        }
    }
    if difference.changes[before..]
        .iter()
        .any(|change| change.class == ChangeClass::NeedsReboot)
    {
        difference
            .set
            .insert(field.to_owned(), print(&write, "volume"));
    }
}

fn said(value: String) -> Option<String> {
    (!value.is_empty()).then_some(value)
}

fn new_mount(mount: &Mount) -> BTreeMap<String, String> {
    let volume = match &mount.source {
        MountSource::Volume(disk) => format!("{}:{}", disk.storage, disk.size.in_gib()),
        MountSource::Existing { volume } => volume.clone(),
        MountSource::Bind { path } => path.clone(),
    };
    let mut parts = mount.options.clone();
    parts.insert("mp".to_owned(), mount.target.clone());
    parts.insert("volume".to_owned(), volume);
    parts
}

fn describe(mount: &Mount) -> String {
    let source = match &mount.source {
        MountSource::Volume(disk) => format!("{}:{}", disk.storage, disk.size),
        MountSource::Existing { volume } => volume.clone(),
        MountSource::Bind { path } => path.clone(),
    };
    format!("{source} on {}", mount.target)
}

fn device_parts(device: &Device) -> BTreeMap<String, String> {
    let mut parts = device.options.clone();
    parts.insert("path".to_owned(), device.path.clone());
    parts
}

fn devices(
    desired: &Container,
    observed: &BTreeMap<String, String>,
    around: &Circumstances<'_>,
    difference: &mut Difference,
) {
    let there: Vec<(&String, BTreeMap<String, String>)> = series(observed, "dev")
        .into_iter()
        .map(|(field, raw)| (field, parse(raw, "path")))
        .collect();
    let mut taken: BTreeSet<String> = there.iter().map(|(field, _)| (*field).clone()).collect();
    for device in &desired.devices {
        let id = format!("device {}", device.path);
        let text = print(&device_parts(device), "path");
        match there
            .iter()
            .find(|(_, is)| is.get("path") == Some(&device.path))
        {
            None => {
                difference.change(
                    around,
                    Key::Device,
                    ChangeClass::Hotplug,
                    &id,
                    None,
                    Some(text.clone()),
                );
                difference.set.insert(free("dev", &mut taken), text);
            }
            Some((field, is)) => {
                let value = |parts: &BTreeMap<String, String>, (option, absent): (&str, &str)| {
                    parts
                        .get(option)
                        .cloned()
                        .unwrap_or_else(|| absent.to_owned())
                };
                if DEVICE_OPTIONS
                    .into_iter()
                    .any(|option| value(is, option) != value(&device.options, option))
                {
                    let from = Some(print(is, "path"));
                    difference.change(
                        around,
                        Key::Device,
                        ChangeClass::NeedsReboot,
                        &id,
                        from,
                        Some(text.clone()),
                    );
                    difference.set.insert((*field).clone(), text);
                }
            }
        }
    }
    for (field, is) in there {
        let path = is.get("path").cloned().unwrap_or_default();
        if !desired.devices.iter().any(|device| device.path == path) {
            let id = format!("device {path}");
            difference.change(
                around,
                Key::Device,
                ChangeClass::NeedsReboot,
                &id,
                Some(path),
                None,
            );
            difference.delete.push(field.clone());
        }
    }
}

pub(super) fn create(desired: &Container) -> BTreeMap<String, String> {
    let rootfs = format!(
        "{}:{}",
        desired.rootfs.storage,
        desired.rootfs.size.in_gib()
    );
    let mut parameters = BTreeMap::from([("rootfs".to_owned(), rootfs)]);
    for (number, mount) in desired.mounts.iter().enumerate() {
        parameters.insert(format!("mp{number}"), print(&new_mount(mount), "volume"));
    }
    for (number, device) in desired.devices.iter().enumerate() {
        parameters.insert(format!("dev{number}"), print(&device_parts(device), "path"));
    }
    parameters
}

pub(super) fn texts(desired: &Container) -> Vec<(String, String)> {
    let disk = |id: &str, disk: &Disk| {
        [
            (format!("{id}.storage"), disk.storage.clone()),
            (format!("{id}.size"), disk.size.to_string()),
        ]
    };
    let mut texts: Vec<(String, String)> = disk("rootfs", &desired.rootfs).into();
    for mount in &desired.mounts {
        let id = mount_id(&mount.target);
        if let MountSource::Volume(volume) = &mount.source {
            texts.extend(disk(&id, volume));
        }
        texts.extend(OPTIONS.map(|(option, _)| {
            (
                format!("{id}.{option}"),
                mount.options.get(option).cloned().unwrap_or_default(),
            )
        }));
        texts.push((id, describe_source(mount)));
    }
    texts.extend(desired.devices.iter().map(|device| {
        (
            format!("device {}", device.path),
            print(&device_parts(device), "path"),
        )
    }));
    texts
}

/// What is mounted, without the parts that have a text of their own.
fn describe_source(mount: &Mount) -> String {
    match &mount.source {
        MountSource::Volume(_) => "volume".to_owned(),
        MountSource::Existing { volume } => volume.clone(),
        MountSource::Bind { path } => path.clone(),
    }
}
