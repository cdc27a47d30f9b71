//! What stands behind a container of the Proxmox world: nothing but state, or a real container.
//!
//! The world decides who may do what, keeps the configuration and writes the task list; an
//! implementation of [`Guests`] only makes true what a container's configuration says. It is given
//! the configuration as Proxmox VE writes it (`memory: 512`, `net0: name=eth0,bridge=vmbr0,…`), so
//! that both implementations see the same words as a real node.

use std::collections::BTreeMap;
use std::fmt;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

#[cfg(feature = "server")]
pub use self::lxc::LxcGuests;
pub use self::memory::MemoryGuests;

#[cfg(feature = "server")]
mod host;
#[cfg(feature = "server")]
mod lxc;
mod memory;

/// A container's configuration: raw Proxmox VE keys and values, such as `memory` → `512`.
pub type Config = BTreeMap<String, String>;

/// Containers, and the host they run on.
///
/// The world calls one verb at a time for one `vmid`; different guests may be worked on at once.
/// Every verb that takes a [`TaskLog`] writes what it does there, a line at a time.
#[async_trait]
pub trait Guests: fmt::Debug + Send + Sync {
    /// Makes the host ready: bridge, address translation, forwarding, id ranges, after removing
    /// whatever an earlier, killed run left according to its own records.
    ///
    /// # Errors
    /// When the host cannot hold containers, in words that say what is missing.
    async fn prepare(&self) -> Result<HostNetwork, Failure>;

    /// Removes every guest and puts the host back as [`prepare`](Guests::prepare) found it.
    /// A second call does nothing.
    ///
    /// # Errors
    /// When something could not be put back; everything else has been by then.
    async fn undo(&self) -> Result<(), Failure>;

    /// Creates a guest from its template. It is stopped afterwards.
    ///
    /// # Errors
    /// When the guest exists, the template cannot be unpacked or the configuration cannot be made
    /// true. Nothing of the guest is left then.
    async fn create(&self, spec: &GuestSpec, log: &TaskLog) -> Result<(), Failure>;

    /// Starts a guest with the configuration of `spec`, which may have changed since it was
    /// created.
    ///
    /// # Errors
    /// When it runs already or does not come up; its console is in the log then.
    async fn start(&self, spec: &GuestSpec, log: &TaskLog) -> Result<(), Failure>;

    /// Asks a guest to shut down, and waits for it.
    ///
    /// # Errors
    /// When it does not run, or does not end in time and may not be stopped.
    async fn shutdown(&self, vmid: u32, how: Shutdown, log: &TaskLog) -> Result<(), Failure>;

    /// Stops a guest at once.
    ///
    /// # Errors
    /// When it does not run or cannot be stopped.
    async fn stop(&self, vmid: u32, log: &TaskLog) -> Result<(), Failure>;

    /// Shuts a guest down and starts it again with the configuration of `spec`.
    ///
    /// # Errors
    /// As [`shutdown`](Guests::shutdown) and [`start`](Guests::start).
    async fn reboot(&self, spec: &GuestSpec, how: Shutdown, log: &TaskLog) -> Result<(), Failure>;

    /// Removes a guest and all its volumes, stopping it first when it runs.
    ///
    /// # Errors
    /// When something of it could not be removed. A guest that is not there is no error.
    async fn destroy(&self, vmid: u32, log: &TaskLog) -> Result<(), Failure>;

    /// Changes a running guest from one configuration to another, as far as that can be done
    /// live: `memory`, `swap`, `cores`, `cpulimit`, `cpuunits`. Each is read back. Of a stopped
    /// guest nothing needs to be changed: [`start`](Guests::start) takes the configuration.
    ///
    /// # Errors
    /// When the guest cannot be looked at. A single key that cannot be changed is no error of the
    /// whole: it stands in [`Applied::refused`].
    async fn apply(&self, vmid: u32, before: &Config, after: &Config) -> Result<Applied, Failure>;

    /// What a guest is doing. A guest that is not there is `stopped`.
    ///
    /// # Errors
    /// When the host cannot be asked.
    async fn status(&self, vmid: u32) -> Result<GuestStatus, Failure>;

    /// The ids of all guests there are, in ascending order.
    ///
    /// # Errors
    /// When the host cannot be asked.
    async fn list(&self) -> Result<Vec<u32>, Failure>;

    /// The network interfaces inside a guest, or `None` when it does not run or nobody can tell.
    ///
    /// # Errors
    /// When the host cannot be asked.
    async fn interfaces(&self, vmid: u32) -> Result<Option<Vec<Interface>>, Failure>;
}

/// A container as the world wants it.
#[derive(Debug, Clone, Default)]
pub struct GuestSpec {
    /// Its id, unique in the cluster.
    pub vmid: u32,
    /// The node it is on.
    pub node: String,
    /// Its configuration, with all volumes allocated (`rootfs: local:100/vm-100-disk-0.raw,…`).
    pub config: Config,
    /// The template's tarball on this host; needed to create, not to start.
    pub template: Option<PathBuf>,
    /// The password of root, for create.
    pub password: Option<Secret>,
    /// Lines for root's `authorized_keys`, for create.
    pub ssh_public_keys: Option<String>,
}

/// A text that must not be printed.
#[derive(Clone)]
pub struct Secret(String);

impl Secret {
    /// Wraps a secret.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The secret itself, for the one who needs it.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

/// How long to wait for a guest that was asked to shut down, and what to do then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shutdown {
    /// How long the guest may take.
    pub timeout: Duration,
    /// What happens when it has taken that long.
    pub otherwise: Otherwise,
}

/// What happens to a guest that does not shut down in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Otherwise {
    /// The task fails and the guest runs on.
    Fail,
    /// The guest is stopped (`forceStop`).
    Stop,
}

/// The network that guests are on. Over the API its bridge is always called `vmbr0`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostNetwork {
    /// The bridge's name on this host, at most 15 characters.
    pub bridge: String,
    /// The bridge's own address, which is the guests' gateway.
    pub gateway: Ipv4Addr,
    /// The subnet in CIDR form, such as `10.83.7.0/24`.
    pub subnet: String,
    /// The number of bits of the subnet's prefix.
    pub prefix: u8,
}

/// What a guest is doing.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct GuestStatus {
    /// Whether it runs.
    pub running: bool,
    /// The process id of its init on the host.
    pub pid: Option<u32>,
    /// What it uses; absent when it does not run, or when it is state only.
    pub usage: Option<Usage>,
}

/// What a running guest uses.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Usage {
    /// How long its init has been running.
    pub uptime: Duration,
    /// Processor time used since it was started.
    pub cpu_time: Duration,
    /// Memory in use, in bytes, without page cache.
    pub memory: u64,
    /// The memory limit that the kernel reports, in bytes; `None` is unlimited.
    pub memory_limit: Option<u64>,
    /// Swap in use, in bytes.
    pub swap: u64,
    /// Bytes received by all its interfaces.
    pub network_in: u64,
    /// Bytes sent by all its interfaces.
    pub network_out: u64,
    /// Bytes of its root filesystem.
    pub disk: u64,
    /// Bytes read from block devices.
    pub disk_read: u64,
    /// Bytes written to block devices.
    pub disk_written: u64,
}

/// An interface inside a guest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interface {
    /// Its name, such as `eth0`.
    pub name: String,
    /// Its hardware address, in lower case.
    pub hwaddr: String,
    /// Its IPv4 addresses in CIDR form.
    pub inet: Vec<String>,
    /// Its IPv6 addresses in CIDR form.
    pub inet6: Vec<String>,
}

/// What became of a live change.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Applied {
    /// The keys that are true in the running guest now.
    pub live: Vec<String>,
    /// The changed keys that need a restart to become true.
    pub pending: Vec<String>,
    /// The keys that should have been changed live, and why they could not be.
    pub refused: BTreeMap<String, String>,
}

/// Why something did not work: one line, fit to be a task's exit status.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Failure(String);

impl Failure {
    /// A failure in these words; line breaks become spaces.
    pub fn new(text: impl AsRef<str>) -> Self {
        let words: Vec<&str> = text.as_ref().lines().map(str::trim).collect();
        Self(words.join(" ").trim().to_owned())
    }
}

/// Where a task's log lines go.
#[derive(Clone)]
pub struct TaskLog(Arc<dyn Fn(&str) + Send + Sync>);

impl TaskLog {
    /// A log that calls `write` with each line, which has no line break.
    pub fn new(write: impl Fn(&str) + Send + Sync + 'static) -> Self {
        Self(Arc::new(write))
    }

    /// A log that nobody reads.
    #[must_use]
    pub fn discard() -> Self {
        Self::new(|_| {})
    }

    /// Writes a text, line by line.
    pub fn write(&self, text: impl AsRef<str>) {
        text.as_ref().lines().for_each(|line| (self.0)(line));
    }
}

impl fmt::Debug for TaskLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TaskLog")
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[test]
    fn a_failure_is_one_line() {
        let failure = Failure::new("lxc-start failed:\n  no such file\n");
        assert_eq!(failure.to_string(), "lxc-start failed: no such file");
    }

    #[test]
    fn a_secret_is_not_printed_with_its_spec() {
        let spec = GuestSpec {
            password: Some(Secret::new("open sesame")),
            ..GuestSpec::default()
        };
        assert!(!format!("{spec:?}").contains("sesame"));
    }

    #[test]
    fn a_task_log_gets_single_lines() {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let sink = Arc::clone(&seen);
        let log = TaskLog::new(move |line| sink.lock().unwrap().push(line.to_owned()));
        log.write("one\ntwo");
        assert_eq!(*seen.lock().unwrap(), ["one", "two"]);
    }

    #[test]
    fn guests_can_be_shared_between_threads() {
        fn shared<T: Send + Sync + ?Sized>() {}
        shared::<dyn Guests>();
    }
}
