//! What is said about storages and volumes.

use std::fmt;

use serde::Deserialize;

use crate::ids::{StorageId, Vmid, VolumeId};
use crate::wire::{Params, lax, split_list};

/// What a volume is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum ContentType {
    /// Container templates.
    Template,
    /// Installation images.
    Iso,
    /// Disk images to import.
    Import,
    /// Volumes of containers.
    Rootdir,
    /// Disks of virtual machines.
    Images,
    /// Backups.
    Backup,
    /// Snippets, e.g. hook scripts; the API cannot write them.
    Snippets,
}

impl ContentType {
    /// The server's word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Template => "vztmpl",
            Self::Iso => "iso",
            Self::Import => "import",
            Self::Rootdir => "rootdir",
            Self::Images => "images",
            Self::Backup => "backup",
            Self::Snippets => "snippets",
        }
    }
}

impl fmt::Display for ContentType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Which storages are listed.
#[must_use]
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ListStorages {
    content: Option<ContentType>,
    storage: Option<StorageId>,
    enabled: bool,
}

impl ListStorages {
    /// All.
    pub fn all() -> Self {
        Self::default()
    }

    /// Only those that hold such volumes.
    pub fn holding(mut self, content: ContentType) -> Self {
        self.content = Some(content);
        self
    }

    /// Only the one of that name.
    pub fn named(mut self, storage: StorageId) -> Self {
        self.storage = Some(storage);
        self
    }

    /// Only those in use.
    pub fn enabled(mut self) -> Self {
        self.enabled = true;
        self
    }

    pub(in crate::api) fn params(&self) -> Params {
        let mut params = Params::default();
        params.set_some("content", self.content);
        params.set_some("storage", self.storage.as_ref());
        params.set_flag("enabled", self.enabled);
        params
    }
}

/// A storage with its space.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct StorageStatus {
    /// Its name.
    #[serde(default)]
    pub storage: Option<StorageId>,
    /// Its kind, e.g. `dir`, `zfspool`.
    #[serde(rename = "type")]
    pub kind: String,
    /// What it holds, in the server's words and any order.
    #[serde(default)]
    pub content: String,
    /// Whether it can be used now.
    #[serde(default, deserialize_with = "lax")]
    pub active: bool,
    /// Whether it may be used.
    #[serde(default, deserialize_with = "lax")]
    pub enabled: bool,
    /// Whether all nodes see the same.
    #[serde(default, deserialize_with = "lax")]
    pub shared: bool,
    /// Bytes in all.
    #[serde(default, deserialize_with = "lax")]
    pub total: u64,
    /// Bytes in use.
    #[serde(default, deserialize_with = "lax")]
    pub used: u64,
    /// Bytes left.
    #[serde(default, deserialize_with = "lax")]
    pub avail: u64,
}

impl StorageStatus {
    /// Whether it holds such volumes.
    #[must_use]
    pub fn holds(&self, content: ContentType) -> bool {
        split_list(&self.content).any(|word| word == content.as_str())
    }

    /// With the name it was asked for by, which the answer does not repeat.
    pub(super) fn named(mut self, id: &StorageId) -> Self {
        self.storage.get_or_insert_with(|| id.clone());
        self
    }
}

/// Which volumes are listed.
#[must_use]
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ListContent {
    content: Option<ContentType>,
    vmid: Option<Vmid>,
}

impl ListContent {
    /// All.
    pub fn all() -> Self {
        Self::default()
    }

    /// Only those for that.
    pub fn of(content: ContentType) -> Self {
        Self {
            content: Some(content),
            vmid: None,
        }
    }

    /// Only those of that guest.
    pub fn owned_by(mut self, vmid: Vmid) -> Self {
        self.vmid = Some(vmid);
        self
    }

    pub(super) fn params(&self) -> Params {
        let mut params = Params::default();
        params.set_some("content", self.content);
        params.set_some("vmid", self.vmid);
        params
    }
}

/// A volume on a storage.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct VolumeEntry {
    /// Its name.
    pub volid: VolumeId,
    /// What it is for, in the server's word, e.g. `vztmpl`.
    #[serde(default)]
    pub content: String,
    /// Its format, e.g. `tzst`, `raw`.
    #[serde(default)]
    pub format: String,
    /// Its bytes.
    #[serde(default, deserialize_with = "lax")]
    pub size: Option<u64>,
    /// Its bytes on the medium.
    #[serde(default, deserialize_with = "lax")]
    pub used: Option<u64>,
    /// When it was made, in seconds since 1970.
    #[serde(default, deserialize_with = "lax")]
    pub ctime: Option<u64>,
    /// The guest it belongs to.
    #[serde(default)]
    pub vmid: Option<Vmid>,
    /// Notes on a backup.
    #[serde(default)]
    pub notes: Option<String>,
    /// Whether a backup is kept by pruning.
    #[serde(default, deserialize_with = "lax")]
    pub protected: bool,
}

/// A template that can be downloaded.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct Template {
    /// Name of the file, with which it is downloaded.
    pub template: String,
    /// Name of what is in it, e.g. `debian-12-standard`.
    #[serde(default)]
    pub package: String,
    /// Version of what is in it.
    #[serde(default)]
    pub version: String,
    /// Distribution, e.g. `debian-12`.
    #[serde(default)]
    pub os: String,
    /// Section, e.g. `system`, `turnkeylinux`.
    #[serde(default)]
    pub section: String,
    /// What it is, in a line.
    #[serde(default)]
    pub headline: String,
    /// SHA-512 of the file.
    #[serde(default)]
    pub sha512sum: Option<String>,
}
