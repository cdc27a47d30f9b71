//! The one table of keys: parser, documentation, `config --explain` and the schema all read it.

mod document;
mod table;

use serde::Serialize;

use crate::diagnostic::nearest;

pub use document::{markdown, schema, text};
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
    /// Grammar of one value, with its unit.
    pub grammar: &'static str,
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
    fn the_documented_table_is_this_one() {
        let documented = include_str!("../../KEYS.md");
        let (_, rest) = documented
            .split_once("<!-- the table, as the program has it -->\n")
            .expect("KEYS.md marks it");
        let (table, _) = rest
            .split_once("<!-- end of the table -->")
            .expect("KEYS.md marks its end");
        let now = markdown();
        assert_eq!(table, now, "put this between the marks of KEYS.md:\n{now}");
    }

    #[test]
    fn the_schema_knows_every_key_and_says_what_it_means() {
        let schema = schema();
        for row in &TABLE {
            let description =
                schema["properties"][row.name.to_ascii_lowercase()]["description"].as_str();
            assert!(
                description.is_some_and(|text| text.starts_with(row.meaning)),
                "{}",
                row.name
            );
        }
        assert_eq!(
            schema["properties"].as_object().map(serde_json::Map::len),
            Some(TABLE.len())
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
