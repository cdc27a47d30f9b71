//! The one table of keys: parser, documentation, `config --explain`, `explain` and the schemas all
//! read it.

mod document;
mod explain;
mod kind;
mod parts;
mod schema;
mod sections;
mod table;

use serde::Serialize;

use crate::diagnostic::nearest;

pub use document::{markdown, parts_markdown, sections_markdown, text};
pub use explain::{Explanation, all, explain, list};
pub use kind::Kind;
pub use parts::{Form, Part, parts};
pub use schema::{File, schema};
pub(crate) use sections::names;
pub use sections::{SECTIONS, Section};
pub use table::TABLE;

/// What a change costs the container.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ChangeClass {
    /// Nothing in Proxmox VE changes.
    Nothing,
    /// Written at once, without effect on what runs.
    Live,
    /// Takes effect in the running container at once.
    Hotplug,
    /// Written, takes effect at the next restart.
    NeedsReboot,
    /// A disk grows; it never shrinks.
    Resize,
    /// A disk goes to another storage.
    Move,
    /// The container goes to another node.
    Migrate,
    /// Only a new container would do.
    Replace,
    /// The container comes into being.
    Create,
    /// The container is started.
    Start,
    /// A layer is run in the guest.
    Layer,
}

impl ChangeClass {
    /// The words of the plan.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Live => "live",
            Self::Hotplug => "hotplug",
            Self::NeedsReboot => "needs reboot",
            Self::Resize => "resize",
            Self::Move => "move",
            Self::Migrate => "migrate",
            Self::Replace => "replace",
            Self::Create => "create",
            Self::Start => "start",
            Self::Layer => "layer",
        }
    }

    /// What it costs, in one sentence.
    #[must_use]
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Nothing => "Nothing in Proxmox VE changes.",
            Self::Live => "Written at once, without effect on what runs.",
            Self::Hotplug => "Takes effect in the running container at once.",
            Self::NeedsReboot => "Written at once, takes effect at the next restart.",
            Self::Resize => "The disk grows while the container runs; it never shrinks.",
            Self::Move => "The disk goes to another storage; the container stands still for it.",
            Self::Migrate => "The container goes to another node, with a restart when it runs.",
            Self::Replace => "Only a new container would do: refused unless `TERMINATE` consents.",
            Self::Create => "The container comes into being.",
            Self::Start => "The container is started.",
            Self::Layer => "A layer is run in the guest.",
        }
    }
}

/// Whether a key holds one value or several.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Shape {
    /// One value.
    Scalar,
    /// Several, separated by commas without blanks in `config.env`, an array in TOML.
    List,
}

/// Where a key may stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// In a container's file only: it makes no sense for all.
    Container,
    /// Also in `[defaults]` of `fleet.toml`.
    Fleet,
}

/// One line of the table.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Row {
    /// The key.
    pub key: Key,
    /// As written in `config.env`; in TOML in lower case.
    pub name: &'static str,
    /// Another name for it, kept for the seed's files.
    pub alias: Option<&'static str>,
    /// One value or several.
    pub shape: Shape,
    /// Where it may stand.
    pub scope: Scope,
    /// The Proxmox VE field it becomes, or what reads it instead.
    pub field: &'static str,
    /// Grammar of one value, with its unit, for people.
    pub grammar: &'static str,
    /// The unit of a number that stands alone; empty where there is none.
    pub unit: &'static str,
    /// The same grammar for a schema, with its bounds.
    #[serde(skip)]
    pub kind: Kind,
    /// A value as `config.env` has it.
    pub example: &'static str,
    /// What holds when it is not written.
    pub default: &'static str,
    /// What a change of it costs.
    pub class: ChangeClass,
    /// The privilege Proxmox VE asks for; empty for keys that it never sees.
    pub privilege: &'static str,
    /// What it means, in one sentence.
    pub meaning: &'static str,
}

/// A key of `config.env` and `container.toml`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[expect(
    missing_docs,
    reason = "each is documented by its row of `TABLE`, which is the one place"
)]
pub enum Key {
    Id,
    Hostname,
    Node,
    Pool,
    Template,
    TemplateStorage,
    Storage,
    Unprivileged,
    Consent,
    Terminate,
    Protection,
    Boot,
    Startup,
    Cores,
    Cpulimit,
    Cpuunits,
    Memory,
    Swap,
    Rootfs,
    Mount,
    Device,
    Features,
    Ip,
    Gateway,
    Bridge,
    Vlan,
    Nic,
    Nameserver,
    Searchdomain,
    Tags,
    Description,
    After,
    Health,
    HealthTimeout,
    Provision,
    ProvisionTimeout,
    RunList,
    Vars,
    Secrets,
}

impl Key {
    /// Its line of the table.
    #[must_use]
    pub fn row(self) -> &'static Row {
        &TABLE[self as usize]
    }

    /// As written in `config.env`.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.row().name
    }

    /// The key written as `name` in `config.env`, by its name or its alias.
    #[must_use]
    pub fn find(name: &str) -> Option<Self> {
        TABLE
            .iter()
            .find(|row| row.name == name || row.alias == Some(name))
            .map(|row| row.key)
    }

    /// The name nearest to what was written, when one is near enough to be meant.
    #[must_use]
    pub fn nearest(written: &str) -> Option<&'static str> {
        let names = TABLE
            .iter()
            .flat_map(|row| [Some(row.name), row.alias])
            .flatten();
        nearest(&written.to_ascii_uppercase(), names)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_stands_at_its_key() {
        for (position, row) in TABLE.iter().enumerate() {
            assert_eq!(row.key as usize, position, "{}", row.name);
            assert_eq!(row.key.name(), row.name);
            assert!(row.meaning.ends_with('.'), "{}", row.name);
        }
    }

    #[test]
    fn the_documented_tables_are_these() {
        let documented = include_str!("../../KEYS.md");
        let mut stale = Vec::new();
        for (mark, now) in [
            ("the table, as the program has it", markdown()),
            (
                "the parts of an item of `MOUNT`",
                parts_markdown(Key::Mount),
            ),
            (
                "the parts of an item of `DEVICE`",
                parts_markdown(Key::Device),
            ),
            ("the parts of an item of `NIC`", parts_markdown(Key::Nic)),
            ("the keys of `fleet.toml`", sections_markdown(File::Fleet)),
            (
                "the keys of `fleet.local.toml`",
                sections_markdown(File::Connection),
            ),
        ] {
            let table = documented
                .split_once(&format!("<!-- {mark} -->\n"))
                .and_then(|(_, rest)| rest.split_once("<!-- end -->"))
                .map(|(table, _)| table);
            if table != Some(now.as_str()) {
                stale.push(format!("<!-- {mark} -->\n{now}<!-- end -->"));
            }
        }
        assert!(
            stale.is_empty(),
            "put these into KEYS.md:\n{}",
            stale.join("\n")
        );
    }

    #[test]
    fn a_slip_of_the_pen_is_understood() {
        assert_eq!(Key::nearest("MEMROY"), Some("MEMORY"));
        assert_eq!(Key::nearest("HOST_NAME"), Some("HOSTNAME"));
        assert_eq!(Key::nearest("cores"), Some("CORES"));
        assert_eq!(Key::nearest("XYZZY"), None);
    }
}
