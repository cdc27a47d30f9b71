//! What a container may do beyond the ordinary: `features`.

use std::collections::{BTreeMap, BTreeSet};

use super::mount::words;
use super::{Items, Property, property_text};

/// Features of a container.
///
/// # Quirks
/// Anything but `nesting`, and anything at all on a privileged container, may be changed by
/// `root@pam` only, and never with an API token.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Features {
    /// Whether containers may run inside; systemd of newer distributions needs it.
    pub nesting: bool,
    /// Whether FUSE file systems may be mounted.
    pub fuse: bool,
    /// Whether the `keyctl` system call is there; Docker needs it.
    pub keyctl: bool,
    /// Whether device nodes may be made.
    pub mknod: bool,
    /// Whether `/sys` is writable.
    pub force_rw_sys: bool,
    /// File systems that may be mounted, e.g. `nfs`.
    pub mount: BTreeSet<String>,
    /// What this crate does not know, by key.
    pub other: BTreeMap<String, String>,
}

impl Features {
    /// With nesting.
    #[must_use]
    pub fn nesting(mut self) -> Self {
        self.nesting = true;
        self
    }

    /// With the `keyctl` system call.
    #[must_use]
    pub fn keyctl(mut self) -> Self {
        self.keyctl = true;
        self
    }

    /// With FUSE.
    #[must_use]
    pub fn fuse(mut self) -> Self {
        self.fuse = true;
        self
    }

    /// Whether there is none, so that the setting can be left out.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Whether only `root@pam` may have set these, on an unprivileged container.
    #[must_use]
    pub fn needs_root(&self) -> bool {
        Self {
            nesting: false,
            ..self.clone()
        } != Self::default()
    }
}

impl Property for Features {
    const DEFAULT_KEY: Option<&'static str> = None;
    const FIRST: &'static [&'static str] = &[];

    fn from_items(mut items: Items) -> Result<Self, String> {
        Ok(Self {
            nesting: items.take_flag("nesting").unwrap_or_default(),
            fuse: items.take_flag("fuse").unwrap_or_default(),
            keyctl: items.take_flag("keyctl").unwrap_or_default(),
            mknod: items.take_flag("mknod").unwrap_or_default(),
            force_rw_sys: items.take_flag("force_rw_sys").unwrap_or_default(),
            mount: items.take_by("mount", words).unwrap_or_default(),
            other: items.rest(),
        })
    }

    fn to_items(&self) -> Items {
        let mut items = Items::from_rest(&self.other);
        items.put_flag("nesting", self.nesting);
        items.put_flag("fuse", self.fuse);
        items.put_flag("keyctl", self.keyctl);
        items.put_flag("mknod", self.mknod);
        items.put_flag("force_rw_sys", self.force_rw_sys);
        items.put_set("mount", &self.mount);
        items
    }
}

property_text!(Features);
