//! Creating a container from a template, and restoring one from a backup.

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::network;
use super::rights::{Change, new_disk};
use super::update::plain;
use crate::pve::guest::{Config, Guest, is_volume_key, parse_section};
use crate::pve::reply::Fail;
use crate::pve::route::{Answer, Call, Handler};
use crate::pve::verify::text_of;
use crate::pve::work::{Action, Password, Work};
use crate::pve::{Version, World};

/// A container on its way.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Create {
    vmid: u32,
    archive: String,
    restore: bool,
    start: bool,
    pool: Option<String>,
    owner: String,
    /// The configuration it will have.
    config: Config,
    #[serde(skip)]
    password: Option<Password>,
    ssh_public_keys: Option<String>,
}

pub(crate) fn handler(method: &str, path: &str) -> Option<Handler> {
    matches!((method, path), ("POST", "/nodes/{node}/lxc")).then_some(create as Handler)
}

/// Parameters that are no configuration.
const CONTROL: [&str; 14] = [
    "node",
    "vmid",
    "ostemplate",
    "password",
    "ssh-public-keys",
    "start",
    "pool",
    "storage",
    "restore",
    "force",
    "unique",
    "ignore-unpack-errors",
    "bwlimit",
    "ha-managed",
];

fn create(world: &mut World, call: &mut Call<'_>) -> Answer {
    let vmid = call.vmid();
    let pool = call.optional("pool");
    let restore = call.flag("restore");
    let replaces = world.guests.contains_key(&vmid) && restore && call.flag("force");
    let mut settings = settings(world, call);
    let unprivileged = settings
        .get("unprivileged")
        .is_some_and(|value| value == "1");
    if world.version() == Version::V9_2 && !restore && !unprivileged {
        world.check(&call.identity, "/", &["Sys.Modify"])?;
    }
    check_place(world, vmid, replaces)?;
    if let Some(keys) = call.optional("ssh-public-keys") {
        ssh_keys(&keys)?;
    }
    if let Some(pool) = &pool {
        world.need_pool(pool)?;
    }
    may_create(world, call, vmid, pool.as_deref(), replaces)?;
    check_rights(world, call, &settings, unprivileged)?;
    let mounts = settings
        .keys()
        .any(|key| is_volume_key(key) && !key.starts_with("unused"));
    if mounts && !settings.contains_key("rootfs") {
        return Err(Fail::die(
            "mount points configured, but 'rootfs' not set - aborting",
        ));
    }
    check_storages(world, call, &settings)?;
    settings.retain(|key, _| !key.starts_with("unused"));
    if !restore && !mounts {
        let storage = call
            .optional("storage")
            .unwrap_or_else(|| "local".to_owned());
        settings.insert("rootfs".to_owned(), format!("{storage}:4"));
    }
    let config = configure(world, call, &settings)?;
    let work = Create {
        vmid,
        archive: call.text("ostemplate"),
        restore,
        start: call.flag("start"),
        pool,
        owner: call.identity.clone(),
        config,
        password: call.optional("password").map(Password::new),
        ssh_public_keys: call.optional("ssh-public-keys"),
    };
    if !replaces {
        world.guests.insert(
            vmid,
            Guest {
                config: Config::from([("lock".into(), "create".into())]),
                ..Guest::default()
            },
        );
    }
    let kind = if restore { "vzrestore" } else { "vzcreate" };
    Ok(json!(world.spawn(
        call,
        kind,
        &vmid.to_string(),
        Work::Create(Box::new(work))
    )))
}

/// The id must be free, or be that of a container that may be replaced.
fn check_place(world: &World, vmid: u32, replaces: bool) -> Result<(), Fail> {
    if !replaces {
        return world.check_unused(vmid);
    }
    if world.is_running(vmid) {
        return Err(Fail::die("can't overwrite running container"));
    }
    super::destroy::check_protection(world, vmid, &format!("unable to restore CT {vmid}"))
}

/// Whether the caller may set these keys and read the archive.
fn check_rights(
    world: &World,
    call: &Call<'_>,
    settings: &IndexMap<String, String>,
    unprivileged: bool,
) -> Result<(), Fail> {
    let (vmid, pool) = (call.vmid(), call.optional("pool"));
    let mut explicit = settings.clone();
    explicit.shift_remove("unprivileged");
    let change = Change {
        who: &call.identity,
        vmid,
        pool: pool.as_deref(),
        old: &Config::new(),
        unprivileged,
    };
    world.check_changes(&change, &explicit)?;
    let wanted = if call.flag("restore") {
        "backup"
    } else {
        "vztmpl"
    };
    world.check_volume(
        &call.identity,
        &call.text("ostemplate"),
        Some(vmid),
        Some(wanted),
    )
}

fn may_create(
    world: &World,
    call: &Call<'_>,
    vmid: u32,
    pool: Option<&str>,
    replaces: bool,
) -> Result<(), Fail> {
    if world
        .check_guest(&call.identity, vmid, pool, &["VM.Allocate"])
        .is_ok()
    {
        return Ok(());
    }
    if replaces
        && world
            .check(&call.identity, &format!("/vms/{vmid}"), &["VM.Backup"])
            .is_ok()
    {
        return Ok(());
    }
    Err(Fail::denied_bare())
}

/// The configuration keys of the call, with the root file system spelled out.
fn settings(world: &World, call: &Call<'_>) -> IndexMap<String, String> {
    let own = call
        .params
        .iter()
        .filter(|(key, value)| !CONTROL.contains(&key.as_str()) && !value.is_null());
    let mut settings: IndexMap<String, String> = own
        .map(|(key, value)| (key.clone(), text_of(value)))
        .collect();
    let storage = call
        .optional("storage")
        .unwrap_or_else(|| "local".to_owned());
    // A bare number is a size on the default storage.
    let bare = |value: &String| value.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    for (_, value) in settings
        .iter_mut()
        .filter(|(key, value)| is_volume_key(key) && bare(value))
    {
        *value = format!("{storage}:{value}");
    }
    if world.version() == Version::V9_2 && !call.flag("restore") {
        settings
            .entry("unprivileged".to_owned())
            .or_insert_with(|| "1".to_owned());
    }
    settings
}

fn check_storages(
    world: &World,
    call: &Call<'_>,
    settings: &IndexMap<String, String>,
) -> Result<(), Fail> {
    let mounts = settings
        .iter()
        .filter(|(key, _)| is_volume_key(key) && !key.starts_with("unused"));
    for (_, value) in mounts {
        let volume = value.split(',').next().unwrap_or_default();
        let Some((storage, _)) = volume.split_once(':') else {
            if call.is_root() {
                continue;
            }
            return Err(Fail::die("Only root can pass arbitrary filesystem paths."));
        };
        world.check_container_storage(&call.identity, storage)?;
    }
    if !settings.contains_key("rootfs") {
        let storage = call
            .optional("storage")
            .unwrap_or_else(|| "local".to_owned());
        world.check_container_storage(&call.identity, &storage)?;
    }
    Ok(())
}

/// Every line must hold a key of a known type.
fn ssh_keys(text: &str) -> Result<(), Fail> {
    let valid = |line: &str| {
        let mut words = line
            .split_whitespace()
            .skip_while(|word| !is_key_type(word));
        let (kind, data) = (
            words.next().unwrap_or_default(),
            words.next().unwrap_or_default(),
        );
        STANDARD_NO_PAD
            .decode(data.trim_end_matches('='))
            .is_ok_and(|data| {
                let length = kind.len();
                data.len() > 4 + length
                    && data[..4] == (length as u32).to_be_bytes()
                    && &data[4..4 + length] == kind.as_bytes()
            })
    };
    if text
        .lines()
        .filter(|line| !line.trim().is_empty())
        .all(valid)
    {
        Ok(())
    } else {
        Err(Fail::die("SSH public key validation error"))
    }
}

fn is_key_type(word: &str) -> bool {
    word.starts_with("ssh-") || word.starts_with("ecdsa-sha2-") || word.starts_with("sk-")
}

/// The configuration that the container will have, but for its volumes.
fn configure(
    world: &mut World,
    call: &Call<'_>,
    settings: &IndexMap<String, String>,
) -> Result<Config, Fail> {
    let mut config = Config::new();
    for (key, value) in settings {
        let numbered = key
            .strip_prefix("net")
            .is_some_and(|rest| rest.parse::<u8>().is_ok());
        if numbered {
            network::check_mtu(key, value)?;
        }
        let value = if numbered {
            network::complete(world, call, key, value)?
        } else {
            plain(key, value)
        };
        if !(value.is_empty() && matches!(key.as_str(), "tags" | "description")) {
            config.insert(key.clone(), value);
        }
    }
    if call.flag("restore") {
        return Ok(config);
    }
    let archive = call.text("ostemplate");
    config
        .entry("hostname".into())
        .or_insert_with(|| format!("CT{}", call.vmid()));
    config
        .entry("memory".into())
        .or_insert_with(|| "512".to_owned());
    config
        .entry("swap".into())
        .or_insert_with(|| "512".to_owned());
    config.entry("arch".into()).or_insert_with(|| {
        if archive.contains("arm64") {
            "arm64"
        } else {
            "amd64"
        }
        .to_owned()
    });
    config
        .entry("ostype".into())
        .or_insert_with(|| ostype(&archive).to_owned());
    config.retain(|key, value| !(key == "unprivileged" && value == "0"));
    Ok(config)
}

/// The distribution, by the name of the template.
fn ostype(archive: &str) -> &'static str {
    let name = archive
        .rsplit('/')
        .next()
        .unwrap_or_default()
        .to_lowercase();
    let known = [
        "debian",
        "devuan",
        "ubuntu",
        "centos",
        "fedora",
        "opensuse",
        "archlinux",
        "alpine",
        "gentoo",
        "nixos",
    ];
    match known.into_iter().find(|os| name.contains(os)) {
        Some(os) => os,
        None if ["rocky", "almalinux"].iter().any(|os| name.contains(os)) => "centos",
        None => "debian",
    }
}

/// Allocates the volumes and says what a real guest needs.
pub(crate) fn begin(
    world: &mut World,
    create: &Create,
    log: &mut Vec<String>,
) -> Result<Action, Fail> {
    if create.restore {
        log.push(format!(
            "recovering backed-up configuration from '{}'",
            create.archive
        ));
    }
    if !world.volumes.contains_key(&create.archive) {
        let verb = if create.restore { "restore" } else { "create" };
        let text = format!(
            "unable to {verb} CT {} - volume '{}' does not exist",
            create.vmid, create.archive
        );
        forget(world, create);
        return Err(Fail::die(text));
    }
    if create.restore && world.setup.real_guests {
        forget(world, create);
        return Err(Fail::die(format!(
            "unable to restore CT {} - this node cannot restore real containers",
            create.vmid
        )));
    }
    Ok(Action::Create {
        vmid: create.vmid,
        config: create.config.clone(),
        template: create.archive.clone(),
        password: create.password.clone(),
        ssh_public_keys: create.ssh_public_keys.clone(),
    })
}

/// Only a guest that this task made disappears with it.
fn forget(world: &mut World, create: &Create) {
    if world
        .guests
        .get(&create.vmid)
        .is_some_and(|guest| guest.lock() == Some("create"))
    {
        world.guests.remove(&create.vmid);
    }
}

/// What a failed create leaves: nothing. The exit status names what was being done.
pub(crate) fn undo(world: &mut World, create: &Create, text: &str) -> String {
    forget(world, create);
    format!("unable to create CT {} - {text}", create.vmid)
}

/// The container is there.
pub(crate) fn finish(
    world: &mut World,
    create: &Create,
    log: &mut Vec<String>,
) -> Result<(), Fail> {
    let vmid = create.vmid;
    let mut config = create.config.clone();
    if create.restore {
        config = restored(world, create, config);
    }
    let old: Vec<String> = world
        .guests
        .get(&vmid)
        .map(|guest| guest.volumes().into_iter().map(|(_, id)| id).collect())
        .unwrap_or_default();
    let disks: Vec<String> = config
        .keys()
        .filter(|key| is_volume_key(key))
        .cloned()
        .collect();
    for key in disks
        .iter()
        .filter(|key| *key == "rootfs")
        .chain(disks.iter().filter(|key| *key != "rootfs"))
    {
        let value = config[key].clone();
        let made = make_disk(world, vmid, &value, log);
        config.insert(key.clone(), made);
    }
    old.iter().for_each(|volume| world.discard(volume));
    unpack_log(world, create, log);
    if config.get("template").is_some_and(|value| value == "0") {
        config.remove("template");
    }
    config.remove("lock");
    let guest = Guest {
        config,
        ..Guest::default()
    };
    world.guests.insert(vmid, guest);
    if let Some(pool) = create
        .pool
        .as_ref()
        .and_then(|pool| world.pools.get_mut(pool))
    {
        pool.guests.insert(vmid);
    }
    if create.start {
        world.spawn_as(
            &create.owner,
            "vzstart",
            &vmid.to_string(),
            Work::Start {
                vmid,
                skiplock: false,
            },
        );
    }
    Ok(())
}

/// The configuration of a backup, overridden by what the call says.
fn restored(world: &World, create: &Create, given: Config) -> Config {
    let backup = world
        .volumes
        .get(&create.archive)
        .and_then(|volume| volume.config.clone())
        .unwrap_or_default();
    let mut config = parse_section(&backup);
    let sized = |value: &String| {
        let storage = value.split(':').next().unwrap_or("local");
        let size = super::size_of(value) as f64 / f64::from(1 << 30);
        format!(
            "{storage}:{size}{}",
            value
                .split_once(',')
                .map_or_else(String::new, |(_, rest)| format!(",{rest}"))
        )
    };
    for (key, value) in &mut config {
        if is_volume_key(key) {
            *value = sized(value);
        }
    }
    config.extend(given);
    config
}

fn make_disk(world: &mut World, vmid: u32, value: &str, log: &mut Vec<String>) -> String {
    let (volume, rest) = value
        .split_once(',')
        .map_or((value, ""), |(volume, rest)| (volume, rest));
    let Some((storage, bytes)) = new_disk(volume) else {
        return value.to_owned();
    };
    let id = world.allocate(storage, vmid, bytes);
    log.push(format!(
        "Formatting '{}', fmt=raw size={bytes} preallocation=off",
        world.file_of(&id)
    ));
    log.push(format!(
        "Creating filesystem with {} 4k blocks and {} inodes",
        bytes / 4096,
        bytes / 16384
    ));
    let mut parts: Vec<&str> = rest
        .split(',')
        .filter(|part| !part.is_empty() && !part.starts_with("size="))
        .collect();
    let size = format!("size={}", crate::pve::property::print_size(bytes));
    parts.push(&size);
    parts.sort_by_key(|part| (!part.starts_with("mp="), (*part).to_owned()));
    std::iter::once(id.as_str())
        .chain(parts)
        .collect::<Vec<_>>()
        .join(",")
}

fn unpack_log(world: &World, create: &Create, log: &mut Vec<String>) {
    let size = world
        .volumes
        .get(&create.archive)
        .map_or(0, |volume| volume.size);
    log.push(format!(
        "extracting archive '{}'",
        world.file_of(&create.archive)
    ));
    log.push(format!(
        "Total bytes read: {} ({}MiB, 300MiB/s)",
        size * 4,
        (size * 4) >> 20
    ));
    if !create.restore && !world.setup.real_guests {
        log.push("Detected container architecture: amd64".to_owned());
        for kind in ["rsa", "ecdsa", "ed25519"] {
            log.push(format!(
                "Creating SSH host key 'ssh_host_{kind}_key' - this may take some time ..."
            ));
        }
    }
}
