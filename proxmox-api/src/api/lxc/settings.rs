//! The settings of a container that can be written: one table for creating and for changing.

use std::fmt::Display;

use crate::api::{self, Capabilities};
use crate::error::Error;
use crate::property::Property;
use crate::wire::{Params, Patch};

/// What was said about settings so far.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Settings {
    patches: Vec<(String, Patch<String>)>,
    refused: Vec<String>,
    foreign: Vec<String>,
}

impl Settings {
    /// Says something about a setting; the last word counts.
    pub(super) fn say(&mut self, key: impl Into<String>, patch: Patch<impl Display>) {
        let key = key.into();
        self.patches.retain(|(known, _)| *known != key);
        if !matches!(patch, Patch::Keep) {
            self.patches
                .push((key, patch.map(|value| value.to_string())));
        }
    }

    /// The same for a setting that this crate has no method for.
    pub(super) fn say_foreign(&mut self, key: String, patch: Patch<String>) {
        self.foreign.push(key.clone());
        self.say(key, patch);
    }

    /// The same for a property string, which must not be written if it would be misread.
    pub(super) fn say_property<P: Property + Display>(&mut self, key: String, patch: Patch<P>) {
        if let Patch::Set(property) = &patch
            && let Err(reason) = property.check()
        {
            self.refused.push(format!("{key}: {reason}"));
        }
        self.say(key, patch);
    }

    /// The names of the settings that were said something about.
    pub(super) fn keys(&self) -> impl Iterator<Item = &str> {
        self.patches.iter().map(|(key, _)| key.as_str())
    }

    /// The settings with a new value.
    pub(super) fn set_pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.patches.iter().filter_map(|(key, patch)| match patch {
            Patch::Set(value) => Some((key.as_str(), value.as_str())),
            Patch::Keep | Patch::Delete => None,
        })
    }

    /// The settings to be removed.
    pub(super) fn deleted(&self) -> impl Iterator<Item = &str> {
        self.patches
            .iter()
            .filter(|(_, patch)| *patch == Patch::Delete)
            .map(|(key, _)| key.as_str())
    }

    /// What a server that can do only so much would refuse.
    pub(super) fn unsupported(&self, path: &str, by: Capabilities) -> Vec<String> {
        let mut found = Vec::new();
        for (key, value) in self.set_pairs() {
            if !by.takes(path, key) {
                found.push(key.to_owned());
            }
            let family = key.trim_end_matches(|c: char| c.is_ascii_digit());
            let unknown = api::SINCE_KEYS.iter().filter(|since| {
                since.setting == family
                    && !by.at_least(since.major, since.minor)
                    && value
                        .split(',')
                        .any(|item| item.split('=').next() == Some(since.key))
            });
            found.extend(unknown.map(|since| format!("{key}.{}", since.key)));
        }
        found
    }

    /// Adds what is set to the parameters.
    pub(super) fn write(&self, params: &mut Params, operation: &str) -> Result<(), Error> {
        if !self.refused.is_empty() {
            return Err(Error::unusable(operation, self.refused.join("; ")));
        }
        for (key, value) in self.set_pairs() {
            if self.foreign.iter().any(|foreign| foreign == key) {
                params.set_foreign(key, value);
            } else {
                params.set(key, value);
            }
        }
        Ok(())
    }
}

/// Calls the given macro for every setting: how it is written, method, type, key, description.
macro_rules! for_each_setting {
    ($setter:ident) => {
        $setter! { text, arch, String, "arch", "Processor architecture, e.g. `amd64`." }
        $setter! { text, cmode, String, "cmode", "Console mode: `tty`, `console` or `shell`." }
        $setter! { flag, console, bool, "console", "Whether there is a console device." }
        $setter! { text, cores, u32, "cores", "Number of processors; all of the node's if absent." }
        $setter! { text, cpulimit, Decimal, "cpulimit", "Limit in processors, e.g. `0.5`; 0 is none." }
        $setter! { text, cpuunits, u32, "cpuunits", "Weight against other guests." }
        $setter! { flag, debug, bool, "debug", "Whether a start logs in detail." }
        $setter! { text, description, String, "description", "Notes, at most 8,192 characters; they come back with a line end." }
        $setter! { text, entrypoint, String, "entrypoint", "Program to start (9.1 and later)." }
        $setter! { text, env, String, "env", "Environment of the entry point, NUL between items (9.1 and later)." }
        $setter! { property, features, Features, "features", "What it may do beyond the ordinary." }
        $setter! { text, hookscript, VolumeId, "hookscript", "Script run around its life; `root@pam` only." }
        $setter! { text, hostname, String, "hostname", "Host name; `CT` and the number if absent." }
        $setter! { text, memory, Mib, "memory", "Memory limit; 512 MiB if absent." }
        $setter! { text, nameserver, String, "nameserver", "Name servers with blanks between; the node's if absent." }
        $setter! { flag, onboot, bool, "onboot", "Whether it starts with its node." }
        $setter! { text, ostype, String, "ostype", "Kind of distribution, e.g. `debian`; found out at creation." }
        $setter! { flag, protection, bool, "protection", "Whether destroying it is refused." }
        $setter! { text, searchdomain, String, "searchdomain", "Search domains with blanks between; the node's if absent." }
        $setter! { property, startup, Startup, "startup", "Place in the start order, and pauses." }
        $setter! { text, swap, Mib, "swap", "Swap limit; 512 MiB if absent." }
        $setter! { text, tags, Tags, "tags", "Tags." }
        $setter! { text, timezone, String, "timezone", "Time zone, e.g. `Europe/Vienna`, or `host`." }
        $setter! { text, tty, u32, "tty", "Number of terminals, 0 to 6." }
        $setter! { indexed, net, Net, "net", "Network interface of that index, 0 to 31." }
        $setter! { indexed, mount_point, MountPoint, "mp", "Mount point of that index, 0 to 255." }
        $setter! { indexed, device, Device, "dev", "Device of that index, 0 to 255; `root@pam` only." }
    };
}
pub(super) use for_each_setting;
