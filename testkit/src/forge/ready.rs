//! The line that says how to reach a forge.

use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use serde::{Deserialize, Serialize};

/// How to reach a forge, and with which credentials.
#[derive(Clone, Serialize, Deserialize)]
pub struct Ready {
    /// Its address, without a slash at the end.
    pub url: String,
    /// The administrator's login.
    pub root_user: String,
    /// The administrator's password.
    pub root_password: String,
    /// An access token of the administrator with all scopes.
    pub root_token: String,
    /// The instance's registration token for runners.
    pub runner_token: String,
    /// The process.
    pub pid: u32,
    /// Where faults and inspection listen.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub sim_url: Option<String>,
    /// The token they ask for.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub sim_token: Option<String>,
}

impl std::fmt::Debug for Ready {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ready")
            .field("url", &self.url)
            .field("root_user", &self.root_user)
            .field("pid", &self.pid)
            .finish_non_exhaustive()
    }
}

impl Ready {
    /// Writes the line to a file that only its owner may read; it appears whole or not at all.
    pub(super) fn write(&self, path: &Path) -> io::Result<()> {
        let line = serde_json::to_string(self).map_err(io::Error::other)?;
        write_private(path, format!("{line}\n").as_bytes())
    }
}

/// Writes a file with mode 0600 under another name and renames it.
pub(super) fn write_private(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut draft = path.as_os_str().to_owned();
    draft.push(format!(".{}", std::process::id()));
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&draft)?;
    file.write_all(content)?;
    file.sync_all()?;
    std::fs::rename(&draft, path)
}
