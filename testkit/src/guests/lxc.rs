//! Guests that are real containers: unprivileged, made with the LXC tools.
//!
//! Each has a folder of its own in the data folder, with its configuration, root filesystem and
//! volumes. What the host had to change for them is in [`super::host`].

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::RwLock;

use self::cgroups::Hierarchies;
use self::container::Container;
use self::limits::Limits;
use self::network::Nic;
use self::tools::while_doing;
use super::host::{self, Host};
use super::{
    Applied, Config, Failure, GuestSpec, GuestStatus, Guests, HostNetwork, Interface, Otherwise,
    Shutdown, TaskLog,
};
use crate::wait;

mod birth;
pub(super) mod cgroups;
mod container;
mod devices;
mod inside;
mod interfaces;
mod limits;
mod live;
pub(super) mod network;
mod property;
pub(super) mod render;
mod replug;
pub(super) mod tools;
mod tree;
mod usage;
mod volumes;

/// How long a stopped guest's init may take to be gone.
const ENDING: Duration = Duration::from_secs(10);

/// How often it is looked whether it is.
const LOOK: Duration = Duration::from_millis(20);

/// The keys that say what a guest is called and whom it asks for names.
const IDENTITY: [&str; 3] = ["hostname", "nameserver", "searchdomain"];

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
    /// The bytes of its root filesystem when it was created.
    disk: u64,
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
        host::require().err()
    }

    async fn container(&self, vmid: u32) -> Result<Container, Failure> {
        let host = self.host.read().await.clone();
        let host = host.ok_or_else(|| Failure::new("the host is not prepared for guests"))?;
        Ok(Container::of(host, vmid))
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
        let container = self.container(vmid).await?;
        let asked = container.host.tools().init(&container.name).await;
        let pid = asked.map_err(while_doing("lxc-info"))?;
        let init = pid.and_then(|pid| Some((pid, usage::started(pid)?)));
        self.remember(vmid, |guest| guest.init = init);
        Ok(init.map(|(pid, _)| pid))
    }

    /// The container of a guest that runs.
    async fn running(&self, vmid: u32) -> Result<Container, Failure> {
        match self.init(vmid).await? {
            Some(_) => self.container(vmid).await,
            None => Err(Failure::new(format!("CT {vmid} not running"))),
        }
    }

    /// The network devices of a configuration, with leases for those that ask for an address.
    fn devices(&self, spec: &GuestSpec, network: &HostNetwork) -> Result<Vec<Nic>, Failure> {
        let mut nics = network::nics(&spec.config)?;
        let mut guests = self.guests();
        let others = guests.iter().filter(|(vmid, _)| **vmid != spec.vmid);
        let taken: BTreeSet<Ipv4Addr> = others
            .flat_map(|(_, guest)| guest.addresses.iter().copied())
            .collect();
        let mut guest = guests.get(&spec.vmid).cloned().unwrap_or_default();
        network::lease(&mut nics, network, &taken, &mut guest.leases)?;
        guest.addresses = nics.iter().filter_map(Nic::address).collect();
        guests.entry(spec.vmid).and_modify(|known| *known = guest);
        Ok(nics)
    }

    /// Writes a guest's configuration as it is to be now.
    fn write(&self, spec: &GuestSpec, container: &Container, log: &TaskLog) -> Result<(), Failure> {
        let nics = self.devices(spec, &container.host.network)?;
        for nic in nics.iter().filter(|nic| nic.leased) {
            if let Some(address) = nic.address() {
                log.write(format!("net{}: given address {address}", nic.number));
            }
        }
        container.write(spec, &nics, log)
    }

    /// Starts a guest whose configuration is written, and sees that it is true.
    async fn bring_up(
        &self,
        spec: &GuestSpec,
        container: &Container,
        log: &TaskLog,
    ) -> Result<(), Failure> {
        container.launch(spec.vmid, log).await?;
        // It may have ended already: whoever started it sees that in its state, as with PVE.
        let Some(pid) = self.init(spec.vmid).await? else {
            return Ok(());
        };
        let confirmed = container.confirm(spec, pid);
        if confirmed.is_err() {
            container.kill().await?;
        }
        confirmed
    }

    /// Gives a running guest the network and the names of its new configuration.
    async fn reshape(
        &self,
        container: &Container,
        target: &live::Target,
        before: &Config,
        after: &Config,
    ) -> Result<(), Failure> {
        let same = |key: &String| before.get(key) == after.get(key);
        let mut keys = before.keys().chain(after.keys());
        if keys.all(|key| same(key) || !(IDENTITY.contains(&key.as_str()) || is_net(key))) {
            return Ok(());
        }
        let spec = |config: &Config| GuestSpec {
            vmid: target.vmid,
            config: config.clone(),
            ..GuestSpec::default()
        };
        let (old, new) = (spec(before), spec(after));
        let network = &container.host.network;
        let (had, has) = (self.devices(&old, network)?, self.devices(&new, network)?);
        replug::replug(target.pid, &network.bridge, &had, &has).await?;
        container.introduce(&new, &has)?;
        if before.get("hostname") != after.get("hostname") {
            container.rename(&new, target.pid).await?;
        }
        Ok(())
    }

    /// Stops a guest at once.
    async fn kill(&self, vmid: u32, container: &Container) -> Result<(), Failure> {
        container.kill().await?;
        let gone = wait::until(ENDING, LOOK, || async move {
            matches!(self.init(vmid).await, Ok(None)).then_some(())
        });
        gone.await
            .ok_or_else(|| Failure::new(format!("CT {vmid} does not stop")))
    }
}

#[async_trait]
impl Guests for LxcGuests {
    async fn prepare(&self) -> Result<HostNetwork, Failure> {
        let mut host = self.host.write().await;
        if let Some(host) = host.as_ref() {
            return Ok(host.network.clone());
        }
        let prepared = Host::prepare(&self.data).await?;
        let network = prepared.network.clone();
        *host = Some(Arc::new(prepared));
        Ok(network)
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
        let container = self.container(spec.vmid).await?;
        if self.guests().contains_key(&spec.vmid) {
            return Err(Failure::new(format!("CT {} already exists", spec.vmid)));
        }
        container.host.expect_container(&container.name).await?;
        self.guests().insert(spec.vmid, Guest::default());
        let made = match container.bear(spec, log).await {
            Ok(disk) => {
                self.remember(spec.vmid, |guest| guest.disk = disk);
                self.write(spec, &container, log)
            }
            Err(failure) => Err(failure),
        };
        if made.is_err() {
            self.guests().remove(&spec.vmid);
            container.host.remove_container(&container.name).await?;
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
        let container = self.container(spec.vmid).await?;
        container.settle().await?;
        self.write(spec, &container, log)?;
        self.bring_up(spec, &container, log).await
    }

    async fn shutdown(&self, vmid: u32, how: Shutdown, log: &TaskLog) -> Result<(), Failure> {
        let container = self.running(vmid).await?;
        let asked = container
            .host
            .tools()
            .ask_to_stop(&container.name, how.timeout)
            .await;
        asked.map_err(while_doing("lxc-stop"))?;
        if self.init(vmid).await?.is_none() {
            return container.settle().await;
        }
        match how.otherwise {
            Otherwise::Fail => Err(Failure::new(format!(
                "CT {vmid} did not shut down within {} s",
                how.timeout.as_secs()
            ))),
            Otherwise::Stop => {
                log.write(format!("CT {vmid} did not shut down in time - stopping it"));
                self.kill(vmid, &container).await
            }
        }
    }

    async fn stop(&self, vmid: u32, _log: &TaskLog) -> Result<(), Failure> {
        let container = self.running(vmid).await?;
        self.kill(vmid, &container).await
    }

    async fn reboot(&self, spec: &GuestSpec, how: Shutdown, log: &TaskLog) -> Result<(), Failure> {
        self.shutdown(spec.vmid, how, log).await?;
        self.start(spec, log).await
    }

    async fn destroy(&self, vmid: u32, _log: &TaskLog) -> Result<(), Failure> {
        if !self.guests().contains_key(&vmid) {
            return Ok(());
        }
        let container = self.container(vmid).await?;
        container.host.remove_container(&container.name).await?;
        self.guests().remove(&vmid);
        Ok(())
    }

    async fn apply(&self, vmid: u32, before: &Config, after: &Config) -> Result<Applied, Failure> {
        let Some(pid) = self.init(vmid).await? else {
            return Ok(live::at_next_start(before, after));
        };
        let container = self.container(vmid).await?;
        let hierarchies = Hierarchies::read().map_err(while_doing("reading the mounts"))?;
        let target = live::Target {
            vmid,
            pid,
            payload: cgroups::payload(&container.name),
        };
        let mut applied = live::apply(&hierarchies, &target, before, after)?;
        let reshaped = |key: &String| IDENTITY.contains(&key.as_str()) || is_net(key);
        let (keys, pending) = applied.pending.into_iter().partition(reshaped);
        applied.pending = pending;
        match self.reshape(&container, &target, before, after).await {
            Ok(()) => applied.live.extend::<Vec<String>>(keys),
            Err(failure) => {
                let refused = |key: String| (key, failure.to_string());
                applied.refused.extend(keys.into_iter().map(refused));
            }
        }
        Ok(applied)
    }

    async fn status(&self, vmid: u32) -> Result<GuestStatus, Failure> {
        let Some(pid) = self.init(vmid).await? else {
            return Ok(GuestStatus::default());
        };
        let container = self.container(vmid).await?;
        let hierarchies = Hierarchies::read().map_err(while_doing("reading the mounts"))?;
        let mut usage = usage::read(&hierarchies, pid, &cgroups::payload(&container.name));
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

/// Whether a key is a network device.
fn is_net(key: &str) -> bool {
    key.strip_prefix("net")
        .is_some_and(|number| number.parse::<u32>().is_ok())
}
