//! What one value may be, for a schema: never narrower than the parser, and as narrow as a schema
//! can say.

/// What one value, or one item of a list, may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A whole number within bounds.
    Number {
        /// The least that may be.
        least: u32,
        /// The most that may be.
        most: u32,
    },
    /// A decimal within bounds.
    Decimal {
        /// The least that may be.
        least: u32,
        /// The most that may be.
        most: u32,
    },
    /// A number of MiB within bounds, or one with a unit.
    Size {
        /// The least that may be, in MiB.
        least: u32,
        /// The most that may be, in MiB.
        most: u32,
    },
    /// `yes` or `no`, with the spellings that people use.
    YesNo,
    /// One of a few words.
    Words(&'static [&'static str]),
    /// Any text.
    Text,
    /// Text that is not empty and has no blank at its edges.
    Item,
    /// A name as Proxmox VE has them for nodes, storages, bridges and pools.
    Name,
    /// A host name or a domain.
    Host,
    /// The name of a container.
    Container,
    /// A tag.
    Tag,
    /// A volume, a name, or an address with its checksum.
    Template,
    /// `order=N`, `up=N`, `down=N`, or a number alone.
    Startup,
    /// `STORAGE:SIZE` or `SIZE`.
    Disk,
    /// An item of `MOUNT`.
    Mount,
    /// An item of `DEVICE`.
    Device,
    /// An item of `FEATURES`.
    Feature,
    /// The address of the first interface.
    Address,
    /// An IPv4 address, or `none`.
    Gateway,
    /// An item of `NIC`.
    Nic,
    /// An IP address.
    Server,
    /// An item of `HEALTH`.
    Gate,
    /// `NAME=VALUE`.
    Assignment,
    /// The name of a variable.
    Variable,
}

impl Kind {
    /// From where to where, where there are bounds.
    #[must_use]
    pub fn range(self) -> Option<String> {
        match self {
            Self::Number { least, most } | Self::Decimal { least, most } => {
                Some(format!("{least} to {most}"))
            }
            Self::Size { least, most } => Some(format!("{least} to {most} MiB")),
            Self::Words(words) => Some(words.join(", ")),
            _ => None,
        }
    }

    /// The regular expression that its text matches; `None` where any text may stand.
    pub(super) fn pattern(self) -> Option<String> {
        let host = "[a-z0-9]([a-z0-9-]*[a-z0-9])?";
        let name = "[A-Za-z0-9][A-Za-z0-9._-]*";
        let ip = r"[0-9]{1,3}(\.[0-9]{1,3}){3}";
        let size = "[0-9]+[KMGT]?";
        Some(match self {
            Self::Text => return None,
            Self::Number { .. } => "^[0-9]+$".to_owned(),
            Self::Decimal { .. } => "^[0-9.]+$".to_owned(),
            Self::Size { .. } => format!("^{size}$"),
            Self::YesNo => YES_NO.to_owned(),
            Self::Words(words) => format!("^({})$", words.join("|")),
            Self::Item => r"^\S(.*\S)?$".to_owned(),
            Self::Name => format!("^{name}$"),
            Self::Host => format!(r"^{host}(\.{host})*$"),
            Self::Container => format!("^{host}$"),
            Self::Tag => "^[A-Za-z0-9_][A-Za-z0-9_.+-]*$".to_owned(),
            Self::Template => format!(
                "^({name}:vztmpl/[A-Za-z0-9._+-]+|[A-Za-z0-9._+-]+|https?://.+#sha(256|384|512)=[0-9A-Fa-f]+)$"
            ),
            Self::Startup => "^((order|up|down)=)?[0-9]+$".to_owned(),
            Self::Disk => format!("^({name}:)?{size}$"),
            Self::Mount => format!(
                r"^(/dev/[^:\s]+|(/[^:\s]+|{size}|{name}:[A-Za-z0-9._/-]+):/[^:\s]+(:(ro|rw|noacl|shared|quota|nobackup|backup))*)$"
            ),
            Self::Device => {
                r"^/dev/[^:\s]+(:(ro|mode=0[0-7]{3}|uid=[0-9]+|gid=[0-9]+))*$".to_owned()
            }
            Self::Feature => {
                r"^((nesting|keyctl|fuse|mknod|force_rw_sys)(=[01])?|mount=[A-Za-z0-9_]+(\+[A-Za-z0-9_]+)*)$"
                    .to_owned()
            }
            Self::Address => format!("^(dhcp|manual|{ip}(/[0-9]{{1,2}})?)$"),
            Self::Gateway => format!("^(none|{ip})$"),
            Self::Nic => format!("^{name}:(dhcp|manual|{ip}/[0-9]{{1,2}})(:vlan=[0-9]+)*$"),
            Self::Server => "^[0-9A-Fa-f:.]+$".to_owned(),
            Self::Gate => {
                "^(tcp:[0-9]+|http:[0-9]+(/[!-~]*)?|unit:[A-Za-z0-9][A-Za-z0-9_.@:-]*)$".to_owned()
            }
            Self::Assignment => r"^[A-Z_][A-Z0-9_]*=(.*\S)?$".to_owned(),
            Self::Variable => "^[A-Z_][A-Z0-9_]*$".to_owned(),
        })
    }
}

/// Yes and no in every spelling that the parser takes, in capitals or not.
const YES_NO: &str =
    "^([Yy][Ee][Ss]|[Nn][Oo]|[Tt][Rr][Uu][Ee]|[Ff][Aa][Ll][Ss][Ee]|[Oo][Nn]|[Oo][Ff][Ff]|[01])$";
