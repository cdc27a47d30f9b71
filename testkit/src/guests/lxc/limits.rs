//! A guest's limits as cgroup files and values, for both versions of cgroups.

use std::collections::BTreeSet;

use super::{Config, Failure};

/// The scheduler's period that processor limits are a part of, in microseconds.
const PERIOD: u64 = 100_000;

/// The keys of a configuration that are limits, all of which can be changed live.
pub(super) const KEYS: [&str; 5] = ["cores", "cpulimit", "cpuunits", "memory", "swap"];

/// The controller that a key of the configuration is enforced by.
pub(super) fn controller(key: &str) -> &'static str {
    match key {
        "cores" => "cpuset",
        "cpulimit" | "cpuunits" => "cpu",
        _ => "memory",
    }
}

/// Which cgroups enforce limits on this host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Version {
    /// A hierarchy for each controller; the flag says whether swap is accounted.
    One {
        /// Whether `memory.memsw.limit_in_bytes` is there.
        swap: bool,
    },
    /// The unified hierarchy.
    Two,
}

/// What a guest may use.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Limits {
    memory: u64,
    swap: u64,
    cores: Option<usize>,
    cpulimit: f64,
    cpuunits: u64,
}

/// A value to be written to a cgroup file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Setting {
    /// The key of the configuration that it stands for.
    pub(super) key: &'static str,
    /// The controller, whose hierarchy the file is in.
    pub(super) controller: &'static str,
    /// The file's name.
    pub(super) file: &'static str,
    /// Its content.
    pub(super) value: String,
}

impl Limits {
    /// The limits of a configuration, with the defaults of Proxmox VE.
    ///
    /// # Errors
    /// When a value is not a number.
    pub(super) fn of(config: &Config) -> Result<Self, Failure> {
        fn number<T: std::str::FromStr>(config: &Config, key: &str) -> Result<Option<T>, Failure> {
            let parse = |text: &String| {
                text.trim()
                    .parse()
                    .map_err(|_| Failure::new(format!("invalid {key} '{text}'")))
            };
            config.get(key).map(parse).transpose()
        }
        Ok(Self {
            memory: number(config, "memory")?.unwrap_or(512),
            swap: number(config, "swap")?.unwrap_or(512),
            cores: number(config, "cores")?.filter(|cores| *cores > 0),
            cpulimit: number(config, "cpulimit")?.unwrap_or(0.0),
            cpuunits: number(config, "cpuunits")?.unwrap_or(100),
        })
    }

    /// What to write, in an order that is right for a new guest. `cpus` are the host's processors;
    /// `seed` spreads guests with few cores over them.
    pub(super) fn settings(&self, version: Version, cpus: &[u32], seed: u32) -> Vec<Setting> {
        match version {
            Version::One { swap } => self.version_one(swap, cpus, seed),
            Version::Two => self.version_two(cpus, seed),
        }
    }

    /// What to write to a running guest that has the limits `before`, in an order in which no
    /// value is refused because of another.
    pub(super) fn changes(
        &self,
        before: &Self,
        version: Version,
        cpus: &[u32],
        seed: u32,
    ) -> Vec<Setting> {
        let old = before.settings(version, cpus, seed);
        let mut new = self.settings(version, cpus, seed);
        new.retain(|setting| !old.contains(setting));
        // Memory alone never exceeds memory and swap: the sum grows first, and shrinks last.
        if self.memory + self.swap > before.memory + before.swap {
            new.sort_by_key(|setting| !setting.file.contains("memsw"));
        }
        new
    }

    fn version_one(&self, swap: bool, cpus: &[u32], seed: u32) -> Vec<Setting> {
        let bytes = |mebibytes: u64| (mebibytes << 20).to_string();
        let quota = self
            .quota()
            .map_or_else(|| "-1".to_owned(), |quota| quota.to_string());
        let mut settings = vec![setting(
            "memory",
            "memory",
            "memory.limit_in_bytes",
            bytes(self.memory),
        )];
        if swap {
            let total = bytes(self.memory + self.swap);
            settings.push(setting(
                "swap",
                "memory",
                "memory.memsw.limit_in_bytes",
                total,
            ));
        }
        settings.extend([
            setting("cpulimit", "cpu", "cpu.cfs_period_us", PERIOD.to_string()),
            setting("cpulimit", "cpu", "cpu.cfs_quota_us", quota),
            // The unit of the API is the weight of version two, whose 100 is 1024 shares.
            setting(
                "cpuunits",
                "cpu",
                "cpu.shares",
                (self.cpuunits * 1024 / 100).max(2).to_string(),
            ),
            setting("cores", "cpuset", "cpuset.cpus", self.chosen(cpus, seed)),
        ]);
        settings
    }

    fn version_two(&self, cpus: &[u32], seed: u32) -> Vec<Setting> {
        let quota = self
            .quota()
            .map_or_else(|| "max".to_owned(), |quota| quota.to_string());
        vec![
            setting(
                "memory",
                "memory",
                "memory.max",
                (self.memory << 20).to_string(),
            ),
            setting(
                "swap",
                "memory",
                "memory.swap.max",
                (self.swap << 20).to_string(),
            ),
            setting("cpulimit", "cpu", "cpu.max", format!("{quota} {PERIOD}")),
            setting(
                "cpuunits",
                "cpu",
                "cpu.weight",
                self.cpuunits.clamp(1, 10_000).to_string(),
            ),
            setting("cores", "cpuset", "cpuset.cpus", self.chosen(cpus, seed)),
        ]
    }

    /// The part of a period that the guest may run, in microseconds.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a limit is between 0 and a few thousand processors"
    )]
    fn quota(&self) -> Option<u64> {
        (self.cpulimit > 0.0).then(|| (self.cpulimit * 100_000.0).round().max(1000.0) as u64)
    }

    /// The processors for this many cores; all of them when nothing is said.
    fn chosen(&self, cpus: &[u32], seed: u32) -> String {
        let wanted = self.cores.unwrap_or(cpus.len()).clamp(1, cpus.len().max(1));
        let first = (seed as usize).checked_rem(cpus.len()).unwrap_or(0);
        let mut chosen: Vec<u32> = cpus
            .iter()
            .copied()
            .cycle()
            .skip(first)
            .take(wanted)
            .collect();
        chosen.sort_unstable();
        let words: Vec<String> = chosen.iter().map(u32::to_string).collect();
        words.join(",")
    }
}

fn setting(
    key: &'static str,
    controller: &'static str,
    file: &'static str,
    value: String,
) -> Setting {
    Setting {
        key,
        controller,
        file,
        value,
    }
}

impl Setting {
    /// The line of a container's configuration that writes it.
    pub(super) fn line(&self, version: Version) -> (String, String) {
        let prefix = match version {
            Version::One { .. } => "lxc.cgroup",
            Version::Two => "lxc.cgroup2",
        };
        (format!("{prefix}.{}", self.file), self.value.clone())
    }

    /// Whether what a file now says is what was written to it.
    pub(super) fn is_read_back_as(&self, text: &str) -> bool {
        match self.controller {
            "cpuset" => cpu_list(text) == cpu_list(&self.value),
            _ => text.trim() == self.value,
        }
    }
}

/// The processors in a list such as `0-2,5`.
pub(super) fn cpu_list(text: &str) -> Option<BTreeSet<u32>> {
    let mut cpus = BTreeSet::new();
    for part in text.trim().split(',').filter(|part| !part.is_empty()) {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        cpus.extend(first.parse::<u32>().ok()?..=last.parse().ok()?);
    }
    Some(cpus)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: Version = Version::One { swap: true };

    fn limits(entries: &[(&str, &str)]) -> Limits {
        let config: Config = entries
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect();
        Limits::of(&config).unwrap()
    }

    fn written(settings: &[Setting]) -> Vec<(&str, &str)> {
        settings
            .iter()
            .map(|setting| (setting.file, setting.value.as_str()))
            .collect()
    }

    #[test]
    fn version_one_has_a_file_for_each_limit() {
        let entries = [
            ("memory", "256"),
            ("swap", "0"),
            ("cores", "1"),
            ("cpulimit", "0.5"),
        ];
        assert_eq!(
            written(&limits(&entries).settings(ONE, &[0, 1], 101)),
            [
                ("memory.limit_in_bytes", "268435456"),
                ("memory.memsw.limit_in_bytes", "268435456"),
                ("cpu.cfs_period_us", "100000"),
                ("cpu.cfs_quota_us", "50000"),
                ("cpu.shares", "1024"),
                ("cpuset.cpus", "1"),
            ]
        );
    }

    #[test]
    fn version_two_keeps_swap_apart() {
        assert_eq!(
            written(&limits(&[("cpuunits", "50")]).settings(Version::Two, &[0, 1], 100)),
            [
                ("memory.max", "536870912"),
                ("memory.swap.max", "536870912"),
                ("cpu.max", "max 100000"),
                ("cpu.weight", "50"),
                ("cpuset.cpus", "0,1"),
            ]
        );
    }

    #[test]
    fn the_sum_of_memory_and_swap_grows_first_and_shrinks_last() {
        let (small, big) = (limits(&[("memory", "256")]), limits(&[("memory", "512")]));
        let files = |settings: Vec<Setting>| -> Vec<&'static str> {
            settings.iter().map(|setting| setting.file).collect()
        };
        assert_eq!(
            files(big.changes(&small, ONE, &[0], 1)),
            ["memory.memsw.limit_in_bytes", "memory.limit_in_bytes"]
        );
        assert_eq!(
            files(small.changes(&big, ONE, &[0], 1)),
            ["memory.limit_in_bytes", "memory.memsw.limit_in_bytes"]
        );
    }

    #[test]
    fn more_cores_than_there_are_is_all_of_them() {
        let settings = limits(&[("cores", "64")]).settings(ONE, &[0, 1, 2], 1);
        let cpus = settings
            .iter()
            .find(|setting| setting.key == "cores")
            .unwrap();
        assert!(cpus.is_read_back_as("0-2\n"));
        assert!(!cpus.is_read_back_as("0-1\n"));
    }

    #[test]
    fn a_limit_that_is_no_number_is_refused() {
        let config = Config::from([("memory".to_owned(), "much".to_owned())]);
        assert_eq!(
            Limits::of(&config).unwrap_err().to_string(),
            "invalid memory 'much'"
        );
    }
}
