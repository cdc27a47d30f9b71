//! What an administrator of the real one would write into its configuration file.

/// Settings of a Gitea that do not change while it runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Which release is played, such as `1.26.3`.
    pub version: String,
    /// The address under which it is reached, without a slash at the end: `Link` headers and jobs use it.
    pub root_url: String,
    /// The domain of hidden mail addresses (`ID+name@noreply.DOMAIN`).
    pub domain: String,
    /// The branch that a new repository starts with.
    pub default_branch: String,
    /// How many entries a page has when nobody says.
    pub page_size: usize,
    /// How many entries a page has at most.
    pub page_size_max: usize,
    /// The largest file, in bytes, whose content is answered.
    pub blob_size_max: u64,
    /// The largest body of an API request in bytes.
    pub body_size_max: usize,
    /// Whether repositories may be fetched from loopback and private addresses.
    pub migrate_from_local_networks: bool,
}

impl Settings {
    /// The second number of the release: 26 of `1.26.3`.
    #[must_use]
    pub fn minor(&self) -> u32 {
        let second = self.version.split('.').nth(1);
        second.and_then(|text| text.parse().ok()).unwrap_or(26)
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            version: "1.26.3".into(),
            root_url: "http://localhost:3000".into(),
            domain: "localhost".into(),
            default_branch: "main".into(),
            page_size: 30,
            page_size_max: 50,
            blob_size_max: 10 << 20,
            body_size_max: 128 << 20,
            migrate_from_local_networks: true,
        }
    }
}
