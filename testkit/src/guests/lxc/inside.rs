//! What is written into a guest's root filesystem: once when it is made, and before each start.

use std::fmt::Write as _;
use std::io;

use super::Config;
use super::network::{Inet, Nic};
use super::tree::Tree;

/// The marks around the lines of `/etc/hosts` that are ours.
const HOSTS_BEGIN: &str = "# --- BEGIN PVE ---";
const HOSTS_END: &str = "# --- END PVE ---";

/// What makes a new guest different from all others made of its template.
#[derive(Debug, Default)]
pub(super) struct Newborn {
    /// New ssh host keys.
    pub(super) host_keys: Vec<HostKey>,
    /// The hash of root's password.
    pub(super) password_hash: Option<String>,
    /// Lines for root's `authorized_keys`.
    pub(super) ssh_public_keys: Option<String>,
}

/// A pair of ssh host keys.
pub(super) struct HostKey {
    /// The file in `/etc/ssh`, such as `ssh_host_rsa_key`.
    pub(super) file: String,
    /// The private key.
    pub(super) private: String,
    /// The public key, as one line.
    pub(super) public: String,
}

impl std::fmt::Debug for HostKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "HostKey({})", self.public.trim())
    }
}

/// What a guest is called and whom it asks for names.
#[derive(Debug)]
pub(super) struct Identity<'a> {
    /// Its host name, perhaps with a domain.
    pub(super) hostname: &'a str,
    /// Its network devices.
    pub(super) nics: &'a [Nic],
    /// The resolver's configuration.
    pub(super) resolver: &'a Resolver,
}

/// A resolver's configuration.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Resolver {
    /// The servers' addresses.
    pub(super) servers: Vec<String>,
    /// The domains that names are looked for in.
    pub(super) search: Vec<String>,
}

/// Makes a new guest itself: own host keys, no machine id yet, root's keys and password.
pub(super) fn give_birth(tree: &Tree, newborn: &Newborn) -> io::Result<()> {
    for name in tree.names("etc/ssh")? {
        if name.starts_with("ssh_host_") {
            tree.remove(&format!("etc/ssh/{name}"))?;
        }
    }
    for name in tree.names("etc/dropbear")? {
        if name.ends_with("_host_key") {
            tree.remove(&format!("etc/dropbear/{name}"))?;
        }
    }
    if tree.has_folder("etc/ssh") {
        for key in &newborn.host_keys {
            tree.write(&format!("etc/ssh/{}", key.file), &key.private, 0o600)?;
            tree.write(&format!("etc/ssh/{}.pub", key.file), &key.public, 0o644)?;
        }
    }
    // Empty, not absent: systemd then makes a new one without taking this for a first boot.
    if tree.names("etc")?.iter().any(|name| name == "machine-id") {
        tree.write("etc/machine-id", "", 0o444)?;
    }
    if tree.has_folder("etc/systemd/system") {
        // It cannot be mounted by an unprivileged guest, whose systemd would be `degraded`.
        tree.link("etc/systemd/system/sys-kernel-debug.mount", "/dev/null")?;
    }
    if let Some(keys) = &newborn.ssh_public_keys {
        tree.write(
            "root/.ssh/authorized_keys",
            &format!("{}\n", keys.trim_end()),
            0o600,
        )?;
        tree.make_folder("root/.ssh", 0o700)?;
    }
    if let Some(hash) = &newborn.password_hash {
        let shadow = tree.read("etc/shadow")?.unwrap_or_default();
        tree.rewrite("etc/shadow", &with_password(&shadow, hash))?;
    }
    Ok(())
}

/// Writes a guest's name, network and resolver, as they are now.
pub(super) fn introduce(tree: &Tree, identity: &Identity<'_>) -> io::Result<()> {
    let (short, _) = identity
        .hostname
        .split_once('.')
        .unwrap_or((identity.hostname, ""));
    tree.write("etc/hostname", &format!("{short}\n"), 0o644)?;
    let hosts = tree
        .read("etc/hosts")?
        .unwrap_or_else(|| "127.0.0.1 localhost\n".to_owned());
    tree.write(
        "etc/hosts",
        &with_name(&hosts, &hosts_line(identity)),
        0o644,
    )?;
    tree.write("etc/resolv.conf", &identity.resolver.render(), 0o644)?;
    if tree.has_folder("etc/network") {
        tree.write("etc/network/interfaces", &interfaces(identity.nics), 0o644)?;
    }
    if tree.has_folder("etc/systemd/network") {
        for nic in identity.nics {
            let text = format!("[Match]\nName={}\n\n[Link]\nUnmanaged=yes\n", nic.name);
            tree.write(
                &format!("etc/systemd/network/05-{}.network", nic.name),
                &text,
                0o644,
            )?;
        }
    }
    Ok(())
}

/// The signal that a guest's init shuts down on, where it is not the usual one.
pub(super) fn halt_signal(tree: &Tree) -> Option<&'static str> {
    let init = tree.resolve("sbin/init").ok()?;
    (init.file_name()? == "busybox").then_some("SIGUSR2")
}

fn hosts_line(identity: &Identity<'_>) -> String {
    let address = identity.nics.iter().find_map(|nic| match nic.inet {
        Inet::Fixed(address, _) => Some(address.to_string()),
        Inet::Manual | Inet::Lease => None,
    });
    let address = address.unwrap_or_else(|| "127.0.1.1".to_owned());
    match identity.hostname.split_once('.') {
        Some((short, _)) => format!("{address} {} {short}", identity.hostname),
        None => format!("{address} {}", identity.hostname),
    }
}

/// A hosts file with our lines replaced or added, and all others kept.
fn with_name(hosts: &str, line: &str) -> String {
    let mut kept = String::new();
    let mut ours = false;
    for old in hosts.lines() {
        match old.trim() {
            HOSTS_BEGIN => ours = true,
            HOSTS_END => ours = false,
            _ if ours => {}
            _ => {
                kept.push_str(old);
                kept.push('\n');
            }
        }
    }
    format!("{kept}{HOSTS_BEGIN}\n{line}\n{HOSTS_END}\n")
}

/// The addresses are set from outside: the guest has only to leave them alone.
fn interfaces(nics: &[Nic]) -> String {
    let mut text = "auto lo\niface lo inet loopback\n".to_owned();
    for nic in nics {
        let _ = write!(text, "\nauto {0}\niface {0} inet manual\n", nic.name);
    }
    text
}

/// A shadow file with root's password replaced.
fn with_password(shadow: &str, hash: &str) -> String {
    let mut text = String::new();
    for line in shadow.lines() {
        match line
            .strip_prefix("root:")
            .and_then(|rest| rest.split_once(':'))
        {
            Some((_, rest)) => {
                let _ = writeln!(text, "root:{hash}:{rest}");
            }
            None => {
                let _ = writeln!(text, "{line}");
            }
        }
    }
    text
}

impl Resolver {
    /// Takes a `resolv.conf` apart.
    pub(super) fn parse(text: &str) -> Self {
        let mut resolver = Self::default();
        for line in text.lines() {
            let mut words = line.split_whitespace();
            match words.next() {
                Some("nameserver") => resolver.servers.extend(words.next().map(str::to_owned)),
                Some("search" | "domain") => resolver.search = words.map(str::to_owned).collect(),
                _ => {}
            }
        }
        resolver
    }

    /// The host's resolver, or its upstream where the host asks itself.
    pub(super) fn of_host() -> Self {
        let files = [
            "/etc/resolv.conf",
            "/run/systemd/resolve/resolv.conf",
            "/run/NetworkManager/no-stub-resolv.conf",
            "/run/dnsmasq/resolv.conf",
        ];
        let parsed = |file: &&str| {
            std::fs::read_to_string(file)
                .ok()
                .map(|text| Self::parse(&text))
        };
        files
            .iter()
            .filter_map(parsed)
            .find(Self::reaches_out)
            .unwrap_or_default()
    }

    /// What a guest's configuration says, and where it is silent, this one.
    pub(super) fn overridden_by(self, config: &Config) -> Self {
        let words = |key: &str| -> Option<Vec<String>> {
            let text = config.get(key)?;
            let words = text.split([' ', ',', ';']).filter(|word| !word.is_empty());
            Some(words.map(str::to_owned).collect())
        };
        Self {
            servers: words("nameserver").unwrap_or(self.servers),
            search: words("searchdomain").unwrap_or(self.search),
        }
    }

    /// Whether a guest can ask these servers: a loopback address would be the guest's own.
    pub(super) fn reaches_out(&self) -> bool {
        let own = |server: &String| server.starts_with("127.") || server == "::1";
        !self.servers.is_empty() && !self.servers.iter().any(own)
    }

    fn render(&self) -> String {
        let mut text = String::new();
        if !self.search.is_empty() {
            let _ = writeln!(text, "search {}", self.search.join(" "));
        }
        for server in &self.servers {
            let _ = writeln!(text, "nameserver {server}");
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lines_of_others_in_hosts_are_kept() {
        let once = with_name("127.0.0.1 localhost\n", "10.0.0.5 web");
        let twice = with_name(&format!("{once}10.0.0.9 db\n"), "10.0.0.6 web");
        assert_eq!(
            twice,
            "127.0.0.1 localhost\n10.0.0.9 db\n# --- BEGIN PVE ---\n10.0.0.6 web\n# --- END PVE ---\n"
        );
    }

    #[test]
    fn only_the_password_of_root_is_replaced() {
        let shadow = "root:*:19000:0:99999:7:::\nrooted:x:1::::::\n";
        assert_eq!(
            with_password(shadow, "$6$s$h"),
            "root:$6$s$h:19000:0:99999:7:::\nrooted:x:1::::::\n"
        );
    }

    #[test]
    fn a_resolver_on_loopback_does_not_reach_out() {
        let stub = Resolver::parse("nameserver 127.0.0.53\noptions edns0\nsearch lan\n");
        assert!(!stub.reaches_out());
        let real = Resolver::parse("search lan home\nnameserver 192.0.2.53\n");
        assert!(real.reaches_out());
        assert_eq!(real.render(), "search lan home\nnameserver 192.0.2.53\n");
    }
}
