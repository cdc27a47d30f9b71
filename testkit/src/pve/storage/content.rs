//! The volumes of a storage: list, look at, annotate, allocate, remove, prune.

use serde_json::{Map, Value, json};

use super::{Volume, disk_usage};
use crate::pve::World;
use crate::pve::property::{parse_size, split_list};
use crate::pve::reply::Fail;
use crate::pve::route::{Answer, Call, Handler};
use crate::pve::work::Work;

pub(crate) fn handler(method: &str, path: &str) -> Option<Handler> {
    Some(match (method, path) {
        ("GET", "/nodes/{node}/storage/{storage}/content") => list,
        ("POST", "/nodes/{node}/storage/{storage}/content") => allocate,
        ("GET", "/nodes/{node}/storage/{storage}/content/{volume}") => read,
        ("PUT", "/nodes/{node}/storage/{storage}/content/{volume}") => update,
        ("DELETE", "/nodes/{node}/storage/{storage}/content/{volume}") => delete,
        _ => return None,
    })
}

impl World {
    /// Whether the caller may use a volume, which must be of the expected content type: templates
    /// are for everybody on the storage, images and backups for those who may work with their guest.
    pub(crate) fn check_volume(
        &self,
        who: &str,
        volume: &str,
        vmid: Option<u32>,
        expected: Option<&str>,
    ) -> Result<(), Fail> {
        let Some((storage, name)) = volume.split_once(':').filter(|_| !volume.starts_with('/'))
        else {
            return match who {
                "root@pam" => Ok(()),
                _ => Err(Fail::die(format!(
                    "Only root can pass arbitrary filesystem paths.{PLACE}"
                ))),
            };
        };
        self.storage(storage)?;
        let kind = kind_of(name);
        if expected.is_some_and(|expected| {
            expected != kind && !(expected == "rootdir" && kind == "images")
        }) {
            let expected = expected.unwrap_or_default();
            let text =
                format!("unable to use volume {volume} - content type needs to be '{expected}'");
            return Err(Fail::die(text));
        }
        let path = format!("/storage/{storage}");
        if self.check(who, &path, &["Datastore.Allocate"]).is_ok() {
            return Ok(());
        }
        match (kind, owner_of(name)) {
            ("iso" | "vztmpl" | "import", _) => {
                self.check_any(who, &path, &["Datastore.AllocateSpace", "Datastore.Audit"])
            }
            (_, Some(owner)) if Some(owner) == vmid => Ok(()),
            ("backup", Some(owner)) => {
                self.check(who, &path, &["Datastore.AllocateSpace"])?;
                self.check(who, &format!("/vms/{owner}"), &["VM.Backup"])
            }
            ("images", Some(owner)) => {
                self.check(who, &path, &["Datastore.Audit"])?;
                self.check(who, &format!("/vms/{owner}"), &["VM.Config.Disk"])
            }
            _ => Err(Fail::die(format!("missing privileges to access {volume}"))),
        }
    }
}

/// Where the real server dies of a path.
const PLACE: &str = " at /usr/share/perl5/PVE/Storage.pm line 585.";

/// The content type that a volume's name tells.
fn kind_of(name: &str) -> &str {
    match name.split_once('/').map(|(folder, _)| folder) {
        Some(folder @ ("iso" | "vztmpl" | "backup" | "snippets" | "import")) => folder,
        _ => "images",
    }
}

/// The guest that a volume's name tells: `9101/vm-9101-disk-0.raw`, `backup/vzdump-lxc-9101-…`.
pub(crate) fn owner_of(name: &str) -> Option<u32> {
    let file = name.rsplit('/').next().unwrap_or_default();
    let at = if name.starts_with("backup/") { 2 } else { 1 };
    file.split('-').nth(at)?.parse().ok()
}

fn row(id: &str, volume: &Volume) -> Map<String, Value> {
    let mut row = Map::new();
    row.insert("volid".into(), json!(id));
    row.insert("content".into(), json!(volume.content));
    row.insert("format".into(), json!(volume.format));
    row.insert("size".into(), json!(volume.size));
    row.insert("ctime".into(), json!(volume.ctime));
    if let Some(vmid) = volume.vmid {
        row.insert("vmid".into(), json!(vmid));
    }
    if volume.content == "rootdir" || volume.content == "images" {
        row.insert("parent".into(), Value::Null);
        row.insert("used".into(), json!(disk_usage(volume)));
    }
    if volume.content == "backup" {
        row.insert("subtype".into(), json!("lxc"));
        if let Some(notes) = &volume.notes {
            row.insert(
                "notes".into(),
                json!(notes.lines().next().unwrap_or_default()),
            );
        }
        if volume.protected {
            row.insert("protected".into(), json!(1));
        }
    }
    row
}

fn list(world: &mut World, call: &mut Call<'_>) -> Answer {
    let storage = call.text("storage");
    world.usable_storage(&storage)?;
    let (content, vmid) = (call.optional("content"), call.number("vmid"));
    let prefix = format!("{storage}:");
    let wanted = |id: &String, volume: &Volume| {
        id.starts_with(&prefix)
            && content
                .as_ref()
                .is_none_or(|list| split_list(list).any(|word| word == volume.content))
            && vmid.is_none_or(|vmid| volume.vmid.map(u64::from) == Some(vmid))
            && world
                .check_volume(&call.identity, id, vmid.map(|vmid| vmid as u32), None)
                .is_ok()
    };
    Ok(world
        .volumes
        .iter()
        .filter(|(id, volume)| wanted(id, volume))
        .map(|(id, volume)| Value::Object(row(id, volume)))
        .collect())
}

/// The full id of a volume that may be written without its storage.
fn volume_id(call: &Call<'_>) -> Result<String, Fail> {
    let (storage, volume) = (call.text("storage"), call.text("volume"));
    match volume.split_once(':') {
        None => Ok(format!("{storage}:{volume}")),
        Some((own, _)) if own == storage => Ok(volume),
        Some((own, _)) => {
            let text = format!("storage ID mismatch ({own} != {storage})\n");
            Err(Fail::param("volume", text))
        }
    }
}

fn read(world: &mut World, call: &mut Call<'_>) -> Answer {
    let id = volume_id(call)?;
    world.check_volume(&call.identity, &id, None, None)?;
    let volume = world
        .volumes
        .get(&id)
        .ok_or_else(|| Fail::die(format!("volume_size_info on '{id}' failed - no format")))?;
    // Sizes come from the image tool, which counts whole sectors and knows no archives.
    let mut row = json!({
        "path": world.file_of(&id),
        "size": volume.size.div_ceil(512) * 512,
        "used": disk_usage(volume),
        "format": "raw",
    });
    if volume.content == "backup" {
        row["protected"] = json!(i64::from(volume.protected));
        if let Some(notes) = &volume.notes {
            row["notes"] = json!(notes);
        }
    }
    Ok(row)
}

fn update(world: &mut World, call: &mut Call<'_>) -> Answer {
    let id = volume_id(call)?;
    world.check_volume(&call.identity, &id, None, None)?;
    let (notes, protected) = (
        call.optional("notes"),
        call.has("protected").then(|| call.flag("protected")),
    );
    let Some(volume) = world.volumes.get_mut(&id) else {
        return Err(Fail::die(format!("volume '{id}' does not exist")));
    };
    if let Some(notes) = notes {
        volume.notes = Some(notes).filter(|notes| !notes.is_empty());
    }
    volume.protected = protected.unwrap_or(volume.protected);
    Ok(Value::Null)
}

fn allocate(world: &mut World, call: &mut Call<'_>) -> Answer {
    let (storage, name) = (call.text("storage"), call.text("filename"));
    world.usable_storage(&storage)?;
    let vmid = call.vmid();
    let size = parse_size(&call.text("size")).map(|size| {
        if call.text("size").bytes().all(|b| b.is_ascii_digit()) {
            size << 10
        } else {
            size
        }
    });
    let folder = world.storage(&storage)?.is_folder();
    let id = if folder {
        format!("{storage}:{vmid}/{name}")
    } else {
        format!("{storage}:{name}")
    };
    if !name.starts_with(&format!("vm-{vmid}-")) {
        return Err(Fail::die(format!(
            "illegal name '{name}' - should be 'vm-{vmid}-*'"
        )));
    }
    if world.volumes.contains_key(&id) {
        return Err(Fail::die(format!(
            "disk image '{}' already exists",
            world.file_of(&id)
        )));
    }
    let volume = Volume {
        content: "images".to_owned(),
        format: call.optional("format").unwrap_or_else(|| "raw".to_owned()),
        size: size.unwrap_or_default(),
        ctime: world.now().secs(),
        vmid: Some(vmid),
        ..Volume::default()
    };
    world.volumes.insert(id.clone(), volume);
    Ok(json!(id))
}

fn delete(world: &mut World, call: &mut Call<'_>) -> Answer {
    let id = volume_id(call)?;
    let (storage, name) = id.split_once(':').unwrap_or((&id, ""));
    world.usable_storage(storage)?;
    let path = format!("/storage/{storage}");
    let owner = owner_of(name);
    match owner.filter(|_| kind_of(name) == "backup") {
        Some(owner) => {
            world.check(&call.identity, &path, &["Datastore.AllocateSpace"])?;
            world.check(&call.identity, &format!("/vms/{owner}"), &["VM.Backup"])?;
        }
        None => world.check(&call.identity, &path, &["Datastore.Allocate"])?,
    }
    let subject = match owner {
        Some(vmid) => format!("{vmid}@{storage}"),
        None => storage.to_owned(),
    };
    let upid = world.spawn(
        call,
        "imgdel",
        &subject,
        Work::Remove { volume: id.clone() },
    );
    // With `delay` the answer waits for the task: nothing when it ended well, its error otherwise.
    match world.exit_of(&upid).filter(|_| call.has("delay")) {
        None => Ok(json!(upid)),
        Some(text) if text == "OK" => Ok(Value::Null),
        Some(text) => Err(Fail::die(text)),
    }
}

/// The worker that removes a volume; one that is not there is no error.
pub(crate) fn remove(world: &mut World, id: &str, log: &mut Vec<String>) -> Result<(), Fail> {
    let (storage, name) = id.split_once(':').unwrap_or((id, ""));
    match world.volumes.get(id) {
        Some(volume) if volume.protected => {
            return Err(Fail::die(format!(
                "cannot remove protected volume '{name}' on '{storage}'"
            )));
        }
        Some(_) => world.discard(id),
        None => log.push(format!("disk image '{}' does not exist", world.file_of(id))),
    }
    log.push(format!("Removed volume '{id}'"));
    Ok(())
}
