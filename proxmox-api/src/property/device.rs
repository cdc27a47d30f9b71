//! Devices of the node passed to a container: `devN`.

use std::collections::BTreeMap;

use super::{Items, Property, property_text};

/// A device node of the host inside a container; only `root@pam` may configure one.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Device {
    /// Path on the node, e.g. `/dev/net/tun`.
    pub path: String,
    /// Access mode in octal, e.g. `0660`.
    pub mode: Option<String>,
    /// Owner inside the container.
    pub uid: Option<u32>,
    /// Group inside the container.
    pub gid: Option<u32>,
    /// Whether writing is denied.
    pub deny_write: bool,
    /// What this crate does not know, by key.
    pub other: BTreeMap<String, String>,
}

impl Device {
    /// The device at that path, with the server's defaults.
    #[must_use]
    pub fn new(path: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            mode: None,
            uid: None,
            gid: None,
            deny_write: false,
            other: BTreeMap::new(),
        }
    }

    /// With that access mode in octal, e.g. `0660`.
    #[must_use]
    pub fn mode(mut self, mode: impl Into<String>) -> Self {
        self.mode = Some(mode.into());
        self
    }

    /// Owned by that user and group of the container.
    #[must_use]
    pub fn owner(mut self, uid: u32, gid: u32) -> Self {
        (self.uid, self.gid) = (Some(uid), Some(gid));
        self
    }
}

impl Property for Device {
    const DEFAULT_KEY: Option<&'static str> = Some("path");
    const FIRST: &'static [&'static str] = &["path"];

    fn from_items(mut items: Items) -> Result<Self, String> {
        Ok(Self {
            path: items.require("path")?,
            mode: items.take("mode"),
            uid: items.take("uid"),
            gid: items.take("gid"),
            deny_write: items.take_flag("deny-write").unwrap_or_default(),
            other: items.rest(),
        })
    }

    fn to_items(&self) -> Items {
        let mut items = Items::from_rest(&self.other);
        items.put("path", &self.path);
        items.put_some("mode", self.mode.as_ref());
        items.put_some("uid", self.uid);
        items.put_some("gid", self.gid);
        items.put_flag("deny-write", self.deny_write);
        items
    }
}

property_text!(Device);
