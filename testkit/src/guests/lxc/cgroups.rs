//! Where a guest's cgroups are on this host, for either version.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::limits::{self, Version};

/// The cgroup hierarchies that are mounted on this host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::guests) struct Hierarchies(Vec<Hierarchy>);

/// A mounted hierarchy.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Hierarchy {
    /// Where it is mounted.
    at: PathBuf,
    /// Which part of it is mounted there.
    root: String,
    /// Its controllers; none is the unified hierarchy.
    controllers: Vec<String>,
}

impl Hierarchies {
    /// Reads what is mounted.
    pub(in crate::guests) fn read() -> io::Result<Self> {
        Ok(Self::parse(&fs::read_to_string("/proc/self/mountinfo")?))
    }

    /// The hierarchies in a mount table in the form of `/proc/self/mountinfo`.
    fn parse(mountinfo: &str) -> Self {
        let hierarchy = |line: &str| {
            let (mount, filesystem) = line.split_once(" - ")?;
            let mount: Vec<&str> = mount.split(' ').collect();
            let filesystem: Vec<&str> = filesystem.split(' ').collect();
            let controllers = match *filesystem.first()? {
                "cgroup2" => Vec::new(),
                "cgroup" => filesystem
                    .get(2)?
                    .split(',')
                    .filter(|option| !matches!(*option, "rw" | "ro" | "xattr" | "noprefix"))
                    .filter(|option| !option.starts_with("release_agent="))
                    .map(str::to_owned)
                    .collect(),
                _ => return None,
            };
            let (root, at) = ((*mount.get(3)?).to_owned(), PathBuf::from(mount.get(4)?));
            Some(Hierarchy {
                at,
                root,
                controllers,
            })
        };
        Self(mountinfo.lines().filter_map(hierarchy).collect())
    }

    /// Which version enforces limits here.
    pub(super) fn version(&self) -> Version {
        match self.of("memory") {
            Some(hierarchy) if !hierarchy.controllers.is_empty() => {
                let swap = hierarchy.at.join("memory.memsw.limit_in_bytes").exists();
                Version::One { swap }
            }
            _ => Version::Two,
        }
    }

    /// Whether a controller can be used at all.
    pub(super) fn has(&self, controller: &str) -> bool {
        self.of(controller).is_some_and(|hierarchy| {
            if !hierarchy.controllers.is_empty() {
                return true;
            }
            let listed = fs::read_to_string(hierarchy.at.join("cgroup.controllers"));
            listed.is_ok_and(|list| list.split_whitespace().any(|one| one == controller))
        })
    }

    /// The folder of a controller for a guest, found through a process in it. `payload` is the
    /// name of the guest's cgroup: its init may have moved itself further down.
    pub(super) fn folder(&self, controller: &str, pid: u32, payload: &str) -> Option<PathBuf> {
        let text = fs::read_to_string(format!("/proc/{pid}/cgroup")).ok()?;
        self.folder_in(controller, &text, payload)
    }

    fn folder_in(&self, controller: &str, proc_cgroup: &str, payload: &str) -> Option<PathBuf> {
        let hierarchy = self.of(controller)?;
        let path = proc_cgroup.lines().find_map(|line| {
            let mut fields = line.splitn(3, ':');
            let (_, controllers, path) = (fields.next()?, fields.next()?, fields.next()?);
            let same = if hierarchy.controllers.is_empty() {
                controllers.is_empty()
            } else {
                controllers.split(',').any(|one| one == controller)
            };
            same.then_some(path)
        })?;
        let path = path
            .strip_prefix(hierarchy.root.trim_end_matches('/'))
            .unwrap_or(path);
        let mut folder = hierarchy.at.clone();
        for part in path.split('/').filter(|part| !part.is_empty()) {
            folder.push(part);
            if part == payload {
                return Some(folder);
            }
        }
        None
    }

    /// Every folder in every hierarchy whose name is one that the container tools give to the
    /// cgroups of a container of this name.
    pub(in crate::guests) fn folders_of(&self, container: &str) -> Vec<PathBuf> {
        self.folders(&|name| belongs(name, container))
    }

    /// Every folder of this name, in every hierarchy.
    pub(in crate::guests) fn named(&self, name: &str) -> Vec<PathBuf> {
        self.folders(&|one| one == name)
    }

    fn folders(&self, wanted: &dyn Fn(&str) -> bool) -> Vec<PathBuf> {
        let mut found = Vec::new();
        for hierarchy in &self.0 {
            collect(&hierarchy.at, wanted, 3, &mut found);
        }
        found
    }

    fn of(&self, controller: &str) -> Option<&Hierarchy> {
        let named = |one: &&Hierarchy| one.controllers.iter().any(|name| name == controller);
        self.0
            .iter()
            .find(named)
            .or_else(|| self.0.iter().find(|one| one.controllers.is_empty()))
    }
}

/// Looks for folders by their names, at most `depth` folders down.
fn collect(folder: &Path, wanted: &dyn Fn(&str) -> bool, depth: u32, found: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else {
        return;
    };
    for entry in entries
        .flatten()
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
    {
        if wanted(&entry.file_name().to_string_lossy()) {
            found.push(entry.path());
        } else if depth > 0 {
            collect(&entry.path(), wanted, depth - 1, found);
        }
    }
}

/// Whether a folder is a container's: `lxc.payload.NAME`, `lxc.monitor.NAME`, or one of these with
/// a number after it, which the tools add when the name was taken.
fn belongs(folder: &str, container: &str) -> bool {
    ["lxc.payload.", "lxc.monitor."]
        .iter()
        .filter_map(|prefix| folder.strip_prefix(prefix)?.strip_prefix(container))
        .any(|rest| {
            rest.is_empty()
                || rest
                    .strip_prefix('-')
                    .is_some_and(|end| end.chars().all(|c| c.is_ascii_digit()))
        })
}

/// The name of a container's cgroup.
pub(super) fn payload(container: &str) -> String {
    format!("lxc.payload.{container}")
}

/// The processes in a cgroup and below it.
pub(in crate::guests) fn processes(folder: &Path) -> BTreeSet<i32> {
    let listed = fs::read_to_string(folder.join("cgroup.procs")).unwrap_or_default();
    let mut found: BTreeSet<i32> = listed
        .lines()
        .filter_map(|line| line.parse().ok())
        .collect();
    for below in fs::read_dir(folder).into_iter().flatten().flatten() {
        if below.file_type().is_ok_and(|kind| kind.is_dir()) {
            found.extend(processes(&below.path()));
        }
    }
    found
}

/// Removes an empty cgroup with all below it.
pub(in crate::guests) fn remove(folder: &Path) -> io::Result<()> {
    for below in fs::read_dir(folder).into_iter().flatten().flatten() {
        if below.file_type().is_ok_and(|kind| kind.is_dir()) {
            remove(&below.path())?;
        }
    }
    match fs::remove_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

/// The processors of this host that can be used.
pub(super) fn cpus() -> Vec<u32> {
    let online = fs::read_to_string("/sys/devices/system/cpu/online").unwrap_or_default();
    let cpus = limits::cpu_list(&online).unwrap_or_default();
    if cpus.is_empty() {
        vec![0]
    } else {
        cpus.into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOUNTS: &str = "\
30 29 0:26 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory
31 29 0:27 / /sys/fs/cgroup/cpu,cpuacct rw,relatime shared:9 - cgroup cgroup rw,cpu,cpuacct
32 29 0:28 / /sys/fs/cgroup/systemd rw,relatime - cgroup cgroup rw,xattr,name=systemd
33 29 0:29 /docker/1 /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw
34 29 0:30 / /tmp rw - tmpfs tmpfs rw
";

    #[test]
    fn a_guest_is_found_in_each_hierarchy() {
        let hierarchies = Hierarchies::parse(MOUNTS);
        let processes = "9:memory:/job/lxc.payload.a-100\n8:cpu,cpuacct:/lxc.payload.a-100/ns\n\
                         0::/docker/1/lxc.payload.a-100/init.scope\n";
        let folder = |controller: &str| {
            hierarchies
                .folder_in(controller, processes, "lxc.payload.a-100")
                .unwrap()
        };
        assert_eq!(
            folder("memory"),
            Path::new("/sys/fs/cgroup/memory/job/lxc.payload.a-100")
        );
        assert_eq!(
            folder("cpu"),
            Path::new("/sys/fs/cgroup/cpu,cpuacct/lxc.payload.a-100")
        );
        assert_eq!(
            folder("hugetlb"),
            Path::new("/sys/fs/cgroup/unified/lxc.payload.a-100")
        );
    }

    #[test]
    fn only_the_cgroups_of_this_very_container_belong_to_it() {
        assert!(belongs("lxc.payload.a-1", "a-1"));
        assert!(belongs("lxc.monitor.a-1-2", "a-1"));
        assert!(!belongs("lxc.payload.a-10", "a-1"));
        assert!(!belongs("a-1", "a-1"));
    }
}
