//! Volumes inside a container: `rootfs` and `mpN`.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::fmt;
use std::str::FromStr;

use super::{Items, Property, property_text};
use crate::ids::{StorageId, VolumeId};
use crate::wire::{Decimal, DiskSize};

/// What a mount point shows.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum VolumeSource {
    /// A volume that exists.
    Volume(VolumeId),
    /// A volume that is to be allocated: a storage and a size in gibibytes.
    Allocate(StorageId, Decimal),
    /// A folder or a device of the node; only `root@pam` may use these, tokens never.
    Path(String),
}

impl VolumeSource {
    /// A new volume of that size.
    #[must_use]
    pub fn allocate(storage: StorageId, size: DiskSize) -> Self {
        Self::Allocate(storage, size.gib())
    }

    /// The volume, if it exists already.
    #[must_use]
    pub fn volume(&self) -> Option<&VolumeId> {
        match self {
            Self::Volume(volume) => Some(volume),
            Self::Allocate(..) | Self::Path(_) => None,
        }
    }
}

impl FromStr for VolumeSource {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        let Ok(volume) = text.parse::<VolumeId>() else {
            return Ok(Self::Path(text.to_owned()));
        };
        Ok(match volume.name().parse() {
            Ok(size) => Self::Allocate(volume.storage().clone(), size),
            Err(_) => Self::Volume(volume),
        })
    }
}

impl fmt::Display for VolumeSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Volume(volume) => volume.fmt(f),
            Self::Allocate(storage, size) => write!(f, "{storage}:{size}"),
            Self::Path(path) => f.write_str(path),
        }
    }
}

/// What `rootfs` and mount points have in common.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct MountOptions {
    /// Size of the volume; the server writes it, and ignores it for a volume that it allocates.
    pub size: Option<DiskSize>,
    /// Whether access control lists are on; absent is the file system's default.
    pub acl: Option<bool>,
    /// Whether quotas are on.
    pub quota: bool,
    /// Whether it is mounted read-only.
    pub read_only: bool,
    /// Whether replication jobs leave it out.
    pub skip_replication: bool,
    /// Whether it is there on every node, though its storage is not a shared one.
    pub shared: bool,
    /// Options of the mount, e.g. `noatime`.
    pub mount_options: BTreeSet<String>,
    /// Identity mapping (9.2 and later).
    pub idmap: Option<String>,
    /// What this crate does not know, by key.
    pub other: BTreeMap<String, String>,
}

impl MountOptions {
    fn from_items(mut items: Items) -> Self {
        Self {
            size: items.take("size"),
            acl: items.take_flag("acl"),
            quota: items.take_flag("quota").unwrap_or_default(),
            read_only: items.take_flag("ro").unwrap_or_default(),
            skip_replication: !items.take_flag("replicate").unwrap_or(true),
            shared: items.take_flag("shared").unwrap_or_default(),
            mount_options: items.take_by("mountoptions", words).unwrap_or_default(),
            idmap: items.take("idmap"),
            other: items.rest(),
        }
    }

    fn to_items(&self) -> Items {
        let mut items = Items::from_rest(&self.other);
        items.put_some("size", self.size);
        items.put_some("acl", self.acl.map(u8::from));
        items.put_flag("quota", self.quota);
        items.put_flag("ro", self.read_only);
        items.put_some("replicate", self.skip_replication.then_some(0));
        items.put_flag("shared", self.shared);
        items.put_set("mountoptions", &self.mount_options);
        items.put_some("idmap", self.idmap.as_ref());
        items
    }
}

pub(super) fn words(text: &str) -> Option<BTreeSet<String>> {
    Some(
        text.split(';')
            .filter(|word| !word.is_empty())
            .map(str::to_owned)
            .collect(),
    )
}

/// The root file system of a container.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RootFs {
    /// What is mounted.
    pub source: VolumeSource,
    /// How it is mounted.
    pub options: MountOptions,
}

impl RootFs {
    /// A root file system with default options.
    #[must_use]
    pub fn new(source: VolumeSource) -> Self {
        Self {
            source,
            options: MountOptions::default(),
        }
    }
}

impl Property for RootFs {
    const DEFAULT_KEY: Option<&'static str> = Some("volume");
    const FIRST: &'static [&'static str] = &["volume"];

    fn from_items(mut items: Items) -> Result<Self, String> {
        let source = items.require("volume")?;
        Ok(Self {
            source,
            options: MountOptions::from_items(items),
        })
    }

    fn to_items(&self) -> Items {
        let mut items = self.options.to_items();
        items.put("volume", &self.source);
        items
    }
}

property_text!(RootFs);

/// A further volume, folder or device in a container.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct MountPoint {
    /// What is mounted.
    pub source: VolumeSource,
    /// Where it is mounted inside the container.
    pub path: String,
    /// Whether backups hold it.
    pub backup: bool,
    /// Whether owner and mode of the mount point are kept (9.1 and later).
    pub keepattrs: bool,
    /// How it is mounted.
    pub options: MountOptions,
}

impl MountPoint {
    /// A mount point with default options, left out of backups.
    #[must_use]
    pub fn new(source: VolumeSource, path: impl Into<String>) -> Self {
        Self {
            source,
            path: path.into(),
            backup: false,
            keepattrs: false,
            options: MountOptions::default(),
        }
    }

    /// Held by backups.
    #[must_use]
    pub fn backed_up(mut self) -> Self {
        self.backup = true;
        self
    }

    /// Mounted read-only.
    #[must_use]
    pub fn read_only(mut self) -> Self {
        self.options.read_only = true;
        self
    }
}

impl Property for MountPoint {
    const DEFAULT_KEY: Option<&'static str> = Some("volume");
    const FIRST: &'static [&'static str] = &["volume", "mp"];

    fn from_items(mut items: Items) -> Result<Self, String> {
        let source = items.require("volume")?;
        let path = items.require("mp")?;
        let backup = items.take_flag("backup").unwrap_or_default();
        let keepattrs = items.take_flag("keepattrs").unwrap_or_default();
        Ok(Self {
            source,
            path,
            backup,
            keepattrs,
            options: MountOptions::from_items(items),
        })
    }

    fn to_items(&self) -> Items {
        let mut items = self.options.to_items();
        items.put("volume", &self.source);
        items.put("mp", &self.path);
        items.put_flag("backup", self.backup);
        items.put_flag("keepattrs", self.keepattrs);
        items
    }
}

property_text!(MountPoint);
