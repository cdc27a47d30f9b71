//! What a new container shall be.

use super::settings::{Settings, for_each_setting};
use crate::api::{self, Capabilities};
use crate::auth::Secret;
use crate::error::Error;
use crate::ids::{PoolId, StorageId, Vmid, VolumeId};
use crate::property::{Device, Features, MountPoint, Net, RootFs, Startup};
use crate::wire::{Decimal, Mib, Params, Patch, Tags};

/// Whether root inside the container is root outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Privilege {
    /// Root inside is nobody outside; what almost everything should be.
    #[default]
    Unprivileged,
    /// Root inside is root outside.
    Privileged,
}

/// What a new container shall be.
///
/// ```
/// use proxmox_api::api::CreateContainer;
/// use proxmox_api::property::Net;
/// use proxmox_api::wire::Mib;
///
/// let create = CreateContainer::new(105.try_into()?, "local:vztmpl/debian-12.tar.zst".parse()?)
///     .hostname("web")
///     .memory(Mib(512))
///     .rootfs("local:8".parse()?)
///     .net(0, Net::new("eth0").bridge("vmbr0").ip("dhcp".parse()?))
///     .started();
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Quirks
/// The default for `unprivileged` changed from 0 to 1 in version 9.0, so it is always sent.
/// The start that [`CreateContainer::started`] asks for is a task of its own: the creating task
/// ends well though the start failed.
#[must_use]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreateContainer {
    vmid: Vmid,
    ostemplate: VolumeId,
    privilege: Privilege,
    settings: Settings,
    storage: Option<StorageId>,
    pool: Option<PoolId>,
    password: Option<Secret>,
    ssh_public_keys: Option<String>,
    start: bool,
    unique: bool,
    restore: bool,
    force: bool,
    ha_managed: bool,
    ignore_unpack_errors: bool,
    bwlimit: Option<u64>,
}

macro_rules! create_setter {
    (text, $name:ident, String, $key:literal, $doc:literal) => {
        #[doc = $doc]
        pub fn $name(mut self, value: impl Into<String>) -> Self {
            self.settings.say($key, Patch::Set(value.into()));
            self
        }
    };
    (text, $name:ident, $type:ty, $key:literal, $doc:literal) => {
        #[doc = $doc]
        pub fn $name(mut self, value: $type) -> Self {
            self.settings.say($key, Patch::Set(value));
            self
        }
    };
    (flag, $name:ident, bool, $key:literal, $doc:literal) => {
        #[doc = $doc]
        pub fn $name(mut self, value: bool) -> Self {
            self.settings.say($key, Patch::Set(u8::from(value)));
            self
        }
    };
    (property, $name:ident, $type:ty, $key:literal, $doc:literal) => {
        #[doc = $doc]
        pub fn $name(mut self, value: $type) -> Self {
            self.settings
                .say_property($key.to_owned(), Patch::Set(value));
            self
        }
    };
    (indexed, $name:ident, $type:ty, $key:literal, $doc:literal) => {
        #[doc = $doc]
        pub fn $name(mut self, index: u8, value: $type) -> Self {
            self.settings
                .say_property(format!("{}{index}", $key), Patch::Set(value));
            self
        }
    };
}

impl CreateContainer {
    /// An unprivileged container of that number, unpacked from that template.
    pub fn new(vmid: Vmid, ostemplate: VolumeId) -> Self {
        Self {
            vmid,
            ostemplate,
            privilege: Privilege::default(),
            settings: Settings::default(),
            storage: None,
            pool: None,
            password: None,
            ssh_public_keys: None,
            start: false,
            unique: false,
            restore: false,
            force: false,
            ha_managed: false,
            ignore_unpack_errors: false,
            bwlimit: None,
        }
    }

    for_each_setting!(create_setter);

    /// Its number.
    #[must_use]
    pub fn vmid(&self) -> Vmid {
        self.vmid
    }

    /// The same container with another number.
    pub fn with_vmid(mut self, vmid: Vmid) -> Self {
        self.vmid = vmid;
        self
    }

    /// Whether root inside is root outside; privileged needs `Sys.Modify` on `/`.
    pub fn privilege(mut self, privilege: Privilege) -> Self {
        self.privilege = privilege;
        self
    }

    /// The root file system; 4 GiB on the default storage if absent.
    pub fn rootfs(mut self, rootfs: RootFs) -> Self {
        self.settings
            .say_property("rootfs".to_owned(), Patch::Set(rootfs));
        self
    }

    /// The storage of volumes that do not name one.
    pub fn storage(mut self, storage: StorageId) -> Self {
        self.storage = Some(storage);
        self
    }

    /// The pool it belongs to.
    pub fn pool(mut self, pool: PoolId) -> Self {
        self.pool = Some(pool);
        self
    }

    /// The password of root inside, at least five characters.
    pub fn password(mut self, password: impl Into<Secret>) -> Self {
        self.password = Some(password.into());
        self
    }

    /// The keys that may log in as root, one a line as in `authorized_keys`.
    pub fn ssh_public_keys(mut self, keys: impl Into<String>) -> Self {
        self.ssh_public_keys = Some(keys.into());
        self
    }

    /// Started once it is there, in a task of its own.
    pub fn started(mut self) -> Self {
        self.start = true;
        self
    }

    /// Restored from a backup instead of unpacked from a template.
    pub fn restored(mut self) -> Self {
        self.restore = true;
        self
    }

    /// With new hardware addresses; for a restored container only.
    pub fn unique(mut self) -> Self {
        self.unique = true;
        self
    }

    /// In the place of an existing container of that number; for a restored container only.
    pub fn overwriting(mut self) -> Self {
        self.force = true;
        self
    }

    /// Managed by the high availability manager (9.1 and later).
    pub fn ha_managed(mut self) -> Self {
        self.ha_managed = true;
        self
    }

    /// Unpacked though parts of the archive cannot be.
    pub fn ignoring_unpack_errors(mut self) -> Self {
        self.ignore_unpack_errors = true;
        self
    }

    /// Limit of the unpacking in kibibytes a second.
    pub fn bwlimit(mut self, kib_per_second: u64) -> Self {
        self.bwlimit = Some(kib_per_second);
        self
    }

    /// A setting that this crate has no method for, in the server's words.
    pub fn setting(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.settings
            .say_foreign(key.into(), Patch::Set(value.into()));
        self
    }

    /// What a server that can do only so much would refuse, e.g. `entrypoint` or
    /// `net0.host-managed`; it would refuse the whole request.
    #[must_use]
    pub fn unsupported(&self, by: Capabilities) -> Vec<String> {
        let path = api::CREATE_CONTAINER.path;
        let mut found = self.settings.unsupported(path, by);
        if self.ha_managed && !by.takes(path, "ha-managed") {
            found.push("ha-managed".to_owned());
        }
        found
    }

    pub(in crate::api) fn params(&self) -> Result<Params, Error> {
        let mut params = Params::default();
        params.set("vmid", self.vmid);
        params.set("ostemplate", &self.ostemplate);
        params.set(
            "unprivileged",
            u8::from(self.privilege == Privilege::Unprivileged),
        );
        let doing = format!("creating container `{}`", self.vmid);
        self.settings.write(&mut params, &doing)?;
        params.set_some("storage", self.storage.as_ref());
        params.set_some("pool", self.pool.as_ref());
        params.set_some("ssh-public-keys", self.ssh_public_keys.as_ref());
        params.set_some("bwlimit", self.bwlimit);
        if let Some(password) = &self.password {
            params.set_secret("password", password.expose());
        }
        params.set_flag("start", self.start);
        params.set_flag("restore", self.restore);
        params.set_flag("unique", self.unique);
        params.set_flag("force", self.force);
        params.set_flag("ha-managed", self.ha_managed);
        params.set_flag("ignore-unpack-errors", self.ignore_unpack_errors);
        Ok(params)
    }
}
