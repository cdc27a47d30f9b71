//! The keys of `fleet.toml` and `fleet.local.toml`: what is the fleet's own and no container's.

use super::File;

/// One key of a file of the fleet's own.
#[derive(Clone, Copy, Debug)]
pub struct Section {
    /// The file it stands in.
    pub file: File,
    /// Its table; empty at the top of the file.
    pub table: &'static str,
    /// Its name; empty where the table holds names that the fleet chooses.
    pub name: &'static str,
    /// Grammar of its value, for people.
    pub grammar: &'static str,
    /// The regular expression that its text matches; empty where it is no single text.
    pub pattern: &'static str,
    /// What holds without it.
    pub default: &'static str,
    /// What it means, in one sentence.
    pub meaning: &'static str,
    /// A line that says it.
    pub example: &'static str,
}

impl Section {
    /// As it is spoken of: `id`, `network.subnet`, `[vars]`.
    #[must_use]
    pub fn path(&self) -> String {
        match (self.table, self.name) {
            ("", name) => name.to_owned(),
            (table, "") => format!("[{table}]"),
            (table, name) => format!("{table}.{name}"),
        }
    }
}

/// The names that may stand in a table of a file, `""` being its top: keys and tables.
pub(crate) fn names(file: File, table: &str) -> Vec<&'static str> {
    let mut names = Vec::new();
    for section in SECTIONS.iter().filter(|section| section.file == file) {
        let name = match (table, section.table) {
            ("", "") => section.name,
            ("", own) => own,
            (asked, own) if asked == own => section.name,
            _ => continue,
        };
        if !name.is_empty() && !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

/// Every key of the fleet's own files.
pub static SECTIONS: [Section; 13] = [
    fleet("", "id").text("^[a-z0-9-]{8,64}$", "8 to 64 lower-case letters, digits or hyphens", "required", "Whose guests these are: random, written by `init`, never changed; it stands on every guest.", "id = \"fleet-0123456789abcdef\""),
    fleet("defaults", "").holds("keys of `container.toml` that may be the same for all", "the defaults of each key", "Values for every container whose own file does not say otherwise.", "memory = \"1G\""),
    fleet("network", "subnet").text(r"^[0-9]{1,3}(\.[0-9]{1,3}){3}/[0-9]{1,2}$", "IPv4 network, its host part zero", "none: each container writes its `IP`", "The network that every address lies in; a container without `IP` gets its address plus `ID`.", "subnet = \"10.0.0.0/24\""),
    fleet("network", "gateway").text(r"^[0-9]{1,3}(\.[0-9]{1,3}){3}$", "IPv4 address in the subnet", "none", "The gateway of every container that names none.", "gateway = \"10.0.0.1\""),
    fleet("network", "vmids").text(r"^[0-9]+\s*-\s*[0-9]+$", "FIRST-LAST, from 100 on", "any number", "The range that every `ID` lies in.", "vmids = \"100-199\""),
    fleet("policies", "reboot").text("^(never|allow)$", "never or allow", "never", "What happens to a change that waits for a restart: it is written and waits, or the container is restarted in the same run.", "reboot = \"allow\""),
    fleet("program", "version").text(r"^[0-9][0-9A-Za-z.+-]{0,63}$", "version, without the `v` of its tag", "required with `sha256`, or the installed one stays", "Which build of this program the control plane runs.", "version = \"0.3.1\"\nsha256 = \"7c7c7c7c7c7c7c7c7c7c7c7c7c7c7c7c7c7c7c7c7c7c7c7c7c7c7c7c7c7c7c7c\""),
    fleet("program", "sha256").text("^[0-9A-Fa-f]{64}$", "64 hexadecimal digits", "required with `version`", "Checksum of that build's executable, which is asked before it is run.", "version = \"0.3.1\"\nsha256 = \"7c7c7c7c7c7c7c7c7c7c7c7c7c7c7c7c7c7c7c7c7c7c7c7c7c7c7c7c7c7c7c7c\""),
    fleet("vars", "").holds("names in capitals with text, numbers, true or false", "none", "Variables for `${NAME}` in any value and for the provisioners of every container.", "TIMEZONE = \"Europe/Zurich\""),
    local("url").text("", "address of the Proxmox VE API", "--url or PROXMOX_CI_URL", "Where the API is.", "url = \"https://pve1:8006\""),
    local("fingerprint").text("", "SHA-256 in hexadecimal, with or without colons", "the authorities that the system trusts", "The certificate that the server must have.", "fingerprint = \"AA:BB:…\""),
    local("ca_file").text("", "path, from the fleet's folder or with ~/", "the authorities that the system trusts", "The authority that signed the server's certificate, PEM; excludes `fingerprint`.", "ca_file = \"ca.local.pem\""),
    local("token_file").text("", "path, from the fleet's folder or with ~/", "--token-file or PROXMOX_CI_TOKEN_FILE", "A file of mode 0600 with one line: the API token, USER@REALM!NAME=SECRET.", "token_file = \"token.local.txt\""),
];

const fn fleet(table: &'static str, name: &'static str) -> Section {
    section(File::Fleet, table, name)
}

const fn local(name: &'static str) -> Section {
    section(File::Connection, "", name)
}

const fn section(file: File, table: &'static str, name: &'static str) -> Section {
    Section {
        file,
        table,
        name,
        grammar: "",
        pattern: "",
        default: "",
        meaning: "",
        example: "",
    }
}

impl Section {
    const fn text(
        mut self,
        pattern: &'static str,
        grammar: &'static str,
        default: &'static str,
        meaning: &'static str,
        example: &'static str,
    ) -> Self {
        self.pattern = pattern;
        self.grammar = grammar;
        self.default = default;
        self.meaning = meaning;
        self.example = example;
        self
    }

    const fn holds(
        self,
        grammar: &'static str,
        default: &'static str,
        meaning: &'static str,
        example: &'static str,
    ) -> Self {
        self.text("", grammar, default, meaning, example)
    }
}
