//! The configuration of a container, as it is read.
//!
//! # Quirks
//! `description` comes back with a line end, numbers of processors as text, and `lxc` as pairs of
//! lines from the file that the API cannot write. A value that cannot be read as its type is kept
//! as text, so that one odd line does not hide the rest.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer};
use serde_json::Value;

use crate::ids::{Digest, VolumeId};
use crate::property::{Device, Features, MountPoint, Net, RootFs, Startup};
use crate::wire::{Decimal, Lax, Mib, Scalar, Tags, split_list};

/// The configuration of a container. What is absent has the server's default.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct ContainerConfig {
    /// Processor architecture.
    pub arch: Option<String>,
    /// Console mode.
    pub cmode: Option<String>,
    /// Whether there is a console device.
    pub console: Option<bool>,
    /// Number of processors.
    pub cores: Option<u32>,
    /// Limit in processors.
    pub cpulimit: Option<Decimal>,
    /// Weight against other guests.
    pub cpuunits: Option<u32>,
    /// Notes, without the line end that the server adds.
    pub description: Option<String>,
    /// Digest of the whole, for a change that must not overwrite another one.
    pub digest: Option<Digest>,
    /// What it may do beyond the ordinary.
    pub features: Option<Features>,
    /// Script run around its life.
    pub hookscript: Option<VolumeId>,
    /// Host name.
    pub hostname: Option<String>,
    /// The operation that holds it, e.g. `backup`.
    pub lock: Option<String>,
    /// Memory limit.
    pub memory: Option<Mib>,
    /// Name servers.
    pub nameserver: Option<String>,
    /// Whether it starts with its node.
    pub onboot: Option<bool>,
    /// Kind of distribution.
    pub ostype: Option<String>,
    /// Whether destroying it is refused.
    pub protection: Option<bool>,
    /// The root file system; absent while it is being created.
    pub rootfs: Option<RootFs>,
    /// Search domains.
    pub searchdomain: Option<String>,
    /// Place in the start order.
    pub startup: Option<Startup>,
    /// Swap limit.
    pub swap: Option<Mib>,
    /// Tags.
    pub tags: Tags,
    /// Whether it is a template.
    pub template: bool,
    /// Time zone.
    pub timezone: Option<String>,
    /// Number of terminals.
    pub tty: Option<u32>,
    /// Whether root inside is nobody outside; absent means that it is root.
    pub unprivileged: bool,
    /// Network interfaces by index.
    pub nets: BTreeMap<u16, Net>,
    /// Mount points by index.
    pub mount_points: BTreeMap<u16, MountPoint>,
    /// Devices by index.
    pub devices: BTreeMap<u16, Device>,
    /// Volumes that belong to it and are not in use, by index.
    pub unused: BTreeMap<u16, VolumeId>,
    /// Raw lines of the configuration file, which the API shows but does not write.
    pub raw_lxc: Vec<(String, String)>,
    /// What this crate does not know or could not read, by key.
    pub other: BTreeMap<String, String>,
}

impl ContainerConfig {
    /// The name servers, one by one.
    pub fn nameservers(&self) -> impl Iterator<Item = &str> {
        split_list(self.nameserver.as_deref().unwrap_or_default())
    }

    /// The lowest index without a network interface.
    #[must_use]
    pub fn free_net(&self) -> Option<u8> {
        (0..32).find(|index| !self.nets.contains_key(&u16::from(*index)))
    }

    /// The lowest index without a mount point.
    #[must_use]
    pub fn free_mount_point(&self) -> Option<u8> {
        (0..=255).find(|index| !self.mount_points.contains_key(&u16::from(*index)))
    }
}

impl<'de> Deserialize<'de> for ContainerConfig {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut raw = BTreeMap::<String, Value>::deserialize(deserializer)?;
        let raw_lxc = raw
            .remove("lxc")
            .map_or_else(Vec::new, |pairs| lines(&pairs));
        let mut fields = Fields(raw.into_iter().filter_map(scalar).collect());
        Ok(Self {
            arch: fields.take("arch"),
            cmode: fields.take("cmode"),
            console: fields.take("console"),
            cores: fields.take("cores"),
            cpulimit: fields.take("cpulimit"),
            cpuunits: fields.take("cpuunits"),
            description: fields.take("description").map(without_line_end),
            digest: fields.take("digest"),
            features: fields.parse("features"),
            hookscript: fields.take("hookscript"),
            hostname: fields.take("hostname"),
            lock: fields.take("lock"),
            memory: fields.take("memory"),
            nameserver: fields.take("nameserver"),
            onboot: fields.take("onboot"),
            ostype: fields.take("ostype"),
            protection: fields.take("protection"),
            rootfs: fields.parse("rootfs"),
            searchdomain: fields.take("searchdomain"),
            startup: fields.parse("startup"),
            swap: fields.take("swap"),
            tags: fields.parse("tags").unwrap_or_default(),
            template: fields.take("template").unwrap_or_default(),
            timezone: fields.take("timezone"),
            tty: fields.take("tty"),
            unprivileged: fields.take("unprivileged").unwrap_or_default(),
            nets: fields.family("net"),
            mount_points: fields.family("mp"),
            devices: fields.family("dev"),
            unused: fields.family("unused"),
            raw_lxc,
            other: fields.0,
        })
    }
}

/// Settings as text, taken one by one; what cannot be read stays.
struct Fields(BTreeMap<String, String>);

impl Fields {
    fn take<T: Lax>(&mut self, key: &str) -> Option<T> {
        let value = T::read(Scalar::Text(self.0.get(key)?.clone())).ok()?;
        self.0.remove(key);
        Some(value)
    }

    fn parse<T: std::str::FromStr>(&mut self, key: &str) -> Option<T> {
        let value = self.0.get(key)?.parse().ok()?;
        self.0.remove(key);
        Some(value)
    }

    fn family<T: std::str::FromStr>(&mut self, prefix: &str) -> BTreeMap<u16, T> {
        let keys: Vec<String> = self
            .0
            .keys()
            .filter(|key| key.starts_with(prefix))
            .cloned()
            .collect();
        let mut family = BTreeMap::new();
        for key in keys {
            let digits = &key[prefix.len()..];
            let plain = digits.bytes().all(|byte| byte.is_ascii_digit());
            if let Some(index) = digits.parse().ok().filter(|_| plain)
                && let Some(value) = self.parse(&key)
            {
                family.insert(index, value);
            }
        }
        family
    }
}

/// A scalar as text; a null is an absence.
fn scalar((key, value): (String, Value)) -> Option<(String, String)> {
    match value {
        Value::Null => None,
        Value::String(text) => Some((key, text)),
        Value::Bool(flag) => Some((key, u8::from(flag).to_string())),
        other @ (Value::Number(_) | Value::Array(_) | Value::Object(_)) => {
            Some((key, other.to_string()))
        }
    }
}

fn lines(pairs: &Value) -> Vec<(String, String)> {
    serde_json::from_value(pairs.clone()).unwrap_or_default()
}

fn without_line_end(text: String) -> String {
    text.strip_suffix('\n').map(str::to_owned).unwrap_or(text)
}
