//! Who holds a lock, said so that another who waits can find them.

use std::{fmt, fs};

use rustix::process::getuid;

/// A run, as others are told of it: what it does, and where it can be found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    command: String,
    pid: u32,
    user: String,
    machine: String,
    since: String,
}

impl Holder {
    /// This process, from now on.
    #[must_use]
    pub fn now(command: &str) -> Self {
        Self {
            command: command.to_owned(),
            pid: std::process::id(),
            user: user(),
            machine: machine(),
            since: super::journal::now(),
        }
    }
}

impl fmt::Display for Holder {
    /// `` `apply`, process 4711 of root on build1, since 2026-11-27T18:20:11.512Z ``
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            command,
            pid,
            user,
            machine,
            since,
        } = self;
        write!(
            f,
            "`{command}`, process {pid} of {user} on {machine}, since {since}"
        )
    }
}

/// The name of the user that we run as; the number where it has none.
fn user() -> String {
    let uid = getuid().as_raw().to_string();
    let accounts = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let name = accounts.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)? == uid).then(|| name.to_owned())
    });
    name.unwrap_or_else(|| format!("user {uid}"))
}

/// The name of this machine.
fn machine() -> String {
    let name = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    match name.trim() {
        "" => "this machine".to_owned(),
        name => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_holder_can_be_found_by_its_words() {
        let words = Holder::now("apply").to_string();
        let pid = std::process::id();
        assert!(
            words.starts_with(&format!("`apply`, process {pid} of ")),
            "{words}"
        );
        assert!(words.contains(&format!(" on {}", machine())), "{words}");
        assert!(!user().is_empty());
    }
}
