//! Guests that are real containers: unprivileged, made with the LXC tools.
//!
//! Each has a folder of its own in the data folder, with its configuration, root filesystem and
//! volumes. What the host had to change for them is in [`super::host`].

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::RwLock;

use self::cgroups::Hierarchies;
use self::inside::{Identity, Newborn, Resolver};
use self::limits::Limits;
use self::network::{Inet, Nic};
use self::tools::while_doing;
use self::tree::Tree;
use self::volumes::{Mount, Source};
use super::host::Host;
use super::{
    Applied, Config, Failure, GuestSpec, GuestStatus, Guests, HostNetwork, Interface, Otherwise,
    Shutdown, TaskLog,
};

mod birth;
pub(super) mod cgroups;
mod devices;
mod inside;
mod interfaces;
mod limits;
mod live;
pub(super) mod network;
mod property;
pub(super) mod render;
pub(super) mod tools;
mod tree;
mod usage;
mod volumes;

/// How many lines of a console and of a log say why a guest did not start.
const LAST_LINES: usize = 25;

/// How long a stopped guest's init may take to be gone.
const ENDING: Duration = Duration::from_secs(10);

/// How often it is looked whether it is.
const LOOK: Duration = Duration::from_millis(20);

/// Real containers on this machine. It needs root and the LXC tools.
#[derive(Debug)]
pub struct LxcGuests {
    data: PathBuf,
    host: RwLock<Option<Arc<Host>>>,
    guests: Mutex<BTreeMap<u32, Guest>>,
}

/// What is remembered of a guest.
#[derive(Debug, Clone, Default)]
struct Guest {
    /// Its init, with the time it was started, as last seen.
    init: Option<(u32, u64)>,
    /// The addresses its devices have.
    addresses: Vec<Ipv4Addr>,
    /// Its devices' leases, by number, which it keeps.
    leases: BTreeMap<u32, Ipv4Addr>,
    /// The bytes of its root filesystem when it was last measured.
    disk: u64,
}

/// A guest's places and names while it is worked on.
#[derive(Debug)]
struct Place {
    host: Arc<Host>,
    name: String,
    folder: PathBuf,
    rootfs: PathBuf,
}

impl LxcGuests {
    /// Guests with everything they need in a data folder, which may be anywhere; the host is not
    /// touched before [`prepare`](Guests::prepare).
    #[must_use]
    pub fn new(data: impl Into<PathBuf>) -> Self {
        Self {
            data: data.into(),
            host: RwLock::new(None),
            guests: Mutex::default(),
        }
    }

    /// What this machine lacks for real containers: root, or packages, which are named.
    #[must_use]
    pub fn missing() -> Option<Failure> {
        super::host::require().err()
    }

    async fn place(&self, vmid: u32) -> Result<Place, Failure> {
        let host = self.host.read().await.clone();
        let host = host.ok_or_else(|| Failure::new("the host is not prepared for guests"))?;
        let name = host.container(vmid);
        let folder = host.folder.join(&name);
        Ok(Place {
            rootfs: folder.join("rootfs"),
            host,
            name,
            folder,
        })
    }

    fn guests(&self) -> MutexGuard<'_, BTreeMap<u32, Guest>> {
        self.guests.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn remember(&self, vmid: u32, change: impl FnOnce(&mut Guest)) {
        if let Some(guest) = self.guests().get_mut(&vmid) {
            change(guest);
        }
    }

    /// The process id of a guest's init, when it runs. A guest may have started itself anew.
    async fn init(&self, vmid: u32) -> Result<Option<u32>, Failure> {
        let Some(known) = self.guests().get(&vmid).map(|guest| guest.init) else {
            return Ok(None);
        };
        if let Some((pid, began)) = known
            && usage::started(pid) == Some(began)
        {
            return Ok(Some(pid));
        }
        let place = self.place(vmid).await?;
        let pid = place
            .host
            .tools()
            .init(&place.name)
            .await
            .map_err(while_doing("lxc-info"))?;
        let init = pid.and_then(|pid| Some((pid, usage::started(pid)?)));
        self.remember(vmid, |guest| guest.init = init);
        Ok(init.map(|(pid, _)| pid))
    }

    /// The network devices of a configuration, with leases for those that ask for an address.
    fn devices(&self, spec: &GuestSpec, network: &HostNetwork) -> Result<Vec<Nic>, Failure> {
        let mut nics = network::nics(&spec.config)?;
        let mut guests = self.guests();
        let own = guests
            .get(&spec.vmid)
            .map(|guest| guest.leases.clone())
            .unwrap_or_default();
        for nic in nics.iter_mut().filter(|nic| nic.inet == Inet::Lease) {
            if let Some(address) = own.get(&nic.number) {
                nic.inet = Inet::Fixed(*address, network.prefix);
                nic.gateway = nic.gateway.or(Some(network.gateway));
            }
        }
        let waiting: Vec<u32> = nics
            .iter()
            .filter(|nic| nic.inet == Inet::Lease)
            .map(|nic| nic.number)
            .collect();
        let taken: BTreeSet<Ipv4Addr> = guests
            .values()
            .flat_map(|guest| guest.addresses.iter().copied())
            .collect();
        network::lease(&mut nics, network, &taken)?;
        if let Some(guest) = guests.get_mut(&spec.vmid) {
            guest.addresses = nics.iter().filter_map(address).collect();
            let leased = nics.iter().filter(|nic| waiting.contains(&nic.number));
            guest
                .leases
                .extend(leased.filter_map(|nic| Some((nic.number, address(nic)?))));
        }
        Ok(nics)
    }

    /// Makes the files of a new guest.
    async fn bear(&self, spec: &GuestSpec, place: &Place, log: &TaskLog) -> Result<(), Failure> {
        let template = spec.template.as_deref();
        let template = template.ok_or_else(|| Failure::new("no template given"))?;
        let mounts = volumes::mounts(&spec.config)?;
        let first_id = place.host.first_id;
        let own = mounts.iter().filter_map(|mount| place.volume(mount));
        birth::make_folders(&place.folder, own, first_id)
            .map_err(while_doing("making the guest's folders"))?;
        let hostname = hostname(spec);
        let hash = async {
            match &spec.password {
                Some(password) => birth::password_hash(password).await.map(Some),
                None => Ok(None),
            }
        };
        let ((), host_keys, password_hash) = tokio::try_join!(
            birth::unpack(template, &place.rootfs, first_id, log),
            birth::host_keys(&place.folder, &hostname, log),
            hash,
        )?;
        let ssh_public_keys = spec.ssh_public_keys.clone();
        let newborn = Newborn {
            host_keys,
            password_hash,
            ssh_public_keys,
        };
        let tree = place.tree()?;
        inside::give_birth(&tree, &newborn)
            .map_err(while_doing("preparing the root filesystem"))?;
        let rootfs = place.rootfs.clone();
        let disk = tokio::task::spawn_blocking(move || usage::disk(&rootfs))
            .await
            .unwrap_or(0);
        self.remember(spec.vmid, |guest| guest.disk = disk);
        Ok(())
    }

    /// Writes a guest's configuration and identity, as they are to be now.
    fn write(&self, spec: &GuestSpec, place: &Place, log: &TaskLog) -> Result<(), Failure> {
        let nics = self.devices(spec, &place.host.network)?;
        for (nic, address) in nics.iter().filter_map(|nic| Some((nic, address(nic)?))) {
            let given = spec.config.get(&format!("net{}", nic.number));
            if given.is_some_and(|text| text.contains("ip=dhcp")) {
                log.write(format!("net{}: given address {address}", nic.number));
            }
        }
        let tree = place.tree()?;
        let hostname = hostname(spec);
        let resolver = resolver(&spec.config, log);
        let identity = Identity {
            hostname: &hostname,
            nics: &nics,
            resolver: &resolver,
        };
        inside::introduce(&tree, &identity).map_err(while_doing("writing the guest's identity"))?;
        let hierarchies = Hierarchies::read().map_err(while_doing("reading the mounts"))?;
        let version = hierarchies.version();
        let mut limits = Limits::of(&spec.config)?.settings(version, &cgroups::cpus(), spec.vmid);
        limits.retain(|setting| {
            let there = hierarchies.has(setting.controller);
            if !there {
                log.write(format!(
                    "WARN: {} is not enforced: no cgroup for it",
                    setting.key
                ));
            }
            there
        });
        let text = render::render(&render::Plan {
            config: &spec.config,
            rootfs: &place.rootfs,
            first_id: place.host.first_id,
            bridge: &place.host.network.bridge,
            nics: &nics,
            mounts: &place.mounts(&spec.config)?,
            limits: &limits,
            version,
            hostname: &hostname,
            halt_signal: inside::halt_signal(&tree),
        })?;
        std::fs::write(place.folder.join("config"), text)
            .map_err(while_doing("writing the container's configuration"))
    }

    /// Starts a container whose configuration is written, and sees that its limits are true.
    async fn bring_up(
        &self,
        spec: &GuestSpec,
        place: &Place,
        log: &TaskLog,
    ) -> Result<(), Failure> {
        let (own_log, console) = (
            place.folder.join("start.log"),
            place.folder.join("console.log"),
        );
        for file in [&own_log, &console] {
            match std::fs::remove_file(file) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(while_doing("removing an old log")(error));
                }
                _ => {}
            }
        }
        let started = place
            .host
            .tools()
            .start(&place.name, &own_log, &console)
            .await;
        let pid = self.init(spec.vmid).await?;
        if let (Ok(()), Some(pid)) = (&started, pid) {
            return confirm(spec, place, pid);
        }
        explain(log, &own_log, &console);
        self.settle(place).await?;
        Err(Failure::new(format!(
            "startup for container '{}' failed",
            spec.vmid
        )))
    }

    async fn settle(&self, place: &Place) -> Result<(), Failure> {
        place.host.settle(&place.name).await
    }

    /// Waits until a guest that was told to end has done so; whether it has.
    async fn has_ended(&self, vmid: u32, limit: Duration) -> bool {
        let gone = crate::wait::until(limit, LOOK, || async move {
            matches!(self.init(vmid).await, Ok(None)).then_some(())
        });
        gone.await.is_some()
    }

    async fn kill(&self, vmid: u32, place: &Place) -> Result<(), Failure> {
        place
            .host
            .tools()
            .kill(&place.name)
            .await
            .map_err(while_doing("lxc-stop"))?;
        self.settle(place).await?;
        if self.has_ended(vmid, ENDING).await {
            return Ok(());
        }
        Err(Failure::new(format!("CT {vmid} does not stop")))
    }

    async fn running(&self, vmid: u32) -> Result<Place, Failure> {
        match self.init(vmid).await? {
            Some(_) => self.place(vmid).await,
            None => Err(Failure::new(format!("CT {vmid} not running"))),
        }
    }
}

impl Place {
    fn tree(&self) -> Result<Tree, Failure> {
        Tree::open(&self.rootfs, self.host.first_id)
            .map_err(while_doing("opening the root filesystem"))
    }

    /// The folder of a mount that is a volume of the guest's own.
    fn volume(&self, mount: &Mount) -> Option<PathBuf> {
        match &mount.source {
            Source::Volume(name) => Some(self.folder.join("volumes").join(name)),
            Source::Bind(_) | Source::Device(_) => None,
        }
    }

    /// What is mounted, each with its place on this host, which is made where it is ours.
    fn mounts(&self, config: &Config) -> Result<Vec<(Mount, PathBuf)>, Failure> {
        let first_id = self.host.first_id;
        let placed = |mount: Mount| -> Result<(Mount, PathBuf), Failure> {
            let source = match &mount.source {
                Source::Volume(name) => {
                    let folder = self.folder.join("volumes").join(name);
                    birth::make_folder(&folder, first_id).map_err(while_doing(&mount.key))?;
                    folder
                }
                Source::Bind(path) if path.is_dir() => path.clone(),
                Source::Bind(path) => {
                    let text = format!("{}: folder '{}' does not exist", mount.key, path.display());
                    return Err(Failure::new(text));
                }
                Source::Device(device) => {
                    devices::make(&self.folder, &mount.key, device, first_id)?
                }
            };
            Ok((mount, source))
        };
        volumes::mounts(config)?.into_iter().map(placed).collect()
    }
}

#[async_trait]
impl Guests for LxcGuests {
    async fn prepare(&self) -> Result<HostNetwork, Failure> {
        let mut host = self.host.write().await;
        if host.is_none() {
            *host = Some(Arc::new(Host::prepare(&self.data).await?));
        }
        host.as_ref()
            .map(|host| host.network.clone())
            .ok_or_else(|| Failure::new("the host is not prepared for guests"))
    }

    async fn undo(&self) -> Result<(), Failure> {
        let Some(host) = self.host.write().await.take() else {
            return Ok(());
        };
        self.guests().clear();
        host.undo().await
    }

    async fn create(&self, spec: &GuestSpec, log: &TaskLog) -> Result<(), Failure> {
        network::nics(&spec.config)?;
        Limits::of(&spec.config)?;
        let place = self.place(spec.vmid).await?;
        if self.guests().contains_key(&spec.vmid) {
            return Err(Failure::new(format!("CT {} already exists", spec.vmid)));
        }
        place.host.expect_container(&place.name).await?;
        self.guests().insert(spec.vmid, Guest::default());
        let made = match self.bear(spec, &place, log).await {
            Ok(()) => self.write(spec, &place, log),
            failed => failed,
        };
        if made.is_err() {
            self.guests().remove(&spec.vmid);
            place.host.remove_container(&place.name).await?;
        }
        made
    }

    async fn start(&self, spec: &GuestSpec, log: &TaskLog) -> Result<(), Failure> {
        if self.init(spec.vmid).await?.is_some() {
            return Err(Failure::new(format!("CT {} already running", spec.vmid)));
        }
        if !self.guests().contains_key(&spec.vmid) {
            return Err(Failure::new(format!("CT {} does not exist", spec.vmid)));
        }
        let place = self.place(spec.vmid).await?;
        self.settle(&place).await?;
        self.write(spec, &place, log)?;
        self.bring_up(spec, &place, log).await
    }

    async fn shutdown(&self, vmid: u32, how: Shutdown, log: &TaskLog) -> Result<(), Failure> {
        let place = self.running(vmid).await?;
        let tools = place.host.tools();
        tools
            .ask_to_stop(&place.name, how.timeout)
            .await
            .map_err(while_doing("lxc-stop"))?;
        if self.init(vmid).await?.is_none() {
            return self.settle(&place).await;
        }
        match how.otherwise {
            Otherwise::Fail => Err(Failure::new(format!(
                "CT {vmid} did not shut down within {} s",
                how.timeout.as_secs()
            ))),
            Otherwise::Stop => {
                log.write(format!("CT {vmid} did not shut down in time - stopping it"));
                self.kill(vmid, &place).await
            }
        }
    }

    async fn stop(&self, vmid: u32, _log: &TaskLog) -> Result<(), Failure> {
        let place = self.running(vmid).await?;
        self.kill(vmid, &place).await
    }

    async fn reboot(&self, spec: &GuestSpec, how: Shutdown, log: &TaskLog) -> Result<(), Failure> {
        self.shutdown(spec.vmid, how, log).await?;
        self.start(spec, log).await
    }

    async fn destroy(&self, vmid: u32, _log: &TaskLog) -> Result<(), Failure> {
        if !self.guests().contains_key(&vmid) {
            return Ok(());
        }
        let place = self.place(vmid).await?;
        place.host.remove_container(&place.name).await?;
        self.guests().remove(&vmid);
        Ok(())
    }

    async fn apply(&self, vmid: u32, before: &Config, after: &Config) -> Result<Applied, Failure> {
        let Some(pid) = self.init(vmid).await? else {
            return Ok(live::at_next_start(before, after));
        };
        let place = self.place(vmid).await?;
        let hierarchies = Hierarchies::read().map_err(while_doing("reading the mounts"))?;
        let target = live::Target {
            vmid,
            pid,
            payload: cgroups::payload(&place.name),
        };
        live::apply(&hierarchies, &target, before, after)
    }

    async fn status(&self, vmid: u32) -> Result<GuestStatus, Failure> {
        let Some(pid) = self.init(vmid).await? else {
            return Ok(GuestStatus::default());
        };
        let place = self.place(vmid).await?;
        let hierarchies = Hierarchies::read().map_err(while_doing("reading the mounts"))?;
        let mut usage = usage::read(&hierarchies, pid, &cgroups::payload(&place.name));
        usage.disk = self
            .guests()
            .get(&vmid)
            .map(|guest| guest.disk)
            .unwrap_or_default();
        Ok(GuestStatus {
            running: true,
            pid: Some(pid),
            usage: Some(usage),
        })
    }

    async fn list(&self) -> Result<Vec<u32>, Failure> {
        Ok(self.guests().keys().copied().collect())
    }

    async fn interfaces(&self, vmid: u32) -> Result<Option<Vec<Interface>>, Failure> {
        match self.init(vmid).await? {
            Some(pid) => interfaces::of(pid).await.map(Some),
            None => Ok(None),
        }
    }
}

/// Reads the limits of a guest back.
fn confirm(spec: &GuestSpec, place: &Place, pid: u32) -> Result<(), Failure> {
    let hierarchies = Hierarchies::read().map_err(while_doing("reading the mounts"))?;
    let limits = Limits::of(&spec.config)?;
    let payload = cgroups::payload(&place.name);
    for setting in limits.settings(hierarchies.version(), &cgroups::cpus(), spec.vmid) {
        if hierarchies.has(setting.controller) {
            live::read_back(&hierarchies, &setting, pid, &payload)?;
        }
    }
    Ok(())
}

fn address(nic: &Nic) -> Option<Ipv4Addr> {
    match nic.inet {
        Inet::Fixed(address, _) => Some(address),
        Inet::Manual | Inet::Lease => None,
    }
}

fn hostname(spec: &GuestSpec) -> String {
    spec.config
        .get("hostname")
        .cloned()
        .unwrap_or_else(|| format!("CT{}", spec.vmid))
}

/// The resolver of a guest: what its configuration says, and where it is silent, the host's.
fn resolver(config: &Config, log: &TaskLog) -> Resolver {
    let words = |key: &str| -> Option<Vec<String>> {
        let text = config.get(key)?;
        let words = text.split([' ', ',', ';']).filter(|word| !word.is_empty());
        Some(words.map(str::to_owned).collect())
    };
    let servers = words("nameserver");
    let search = words("searchdomain");
    let host = host_resolver();
    if servers.is_none() && host.servers.is_empty() {
        log.write("WARN: this host has no resolver that a guest could ask");
    }
    Resolver {
        servers: servers.unwrap_or(host.servers),
        search: search.unwrap_or(host.search),
    }
}

/// The host's resolver, or its upstream where the host asks itself.
fn host_resolver() -> Resolver {
    let files = [
        "/etc/resolv.conf",
        "/run/systemd/resolve/resolv.conf",
        "/run/NetworkManager/no-stub-resolv.conf",
        "/run/dnsmasq/resolv.conf",
    ];
    let parsed = |file: &&str| {
        std::fs::read_to_string(file)
            .ok()
            .map(|text| Resolver::parse(&text))
    };
    files
        .iter()
        .filter_map(parsed)
        .find(Resolver::reaches_out)
        .unwrap_or_default()
}

/// Puts the end of a failed start's logs into the task's log.
fn explain(log: &TaskLog, own_log: &Path, console: &Path) {
    let own = std::fs::read_to_string(own_log).unwrap_or_default();
    let worth = |line: &&str| line.contains(" ERROR ") || line.contains(" WARN ");
    let lines: Vec<&str> = own.lines().filter(worth).collect();
    for line in &lines[lines.len().saturating_sub(LAST_LINES)..] {
        log.write(line);
    }
    let console = std::fs::read(console).unwrap_or_default();
    let console = String::from_utf8_lossy(&console);
    let lines: Vec<&str> = console
        .lines()
        .filter(|line| !line.trim().is_empty())
        .collect();
    for line in &lines[lines.len().saturating_sub(LAST_LINES)..] {
        log.write(format!("console: {}", line.trim_end()));
    }
}
