//! The host that real guests run on: what is changed on it, and how it is put back.
//!
//! Every change is written down in the data folder before it is made, so that a run that was
//! killed can be cleaned up by the next one with the same folder, and by nothing else. All names
//! carry the run's random id, so that two runs and whatever else is on the machine do not meet.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rand::RngExt;
use rustix::fs::{FlockOperation, flock};

use self::place::{mount, mount_point, remove_folder};
use self::records::{Change, Records};
use self::undo::undo_all;
use super::lxc::tools::{Tools, while_doing};
use super::{Failure, HostNetwork};
use crate::wait;

mod containers;
mod network;
mod place;
mod records;
mod shared;
mod subids;
mod undo;

/// Where the guests' folder is mounted, and the registry of shared changes is kept.
const RUN: &str = "/run";

/// How long other runs may take to change the host.
const OTHERS: Duration = Duration::from_secs(30);

/// The programs that guests and their network are made with, and the package of each.
const PROGRAMS: [(&str, &str); 11] = [
    ("ip", "iproute2"),
    ("lxc-info", "lxc"),
    ("lxc-start", "lxc"),
    ("lxc-stop", "lxc"),
    ("lxc-usernsexec", "lxc"),
    ("mount", "mount"),
    ("newuidmap", "uidmap"),
    ("nft", "nftables"),
    ("ssh-keygen", "openssh-client"),
    ("tar", "tar"),
    ("zstd", "zstd"),
];

/// A host made ready for guests.
#[derive(Debug)]
pub(super) struct Host {
    /// The guests' network.
    pub(super) network: HostNetwork,
    /// The host's id that is 0 in a guest.
    pub(super) first_id: u32,
    /// The folder that holds one folder a container; its parents can be passed by anybody.
    pub(super) folder: PathBuf,
    /// The id of this run.
    run: String,
    records: tokio::sync::Mutex<Records>,
    /// Held as long as this run lasts: a second one with the same folder is refused.
    _lock: File,
}

impl Host {
    /// Makes the host ready, after undoing what an earlier run left according to its records.
    pub(super) async fn prepare(data: &Path) -> Result<Self, Failure> {
        require()?;
        let folder = data.join("guests");
        let lock = occupied(&folder)?;
        let mut records = Records::open(folder.join("changes.json"))?;
        undo_all(&mut records).await?;
        // Two runs that look for something free at once would find the same.
        let alone = machine_lock().await?;
        let plan = Plan::choose().await?;
        records.begin(&plan.run, plan.changes())?;
        let made = plan.make(&folder).await;
        drop(alone);
        if let Err(failure) = made {
            undo_all(&mut records).await?;
            remove_folder(&folder).await?;
            return Err(failure);
        }
        Ok(Self {
            network: plan.network,
            first_id: plan.first_id,
            folder: mount_point(&plan.run),
            run: plan.run,
            records: tokio::sync::Mutex::new(records),
            _lock: lock,
        })
    }

    /// The name of a guest's container.
    pub(super) fn container(&self, vmid: u32) -> String {
        format!("{}-{vmid}", self.run)
    }

    /// The tools for this run's containers.
    pub(super) fn tools(&self) -> Tools {
        Tools::new(&self.folder)
    }

    /// Writes down that there will be a container.
    pub(super) async fn expect_container(&self, name: &str) -> Result<(), Failure> {
        self.records.lock().await.add(Change::Container {
            name: name.to_owned(),
        })
    }

    /// Waits until nothing of a stopped container runs any more, and removes its cgroups.
    pub(super) async fn settle(&self, name: &str) -> Result<(), Failure> {
        containers::settle(&self.folder, name).await
    }

    /// Removes a container with all that belongs to it, whatever state it is in.
    pub(super) async fn remove_container(&self, name: &str) -> Result<(), Failure> {
        containers::remove(&self.folder, name).await?;
        self.records.lock().await.remove(&Change::Container {
            name: name.to_owned(),
        })
    }

    /// Puts the host back. What cannot be put back is named; all else has been.
    pub(super) async fn undo(&self) -> Result<(), Failure> {
        let mut records = self.records.lock().await;
        undo_all(&mut records).await?;
        let folder = records.folder().to_path_buf();
        remove_folder(&folder).await
    }
}

/// What a run changes on the host, all of it chosen free before anything is changed.
#[derive(Debug)]
struct Plan {
    run: String,
    first_id: u32,
    network: HostNetwork,
    /// Whether somebody else's filter has to let the guests' packets through.
    filtered: bool,
}

impl Plan {
    /// Chooses what is free. The caller holds the machine's lock until it is made.
    async fn choose() -> Result<Self, Failure> {
        let run = loop {
            let run = format!("pci{:06x}", rand::rng().random_range(0..1 << 24));
            if !mount_point(&run).exists() && !network::has_link(&run).await {
                break run;
            }
        };
        Ok(Self {
            first_id: subids::choose()?,
            network: network::choose(&run).await?,
            filtered: network::is_filtered().await,
            run,
        })
    }

    /// The changes, in the order in which they are made.
    fn changes(&self) -> Vec<Change> {
        let mut changes = vec![Change::Mount {
            at: mount_point(&self.run),
        }];
        changes.extend(subids::changes(self.first_id));
        changes.push(Change::Bridge {
            name: self.run.clone(),
        });
        changes.push(Change::Table {
            name: self.run.clone(),
        });
        if self.filtered {
            changes.push(Change::Accept {
                bridge: self.run.clone(),
            });
        }
        changes.push(Change::Shared);
        changes
    }

    async fn make(&self, folder: &Path) -> Result<(), Failure> {
        mount(&self.run, folder).await?;
        subids::add(self.first_id)?;
        network::make(&self.run, &self.network).await?;
        if self.filtered {
            network::accept(&self.run).await?;
        }
        shared::enter(&self.run, folder)
    }
}

/// Says what this machine lacks, all at once.
pub(super) fn require() -> Result<(), Failure> {
    if !rustix::process::geteuid().is_root() {
        return Err(Failure::new(
            "guests behind LXC need root; `--guests memory` does not",
        ));
    }
    let places = [
        "/usr/local/sbin",
        "/usr/local/bin",
        "/usr/sbin",
        "/usr/bin",
        "/sbin",
        "/bin",
    ];
    let found = |program: &str| {
        places
            .iter()
            .any(|place| Path::new(place).join(program).exists())
    };
    let mut missing: Vec<&str> = PROGRAMS
        .iter()
        .filter(|(program, _)| !found(program))
        .map(|(_, package)| *package)
        .collect();
    if !Path::new("/usr/share/lxc/config/debian.userns.conf").exists() {
        missing.push("lxc-templates");
    }
    missing.dedup();
    if missing.is_empty() {
        return Ok(());
    }
    Err(Failure::new(format!(
        "guests behind LXC need packages: apt-get install {}",
        missing.join(" ")
    )))
}

/// Makes the guests' folder and takes it for this process.
fn occupied(folder: &Path) -> Result<File, Failure> {
    let failed = |error| while_doing(format!("taking `{}`", folder.display()))(error);
    fs::create_dir_all(folder).map_err(failed)?;
    fs::set_permissions(folder, PermissionsExt::from_mode(0o711)).map_err(failed)?;
    let lock = File::create(folder.join("lock")).map_err(failed)?;
    match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(lock),
        Err(rustix::io::Errno::WOULDBLOCK) => Err(Failure::new(format!(
            "another node uses the data folder `{}`",
            folder.display()
        ))),
        Err(error) => Err(failed(error.into())),
    }
}

/// A lock that all runs on this machine share, held until it is dropped. It leaves no file behind.
async fn machine_lock() -> Result<File, Failure> {
    let failed = |error| while_doing::<io::Error>("locking the host's settings")(error);
    let lock = File::open(RUN).map_err(failed)?;
    // Waiting in the kernel would stop all other work of this thread, the holder's perhaps.
    let taken = wait::until(OTHERS, Duration::from_millis(5), || {
        std::future::ready(
            match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
                Err(rustix::io::Errno::WOULDBLOCK) => None,
                other => Some(other),
            },
        )
    });
    let taken = taken
        .await
        .ok_or_else(|| Failure::new("another node keeps the host's settings locked"))?;
    taken.map_err(|error| failed(error.into()))?;
    Ok(lock)
}
