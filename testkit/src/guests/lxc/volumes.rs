//! What is mounted in a guest beside its root: `mpN` volumes, bind mounts and `devN` devices.

use std::path::{Component, Path, PathBuf};

use super::property::{Property, numbered};
use super::{Config, Failure};

/// Something to mount in a guest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mount {
    /// The key of the configuration.
    pub(super) key: String,
    /// What is mounted.
    pub(super) source: Source,
    /// Where, without a leading slash.
    pub(super) target: String,
    /// Mount options beside `bind`.
    pub(super) options: Vec<String>,
}

/// Where a mount comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Source {
    /// A volume of the guest's own: a folder of this name beside its root.
    Volume(String),
    /// A folder of the host.
    Bind(PathBuf),
    /// A device of the host, made anew for the guest.
    Device(Device),
}

/// A device node of a guest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Device {
    /// The device on the host.
    pub(super) path: PathBuf,
    /// Its permission bits in the guest.
    pub(super) mode: u32,
    /// Its owner in the guest.
    pub(super) uid: u32,
    /// Its group in the guest.
    pub(super) gid: u32,
}

/// Mount options that a configuration may ask for.
const OPTIONS: [&str; 6] = [
    "discard", "lazytime", "noatime", "nodev", "noexec", "nosuid",
];

/// Everything to mount for a configuration, mount points first.
///
/// # Errors
/// When an entry cannot be made true on this host.
pub(super) fn mounts(config: &Config) -> Result<Vec<Mount>, Failure> {
    let points = numbered(config, "mp").map(|(number, property)| point(number, &property));
    let devices = numbered(config, "dev").map(|(number, property)| device(number, &property));
    points.chain(devices).collect()
}

fn point(number: u32, property: &Property) -> Result<Mount, Failure> {
    let key = format!("mp{number}");
    let volume = property
        .first_or("volume")
        .ok_or_else(|| Failure::new(format!("{key}: no volume given")))?;
    let mut options: Vec<String> = property
        .get("mountoptions")
        .into_iter()
        .flat_map(|list| list.split(';'))
        .filter(|option| OPTIONS.contains(option) && *option != "discard")
        .map(str::to_owned)
        .collect();
    if property.is_on("ro") {
        options.push("ro".to_owned());
    }
    let target = property.get("mp").unwrap_or_default();
    Ok(Mount {
        source: source(&key, volume)?,
        target: inside(target)
            .ok_or_else(|| Failure::new(format!("{key}: invalid mp '{target}'")))?,
        key,
        options,
    })
}

fn source(key: &str, volume: &str) -> Result<Source, Failure> {
    if volume.starts_with("/dev/") {
        let text = format!("{key}: block device '{volume}' refused: not possible on this node");
        return Err(Failure::new(text));
    }
    if volume.starts_with('/') {
        return Ok(Source::Bind(PathBuf::from(volume)));
    }
    volume_name(volume)
        .map(Source::Volume)
        .ok_or_else(|| Failure::new(format!("{key}: invalid volume '{volume}'")))
}

/// The name of a volume's folder: `local:100/vm-100-disk-1.raw` is `vm-100-disk-1.raw`.
fn volume_name(volume: &str) -> Option<String> {
    let (_, path) = volume.split_once(':')?;
    let name = path.rsplit('/').next()?;
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    (!name.is_empty() && !name.starts_with('.') && name.chars().all(plain)).then(|| name.to_owned())
}

fn device(number: u32, property: &Property) -> Result<Mount, Failure> {
    let key = format!("dev{number}");
    let path = property.first_or("path").unwrap_or_default();
    let target = inside(path).filter(|target| target.starts_with("dev/"));
    let target = target.ok_or_else(|| Failure::new(format!("{key}: invalid path '{path}'")))?;
    let number = |name: &str, radix: u32, usual: u32| {
        property.get(name).map_or(Ok(usual), |text| {
            u32::from_str_radix(text, radix)
                .map_err(|_| Failure::new(format!("{key}: invalid {name} '{text}'")))
        })
    };
    let mode = number("mode", 8, 0o660)? & 0o777;
    let mode = if property.is_on("deny-write") {
        mode & !0o222
    } else {
        mode
    };
    let device = Device {
        path: PathBuf::from(path),
        mode,
        uid: number("uid", 10, 0)?,
        gid: number("gid", 10, 0)?,
    };
    Ok(Mount {
        key,
        source: Source::Device(device),
        target,
        options: Vec::new(),
    })
}

/// A path in a guest without its leading slash, when it is absolute and plain.
fn inside(path: &str) -> Option<String> {
    let mut parts = Path::new(path).components();
    if parts.next() != Some(Component::RootDir) {
        return None;
    }
    let names: Option<Vec<&str>> = parts
        .map(|part| match part {
            Component::Normal(name) => name.to_str(),
            _ => None,
        })
        .collect();
    names
        .filter(|names| !names.is_empty())
        .map(|names| names.join("/"))
}

/// A mount entry of a container's configuration.
pub(super) fn entry(mount: &Mount, source: &Path) -> String {
    let create = if matches!(mount.source, Source::Device(_)) {
        "create=file"
    } else {
        "create=dir"
    };
    let mut options = vec!["bind", create];
    options.extend(mount.options.iter().map(String::as_str));
    let source = escaped(&source.to_string_lossy());
    format!(
        "{source} {} none {} 0 0",
        escaped(&mount.target),
        options.join(",")
    )
}

/// A path as it is written in a mount table.
fn escaped(path: &str) -> String {
    path.chars()
        .map(|c| match c {
            ' ' => "\\040".to_owned(),
            '\t' => "\\011".to_owned(),
            '\n' => "\\012".to_owned(),
            '\\' => "\\134".to_owned(),
            other => other.to_string(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(key: &str, value: &str) -> Result<Mount, Failure> {
        let config = Config::from([(key.to_owned(), value.to_owned())]);
        mounts(&config).map(|mut all| all.remove(0))
    }

    #[test]
    fn a_volume_is_a_folder_of_its_name() {
        let mount = one("mp0", "local:100/vm-100-disk-1.raw,mp=/srv/data,size=1G").unwrap();
        assert_eq!(mount.source, Source::Volume("vm-100-disk-1.raw".to_owned()));
        let line = entry(&mount, Path::new("/run/x/volumes/vm-100-disk-1.raw"));
        assert_eq!(
            line,
            "/run/x/volumes/vm-100-disk-1.raw srv/data none bind,create=dir 0 0"
        );
    }

    #[test]
    fn a_bind_mount_may_be_read_only_and_have_spaces() {
        let mount = one(
            "mp3",
            "/srv/my files,mp=/data,ro=1,mountoptions=nosuid;noatime",
        )
        .unwrap();
        assert_eq!(mount.source, Source::Bind(PathBuf::from("/srv/my files")));
        let line = entry(&mount, Path::new("/srv/my files"));
        assert_eq!(
            line,
            "/srv/my\\040files data none bind,create=dir,nosuid,noatime,ro 0 0"
        );
    }

    #[test]
    fn a_device_is_made_for_the_guest() {
        let mount = one("dev0", "/dev/net/tun,uid=7,mode=0666,deny-write=1").unwrap();
        assert_eq!(mount.target, "dev/net/tun");
        let Source::Device(device) = mount.source else {
            panic!("no device")
        };
        assert_eq!((device.uid, device.gid, device.mode), (7, 0, 0o444));
    }

    #[test]
    fn a_path_that_leads_elsewhere_is_refused() {
        for (key, value, words) in [
            ("mp0", "local:1/a,mp=/../etc", "mp0: invalid mp '/../etc'"),
            ("mp0", "local:1/a,mp=srv", "mp0: invalid mp 'srv'"),
            (
                "mp0",
                "local:1/..,mp=/srv",
                "mp0: invalid volume 'local:1/..'",
            ),
            ("dev0", "/etc/passwd", "dev0: invalid path '/etc/passwd'"),
            (
                "mp1",
                "/dev/sdz,mp=/x",
                "mp1: block device '/dev/sdz' refused: not possible on this node",
            ),
        ] {
            assert_eq!(one(key, value).unwrap_err().to_string(), words);
        }
    }
}
