//! What shall change about a container.

use super::settings::{Settings, for_each_setting};
use crate::api::{self, Capabilities};
use crate::error::Error;
use crate::ids::{Digest, VolumeId};
use crate::property::{Device, Features, MountPoint, Net, RootFs, Startup};
use crate::wire::{Decimal, Mib, Params, Patch, Tags};

/// What shall change about a container; what is not mentioned stays.
///
/// ```
/// use proxmox_api::api::UpdateContainer;
/// use proxmox_api::wire::{Mib, Patch};
///
/// let update = UpdateContainer::new()
///     .memory(Mib(1024))
///     .hostname("web")
///     .searchdomain(Patch::Delete);
/// assert_eq!(update.keys().collect::<Vec<_>>(), ["memory", "hostname", "searchdomain"]);
/// ```
#[must_use]
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct UpdateContainer {
    settings: Settings,
    revert: Vec<String>,
    digest: Option<Digest>,
}

macro_rules! update_setter {
    (text, $name:ident, $type:ty, $key:literal, $doc:literal) => {
        #[doc = $doc]
        pub fn $name(mut self, patch: impl Into<Patch<$type>>) -> Self {
            self.settings.say($key, patch.into());
            self
        }
    };
    (flag, $name:ident, bool, $key:literal, $doc:literal) => {
        #[doc = $doc]
        pub fn $name(mut self, patch: impl Into<Patch<bool>>) -> Self {
            self.settings.say($key, patch.into().map(u8::from));
            self
        }
    };
    (property, $name:ident, $type:ty, $key:literal, $doc:literal) => {
        #[doc = $doc]
        pub fn $name(mut self, patch: impl Into<Patch<$type>>) -> Self {
            self.settings.say_property($key.to_owned(), patch.into());
            self
        }
    };
    (indexed, $name:ident, $type:ty, $key:literal, $doc:literal) => {
        #[doc = $doc]
        pub fn $name(mut self, index: u8, patch: impl Into<Patch<$type>>) -> Self {
            self.settings
                .say_property(format!("{}{index}", $key), patch.into());
            self
        }
    };
}

impl UpdateContainer {
    /// No change yet.
    pub fn new() -> Self {
        Self::default()
    }

    for_each_setting!(update_setter);

    /// The options of the root file system; its volume must be the present one.
    pub fn rootfs(mut self, rootfs: RootFs) -> Self {
        self.settings
            .say_property("rootfs".to_owned(), Patch::Set(rootfs));
        self
    }

    /// A setting that this crate has no method for, in the server's words.
    pub fn setting(mut self, key: impl Into<String>, patch: impl Into<Patch<String>>) -> Self {
        self.settings.say_foreign(key.into(), patch.into());
        self
    }

    /// Gives up the change of a setting that waits for a restart.
    pub fn revert(mut self, key: impl Into<String>) -> Self {
        self.revert.push(key.into());
        self
    }

    /// Only if the configuration still is the one with that digest.
    pub fn digest(mut self, digest: Digest) -> Self {
        self.digest = Some(digest);
        self
    }

    /// Whether nothing would change; the server refuses such a request.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.settings.keys().next().is_none() && self.revert.is_empty()
    }

    /// The settings that are set or removed, in the order they were mentioned.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.settings.keys()
    }

    /// What a server that can do only so much would refuse, e.g. `entrypoint` or
    /// `net0.host-managed`; it would refuse the whole request.
    #[must_use]
    pub fn unsupported(&self, by: Capabilities) -> Vec<String> {
        self.settings.unsupported(api::SET_CONFIG.path, by)
    }

    pub(in crate::api) fn params(&self) -> Result<Params, Error> {
        let mut params = Params::default();
        self.settings.write(&mut params, "changing a container")?;
        let deleted: Vec<&str> = self.settings.deleted().collect();
        if !deleted.is_empty() {
            params.set("delete", deleted.join(","));
        }
        if !self.revert.is_empty() {
            params.set("revert", self.revert.join(","));
        }
        params.set_some("digest", self.digest.as_ref());
        Ok(params)
    }
}
