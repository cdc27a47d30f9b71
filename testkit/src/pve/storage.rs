//! Storages and the volumes on them.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::World;
use super::guest::sha1_hex;
use super::property::split_list;
use super::reply::Fail;
use super::route::Handler;

pub(crate) mod aplinfo;
pub(crate) mod content;
mod definition;
pub(crate) mod upload;

/// A storage definition.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Storage {
    pub(crate) kind: String,
    /// Options of `storage.cfg`, such as `path` and `content`.
    pub(crate) options: BTreeMap<String, String>,
}

/// A volume: an image, a template, an ISO or a backup.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Volume {
    /// `rootdir`, `vztmpl`, `iso`, `backup`, …
    pub(crate) content: String,
    pub(crate) format: String,
    pub(crate) size: u64,
    pub(crate) ctime: i64,
    pub(crate) vmid: Option<u32>,
    pub(crate) notes: Option<String>,
    pub(crate) protected: bool,
    /// The configuration inside of a backup.
    pub(crate) config: Option<String>,
}

pub(crate) fn handler(method: &str, path: &str) -> Option<Handler> {
    definition::handler(method, path)
        .or_else(|| content::handler(method, path))
        .or_else(|| aplinfo::handler(method, path))
        .or_else(|| upload::handler(method, path))
}

/// The storage `local` of a new node.
pub(crate) fn initial() -> BTreeMap<String, Storage> {
    let options = BTreeMap::from([
        ("path".to_owned(), "/var/lib/vz".to_owned()),
        (
            "content".to_owned(),
            "iso,vztmpl,backup,rootdir,images,snippets".to_owned(),
        ),
    ]);
    BTreeMap::from([(
        "local".to_owned(),
        Storage {
            kind: "dir".to_owned(),
            options,
        },
    )])
}

/// Where a volume's file lies below the storage's path.
pub(crate) fn relative(name: &str) -> Option<PathBuf> {
    let (kind, rest) = name.split_once('/')?;
    if rest.is_empty() || rest.split('/').any(|part| part == ".." || part.is_empty()) {
        return None;
    }
    let folder = match kind {
        "vztmpl" => "template/cache",
        "iso" => "template/iso",
        "backup" => "dump",
        "snippets" => "snippets",
        "import" => "import",
        vmid => return Some(PathBuf::from("images").join(vmid).join(rest)),
    };
    Some(PathBuf::from(folder).join(rest))
}

impl Volume {
    /// A file that belongs to no guest.
    pub(crate) fn file(content: &str, name: &str, size: u64, ctime: i64) -> Self {
        let format = match content {
            "iso" => "iso",
            _ => ["tar.zst", "tar.gz", "tar.xz", "tgz", "txz", "tar.bz2"]
                .into_iter()
                .find(|end| name.ends_with(end))
                .map_or("raw", |end| match end {
                    "tar.gz" => "tgz",
                    "tar.xz" => "txz",
                    "tar.zst" => "tzst",
                    other => other,
                }),
        };
        Self {
            content: content.to_owned(),
            format: format.to_owned(),
            size,
            ctime,
            ..Self::default()
        }
    }
}

impl Storage {
    pub(crate) fn offers(&self, content: &str) -> bool {
        self.options
            .get("content")
            .is_some_and(|list| split_list(list).any(|word| word == content))
    }

    pub(crate) fn is_enabled(&self, node: &str) -> bool {
        let here = self
            .options
            .get("nodes")
            .is_none_or(|nodes| split_list(nodes).any(|name| name == node));
        here && self.options.get("disable").is_none_or(|value| value != "1")
    }

    /// Whether volumes are files in a folder.
    pub(crate) fn is_folder(&self) -> bool {
        matches!(
            self.kind.as_str(),
            "dir" | "nfs" | "cifs" | "btrfs" | "cephfs" | "glusterfs"
        )
    }

    /// Whether containers on it can have snapshots and linked clones.
    pub(crate) fn has_snapshots(&self) -> bool {
        matches!(self.kind.as_str(), "lvmthin" | "zfspool" | "rbd" | "btrfs")
    }
}

impl World {
    pub(crate) fn storage(&self, name: &str) -> Result<&Storage, Fail> {
        self.storages
            .get(name)
            .ok_or_else(|| Fail::die(format!("storage '{name}' does not exist")))
    }

    /// A storage that can be used on this node.
    pub(crate) fn usable_storage(&self, name: &str) -> Result<&Storage, Fail> {
        let storage = self.storage(name)?;
        if storage
            .options
            .get("disable")
            .is_some_and(|value| value == "1")
        {
            return Err(Fail::die(format!("storage '{name}' is disabled")));
        }
        if !storage.is_enabled(self.node_name()) {
            return Err(Fail::die(format!(
                "storage '{name}' is not available on node '{}'",
                self.node_name()
            )));
        }
        Ok(storage)
    }

    /// What optimistic locking of the storage definitions compares.
    pub(crate) fn storage_digest(&self) -> String {
        sha1_hex(&format!("{:?}", self.storages))
    }

    /// The path of a volume's file on the node.
    pub(crate) fn file_of(&self, volume: &str) -> String {
        let (storage, name) = volume.split_once(':').unwrap_or((volume, ""));
        let root = self
            .storages
            .get(storage)
            .and_then(|storage| storage.options.get("path"))
            .map_or("/dev", String::as_str);
        let path = relative(name).unwrap_or_else(|| PathBuf::from(storage).join(name));
        format!("{root}/{}", path.display())
    }

    /// Makes a new volume for a guest under the first free name.
    pub(crate) fn allocate(&mut self, storage: &str, vmid: u32, size: u64) -> String {
        self.allocate_as(storage, vmid, size, "vm")
    }

    pub(crate) fn allocate_as(
        &mut self,
        storage: &str,
        vmid: u32,
        size: u64,
        prefix: &str,
    ) -> String {
        let kind = self
            .storages
            .get(storage)
            .map(|storage| (storage.is_folder(), storage.kind.clone()));
        let (folder, kind) = kind.unwrap_or((true, "dir".to_owned()));
        let name = |number: u32| match (folder, kind.as_str(), prefix) {
            (true, ..) => format!("{storage}:{vmid}/{prefix}-{vmid}-disk-{number}.raw"),
            (false, "zfspool", "base") => format!("{storage}:basevol-{vmid}-disk-{number}"),
            (false, "zfspool", _) => format!("{storage}:subvol-{vmid}-disk-{number}"),
            (false, ..) => format!("{storage}:{prefix}-{vmid}-disk-{number}"),
        };
        let volume = (0..)
            .map(name)
            .find(|name| !self.volumes.contains_key(name))
            .unwrap_or_default();
        let format = if kind == "zfspool" { "subvol" } else { "raw" };
        self.volumes.insert(
            volume.clone(),
            Volume {
                content: "rootdir".to_owned(),
                format: format.to_owned(),
                size,
                ctime: self.now().secs(),
                vmid: Some(vmid),
                ..Volume::default()
            },
        );
        volume
    }

    /// Removes a volume, whose file goes too.
    pub(crate) fn discard(&mut self, volume: &str) {
        if self.volumes.remove(volume).is_some() {
            self.effects.push(super::Effect::Discard {
                volume: volume.to_owned(),
            });
        }
    }

    /// Bytes in use on a storage.
    pub(crate) fn used(&self, storage: &str) -> u64 {
        let prefix = format!("{storage}:");
        let own: u64 = self
            .volumes
            .iter()
            .filter(|(id, _)| id.starts_with(&prefix))
            .map(|(_, volume)| disk_usage(volume))
            .sum();
        (4 << 30) + own
    }
}

/// Bytes that a volume takes: images are sparse.
pub(crate) fn disk_usage(volume: &Volume) -> u64 {
    if volume.content == "rootdir" {
        volume.size.min(600 << 20)
    } else {
        volume.size
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_volume_cannot_leave_its_storage() {
        assert_eq!(
            relative("vztmpl/a.tar.zst"),
            Some(PathBuf::from("template/cache/a.tar.zst"))
        );
        assert_eq!(relative("vztmpl/../../etc/passwd"), None);
        assert_eq!(
            relative("100/vm-100-disk-0.raw"),
            Some(PathBuf::from("images/100/vm-100-disk-0.raw"))
        );
    }
}
