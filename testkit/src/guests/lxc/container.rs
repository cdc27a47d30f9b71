//! One container on this host: its files, its start, its end.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::birth;
use super::cgroups::{self, Hierarchies};
use super::devices;
use super::inside::{self, Identity, Newborn, Resolver};
use super::limits::Limits;
use super::live;
use super::network::Nic;
use super::render;
use super::tools::while_doing;
use super::tree::Tree;
use super::usage;
use super::volumes::{self, Mount, Source};
use super::{Config, Failure, GuestSpec, TaskLog};
use crate::guests::host::Host;
use crate::process::Program;

/// How many lines of a console and of a log say why a guest did not start.
const LAST_LINES: usize = 25;

/// A container's names and places.
#[derive(Debug)]
pub(super) struct Container {
    /// The host it is on.
    pub(super) host: Arc<Host>,
    /// What the container tools call it.
    pub(super) name: String,
    folder: PathBuf,
    rootfs: PathBuf,
}

impl Container {
    /// The container of a guest, whether or not it is there.
    pub(super) fn of(host: Arc<Host>, vmid: u32) -> Self {
        let name = host.container(vmid);
        let folder = host.folder.join(&name);
        Self {
            rootfs: folder.join("rootfs"),
            host,
            name,
            folder,
        }
    }

    /// Makes the files of a new container, and answers with the bytes they take.
    pub(super) async fn bear(&self, spec: &GuestSpec, log: &TaskLog) -> Result<u64, Failure> {
        let template = spec.template.as_deref();
        let template = template.ok_or_else(|| Failure::new("no template given"))?;
        let first_id = self.host.first_id;
        let mounts = volumes::mounts(&spec.config)?;
        let own = mounts.iter().filter_map(|mount| match &mount.source {
            Source::Volume(name) => Some(self.volume(name)),
            Source::Bind(_) | Source::Device(_) => None,
        });
        birth::make_folders(&self.folder, own, first_id)
            .map_err(while_doing("making the guest's folders"))?;
        let hostname = hostname(spec);
        let hash = async {
            match &spec.password {
                Some(password) => birth::password_hash(password).await.map(Some),
                None => Ok(None),
            }
        };
        let ((), host_keys, password_hash) = tokio::try_join!(
            birth::unpack(template, &self.rootfs, first_id, log),
            birth::host_keys(&self.folder, &hostname, log),
            hash,
        )?;
        let ssh_public_keys = spec.ssh_public_keys.clone();
        let newborn = Newborn {
            host_keys,
            password_hash,
            ssh_public_keys,
        };
        inside::give_birth(&self.tree()?, &newborn)
            .map_err(while_doing("preparing the root filesystem"))?;
        let rootfs = self.rootfs.clone();
        Ok(tokio::task::spawn_blocking(move || usage::disk(&rootfs))
            .await
            .unwrap_or(0))
    }

    /// Writes the container's configuration and identity, as they are to be now.
    pub(super) fn write(
        &self,
        spec: &GuestSpec,
        nics: &[Nic],
        log: &TaskLog,
    ) -> Result<(), Failure> {
        if self.introduce(spec, nics)?.servers.is_empty() {
            log.write("WARN: this host has no resolver that a guest could ask");
        }
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
            rootfs: &self.rootfs,
            first_id: self.host.first_id,
            bridge: &self.host.network.bridge,
            nics,
            mounts: &self.mounts(&spec.config)?,
            limits: &limits,
            version,
            hostname: &hostname(spec),
            halt_signal: inside::halt_signal(&self.tree()?),
        })?;
        fs::write(self.folder.join("config"), text)
            .map_err(while_doing("writing the container's configuration"))
    }

    /// Writes the container's name, network and resolver, and answers with the latter.
    pub(super) fn introduce(&self, spec: &GuestSpec, nics: &[Nic]) -> Result<Resolver, Failure> {
        let hostname = hostname(spec);
        let resolver = Resolver::of_host().overridden_by(&spec.config);
        let identity = Identity {
            hostname: &hostname,
            nics,
            resolver: &resolver,
        };
        inside::introduce(&self.tree()?, &identity)
            .map_err(while_doing("writing the guest's identity"))?;
        Ok(resolver)
    }

    /// Gives the running container another name.
    pub(super) async fn rename(&self, spec: &GuestSpec, pid: u32) -> Result<(), Failure> {
        let hostname = hostname(spec);
        let short = hostname.split('.').next().unwrap_or(&hostname);
        let call = Program::new("nsenter").args(["--uts", "--target", &pid.to_string()]);
        call.args(["hostname", short])
            .checked()
            .await
            .map_err(while_doing("hostname"))?;
        Ok(())
    }

    /// Starts a container whose configuration is written. When that fails, the end of its logs is
    /// in the task's log.
    pub(super) async fn launch(&self, vmid: u32, log: &TaskLog) -> Result<(), Failure> {
        let (own, console) = (
            self.folder.join("start.log"),
            self.folder.join("console.log"),
        );
        for file in [&own, &console] {
            match fs::remove_file(file) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(while_doing("removing an old log")(error));
                }
                _ => {}
            }
        }
        if self
            .host
            .tools()
            .start(&self.name, &own, &console)
            .await
            .is_ok()
        {
            return Ok(());
        }
        explain(log, &own, &console);
        self.settle().await?;
        Err(Failure::new(format!(
            "startup for container '{vmid}' failed"
        )))
    }

    /// Reads the limits of a running container back.
    pub(super) fn confirm(&self, spec: &GuestSpec, pid: u32) -> Result<(), Failure> {
        let hierarchies = Hierarchies::read().map_err(while_doing("reading the mounts"))?;
        let limits = Limits::of(&spec.config)?;
        for setting in limits.settings(hierarchies.version(), &cgroups::cpus(), spec.vmid) {
            if hierarchies.has(setting.controller) {
                live::read_back(&hierarchies, &setting, pid, &cgroups::payload(&self.name))?;
            }
        }
        Ok(())
    }

    /// Waits until nothing of the stopped container runs any more.
    pub(super) async fn settle(&self) -> Result<(), Failure> {
        self.host.settle(&self.name).await
    }

    /// Stops the container at once.
    pub(super) async fn kill(&self) -> Result<(), Failure> {
        self.host
            .tools()
            .kill(&self.name)
            .await
            .map_err(while_doing("lxc-stop"))?;
        self.settle().await
    }

    fn tree(&self) -> Result<Tree, Failure> {
        Tree::open(&self.rootfs, self.host.first_id)
            .map_err(while_doing("opening the root filesystem"))
    }

    fn volume(&self, name: &str) -> PathBuf {
        self.folder.join("volumes").join(name)
    }

    /// What is mounted, each with its place on this host, which is made where it is ours.
    fn mounts(&self, config: &Config) -> Result<Vec<(Mount, PathBuf)>, Failure> {
        let first_id = self.host.first_id;
        let placed = |mount: Mount| -> Result<(Mount, PathBuf), Failure> {
            let source = match &mount.source {
                Source::Volume(name) => {
                    let folder = self.volume(name);
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

fn hostname(spec: &GuestSpec) -> String {
    spec.config
        .get("hostname")
        .cloned()
        .unwrap_or_else(|| format!("CT{}", spec.vmid))
}

/// Puts the end of a failed start's logs into the task's log.
fn explain(log: &TaskLog, own: &Path, console: &Path) {
    let last = |file: &Path, worth: &dyn Fn(&str) -> bool| -> Vec<String> {
        let bytes = fs::read(file).unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes);
        let lines: Vec<&str> = text
            .lines()
            .map(str::trim_end)
            .filter(|line| worth(line))
            .collect();
        let from = lines.len().saturating_sub(LAST_LINES);
        lines[from..]
            .iter()
            .map(|line| (*line).to_owned())
            .collect()
    };
    for line in last(own, &|line| {
        line.contains(" ERROR ") || line.contains(" WARN ")
    }) {
        log.write(line);
    }
    for line in last(console, &|line| !line.trim().is_empty()) {
        log.write(format!("console: {line}"));
    }
}
